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
                "Whatever can be decoded completely becomes an upright RGB picture. The other files are left out *and "
                "reported*.",
            ),
            Option(
                "5: a cut-off JPEG still shows something",
                {"pictures": Between(5, 6)},
                "What is missing from the cut-off JPEG was filled up, and the result counts as a picture.",
            ),
            Option("all 6", {"pictures": Between(6)}, "Every file was accepted by its name."),
        ),
        measured="{pictures} of the files became training pictures, and {skipped} were left out",
        otherwise="Fewer files than any of the options says could be read.",
    ),
    Prediction(
        "05-second-step",
        "A head has learned from {pictures} training pictures, on the frozen backbone. What changes when the last "
        "stages are trained as well?",
        (
            Option(
                "next to nothing: the training loss is as low as it gets",
                {"ratio": Between(0.9), "change": Between(-15, 15)},
                "The head has already learned what these features can tell, and the few steps hardly change them.",
            ),
            Option(
                "the training loss falls further; on unseen pictures, a few points either way",
                {"ratio": Between(high=0.9), "change": Between(-15, 15)},
                "The features now adapt to the training pictures too. How much of that carries over to unseen pictures "
                "of the same kind is another question; chapter 04 showed that full fine-tuning can pay off under a "
                "distribution shift.",
            ),
            Option(
                "accuracy on unseen pictures rises by 15 points or more",
                {"change": Between(15)},
                "The features adapt to the task, and that carries over to unseen pictures.",
            ),
            Option(
                "accuracy on unseen pictures falls by 15 points or more",
                {"change": Between(high=-15)},
                "Training has distorted the pretrained features.",
            ),
        ),
        measured="the training loss went from {loss_before:.3f} to {loss_after:.3f}; the accuracy on unseen pictures "
        "changed by {change:+.1f} points",
    ),
    Prediction(
        "05-confusions",
        "{classes} classes can be confused in {ways} ways. How large is the share of errors in the ten most frequent "
        "ways, compared with errors that fall on all ways at random?",
        (
            Option(
                "about as large: an error is an accident",
                {"share": Between(high=0.9), "ratio": Between(high=1.15)},
                "The matrix doesn't show a pattern beyond chance.",
            ),
            Option(
                "clearly larger, but other ways occur as well",
                {"share": Between(high=0.9), "ratio": Between(1.15)},
                "Errors have reasons: some classes look alike. The matrix shows which, and so where to look.",
            ),
            Option(
                "almost all errors are in these ten",
                {"share": Between(0.9)},
                "The predictor confuses a few pairs of classes, and hardly anything else.",
            ),
        ),
        measured="the ten most frequent ways hold {share:.0%} of the errors; of errors at random they would hold "
        "{at_random:.0%}",
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
        "05-confident-errors",
        "Take the test pictures that get a wrong class name. To which class does the nearest training picture belong?",
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
                "The nearest training picture doesn't explain these errors.",
            ),
        ),
        measured="the nearest training picture of an error belongs to the predicted class in {predicted:.0%} of the "
        "cases, to the true class in {true:.0%}",
        otherwise="There was no error.",
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
