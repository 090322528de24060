"""Chapter 03: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "03-old-head",
        "The old head has to choose one of its 1000 classes, 218 of them mammals, for a drawing that is {size} pixels "
        "wide. What will it call the drawings of mammals?",
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
                "The old head learned its rows from photographs and has to choose one of its names, even where none of "
                "them fits. The features do differ from drawing to drawing: the new head has something to work with.",
            ),
            Option(
                "the same class for nearly every drawing",
                {"commonest": Between(0.5)},
                "To the old head, all drawings look alike: they differ less from each other than from a photograph.",
            ),
        ),
        measured="the old head calls {mammals:.0%} of the {drawings} drawings of mammals a mammal; it uses {different} "
        "names for all test drawings, the most frequent one for {commonest:.0%} of them",
    ),
    Prediction(
        "03-names",
        "Nine well-known architectures of torchvision: {architectures}. How many of them call their head `fc`?",
        (
            Option("all nine", Between(9), "In torchvision, `fc` is then the name of every head."),
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
        "The optimiser is created first, then the head is replaced. What happens in training?",
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
        "A model is wrong: the wrong class is ahead by 10 logits. With a softmax too many, how large is the norm of "
        "the gradient, compared with the gradient on logits?",
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
                "is far ahead: the more the model is wrong, the less it learns from it.",
            ),
        ),
        measured="with a softmax too many, the norm of the gradient is {value:.4%} of the norm on logits",
    ),
    Prediction(
        "03-start",
        "A head learns from five drawings per class. Which one is the most accurate on unseen drawings after five "
        "epochs, and what becomes of its lead over a random start until epoch 40?",
        (
            Option(
                "a linear head that starts from copied rows; its lead shrinks",
                {"best": "copied rows", "shrinks": True},
                "The copied rows already know something about the classes. The longer the other heads train, the less "
                "the start matters.",
            ),
            Option(
                "a linear head that starts from copied rows; its lead stays or grows",
                {"best": "copied rows", "shrinks": False},
                "The copied rows already know something about the classes that these few drawings don't teach.",
            ),
            Option(
                "an MLP, because it can represent more functions",
                {"best": "MLP"},
                "The hidden layer pays off here, even with so few drawings.",
            ),
            Option(
                "a linear head that starts at random",
                {"best": "random"},
                "The old rows are no better a start than random ones for these classes.",
            ),
        ),
        measured="the best after five epochs: {best}, {lead_5:.1f} points ahead of the random start; after 40 epochs "
        "the difference is {lead_40:+.1f} points",
    ),
    Quiz(
        "03-recall-preprocessing",
        "Which preprocessing does a new picture need before it goes through a pretrained model?",
        (
            Answer(
                "The one that the weights were trained with",
                "The backbone learned from inputs on that scale, and it hasn't changed.",
                is_right=True,
            ),
            Answer(
                "The mean and standard deviation of your own pictures",
                "The first convolution doesn't know your pictures; it knows the scale of its own training data.",
            ),
            Answer(
                "None: the head is new, so it learns whatever comes",
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
            Answer("The weights, by momentum", "Only if an optimiser holds them and has moved them before."),
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
