"""Chapter 06: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "06-first-detector",
        "The trunk is frozen. The layers above it start from random weights and learn from {scenes} scenes. Then the "
        "detector gets scenes of unseen objects. What will it do?",
        (
            Option(
                "find at least half of the objects, and classify them far better than the most frequent class does",
                {"found": Between(0.5), "lift": Between(0.1)},
                "The pretrained maps show where an object is and much of what it is; the new layers only have to learn "
                "to read them.",
            ),
            Option(
                "find at least half of the objects, but classify them hardly better than the most frequent class does",
                {"found": Between(0.5), "lift": Between(high=0.1)},
                "A few hundred scenes were enough to learn where objects are, but not what they are.",
            ),
            Option(
                "miss most of the objects: boxes need far more training pictures",
                {"found": Between(high=0.5)},
                "A few hundred scenes were too few to learn to place boxes.",
            ),
        ),
        "{found:.0%} of the objects have a box; {classified:.0%} of these have the right class, where always answering "
        "the most frequent class gives {majority:.0%}",
    ),
    Prediction(
        "06-half-moved",
        "A square is moved to the right by half its side. What is its IoU with its old position?",
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
        "The anchors are the same few boxes at every cell of the map (in the quick profile three squares at each of 12 "
        "× 12 cells, 432 in all). For what share of the objects does at least one anchor have an IoU of at least a "
        "half?",
        (
            Option(
                "more than three quarters",
                Between(0.75),
                "The anchors are so dense that most objects have one that roughly fits. The network doesn't have to "
                "invent a box; it only has to choose and correct one.",
            ),
            Option(
                "between a quarter and three quarters",
                Between(0.25, 0.75),
                "Many objects fall between the positions, the sizes or the shapes of the anchors, and need large "
                "corrections.",
            ),
            Option(
                "less than a quarter",
                Between(high=0.25),
                "Most objects fall between the positions, the sizes or the shapes of the anchors, and need large "
                "corrections.",
            ),
        ),
        "{value:.0%} of the objects have an anchor with an IoU of at least 0.5",
    ),
    Prediction(
        "06-suppression",
        "The final suppression is switched off. How many boxes are drawn for each one that is drawn when it is on?",
        (
            Option(
                "at least two",
                {"ratio": Between(2)},
                "Several proposals lie on the same object, and none of them knows of the others.",
            ),
            Option(
                "between 1.2 and two",
                {"ratio": Between(1.2, 2)},
                "Some objects have several proposals, which don't know of each other.",
            ),
            Option(
                "about one: few objects are detected twice",
                {"ratio": Between(high=1.2)},
                "The proposals of this detector hardly overlap, so suppression has little to do.",
            ),
        ),
        "{raw} boxes without final suppression and {kept} with it: {ratio:.1f} for each one",
    ),
    Prediction(
        "06-lower-threshold",
        "Suppose a detector returns only boxes with a score of at least 0.3, 0.5 or 0.7. Now add all its boxes with "
        "lower scores. What happens to its average precision?",
        (
            Option(
                "it falls: most of these boxes are wrong",
                {"highest": Between(high=0)},
                "The added boxes cost more precision than they gained recall.",
            ),
            Option(
                "it stays the same or rises",
                {"lowest": Between(0)},
                "Boxes at the end of the ranking can add recall, and they can't change the precision of the boxes "
                "before them.",
            ),
            Option(
                "it falls for some of the thresholds and rises for others",
                {"lowest": Between(high=0), "highest": Between(0)},
                "Between some of the thresholds, the added boxes cost more precision than they gained recall.",
            ),
        ),
        "average precision changes by {lowest:+.2f} to {highest:+.2f}, depending on the threshold",
    ),
    Prediction(
        "06-random-trunk",
        "How high is the AP50 on a random trunk, compared with that on the pretrained trunk?",
        (
            Option(
                "about as high: the layers above it learn the task",
                {"ratio": Between(0.85)},
                "Here the new layers needed nothing that the trunk had learned before.",
            ),
            Option(
                "lower, but more than half as high",
                {"ratio": Between(0.5, 0.85)},
                "The new layers make up for much of what a random trunk lacks, but not for all of it.",
            ),
            Option(
                "less than half as high",
                {"ratio": Between(high=0.5)},
                "The new layers can only use what the maps show, and here those of a random trunk show too little to "
                "find most objects.",
            ),
        ),
        "mean AP50 is {random:.2f} on the random trunk and {pretrained:.2f} on the pretrained one, a ratio of "
        "{ratio:.0%}",
    ),
    Prediction(
        "06-generalise",
        "From training scenes to new scenes of the same objects, and from there to scenes of unseen objects: on which "
        "of these two steps does AP50 fall by 0.05 or more, on average over the seeds?",
        (
            Option(
                "on both",
                {"scenes": Between(0.05), "objects": Between(0.05)},
                "The detector partly knows its training scenes by heart, and objects that it was not trained on are "
                "harder still.",
            ),
            Option(
                "only on the first: what it has learned about objects carries over to unseen ones",
                {"scenes": Between(0.05), "objects": Between(high=0.05)},
                "The detector partly knows its training scenes by heart, but unseen objects are no harder than known "
                "ones.",
            ),
            Option(
                "only on the second: it recognises its own objects wherever they are",
                {"scenes": Between(high=0.05), "objects": Between(0.05)},
                "New scenes are no problem; what the detector lacks is a greater variety of objects to learn from.",
            ),
            Option(
                "on neither",
                {"scenes": Between(high=0.05), "objects": Between(high=0.05)},
                "The detector does about as well on unseen objects as on the scenes that it was trained on.",
            ),
        ),
        "mean AP50 falls by {scenes:.2f} from training scenes to new scenes, and by {objects:.2f} from known to unseen "
        "objects",
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
            Answer("`set_train` is faster", "It does all that `train()` does, and then visits every module again."),
        ),
    ),
    Quiz(
        "06-recall-logits",
        "`cls_score` ends without a softmax. What turns its outputs into probabilities?",
        (
            Answer("Nothing: the scores are logits", "The scores drawn above lie between 0 and 1."),
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
                "Then cross-entropy would apply a second softmax, which flattens what the loss sees.",
            ),
        ),
    ),
)
