"""Chapter 08's experiment: praise or complaint in words never seen in training, from a bag of words to fine-tuning.

`python -m tests.benchmarks text_models rates` trains every way at each of its rates with two seeds, and stores the
accuracies on validation sentences in `course/data/assets/tables/text_models_rates.json`. `python -m tests.benchmarks
text_models` then trains each way at the rate with the highest mean, with five seeds, measures it on the test sentences
and stores `text_models.json`. Runs are kept under COURSE_HOME as soon as they are done, so an interrupted benchmark
resumes; with seeds as arguments only theirs are measured, so that several processes can share the work.

The validation sentences are as new as those of the test: they are drawn from the training split, and their adjectives
are in none of the sentences that the model trains on.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Callable
from typing import Any

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from torch import nn

from course.applications.text_models import (
    RecurrentClassifier,
    TextClassifier,
    add_peft_lora,
    load_encoder,
    mean_pool,
    predict_texts,
    sentence_features,
)
from course.applications.tokenization import TextDataset, load_tokenizer, tokenize
from course.data.sentence_templates import ADJECTIVES
from course.data.sentences import Texts, sentiments
from course.runtime import seed_everything
from course.training.experiments import stored_table
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

TRAIN, TEST, BATCH_SIZE, EPOCHS, LR = 160, 200, 16, 6, 1e-4
SEEDS, RATE_SEEDS = tuple(range(5)), (0, 1)
RECURRENT_EPOCHS = 30
FINE_TUNED, RANDOM = "fine-tuned", "random encoder, fine-tuned"
# The learning rates that each way chooses from; for a linear classifier, the inverse strength of its regularisation.
RATES: dict[str, tuple[float, ...]] = {
    "bag of words": (0.1, 1, 10),
    "mean word vector": (0.01, 0.1, 1),
    "GRU, random vectors": (1e-3, 3e-3, 1e-2),
    "RNN, word vectors": (1e-3, 3e-3, 1e-2),
    "LSTM, word vectors": (1e-3, 3e-3, 1e-2),
    "GRU, word vectors": (1e-3, 3e-3, 1e-2),
    RANDOM: (1e-4, 3e-4, 1e-3),
    "frozen, first token": (1, 10, 100),
    "frozen, mean": (1, 10, 100),
    "LoRA": (1e-3, 2e-3, 5e-3),
    FINE_TUNED: (3e-5, 1e-4, 3e-4),
}
SETTINGS = tuple(RATES)
Label = Callable[[list[str]], torch.Tensor]  # texts -> their classes (N,)


def bag_of_words(data: Texts, seed: int, c: float = 1.0) -> Label:
    """Logistic regression on counts of words."""
    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    linear = LogisticRegression(C=c, max_iter=5000).fit(counter.fit_transform(data.texts), data.labels)
    return lambda texts: torch.tensor(linear.predict(counter.transform(texts)))


def _linear(data: Texts, features: Callable[[list[str]], torch.Tensor], c: float) -> Label:
    linear = LogisticRegression(C=c, max_iter=5000).fit(features(data.texts), data.labels)
    return lambda texts: torch.tensor(linear.predict(features(texts)))


def frozen(data: Texts, pooling: str, c: float = 1.0) -> Label:
    """Logistic regression on the pooled vectors of the frozen encoder."""
    tokenizer, model = load_tokenizer(), TextClassifier(load_encoder(), 1, pooling=pooling)

    def features(texts: list[str]) -> torch.Tensor:
        unlabelled = Texts(texts, torch.zeros(len(texts), dtype=torch.int64), ("any",))
        return sentence_features(model, TextDataset(tokenizer, unlabelled), cache=False).x

    return _linear(data, features, c)


@functools.cache
def word_vectors() -> torch.Tensor:
    """(V, D): the encoder's input vector of every entry of the vocabulary, scaled to a standard deviation of 1."""
    embeddings: Any = load_encoder().get_input_embeddings()
    vectors = embeddings.weight.detach()
    return vectors / vectors.std()


def mean_word_vector(data: Texts, c: float) -> Label:
    """Logistic regression on the mean of the tokens' input vectors, without the encoder's layers."""
    tokenizer = load_tokenizer()

    def features(texts: list[str]) -> torch.Tensor:
        inputs = tokenize(tokenizer, texts)
        return mean_pool(word_vectors()[inputs["input_ids"]], inputs["attention_mask"])

    return _linear(data, features, c)


def trained(model: nn.Module, data: Texts, seed: int, *, epochs: int = EPOCHS, lr: float = LR) -> Label:
    """What the model predicts after training on all of `data`."""
    tokenizer = load_tokenizer()
    loader = TextDataset(tokenizer, data).loader(BATCH_SIZE, seed=seed)
    torch.manual_seed(seed)  # for dropout
    fit(model, loader, epochs=epochs, lr=lr, schedule="cosine", verbose=False)
    return lambda texts: predict_texts(model, tokenizer, texts).argmax(1)


def classifier(seed: int, *, weights: str | None = "default") -> TextClassifier:
    """MiniLM under a new head; with `weights` None the encoder is random."""
    return TextClassifier(load_encoder(weights=weights), 2, seed=seed)


def recurrent(name: str, data: Texts, seed: int, lr: float) -> Label:
    """An RNN, LSTM or GRU over random or over pretrained word vectors."""
    cell, _, vectors = name.partition(", ")
    pretrained = word_vectors() if vectors == "word vectors" else None
    model = RecurrentClassifier(load_tokenizer().vocab_size, 2, cell=cell.lower(), vectors=pretrained)
    return trained(model, data, seed, epochs=RECURRENT_EPOCHS, lr=lr)


def train(setting: str, data: Texts, rate: float, seed: int) -> Label:
    """One way, trained on `data` at one rate."""
    seed_everything(seed)
    if setting == "bag of words":
        return bag_of_words(data, seed, rate)
    if setting == "mean word vector":
        return mean_word_vector(data, rate)
    if setting.startswith("frozen"):
        return frozen(data, "first" if "first" in setting else "mean", rate)
    if setting[:3] in ("RNN", "LST", "GRU"):
        return recurrent(setting, data, seed, rate)
    if setting == "LoRA":
        return trained(add_peft_lora(classifier(seed), seed=seed), data, seed, lr=rate)
    model = classifier(seed, weights=None if setting == RANDOM else "default")
    return trained(model, data, seed, lr=rate)


def hold_out_words(data: Texts, share: float, seed: int) -> tuple[Texts, Texts]:
    """(training, validation): the adjectives of the validation sentences are in no training sentence."""
    known = {word for group in ADJECTIVES["train"].values() for word in group.split()}
    groups = [next(word for word in re.findall(r"\w+", text) if word in known) for text in data.texts]
    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    parts = next(splitter.split(data.texts, groups=groups))
    train, val = (Texts([data.texts[i] for i in part], data.labels[part], data.classes) for part in parts)
    return train, val


def accuracy(label: Label, data: Texts) -> float:
    return (label(data.texts) == data.labels).double().mean().item()


def run_rate(setting: str, seed: int) -> dict[str, Any]:
    """One row on validation sentences; `setting` is "way @ rate"."""
    way, _, rate = setting.partition(" @ ")
    train_part, val_part = hold_out_words(sentiments("train", TRAIN + 80, seed=seed), 1 / 3, seed)
    return {
        "setting": setting,
        "seed": seed,
        "validation": accuracy(train(way, train_part, float(rate), seed), val_part),
    }


@functools.cache
def best_rate(setting: str) -> float:
    """The rate with the highest mean accuracy on validation sentences, of the stored ones."""
    rows = stored_table("text_models_rates").rows
    means = {
        rate: statistics.fmean(row["validation"] for row in rows if row["setting"] == f"{setting} @ {rate:g}")
        for rate in RATES[setting]
    }
    return max(means, key=lambda rate: means[rate])


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: accuracy on test sentences, half of them negated; on plain ones; on the same with a "not"; on pairs."""
    label = train(setting, sentiments("train", TRAIN, seed=seed), best_rate(setting), seed)
    test = sentiments("test", TEST, seed=seed)
    plain, negated = (sentiments("test", TEST // 2, seed=seed, negated=flag) for flag in (False, True))
    right = [label(part.texts) == part.labels for part in (plain, negated)]
    return {
        "setting": setting,
        "seed": seed,
        "accuracy": accuracy(label, test),
        "plain": right[0].double().mean().item(),
        "negated": right[1].double().mean().item(),
        "pairs": (right[0] & right[1]).double().mean().item(),
    }


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("rates",):
        names = [f"{setting} @ {rate:g}" for setting, rates in RATES.items() for rate in rates]
        comparison, notes = compare_kept("text_models_rates", run_rate, names, RATE_SEEDS, arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("text_models", run, SETTINGS, SEEDS, arguments)
    ahead = comparison.paired(FINE_TUNED, RANDOM, "accuracy")
    others = [comparison.paired(FINE_TUNED, name, "accuracy") for name in SETTINGS if name != FINE_TUNED]
    names = [name for name in SETTINGS if name != FINE_TUNED]
    notes += [f"rates: {', '.join(f'{name} {best_rate(name):g}' for name in SETTINGS)}"]
    notes += [
        f"fine-tuned minus {name}: {gap.mean:+.3f}, {gap.low:+.3f} to {gap.high:+.3f}"
        for name, gap in zip(names, others, strict=True)
    ]
    what = "accuracy, low end of fine-tuning above a random encoder on unseen words"
    return Figure(ahead.low, what, "0", tuple(notes), missed=ahead.low <= 0)
