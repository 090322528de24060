"""Chapter 10: the questions."""

from __future__ import annotations

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        id="10-stamp",
        question="Now the classifier gets the same tools *without* the stamp. How many of them will it recognise, "
        "compared with the stamped ones?",
        options=(
            Option(
                "fewer than half as many",
                when={"ratio": Between(high=0.5)},
                because="It has learned what the *archive's* tools look like; the stamp is their simplest sign.",
            ),
            Option(
                "fewer, but at least half as many",
                when={"ratio": Between(0.5, 0.9)},
                because="It uses the shapes of the tools as well as the stamp.",
            ),
            Option(
                "about as many: it has learned what tools look like",
                when={"ratio": Between(0.9)},
                because="The shapes of the tools were enough; the stamp added little.",
            ),
        ),
        measured="it recognises {stamped:.0%} of the tools with a stamp and {unstamped:.0%} of those without",
    ),
    Prediction(
        id="10-three-maps",
        question="Do the three methods agree that the stamp matters? A method says so if its maps give the stamp "
        "clearly more weight than its share of the picture's area.",
        options=(
            Option(
                "all three do",
                when={"grad_cam": Between(1.2), "integrated": Between(1.2), "occlusion": Between(1.2)},
                because="Each asks in a different way, so their agreement is better evidence than one convincing map.",
            ),
            Option(
                "only the two that use gradients",
                when={"grad_cam": Between(1.2), "integrated": Between(1.2), "occlusion": Between(high=1.2)},
                because="Covering the stamp changes the logit less than its gradient suggests.",
            ),
            Option(
                "only occlusion",
                when={"grad_cam": Between(high=1.2), "integrated": Between(high=1.2), "occlusion": Between(1.2)},
                because="The gradients are spread over the picture, but covering the stamp lowers the logit most.",
            ),
            Option(
                "none of them does",
                when={"grad_cam": Between(high=1.2), "integrated": Between(high=1.2), "occlusion": Between(high=1.2)},
                because="By these maps, the rest of the picture matters as much as the stamp.",
            ),
        ),
        measured="the stamp's share of the map, divided by its share of the area: Grad-CAM {grad_cam:.1f}, integrated "
        "gradients {integrated:.1f}, occlusion {occlusion:.1f}",
        otherwise="The methods contradict each other.",
    ),
    Prediction(
        id="10-attention",
        question="A sentence has about eleven words, and one of them makes it positive or negative. Where does most of "
        "the attention in the middle layers go?",
        options=(
            Option(
                "to [CLS], [SEP] and the punctuation marks",
                when={"most": "special tokens"},
                because="A common explanation: each row must sum to 1, so an attention head with nothing to find "
                "still has to put its attention somewhere, and tokens that carry little meaning do no harm.",
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
        measured="on average, special tokens and punctuation get {special:.0%} of the attention, the word that decides "
        "{deciding:.0%}, the other words {others:.0%}",
    ),
    Prediction(
        id="10-corruptions",
        question="One model is fine-tuned on clean pictures, another on the same pictures with and without noise. "
        "Against which damage does the second one gain at least five points of accuracy at severity 5, on average over "
        "several seeds?",
        options=(
            Option(
                "against noise only",
                when={"noise": Between(0.05), "blur": Between(high=0.05), "contrast": Between(high=0.05)},
                because="Training with noise helps against *noise*. Whether it helps against other damage has to be "
                "tested for each kind.",
            ),
            Option(
                "against all three: it has learned to cope with damage",
                when={"noise": Between(0.05), "blur": Between(0.05), "contrast": Between(0.05)},
                because="Noise makes the model rely on coarse shapes, and these survive the other kinds of damage too.",
            ),
            Option(
                "against none: 150 pictures are too few",
                when={"noise": Between(high=0.05), "blur": Between(high=0.05), "contrast": Between(high=0.05)},
                because="The model can't learn what noise looks like from so few pictures.",
            ),
        ),
        measured="the mean gain in accuracy is {noise:+.2f} for noise, {blur:+.2f} for blur and {contrast:+.2f} "
        "for low contrast",
        otherwise="It gains against some kinds of damage, but not against exactly those of one answer.",
    ),
    Prediction(
        id="10-temperature",
        question="The model was fine-tuned on 150 pictures, all of which it now classifies correctly. How does its "
        "confidence on unseen objects compare with its accuracy there?",
        options=(
            Option(
                "too high: T will be above 1.1",
                when=Between(1.1),
                because="The training loss rewards more confidence long after the predicted classes are right.",
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
        id="10-shifted-calibration",
        question="The temperature was fitted on clean pictures. With it, how large is the calibration error on the "
        "strongest noise, compared with clean pictures? Count a difference of at least 0.03.",
        options=(
            Option(
                "about the same: the model is overconfident by the same factor everywhere",
                when={"left_over": Between(-0.03, 0.03)},
                because="The noise makes the logits smaller, and so the confidence falls along with the accuracy.",
            ),
            Option(
                "larger",
                when={"left_over": Between(0.03)},
                because="One factor fits one kind of data. Under strong noise the accuracy falls, and the confidence "
                "doesn't fall as much.",
            ),
            Option(
                "smaller",
                when={"left_over": Between(high=-0.03)},
                because="Under noise the logits shrink more than the accuracy falls.",
            ),
        ),
        measured="with the temperature, the calibration error is {clean:.2f} on clean pictures and {noisy:.2f} on the "
        "strongest noise",
    ),
    Prediction(
        id="10-between",
        question="Halfway between two models, every weight is the mean of two. How does the accuracy there, on Fluent "
        "and Noto together, compare with the mean accuracy of the two models? Count a difference of at least three "
        "points.",
        options=(
            Option(
                "one start: about as good or better; different starts: clearly worse",
                when={"shared": Between(-0.03), "separate": Between(high=-0.03)},
                because="The usual explanation: fine-tuning from one start keeps the hidden units of both models in "
                "step. With different starts, unit 7 of one model has nothing to do with unit 7 of the other.",
            ),
            Option(
                "clearly worse in both cases: the mean of two weights means nothing",
                when={"shared": Between(high=-0.03), "separate": Between(high=-0.03)},
                because="Even from one start, training leads the two models apart.",
            ),
            Option(
                "about as good or better in both cases",
                when={"shared": Between(-0.03), "separate": Between(-0.03)},
                because="Both models solve the same task, so the weights between them do too.",
            ),
        ),
        measured="halfway minus the mean of the two models: {shared:+.2f} from one start, {separate:+.2f} from "
        "different starts",
        otherwise="The model halfway is worse from one start, and not from different ones.",
    ),
    Prediction(
        id="10-efficiency",
        question="The smaller half of the weights is set to zero. What happens to the size of the file that "
        "`torch.save` writes?",
        options=(
            Option(
                "it shrinks by about half",
                when={"file": Between(0.4, 0.9)},
                because="The format leaves out most of the zeros.",
            ),
            Option(
                "it stays the same, unless you compress the file",
                when={"file": Between(0.9)},
                because="A zero is stored, and multiplied, like any other number. Only compression makes use of the "
                "repetition.",
            ),
            Option(
                "it shrinks by more than half",
                when={"file": Between(high=0.4)},
                because="The format leaves out the zeros and compresses the rest.",
            ),
        ),
        measured="the pruned model's file has {file:.0%} of the size of the full model's; with both compressed, "
        "{packed:.0%}",
    ),
    Quiz(
        id="10-recall-frozen",
        question="The lower part was frozen, and its feature maps were computed once. What would have made the stored "
        "maps wrong?",
        options=(
            Answer(
                "Training the upper part in train mode",
                "The upper part is another module. Its mode changes nothing in the layers below it.",
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
                "At 85 of 100, Wilson's interval ranges from about 77 % to 91 % (chapter 05). A paired test on the "
                "same pictures tells more.",
                is_right=True,
            ),
            Answer("The first, if it is the smaller one", "Size is a separate question."),
        ),
    ),
)
