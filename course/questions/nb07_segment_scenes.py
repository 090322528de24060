"""Chapter 07: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "07-first-masks",
        "The trunk is frozen and was trained to classify photographs, not to locate objects. A small head is trained "
        "on fewer than a thousand scenes. What will its masks of unseen objects look like?",
        (
            Option(
                "cut out with scissors",
                {"placed": Between(0.9)},
                "The trunk's maps, with the head on top of them, are fine enough for exact outlines.",
            ),
            Option(
                "in the right places with soft outlines, but often of the wrong class",
                {"placed": Between(0.35, 0.9), "named": Between(high=0.75)},
                "The trunk's maps show where objects are, on a coarse grid. The classes are harder, probably because "
                "the few training objects don't cover everything that can be an animal or a plant.",
            ),
            Option(
                "in the right places with soft outlines, and nearly always of the right class",
                {"placed": Between(0.35, 0.9), "named": Between(0.75)},
                "The trunk's maps show, on a coarse grid, where objects are and what they are.",
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
        "A model predicts *background* at every pixel of every scene. What share of the pixels does it get right?",
        (
            Option(
                "almost none",
                Between(high=0.1),
                "Almost all pixels belong to objects, and pixel accuracy counts pixels.",
            ),
            Option(
                "about one in five",
                Between(0.1, 0.35),
                "Background covers about as many pixels as some of the other classes, and pixel accuracy counts "
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
        "07-ceiling",
        "Imagine a model that gives *every* cell of the grid its true class, one cell per 8 × 8 pixels. Its masks are "
        "enlarged to the size of the image. What is their mIoU?",
        (
            Option(
                "above 0.95: upsampling restores nearly everything",
                Between(0.95),
                "The objects are large compared with the cells, so few pixels lie near an outline.",
            ),
            Option(
                "between 0.85 and 0.95",
                Between(0.85, 0.95),
                "The outlines are lost within a cell, but most pixels lie inside an object or in the background.",
            ),
            Option(
                "between 0.7 and 0.85",
                Between(0.7, 0.85),
                "The objects are only a few cells wide, so a large share of their pixels lies near an outline, and "
                "thin parts fall between the middles of the cells.",
            ),
            Option(
                "below 0.7",
                Between(high=0.7),
                "The objects are hardly larger than the cells: most of their pixels lie near an outline.",
            ),
        ),
        "perfect labels at stride 8 reach an mIoU of {value:.2f}",
    ),
    Prediction(
        "07-border",
        "Compare the pixels at most two pixels away from a border between classes with all others. Where is the model "
        "wrong more often?",
        (
            Option(
                "near a border",
                {"ratio": Between(1.25)},
                "One reason is the grid of the head, which is coarser than the band. In photographs the labels are "
                "uncertain there as well.",
            ),
            Option(
                "about equally often everywhere",
                {"ratio": Between(0.8, 1.25)},
                "The wrong pixels belong to whole objects of the wrong class rather than to outlines.",
            ),
            Option(
                "far from borders",
                {"ratio": Between(high=0.8)},
                "The wrong pixels lie inside large objects of the wrong class, or in the background.",
            ),
        ),
        "the model is wrong at {near:.0%} of the pixels near a border, and at {far:.0%} of the others",
    ),
    Prediction(
        "07-between",
        "A mask holds the classes 0 and {last}. It is enlarged bilinearly, as images are, and the result is rounded to "
        "integers. Which classes does it hold?",
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
        "Compare the mean mIoU of a forest of pixels, a random trunk and a pretrained trunk. Each trunk is either "
        "frozen or tuned. What is the order?",
        (
            Option(
                "the forest is ahead of all networks",
                {"forest": Between(0)},
                "Colour and local contrast say more about these classes than the maps of any of these trunks.",
            ),
            Option(
                "tuning decides: both tuned models are ahead of both frozen ones",
                {"forest": Between(high=0), "tuned_lead": Between(0)},
                "The upper layers could learn from these scenes what a random trunk lacks.",
            ),
            Option(
                "the start decides: both pretrained models are ahead of both random ones",
                {"forest": Between(high=0), "start_lead": Between(0)},
                "So few scenes are enough to learn to read maps that show objects; in these runs they were too few to "
                "learn such maps.",
            ),
            Option(
                "neither start nor tuning decides: the order is mixed",
                {"forest": Between(high=0), "tuned_lead": Between(high=0), "start_lead": Between(high=0)},
                "Neither the start nor tuning outweighs the other.",
            ),
        ),
        "mean mIoU over the stored seeds: {scores}",
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
        "The frozen trunk ran only once for each scene. What would have made that impossible?",
        (
            Answer("A trunk with BatchNorm", "In eval mode BatchNorm returns the same maps every time."),
            Answer(
                "A head with more layers",
                "The head reads the maps; how many layers it has makes no difference to them.",
            ),
            Answer(
                "Masks instead of labels", "Masks are stored with the maps, as labels were stored with the features."
            ),
            Answer(
                "Random crops in every epoch",
                "A different image has different maps, so they would have to be computed anew (chapter 02).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        "07-recall-batchnorm",
        "While the upper layers were tuned, their BatchNorm stayed in eval mode. Why?",
        (
            Answer(
                "Statistics of ten scenes per batch are noisy, and those from pretraining fit the pretrained weights",
                "In train mode the statistics follow each small batch, and the features drift (chapters 02 and 04).",
                is_right=True,
            ),
            Answer("BatchNorm cannot be trained", "It has a scale and a shift, which can be trained."),
            Answer(
                "Train mode would have made the loss nan",
                "Train mode alone does not; a batch that is all void can.",
            ),
            Answer(
                "The optimiser would have changed its running mean",
                "Running statistics are buffers: they are in no optimiser.",
            ),
        ),
    ),
)
