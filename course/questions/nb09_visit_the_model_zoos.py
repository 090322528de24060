"""Chapter 09: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        id="09-sell-it",
        question="You are building an app to sell, and the model may take up 350 MiB. You choose the most accurate "
        "entry of torchvision that fits. Does its licence allow what you are about to do?",
        options=(
            Option(
                "yes: what `pip` installs may be used for anything",
                when={"commercial_use": "allowed"},
                because="These weights are under a permissive licence. Check it for the weights that you choose all "
                "the same: other entries of the same library have another one.",
            ),
            Option(
                "no: it forbids commercial use",
                when={"commercial_use": "forbidden"},
                because="NC in CC-BY-NC stands for non-commercial. Nothing in Python stops you from using these "
                "weights: you have to look up the licence yourself.",
            ),
            Option(
                "unclear: no licence is stated",
                when={"commercial_use": "not stated"},
                because="Without a stated licence you have no permission at all.",
            ),
        ),
        measured="the most accurate entry within 350 MiB is {name}, {accuracy:.1%}, under {licence}",
    ),
    Prediction(
        id="09-keras-freeze",
        question="In Keras you freeze a network with `base.trainable = False` and train for one step. Does BatchNorm's "
        "running mean change, as it does in a PyTorch model in train mode (chapter 02)?",
        options=(
            Option(
                "no: in Keras, a frozen BatchNorm layer also stops updating its statistics",
                when={"where": "no layer"},
                because="In Keras, `trainable = False` freezes BatchNorm in all three meanings of chapter 02. In "
                "PyTorch you ask for each of the three separately.",
            ),
            Option(
                "yes, in the last layer only",
                when={"where": "the last layer"},
                because="Only the BatchNorm layer next to the new head updated its statistics.",
            ),
            Option(
                "yes, in every layer",
                when={"where": "every layer"},
                because="`trainable = False` stopped the gradients and left the running statistics to be updated.",
            ),
        ),
        measured="{changed} of ResNet50's {layers} BatchNorm layers have another running mean after the step",
        otherwise="Either some of the layers changed, or TensorFlow is not installed here and nothing was measured.",
    ),
    Prediction(
        id="09-greedy",
        question="You let GPT-2 write twice from the same beginning, each time with another seed. When do the two "
        "texts differ?",
        options=(
            Option(
                "always",
                when={"greedy": Between(2), "sampled": Between(2)},
                because="Both ways of choosing the next token depended on the seed.",
            ),
            Option(
                "only with greedy choice",
                when={"greedy": Between(2), "sampled": Between(high=2)},
                because="Greedy choice depended on the seed here, and sampling did not.",
            ),
            Option(
                "only when tokens are sampled",
                when={"greedy": Between(high=2), "sampled": Between(2)},
                because="The model is a function from a text to a distribution over the next token. Greedy choice "
                "takes its maximum, which needs no random numbers; sampling draws from it.",
            ),
            Option(
                "never: a model is a function",
                when={"greedy": Between(high=2), "sampled": Between(high=2)},
                because="The distributions were so sharp that even sampling always drew the same tokens.",
            ),
        ),
        measured="greedy choice wrote {greedy} different text(s) with two seeds, sampling {sampled} with four seeds",
    ),
    Prediction(
        id="09-train-mode",
        question="You compare the exported file with `model`, but you forgot to call `model.eval()` after training. "
        "What do you find?",
        options=(
            Option("an error", when=None),
            Option(
                "differences about as large as the logits themselves",
                when={"difference": Between(1e-3), "relative": Between(0.2)},
                because="In train mode, BatchNorm normalises with the statistics of the current batch. The exported "
                "file uses the running statistics, as the model does in eval mode.",
            ),
            Option(
                "differences of about 0.0001, as from rounding",
                when={"difference": Between(1e-7, 1e-3)},
                because="The two modes compute the same up to rounding: this model has no layer that depends on the "
                "mode in a way that matters.",
            ),
            Option(
                "no differences: the weights are the same",
                when={"difference": Between(high=1e-7)},
                because="No layer of this model depends on the mode.",
            ),
        ),
        measured="the largest difference is {difference:.2g}, where the largest logit is {logit:.2g}",
        otherwise="The outputs differ by more than rounding explains, but by far less than the logits themselves.",
    ),
    Prediction(
        id="09-pickle",
        question="You load a stranger's `weights.pth` with `torch.load(path, weights_only=False)` and never use what "
        "it returns. Can this have done any harm?",
        options=(
            Option(
                "no: a file of weights is only data",
                when={"names_a_function": False, "ran": False},
                because="This file names no function that could be called.",
            ),
            Option(
                "only if the loaded object is used",
                when={"names_a_function": True, "ran": False},
                because="The file names a function, but reading it did not call that function.",
            ),
            Option(
                "yes: reading a pickle runs what its author wrote",
                when={"ran": True},
                because="A pickle is a program that rebuilds objects, and it may call any function. Use safetensors "
                "where you can, and `weights_only=True`, the default since torch 2.6, where you can't.",
            ),
        ),
        measured="a new folder after loading with `weights_only=True`: {ran_restricted}; with `weights_only=False`: "
        "{ran}",
    ),
    Prediction(
        id="09-flops",
        question="VGG-16 needs about four times as many operations per picture as ResNet-50. How many does "
        "MobileNet-V3-small need, compared with ResNet-50?",
        options=(
            Option(
                "more: it has more layers",
                when=Between(1.1),
                because="Its many thin layers add up to more operations.",
            ),
            Option(
                "about as many",
                when=Between(2 / 3, 1.1),
                because="Its layers are thinner, and there are more of them.",
            ),
            Option(
                "about a third",
                when=Between(0.05, 2 / 3),
                because="Its layers are thinner; most of what is left is in ordinary convolutions.",
            ),
            Option(
                "far fewer: under a twentieth",
                when=Between(high=0.05),
                because="Its convolutions are depthwise: each filter reads one channel instead of all of them. The "
                "time per picture shrinks less than the number of operations, because memory has to keep up.",
            ),
        ),
        measured="MobileNet-V3-small needs {value:.1%} of ResNet-50's operations",
    ),
    Quiz(
        id="09-recall-frozen",
        question="All parameters of a PyTorch backbone have `requires_grad = False`. What can still change its "
        "features during training?",
        options=(
            Answer(
                "BatchNorm's running statistics, in train mode",
                "Buffers are updated without any gradient (chapter 02). In Keras, `trainable = False` stops them too.",
                is_right=True,
            ),
            Answer(
                "The optimiser, because it holds the head's parameters",
                "It changes the parameters that it holds, and the head comes after the features.",
            ),
            Answer("Nothing", "Buffers aren't parameters, and `requires_grad` says nothing about them (chapter 02)."),
            Answer(
                "The learning rate",
                "It scales the steps of the parameters that learn. The backbone's don't.",
            ),
        ),
    ),
    Quiz(
        id="09-recall-interval",
        question="Two models reach 52 % and 55 % on 205 test pictures. Which one do you choose for its accuracy?",
        options=(
            Answer(
                "The second: it is better",
                "It is right on six pictures more. Another draw of test pictures could change more than that.",
            ),
            Answer(
                "Neither: the difference is within the interval, so size, speed and licence decide",
                "On 205 pictures, an accuracy near one half is known to about seven points (chapter 05).",
                is_right=True,
            ),
            Answer(
                "The first: it overfits less",
                "Test accuracy alone says nothing about overfitting: you would need the training accuracy too.",
            ),
            Answer("Whichever was published later", "The date of publication says nothing about accuracy."),
        ),
    ),
)
