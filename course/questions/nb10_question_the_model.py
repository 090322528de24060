"""Chapter 10: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        id="10-stamp",
        question="Ten tools in the training set carry the stamp. How many *unstamped* tools will the classifier "
        "recognise, compared with stamped ones?",
        options=(
            Option(
                "fewer than half as many",
                when={"ratio": Between(high=0.5)},
                because="It learned what the *archive's* tools look like: the stamp is the easiest sign of a tool.",
            ),
            Option(
                "fewer, but at least half as many",
                when={"ratio": Between(0.5, 0.9)},
                because="It uses the stamp as well as the shapes of the tools.",
            ),
            Option(
                "about as many: it learned what tools look like",
                when={"ratio": Between(0.9)},
                because="The shapes of the tools were enough; the stamp added little.",
            ),
        ),
        measured="it recognises {stamped:.0%} of the tools with a stamp and {unstamped:.0%} of those without",
    ),
    Prediction(
        id="10-three-maps",
        question="Do the three methods agree that the stamp matters? A method agrees if its maps give the stamp "
        "clearly more weight than its share of the picture's area.",
        options=(
            Option(
                "all three do",
                when={"grad_cam": Between(1.2), "integrated": Between(1.2), "occlusion": Between(1.2)},
                because="Each of them asks in another way. Three methods that agree are better evidence than one "
                "convincing map.",
            ),
            Option(
                "only the two that use gradients",
                when={"grad_cam": Between(1.2), "integrated": Between(1.2), "occlusion": Between(high=1.2)},
                because="Covering the stamp changes the logit less than its gradient suggests.",
            ),
            Option(
                "only occlusion",
                when={"grad_cam": Between(high=1.2), "integrated": Between(high=1.2), "occlusion": Between(1.2)},
                because="The gradients are spread over the picture, and covering the stamp still lowers the logit "
                "most.",
            ),
            Option(
                "none of them does",
                when={"grad_cam": Between(high=1.2), "integrated": Between(high=1.2), "occlusion": Between(high=1.2)},
                because="By these maps, the rest of the picture matters as much as the stamp.",
            ),
        ),
        measured="relative to its area, the stamp gets {grad_cam:.1f} times its share from Grad-CAM, "
        "{integrated:.1f} times from integrated gradients, {occlusion:.1f} times from occlusion",
        otherwise="The methods contradict each other.",
    ),
    Prediction(
        id="10-attention",
        question="A sentence has about eleven words, and one of them makes it friendly or unfriendly. Where does most "
        "of the attention in the middle layers go?",
        options=(
            Option(
                "to [CLS], [SEP] and the punctuation marks",
                when={"most": "special tokens"},
                because="An attention head that finds nothing to do still has to distribute its attention, because "
                "each row sums to 1. It attends to tokens that carry little meaning.",
            ),
            Option(
                "to the other words, such as the nouns and the verb",
                when={"most": "other words"},
                because="There are more of them than of anything else.",
            ),
            Option(
                "to that word",
                when={"most": "the word that decides"},
                because="The encoder singles out the word that decides before any classifier asks for it.",
            ),
        ),
        measured="on average, special tokens and punctuation get {special:.0%} of the attention, the word that "
        "decides {deciding:.0%}, the other words {others:.0%}",
    ),
    Prediction(
        id="10-corruptions",
        question="At the highest severity a person still recognises most drawings. What about the tuned model? Count "
        "a loss of at least three points of accuracy.",
        options=(
            Option(
                "it recognises them too: the shapes are still there",
                when={"noise": Between(high=0.03), "blur": Between(high=0.03), "contrast": Between(high=0.03)},
                because="None of the three kinds of damage removes what the model relies on.",
            ),
            Option(
                "every kind of damage costs it accuracy",
                when={"noise": Between(0.03), "blur": Between(0.03), "contrast": Between(0.03)},
                because="The model has seen no damaged pictures in training. Don't rank the kinds: severity 5 of blur "
                "and severity 5 of noise have no common measure.",
            ),
            Option(
                "noise and blur do, low contrast doesn't: networks normalise it away",
                when={"noise": Between(0.03), "blur": Between(0.03), "contrast": Between(high=0.03)},
                because="Low contrast changes the scale of the features and keeps their pattern.",
            ),
        ),
        measured="at the highest severity, noise costs {noise:.0%} of the pictures, blur {blur:.0%}, low contrast "
        "{contrast:.0%}",
        otherwise="Some kinds of damage cost accuracy, and others don't.",
    ),
    Prediction(
        id="10-temperature",
        question="The tuned model has been trained on 100 pictures. How does its confidence on unseen objects compare "
        "with its accuracy there?",
        options=(
            Option(
                "too high: T will be above 1.1",
                when=Between(1.1),
                because="The training loss rewards confidence long after the predicted labels are right.",
            ),
            Option(
                "about right: T will be near 1",
                when=Between(0.9, 1.1),
                because="Training stopped before the model became more confident than it is accurate.",
            ),
            Option(
                "too low: T will be below 0.9",
                when=Between(high=0.9),
                because="Training stopped while the logits were still small.",
            ),
        ),
        measured="the temperature fitted on the validation pictures is {value:.2f}",
    ),
    Prediction(
        id="10-between",
        question="Halfway between the probe and the tuned model, every weight has a value that training never visited. "
        "How accurate is the model there, in the training style (home) and in other styles (away)?",
        options=(
            Option(
                "near guessing in both",
                when={"home": Between(high=0.2), "away": Between(high=0.2)},
                because="The two models lie in different basins of the loss, with a barrier between them.",
            ),
            Option(
                "between the two ends in both, or better",
                when={
                    "home": Between(0.2),
                    "away": Between(0.2),
                    "home_above_worse": Between(-0.03),
                    "away_above_worse": Between(-0.03),
                },
                because="Both models lie in one basin of the loss, because the training of one started from the other.",
            ),
            Option(
                "near guessing at home, fine away",
                when={"home": Between(high=0.2), "away": Between(0.2)},
                because="The mixture lost what belongs to the training style alone.",
            ),
        ),
        measured="halfway, the accuracy is {home:.2f} at home and {away:.2f} away; relative to the worse of the two "
        "ends this is {home_above_worse:+.2f} and {away_above_worse:+.2f}",
        otherwise="The accuracy halfway is clearly below both ends in at least one of the two.",
    ),
    Prediction(
        id="10-efficiency",
        question="Half of all weights are set to zero, the smallest ones. By how much does the file on disk shrink?",
        options=(
            Option(
                "by about half",
                when={"file": Between(0.4, 0.9)},
                because="The format leaves out most of the zeros.",
            ),
            Option(
                "not at all, unless it is compressed",
                when={"file": Between(0.9)},
                because="A zero is stored like any other number, and computed with like any other number. Only a "
                "compressed file makes use of the repetition.",
            ),
            Option(
                "by more than half",
                when={"file": Between(high=0.4)},
                because="The format leaves out the zeros and compresses the rest.",
            ),
        ),
        measured="the pruned model's file has {file:.0%} of the size of the full model's; with both compressed, "
        "{packed:.0%}",
    ),
    Quiz(
        id="10-recall-frozen",
        question="The trunk was frozen and its feature maps were computed once. What would have made the cached maps "
        "wrong?",
        options=(
            Answer(
                "Training the head in train mode",
                "The head is another module. Its mode changes nothing in the layers below it.",
            ),
            Answer(
                "Leaving `requires_grad` on",
                "This costs time and memory, but the values are the same.",
            ),
            Answer(
                "Computing them in batches of 50",
                "In eval mode, the maps of a picture don't depend on the other pictures of its batch.",
            ),
            Answer(
                "Computing them in train mode: BatchNorm would use the batch's statistics",
                "In train mode the features depend on the batch, and the running statistics drift (chapter 02).",
                is_right=True,
            ),
        ),
    ),
    Quiz(
        id="10-recall-interval",
        question="Two models classify 82 and 85 of 100 test pictures correctly. Which one is better?",
        options=(
            Answer("The second, by three points", "On another 100 pictures it may be the other way round."),
            Answer(
                "Neither: accuracies below 90 % mean nothing",
                "They mean what their interval says.",
            ),
            Answer(
                "These pictures can't tell: both intervals are more than ten points wide",
                "At 85 of 100, Wilson's interval ranges from about 77 % to 91 % (chapter 05). A paired comparison "
                "narrows it.",
                is_right=True,
            ),
            Answer("The first, if it is the smaller one", "Size is a separate question."),
        ),
    ),
)
