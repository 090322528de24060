"""A few labels of each class, drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "00-draw-labels",
    answer="label_subset",
    call="label_subset(labels, k, seed)",
    title="Draw a few labels per class",
    hints=(
        "Go class by class: `labels.unique()`, and for each class the positions where `labels == label`.",
        "A shuffled list has no repeats, so take the first k of it. Draw with a generator made from `seed`.",
        "`generator = torch.Generator().manual_seed(seed)`; `where = (labels == label).nonzero().flatten()`; "
        "`where[torch.randperm(len(where), generator=generator)[:k]]`; then torch.cat over the classes.",
    ),
    idea="One generator from the seed; shuffle the positions of each class with torch.randperm, keep the first k; cat.",
)

SEEDS = 40


@exercise.case
def uneven_classes(rng: torch.Generator) -> dict[str, Any]:
    return labels_case(rng, k=3)


def labels_case(rng: torch.Generator, *, k: int) -> dict[str, Any]:
    sizes = (torch.randint(2, 6, (int(torch.randint(9, 13, (), generator=rng)),), generator=rng) + k).tolist()
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    return {"labels": labels[torch.randperm(len(labels), generator=rng)], "k": k}


@exercise.probe
def probe_label_subset(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    draws = []
    for seed in (*range(SEEDS), 0):  # seed 0 comes twice, with other random numbers drawn in between
        returned = need(
            answer(case["labels"].clone(), case["k"], seed), (torch.Tensor, list, tuple, np.ndarray), "indices"
        )
        index = torch.as_tensor([int(i) for i in returned] if isinstance(returned, (list, tuple)) else returned)
        if index.dtype == torch.bool:
            raise Unusable(
                "your answer returned a mask of True and False; return the indices, as mask.nonzero() gives them"
            )
        if index.ndim != 1 or index.is_floating_point():
            raise Unusable(
                f"your answer returned a tensor of shape {tuple(index.shape)}; return the indices in one row"
            )
        draws.append(index)
    return {"draws": draws}


@exercise.judge(uneven_classes, points=2)
def exactly_k_of_each_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every draw holds exactly k indices of each class, none of them twice."""
    _expect_k_of_each_class(case, result)
    for seed, index in enumerate(result["draws"]):
        repeats = len(index) - len(index.unique())
        expect(
            repeats == 0,
            tried=_tried(case, seed),
            got=f"{repeats} repeats",
            expected="0 repeats",
            because="drawn with replacement: a label twice is one label less. Shuffle, and take the first k",
        )


def _expect_k_of_each_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless all draws hold k indices of each class, one perhaps twice: only these labels tell which."""
    labels, k = case["labels"], case["k"]
    classes, draws = int(labels.max()) + 1, result["draws"]
    expect(len(draws) == SEEDS + 1, tried="counting the draws", got=len(draws), expected=SEEDS + 1)
    for seed, index in enumerate(draws):
        inside = bool(((index >= 0) & (index < len(labels))).all())
        within = f"indices from 0 to {len(labels) - 1}"
        expect(inside, tried=_tried(case, seed), got=index, expected=within, because="no such label")
        counts = torch.bincount(labels[index], minlength=classes).tolist()
        because = "some class is short, another has too many: draw class by class"
        if sum(counts) == k:
            because = "k labels were drawn in all: draw k of each class, so that none is missing"
        expect(
            counts == [k] * classes,
            tried=f"{_tried(case, seed)}: how many labels of each class",
            got=counts,
            expected=[k] * classes,
            because=because,
        )


def _tried(case: dict[str, Any], seed: int) -> str:
    return f"{case['k']} a class out of {len(case['labels'])} labels, seed {seed % SEEDS}"


@exercise.judge(uneven_classes, points=1)
def the_same_seed_draws_the_same(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same seed draws the same labels, whatever else was drawn in between."""
    first, again = (sorted(index.tolist()) for index in (result["draws"][0], result["draws"][-1]))
    expect(
        not _all_alike(result["draws"]),
        tried=f"seeds 0 to {SEEDS - 1}",
        got="the same labels from every seed",
        expected="other labels from other seeds, the same ones from the same seed",
        because="what never changes needs no seed to come back: draw by the seed first",
    )
    expect(
        again == first,
        tried="seed 0 twice, with other draws in between",
        got=again,
        expected=first,
        because="the draw doesn't come from `seed` alone: make a generator from it, and give it to whatever draws",
    )
    _expect_balance_first(case, result)


@exercise.judge(uneven_classes, points=1)
def every_label_has_its_chance(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Over many seeds every label is drawn now and then."""
    _expect_balance_first(case, result)
    drawn = torch.cat(result["draws"]).unique()
    never = len(case["labels"]) - len(drawn)
    because = "some labels never have a chance: shuffle all positions of a class, then take k"
    if _all_alike(result["draws"]):
        because = "every seed gives the same labels: taking the first k is not a draw. Shuffle by the seed first"
    expect(
        never == 0,
        tried=f"seeds 0 to {SEEDS - 1}",
        got=f"{never} of {len(case['labels'])} labels were never drawn",
        expected="every label drawn at least once",
        because=because,
    )


def _expect_balance_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise a Wrong of few words unless the draws hold k of each class, which another judge says in full."""
    try:
        _expect_k_of_each_class(case, result)
    except Wrong as wrong:
        raise Wrong(
            tried="counting the labels of each class first",
            got=f"other numbers than {case['k']}",
            expected=f"{case['k']} of each class",
            because="only draws that hold k of each class are looked at here: fix that first",
        ) from wrong


def _all_alike(draws: list[torch.Tensor]) -> bool:
    return all(torch.equal(index.sort().values, draws[0].sort().values) for index in draws)
