"""Chapter 08: the questions."""

from course.questions.question import Answer, Between, Option, Prediction, Quiz

QUESTIONS = (
    Prediction(
        "08-topics",
        "The encoder stays frozen; a linear layer learns four topics from 160 sentences. How often is it right on test "
        "sentences whose nouns occur in none of them? Guessing would be right in 25 %.",
        (
            Option(
                "above 75 %",
                {"meaning": Between(0.75)},
                "The nouns are new to the linear layer but not to the encoder, whose pretraining gave words of the "
                "same "
                "topic similar vectors.",
            ),
            Option(
                "between 40 % and 75 %",
                {"meaning": Between(0.4, 0.75)},
                "For some of the new nouns, the encoder has vectors that are similar to those of the same topic.",
            ),
            Option(
                "below 40 %: these words were never seen in training",
                {"meaning": Between(high=0.4)},
                "The encoder's vectors of the new nouns are not similar enough to those that the linear layer has "
                "seen.",
            ),
        ),
        "{meaning:.0%} of the test sentences get the right topic; with a bag of words it is {words:.0%}",
    ),
    Prediction(
        "08-tokens",
        "How many tokens does the encoder read for the text `unbelievably tasty 🍜`, including those that the "
        "tokenizer adds?",
        (
            Option(
                "at most 4: one for each word, and one for the emoji",
                Between(high=5),
                "All of the words are in the vocabulary, and almost nothing is added.",
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
                "The words are split into single letters, or nearly so.",
            ),
        ),
        "{value} tokens",
    ),
    Prediction(
        "08-order",
        "Two sentences: *the dog bit the man* and *the man bit the dog*. The encoder runs as usual, and a second "
        "time with "
        "the same position embedding for every token. When do the two sentences get different vectors?",
        (
            Option(
                "both times",
                {"own": Between(0.001), "same": Between(0.001)},
                "Something other than the position embeddings tells the encoder where a token stands.",
            ),
            Option(
                "only as usual",
                {"own": Between(0.001), "same": Between(high=0.001)},
                "Every other operation treats the tokens alike, wherever they stand. Without position embeddings, a "
                "reordered text gives the same vectors in another order, and their mean is the same.",
            ),
            Option(
                "neither time: the mean over tokens ignores their order",
                {"own": Between(high=0.001), "same": Between(high=0.001)},
                "The vectors of the tokens themselves do not depend on the order.",
            ),
        ),
        "relative to its norm, the vector differs by {own:.2f} as usual and by {same:.1e} without positions",
    ),
    Prediction(
        "08-padding",
        "A sentence shares its batch with longer and longer texts. You average over all positions, `hidden.mean(1)`. "
        "What happens to the sentence's vector?",
        (
            Option(
                "nothing: padding counts as zero",
                {"far": Between(high=0.001)},
                "The vectors of the padding did not change the mean.",
            ),
            Option(
                "it changes, but no more with a longer text",
                {"far": Between(0.001), "growth": Between(high=1.1)},
                "The padding has vectors as well, and they are part of the mean; more of them made little difference.",
            ),
            Option(
                "it changes, and more with a longer text",
                {"far": Between(0.001), "growth": Between(1.1)},
                "The padding has vectors as well, and the more of them there are, the more they count in the mean. The "
                "prediction for a text would depend on the other texts in its batch.",
            ),
        ),
        "relative to its norm, the vector changes by {near:.0%} beside a text of {short} words, and by {far:.0%} "
        "beside one of {long} words",
    ),
    Prediction(
        "08-memory",
        "Three untrained networks read 50 vectors: an RNN, an LSTM as PyTorch creates it, and an LSTM whose forget "
        "gates are open. In which of them is the gradient at an input 40 steps back more than a hundredth of that at "
        "the last input?",
        (
            Option(
                "in all of them",
                {"rnn": Between(0.01), "lstm": Between(0.01), "opened": Between(0.01)},
                "Forty steps are not enough for the gradient to vanish.",
            ),
            Option(
                "in both LSTMs",
                {"rnn": Between(high=0.01), "lstm": Between(0.01), "opened": Between(0.01)},
                "The second state of the LSTM passes the gradient on, whatever its gates do.",
            ),
            Option(
                "only in the LSTM with open forget gates",
                {"rnn": Between(high=0.01), "lstm": Between(high=0.01), "opened": Between(0.01)},
                "The gradient passes along the second state only as far as the forget gates let it. As created, they "
                "are about half open, and a product of forty halves is almost nothing.",
            ),
            Option(
                "in none of them",
                {"rnn": Between(high=0.01), "lstm": Between(high=0.01), "opened": Between(high=0.01)},
                "Open gates alone did not keep the gradient.",
            ),
        ),
        "relative size of the gradient: RNN {rnn:.1e}, LSTM {lstm:.1e}, with open forget gates {opened:.2f}",
    ),
    Prediction(
        "08-ways",
        "Leave LoRA aside. Which of the other ways comes closest to fine-tuning the encoder on unseen words?",
        (
            Option(
                "a GRU from scratch, with random word vectors",
                {"kind": "from scratch"},
                "The sentences are short and regular enough to be learned from nothing.",
            ),
            Option(
                "an RNN, LSTM or GRU that reads pretrained word vectors",
                {"kind": "word vectors"},
                "The vectors of unseen adjectives are similar to those of adjectives in the training set, and "
                "reading in "
                "order, a recurrent layer can learn what a *not* does to the word after it.",
            ),
            Option(
                "the frozen encoder with a linear layer",
                {"kind": "frozen"},
                "The sentence vectors already say whether a sentence praises or complains.",
            ),
            Option(
                "the same encoder from random weights, fine-tuned",
                {"kind": "random encoder"},
                "The architecture matters more than what it learned before.",
            ),
        ),
        "closest is {closest}, with {accuracy:.0%}; fine-tuning has {tuned:.0%}",
    ),
    Prediction(
        "08-pieces",
        "`Siobhán` is split into several tokens, but it has one tag. Which of its tokens get that tag as their label "
        "in the loss?",
        (
            Option(
                "all of its tokens",
                {"first": True, "last": True},
                "Every token has the tag as its label, so a word counts as often as it has subwords.",
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
                "none: such words are ignored",
                {"first": False, "last": False},
                "The loss ignores all tokens of a word that is split.",
            ),
        ),
        "the labels of its tokens are {labels}",
    ),
    Prediction(
        "08-names",
        "How many of the names in the test sentences does the fine-tuned tagger find, with the right start, end and "
        "kind? "
        "(In the quick profile, none of their words occurs in a training sentence.)",
        (
            Option(
                "more than one in three",
                {"recall": Between(1 / 3)},
                "Unlike a list, the tagger can use the words around a name, and what its encoder learned in "
                "pretraining.",
            ),
            Option(
                "between one in twenty and one in three",
                {"recall": Between(0.05, 1 / 3)},
                "The tagger can use the words around a name, but it rarely gets the start, the end and the kind right "
                "at once.",
            ),
            Option(
                "nearly none: a model has to know a name to find it",
                {"recall": Between(high=0.05)},
                "The tagger learned little more than the names of the training sentences.",
            ),
        ),
        "the tagger finds {recall:.0%} of the names, the list {listed:.0%}",
    ),
    Prediction(
        "08-search",
        "The query is a term of the glossary, the passages are all definitions, without their terms. How often is "
        "the right definition among the encoder's first ten results, compared with those of a keyword search?",
        (
            Option(
                "more than twice as often",
                {"ratio": Between(2)},
                "A definition rarely repeats the words of its term, so there is little for keywords to match. Similar "
                "meanings tend to have similar vectors, whichever words they use.",
            ),
            Option(
                "more often, but not twice as often",
                {"ratio": Between(1, 2)},
                "Terms and definitions share some words, which keywords match as well.",
            ),
            Option(
                "less often: such technical terms are too rare for it",
                {"ratio": Between(high=1)},
                "For rare technical terms, shared words were better clues than the encoder's vectors.",
            ),
        ),
        "recall at 10 is {meaning:.0%} for the encoder and {keywords:.0%} for the keyword search",
    ),
    Quiz(
        "08-recall-lora",
        "What does a layer with LoRA compute before its first training step?",
        (
            Answer("Zero, because both factors are zero", "If both were zero, neither would ever get a gradient."),
            Answer(
                "Noise, because both factors are random", "Then the pretrained model would be disturbed from the start."
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
            Answer("When the texts have different lengths", "The mask takes care of that, text by text."),
            Answer("When the head has more than two classes", "The features do not depend on the head."),
            Answer(
                "When the encoder is fine-tuned as well: its features change with every step",
                "Only the output of frozen layers can be computed once and reused (chapter 02).",
                is_right=True,
            ),
        ),
    ),
)
