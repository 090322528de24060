"""Chapter 02: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

ALL_STILL, SOME_TRAIN = Between(high=1), Between(low=1)  # how many tensors still train

QUESTIONS = (
    Prediction(
        id="02-first-probe",
        question="The backbone stays frozen, and you train one linear layer on {pictures} labelled pictures. There are "
        "{classes} classes, so guessing gives an accuracy of {guessing}. What accuracy do you expect on the validation "
        "set?",
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
        measured="the accuracy on the validation set is {value:.1%}",
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
        question="No parameter of the backbone requires a gradient, and there is no optimiser. Four batches pass "
        "through it in *train* mode. How many of its running means and variances change?",
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
        id="02-train-mode",
        question="You train two heads on the same pictures. For one, the backbone is in eval mode during training; for "
        "the other, the loop calls `model.train()`. No parameter of the backbone has a gradient in either case. Both "
        "are validated in eval mode. How does the second compare, on average over ten seeds and three drawing styles?",
        options=(
            Option(
                "it is more accurate, by over two percentage points",
                Between(low=0.02),
                "Statistics of your own pictures suit this backbone better than those of its pretraining.",
            ),
            Option(
                "within two percentage points: the weights are the same",
                Between(-0.02, 0.02),
                "The head adapts to the features that it gets, and the drift costs little here.",
            ),
            Option(
                "it is less accurate, by two to ten percentage points",
                Between(-0.10, -0.02),
                "The head learned from features normalised by each batch, and is used with the drifted running "
                "statistics, which the backbone's weights were not trained with.",
            ),
            Option(
                "it is less accurate, by over ten percentage points",
                Between(high=-0.10),
                "The head learned from features normalised by each batch, and is used with the drifted running "
                "statistics, which the backbone's weights were not trained with.",
            ),
        ),
        measured="train mode changes the validation accuracy by {value:+.1%} on average",
    ),
    Prediction(
        id="02-zeros",
        question="The whole network was trained for one epoch with AdamW. Then you set `requires_grad = False` in the "
        "backbone and make {steps} more steps with the same optimiser. Each begins with "
        "`zero_grad(set_to_none=False)`, the default before PyTorch 2.0, which fills gradients with zeros. How many of "
        "the backbone's {count} parameters change?",
        options=(
            Option(
                "none: their gradients are zero",
                {"share": Between(high=0.001)},
                "In this run a gradient of zeros meant no step.",
            ),
            Option(
                "only some of them",
                {"share": Between(0.001, 0.95)},
                "For some of the parameters the step was too small to change the stored number.",
            ),
            Option(
                "all, or nearly all",
                {"share": Between(low=0.95)},
                "A gradient of zeros is a gradient. Momentum continues in the last direction, and weight decay pulls "
                "every parameter towards zero. The optimiser skips a parameter only if its `.grad` is `None`.",
            ),
        ),
        measured="{moved} of {count} tensors changed; the distance is {distance:.1%} of the weights' norm, and the "
        "validation accuracy went from {before:.1%} to {after:.1%}",
    ),
    Prediction(
        id="02-memory",
        question="For the backward pass, a layer keeps tensors from the forward pass, its *activations*. You freeze "
        "everything except the first stage, which has {parameters:,} of {total:,} parameters. How much memory do the "
        "activations take, compared with training the whole network?",
        options=(
            Option(
                "less than 1%, like the parameters",
                Between(high=0.01),
                "Here the activations shrank with the number of parameters that train.",
            ),
            Option(
                "between 1% and 50%",
                Between(0.01, 0.5),
                "The layers above the trainable stage keep only part of what they keep in full training.",
            ),
            Option(
                "between 50% and 90%",
                Between(0.5, 0.9),
                "The gradient of the first stage passes through every later layer, and most of their activations are "
                "needed on the way.",
            ),
            Option(
                "nearly the same",
                Between(low=0.9),
                "The gradient of the first stage passes through every later layer, and each keeps what it needs for "
                "that, whether its own parameters train or not.",
            ),
        ),
        measured="the activations take {value:.1%} of those of full training",
    ),
    Prediction(
        id="02-cached",
        question="You train the head for {epochs} epochs. Loop A runs the frozen backbone on every batch of every "
        "epoch, loop B runs it once before the first epoch. How much faster is B?",
        options=(
            Option(
                "more than a hundred times as fast",
                {"ratio": Between(low=100)},
                "On this machine something other than the backbone's forward passes takes most of loop A's time.",
            ),
            Option(
                "3 to 100 times as fast",
                {"ratio": Between(3, 100)},
                "Loop A runs the backbone once per epoch, and the backbone takes nearly all of the time. Training the "
                "head costs the same in both loops.",
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
        measured="A sent {images_a:,} pictures through the backbone in {a:.1f} s, B sent {images_b:,} in {b:.1f} s: "
        "B is {ratio:.0f} times as fast",
    ),
    Prediction(
        id="02-away",
        question="Two models learn from drawings in the Fluent style: a head on the frozen features, and logistic "
        "regression on small pictures of 8 × 8 pixels. On Fluent drawings of the test objects the backbone is ahead. "
        "How large is its lead on Noto's and Twemoji's drawings of the same objects?",
        options=(
            Option(
                "larger: pretrained features carry over, pixels don't",
                {"kept": Between(low=1.15)},
                "The change of style costs the pixels more than the features.",
            ),
            Option(
                "about the same",
                {"kept": Between(0.85, 1.15)},
                "The change of style costs both models about the same.",
            ),
            Option(
                "smaller, but at least half as large",
                {"kept": Between(0.5, 0.85)},
                "Both models lose accuracy, and the features lose more of it. Colours and coarse shapes, which the "
                "pixels contain, are much the same in every style.",
            ),
            Option(
                "less than half as large",
                {"kept": Between(high=0.5)},
                "Both models lose accuracy, and the features lose more of it. Colours and coarse shapes, which the "
                "pixels contain, are much the same in every style.",
            ),
        ),
        measured="the backbone leads by {fluent:.1%} on Fluent, {noto:.1%} on Noto and {twemoji:.1%} on Twemoji",
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
                "The parameters learned on the first task are the starting point for yours.",
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
