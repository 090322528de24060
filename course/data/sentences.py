"""Sentences made from templates, for topic, sentiment and named entities; test words never occur in training."""

from __future__ import annotations

import html
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from course.data import sentence_templates as templates
from course.errors import DataError, UnknownName

SPLITS = ("train", "test")
MAX_SENTENCES = 2000  # of one draw, all different


@dataclass(frozen=True, repr=False)
class Texts:
    """Sentences with one class each: `labels` (N,) of int64 are indices into `classes`. Shown as a table of samples."""

    texts: list[str]
    labels: torch.Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def _samples(self) -> list[tuple[str, str]]:
        return [(text, self.classes[label]) for text, label in zip(self.texts, self.labels.tolist(), strict=True)][:8]

    def __repr__(self) -> str:
        return _text_table(self._samples(), len(self))

    def _repr_html_(self) -> str:
        return _html_table(self._samples(), ("text", "class"), len(self))


@dataclass(frozen=True, repr=False)
class TaggedTexts:
    """Sentences as words, each word with a tag: `tags[i][j]`, an index into `classes`, belongs to `words[i][j]`.

    Classes are "O" for words outside any entity, "B-PER" for the first word of a person, "I-PER" for the words after
    it, and so on (IOB2). Shown as a table of samples.
    """

    words: list[list[str]]
    tags: list[list[int]]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words)

    def _samples(self) -> list[tuple[str, str]]:
        pairs = zip(self.words[:8], self.tags[:8], strict=True)
        return [(" ".join(words), " ".join(self.classes[tag] for tag in tags)) for words, tags in pairs]

    def __repr__(self) -> str:
        return _text_table(self._samples(), len(self))

    def _repr_html_(self) -> str:
        return _html_table(self._samples(), ("words", "tags"), len(self))


def topics(split: str, count: int = 160, *, seed: int = 0) -> Texts:
    """`count` sentences about food, sport, music or computers, balanced: two nouns of the topic in a neutral sentence.

    Deterministic by `seed`; all different; a smaller draw is part of a larger one. Raises UnknownName for another
    split, DataError for a count outside 1 to 2000.

    Dataset card
    ------------
    Combined from 20 nouns per topic and 8 patterns for training, 12 nouns and 6 patterns for testing; no test noun is
    in a training sentence, nor is a noun with the same first five letters, and all topics use the same patterns. So the
    words that both splits share (about, and, the, told, you) say nothing about the topic. English; written for this
    course.
    """
    nouns = {topic: group.split() for topic, group in templates.TOPICS[_check(split, count)].items()}
    classes = tuple(nouns)

    def draw(index: int, rng: random.Random) -> tuple[str, int]:
        label = index % len(classes)
        one, two = rng.sample(nouns[classes[label]], 2)
        return rng.choice(templates.TOPIC_PATTERNS[split]).format(one=one, two=two), label

    return _texts(_different(draw, count, seed), classes)


def sentiments(split: str, count: int = 160, *, seed: int = 0, negated: bool | None = None) -> Texts:
    """`count` opinions, "negative" or "positive", balanced; half of each class is negated ("not awful").

    With `negated` False or True, no or every sentence is negated; the same seed gives the same sentences except for the
    "not", with the opposite labels. Deterministic by `seed`; all different; a smaller draw is part of a larger one.
    Raises UnknownName for another split, DataError for a count outside 1 to 2000.

    Dataset card
    ------------
    Combined from 20 subjects, as many adjectives per class and 8 patterns for training, 15 of each and 6 for testing;
    no test adjective or subject is in a training sentence, nor is one with the same first five letters. "not" is in
    half of the sentences of each class, so neither it nor any other word that both splits share says anything about the
    class. Known oddities: "not bad" counts as positive and "not great" as negative, by the rule of the templates;
    people hear shades in between. English; written for this course.
    """
    classes = ("negative", "positive")
    adjectives = {kind: group.split() for kind, group in templates.ADJECTIVES[_check(split, count)].items()}
    subjects = templates.SUBJECTS[split].split()

    def draw(index: int, rng: random.Random) -> tuple[str, int]:
        polarity, is_negated = index % 2, (index // 2) % 2 if negated is None else int(negated)
        filled = {"noun": rng.choice(subjects), "adjective": rng.choice(adjectives[classes[polarity]])}
        text = rng.choice(templates.SENTIMENT_PATTERNS[split]).format(**filled, **{"not": "not " * is_negated})
        return text, polarity ^ is_negated

    return _texts(_different(draw, count, seed), classes)


def entities(split: str, count: int = 160, *, seed: int = 0) -> TaggedTexts:
    """`count` sentences with persons, organisations and places, as lists of words; punctuation marks are words.

    Deterministic by `seed`; all different; a smaller draw is part of a larger one. Raises UnknownName for another
    split, DataError for a count outside 1 to 2000.

    Dataset card
    ------------
    Combined from 24 first names, 22 family names, 21 places, 9 kinds of organisation and 11 patterns for training; 22,
    20, 20, 8 and 8 for testing. No word of a test name is in a training sentence. Names come from many languages and
    from five scripts besides Latin (Greek, Cyrillic, Arabic, Hebrew, Chinese characters), first and family names mixed
    freely. Persons are a first name alone or with a family name; an organisation is a place or a family name followed
    by its kind ("Oslo Motors", "Rossi Bank"), so the same word is LOC, PER or ORG depending on its context.
    Classes are those of WikiANN, in its order. Written for this course; persons and organisations are invented,
    places are real.
    """
    _check(split, count)

    def draw(index: int, rng: random.Random) -> tuple[list[str], list[int]]:
        words: list[str] = []
        tags: list[int] = []
        used: set[str] = set()
        for part in rng.choice(templates.ENTITY_PATTERNS[split]).split():
            name = _name(part, split, rng, used) if part in ("PER", "ORG", "LOC") else []
            words += name or [part]
            part_tags = [f"{'I' if position else 'B'}-{part}" for position in range(len(name))] or ["O"]
            tags += [templates.ENTITY_CLASSES.index(tag) for tag in part_tags]
        return words, tags

    drawn = _different(draw, count, seed)
    return TaggedTexts([words for words, _ in drawn], [tags for _, tags in drawn], templates.ENTITY_CLASSES)


def _name(kind: str, split: str, rng: random.Random, used: set[str]) -> list[str]:
    """The words of a new name of this kind; `used` holds the names, and parts of names, already in the sentence."""
    while True:
        first, last = rng.choice(templates.FIRST_NAMES[split].split()), rng.choice(templates.LAST_NAMES[split].split())
        place, what = (
            rng.choice(templates.PLACES[split].split("|")),
            rng.choice(templates.ORGANISATIONS[split].split("|")),
        )
        if kind == "PER":
            parts = (first, last) if rng.random() < 0.7 else (first,)
        elif kind == "ORG":
            parts = (place if rng.random() < 0.5 else last, what)
        else:
            parts = (place,)
        if not used & set(parts):
            used.update(parts)
            return " ".join(parts).split()


def _different(draw: Callable[[int, random.Random], Any], count: int, seed: int) -> list[Any]:
    """`count` results of `draw(index, rng)`, no two with the same text."""
    rng = random.Random(seed)
    drawn: list[Any] = []
    seen: set[str] = set()
    while len(drawn) < count:
        sample = draw(len(drawn), rng)
        if str(sample[0]) not in seen:
            seen.add(str(sample[0]))
            drawn.append(sample)
    return drawn


def _texts(drawn: list[tuple[str, int]], classes: tuple[str, ...]) -> Texts:
    return Texts([text for text, _ in drawn], torch.tensor([label for _, label in drawn]), classes)


def _check(split: str, count: int) -> str:
    if split not in SPLITS:
        raise UnknownName.of("split of sentences", split, SPLITS)
    if not isinstance(count, int) or not 1 <= count <= MAX_SENTENCES:
        raise DataError(f"count={count!r} sentences are impossible; ask for 1 to {MAX_SENTENCES}")
    return split


def _text_table(rows: list[tuple[str, str]], total: int) -> str:
    width = max((len(left) for left, _ in rows), default=0)
    return "\n".join([*(f"{left.ljust(width)}  {right}" for left, right in rows), f"{len(rows)} of {total} sentences"])


def _html_table(rows: list[tuple[str, str]], head: tuple[str, str], total: int) -> str:
    body = "".join(
        f'<tr><td dir="auto" style="text-align:left">{html.escape(left)}</td>'
        f'<td style="text-align:left">{html.escape(right)}</td></tr>'
        for left, right in rows
    )
    return (
        f"<table><caption>{len(rows)} of {total} sentences</caption><thead><tr><th>{head[0]}</th><th>{head[1]}</th>"
        f"</tr></thead><tbody>{body}</tbody></table>"
    )
