"""Chapter 06: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "06-first-detector",
        "The trunk stays frozen. The layers on top of it start from random weights and are trained on a few hundred "
        "scenes. Then the detector is shown scenes of unseen objects. What will it do?",
        (
            Option(
                "find at least half of the objects, and name them far more often than by guessing",
                {"found": Between(0.5), "lift": Between(1.5)},
                "The maps of the pretrained trunk show where an object is and much of what it is; the new layers only "
                "have to learn to read them.",
            ),
            Option(
                "find at least half of the objects, but name them hardly more often than by guessing",
                {"found": Between(0.5), "lift": Between(high=1.5)},
                "A few hundred scenes were enough to learn where objects are, but not what they are.",
            ),
            Option(
                "miss most of the objects: boxes need far more training images",
                {"found": Between(high=0.5)},
                "A few hundred scenes were too few to learn to place boxes.",
            ),
        ),
        "{found:.0%} of the objects have a box drawn on them; {named:.0%} of these have the right class, where "
        "guessing gives {chance:.0%}",
    ),
    Prediction(
        "06-half-moved",
        "A square is moved to the right by half its side. What is its IoU with the square where it was?",
        (
            Option("1/2", None),
            Option(
                "1/3",
                Between(0.33, 0.34),
                "Half a square is shared, and one and a half squares are covered. IoU is stricter than it looks.",
            ),
            Option("1/4", None),
            Option("2/3", None),
        ),
        "IoU {value:.3f}",
    ),
    Prediction(
        "06-anchors",
        "Anchors are the same few boxes at every cell of the map (in the quick profile three at each of 16 × 16 cells, "
        "768 in all). For which share of the objects is one of them already nearly right, with an IoU of at least a "
        "half?",
        (
            Option(
                "more than three quarters",
                Between(0.75),
                "The anchors are so dense, and come in so many sizes, that most objects have one that nearly fits. The "
                "head has to name a box and to correct it; it does not have to invent it.",
            ),
            Option(
                "between a quarter and three quarters",
                Between(0.25, 0.75),
                "Many objects fall between the positions, the sizes or the shapes of the anchors: there the head has "
                "to correct a box by a large amount.",
            ),
            Option(
                "less than a quarter",
                Between(high=0.25),
                "Most objects fall between the positions, the sizes or the shapes of the anchors: the head has to "
                "correct nearly every box by a large amount.",
            ),
        ),
        "{value:.0%} of the objects have an anchor with an IoU of at least 0.5",
    ),
    Prediction(
        "06-random-trunk",
        "How high is the AP50 of the detector on the random trunk, compared with that on the pretrained trunk?",
        (
            Option(
                "about as high: the layers on top learn the task",
                {"ratio": Between(0.85)},
                "Here the layers on top needed nothing that the trunk had learned before.",
            ),
            Option(
                "lower, but more than half as high",
                {"ratio": Between(0.5, 0.85)},
                "The layers on top made up for much of what a random trunk lacks, but not for all of it.",
            ),
            Option(
                "less than half as high",
                {"ratio": Between(high=0.5)},
                "The layers on top can use only what the maps of the trunk show, and the maps of a random trunk show "
                "little.",
            ),
        ),
        "AP50 is {random:.2f} on the random trunk and {pretrained:.2f} on the pretrained one: {ratio:.0%} of it",
    ),
    Prediction(
        "06-suppression",
        "How many boxes does the detector draw without suppression for each box that it draws with it?",
        (
            Option(
                "at least two",
                {"ratio": Between(2)},
                "Neighbouring proposals see the same object, and none of them knows of the others.",
            ),
            Option(
                "between 1.2 and two",
                {"ratio": Between(1.2, 2)},
                "Some objects are proposed more than once: neighbouring proposals do not know of each other.",
            ),
            Option(
                "about one: few objects are proposed twice",
                {"ratio": Between(high=1.2)},
                "The proposals of this detector hardly overlap, so suppression has little to do.",
            ),
        ),
        "{raw} boxes without suppression and {kept} with it, {ratio:.1f} for each one",
    ),
    Prediction(
        "06-lower-threshold",
        "Suppose a detector returns only boxes with a score of at least 0.3, 0.5 or 0.7. You now add all boxes with a "
        "lower score. What happens to its average precision?",
        (
            Option(
                "it falls: most of these boxes are wrong",
                {"highest": Between(high=0)},
                "The boxes that were added cost more precision than they gained recall.",
            ),
            Option(
                "it stays the same or rises",
                {"lowest": Between(0)},
                "Boxes at the end of the ranking can add recall, and they do not change the precision of the boxes "
                "before them.",
            ),
            Option(
                "it depends on the threshold: it falls for some and rises for others",
                {"lowest": Between(high=0), "highest": Between(0)},
                "The boxes that were added between some of the thresholds cost more precision than they gained recall.",
            ),
        ),
        "the change of average precision is {lowest:+.2f} to {highest:+.2f}, depending on the threshold",
    ),
    Quiz(
        "06-recall-modes",
        "`fit` puts a detector with a frozen trunk into train mode with `set_train`, not with `model.train()`. Why?",
        (
            Answer(
                "In train mode a detector returns no losses",
                "It is the other way round: it returns losses in train mode, and boxes in eval mode.",
            ),
            Answer(
                "`model.train()` sets `requires_grad` to True",
                "Modes and gradients are two independent switches; `train()` does not touch `requires_grad`.",
            ),
            Answer(
                "`model.train()` would put the frozen trunk into train mode as well: its BatchNorm statistics would "
                "change with every batch",
                "Frozen weights alone do not make a frozen layer (chapter 02).",
                is_right=True,
            ),
            Answer("`set_train` is faster", "It visits the same modules, and one more time."),
        ),
    ),
    Quiz(
        "06-recall-logits",
        "`cls_score` ends without a softmax. What turns its outputs into probabilities?",
        (
            Answer("Nothing: the scores are logits", "The scores that you drew above lay between 0 and 1."),
            Answer(
                "The loss does during training, and the detector itself when it returns scores",
                "Heads return logits (chapter 03); a second softmax would flatten the scores.",
                is_right=True,
            ),
            Answer(
                "The proposal network",
                "It computes a score of its own, *object or background*, before the head sees a proposal.",
            ),
            Answer(
                "You have to add `nn.Softmax` to the predictor",
                "Then cross-entropy would apply a second softmax, and training would be very slow.",
            ),
        ),
    ),
)
