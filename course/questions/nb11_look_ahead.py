"""Chapter 11: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        id="11-rivals",
        question="Three linear models learn from 40 labelled sounds: one from the pixels of the spectrogram, one from "
        "the features of a random network, one from the features of a network that was pretrained on photographs. How "
        "do they compare on unseen sounds?",
        options=(
            Option(
                "photographs and random weights are alike and ahead of the pixels: any convolution will do",
                when={"over_random": Between(-0.05, 0.05), "over_pixels": Between(0.05)},
                because="The architecture alone helps here, and pretraining adds nothing that the test can show.",
            ),
            Option(
                "photographs are clearly ahead of pixels and of random weights",
                when={"over_random": Between(0.05), "over_pixels": Between(0.05)},
                because="Edges, stripes and textures are what the network learned to detect in photographs, and they "
                "mean something in a spectrogram too.",
            ),
            Option(
                "pixels are ahead of both networks: photographs aren't spectrograms",
                when={"over_pixels": Between(high=-0.05), "pixels_over_random": Between(0.05)},
                because="The features that help with photographs lose what distinguishes these sounds.",
            ),
            Option(
                "all three are alike: the spectrogram does the work",
                when={"over_random": Between(-0.05, 0.05), "over_pixels": Between(-0.05, 0.05)},
                because="Once a sound is drawn as a picture, this task is easy for a linear model.",
            ),
        ),
        measured="mean accuracy over five draws: photographs {photographs:.2f}, random network {random:.2f}, pixels "
        "{pixels:.2f}",
        otherwise="They come out in another order.",
    ),
    Prediction(
        id="11-structure",
        question="Two networks of about equal size learn from random weights, from the same 750 drawings, with the "
        "same number of steps. Which one is ahead on unseen objects? Count a lead of at least five points.",
        options=(
            Option(
                "the convolution leads",
                when={"lead": Between(0.05)},
                because="With few data, an assumption that is right is worth more than the freedom to learn it.",
            ),
            Option(
                "attention leads",
                when={"lead": Between(high=-0.05)},
                because="Seeing the whole picture in every block was worth more than assuming that neighbours belong "
                "together.",
            ),
            Option(
                "neither: they are less than five points apart",
                when={"lead": Between(-0.05, 0.05)},
                because="Attention learned from these drawings what the convolution assumes.",
            ),
        ),
        measured="mean accuracy over three seeds: convolution {convolution:.2f}, attention {attention:.2f}",
    ),
    Prediction(
        id="11-own-past",
        question="There are no labels and no negatives. The teacher is a slowly moving average of the student, and the "
        "student learns to predict the teacher's embeddings. What happens?",
        options=(
            Option(
                "collapse, as in chapter 01: both agree on one point",
                when={"spread": Between(high=0.3)},
                because="Mapping every picture to the same point minimises the loss, and nothing prevented it.",
            ),
            Option(
                "no collapse, but the features are no better than those of random weights",
                when={"spread": Between(0.3), "gain": Between(high=0.0)},
                because="The embeddings stay apart, by differences that don't help to tell the classes apart.",
            ),
            Option(
                "no collapse, and better features than those of random weights",
                when={"spread": Between(0.3), "gain": Between(0.0)},
                because="Not collapsing is not yet learning, but this encoder did learn: the teacher and the predictor "
                "keep the embeddings apart, and what two styles of one object share helps to tell the classes apart.",
            ),
            Option("the loss grows without end", when=None),
        ),
        measured="the spread of the embeddings is {spread:.2f} at the end (0 is a collapse, 1 a spread in all "
        "directions); the accuracy of a probe is {own_past:.2f}, and {untrained:.2f} with random weights",
    ),
    Prediction(
        id="11-student",
        question="A small network is trained from scratch, either on 40 labelled sounds or on a teacher's answers for "
        "240 sounds that nobody has labelled. Some of these answers are wrong. Which training set gives the better "
        "network?",
        options=(
            Option(
                "the 40 true labels",
                when={"lead": Between(high=-0.03)},
                because="The teacher's wrong answers cost more than the additional sounds gain.",
            ),
            Option(
                "they are alike, within three points",
                when={"lead": Between(-0.03, 0.03)},
                because="What the additional sounds gain, the teacher's wrong answers cost.",
            ),
            Option(
                "the teacher's answers, by three to ten points",
                when={"lead": Between(0.03, 0.1)},
                because="There are six times as many sounds, and some of the teacher's answers are wrong.",
            ),
            Option(
                "the teacher's answers, by more than ten points",
                when={"lead": Between(0.1)},
                because="There are six times as many sounds. Wrong answers are among them, but most are right, and "
                "nobody had to label them.",
            ),
        ),
        measured="mean accuracy over three seeds: {labels:.2f} from 40 labels, {answers:.2f} from the "
        "teacher's answers",
    ),
    Prediction(
        id="11-adapter",
        question="An adapter holds factors of rank 4 beside the layers of the backbone's last blocks, and a head for "
        "eight kinds of sounds. How large is its file, compared with the backbone's?",
        options=(
            Option(
                "about half as large",
                when=Between(0.25, 1),
                because="The factors have nearly as many parameters as the layers beside which they stand.",
            ),
            Option(
                "about a tenth",
                when=Between(0.025, 0.25),
                because="The factors are small, but there are many of them.",
            ),
            Option(
                "a fortieth or less",
                when=Between(high=0.025),
                because="All tasks share the backbone. What is special to one task fits into a few thin matrices.",
            ),
            Option(
                "larger: the factors are added to the backbone",
                when=Between(1),
                because="The file holds the backbone as well as the factors.",
            ),
        ),
        measured="the adapter's file has {value:.1%} of the size of the backbone's",
    ),
    Quiz(
        id="11-recall-pretrained",
        question="Which of these is a pretrained model, for a task with ten classes of emoji?",
        options=(
            Answer(
                "An SVM that was fitted to the pixels of the emoji yesterday",
                "It was trained before it is used, as every model is, but on this task alone (chapter 00).",
            ),
            Answer(
                "A ResNet with weights learned on ImageNet and a new head",
                "Weights from an earlier task are reused for another one (chapter 00).",
                is_right=True,
            ),
            Answer(
                "A large network with carefully initialised random weights",
                "A good initialisation is a good start, but nothing has been learned yet (chapter 00; chapter 01 "
                "measures the difference).",
            ),
            Answer(
                "A decision tree, because trees came first",
                "Nothing in a fitted tree can be reused for the next task. Chapter 00 tells the history.",
            ),
        ),
    ),
    Quiz(
        id="11-recall-without-labels",
        question="Does pretraining need an enormous labelled data set?",
        options=(
            Answer(
                "No: the task can be made from the data, by hiding words or by telling views apart",
                "Examples are masked words and contrastive learning (chapter 01), or a moving average of the student "
                "as its teacher (above).",
                is_right=True,
            ),
            Answer(
                "Yes: without labels there is no loss",
                "The data can provide the labels: a hidden word is one. Repeat chapter 01.",
            ),
            Answer(
                "No: the weights can be downloaded without pretraining",
                "Then somebody else has pretrained them (chapters 00 and 09).",
            ),
            Answer("Yes, except for text", "It works for pictures too, by contrastive learning (chapter 01)."),
        ),
    ),
    Quiz(
        id="11-recall-few-labels",
        question="Where is a pretrained start worth most?",
        options=(
            Answer(
                "With very many labels",
                "Then your own data teach most of what is needed: the curves of chapter 01 approach each other.",
            ),
            Answer("Equally with any number of labels", "Look at the curves of chapter 01 again."),
            Answer(
                "With few labels; the lead shrinks as there are more of them",
                "The curves of chapter 01 showed this, from 3 to 15 labels per class.",
                is_right=True,
            ),
            Answer(
                "Only if the pictures are photographs",
                "Drawings benefited in chapter 01, and sounds above.",
            ),
        ),
    ),
    Quiz(
        id="11-recall-cached",
        question="Why was training a head on the features of a frozen backbone so much faster than the usual loop, "
        "with the same accuracy?",
        options=(
            Answer("The pictures were smaller", "The pictures were the same."),
            Answer(
                "The backbone ran once per picture, not once per picture and epoch",
                "A frozen backbone gives the same features in every epoch, so they can be cached (chapter 02).",
                is_right=True,
            ),
            Answer("It used half precision", "Everything ran in float32."),
            Answer("The head had fewer classes", "The task was the same."),
        ),
    ),
    Quiz(
        id="11-recall-watermark",
        question="A heat map (Grad-CAM) shows that a model looks at a corner of the picture, where there is a "
        "watermark. What have you learned?",
        options=(
            Answer(
                "The model is right for the right reason",
                "The watermark is in this data set, not in the world: chapter 10 plants one and finds it.",
            ),
            Answer(
                "The map is broken: a model looks at objects",
                "A model uses whatever separates the classes, also in a corner (chapter 10).",
            ),
            Answer(
                "Nothing: such maps only show edges",
                "Some methods fail such a test, which is why you test them (chapter 10).",
            ),
            Answer(
                "Something about what its answer depends on; change the corner and see whether the answer changes",
                "A map gives you a hypothesis, and an intervention tests it (chapter 10).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="11-recall-elsewhere",
        question="A model is 92 % confident of each answer, and right about 70 % of the drawings in another style. "
        "What is this called, and how do you fix the confidence?",
        options=(
            Answer(
                "Poor calibration under a shift; a temperature, fitted on data like those that it will meet",
                "Confidence should match accuracy. A temperature that was fitted in distribution need not be right "
                "out of distribution (chapter 10).",
                is_right=True,
            ),
            Answer("Overfitting; more epochs", "More epochs make it even more confident (chapter 10)."),
            Answer(
                "A double softmax; remove one of them",
                "That would flatten the probabilities. It is another fault (chapter 03).",
            ),
            Answer(
                "Nothing is wrong: confidence and accuracy are unrelated",
                "They should agree: that is what calibration means (chapter 10).",
            ),
        ),
    ),
    Quiz(
        id="11-recall-frozen",
        question="`requires_grad` is False for every parameter of the backbone, and you call `model.train()`. What can "
        "still change in it?",
        options=(
            Answer("Nothing", "Its parameters stay as they are, but a backbone has buffers too (chapter 02)."),
            Answer(
                "The weights, a little, by weight decay",
                "Only if the optimiser holds them with a gradient from before they were frozen (chapter 04, freezing "
                "again).",
            ),
            Answer(
                "BatchNorm's running statistics",
                "They are buffers, and a forward pass in train mode updates them (chapter 02).",
                is_right=True,
            ),
            Answer("The weights of the old head", "The old head is gone (chapter 03)."),
        ),
    ),
    Quiz(
        id="11-recall-head",
        question="You replace the head after you have created the optimiser. What happens in training?",
        options=(
            Answer(
                "An error is raised in the first step",
                "There is no error, which makes this hard to find (chapter 03).",
            ),
            Answer(
                "Nothing special: the optimiser asks the model for its parameters",
                "It was given a list of parameters once, when it was created (chapter 03).",
            ),
            Answer("The old head is trained and copied to the new one", "Nothing is copied."),
            Answer(
                "The new head never changes, and nothing reports it",
                "The optimiser holds tensors, and those of the new head aren't among them (chapter 03).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="11-recall-rate",
        question="You fine-tune a whole network whose head has been trained first. What is the safest choice of the "
        "learning rate?",
        options=(
            Answer(
                "Small, and smaller towards the input",
                "The early layers hold general features, and small steps preserve them. In chapter 04, a single "
                "well-chosen rate could not be told apart from rates by depth; one too high ended at guessing.",
                is_right=True,
            ),
            Answer(
                "Larger near the input: those layers are furthest from the loss",
                "Those layers hold general features, which every task needs: they have the least to change.",
            ),
            Answer(
                "The same as from scratch, for all layers",
                "In chapter 04, a rate that suits a new head took the whole network down to guessing.",
            ),
            Answer("Zero for the head", "Then nothing learns your classes."),
        ),
    ),
    Quiz(
        id="11-recall-interval",
        question="Your classifier is right about all 20 pictures of a class. What do you report?",
        options=(
            Answer("100 %, exactly", "The symmetric interval says so, and it is wrong (chapter 05)."),
            Answer(
                "20 of 20; with 95 % confidence, the true accuracy lies between about 84 % and 100 %",
                "This is Wilson's interval (chapter 05).",
                is_right=True,
            ),
            Answer(
                "Nothing: 20 pictures are not a test",
                "They say something, and the interval says how much (chapter 05).",
            ),
            Answer("95 %, to be modest", "A number needs a reason, and chapter 05 gives one."),
        ),
    ),
    Quiz(
        id="11-recall-boxes",
        question="A detector finds every object, with three boxes on each. What do non-maximum suppression and average "
        "precision do about this?",
        options=(
            Answer(
                "Average precision removes boxes with a low score",
                "It ranks all boxes by their scores and removes none of them (chapter 06).",
            ),
            Answer(
                "Suppression averages the boxes; average precision ignores duplicates",
                "Suppression keeps one box and drops the rest (chapter 06).",
            ),
            Answer("Both count each object three times", "A true box is matched only once (chapter 06)."),
            Answer(
                "Suppression keeps the box with the highest score of those that overlap; without it, the two others "
                "count as false positives",
                "A true box is matched only once, so further boxes on it are wrong (chapter 06).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="11-recall-miou",
        question="A segmenter predicts background everywhere and gets 80 % of the pixels right. Why is its mIoU low?",
        options=(
            Answer("mIoU ignores the background", "Background is one of its classes."),
            Answer("mIoU is the percentage of pixels", "It is a mean over classes (chapter 07)."),
            Answer(
                "Every class has the same weight, and the other classes have an overlap of 0",
                "Pixel accuracy rewards the most frequent class, and mIoU doesn't (chapter 07).",
                is_right=True,
            ),
            Answer(
                "It isn't: 80 % right is 0.8",
                "Most pixels are background, and mIoU is a mean over classes (chapter 07).",
            ),
        ),
    ),
    Quiz(
        id="11-recall-pooling",
        question="The vector of a sentence changes with the other sentences of its batch. What is wrong?",
        options=(
            Answer(
                "The encoder must be in train mode",
                "Dropout would change the vector even if the sentence were alone (chapter 08).",
            ),
            Answer(
                "Padding is included in the mean, which should use the mask",
                "Pad tokens have vectors too, and their number depends on the longest sentence of the batch "
                "(chapter 08).",
                is_right=True,
            ),
            Answer("The tokenizer is random", "It gives the same tokens every time."),
            Answer(
                "Attention looks at other sentences of the batch",
                "It never does: it looks only at the tokens of its own sentence (chapter 08).",
            ),
        ),
    ),
    Quiz(
        id="11-recall-zoo",
        question="In a model zoo you find weights as a pickle that are half a point more accurate than those in "
        "safetensors. What do you look at before you load them?",
        options=(
            Answer(
                "Their origin, hash and licence; and since a pickle can run code, I would take the safetensors",
                "A pickle can run code when it is loaded; safetensors hold nothing but numbers (chapter 09).",
                is_right=True,
            ),
            Answer(
                "Only the accuracy",
                "Half a point is also less than most tests can resolve (chapters 05 and 09).",
            ),
            Answer("The size of the file", "Size matters for speed, not for safety (chapter 09)."),
            Answer("Whether they are newer", "A newer file may still be unsafe, or have no licence (chapter 09)."),
        ),
    ),
)
