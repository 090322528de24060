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
        "Work class by class: loop over `labels.unique()`, and find the positions where `labels == label`.",
        "The first k positions of a shuffled list are a fair draw without repeats. Shuffle with a generator of your "
        "own that is created from `seed`, so that no other random number can change the draw. A slice "
        "[:k] of a shorter list is the whole list; `random.sample` and `numpy.random.choice` raise an error instead.",
        "`generator = torch.Generator().manual_seed(seed)` once; for each class "
        "`positions = (labels == label).nonzero().flatten()`, then "
        "`positions[torch.randperm(len(positions), generator=generator)[:k]]`; `torch.cat` joins the classes.",
    ),
    idea="Create one generator from the seed. For each class, shuffle its positions with torch.randperm and keep the "
    "first k, or all of them if there are fewer. Concatenate.",
)

SEEDS = 40


@exercise.case
def uneven_classes(rng: torch.Generator) -> dict[str, Any]:
    return labels_case(rng, k=3)


@exercise.case
def a_short_class(rng: torch.Generator) -> dict[str, Any]:
    return labels_case(rng, k=4, short=1)


def labels_case(rng: torch.Generator, *, k: int, short: int = 0) -> dict[str, Any]:
    """Shuffled labels of 9 to 12 classes with more than k samples each; `short` of them get fewer than k."""
    classes = int(torch.randint(9, 13, (), generator=rng))
    sizes = torch.randint(2, 6, (classes,), generator=rng) + k
    sizes[torch.randperm(classes, generator=rng)[:short]] = torch.randint(1, max(k, 2), (short,), generator=rng)
    labels = torch.arange(classes).repeat_interleave(sizes)
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
    """Every draw holds exactly k indices of each class, or all of a smaller one, and none of them twice."""
    _expect_k_of_each_class(case, result)
    for seed, index in enumerate(result["draws"]):
        repeats = len(index) - len(index.unique())
        expect(
            repeats == 0,
            tried=_tried(case, seed),
            got=f"{repeats} repeats",
            expected="0 repeats",
            because="a repeated sample means fewer different ones: draw without replacement. Shuffle, and take the "
            "first k",
        )


def _expect_k_of_each_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless all draws hold k indices of each class, one perhaps twice: only these labels tell which."""
    labels, k = case["labels"], case["k"]
    classes, draws = int(labels.max()) + 1, result["draws"]
    wanted = torch.bincount(labels).clamp(max=k).tolist()
    expect(len(draws) == SEEDS + 1, tried="counting the draws", got=len(draws), expected=SEEDS + 1)
    for seed, index in enumerate(draws):
        inside = bool(((index >= 0) & (index < len(labels))).all())
        within = f"indices from 0 to {len(labels) - 1}"
        expect(
            inside,
            tried=_tried(case, seed),
            got=index,
            expected=within,
            because="there is no sample at these positions",
        )
        counts = torch.bincount(labels[index], minlength=classes).tolist()
        because = "k samples of each class, and all of a class that has fewer"
        if all(one.numel() and int(one.max()) < int(torch.bincount(labels).max()) for one in draws):
            because = (
                "no index reaches beyond the size of a class: positions within a class are not positions in labels"
            )
        elif sum(counts) == k:
            because = "k samples were drawn in total: draw k of each class, so that none is missing"
        elif counts == [count if count == k else 0 for count in wanted]:
            because = "classes with fewer than k samples are missing: draw all of their samples"
        elif counts == [k] * classes:
            because = "a class with fewer than k samples was filled up to k: draw each of its samples once"
        elif sum(counts) == sum(wanted) or sum(counts) == k * classes:
            because = "there are as many samples as there should be, but not of each class: draw class by class"
        expect(
            counts == wanted,
            tried=f"{_tried(case, seed)}: how many samples of each class",
            got=counts,
            expected=wanted,
            because=because,
        )


def _tried(case: dict[str, Any], seed: int) -> str:
    return f"k = {case['k']}, {len(case['labels'])} labels, seed {seed % SEEDS}"


@exercise.judge(uneven_classes, points=1)
def the_same_seed_draws_the_same(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same seed draws the same samples, whatever other random numbers are drawn in between."""
    first, again = (sorted(index.tolist()) for index in (result["draws"][0], result["draws"][-1]))
    expect(
        not _all_alike(result["draws"]),
        tried=f"seeds 0 to {SEEDS - 1}",
        got="the same samples for every seed",
        expected="different samples for different seeds, the same ones for the same seed",
        because="the draw doesn't depend on the seed at all, so there is nothing to repeat: make it depend on `seed` "
        "first",
    )
    expect(
        again == first,
        tried="seed 0 twice, with other draws in between",
        got=again,
        expected=first,
        because="the draw doesn't depend on `seed` alone: create a generator from it, and pass that to every random "
        "call",
    )
    _expect_balance_first(case, result)


@exercise.judge(uneven_classes, points=1)
def every_label_has_its_chance(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Over many seeds, every sample is drawn at least once."""
    _expect_balance_first(case, result)
    drawn = torch.cat(result["draws"]).unique()
    never = len(case["labels"]) - len(drawn)
    because = "some samples are never drawn: shuffle all positions of a class, then take k"
    if _all_alike(result["draws"]):
        because = "every seed gives the same samples: taking the first k is not a draw. Shuffle by the seed first"
    expect(
        never == 0,
        tried=f"seeds 0 to {SEEDS - 1}",
        got=f"{never} of {len(case['labels'])} samples were never drawn",
        expected="every sample drawn at least once",
        because=because,
    )


@exercise.judge(a_short_class, points=1)
def a_short_class_is_drawn_whole(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class with fewer than k samples is drawn as a whole, and the others as before."""
    exactly_k_of_each_class.decide(case, result)


def _expect_balance_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise a short Wrong unless the draws hold k of each class; another judge gives the details."""
    try:
        _expect_k_of_each_class(case, result)
    except Wrong as wrong:
        raise Wrong(
            tried="counting the samples of each class first",
            got=f"not {case['k']} of each class",
            expected=f"{case['k']} of each class",
            because="this check needs draws with k samples of each class: fix that first",
        ) from wrong


def _all_alike(draws: list[torch.Tensor]) -> bool:
    return all(torch.equal(index.sort().values, draws[0].sort().values) for index in draws)
