"""Chapter 08: what pretraining, fine-tuning and gates are worth for texts whose words were never seen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

from course.applications.text_models import TextClassifier, load_encoder, sentence_features
from course.applications.tokenization import TextDataset, load_tokenizer
from course.data.sentences import Texts, sentiments, topics
from course.errors import UnknownName
from course.training.experiments import stored_table
from tests.benchmarks import text_entities, text_models
from tests.benchmarks.lesson_runs import Lesson

TABLES = {"text_models": text_models, "text_entities": text_entities}


def _value(table: str, setting: str, seed: int, metric: str) -> float:
    """From the stored table, which has ten seeds; measured if it is not there."""
    try:
        rows = stored_table(table).rows
    except UnknownName:
        rows = []
    for row in rows:
        if (row["setting"], row["seed"]) == (setting, seed) and metric in row:
            return float(row[metric])
    return float(TABLES[table].run(setting, seed)[metric])


def _ahead(ahead: str, behind: str, metric: str = "accuracy", table: str = "text_models") -> Callable[[int], float]:
    return lambda seed: _value(table, ahead, seed, metric) - _value(table, behind, seed, metric)


def _topics(seed: int) -> float:
    """Accuracy on topics of unseen nouns: frozen encoder minus bag of words."""
    train, test = topics("train", 160, seed=seed), topics("test", 200, seed=seed)
    model, tokenizer = TextClassifier(load_encoder(), 1), load_tokenizer()

    def vectors(data: Texts) -> torch.Tensor:
        return sentence_features(model, TextDataset(tokenizer, data), cache=False).x

    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    words = LogisticRegression(max_iter=2000).fit(counter.fit_transform(train.texts), train.labels)
    frozen = LogisticRegression(max_iter=2000).fit(vectors(train), train.labels)
    by_words = words.score(counter.transform(test.texts), test.labels)
    return float(frozen.score(vectors(test), test.labels) - by_words)


def _split(seed: int) -> float:
    """Validation accuracy of a bag of words on sentences without a "not": known adjectives minus unseen ones."""
    drawn = sentiments("train", text_models.TRAIN + 80, seed=seed, negated=False)
    order = torch.randperm(len(drawn), generator=torch.Generator().manual_seed(seed))
    by_chance = [
        Texts([drawn.texts[i] for i in part], drawn.labels[part], drawn.classes) for part in (order[80:], order[:80])
    ]
    found = [
        text_models.accuracy(text_models.bag_of_words(train, seed), val)
        for train, val in (by_chance, text_models.hold_out_words(drawn, 1 / 3, seed))
    ]
    return found[0] - found[1]


def _gradient_after_40_steps(seed: int) -> float:
    """The relative gradient 40 steps back: of an LSTM with open forget gates minus that of an RNN."""
    found = []
    for make in (nn.LSTM, nn.RNN):
        torch.manual_seed(seed)
        network = make(32, 32, batch_first=True)
        if make is nn.LSTM:
            with torch.no_grad():
                network.bias_hh_l0[32:64] = 4.0
        x = torch.randn(64, 50, 32, requires_grad=True)
        network(x)[0][:, -1].sum().backward()
        norms = (x.grad if x.grad is not None else x).norm(dim=2).mean(0)
        found.append(float(norms[-41] / norms[-1]))
    return found[0] - found[1]


FINE_TUNED, RANDOM = text_models.FINE_TUNED, text_models.RANDOM
LESSONS = [
    Lesson("08-topics", "A frozen encoder names the topic of unseen nouns; a bag of words can't.", _topics),
    Lesson(
        "08-gates-keep-gradients",
        "Open forget gates pass on gradients that vanish in an RNN.",
        _gradient_after_40_steps,
    ),
    Lesson("08-hold-out-words", "A random split promises an accuracy that unseen adjectives don't keep.", _split),
    Lesson(
        "08-pretraining-pays",
        "Fine-tuning MiniLM is ahead of its architecture with random weights.",
        _ahead(FINE_TUNED, RANDOM),
    ),
    Lesson("08-fine-tuning-pays", "Fine-tuning is ahead of the frozen mean.", _ahead(FINE_TUNED, "frozen, mean")),
    Lesson("08-lora-pays", "LoRA is ahead of the frozen mean.", _ahead("LoRA", "frozen, mean")),
    Lesson(
        "08-the-mean",
        "The frozen mean is ahead of the frozen first token.",
        _ahead("frozen, mean", "frozen, first token"),
    ),
    Lesson(
        "08-word-vectors-pay",
        "A GRU over pretrained word vectors is ahead of one over random vectors.",
        _ahead("GRU, word vectors", "GRU, random vectors"),
    ),
    Lesson(
        "08-order-matters",
        "Fine-tuning gets both sentences of a pair with and without a not right more often than a bag of words.",
        _ahead(FINE_TUNED, "bag of words", "pairs"),
    ),
    Lesson(
        "08-names-by-context",
        "On unseen names, the fine-tuned tagger's F1 is ahead of that of a random encoder.",
        _ahead(FINE_TUNED, RANDOM, "F1", "text_entities"),
    ),
    Lesson(
        "08-tuning-the-tagger-pays",
        "It is ahead of a linear classifier on frozen vectors.",
        _ahead(FINE_TUNED, "frozen", "F1", "text_entities"),
    ),
]
