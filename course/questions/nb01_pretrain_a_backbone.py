"""Chapter 01: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

AHEAD = Between(low=0.03)  # accuracy above that of a network trained from scratch
NOT_AHEAD = Between(high=0.03)

QUESTIONS = (
    Prediction(
        id="01-names",
        question="There are {objects} objects. A network that guesses has a loss of ln {objects} = {guessing}. What "
        "training loss does the small network reach after {steps} steps of 128 drawings?",
        options=(
            Option(
                "below 0.5: it recognises almost every drawing",
                Between(high=0.5),
                "Every drawing was seen many times, and three drawings per object can be memorised.",
            ),
            Option(
                "0.5 to 3",
                Between(0.5, 3),
                "The network has long stopped guessing and recognises most of its training drawings. It doesn't know "
                "them all yet; note that each one is changed before every step.",
            ),
            Option(
                "3 to 5",
                Between(3, 5),
                "The network has only just begun to learn: so few steps are not enough for so many objects.",
            ),
            Option(
                "5 or more: three drawings per object are too few",
                Between(low=5),
                "The network does hardly better than guessing. In these steps it has found nothing that tells the "
                "objects apart.",
            ),
        ),
        measured="the loss in the last epoch is {value:.1f}",
    ),
    Prediction(
        id="01-partners",
        question="Give the contrast network a drawing of a validation object, and let it pick the most similar of all "
        "{objects} drawings in another style. How often does that drawing show the same object? (Guessing is right "
        "once in {objects}.)",
        options=(
            Option(
                "for fewer than 10%: it has never seen these objects",
                {"trained": Between(high=0.10)},
                "What the network learned to compare on the training objects hardly carries over to unseen ones.",
            ),
            Option(
                "for 10% to 30%",
                {"trained": Between(0.10, 0.30)},
                "Something carries over to unseen objects, but most of them are confused with similar ones.",
            ),
            Option(
                "for 30% to 75%",
                {"trained": Between(0.30, 0.75)},
                "To compare two drawings, the network doesn't have to know the object, so this works on unseen objects "
                "as well. Even without training it works in part.",
            ),
            Option(
                "for more than 75%",
                {"trained": Between(low=0.75)},
                "The network has learned to ignore the style of a drawing, and this carries over to unseen objects "
                "almost completely.",
            ),
        ),
        measured="the contrast network finds the same object for {trained:.0%} of the drawings, an untrained network "
        "for {untrained:.0%}",
    ),
    Prediction(
        id="01-collapse",
        question="You train with 1 - cosine similarity of the partners as the only loss. What happens?",
        options=(
            Option(
                "The loss comes close to 0, and all drawings get almost the same embedding.",
                {"loss": Between(high=0.1), "spread": Between(high=0.2)},
                "One constant embedding for every drawing is a perfect solution of this loss. The network finds it and "
                "keeps no information about the drawing.",
            ),
            Option(
                "The loss stays above 0.1: without the other drawings there is nothing to learn from.",
                {"loss": Between(low=0.1)},
                "In this number of steps the partners did not come close to each other.",
            ),
            Option(
                "The loss comes close to 0, and the embeddings stay spread out: only the partners move together.",
                {"loss": Between(high=0.1), "spread": Between(low=0.5)},
                "Nothing in this loss keeps the embeddings of different drawings apart, but in this number of steps "
                "the network has not merged them.",
            ),
            Option(
                "The loss comes close to 0, and the embeddings are less spread out, but still differ clearly.",
                {"loss": Between(high=0.1), "spread": Between(0.2, 0.5)},
                "Nothing in this loss keeps the embeddings of different drawings apart, and the network has begun to "
                "merge them.",
            ),
        ),
        measured="with this loss, {loss:.3f} in the last step, the embeddings have a spread of {spread:.2f}; with the "
        "negatives in the loss it is {contrasted:.2f}",
    ),
    Prediction(
        id="01-words",
        question="Nobody tells the network that a fox is an animal and a tram is not. After pretraining, how often is "
        "the nearest neighbour of a noun, by the cosine of their vectors, of the same kind? (Guessing is right about "
        "once in 4.)",
        options=(
            Option(
                "for more than 90% of the nouns",
                Between(low=0.9),
                "Words of one kind fit the same gaps. To fill these gaps well, the network gives such words similar "
                "vectors.",
            ),
            Option(
                "for 40% to 90% of the nouns",
                Between(0.4, 0.9),
                "Words of one kind fit the same gaps, so their vectors become similar. For some nouns this training "
                "was too short.",
            ),
            Option(
                "for fewer than 40% of the nouns: it was never given the kinds",
                Between(high=0.4),
                "In this number of steps the vectors have hardly moved away from their random start.",
            ),
        ),
        measured="the nearest neighbour is of the same kind for {value:.0%} of the nouns",
    ),
    Prediction(
        id="01-labels",
        question="Test in the two styles that have no labels. Are the networks that you pretrained ahead of the same "
        "network trained from scratch, with 3 labels per class and with 15? (*Ahead* means by at least 0.03 in "
        "accuracy, on average over both and over ten seeds.)",
        options=(
            Option(
                "ahead with 3 labels, and by more with 15",
                {"few": AHEAD, "change": Between(low=0)},
                "More labels help to use what was pretrained: the frozen features contain more than three labels per "
                "class can bring out.",
            ),
            Option(
                "ahead with 3 labels, and by less with 15",
                {"few": AHEAD, "change": Between(high=0)},
                "With more labels, the network trained from scratch catches up: it learns more by itself of what "
                "pretraining had provided.",
            ),
            Option(
                "not ahead with 3 labels, but ahead with 15",
                {"few": NOT_AHEAD, "many": AHEAD},
                "Three labels per class are not enough to find the useful directions among the pretrained features.",
            ),
            Option(
                "ahead with neither",
                {"few": NOT_AHEAD, "many": NOT_AHEAD},
                "What the pretraining tasks taught is of little use for these classes.",
            ),
        ),
        measured="compared with scratch, the accuracy of the pretrained networks differs by {few:+.2f} with 3 labels "
        "per class and by {many:+.2f} with 15",
    ),
    Quiz(
        id="01-recall-words",
        question="You pretrain a network to recognise 200 objects, then use its features to sort drawings into ten "
        "classes. What is the general term for using on one task what was learned on another?",
        options=(
            Answer("Model", "The model is the function f(x; θ) itself."),
            Answer("Pretraining", "Pretraining is only the first half: finding good parameters on the earlier task."),
            Answer(
                "Fine-tuning",
                "Fine-tuning is one way to do it: the parameters are trained further on the new task. Freezing them is "
                "another.",
            ),
            Answer(
                "Transfer learning",
                "It is the general term, whether the backbone is frozen or fine-tuned.",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="01-recall-validation",
        question="You try five temperatures, keep the one with the highest accuracy on the test set, and report that "
        "accuracy. What is wrong?",
        options=(
            Answer(
                "The best of five results is partly luck, so it overstates how well the model will do on unseen data",
                "Choose on validation data, then use the test set once. Its result was then not selected for being "
                "high.",
                is_right=True,
            ),
            Answer(
                "Nothing: no drawing of the test set was used for training",
                "The test set was used to choose. A choice among several results favours those that were lucky.",
            ),
            Answer(
                "Five temperatures are too few to find the best one",
                "More of them would make it worse: the more results you choose from, the more luck the best one had.",
            ),
            Answer(
                "A temperature has to be chosen on the training set",
                "There, the setting that memorises best would win.",
            ),
        ),
    ),
)
