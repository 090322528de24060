"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

ADD_ONE = "each picture adds one, at row `true`, column `pred`: all entries together are the number of pictures"

exercise = Exercise(
    "05-count-confusions",
    answer="confusion",
    call="confusion(pred, true, n)",
    title="Count which class is taken for which",
    hints=(
        "Start with n x n zeros. Go through the pairs (true class, predicted class), and count each one.",
        "Rows are the true classes: `matrix[true[i], pred[i]] += 1`. The other way round is the transposed matrix.",
        "`matrix[true, pred] += 1` with whole tensors counts a repeated pair once; use a loop, or "
        "`torch.bincount(true * n + pred, minlength=n * n).reshape(n, n)`.",
    ),
    idea="Every pair has a number, true * n + pred; torch.bincount counts the numbers from 0 to n * n - 1; reshape.",
)


@exercise.case
def unequal_classes(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn_labels(rng, n, range(n)) for n in (2, 3, 5)]}


@exercise.case
def classes_that_never_occur(rng: torch.Generator) -> dict[str, Any]:
    """The last class is never true nor predicted, and another one neither."""
    never = int(torch.randint(1, 5, (), generator=rng))
    return {"draws": [drawn_labels(rng, 7, [label for label in range(6) if label != never])]}


def drawn_labels(rng: torch.Generator, n: int, classes: Any) -> dict[str, Any]:
    """Predicted and true labels among these classes; transposing, or counting a pair once, is found out."""
    chosen = torch.tensor(list(classes))
    while True:
        count = int(torch.randint(30, 60, (), generator=rng))
        true = chosen[torch.randint(len(chosen), (count,), generator=rng)]
        pred = chosen[torch.randint(len(chosen), (count,), generator=rng)]
        # Often right, and often wrong towards the first of the classes, so that errors are not symmetric.
        kind = torch.rand(count, generator=rng)
        pred = torch.where(kind < 0.5, true, torch.where(kind < 0.8, chosen[0], pred))
        matrix = counted(pred, true, n)
        if not torch.equal(matrix, matrix.T) and matrix.max() > 2:
            return {"pred": pred, "true": true, "n": n}


def counted(pred: torch.Tensor, true: torch.Tensor, n: int) -> torch.Tensor:
    """(n, n) int64: how often row's class was taken for column's."""
    return torch.bincount(true * n + pred, minlength=n * n).reshape(n, n)


@exercise.probe
def probe_confusion(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    matrices = []
    for draw in case["draws"]:
        returned = need(
            answer(draw["pred"].clone(), draw["true"].clone(), draw["n"]),
            (torch.Tensor, np.ndarray, list),
            "an n x n tensor",
        )
        try:
            matrix = torch.as_tensor(returned)
        except (ValueError, TypeError, RuntimeError) as error:
            raise Unusable("your answer returned rows that make no matrix; return an n x n tensor") from error
        matrices.append(matrix.detach().double())
    return {"matrices": matrices}


@exercise.judge(unequal_classes, points=2)
def rows_are_true_and_columns_predicted(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Row i, column j counts the pictures of class i that were taken for class j."""
    judge_matrices(case, result)


def judge_matrices(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every matrix is the count of pairs, rows true and columns predicted."""
    expect(len(result["matrices"]) == len(case["draws"]), tried="counting the matrices", got=0, expected="one a draw")
    for draw, got in zip(case["draws"], result["matrices"], strict=True):
        expected = counted(draw["pred"], draw["true"], draw["n"]).double()
        shape = tuple(got.shape)
        because = "a class that never occurs keeps its row and column: start with n x n zeros"
        tried = f"{len(draw['true'])} pictures of {draw['n']} classes"
        expect(got.shape == expected.shape, tried=tried, got=shape, expected=tuple(expected.shape), because=because)
        expect_close(got, expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistaken(expected), because=ADD_ONE)


def mistaken(expected: torch.Tensor) -> dict[str, torch.Tensor]:
    """Misconception -> the matrix that it gives."""
    rows = expected / expected.sum(1, keepdim=True).clamp_min(1)
    return {
        "transposed: rows are the true classes and columns the predicted ones": expected.T,
        "each pair was counted once: `matrix[true, pred] += 1` with whole tensors adds to a repeated place only once": (
            expected.clamp_max(1)
        ),
        "transposed, and each pair was counted once": expected.T.clamp_max(1),
        "these are fractions of each row; return counts: how many pictures there were matters too": rows,
        "these are fractions of all pictures; return counts": expected / expected.sum(),
        "only the right answers were counted; a confusion is what lies off the diagonal": expected.diag().diag(),
        "only the errors were counted; right answers belong on the diagonal": expected - expected.diag().diag(),
    }


@exercise.judge(classes_that_never_occur, points=1)
def absent_classes_keep_their_place(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class that is never true and never predicted still has its row and its column of zeros."""
    (draw,) = case["draws"]
    expected = counted(draw["pred"], draw["true"], draw["n"]).double()
    got = result["matrices"][0] if len(result["matrices"]) == 1 else torch.zeros(0)
    tried = f"{draw['n']} classes, of which two never occur"
    because = "a class that never occurs keeps its row and column: start with n x n zeros"
    expect(got.shape == expected.shape, tried=tried, got=tuple(got.shape), expected=(draw["n"],) * 2, because=because)
    if not torch.equal(got, expected.T):  # which way round is judged elsewhere
        expect_close(got, expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistaken(expected), because=ADD_ONE)
