"""Chapter 05: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "05-six-files",
        "Six files: a grey picture, a CMYK picture, an animated GIF, a photo whose file says that it has to be "
        "rotated, a text file named `.jpg`, and a JPEG that was cut off. How many of them can be training pictures?",
        (
            Option(
                "2: a model needs RGB of one size",
                {"pictures": Between(2, 3)},
                "Only files that already have the model's format were accepted.",
            ),
            Option("3", {"pictures": Between(3, 4)}, "One kind of whole picture could not be decoded."),
            Option(
                "4: all that are whole pictures",
                {"pictures": Between(4, 5)},
                "Whatever can be decoded completely becomes an upright RGB picture. The other files are left out, *and "
                "you are told which*.",
            ),
            Option(
                "5: a cut-off JPEG still shows something",
                {"pictures": Between(5, 6)},
                "The missing part of the cut-off JPEG was filled in, and the result counts as a picture.",
            ),
            Option("all 6", {"pictures": Between(6)}, "Every file was accepted by its name."),
        ),
        measured="{pictures} of the files became training pictures, and {skipped} were left out",
        otherwise="Fewer files than any of the options says could be read.",
    ),
    Prediction(
        "05-small-validation",
        "You train on thirty of forty labelled pictures and measure the accuracy on the ten that you held out. How "
        "far is this estimate from the accuracy on many unseen pictures, on average over many such splits?",
        (
            Option(
                "less than 3 percentage points",
                {"single": Between(high=3)},
                "Ten pictures were enough here, which is rare: one picture alone is worth ten points.",
            ),
            Option(
                "3 to 7 points",
                {"single": Between(3, 7)},
                "One picture is worth ten points, so the estimate is coarse. Cross-validation uses all forty "
                "pictures for measuring.",
            ),
            Option(
                "more than 7 points",
                {"single": Between(7)},
                "Ten pictures are a small sample, and one of them is worth ten points. Cross-validation uses all "
                "forty for measuring.",
            ),
        ),
        measured="one split is off by {single:.1f} points on average, repeated cross-validation by {repeated:.1f}",
    ),
    Prediction(
        "05-second-step",
        "A head has learned from {pictures} training pictures, on the frozen backbone. What happens when the whole "
        "network is fine-tuned for a few more epochs, on augmented pictures?",
        (
            Option(
                "next to nothing: the training loss is as low as it gets",
                {"ratio": Between(0.9, 1.1), "change": Between(-15, 15)},
                "The head has already learned what these features can tell.",
            ),
            Option(
                "the training loss falls further, and the validation accuracy changes by less than 15 points",
                {"ratio": Between(high=0.9), "change": Between(-15, 15)},
                "The features adapt to the training pictures. How much of that carries over to unseen pictures is "
                "another question, and one validation set this small can't answer it: look at its interval.",
            ),
            Option(
                "the training loss rises, and the validation accuracy changes by less than 15 points",
                {"ratio": Between(1.1), "change": Between(-15, 15)},
                "Augmented pictures are harder than the plain ones on which the head alone could reach a loss near "
                "zero. A higher training loss is no bad sign by itself; it is the validation set that counts.",
            ),
            Option(
                "the validation accuracy rises by 15 points or more",
                {"change": Between(15)},
                "The features adapt to the task, and that carries over to unseen pictures.",
            ),
            Option(
                "the validation accuracy falls by 15 points or more",
                {"change": Between(high=-15)},
                "Training has distorted the pretrained features: lower the learning rate.",
            ),
        ),
        measured="the training loss went from {loss_before:.3f} to {loss_after:.3f}; the validation accuracy changed "
        "by {change:+.1f} points",
    ),
    Prediction(
        "05-confusions",
        "With {classes} classes there are {ways} possible confusions. How large is the share of the errors in the "
        "{top} most frequent ones, compared with errors that fall on any of the other classes at random?",
        (
            Option(
                "about as large: an error is an accident",
                {"share": Between(high=0.9), "ratio": Between(high=1.15)},
                "In this run, these cells hold hardly more than chance gives.",
            ),
            Option(
                "clearly larger, but many other confusions occur as well",
                {"share": Between(high=0.9), "ratio": Between(1.15)},
                "Errors have reasons: some classes look alike. The matrix shows which, and so where to look first.",
            ),
            Option(
                "almost all errors are there",
                {"share": Between(0.9)},
                "Hardly any other confusion occurs.",
            ),
        ),
        measured="the {top} most frequent confusions hold {share:.0%} of the errors; if errors fell at random they "
        "would hold {at_random:.0%}",
        otherwise="There was no error.",
    ),
    Prediction(
        "05-rare-classes",
        "Five of ten classes have three training pictures each, the others fifteen. The loss of each picture is "
        "weighted so that every class counts the same. What happens to the recall on unseen pictures?",
        (
            Option(
                "it rises for the rare classes, and the frequent ones pay for it",
                {"rare": Between(2), "frequent": Between(high=-2)},
                "The weights move the boundary between classes; they add no information. Whether the trade is worth it "
                "depends on what each kind of error costs you.",
            ),
            Option(
                "it rises for the rare classes, and the frequent ones stay within two points",
                {"rare": Between(2), "frequent": Between(-2)},
                "The rare classes gain more than the frequent ones lose.",
            ),
            Option(
                "it stays within two points for the rare classes: three pictures are three pictures",
                {"rare": Between(-2, 2)},
                "The weights changed little here.",
            ),
            Option(
                "it falls for the rare classes: the model overfits them",
                {"rare": Between(high=-2)},
                "Three heavy pictures are a poor description of a class.",
            ),
        ),
        measured="the recall changed by {rare:+.1f} points for the rare classes and by {frequent:+.1f} for the "
        "frequent ones",
    ),
    Prediction(
        "05-planted-labels",
        "25 of 250 labels are wrong, and you have time to check 25. In random order you would find two or three of "
        "the wrong ones. How many do you find if you check the labels that the model doubts most?",
        (
            Option(
                "five or fewer",
                Between(high=6),
                "The model is too often wrong itself for its doubt to say much.",
            ),
            Option(
                "six to thirteen",
                Between(6, 14),
                "Much better than chance, and far from complete: on hard pictures the model doubts right labels as "
                "well.",
            ),
            Option(
                "fourteen to twenty",
                Between(14, 21),
                "More than half of them, from a tenth of the labels. The other doubtful labels belong to pictures "
                "that the model finds hard.",
            ),
            Option(
                "nearly all of them",
                Between(21),
                "The classes are so easy that a wrong label stands out.",
            ),
        ),
        measured="{value} of the 25 wrong labels were among the 25 most doubtful",
    ),
    Prediction(
        "05-confident-errors",
        "Take the pictures that are predicted wrongly. To which class does the nearest other picture belong?",
        (
            Option(
                "more often to the true class: only the head is wrong",
                {"lead": Between(high=-0.05)},
                "The features place the picture near its own class, and the head draws the boundary elsewhere.",
            ),
            Option(
                "more often to the predicted class: the picture resembles those",
                {"lead": Between(0.05)},
                "The features themselves place the picture near the predicted class, and the head follows them.",
            ),
            Option(
                "to either of them about equally often",
                {"lead": Between(-0.05, 0.05)},
                "The nearest picture doesn't explain these errors.",
            ),
        ),
        measured="the nearest picture of an error belongs to the predicted class in {predicted:.0%} of the cases, to "
        "the true class in {true:.0%}",
        otherwise="There was no error.",
    ),
    Prediction(
        "05-all-right",
        "Suppose that a class has 22 of its 22 test pictures right. What do you know about its true accuracy, at a "
        "confidence of 95 %?",
        (
            Option("it is 100 %", {"low": Between(0.995)}, "There are enough pictures to rule out any lower accuracy."),
            Option(
                "it lies between about 95 % and 100 %",
                {"low": Between(0.9, 0.995)},
                "An accuracy that is much lower would almost certainly have produced an error.",
            ),
            Option(
                "it lies between about 85 % and 100 %",
                {"low": Between(0.75, 0.9)},
                "Even a class with a true accuracy of 90 % gets all 22 right about once in ten times: 22 pictures "
                "can't tell 90 % from 100 %.",
            ),
            Option(
                "next to nothing: 22 pictures are too few",
                {"low": Between(high=0.75)},
                "Even a class with many errors would often get all of them right.",
            ),
        ),
        measured="Wilson's interval for 22 of 22 goes from {low:.1%} to {high:.1%}",
    ),
    Prediction(
        "05-paired-test",
        "Both models predict the same {pictures} test pictures. On what share of them is exactly one of the two right?",
        (
            Option(
                "less than 5 %",
                {"apart": Between(high=0.05)},
                "The two models give nearly the same answers, so few pictures can tell them apart.",
            ),
            Option(
                "5 to 15 %",
                {"apart": Between(0.05, 0.15)},
                "Far more pictures change sides than the difference in accuracy suggests: gains and losses cancel. "
                "McNemar's test asks whether the gains clearly outnumber the losses.",
            ),
            Option(
                "more than 15 %",
                {"apart": Between(0.15)},
                "Far more pictures change sides than the difference in accuracy suggests: gains and losses cancel. "
                "McNemar's test asks whether the gains clearly outnumber the losses.",
            ),
        ),
        measured="exactly one model is right on {apart:.1%} of the pictures; the accuracies differ by {net:.1f} "
        "points, and McNemar's p is {p:.2g}",
    ),
    Quiz(
        "05-recall-head-first",
        "Why was the head trained before the last stages were unfrozen?",
        (
            Answer("The head needs a higher resolution", "It sees features, whatever the size of the picture."),
            Answer(
                "A random head would backpropagate noise into pretrained layers",
                "Head first, then everything (chapter 04).",
                is_right=True,
            ),
            Answer("An optimiser can hold one layer at a time", "It can hold as many as you give it."),
            Answer(
                "So that BatchNorm can collect statistics first",
                "BatchNorm stayed in eval mode throughout: its statistics are those of pretraining.",
            ),
        ),
    ),
    Quiz(
        "05-recall-logits",
        "The exported file returns logits. Where does the softmax belong?",
        (
            Answer(
                "After the model, where probabilities are shown; not before the cross-entropy in training",
                "Cross-entropy applies it itself, and a second one flattens the gradients (chapter 03).",
                is_right=True,
            ),
            Answer("In the model, before the cross-entropy", "Then it would be applied twice in training."),
            Answer("Nowhere: logits are probabilities", "They may be negative, and they don't sum to 1."),
            Answer("Before the head", "There it would squeeze the features, not the classes."),
        ),
    ),
)
