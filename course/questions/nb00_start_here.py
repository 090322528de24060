"""Chapter 00: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

CHANGES, STAYS = Between(low=0.1), Between(high=0.1)  # percentage points between the batch sizes

QUESTIONS = (
    Prediction(
        id="00-names",
        question="The model was trained on photographs only. For how many of the 65 drawings is its most likely class "
        "the right one? (Random guessing would be right once in 1,000.)",
        options=(
            Option(
                "fewer than 5%: it knows photographs, not drawings",
                Between(high=0.05),
                "Hardly anything that the model uses in photographs is left in a drawing: without texture and "
                "background, it doesn't recognise even a typical shape.",
            ),
            Option(
                "5 to 30%",
                Between(0.05, 0.30),
                "Some simple tools keep their shape when they are drawn, and the model recognises them. Other drawings "
                "lose the texture of a photograph; some of these it takes for toys or gadgets.",
            ),
            Option(
                "30 to 70%",
                Between(0.30, 0.70),
                "Many objects keep a typical shape when they are drawn, and the model recognises it. Where it relies "
                "on texture, it predicts another object.",
            ),
            Option(
                "more than 70%",
                Between(low=0.70),
                "Shape alone is enough to recognise most objects, so what the model learned from photographs carries "
                "over to drawings almost unchanged.",
            ),
        ),
        measured="the most likely class is the right one for {value:.0%} of the drawings",
    ),
    Prediction(
        id="00-contract",
        question="The heads were trained on correctly prepared drawings. The validation drawings are prepared with one "
        "mistake. Which mistake costs the most accuracy?",
        options=(
            Option(
                "none of them costs more than two percentage points: a drawing is a drawing",
                {"worst": "none"},
                "On these drawings, the features hardly depend on the range of the values or the order of the "
                "channels.",
            ),
            Option(
                "values from 0 to 255 instead of -1 to 1",
                {"worst": "0 to 255"},
                "Such values are far outside the range that the weights were trained on, so the features say little "
                "about the image. The other mistakes stay closer to that range and cost part of the accuracy. None of "
                "them raises an error.",
            ),
            Option(
                "red and blue swapped (BGR, the order in which OpenCV reads files)",
                {"worst": "BGR instead of RGB"},
                "Colour helps to tell the classes apart, and swapping the channels changes most colours. None of the "
                "mistakes raises an error.",
            ),
            Option(
                "values from 0 to 1 instead of -1 to 1: the normalisation is missing",
                {"worst": "0 to 1, not normalised"},
                "Without the normalisation every image looks bright and pale to the backbone, and its features "
                "change. None of the mistakes raises an error.",
            ),
            Option(
                "the mean and standard deviation of ImageNet instead of 0.5",
                {"worst": "ImageNet's mean and std"},
                "With these values every image has twice the contrast that the weights saw, and its features change. "
                "None of the mistakes raises an error.",
            ),
        ),
        measured="accuracy {correct:.0%} as the weights expect, {unnormalised:.0%} with values from 0 to 1, {bgr:.0%} "
        "with BGR, {imagenet:.0%} with ImageNet's mean and standard deviation, {raw:.0%} with values from 0 to 255",
    ),
    Prediction(
        id="00-means",
        question="The same head is measured on the same 200 drawings in the same order; only the batch size changes. "
        "Compare two ways to compute the accuracy: the mean of the batch accuracies, and correct predictions divided "
        "by the number of drawings. Which of them depends on the batch size?",
        options=(
            Option(
                "neither: the drawings are the same",
                {"means": STAYS, "ratio": STAYS},
                "In this run every batch had the same weight in the mean, or the smaller last batch was as accurate "
                "as the others.",
            ),
            Option(
                "only correct predictions divided by drawings",
                {"means": STAYS, "ratio": CHANGES},
                "The number of correct predictions was not the same for every batch size, so the batches don't hold "
                "the same drawings.",
            ),
            Option(
                "only the mean of the batch accuracies",
                {"means": CHANGES, "ratio": STAYS},
                "The last batch is often smaller than the others, but counts as much as a full one.",
            ),
            Option(
                "both",
                {"means": CHANGES, "ratio": CHANGES},
                "The number of correct predictions was not the same for every batch size, so the batches don't hold "
                "the same drawings.",
            ),
        ),
        measured="between the batch sizes, the mean of the batch accuracies differs by up to {means:.1f} percentage "
        "points, correct predictions divided by drawings by up to {ratio:.1f}",
    ),
    Prediction(
        id="00-validation",
        question="Fifty variants are measured on 100 drawings, and the best one wins. How much higher is the winner's "
        "accuracy on these 100 drawings than on 100 fresh ones, on average?",
        options=(
            Option(
                "not at all: less than half a percentage point, or lower",
                Between(high=0.5),
                "In this run the winner was as good on fresh drawings as on those that chose it.",
            ),
            Option(
                "0.5 to 3 percentage points",
                Between(0.5, 3),
                "The winner was partly lucky with the drawings that chose it, but most of its lead is real.",
            ),
            Option(
                "3 to 15 percentage points",
                Between(3, 15),
                "On 100 drawings, luck alone moves an accuracy by several points, and the best of fifty is one of the "
                "luckiest.",
            ),
            Option(
                "more than 15 percentage points",
                Between(low=15),
                "The winner owes nearly all of its lead to the drawings that chose it.",
            ),
        ),
        measured="on average, the winner's accuracy is {value:.1f} percentage points higher on the drawings that "
        "chose it than on fresh ones",
    ),
    Prediction(
        id="00-labels",
        question="You train one linear head on 50 labelled drawings of ten classes. Which test accuracy does it reach "
        "on the bare 8 × 8 pixels? (Random guessing gives 10%.)",
        options=(
            Option(
                "below 15%, close to guessing",
                {"pixels": Between(high=0.15)},
                "A linear head on pixels can't find an object that changes its position and shape. The backbone's "
                "features can be separated by such a head.",
            ),
            Option(
                "15 to 25%",
                {"pixels": Between(0.15, 0.25)},
                "A linear head on pixels can use colour, which helps with a few classes. It finds no shapes.",
            ),
            Option(
                "25 to 45%",
                {"pixels": Between(0.25, 0.45)},
                "Most faces and hands are yellow, and a linear head on pixels can use colour. On the other classes, "
                "its accuracy is lower.",
            ),
            Option(
                "45% or more",
                {"pixels": Between(low=0.45)},
                "In these drawings, colour and position say a lot about the class, and a linear head on pixels can "
                "use both.",
            ),
        ),
        measured="test accuracy {pixels:.0%} on pixels, {untrained:.0%} on untrained features, {features:.0%} on "
        "pretrained features",
    ),
    Quiz(
        id="00-recall-words",
        question="You leave the backbone unchanged and train a new head on its features. What is this called?",
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
                "Only the head starts at random. Training from scratch means that every layer does.",
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
                "The two sets of ResNet-50 weights resize images differently, and no error tells you.",
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
    Quiz(
        id="00-recall-sets",
        question="You trained eight models, measured all of them on the test set and report the accuracy of the best "
        "one. What is wrong with that?",
        options=(
            Answer(
                "Nothing, as long as no test image was used for training",
                "No test image was used to fit parameters, but all of them were used to choose. That is enough to make "
                "the reported accuracy too high.",
            ),
            Answer(
                "The accuracy is too high on average, because the test images chose the winner",
                "The best of eight is partly the luckiest of eight. Choose on a validation set, then measure the "
                "winner once on the test set.",
                is_right=True,
            ),
            Answer(
                "The accuracy is too low, because the test set is smaller than the training set",
                "A small test set makes an accuracy less certain, in both directions. It doesn't make it lower.",
            ),
            Answer(
                "You should report the mean of the eight instead",
                "The mean describes eight models, seven of which you won't use. Report the test accuracy of the one "
                "that was chosen on other data.",
            ),
        ),
    ),
)
