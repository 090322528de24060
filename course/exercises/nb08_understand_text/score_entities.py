"""F1 over whole entities: a span counts if its start, its end and its kind are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "08-score-entities",
    answer="entity_f1",
    call="entity_f1(pred, gold)",
    title="Score whole entities",
    withholds=("course.applications.spans.entity_f1", "course.applications.spans.find_spans"),
    hints=(
        "Split the task: first a function that turns the tags of one sentence into a set of spans (start, end, kind). "
        "Try it on B-PER I-PER O, on B-LOC B-LOC and on I-ORG I-PER.",
        "A span begins at every B, and at an I that continues nothing; it ends before the next tag that is not an I "
        "of its kind. Equal spans in two sentences are two spans: what must the tuple hold so that a set keeps both?",
        "right = len(predicted & gold), over all sentences together. Then F1 = 2 * right / (len(predicted) + "
        "len(gold)); what if both are empty?",
    ),
    idea="Collect (sentence, start, end, kind) of pred and of gold in two sets; 2 * len(a & b) / (len(a) + len(b)).",
)

KINDS = ("PER", "ORG", "LOC")
RULE = "count the entities whose sentence, start, end and kind are all right: F1 is 2 right / (predicted + gold)"
ORDINALS = ("first", "second", "third", "fourth")
Tags = list[list[str]]
Set = set[tuple[Any, ...]]


@exercise.case
def mixed_errors(rng: torch.Generator) -> dict[str, Any]:
    return corpora_case(rng)


@exercise.case
def neighbours(rng: torch.Generator) -> dict[str, Any]:
    return corpora_case(rng, gap=0)


@exercise.case
def uneven_sentences(rng: torch.Generator) -> dict[str, Any]:
    return corpora_case(rng, uneven=True)


@exercise.case
def loose_tags(rng: torch.Generator) -> dict[str, Any]:
    return corpora_case(rng, loose=True, empty=True)


def corpora_case(
    rng: torch.Generator, *, gap: int = 1, uneven: bool = False, loose: bool = False, empty: bool = False
) -> dict[str, Any]:
    """Four corpora of tagged sentences, each with predictions that are wrong here and there.

    With `gap` 0, entities of one kind follow each other directly; with `uneven`, sentences have from one entity to
    five, and the first has one that is predicted alone; with `loose`, predicted entities may begin with an I, in every
    other sentence directly behind one of another kind, once behind a sentence that ends with one of its kind, and the
    first two sentences have no other error; with `empty`, one corpus has no entity at all, and in
    another none is predicted.
    """

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=rng))

    corpora = []
    for number in range(4):
        gold, predicted = [], []
        for sentence in range(whole(5, 8)):
            spans: list[tuple[int, int, str]] = []
            place = whole(0, 2)
            same = KINDS[whole(0, 3)]
            for _ in range((5 if sentence % 2 else 1) if uneven else 2 + whole(0, 2)):
                length = whole(1, 4)
                kind = same if gap == 0 else KINDS[whole(0, 3)]
                if loose:
                    kind = KINDS[(KINDS.index(same) + len(spans)) % len(KINDS)]
                spans.append((place, place + length, kind))
                touching = gap == 0 or (loose and sentence % 2 == 0)
                place += length + (0 if touching else whole(gap, gap + 3))
            words = spans[-1][1] + (0 if sentence == 1 else whole(1, 4))  # the second ends with an entity
            wrong = [_disturbed(span, whole(0, 7 if sentence % 2 else 14), whole(1, 3)) for span in spans]
            if loose and sentence < 2:
                wrong = list(spans)
            if uneven and sentence == 0:
                spans, wrong = [], list(spans)
            if empty and number > 1:
                spans, wrong = spans if number == 2 else [], []
            gold.append(_tags(words, spans))
            predicted.append(_tags(words, [span for span in wrong if span], loose=loose))
        if loose and number < 2:
            predicted += [["O", f"B-{KINDS[number]}"], [f"I-{KINDS[number]}", "O"]]
            gold += [["O", f"B-{KINDS[number]}"], [f"B-{KINDS[number]}", "O"]]
        corpora.append({"pred": predicted, "gold": gold})
    return {"corpora": corpora}


def _disturbed(span: tuple[int, int, str], fate: int, by: int) -> tuple[int, int, str] | None:
    """What was predicted in place of a span: another kind, one word too few, nothing; or the span itself."""
    start, stop, kind = span
    if fate == 0:
        return start, stop, KINDS[(KINDS.index(kind) + by) % len(KINDS)]
    if fate == 1:
        return (start + 1, stop, kind) if stop - start > 1 else None
    if fate == 2:
        return (start, stop - 1, kind) if stop - start > 1 else None
    return None if fate == 3 else span


def _tags(words: int, spans: list[tuple[int, int, str]], *, loose: bool = False) -> list[str]:
    tags = ["O"] * words
    for number, (start, stop, kind) in enumerate(spans):
        begins = "I" if loose and number % 2 and tags[start - 1][2:] != kind else "B"
        tags[start:stop] = [f"{begins}-{kind}", *[f"I-{kind}"] * (stop - start - 1)]
    return tags


@exercise.probe
def probe_score_entities(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    values = []
    for corpus in case["corpora"]:
        pred, gold = ([list(tags) for tags in corpus[name]] for name in ("pred", "gold"))
        has_names = _predicts_a_name(corpus)
        try:
            value = answer(pred, gold)
        except ZeroDivisionError:
            if has_names:
                raise
            value = math.nan  # the judge says what F1 is there
        value = need(value, (int, float, np.number, torch.Tensor), "a number between 0 and 1")
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; return one number")
        values.append(float(value))
    return {"values": torch.tensor(values, dtype=torch.float64)}


def _predicts_a_name(corpus: dict[str, Any]) -> bool:
    return any(tag != "O" for tags in corpus["pred"] for tag in tags)


def _spans(
    tags: Sequence[str], *, merges: bool = False, strict: bool = False, any_kind: bool = False
) -> set[tuple[int, int, str]]:
    """(start, stop, kind) of each span.

    `merges`: a B continues a span of its kind; `strict`: an I alone is nothing; `any_kind`: an I continues any span.
    """
    spans: list[tuple[int, int, str]] = []
    for place, tag in enumerate(tags):
        position, _, kind = tag.partition("-")
        touches = bool(spans) and spans[-1][1] == place
        goes_on = touches and (spans[-1][2] == kind or any_kind) and (position == "I" or merges)
        if position == "O" or (strict and position == "I" and not goes_on):
            continue
        if goes_on:
            spans[-1] = (spans[-1][0], place + 1, spans[-1][2])
        else:
            spans.append((place, place + 1, kind))
    return set(spans)


def _all(rows: Tags, **reading: bool) -> Set:
    return {(i, *span) for i, tags in enumerate(rows) for span in _spans(tags, **reading)}


def _f1(mine: Set, true: Set) -> float:
    return 2 * len(mine & true) / (len(mine) + len(true)) if mine or true else 0.0


def _tokens(rows: Tags, *, prefix: bool = True) -> Set:
    return {(i, j, tag if prefix else tag[2:]) for i, row in enumerate(rows) for j, tag in enumerate(row) if tag != "O"}


def _before_the_end(rows: Tags) -> Set:
    return {span for span in _all(rows) if span[2] < len(rows[span[0]])}


def _accuracy(pred: Tags, gold: Tags) -> float:
    return float(np.mean([a == b for p, g in zip(pred, gold, strict=True) for a, b in zip(p, g, strict=True)]))


def _by_sentence(pred: Tags, gold: Tags) -> float:
    return float(np.mean([_f1(_all([p]), _all([g])) for p, g in zip(pred, gold, strict=True)]))


def _by_kind(pred: Tags, gold: Tags) -> float:
    mine, true = _all(pred), _all(gold)
    kinds = sorted({span[-1] for span in mine | true})
    return float(np.mean([_f1({s for s in mine if s[-1] == k}, {s for s in true if s[-1] == k}) for k in kinds]))


MISTAKES: dict[str, Callable[[Tags, Tags], float]] = {
    "this counts tokens: an entity with one wrong word is not an entity, so compare whole spans": (
        lambda p, g: _f1(_tokens(p), _tokens(g))
    ),
    "this counts tokens, and B and I alike: compare whole spans": (
        lambda p, g: _f1(_tokens(p, prefix=False), _tokens(g, prefix=False))
    ),
    "this is the fraction of right tags, many of which are O: count spans": _accuracy,
    "this is the mean over sentences: count over all sentences together, then divide once": _by_sentence,
    "this is the mean over kinds: count all kinds together": _by_kind,
    "this is the precision, right / predicted; F1 also depends on what was missed": (
        lambda p, g: len(_all(p) & _all(g)) / max(1, len(_all(p)))
    ),
    "this is the recall, right / gold; F1 also depends on what was predicted wrongly": (
        lambda p, g: len(_all(p) & _all(g)) / max(1, len(_all(g)))
    ),
    "the kind is not compared: PER instead of LOC is wrong": (
        lambda p, g: _f1({s[:-1] for s in _all(p)}, {s[:-1] for s in _all(g)})
    ),
    "the end is not compared: an entity that stops a word early is wrong": (
        lambda p, g: _f1({(s[0], s[1], s[3]) for s in _all(p)}, {(s[0], s[1], s[3]) for s in _all(g)})
    ),
    "equal spans of different sentences became one element of the set: add the sentence's number to the tuple": (
        lambda p, g: _f1({s[1:] for s in _all(p)}, {s[1:] for s in _all(g)})
    ),
    "an entity at the end of a sentence was lost: it ends where the sentence ends": (
        lambda p, g: _f1(_before_the_end(p), _before_the_end(g))
    ),
    "the sentences were joined: an I at the start of one continued the entity at the end of the one before": (
        lambda p, g: _f1(_all([list(chain(*p))]), _all([list(chain(*g))]))
    ),
    "sentences without an entity in gold were left out: what is predicted there is wrong": (
        lambda p, g: _f1({span for span in _all(p) if _spans(g[span[0]])}, _all(g))
    ),
    "two neighbours of one kind were read as one entity: every B begins a new one": (
        lambda p, g: _f1(_all(p, merges=True), _all(g, merges=True))
    ),
    "an I that continues nothing was dropped: it begins an entity": (
        lambda p, g: _f1(_all(p, strict=True), _all(g, strict=True))
    ),
    "an I of another kind was added to the entity before it: it begins an entity of its own kind": (
        lambda p, g: _f1(_all(p, any_kind=True), _all(g, any_kind=True))
    ),
    "an I alone was dropped, and one of another kind was added to the entity before it: both begin an entity": (
        lambda p, g: _f1(_all(p, strict=True, any_kind=True), _all(g, strict=True, any_kind=True))
    ),
    "this is right / (predicted or gold), the Jaccard index; F1 is 2 right / (predicted + gold)": (
        lambda p, g: len(_all(p) & _all(g)) / max(1, len(_all(p) | _all(g)))
    ),
    "this is a percentage; return a fraction between 0 and 1": lambda p, g: 100 * _f1(_all(p), _all(g)),
    "the 2 is missing: F1 is 2 right / (predicted + gold)": lambda p, g: _f1(_all(p), _all(g)) / 2,
}


def judge_values(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless each corpus has its F1; a mistake is named if it explains all corpora with predictions."""
    corpora, got = case["corpora"], result["values"].tolist()
    expected = [_f1(_all(corpus["pred"]), _all(corpus["gold"])) for corpus in corpora]
    expect(len(got) == len(expected), tried="counting the values", got=len(got), expected=len(expected))
    if _close(got, expected):
        return
    telling = [number for number, corpus in enumerate(corpora) if _predicts_a_name(corpus)]
    because = _because([corpora[i] for i in telling], [got[i] for i in telling], [expected[i] for i in telling])
    if len(set(got)) == 1 and because == RULE:
        because = "every corpus has the same score, whatever was predicted"
    lengths = ", ".join(str(len(corpus["gold"])) for corpus in corpora)
    number = next(i for i in range(len(got)) if not _close(got[i : i + 1], expected[i : i + 1]))
    tried = f"{len(corpora)} corpora of {lengths} sentences; in the {ORDINALS[number]} {_telling(corpora[number])}"
    raise Wrong(tried=tried, got=got, expected=expected, because=because)


def _because(corpora: Sequence[dict[str, Any]], got: Sequence[float], expected: Sequence[float]) -> str:
    """The mistake that these scores, of corpora with predictions, show; that of the others if these are right."""
    if _close(got, expected):
        return "if nothing is predicted, F1 is 0, even if there was nothing to find: mind 0 / 0"
    for because, wrong in MISTAKES.items():
        if _close(got, [wrong(corpus["pred"], corpus["gold"]) for corpus in corpora]):
            return because
    return RULE


def _telling(corpus: dict[str, Any]) -> str:
    """A sentence of the corpus with an I that continues nothing; if there is none, one with an error, or the first."""
    pairs = list(zip(corpus["pred"], corpus["gold"], strict=True))
    loose = (pair for pair in pairs if _spans(pair[0]) != _spans(pair[0], strict=True))
    wrong = (pair for pair in pairs if pair[0] != pair[1])
    pred, gold = next(loose, None) or next(wrong, pairs[0])
    return f"[{' '.join(pred)}] is predicted for [{' '.join(gold)}]"


def _close(got: Sequence[float], expected: Sequence[float]) -> bool:
    return all(abs(a - b) <= 1e-6 for a, b in zip(got, expected, strict=True))


@exercise.judge(mixed_errors, points=1)
def whole_spans_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An entity is right if its start, its end and its kind are; F1 is 2 right / (predicted + gold)."""
    judge_values(case, result)


@exercise.judge(neighbours, points=1)
def every_b_begins_an_entity(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Entities of one kind that follow each other directly are several entities."""
    judge_values(case, result)


@exercise.judge(uneven_sentences, points=1)
def all_sentences_count_together(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The counts of all sentences are summed before dividing: a sentence with five entities counts for five."""
    judge_values(case, result)


@exercise.judge(loose_tags, points=1)
def every_tag_sequence_has_a_score(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An I that continues no entity of its kind begins one; where nothing is predicted, F1 is 0."""
    judge_values(case, result)
