"""Chapter 00: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

CHANGES, STAYS = Between(low=0.1), Between(high=0.1)  # percentage points between the batch sizes

QUESTIONS = (
    Prediction(
        id="00-names",
        question="The model was trained on photographs only. For how many of the 65 drawings is its first guess right? "
        "(Random guessing would be right once in 1,000.)",
        options=(
            Option(
                "fewer than 5%: it knows photographs, not drawings",
                Between(high=0.05),
                "Hardly anything that the model uses in photographs is left in a drawing: without texture and "
                "background, even a typical shape isn't recognised.",
            ),
            Option(
                "5 to 30%",
                Between(0.05, 0.30),
                "Simple tools keep their shape when they are drawn. Animals and vehicles lose the texture that the "
                "model relies on, and are taken for toys and gadgets.",
            ),
            Option(
                "30 to 70%",
                Between(0.30, 0.70),
                "Many objects keep a typical shape when they are drawn, and the model recognises it. Where it relies "
                "on texture, the drawing is given the name of another object.",
            ),
            Option(
                "more than 70%",
                Between(low=0.70),
                "Shape alone is enough to recognise most objects, so what the model learned from photographs carries "
                "over to drawings almost unchanged.",
            ),
        ),
        measured="the first guess is right for {value:.0%} of the drawings",
    ),
    Prediction(
        id="00-contract",
        question="The heads were trained on correctly preprocessed drawings. At test time there is a mistake in the "
        "preprocessing. Which mistake costs the most accuracy?",
        options=(
            Option(
                "none of them costs more than two percentage points: a drawing is a drawing",
                {"worst": "none"},
                "On these drawings the features hardly depend on the range of the values or the order of the colours.",
            ),
            Option(
                "values from 0 to 255 instead of -1 to 1",
                {"worst": "0 to 255"},
                "Such values are far outside the range that the weights were trained on, so the features no longer "
                "say much about the picture. The other mistakes stay within that range and only cost part of the "
                "accuracy. None of them raises an error.",
            ),
            Option(
                "red and blue swapped (BGR, the order in which OpenCV reads files)",
                {"worst": "BGR"},
                "Colour tells the classes apart, and swapping the channels changes every colour. None of the mistakes "
                "raises an error.",
            ),
            Option(
                "values from 0 to 1 instead of -1 to 1: the normalisation is missing",
                {"worst": "0 to 1, not normalised"},
                "Without the normalisation every picture looks bright and pale to the backbone, and its features "
                "change. None of the mistakes raises an error.",
            ),
        ),
        measured="accuracy {correct:.0%} with the right preprocessing, {unnormalised:.0%} with 0 to 1, "
        "{bgr:.0%} with BGR, {raw:.0%} with 0 to 255",
    ),
    Prediction(
        id="00-means",
        question="The same head is tested on the same 205 drawings in the same order; only the batch size changes. "
        "Compare two ways to compute the accuracy: the mean of the batches' accuracies, and right answers divided by "
        "drawings. Which of them depends on the batch size?",
        options=(
            Option(
                "neither: the drawings are the same",
                {"means": STAYS, "ratio": STAYS},
                "In this run every batch had the same weight in the mean, or the smaller last batch was as accurate "
                "as the others.",
            ),
            Option(
                "only right answers divided by drawings",
                {"means": STAYS, "ratio": CHANGES},
                "The number of right answers was not the same for every batch size, so the batches don't hold the "
                "same drawings.",
            ),
            Option(
                "only the mean of the batches' accuracies",
                {"means": CHANGES, "ratio": STAYS},
                "The last batch is often smaller than the others, but counts as much as a full one.",
            ),
            Option(
                "both",
                {"means": CHANGES, "ratio": CHANGES},
                "The number of right answers was not the same for every batch size, so the batches don't hold the "
                "same drawings.",
            ),
        ),
        measured="between the batch sizes, the mean of the batches' accuracies differs by up to {means:.1f} "
        "percentage points, right answers divided by drawings by up to {ratio:.1f}",
    ),
    Prediction(
        id="00-labels",
        question="You train one linear layer on 50 labelled drawings of ten classes. What accuracy does it reach on "
        "bare pixels? (You saw its accuracy on the backbone's features in the first row of the chart about "
        "preprocessing; random guessing gives 10%.)",
        options=(
            Option(
                "below 15%, close to guessing",
                {"pixels": Between(high=0.15)},
                "A linear layer on pixels cannot find an object that changes its position and shape. The backbone's "
                "features can be separated by such a layer.",
            ),
            Option(
                "15 to 25%",
                {"pixels": Between(0.15, 0.25)},
                "A linear layer on pixels can use colour, which helps with a few classes. It finds no shapes.",
            ),
            Option(
                "25 to 45%",
                {"pixels": Between(0.25, 0.45)},
                "Faces and hands are yellow, and a linear layer on pixels can use that. On the other classes colour "
                "says less.",
            ),
            Option(
                "45% or more",
                {"pixels": Between(low=0.45)},
                "In these drawings colour and position say a lot about the class, and a linear layer on pixels can "
                "use both.",
            ),
        ),
        measured="accuracy {pixels:.0%} on pixels, {features:.0%} on features",
    ),
    Quiz(
        id="00-recall-words",
        question="You leave the backbone unchanged and train a new last layer on its features. What is this called?",
        options=(
            Answer("Pretraining", "Pretraining took place before: it produced θ*."),
            Answer(
                "None of these: nothing of the old task is used",
                "The features come from the old task: they are computed with θ*.",
            ),
            Answer(
                "Transfer learning without fine-tuning the backbone",
                "What was learned on photographs is used on drawings, and θ* stays unchanged.",
                is_right=True,
            ),
            Answer(
                "Training from scratch",
                "Only the last layer starts at random. Training from scratch means that every layer does.",
            ),
        ),
    ),
    Quiz(
        id="00-recall-contract",
        question="You switch from one set of pretrained weights to another one of the same architecture. What do you "
        "have to look up?",
        options=(
            Answer(
                "Nothing: the architecture is the same",
                "The two sets of ResNet-50 weights resize pictures differently, and no error tells you.",
            ),
            Answer(
                "The preprocessing that the new weights were trained with",
                "Preprocessing belongs to the weights, and they come with it: `weights.transforms()`.",
                is_right=True,
            ),
            Answer("The number of layers", "That belongs to the architecture, which is the same."),
            Answer(
                "Whether they need `pretrained=True`",
                "That parameter has been removed: you pass the weights themselves.",
            ),
        ),
    ),
)
