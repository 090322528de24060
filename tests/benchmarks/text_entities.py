"""Chapter 08's second experiment: names never seen in training, found by a list, frozen features and fine-tuning.

`python -m tests.benchmarks text_entities rates` trains every way at each of its rates with two seeds, and stores the
F1 over whole names on validation sentences in `course/data/assets/tables/text_entities_rates.json`. `python -m
tests.benchmarks text_entities` then trains each way at the rate with the highest mean, with five seeds, measures it on
the test sentences and stores `text_entities.json`. Runs are kept under COURSE_HOME as soon as they are done.

The words of names are drawn in two halves: those of the validation sentences are in no training sentence.
"""

from __future__ import annotations

import functools
import random
import statistics
from collections.abc import Callable
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression

from course.applications.spans import entity_f1
from course.applications.text_models import TokenTagger, load_encoder, predict_tags
from course.applications.tokenization import TextDataset, load_tokenizer
from course.data.sentences import TaggedTexts, entities
from course.runtime import seed_everything
from course.training.experiments import stored_table
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

TRAIN, VALIDATION, TEST, BATCH_SIZE, EPOCHS = 120, 100, 100, 16, 4
SEEDS, RATE_SEEDS = tuple(range(5)), (0, 1)
FINE_TUNED, RANDOM = "fine-tuned", "random encoder, fine-tuned"
RATES: dict[str, tuple[float, ...]] = {
    "frozen": (1, 10, 100),  # the inverse strength of the regularisation
    RANDOM: (1e-4, 3e-4, 1e-3),
    FINE_TUNED: (3e-4, 1e-3, 2e-3),
}
SETTINGS = ("list", *RATES)
Tag = Callable[[list[list[str]]], list[list[int]]]  # sentences as words -> the tag of each word


def by_list(data: TaggedTexts) -> Tag:
    """Each word has the tag that it last had in training, and "O" if it was not there."""
    known = {
        word: tag
        for words, tags in zip(data.words, data.tags, strict=True)
        for word, tag in zip(words, tags, strict=True)
    }
    return lambda sentences: [[known.get(word, 0) for word in words] for words in sentences]


@torch.no_grad()
def _first_tokens(sentences: list[list[str]]) -> torch.Tensor:
    """The frozen encoder's vector at the first token of every word, (words, D)."""
    tokenizer, encoder = load_tokenizer(), load_encoder()
    found = []
    for words in sentences:
        batch = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        hidden = encoder(**batch).last_hidden_state[0]
        ids = batch.word_ids()
        found += [hidden[ids.index(word)] for word in range(len(words))]
    return torch.stack(found)


def frozen(data: TaggedTexts, c: float) -> Tag:
    """Logistic regression on the frozen vectors of the words."""
    tags = [tag for row in data.tags for tag in row]
    linear = LogisticRegression(C=c, max_iter=3000).fit(_first_tokens(data.words), tags)

    def tag(sentences: list[list[str]]) -> list[list[int]]:
        flat = iter(linear.predict(_first_tokens(sentences)).tolist())
        return [[next(flat) for _ in words] for words in sentences]

    return tag


def trained(data: TaggedTexts, lr: float, seed: int, *, weights: str | None = "default", epochs: int = EPOCHS) -> Tag:
    """The encoder under a head at every token, fine-tuned."""
    tokenizer = load_tokenizer()
    model = TokenTagger(load_encoder(weights=weights), len(data.classes), seed=seed)
    torch.manual_seed(seed)  # for dropout
    fit(
        model,
        TextDataset(tokenizer, data).loader(BATCH_SIZE, seed=seed),
        epochs=epochs,
        lr=lr,
        schedule="cosine",
        verbose=False,
    )
    return lambda sentences: predict_tags(model, tokenizer, sentences)


def train(setting: str, data: TaggedTexts, rate: float, seed: int) -> Tag:
    seed_everything(seed)
    if setting == "list":
        return by_list(data)
    if setting == "frozen":
        return frozen(data, rate)
    return trained(data, rate, seed, weights=None if setting == RANDOM else "default")


def hold_out_names(seed: int) -> tuple[TaggedTexts, TaggedTexts]:
    """(training, validation): no word of a name is in sentences of both."""
    data = entities("train", 2000, seed=seed)
    pairs = [list(zip(words, tags, strict=True)) for words, tags in zip(data.words, data.tags, strict=True)]
    names = sorted({word for row in pairs for word, tag in row if tag})
    held = set(random.Random(seed).sample(names, len(names) // 2))
    new = [{word in held for word, tag in row if tag} for row in pairs]
    parts = ([i for i, kinds in enumerate(new) if kinds == {value}] for value in (False, True))
    train_part, val_part = (
        TaggedTexts([data.words[i] for i in part[:count]], [data.tags[i] for i in part[:count]], data.classes)
        for part, count in zip(parts, (TRAIN, VALIDATION), strict=True)
    )
    return train_part, val_part


def f1(tag: Tag, data: TaggedTexts) -> float:
    predicted, gold = ([[data.classes[tag] for tag in row] for row in rows] for rows in (tag(data.words), data.tags))
    return entity_f1(predicted, gold)


def run_rate(setting: str, seed: int) -> dict[str, Any]:
    """One row on validation sentences; `setting` is "way @ rate"."""
    way, _, rate = setting.partition(" @ ")
    train_part, val_part = hold_out_names(seed)
    return {"setting": setting, "seed": seed, "validation": f1(train(way, train_part, float(rate), seed), val_part)}


@functools.cache
def best_rate(setting: str) -> float:
    """The rate with the highest mean F1 on validation sentences, of the stored ones."""
    if setting not in RATES:
        return 0.0
    rows = stored_table("text_entities_rates").rows
    means = {
        rate: statistics.fmean(row["validation"] for row in rows if row["setting"] == f"{setting} @ {rate:g}")
        for rate in RATES[setting]
    }
    return max(means, key=lambda rate: means[rate])


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: F1 over whole names, and the fraction of words with the right tag, on the test sentences."""
    tag = train(setting, entities("train", TRAIN, seed=seed), best_rate(setting), seed)
    test = entities("test", TEST, seed=seed)
    pairs = [
        pair for mine, true in zip(tag(test.words), test.tags, strict=True) for pair in zip(mine, true, strict=True)
    ]
    return {"setting": setting, "seed": seed, "F1": f1(tag, test), "words": statistics.fmean(a == b for a, b in pairs)}


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("rates",):
        names = [f"{setting} @ {rate:g}" for setting, rates in RATES.items() for rate in rates]
        comparison, notes = compare_kept("text_entities_rates", run_rate, names, RATE_SEEDS, arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("text_entities", run, SETTINGS, SEEDS, arguments)
    notes += [f"rates: {', '.join(f'{name} {best_rate(name):g}' for name in RATES)}"]
    for name in SETTINGS[:-1]:
        gap = comparison.paired(FINE_TUNED, name, "F1")
        notes.append(f"fine-tuned minus {name}: {gap.mean:+.3f}, {gap.low:+.3f} to {gap.high:+.3f}")
    ahead = comparison.paired(FINE_TUNED, RANDOM, "F1")
    what = "F1 over whole names, low end of fine-tuning above a random encoder"
    return Figure(ahead.low, what, "0", tuple(notes), missed=ahead.low <= 0)
