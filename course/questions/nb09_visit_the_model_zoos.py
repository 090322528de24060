"""Chapter 09: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        id="09-sell-it",
        question="You want to sell an app, and its model may take up 350 MiB. You pick the most accurate entry of "
        "torchvision that fits. Does its licence allow you to sell the app?",
        options=(
            Option(
                "yes: whatever `pip` installs may be used for anything",
                when={"commercial_use": "allowed"},
                because="These weights are under a permissive licence. Check it every time: other entries of the same "
                "library have another one.",
            ),
            Option(
                "no: it forbids commercial use",
                when={"commercial_use": "forbidden"},
                because="NC in CC-BY-NC stands for non-commercial. Nothing in Python stops you from using these "
                "weights, so you have to look up the licence yourself.",
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
        question="In PyTorch, a frozen BatchNorm in train mode still updates its running statistics (chapter 02). In "
        "Keras, you freeze a network with `base.trainable = False` and train for one step. In which BatchNorm layers "
        "does the running mean change?",
        options=(
            Option(
                "in none: Keras's frozen BatchNorm keeps its statistics, too",
                when={"where": "no layer"},
                because="In Keras, `trainable = False` freezes a BatchNorm layer in all three meanings of chapter 02. "
                "In PyTorch you ask for each of them separately.",
            ),
            Option(
                "only in the last one, next to the new head",
                when={"where": "the last layer"},
                because="Only the BatchNorm layer next to the new head updated its statistics.",
            ),
            Option(
                "in all of them: the statistics aren't trained by gradients",
                when={"where": "every layer"},
                because="`trainable = False` stopped the gradients and left the running statistics to be updated.",
            ),
        ),
        measured="the running mean changed in {changed} of ResNet50's {layers} BatchNorm layers",
        otherwise="Either some of the layers changed, or TensorFlow is not installed here and nothing was measured.",
    ),
    Prediction(
        id="09-greedy",
        question="You let a GPT-2 continue the same text four times, each time with another random seed. Which way of "
        "decoding gives different continuations?",
        options=(
            Option(
                "both greedy decoding and sampling",
                when={"greedy": Between(2), "sampled": Between(2)},
                because="Both ways of choosing the next token depended on the seed.",
            ),
            Option(
                "only greedy decoding",
                when={"greedy": Between(2), "sampled": Between(high=2)},
                because="Greedy decoding depended on the seed here, and sampling did not.",
            ),
            Option(
                "only sampling",
                when={"greedy": Between(high=2), "sampled": Between(2)},
                because="The model maps a text to probabilities of the next token, without any randomness. Greedy "
                "decoding takes the largest of them; sampling draws from them, and the seed decides the draw.",
            ),
            Option(
                "neither: a model is a function",
                when={"greedy": Between(high=2), "sampled": Between(high=2)},
                because="The probabilities were so concentrated that sampling drew the same tokens every time.",
            ),
        ),
        measured="different continuations with four seeds: {greedy} by greedy decoding, {sampled} by sampling",
    ),
    Prediction(
        id="09-train-mode",
        question="You compare the exported file with `model`, but you have left `model` in train mode. How far apart "
        "are the logits?",
        options=(
            Option("you get an error, because the file has no train mode", when=None),
            Option(
                "by about as much as the logits themselves",
                when={"difference": Between(1e-3), "relative": Between(0.2)},
                because="In train mode, BatchNorm normalises with the statistics of the current batch. The exported "
                "file uses the running statistics, as the model does in eval mode.",
            ),
            Option(
                "by about 0.0001, which is rounding",
                when={"difference": Between(1e-7, 1e-3)},
                because="The two modes compute the same up to rounding: this model has no layer in which the mode "
                "makes a difference.",
            ),
            Option(
                "not at all: the weights are the same",
                when={"difference": Between(high=1e-7)},
                because="No layer of this model depends on the mode.",
            ),
        ),
        measured="the largest difference is {difference:.2g}, where the largest logit is {logit:.2g}",
        otherwise="The outputs differ by more than rounding explains, but by far less than the logits themselves.",
    ),
    Prediction(
        id="09-fragment",
        question="You give the model 64 bytes, about one line, from the middle of each text file. How many of the text "
        "files does it name?",
        options=(
            Option(
                "nearly all: a line of Python looks like Python",
                when={"piece": Between(0.85)},
                because="A single line was enough for nearly all of these files.",
            ),
            Option(
                "some: between a third and 85 %",
                when={"piece": Between(1 / 3, 0.85)},
                because="Some lines could only belong to one format. Others could be part of many: a sentence from a "
                "web page is only text. And the model was trained on the beginnings and ends of whole files.",
            ),
            Option(
                "few: under a third",
                when={"piece": Between(high=1 / 3)},
                because="Most of these pieces could belong to several formats.",
            ),
        ),
        measured="from 64 bytes it names {piece:.0%} of the text files, from whole files {whole:.0%}",
    ),
    Prediction(
        id="09-pickle",
        question="You load a stranger's `weights.pth` with `torch.load(path, weights_only=False)` and never use what "
        "it returns. Can this have done any harm?",
        options=(
            Option(
                "no: a weight file is only data",
                when={"names_a_function": False, "ran": False},
                because="This file names no function that could be called.",
            ),
            Option(
                "only if the loaded object is used",
                when={"names_a_function": True, "ran": False},
                because="The file names a function, but loading it did not call that function.",
            ),
            Option(
                "yes: loading a pickle runs what its author wrote",
                when={"ran": True},
                because="A pickle can call any function while it rebuilds objects. Use safetensors where you can, and "
                "`weights_only=True`, the default since torch 2.6, where you can't.",
            ),
        ),
        measured="the new folder is there after loading with `weights_only=True`: {ran_restricted}; with "
        "`weights_only=False`: {ran}",
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
                because="Its layers are thinner, but there are more of them.",
            ),
            Option(
                "about a third",
                when=Between(0.05, 2 / 3),
                because="Its layers are thinner; most of the remaining operations are in ordinary convolutions.",
            ),
            Option(
                "under a twentieth",
                when=Between(high=0.05),
                because="Nearly all of its spatial convolutions are depthwise: each filter reads one channel instead "
                "of all of them. The time per picture shrinks less; reading and writing memory is a likely reason.",
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
                "They are buffers, and buffers are updated without any gradient (chapter 02). In Keras, "
                "`trainable = False` stops them as well.",
                is_right=True,
            ),
            Answer(
                "The optimiser, because it holds the head's parameters",
                "It changes only the parameters that it holds, and the head comes after the features.",
            ),
            Answer("Nothing", "Buffers aren't parameters, so `requires_grad` says nothing about them (chapter 02)."),
            Answer(
                "The learning rate",
                "It scales the steps of the parameters that are trained. The backbone's are not.",
            ),
        ),
    ),
    Quiz(
        id="09-recall-interval",
        question="Two models get 52 % and 55 % of the same 205 test pictures right. How do you find out whether the "
        "second is better?",
        options=(
            Answer(
                "It is better: 55 is more than 52",
                "The second is right on six pictures more. Another draw of test pictures could change more than that.",
            ),
            Answer(
                "Look at the pictures on which only one of them is right",
                "A paired test such as McNemar's asks whether these disagreements are split unevenly (chapter 05). If "
                "the difference can't be told from zero, size, speed and licence decide.",
                is_right=True,
            ),
            Answer(
                "Check whether the two confidence intervals overlap",
                "The models saw the same pictures, so their errors go together. Two separate intervals ignore that and "
                "can overlap although the difference is clear (chapter 05).",
            ),
            Answer("Take the one that was published later", "The date of publication says nothing about accuracy."),
        ),
    ),
)
