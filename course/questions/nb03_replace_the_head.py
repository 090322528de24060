"""Chapter 03: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "03-old-head",
        "The old head has to choose one of its 1000 classes, 218 of them mammals, for a drawing that is {size} pixels "
        "wide. What does it predict for drawings of mammals?",
        (
            Option(
                "mostly mammals: `lion` for a lion",
                {"mammals": Between(0.5), "commonest": Between(high=0.5)},
                "The features carry over from photographs to drawings well enough for the old head to find the right "
                "kind of object.",
            ),
            Option(
                "mostly something else, and different objects for different drawings",
                {"mammals": Between(high=0.5), "commonest": Between(high=0.5)},
                "The old head learned its rows from photographs, and it has to choose one of its names even where none "
                "fits. But the features do differ from drawing to drawing, so a new head has something to work with.",
            ),
            Option(
                "the same class for nearly every drawing",
                {"commonest": Between(0.5)},
                "To the old head all drawings look alike: they differ less from each other than from a photograph.",
            ),
        ),
        measured="the old head predicts a mammal for {mammals:.0%} of the {drawings} drawings of mammals; it uses "
        "{different} class names for all validation drawings, the most frequent one for {commonest:.0%} of them",
    ),
    Prediction(
        "03-names",
        "Nine well-known architectures of torchvision: {architectures}. How many of them call their head `fc`?",
        (
            Option("all nine", Between(9), "In torchvision, every head is then called `fc`."),
            Option("four to eight", Between(4, 9), "`fc` is a common name, but not one to rely on."),
            Option("two or three", Between(2, 4), "`fc` is one name among several."),
            Option(
                "one",
                Between(1, 2),
                "Every family has its own name for the head. It isn't even always a `Linear`: SqueezeNet's is a "
                "1 × 1 convolution.",
            ),
            Option("none", Between(0, 1), "Every family has its own name for the head, and none of these is `fc`."),
        ),
        measured="heads called `fc`: {value} of nine",
    ),
    Prediction(
        "03-order",
        "The optimiser is created first, and then the head is replaced. What happens in training?",
        (
            Option("an error: the optimiser's tensors are gone", None),
            Option(
                "the new head learns as usual",
                {"share": Between(0.9)},
                "The optimiser found the parameters of the new head.",
            ),
            Option(
                "the new head learns, but more slowly",
                {"share": Between(0.001, 0.9)},
                "The optimiser moves only some of the parameters of the new head.",
            ),
            Option(
                "no error, and the loss stays where it started",
                {"share": Between(-0.001, 0.001)},
                "The optimiser still holds the parameters of the old head, which is no longer part of the model. "
                "The new head gets gradients, but nothing updates it.",
            ),
        ),
        measured="the loss fell by {fell:.2f} with the optimiser created before the swap, and by {fell_after:.2f} with "
        "the one created after it",
        otherwise="With the optimiser created before the swap, the loss rose.",
    ),
    Prediction(
        "03-softmax",
        "A model is wrong: the wrong class is ahead by 10 logits. The head ends in a softmax, and the loss applies a "
        "second one. How large is the norm of the gradient, compared with a head that ends in logits?",
        (
            Option("larger", Between(1.1), "The second softmax makes the gradient steeper."),
            Option("about the same", Between(0.9, 1.1), "The second softmax makes no difference to the gradient here."),
            Option(
                "smaller, by a factor of ten at most",
                Between(0.1, 0.9),
                "The gradient passes through the second softmax as well, which makes it smaller.",
            ),
            Option(
                "smaller, by a factor between ten and a thousand",
                Between(0.001, 0.1),
                "The gradient passes through the second softmax as well, which is nearly flat when a class is far "
                "ahead.",
            ),
            Option(
                "smaller, by a factor of more than a thousand",
                Between(high=0.001),
                "The gradient passes through the second softmax as well, which is almost perfectly flat when a class "
                "is far ahead: the more wrong the model is, the less it learns from it.",
            ),
        ),
        measured="with a softmax too many, the norm of the gradient is {value:.4%} of the norm on logits",
    ),
    Prediction(
        "03-style",
        "Can a linear head read from the same frozen features in which of {styles} styles an object was drawn? The "
        "objects in the validation set are unseen; guessing gets a third of them right.",
        (
            Option(
                "hardly: fewer than half are right",
                {"features": Between(high=0.5)},
                "What the backbone was trained to tell apart, classes of photographs, left little trace of the style.",
            ),
            Option(
                "to some degree: between 50 and 85 %",
                {"features": Between(0.5, 0.85)},
                "The backbone was never asked about styles, yet its features hold a good part of the answer, and more "
                "than small pictures of the same drawings do.",
            ),
            Option(
                "nearly perfectly: more than 85 %",
                {"features": Between(0.85)},
                "The backbone was never asked about styles, yet its features hold the answer almost completely.",
            ),
        ),
        measured="the style head on pretrained features gets {features:.0%} of the validation drawings right, the one "
        "on pixels {pixels:.0%}",
    ),
    Prediction(
        "03-start",
        "A linear head learns from one drawing per class. Rows copied from the old head give it a lead over a random "
        "start after the first step. What has become of that lead after 100 steps?",
        (
            Option(
                "it is as large as after the first step, or larger",
                {"ahead": True, "shrinks": False},
                "The copied rows seem to hold something about the classes that ten drawings don't teach, however long "
                "the head trains.",
            ),
            Option(
                "it is smaller, but the copied rows are still ahead",
                {"ahead": True, "shrinks": True},
                "The random start catches up, but not completely. A likely reason: many different heads fit ten "
                "drawings perfectly, and training stops at one near its start, so the copied rows remain a part of the "
                "solution.",
            ),
            Option(
                "it has turned: the random start is ahead",
                {"behind": True},
                "Perhaps the copied rows, learned from photographs, are in the way in the end.",
            ),
        ),
        measured="copied rows lead by {first:.1f} points after the first step and by {last:.1f} ± {half_width:.1f} "
        "after 100 steps",
        otherwise="After 100 steps the interval of the difference includes zero, so these runs don't show which start "
        "is better in the end.",
    ),
    Quiz(
        "03-recall-preprocessing",
        "Which preprocessing does a new image need before a pretrained model can use it?",
        (
            Answer(
                "The one that the weights were trained with",
                "The backbone learned from inputs on that scale, and it hasn't changed.",
                is_right=True,
            ),
            Answer(
                "The mean and standard deviation of your own images",
                "The first convolution doesn't know your images; it knows the scale of its own training data.",
            ),
            Answer(
                "None: the head is new and learns from any input",
                "The new head sees only the features, and these get worse with inputs on another scale.",
            ),
            Answer(
                "ImageNet's mean and standard deviation, for every model",
                "Many weights use it, but not all: those of this course use 0.5. Take the weights' own transform.",
            ),
        ),
    ),
    Quiz(
        "03-recall-buffers",
        "All parameters of a backbone have `requires_grad = False`. The training loop begins with `model.train()`. "
        "What still changes?",
        (
            Answer("The weights, by momentum", "Only if an optimiser holds them and moved them earlier."),
            Answer(
                "The running mean and variance of BatchNorm",
                "They are buffers, and each forward pass in train mode updates them.",
                is_right=True,
            ),
            Answer(
                "Nothing: frozen is frozen",
                "Frozen parameters don't make a frozen layer: whether buffers change depends on the mode.",
            ),
            Answer("The weights of dropout", "Dropout has no weights."),
        ),
    ),
)
