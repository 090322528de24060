"""Chapter 01: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

AHEAD = Between(low=0.05)  # relative to the accuracy of a network trained from scratch
NOT_AHEAD = Between(high=0.05)

QUESTIONS = (
    Prediction(
        id="01-names",
        question="There are {objects} objects. A network that guesses has a loss of ln {objects} = {guessing}. What "
        "training loss does the small network reach after {steps} steps of 64 drawings?",
        options=(
            Option(
                "below 1: it recognises almost every object",
                Between(high=1),
                "With so many steps the network has seen every drawing many times, and three drawings per object can "
                "be learned by heart.",
            ),
            Option(
                "1 to 4.5",
                Between(1, 4.5),
                "The network no longer guesses, but it is far from recognising every object: a short training finds "
                "what many drawings have in common before it finds the details of each.",
            ),
            Option(
                "4.5 to 5.3",
                Between(4.5, 5.3),
                "The network has only just begun to learn: this number of steps is too small for so many objects.",
            ),
            Option(
                "5.3 or more: three drawings per object are too few",
                Between(low=5.3),
                "The network hardly does better than guessing: in this number of steps it has found nothing by which "
                "to tell the objects apart.",
            ),
        ),
        measured="the loss in the last epoch is {value:.1f}",
    ),
    Prediction(
        id="01-partners",
        question="The pretrained network gets a drawing of an unseen object and picks the most similar of all 205 "
        "drawings in another style. How often does that drawing show the same object? (Guessing is right once in 205.)",
        options=(
            Option(
                "in fewer than 2% of the cases: it has never seen these objects",
                {"trained": Between(high=0.02)},
                "What the network learned to compare in the training objects doesn't carry over to unseen ones.",
            ),
            Option(
                "in 2 to 10% of the cases",
                {"trained": Between(0.02, 0.10)},
                "Something carries over to unseen objects, but most of them are not told apart from similar ones.",
            ),
            Option(
                "in 10 to 60% of the cases",
                {"trained": Between(0.10, 0.60)},
                "The network has learned to compare drawings, not to recognise particular objects, so it also works "
                "on unseen ones. Where it is wrong, the two drawings often look alike.",
            ),
            Option(
                "in more than 60% of the cases",
                {"trained": Between(low=0.60)},
                "The network has learned to ignore the drawing style, and this carries over to unseen objects almost "
                "completely.",
            ),
        ),
        measured="the same object was found in {trained:.0%} of the cases, and in {untrained:.0%} by an untrained "
        "network",
    ),
    Prediction(
        id="01-collapse",
        question="You train with 1 - cosine of the partners as the only loss. What happens?",
        options=(
            Option(
                "The loss comes close to 0, and all pictures get almost the same embedding.",
                {"loss": Between(high=0.1), "spread": Between(high=0.2)},
                "One constant embedding for every picture is a perfect solution of this loss. The network finds it, "
                "and keeps no information about the picture.",
            ),
            Option(
                "The loss stays above 0.1: without the other pictures there is nothing to learn from.",
                {"loss": Between(low=0.1)},
                "In this number of steps the partners didn't come close to each other.",
            ),
            Option(
                "The loss comes close to 0, and the embeddings stay spread out: only the partners move together.",
                {"loss": Between(high=0.1), "spread": Between(low=0.5)},
                "Nothing in this loss keeps the embeddings of different pictures apart, but in this number of steps "
                "the network hasn't merged them.",
            ),
            Option(
                "The loss comes close to 0, and the embeddings are less spread out, but still differ clearly.",
                {"loss": Between(high=0.1), "spread": Between(0.2, 0.5)},
                "Nothing in this loss keeps the embeddings of different pictures apart, and the network has begun to "
                "merge them.",
            ),
        ),
        measured="with this loss, {loss:.3f} in the last step, the embeddings have a spread of {spread:.2f}; with the "
        "other pictures in the loss it is {contrasted:.2f}",
    ),
    Prediction(
        id="01-words",
        question="The network is never told that a fox is an animal and a tram isn't. After pretraining, how often is "
        "the nearest neighbour of a noun (by the cosine of their vectors) of the same kind? (Guessing is right about "
        "once in 4.)",
        options=(
            Option(
                "for more than 90% of the nouns",
                Between(low=0.9),
                "Words of one kind fit the same gaps. To fill these gaps well, the network gives such words similar "
                "vectors.",
            ),
            Option(
                "for 40 to 90% of the nouns",
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
        question="With few labels, 3 or 5 per class, are the two small networks that you pretrained ahead of the same "
        "network trained from scratch? And with 10 or 15 labels per class? (*Ahead* means at least 5% more right "
        "answers, on average.)",
        options=(
            Option(
                "ahead with few labels, and their lead is larger with more labels",
                {"few": AHEAD, "change": Between(low=0)},
                "More labels help to use what was pretrained: the frozen features contain more than a few labels can "
                "bring out.",
            ),
            Option(
                "ahead with few labels, but their lead is smaller or gone with more labels",
                {"few": AHEAD, "change": Between(high=0)},
                "The more labels there are, the more the network trained from scratch learns by itself of what "
                "pretraining had provided.",
            ),
            Option(
                "not ahead with few labels, but ahead with more labels",
                {"few": NOT_AHEAD, "many": AHEAD},
                "A few labels are not enough to find the useful directions among the pretrained features.",
            ),
            Option(
                "not ahead with either",
                {"few": NOT_AHEAD, "many": NOT_AHEAD},
                "What the pretraining tasks taught is of little use for these classes.",
            ),
        ),
        measured="compared with scratch, the pretrained networks give {few:+.0%} right answers with 3 or 5 labels per "
        "class, and {many:+.0%} with 10 or 15",
    ),
    Quiz(
        id="01-recall-words",
        question="You pretrain a network to name objects, then use it to classify them. What is it called when what "
        "was learned on one task is used for another?",
        options=(
            Answer("Model", "The model is the function f(x; θ) itself."),
            Answer("Pretraining", "Pretraining is only the first half: finding θ* on the earlier task."),
            Answer(
                "Fine-tuning",
                "Fine-tuning is one way to do it: θ is trained further on the new task. Freezing is another.",
            ),
            Answer(
                "Transfer learning",
                "It is the general term, whether the backbone is frozen or fine-tuned.",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="01-recall-history",
        question="Some histories call SVMs and decision trees early pretrained models. What is wrong with that?",
        options=(
            Answer(
                "They were fitted to each task from scratch; nothing learned was carried over to another task",
                "A model is pretrained if its training on one task is the starting point for another.",
                is_right=True,
            ),
            Answer(
                "They were invented after the first neural networks",
                "It doesn't matter which was invented first.",
            ),
            Answer(
                "They are too shallow to be any good",
                "On small tables they are often the best choice, and depth is not what makes a model pretrained.",
            ),
            Answer(
                "Nothing: they were trained before they were used",
                "Every model is trained before it is used. A pretrained model was trained before your task, and on "
                "a different one.",
            ),
        ),
    ),
)
