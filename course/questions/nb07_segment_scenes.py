"""Chapter 07: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "07-first-masks",
        "The trunk is frozen and was trained to classify photographs, not to locate objects. A head of three small "
        "layers is trained on a few hundred scenes at most. What will its masks of unseen scenes look like?",
        (
            Option(
                "cut out with scissors",
                {"placed": Between(0.9)},
                "The maps of the trunk and the head on top of them are fine enough for exact outlines.",
            ),
            Option(
                "in the right places with soft outlines, and often of the wrong class",
                {"placed": Between(0.35, 0.9), "named": Between(high=0.75)},
                "The maps of the trunk show where objects are, on a coarse grid. So few scenes are not enough to learn "
                "what all of them are.",
            ),
            Option(
                "in the right places with soft outlines, and nearly always of the right class",
                {"placed": Between(0.35, 0.9), "named": Between(0.75)},
                "The maps of the trunk show, on a coarse grid, where objects are and what they are.",
            ),
            Option(
                "blobs in random places, or nothing but background",
                {"placed": Between(high=0.35)},
                "So few scenes were not enough to learn where objects are.",
            ),
        ),
        "objects against background, the masks have an IoU of {placed:.2f}; of the object pixels that are found, "
        "{named:.0%} have the right class",
    ),
    Prediction(
        "07-nothing",
        "A model predicts *background* at every pixel of every scene. Which share of the pixels does it get right?",
        (
            Option(
                "nearly none",
                Between(high=0.1),
                "Nearly all pixels belong to objects, and pixel accuracy counts pixels.",
            ),
            Option(
                "about one in five",
                Between(0.1, 0.35),
                "Background has as large a share of the pixels as some of the other classes, and pixel accuracy counts "
                "pixels.",
            ),
            Option(
                "about half",
                Between(0.35, 0.65),
                "About half of all pixels are background, and pixel accuracy counts pixels.",
            ),
            Option(
                "more than two thirds",
                Between(0.65),
                "Most pixels are background, and pixel accuracy counts pixels.",
            ),
        ),
        "{value:.0%} of the pixels are right",
    ),
    Prediction(
        "07-border",
        "Compare the pixels that are at most two pixels away from a border between classes with all the others. Where "
        "is the model wrong more often?",
        (
            Option(
                "near a border",
                {"ratio": Between(1.25)},
                "At a border the prediction is least certain: the grid of the maps is coarse, and in photographs the "
                "labels are uncertain as well.",
            ),
            Option(
                "about equally often everywhere",
                {"ratio": Between(0.8, 1.25)},
                "The wrong pixels belong to whole objects of the wrong class rather than to outlines.",
            ),
            Option(
                "farther away from the borders",
                {"ratio": Between(high=0.8)},
                "The wrong pixels lie inside large objects of the wrong class, or in the background.",
            ),
        ),
        "the model is wrong at {near:.0%} of the pixels near a border, and at {far:.0%} of the others",
    ),
    Prediction(
        "07-between",
        "A mask holds the classes 0 and {last}. It is enlarged with bilinear interpolation, as images are, and "
        "rounded. Which classes does the result hold?",
        (
            Option(
                "only these two",
                {"between": Between(high=1)},
                "Rounding restored the two classes everywhere.",
            ),
            Option(
                "these two and some of those between them",
                {"between": Between(1), "missing": Between(1)},
                "Interpolation treats class numbers as quantities: along the border it returns numbers in between, "
                "which are other classes.",
            ),
            Option(
                "these two and all of those between them",
                {"between": Between(1), "missing": Between(high=1)},
                "Interpolation treats class numbers as quantities: along the border it passes through every number in "
                "between, and each of them is another class.",
            ),
            Option("none: an error is raised", None),
        ),
        "the classes {classes}",
    ),
    Prediction(
        "07-trunk",
        "There are four models: a pretrained and a random trunk, each of them frozen, and each with its upper layers "
        "tuned. How do their mIoU compare?",
        (
            Option(
                "tuning makes up for a random start: both tuned models are ahead of both frozen ones",
                {"spread": Between(0.05), "tuned_lead": Between(0)},
                "The upper layers could learn from these scenes what a random trunk lacks.",
            ),
            Option(
                "the start decides: both pretrained models are ahead of both random ones",
                {"spread": Between(0.05), "pretrained_lead": Between(0)},
                "So few scenes are enough to learn to read maps that show objects, and too few to learn such maps.",
            ),
            Option(
                "all four are close (within 0.05): the head does the work",
                {"spread": Between(high=0.05)},
                "The head learned the task on any of these maps.",
            ),
        ),
        "mIoU {scores}",
        otherwise="Neither the start nor the tuning alone decides the order here.",
    ),
    Prediction(
        "07-classifiers",
        "DeepLab and LR-ASPP are to distinguish your classes instead of 21. How many layers do you have to replace in "
        "each?",
        (
            Option("one in DeepLab and one in LR-ASPP", None),
            Option("one in DeepLab and two in LR-ASPP", None),
            Option(
                "two in DeepLab and two in LR-ASPP",
                {"deeplab": Between(2, 3), "lraspp": Between(2, 3)},
                "DeepLab has an auxiliary head for training, and LR-ASPP adds the logits of a fine and a coarse "
                "classifier.",
            ),
            Option("all layers of the head in both", None),
        ),
        "{deeplab} layers with 21 outputs in DeepLab, {lraspp} in LR-ASPP",
        otherwise="Your version of torchvision builds these models differently from the one used here.",
    ),
    Quiz(
        "07-recall-cache",
        "The frozen trunk ran once over the scenes. What would have made that impossible?",
        (
            Answer("A trunk with BatchNorm", "In eval mode BatchNorm returns the same maps every time."),
            Answer(
                "A head with three layers",
                "The head reads the maps; how many layers it has makes no difference to them.",
            ),
            Answer(
                "Masks instead of labels", "Masks are stored with the maps, as labels were stored with the features."
            ),
            Answer(
                "Crops and flips that change in every epoch",
                "Another image has other maps, so maps of images that vary cannot be computed once (chapter 02).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        "07-recall-batchnorm",
        "While the upper layers were tuned, their BatchNorm stayed in eval mode. Why?",
        (
            Answer(
                "Batches of ten scenes give poor statistics, and the maps of the lower layers were computed with the "
                "old ones",
                "In train mode the statistics follow each small batch, and the features drift (chapters 02 and 04).",
                is_right=True,
            ),
            Answer("BatchNorm cannot be trained", "It has a scale and a shift, which can be trained."),
            Answer(
                "Train mode would have made the loss nan",
                "Train mode alone does not; a batch that is nothing but void would.",
            ),
            Answer(
                "The optimiser would have changed its running mean",
                "Running statistics are buffers: they are in no optimiser.",
            ),
        ),
    ),
)
