"""Chapter 08's experiment at three seeds: six ways to tell praise from complaint in words never seen in training.

`python -m tests.benchmarks text_models` measures what is missing and writes the stored table
`course/data/assets/tables/text_models.json`. Every run is kept under COURSE_HOME as soon as it is done, so a benchmark
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

from course.applications.text_models import (
    RecurrentClassifier,
    TextClassifier,
    add_peft_lora,
    load_encoder,
    predict_texts,
    sentence_features,
)
from course.applications.tokenization import TextDataset, load_tokenizer
from course.data.sentences import Texts, sentiments
from course.runtime import seed_everything
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

TRAIN, TEST, BATCH_SIZE, EPOCHS, LR, LORA_LR = 160, 200, 16, 4, 1e-4, 2e-3
SEEDS = (0, 1, 2)
Label = Callable[[list[str]], torch.Tensor]  # texts -> their classes (N,)


def bag_of_words(data: Texts, seed: int) -> Label:
    """Logistic regression on counts of words."""
    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    linear = LogisticRegression(max_iter=2000).fit(counter.fit_transform(data.texts), data.labels)
    return lambda texts: torch.tensor(linear.predict(counter.transform(texts)))


def frozen(data: Texts, pooling: str) -> Label:
    """Logistic regression on the pooled vectors of the frozen encoder."""
    tokenizer, model = load_tokenizer(), TextClassifier(load_encoder(), 1, pooling=pooling)

    def features(texts: list[str]) -> torch.Tensor:
        unlabelled = Texts(texts, torch.zeros(len(texts), dtype=torch.int64), ("any",))
        return sentence_features(model, TextDataset(tokenizer, unlabelled), cache=False).x

    linear = LogisticRegression(max_iter=2000).fit(features(data.texts), data.labels)
    return lambda texts: torch.tensor(linear.predict(features(texts)))


def trained(model: nn.Module, data: Texts, seed: int, *, epochs: int = EPOCHS, lr: float = LR) -> Label:
    """What the model says after training on all of `data`."""
    tokenizer = load_tokenizer()
    loader = TextDataset(tokenizer, data).loader(BATCH_SIZE, seed=seed)
    torch.manual_seed(seed)  # for dropout
    fit(model, loader, epochs=epochs, lr=lr, schedule="cosine", verbose=False)
    return lambda texts: predict_texts(model, tokenizer, texts).argmax(1)


def classifier(seed: int, *, weights: str | None = "default") -> TextClassifier:
    """MiniLM under a new head; with `weights` None its trunk is random."""
    return TextClassifier(load_encoder(weights=weights), 2, seed=seed)


def recurrent(data: Texts, seed: int) -> Label:
    model = RecurrentClassifier(load_tokenizer().vocab_size, 2)
    return trained(model, data, seed, epochs=10, lr=3e-3)


SETTINGS: dict[str, Callable[[Texts, int], Label]] = {
    "bag of words": bag_of_words,
    "recurrent, from scratch": recurrent,
    "frozen, first token": lambda data, seed: frozen(data, "first"),
    "frozen, mean": lambda data, seed: frozen(data, "mean"),
    "LoRA": lambda data, seed: trained(add_peft_lora(classifier(seed), seed=seed), data, seed, lr=LORA_LR),
    "fine-tuned": lambda data, seed: trained(classifier(seed), data, seed),
}


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: accuracy on test sentences, half of them negated; on plain ones; on the same with a "not"."""
    seed_everything(seed)
    label = SETTINGS[setting](sentiments("train", TRAIN, seed=seed), seed)
    tests = {
        "accuracy": sentiments("test", TEST, seed=seed),
        "plain": sentiments("test", TEST // 2, seed=seed, negated=False),
        "negated": sentiments("test", TEST // 2, seed=seed, negated=True),
    }
    scores = {name: (label(test.texts) == test.labels).double().mean().item() for name, test in tests.items()}
    return {"setting": setting, "seed": seed, **scores}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("text_models", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("fine-tuned", "bag of words", "accuracy")
    return Figure(ahead.mean, "accuracy of fine-tuning above a bag of words on unseen words", "0.2", tuple(notes))
