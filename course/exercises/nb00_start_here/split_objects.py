"""A split in which all pictures of one object are on one side, with the same share of every class."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "00-split-objects",
    answer="split_objects",
    call="split_objects(objects, labels, share, seed)",
    title="Split without a leak",
    hints=(
        "Don't draw pictures, draw objects: first find the different names of each class, then draw from the names. "
        "An object's pictures follow their name to one side or the other.",
        "A `set` has no fixed order: Python shuffles the order of strings anew in every session. Sort the names "
        "before you draw, or the seed alone doesn't decide.",
        "For each class: `names = sorted({name for name, label in zip(objects, labels.tolist()) if label == c})`; "
        "`count = min(max(1, round(share * len(names))), len(names) - 1)`; a generator from `seed` and "
        "`torch.randperm` choose `count` of them. Then list the positions whose name was chosen, and the others.",
    ),
    idea="Per class, draw round(share * objects) names, at least one and not all of them, from a generator; "
    "the test side holds the positions whose name was drawn, the training side all the others.",
)

SEEDS = 100


@exercise.case
def several_styles(rng: torch.Generator) -> dict[str, Any]:
    return drawn_case(rng, share=0.22, smallest=2)


def drawn_case(rng: torch.Generator, *, share: float, smallest: int) -> dict[str, Any]:
    """Three to five classes with `smallest` to `smallest` + 5 objects, each with one to four pictures, shuffled.

    `share` times no number of objects ends in one half, so that every way to round gives the same.
    """
    objects: list[str] = []
    labels: list[int] = []
    for label in range(int(torch.randint(3, 6, (), generator=rng))):
        # A small class, one whose test objects are rounded up (0.22 * 7), and one whose are rounded down (0.22 * 6).
        more = (0, 5, 4)[label] if label < 3 else int(torch.randint(0, 6, (), generator=rng))
        for index in range(smallest + more):
            count = int(torch.randint(1, 5, (), generator=rng))
            objects += [f"object {label}.{index}"] * count
            labels += [label] * count
    order = torch.randperm(len(objects), generator=rng).tolist()
    return {"objects": [objects[i] for i in order], "labels": torch.tensor([labels[i] for i in order]), "share": share}


@exercise.probe
def probe_split_objects(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    splits = []
    for seed in (*range(SEEDS), 0):  # seed 0 comes twice, with other random numbers drawn in between
        returned = need(
            answer(list(case["objects"]), case["labels"].clone(), case["share"], seed),
            (tuple, list),
            "a pair: training indices, test indices",
        )
        if len(returned) != 2:
            raise Unusable(f"your answer returned {len(returned)} values; return training indices and test indices")
        splits.append([_as_indices(side) for side in returned])
    return {"splits": splits}


def _as_indices(side: Any) -> torch.Tensor:
    side = need(side, (torch.Tensor, np.ndarray, Iterable), "indices")
    index = torch.as_tensor(side) if isinstance(side, torch.Tensor | np.ndarray) else torch.tensor(list(side))
    if index.numel() == 0:
        return torch.zeros(0, dtype=torch.long)
    if index.dtype == torch.bool:
        raise Unusable(
            "your answer returned a mask of True and False; return the indices, as mask.nonzero() gives them"
        )
    if index.ndim != 1 or index.is_floating_point():
        raise Unusable(
            f"your answer returned indices of shape {tuple(index.shape)}; return a flat list of whole numbers"
        )
    return index.long()


@exercise.judge(several_styles, points=1)
def every_picture_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every picture is on exactly one side."""
    count = len(case["objects"])
    got = len(result["splits"])
    expect(got == SEEDS + 1, tried="counting the splits", got=got, expected=SEEDS + 1)
    for seed, (training, test) in enumerate(result["splits"]):
        both = sorted([*training.tolist(), *test.tolist()])
        expect(
            both == list(range(count)),
            tried=f"{_tried(case, seed)}: the indices of both sides together, sorted",
            got=f"{len(both)} indices, {len(set(both))} of them different",
            expected=f"each of 0 to {count - 1} once",
            because="a picture must be on exactly one side: training or test",
        )


def _expect_first(judge: Any, case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise a short Wrong unless this other judge is content; that one gives the details."""
    try:
        judge(case, result)
    except Wrong as wrong:
        raise Wrong(
            tried="another check of this exercise first",
            got="a split that fails it",
            expected="a split that passes it",
            because="this check needs a split that passes the others above: fix those first",
        ) from wrong


@exercise.judge(several_styles, points=2)
def no_object_on_both_sides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """No object has pictures on both sides, and both sides have some."""
    _expect_first(every_picture_once.decide, case, result)
    for seed, (training, test) in enumerate(result["splits"]):
        sides = [_names(case, side) for side in (training, test)]
        expect(
            sides[0] and sides[1],
            tried=f"{_tried(case, seed)}: counting the objects on each side",
            got=f"{len(sides[0])} and {len(sides[1])}",
            expected="at least one object of every class on each side",
            because="with an empty side nothing is trained or nothing is measured",
        )
        shared = sorted(sides[0] & sides[1])
        expect(
            not shared,
            tried=f"{_tried(case, seed)}: objects with pictures on both sides",
            got=f"{len(shared)} objects, such as {shared[:1]}",
            expected="none",
            because="the test side shows objects that were trained on in another drawing, so it isn't unseen data",
        )


@exercise.judge(several_styles, points=2)
def the_share_of_every_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The test side has the share of each class's objects, rounded; at least one object of a class is on each side."""
    judge_shares(case, result)


def judge_shares(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every split holds the expected number of objects of each class on the test side."""
    _expect_first(every_picture_once.decide, case, result)
    of_class = objects_by_class(case)
    drawn = [_names(case, test) for _, test in result["splits"]]
    counts = [[len(names & one) for names in of_class] for one in drawn]
    expected, down, up = (
        [_clipped(case, names, whole) for names in of_class] for whole in (round, math.floor, math.ceil)
    )
    of_all = round(case["share"] * sum(map(len, of_class)))
    for seed, got in enumerate(counts):
        because = "the share holds for the objects (not the pictures) of each class, at least one and not all of them"
        if [len(names) - count for names, count in zip(of_class, got, strict=True)] == expected:
            because = "the other side has the share: return the training indices first, then the test indices"
        elif all(one == down for one in counts):
            because = "share * n was rounded down; round to the nearest whole number"
        elif all(one == up for one in counts):
            because = "share * n was rounded up; round to the nearest whole number"
        elif any(one != got for one in counts) and all(sum(one) == of_all for one in counts):
            because = "the share holds over all objects together, but not in each class: draw class by class"
        elif [min(max(count, 1), len(names) - 1) for count, names in zip(got, of_class, strict=True)] == expected:
            because = "at least one object of each class is needed on either side, however small or large the share"
        expect(
            got == expected,
            tried=f"{_tried(case, seed)}: objects of each class on the test side, out of {[len(n) for n in of_class]}",
            got=got,
            expected=expected,
            because=because,
        )


def _clipped(case: dict[str, Any], names: set[str], whole: Any) -> int:
    """How many of these objects are on the test side if share times their number is made `whole` like this."""
    return min(max(1, whole(case["share"] * len(names))), len(names) - 1)


@exercise.judge(several_styles, points=1)
def the_seed_decides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same seed gives the same split, and over many seeds every object is on the test side at least once."""
    _expect_first(judge_shares, case, result)
    tests = [sorted(test.tolist()) for _, test in result["splits"]]
    expect(
        any(test != tests[0] for test in tests),
        tried=f"seeds 0 to {SEEDS - 1}",
        got="the same split for every seed",
        expected="different splits for different seeds",
        because="the split doesn't depend on the seed: draw the objects with a generator that is created from it",
    )
    expect(
        tests[-1] == tests[0],
        tried="seed 0 twice, with other draws in between",
        got="two different splits",
        expected="the same split twice",
        because="the split doesn't depend on `seed` alone: create a generator from it, and sort the names before you "
        "draw",
    )
    never = set(case["objects"]) - set().union(*(_names(case, test) for _, test in result["splits"]))
    expect(
        not never,
        tried=f"seeds 0 to {SEEDS - 1}",
        got=f"{len(never)} objects are never on the test side",
        expected="every object at least once",
        because="each object of a class should be equally likely to be drawn",
    )


def objects_by_class(case: dict[str, Any]) -> list[set[str]]:
    """The names of the objects of each class."""
    labels = case["labels"].tolist()
    pairs = list(zip(case["objects"], labels, strict=True))
    return [{name for name, label in pairs if label == c} for c in sorted(set(labels))]


def _names(case: dict[str, Any], side: torch.Tensor) -> set[str]:
    return {case["objects"][i] for i in side.tolist() if 0 <= i < len(case["objects"])}


def _tried(case: dict[str, Any], seed: int) -> str:
    return f"share {case['share']}, {len(case['objects'])} pictures, seed {seed % SEEDS}"
