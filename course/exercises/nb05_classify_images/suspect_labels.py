"""Confident learning: which given labels do out-of-fold probabilities contradict?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "05-suspect-labels",
    answer="suspect_labels",
    call="suspect_labels(probabilities, labels)",
    title="Suspect a label",
    hints=(
        "One threshold per class first: the mean of column j over the samples that carry the label j. What do you do "
        "with a class that no sample carries?",
        "For each sample, which classes reach their own threshold? Of those, the one with the highest probability is "
        "what the model believes with confidence. A sample that reaches none is not suspected.",
        "Set the probabilities that stay below their class's threshold to -1 and take the argmax of each row. Suspect "
        "a row if something reached its threshold and the argmax is not the given label; sort by the probability of "
        "the given label.",
    ),
    idea="t[j] = p[labels == j, j].mean(), or infinity if no sample has the label j; q = p.where(p >= t, -1); "
    "suspected = (q.amax(1) >= 0) & (q.argmax(1) != labels); return those indices, sorted by p[i, labels[i]].",
)


@exercise.case
def planted_errors(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn_probabilities(rng, classes) for classes in (3, 6)]}


@exercise.case
def a_class_without_labels(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn_probabilities(rng, 5, empty=int(torch.randint(5, (), generator=rng)))]}


def drawn_probabilities(rng: torch.Generator, classes: int, *, empty: int | None = None) -> dict[str, Any]:
    """Probabilities of a model that is surer of some classes than of others, and labels of which some are wrong."""
    while True:
        count = int(torch.randint(50, 80, (), generator=rng))
        names = [label for label in range(classes) if label != empty]
        true = torch.tensor(names)[torch.randint(len(names), (count,), generator=rng)]
        sharpness = torch.linspace(0.6, 3.0, classes)[torch.randperm(classes, generator=rng)]
        logits = 1.2 * torch.randn(count, classes, generator=rng)
        logits[torch.arange(count), true] += sharpness[true]
        probabilities = logits.softmax(1)
        moved = torch.rand(count, generator=rng) < 0.15
        other = torch.tensor(names)[torch.randint(len(names), (count,), generator=rng)]
        labels = torch.where(moved, other, true)
        draw = {"probabilities": probabilities, "labels": labels}
        if _is_telling(draw) and len(labels.unique()) == len(names):
            return draw


def _is_telling(draw: dict[str, Any]) -> bool:
    """Whether each mistake that can be made gives another list here, and no value is too near its threshold."""
    probabilities, labels = draw["probabilities"].double(), draw["labels"]
    expected = suspected(probabilities, labels)
    levels = thresholds(probabilities, labels)
    near = (probabilities - levels).abs().min() < 1e-5
    made = [mistake(probabilities, labels) for mistake in MISTAKES.values()]
    if len(labels.unique()) < probabilities.shape[1]:
        others = [mistake(probabilities, labels) for mistake in MISTAKES_WITHOUT_LABELS.values()]
        if any(sorted(other) == sorted(one) for other in others for one in made):
            return False
        made += others
    return 4 <= len(expected) < len(labels) / 2 and not bool(near) and all(other != expected for other in made)


def thresholds(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(classes,): the mean probability of each class over the samples with that label; infinite without any."""
    levels = torch.full((probabilities.shape[1],), float("inf"), dtype=probabilities.dtype)
    for label in labels.unique().tolist():
        levels[label] = probabilities[labels == label, label].mean()
    return levels


def suspected(probabilities: torch.Tensor, labels: torch.Tensor, levels: torch.Tensor | None = None) -> list[int]:
    """The samples off the diagonal of the confident joint (Northcutt et al., 2021), least probable label first."""
    levels = thresholds(probabilities, labels) if levels is None else levels
    confident = torch.where(probabilities >= levels, probabilities, -1.0)
    off = (confident.amax(1) >= 0) & (confident.argmax(1) != labels)
    return _sorted(probabilities, labels, off)


def _sorted(probabilities: torch.Tensor, labels: torch.Tensor, chosen: torch.Tensor) -> list[int]:
    given = probabilities[torch.arange(len(labels)), labels]
    return [i for i in given.argsort(stable=True).tolist() if chosen[i]]


@exercise.probe
def probe_suspect_labels(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    found = []
    for draw in case["draws"]:
        returned = need(
            answer(draw["probabilities"].clone(), draw["labels"].clone()),
            (list, tuple, np.ndarray, torch.Tensor),
            "a list of indices",
        )
        values = torch.as_tensor(np.asarray(returned) if isinstance(returned, np.ndarray) else returned)
        if values.dtype == torch.bool:
            raise Unusable("your answer returned True and False for each sample; return the indices, in order")
        if values.ndim != 1:
            raise Unusable(f"your answer returned values of shape {tuple(values.shape)}; return one list of indices")
        found.append(values.double())
    return {"found": found}


@exercise.judge(planted_errors, points=2)
def the_right_samples_are_suspected(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A sample is suspected if, of the classes that reach their threshold, the likeliest is not its label."""
    judge_lists(case, result, in_order=False)


@exercise.judge(planted_errors, points=1)
def the_least_probable_label_comes_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The suspects are sorted by the probability of their given label, the lowest first."""
    judge_lists(case, result, in_order=True)


@exercise.judge(a_class_without_labels, points=2)
def a_class_without_labels_suspects_nobody(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class that no sample is labelled with has no threshold, and no sample is suspected of belonging to it."""
    judge_lists(case, result, in_order=False)


def judge_lists(case: dict[str, Any], result: dict[str, Any], *, in_order: bool) -> None:
    """Raise Wrong unless the indices are those of the suspects, naming the rule that they follow instead."""
    draws, found = case["draws"], result["found"]
    expect(
        len(found) == len(draws),
        tried="counting the lists",
        got=len(found),
        expected=len(draws),
        because="one list per call",
    )
    arrange: Callable[[list[int]], list[int]] = list if in_order else sorted
    expected = [suspected(draw["probabilities"].double(), draw["labels"]) for draw in draws]
    got = [[int(i) for i in values.tolist()] for values in found]
    if [arrange(one) for one in got] == [arrange(one) for one in expected]:
        return
    because = (
        "compare every probability with its own class's threshold, and the likeliest that reaches it with the label"
    )
    if in_order and [sorted(one) for one in got] == [sorted(one) for one in expected]:
        because = "these are the right samples in another order: sort by probabilities[i, labels[i]], the lowest first"
    else:
        for words, mistake in {**MISTAKES, **MISTAKES_WITHOUT_LABELS}.items():
            made = [mistake(draw["probabilities"].double(), draw["labels"]) for draw in draws]
            if [sorted(one) for one in got] == [sorted(one) for one in made]:
                because = words
                break
    worst = next(i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if arrange(a) != arrange(b))
    expect(
        False,
        tried=f"{len(draws[worst]['labels'])} samples with labels of {len(draws[worst]['labels'].unique())} classes",
        got=f"{len(got[worst])} suspects: {got[worst][:8]}",
        expected=f"{len(expected[worst])} suspects: {expected[worst][:8]}",
        because=because,
    )


def _disagreeing(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    return _sorted(probabilities, labels, probabilities.argmax(1) != labels)


def _at_one_half(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    return suspected(probabilities, labels, torch.full((probabilities.shape[1],), 0.5, dtype=probabilities.dtype))


def _label_below_threshold(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    given = probabilities[torch.arange(len(labels)), labels]
    return _sorted(probabilities, labels, given < thresholds(probabilities, labels)[labels])


def _any_other_reaches(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    reached = probabilities >= thresholds(probabilities, labels)
    reached[torch.arange(len(labels)), labels] = False
    return _sorted(probabilities, labels, reached.any(1))


def _most_likely_must_reach(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    top, likeliest = probabilities.max(1)
    return _sorted(probabilities, labels, (likeliest != labels) & (top >= thresholds(probabilities, labels)[likeliest]))


def _reached_by_all(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    levels = thresholds(probabilities, labels)
    return suspected(probabilities, labels, torch.where(levels.isinf(), 0.0, levels))


MISTAKES_WITHOUT_LABELS = {
    "a class that no sample is labelled with got the threshold 0, which every sample reaches": _reached_by_all
}
MISTAKES: dict[str, Callable[[torch.Tensor, torch.Tensor], list[int]]] = {
    "every sample whose argmax isn't its label is listed; the threshold of a class, its mean over samples *labelled* "
    "with it (not over all samples), leaves fewer": _disagreeing,
    "0.5 for every class ignores that the model is surer of some classes than of others": _at_one_half,
    "a low probability of the given label alone is no evidence for another class: which one reaches its threshold?": (
        _label_below_threshold
    ),
    "if the given label reaches its threshold too, and with a higher probability, the sample is not suspected": (
        _any_other_reaches
    ),
    "the argmax over all classes was compared with its threshold; take the likeliest of those that reach theirs": (
        _most_likely_must_reach
    ),
}
