"""Chapter 02: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

ALL_STILL, SOME_TRAIN = Between(high=1), Between(low=1)  # how many tensors still train

QUESTIONS = (
    Prediction(
        id="02-first-probe",
        question="The backbone stays frozen, and you train one linear layer on {pictures} labelled pictures. There are "
        "{classes} classes, so guessing gives an accuracy of {guessing}. What accuracy do you expect on unseen "
        "pictures?",
        options=(
            Option(
                "less than 15%: the backbone was trained on another task",
                Between(high=0.15),
                "The features that the backbone learned on its own task say little about these classes.",
            ),
            Option(
                "15 to 30%",
                Between(0.15, 0.30),
                "The features that the backbone learned on its own task say something about these classes, but a "
                "linear layer cannot separate most of them.",
            ),
            Option(
                "30 to 70%",
                Between(0.30, 0.70),
                "The features that the backbone learned on its own task separate many of these classes, "
                "without any change to the backbone.",
            ),
            Option(
                "more than 70%",
                Between(low=0.70),
                "The classes are similar to those that the backbone was pretrained on, so its features already "
                "separate most of them.",
            ),
        ),
        measured="the accuracy on unseen pictures is {value:.0%}",
    ),
    Prediction(
        id="02-which-freezes",
        question="Which of these lines freezes the model?",
        options=(
            Option(
                "all three",
                {"every_parameter": ALL_STILL, "without_s": ALL_STILL, "module": ALL_STILL},
                "After each of the lines, no parameter requires a gradient.",
            ),
            Option(
                "only `for p in model.parameters(): p.requires_grad = False`",
                {"every_parameter": ALL_STILL, "without_s": SOME_TRAIN, "module": SOME_TRAIN},
                "The other lines create new attributes that nothing reads: one name is misspelt, and a module has no "
                "`requires_grad`.",
            ),
            Option(
                "only `for p in model.parameters(): p.require_grad = False`",
                {"every_parameter": SOME_TRAIN, "without_s": ALL_STILL, "module": SOME_TRAIN},
                "After this line, no parameter requires a gradient.",
            ),
            Option(
                "only `model.requires_grad = False`",
                {"every_parameter": SOME_TRAIN, "without_s": SOME_TRAIN, "module": ALL_STILL},
                "After this line, no parameter requires a gradient.",
            ),
        ),
        measured="tensors that still train: {every_parameter} of {count} after `p.requires_grad = False`, {without_s} "
        "after `p.require_grad = False`, {module} after `model.requires_grad = False`",
        otherwise="More than one of the lines freezes the model, or none of them does.",
    ),
    Prediction(
        id="02-buffers",
        question="All parameters are frozen, and the model runs on eight batches in *train* mode. How many of its "
        "BatchNorm statistics change?",
        options=(
            Option(
                "none: everything is frozen",
                {"share": Between(high=0.001)},
                "In this run no forward pass updated the running statistics.",
            ),
            Option(
                "a few, for example those of the first layer",
                {"share": Between(0.001, 0.25)},
                "Only some of the BatchNorm layers updated their running statistics.",
            ),
            Option(
                "about half",
                {"share": Between(0.25, 0.75)},
                "Only some of the BatchNorm layers updated their running statistics.",
            ),
            Option(
                "all, or nearly all",
                {"share": Between(low=0.75)},
                "In train mode every forward pass updates the running statistics. They are buffers, so "
                "`requires_grad = False` doesn't stop that.",
            ),
        ),
        measured="{in_train} of {count} statistics changed in train mode, {in_eval} in eval mode",
    ),
    Prediction(
        id="02-cached",
        question="You train the head for ten epochs. Loop A runs the frozen backbone on every batch of every epoch, "
        "loop B runs it once before the first epoch. How much faster is B?",
        options=(
            Option(
                "more than a hundred times as fast",
                {"ratio": Between(low=100)},
                "On this machine something other than the backbone's forward passes takes most of loop A's time.",
            ),
            Option(
                "3 to 100 times as fast",
                {"ratio": Between(3, 100)},
                "Loop A runs the backbone ten times as often, and the backbone takes nearly all of the time. Training "
                "the head costs the same in both loops.",
            ),
            Option(
                "about twice as fast",
                {"ratio": Between(1.5, 3)},
                "On this machine the backbone takes only part of the time, and both loops share the rest.",
            ),
            Option(
                "about the same: only the head is trained",
                {"ratio": Between(high=1.5)},
                "On this machine the backbone takes only a small part of the time, and both loops share the rest.",
            ),
        ),
        measured="A took {a:.1f} s and B {b:.1f} s, so B is {ratio:.0f} times as fast",
    ),
    Prediction(
        id="02-away",
        question="The head was trained on drawings in the Fluent style. How accurate is it on Noto's and Twemoji's "
        "drawings of the same test objects, compared with Fluent's?",
        options=(
            Option(
                "more accurate, by over two percentage points",
                {"change": Between(low=0.02)},
                "The other styles draw what distinguishes the classes more clearly.",
            ),
            Option(
                "about as accurate, within two percentage points",
                {"change": Between(-0.02, 0.02)},
                "What the backbone's features say about the class hardly depends on the drawing style.",
            ),
            Option(
                "less accurate, but with an accuracy of at least 20%, twice that of guessing",
                {"change": Between(high=-0.02), "other": Between(low=0.2)},
                "The head has learned some details of the style that it was trained on. Most of what it uses is found "
                "in the other styles as well.",
            ),
            Option(
                "less accurate, and close to guessing, with an accuracy below 20%",
                {"change": Between(high=-0.02), "other": Between(high=0.2)},
                "The head has learned details of the style that it was trained on, which the other styles don't have.",
            ),
        ),
        measured="accuracy {fluent:.0%} on Fluent, {noto:.0%} on Noto, {twemoji:.0%} on Twemoji",
    ),
    Quiz(
        id="02-recall-pretraining",
        question="What makes a model *pretrained*?",
        options=(
            Answer(
                "Its layers are frozen",
                "Freezing is something that you may do with a pretrained model; fine-tuning is another.",
            ),
            Answer(
                "It was trained on your data for more epochs",
                "More epochs on your own data are just a longer training.",
            ),
            Answer(
                "It was trained on another, usually larger, task before yours",
                "The θ* of the first task is the starting point for yours.",
                is_right=True,
            ),
            Answer(
                "It was downloaded rather than written",
                "A download may contain random weights. What counts is what was learned.",
            ),
        ),
    ),
    Quiz(
        id="02-recall-accuracy",
        question="You average the accuracies of all batches. When is the result in general *not* the accuracy on the "
        "data set?",
        options=(
            Answer(
                "Never: a mean of means is the mean",
                "That is true only if all batches have the same size.",
            ),
            Answer("When the model is in eval mode", "You want eval mode while you measure."),
            Answer("When the classes are balanced", "The balance of the classes doesn't matter here."),
            Answer(
                "When the last batch is smaller than the others",
                "Each of its samples counts more than those of the other batches. Divide all right answers by the "
                "number of samples instead.",
                is_right=True,
            ),
        ),
    ),
)
