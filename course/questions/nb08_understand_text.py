"""Chapter 08: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "08-topics",
        "The encoder stays frozen; a linear layer learns four topics from 160 sentences. How often is it right on test "
        "sentences whose nouns occur in none of them? Guessing gives 25 %.",
        (
            Option(
                "above 75 %",
                {"meaning": Between(0.75)},
                "The nouns are new to the linear layer but not to the encoder: pretraining placed their vectors near "
                "those of other words of the same topic.",
            ),
            Option(
                "between 40 % and 75 %",
                {"meaning": Between(0.4, 0.75)},
                "The encoder knows some of the nouns that are new to the linear layer well enough to place them near "
                "others of the same topic.",
            ),
            Option(
                "below 40 %: these words were never seen in training",
                {"meaning": Between(high=0.4)},
                "What the encoder knows about the new nouns did not help a linear layer that had not seen them.",
            ),
        ),
        "{meaning:.0%} of the test sentences get the right topic; with a bag of words it is {words:.0%}",
    ),
    Prediction(
        "08-tokens",
        "How many tokens does the encoder read for the text `unbelievably tasty 🍜`, with everything that the "
        "tokenizer adds?",
        (
            Option(
                "at most 4: one for each word, and one for the emoji",
                Between(high=5),
                "All of the words are in the vocabulary, and next to nothing is added.",
            ),
            Option(
                "5 or 6: these, and two special tokens",
                Between(5, 7),
                "The words are in the vocabulary, and `[CLS]` and `[SEP]` are added.",
            ),
            Option(
                "between 7 and 15",
                Between(7, 16),
                "A rare word is split into several subwords, and `[CLS]` and `[SEP]` are added to every text.",
            ),
            Option(
                "16 or more: about one per letter",
                Between(16),
                "The words fall apart into single letters, or nearly so.",
            ),
        ),
        "{value} tokens",
    ),
    Prediction(
        "08-padding",
        "A sentence is alone in a batch, and then beside a longer and longer text. You average over all positions, "
        "`hidden.mean(1)`. What happens to the sentence's vector?",
        (
            Option(
                "nothing: padding counts as zero",
                {"far": Between(high=0.001)},
                "The vectors of the padding did not change the mean.",
            ),
            Option(
                "it changes, but no further with a longer text",
                {"far": Between(0.001), "growth": Between(high=1.1)},
                "The padding has vectors as well, and they are part of the mean; more of them made little difference.",
            ),
            Option(
                "it changes, and further with a longer text",
                {"far": Between(0.001), "growth": Between(1.1)},
                "The padding has vectors as well, and the more of them there are, the more they outweigh the sentence "
                "in the mean. The label of a text would depend on the other texts in its batch.",
            ),
        ),
        "relative to its norm, the vector changes by {near:.0%} beside a text of {short} words, and by {far:.0%} "
        "beside one of {long} words",
    ),
    Prediction(
        "08-six-ways",
        "Six ways: a bag of words, a recurrent network from scratch, a frozen encoder with the first token or the "
        "mean, LoRA, and fine-tuning everything. All learn from the same sentences. Which of them get more than 70 % "
        "of the test sentences right?",
        (
            Option(
                "all of them",
                {"scratch": Between(2), "frozen": Between(2), "changed": Between(2)},
                "With this many sentences even a model that starts from nothing sees most of the words that matter.",
            ),
            Option(
                "the four with the encoder",
                {"scratch": Between(high=1), "frozen": Between(2), "changed": Between(2)},
                "The pretrained encoder knows the words of the test sentences; the two ways that start from nothing "
                "only know those of the training sentences.",
            ),
            Option(
                "only the two that change the encoder",
                {"scratch": Between(high=1), "frozen": Between(high=1), "changed": Between(2)},
                "Frozen vectors keep too little of a *not* for a linear layer, and the two ways that start from "
                "nothing do not know the words of the test sentences.",
            ),
            Option(
                "none of them",
                {"scratch": Between(high=1), "frozen": Between(high=1), "changed": Between(high=1)},
                "None of the ways learned enough from these sentences.",
            ),
        ),
        "above 70 %: {above}",
        otherwise="Here the line of 70 % separates the ways differently than any option says: see the upright marks.",
    ),
    Prediction(
        "08-pieces",
        "`Siobhán` is split into several tokens, but it has one tag. Which of its tokens get that tag as their label "
        "in the loss?",
        (
            Option(
                "all of its tokens",
                {"first": True, "last": True},
                "Every token asks for the tag, so a word counts as often as it has subwords.",
            ),
            Option(
                "only the first",
                {"first": True, "last": False},
                "This way each word counts once, however many subwords it has. All other tokens are labelled −100, "
                "which the loss ignores.",
            ),
            Option(
                "only the last",
                {"first": False, "last": True},
                "This way each word counts once, however many subwords it has.",
            ),
            Option(
                "none: such words are left out",
                {"first": False, "last": False},
                "The loss ignores all tokens of a word that is split.",
            ),
        ),
        "the labels of its tokens are {labels}",
    ),
    Prediction(
        "08-names",
        "How many of the names in the test sentences does the fine-tuned tagger get exactly right? (In the quick "
        "profile none of their words occurs in a training sentence.)",
        (
            Option(
                "more than one in three",
                {"recall": Between(1 / 3)},
                "The words around a name say much about what it is. No list of names knows that.",
            ),
            Option(
                "between one in twenty and one in three",
                {"recall": Between(0.05, 1 / 3)},
                "The words around a name say something about what it is, but the tagger rarely got the start, the end "
                "and the kind right at once.",
            ),
            Option(
                "nearly none: names have to be known",
                {"recall": Between(high=0.05)},
                "The tagger learned the names of the training sentences, or less.",
            ),
        ),
        "the tagger finds {recall:.0%} of the names with the right start, end and kind; the list finds {listed:.0%}",
    ),
    Quiz(
        "08-recall-lora",
        "What does a layer with LoRA compute before its first training step?",
        (
            Answer("Zero, because both factors are zero", "If both were zero, neither would ever get a gradient."),
            Answer(
                "Noise, because both factors are random", "Then pretraining would be disturbed from the first step on."
            ),
            Answer(
                "Exactly what the frozen layer computes: one of the two factors is zero",
                "B = 0, so B A x adds nothing, and B gets a gradient through A (chapter 04).",
                is_right=True,
            ),
            Answer(
                "The frozen layer's output times alpha / r",
                "Only the update is scaled; the output of the frozen layer is not.",
            ),
        ),
    ),
    Quiz(
        "08-recall-features",
        "You compute sentence features once, and train a head on them for 100 epochs. When would that be wrong?",
        (
            Answer(
                "When the encoder was in eval mode while it computed them",
                "Eval mode is right: with dropout the features would be noisy.",
            ),
            Answer("When the texts have different lengths", "Padding and its mask take care of that, text by text."),
            Answer("When the head has more than two classes", "The features do not depend on the head."),
            Answer(
                "When the encoder is fine-tuned as well: its features change with every step",
                "Only the output of what stays frozen can be computed once (chapter 02).",
                is_right=True,
            ),
        ),
    ),
)
