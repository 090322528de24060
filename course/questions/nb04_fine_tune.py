"""Chapter 04: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "04-first-tuning",
        "First the head is trained on the frozen backbone. Then everything is trained for two short epochs, {steps} "
        "steps in all. What happens to the loss on the *training* pictures?",
        (
            Option(
                "it falls further",
                {"ratio": Between(high=0.95)},
                "Every layer can now adapt to these pictures, and a few steps are enough to see it.",
            ),
            Option(
                "it stays about the same: so few steps change nothing",
                {"ratio": Between(0.95, 1.05)},
                "The steps are too few and too small to change the features noticeably.",
            ),
            Option(
                "it rises: training disturbs the pretrained features",
                {"ratio": Between(1.05)},
                "The steps are too large: they change the features faster than the head can follow.",
            ),
        ),
        measured="the training loss was {before:.4f} with the head alone and {after:.4f} after training everything",
    ),
    Prediction(
        "04-pays",
        "The probe trains a head on frozen features; fine-tuning trains the backbone as well. Both learn from "
        "{pictures} drawings in one style. Where is fine-tuning ahead, on average over ten seeds?",
        (
            Option(
                "in both",
                {"familiar": Between(0.005), "shifted": Between(0.005)},
                "Probably the features adapt to drawings in general, and not only to the style of training.",
            ),
            Option(
                "only in distribution: on unseen objects in the style of training",
                {"familiar": Between(0.005), "shifted": Between(high=0.005)},
                "What fine-tuning gains in the training style does not carry over to other styles.",
            ),
            Option(
                "only out of distribution: on unseen objects in other styles",
                {"familiar": Between(high=0.005), "shifted": Between(0.005)},
                "Frozen features seem good enough in the training style, but not elsewhere.",
            ),
            Option(
                "nowhere: so few pictures can only damage the features",
                {"familiar": Between(high=0.005), "shifted": Between(high=0.005)},
                "A likely reason: there are far more parameters than the pictures can determine.",
            ),
        ),
        measured="fine-tuning minus the probe: {familiar:+.1%} in distribution, {shifted:+.1%} out of distribution",
    ),
    Prediction(
        "04-rates",
        "Fine-tuning starts from a new head and runs for twelve epochs with AdamW, at the learning rates 0.0001, 0.001 "
        "and 0.01. Which rate does worst on the validation set?",
        (
            Option(
                "all are about the same",
                {"spread": Between(high=0.1)},
                "At each of these rates, the features survive and the head learns.",
            ),
            Option(
                "0.01: too high",
                {"worst": "0.01", "spread": Between(0.1)},
                "AdamW moves every weight by about the learning rate in every step. At this rate, a few steps can "
                "overwrite what pretraining has learned.",
            ),
            Option(
                "0.001",
                {"worst": "0.001", "spread": Between(0.1)},
                "A rate that is worse than a lower and a higher one is most likely due to chance.",
            ),
            Option(
                "0.0001: too low",
                {"worst": "0.0001", "spread": Between(0.1)},
                "The head starts at random, and at this rate twelve epochs may be too few for it.",
            ),
        ),
        measured="accuracy on the validation set: {accuracies}",
    ),
    Prediction(
        "04-unfreeze",
        "An optimiser was created while only the head was trainable. You set `requires_grad = True` on the stage below "
        "and continue training with the same optimiser. What happens to that stage?",
        (
            Option(
                "it trains like the head",
                {"gradients": True, "moved": True},
                "The optimiser has found the parameters of the stage.",
            ),
            Option(
                "it gets gradients, but doesn't move",
                {"gradients": True, "moved": False},
                "The backward pass computes gradients for every parameter that requires them. The optimiser updates "
                "only the parameters in its groups, and these are not among them.",
            ),
            Option(
                "it gets no gradients and doesn't move",
                {"gradients": False, "moved": False},
                "The backward pass does not reach every parameter of the stage.",
            ),
            Option("an error is raised", None),
        ),
        measured="every parameter of the stage {got} a gradient; after the step, the stage {went}",
        otherwise="The stage moved, although not all of its parameters have gradients.",
    ),
    Prediction(
        "04-by-heart",
        "In thirty epochs the loss on the training set falls to almost zero. What does the loss on the validation set "
        "do?",
        (
            Option(
                "it falls, and then rises again",
                {"lowest": Between(2), "rise": Between(0.04)},
                "The model becomes more and more certain, of its mistakes as well, and a confident mistake costs a "
                "high loss.",
            ),
            Option(
                "it falls, and then stays where it is",
                {"lowest": Between(2), "rise": Between(high=0.04), "late_fall": Between(high=0.04)},
                "What the model still learns about the training pictures neither helps nor harms on others.",
            ),
            Option(
                "it falls as well, but more slowly",
                {"lowest": Between(2), "rise": Between(high=0.04), "late_fall": Between(0.04)},
                "What the model learns about the training pictures still helps on others.",
            ),
        ),
        measured="the validation loss is lowest after epoch {lowest} and ends {rise:.0%} above that; from there to the "
        "end, the validation accuracy goes {accuracy}",
        otherwise="It rose from the first epoch on.",
    ),
    Prediction(
        "04-resume",
        "A run of four epochs is killed in the third, and started again with the same checkpoint. How do its final "
        "weights compare with those of a run that was never killed?",
        (
            Option(
                "they are close, but differ by rounding",
                {"differ": Between(1), "furthest": Between(high=1e-4)},
                "The state was restored, but the computation took another order.",
            ),
            Option(
                "they are the same, bit by bit",
                {"differ": Between(0, 1)},
                "The half epoch was discarded and repeated from the stored state: weights, optimiser, schedule and "
                "random generators.",
            ),
            Option(
                "they are different, because an epoch was started twice",
                {"differ": Between(1), "furthest": Between(1e-4)},
                "Part of the state was not restored, so the resumed run took other steps.",
            ),
        ),
        measured="{differ} of {tensors} tensors differ; the largest difference between two weights is {furthest:g}",
    ),
    Prediction(
        "04-lora",
        "How many parameters does LoRA with rank 4 train in the upper part, compared with fine-tuning it (excluding "
        "the head)?",
        (
            Option(
                "just as many: both change every weight",
                {"share": Between(0.75)},
                "The two factors together are as large as the weight that they adapt.",
            ),
            Option(
                "about half as many",
                {"share": Between(0.25, 0.75)},
                "Two factors of rank four are not much smaller than these weights.",
            ),
            Option(
                "about a tenth",
                {"share": Between(0.05, 0.25)},
                "Two factors of rank four are much smaller than the weights, and they can be merged into the weights "
                "when training is over.",
            ),
            Option(
                "less than a twentieth",
                {"share": Between(high=0.05)},
                "The product of the two factors changes every weight, but the factors themselves are small. They can "
                "be merged into the weights when training is over.",
            ),
        ),
        measured="LoRA trains {lora:,} parameters and fine-tuning {everything:,}: {share:.1%}",
    ),
    Quiz(
        "04-recall-statistics",
        "Why does the recipe at the top keep BatchNorm in eval mode while everything else is fine-tuned?",
        (
            Answer(
                "Otherwise an optimiser would move its running mean",
                "Running statistics are buffers: no optimiser holds them.",
            ),
            Answer(
                "BatchNorm has no parameters to train", "It has two, a scale and a shift; BitFit trains the shifts."
            ),
            Answer(
                "Eval mode makes the gradients of its layer zero",
                "The mode switches statistics and dropout, not gradients.",
            ),
            Answer(
                "In train mode its running statistics follow the batches, and 25 drawings are too few to estimate them",
                "Forward passes in train mode update the buffers, whatever the optimiser does (chapter 02).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        "04-recall-head",
        "You replace the head after creating the optimiser. What happens in training?",
        (
            Answer(
                "Nothing special: the optimiser finds parameters by name",
                "It holds the tensors themselves, from the moment when it is created.",
            ),
            Answer(
                "An error: the shapes don't match",
                "The forward pass doesn't involve the optimiser, so no shapes clash.",
            ),
            Answer(
                "The new head keeps its random weights: the optimiser holds the old one",
                "The optimiser holds tensors, not names (chapter 03). Unfreezing has the same pitfall.",
                is_right=True,
            ),
            Answer("The backbone is reset as well", "Replacing one layer doesn't change any other layer."),
        ),
    ),
)
