"""The confusion matrix, and the balanced accuracy that is read from it."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

ADD_ONE = "each picture adds one, at row `true` and column `pred`, so the entries sum to the number of pictures"
RECALLS = (
    "the balanced accuracy is the mean of the recalls (diagonal over row sum) of the classes that have test pictures"
)
WHAT = "a matrix and a number: `return matrix, balanced`"

exercise = Exercise(
    "05-count-confusions",
    answer="confusion",
    call="confusion(pred, true, n)",
    title="Count confusions, and weigh every class alike",
    withholds=("course.inspection.class_report.class_report",),
    hints=(
        "Start with n x n zeros and count every pair (true class, predicted class). Rows are the true classes.",
        "`matrix[true, pred] += 1` with whole tensors counts a repeated pair only once. Loop over the pairs, or give "
        "each pair a number of its own and count those.",
        "A class's recall is its diagonal entry divided by its row sum. Which classes have no recall? Leave those out "
        "before you take the mean.",
    ),
    idea="torch.bincount(true * n + pred, minlength=n * n).reshape(n, n) counts the pairs. With rows = matrix.sum(1), "
    "take occurs = rows > 0; balanced = (matrix.diagonal()[occurs] / rows[occurs]).mean().",
)


@exercise.case
def unequal_classes(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn_labels(rng, n, range(n)) for n in (2, 3, 5)]}


@exercise.case
def classes_that_never_occur(rng: torch.Generator) -> dict[str, Any]:
    """The last class and another one are neither true nor predicted; one more is predicted and never true."""
    never, only_predicted = torch.randperm(5, generator=rng)[:2].add(1).tolist()
    draw = drawn_labels(rng, 7, [label for label in range(6) if label not in (never, only_predicted)])
    draw["pred"][(draw["pred"] == draw["true"]).nonzero()[:2]] = only_predicted
    return {"draws": [draw]}


def drawn_labels(rng: torch.Generator, n: int, classes: Any) -> dict[str, Any]:
    """Predicted and true labels among these classes, unequally many of each, more often confused one way round."""
    chosen = torch.tensor(list(classes))
    weights = torch.linspace(1, 4, len(chosen))
    while True:
        count = int(torch.randint(40, 70, (), generator=rng))
        true = chosen[torch.multinomial(weights, count, replacement=True, generator=rng)]
        pred = chosen[torch.randint(len(chosen), (count,), generator=rng)]
        # Often right, and often wrong towards the first of the classes, so that errors are not symmetric.
        kind = torch.rand(count, generator=rng)
        pred = torch.where(kind < 0.5, true, torch.where(kind < 0.8, chosen[0], pred))
        matrix = counted(pred, true, n)
        occurs = len(true.unique()) == len(chosen)
        accuracy = float((pred == true).double().mean())
        if (
            occurs
            and not torch.equal(matrix, matrix.T)
            and matrix.max() > 2
            and abs(accuracy - balanced(matrix)) > 0.02
        ):
            return {"pred": pred, "true": true, "n": n}


def counted(pred: torch.Tensor, true: torch.Tensor, n: int) -> torch.Tensor:
    """(n, n) int64: how often the row's class was taken for the column's."""
    return torch.bincount(true * n + pred, minlength=n * n).reshape(n, n)


def balanced(matrix: torch.Tensor) -> float:
    """The mean recall of the classes with at least one picture."""
    matrix = matrix.double()
    rows = matrix.sum(1)
    return float((matrix.diagonal()[rows > 0] / rows[rows > 0]).mean())


@exercise.probe
def probe_confusion(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    matrices, scores = [], []
    for draw in case["draws"]:
        returned = need(answer(draw["pred"].clone(), draw["true"].clone(), draw["n"]), (tuple, list), WHAT)
        if len(returned) != 2:
            raise Unusable(f"your answer returned {len(returned)} values; return {WHAT}")
        try:
            matrix, score = torch.as_tensor(returned[0]), float(returned[1])
        except (ValueError, TypeError, RuntimeError) as error:
            raise Unusable(f"your answer's values are not {WHAT} ({error})") from error
        matrices.append(matrix.detach().double())
        scores.append(score)
    return {"matrices": matrices, "scores": torch.tensor(scores, dtype=torch.float64)}


@exercise.judge(unequal_classes, points=2)
def rows_are_true_and_columns_predicted(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Row i, column j counts the pictures of class i that were predicted as class j."""
    judge_matrices(case, result)


@exercise.judge(unequal_classes, points=1)
def every_class_weighs_the_same(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The balanced accuracy is the mean of the classes' recalls, however many pictures each class has."""
    judge_scores(case, result)


@exercise.judge(classes_that_never_occur, points=2)
def absent_classes_keep_their_place(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class without test pictures keeps its row and its column, and takes no part in the mean."""
    judge_matrices(case, result, either_way=True)
    judge_scores(case, result)


def judge_matrices(case: dict[str, Any], result: dict[str, Any], *, either_way: bool = False) -> None:
    """Raise Wrong unless every matrix is the count of pairs, rows true and columns predicted (or `either_way`)."""
    expect(
        len(result["matrices"]) == len(case["draws"]),
        tried="counting the matrices",
        got=len(result["matrices"]),
        expected=len(case["draws"]),
        because="one matrix per call",
    )
    for draw, got in zip(case["draws"], result["matrices"], strict=True):
        expected = counted(draw["pred"], draw["true"], draw["n"]).double()
        tried = f"{len(draw['true'])} pictures of {draw['n']} classes"
        expect(
            got.shape == expected.shape,
            tried=tried,
            got=tuple(got.shape),
            expected=tuple(expected.shape),
            because="n is given, so the shape doesn't depend on which classes occur: start with n x n zeros",
        )
        if not (either_way and torch.equal(got, expected.T)):  # which way round is judged elsewhere
            expect_close(got, expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistaken(expected), because=ADD_ONE)


def judge_scores(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every score is the balanced accuracy, naming the average that it is instead."""
    expect(
        len(result["scores"]) == len(case["draws"]),
        tried="counting the balanced accuracies",
        got=len(result["scores"]),
        expected=len(case["draws"]),
        because="one number per call",
    )
    for draw, got in zip(case["draws"], result["scores"].tolist(), strict=True):
        matrix = counted(draw["pred"], draw["true"], draw["n"])
        tried = f"the balanced accuracy, with {matrix.sum(1).tolist()} pictures per class"
        expect_close(
            got,
            balanced(matrix),
            tried=tried,
            atol=1e-5,
            rtol=0,
            mistakes=mistaken_scores(matrix),
            because=RECALLS,
        )


def mistaken(expected: torch.Tensor) -> dict[str, torch.Tensor]:
    """Misconception -> the matrix that it gives."""
    rows = expected / expected.sum(1, keepdim=True).clamp_min(1)
    return {
        "transposed: rows are the true classes and columns the predicted ones": expected.T,
        "each pair was counted once: `matrix[true, pred] += 1` with whole tensors adds one to a repeated cell": (
            expected.clamp_max(1)
        ),
        "transposed, and each pair was counted once": expected.T.clamp_max(1),
        "these are fractions of each row; return counts: how many pictures there were matters too": rows,
        "these are fractions of all pictures; return counts": expected / expected.sum(),
        "only the right answers were counted; a confusion is what lies off the diagonal": expected.diag().diag(),
        "only the errors were counted; right answers belong on the diagonal": expected - expected.diag().diag(),
    }


def mistaken_scores(matrix: torch.Tensor) -> dict[str, float]:
    """Misconception -> the number that it gives."""
    matrix = matrix.double()
    hits, rows, columns = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    predicted = columns > 0
    made = {
        "this is the accuracy, in which a class with many pictures weighs more": float(hits.sum() / rows.sum()),
        "this is the mean precision: divide by the row sums (true pictures), not the column sums": float(
            (hits[predicted] / columns[predicted]).mean()
        ),
        "these are percent; return a fraction": 100 * balanced(matrix),
    }
    if bool((rows == 0).any()):
        made |= {
            "a class without pictures has no recall; it was averaged in as 0": float((hits / rows.clamp_min(1)).mean()),
            "a class without pictures has no recall; it was averaged in as 1": float(
                torch.where(rows > 0, hits / rows.clamp_min(1), 1.0).mean()
            ),
            "0 divided by 0 is nan, and so is every mean that contains it: leave out classes without pictures": float(
                "nan"
            ),
        }
    return {words: value for words, value in made.items() if value != balanced(matrix)}
