"""Labels and probabilities of many pictures: in batches, in eval mode, without gradients, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, expect_equal, need

MOST = 16  # pictures at once
COLUMNS = "softmax(0) goes along the pictures"

exercise = Exercise(
    "05-predict-pictures",
    answer="predict",
    call="predict(model, images)",
    title="Predict many pictures",
    withholds=("course.applications.predictor.Predictor",),
    hints=(
        "`images.split(16)` gives batches in order. Put the model into eval mode first, and switch gradients off.",
        "The model gives logits, (B, classes). `softmax(1)` goes along the classes of each picture, `argmax(1)` too.",
        "Append each batch's probabilities to a list; `torch.cat` at the end; labels = probabilities.argmax(1).",
    ),
    idea="model.eval(); with torch.no_grad(): probabilities = torch.cat([model(x).softmax(1) for x in "
    "images.split(16)]); return probabilities.argmax(1), probabilities.",
)


@exercise.case
def in_train_mode(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, int(torch.randint(35, 45, (), generator=rng)))


def pictures_case(rng: torch.Generator, count: int) -> dict[str, Any]:
    """A model whose classes all occur among the pictures: the head's bias is set so that none is preferred."""
    state, x = small_models.drawn_state("cnn", rng), small_models.pictures(rng, count)
    logits = _eval_logits(state, x)
    last = list(state)[-1]
    state[last] = state[last] - logits.mean(0)
    return {"architecture": "cnn", "state": state, "x": x}


def _eval_logits(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return small_models.restore("cnn", state).eval()(x)


@exercise.probe
def probe_predict(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.show_modes(small_models.restore(case["architecture"], case["state"]))
    modes: list[bool] = []
    seen: list[torch.Tensor] = []

    def watch(module: nn.Module, *_: Any) -> None:
        modes.append(any(part.training for part in module.modules()))

    def look(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        seen.append(_thinned(output.detach()))

    model.register_forward_hook(watch)
    _first_layer(model).register_forward_hook(look)
    what = "labels and probabilities: `return labels, probabilities`"
    returned = need(answer(model, case["x"].clone()), (tuple, list), what)
    if len(returned) != 2 or any(part is None for part in returned):
        raise Unusable(f"your answer returned {len(returned)} values; return {what}")
    labels, probabilities = map(_as_tensor, returned)
    graph = probabilities.requires_grad
    # What carries a graph is left out of the second: a flag alone could be set by an answer that knows about it.
    return {
        "labels": labels,
        "probabilities": probabilities,
        "without_graph": None if graph else probabilities,
        "seen": seen[:200],
        "train_mode": any(modes),
    }


def _first_layer(model: nn.Module) -> nn.Module:
    """The layer that sees the pictures: what it gives depends on picture and weights, and on no mode."""
    return next(part for part in model.modules() if isinstance(part, nn.Conv2d))


def _thinned(output: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B, C * H/8 * W/8): enough of it to know the picture by."""
    return output[..., ::8, ::8].flatten(1).clone()


def _as_tensor(value: Any) -> torch.Tensor:
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, torch.Tensor) for part in value):
        raise Unusable("your answer returned a list of tensors; torch.cat or torch.stack makes one of them")
    if not isinstance(value, (torch.Tensor, np.ndarray, list, tuple)):
        raise Unusable(f"your answer returned a {type(value).__name__} for all pictures; return a tensor")
    return torch.as_tensor(value)


@exercise.judge(in_train_mode, points=2)
def probabilities_in_the_pictures_order(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Row i holds the probabilities of picture i: those of the model in eval mode."""
    judge_probabilities(case, result)


def judge_probabilities(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the probabilities are the softmax of the logits in eval mode, row by row."""
    logits, got = _eval_logits(case["state"], case["x"]), result["probabilities"]
    expected = logits.softmax(1)
    tried = f"the probabilities of {len(expected)} pictures"
    if result["train_mode"]:
        raise Wrong(
            tried=tried,
            got="the model ran in train mode",
            expected="eval mode",
            because="in train mode dropout is active and BatchNorm uses the batch's statistics: other answers",
        )
    mistakes = {
        "these are logits; softmax(1) turns them into probabilities": logits,
        f"{COLUMNS}: each picture's probabilities must sum to 1": logits.softmax(0),
        f"{COLUMNS} of a batch: each picture's probabilities must sum to 1": torch.cat(
            [batch.softmax(0) for batch in logits.split(MOST)]
        ),
        "sigmoid treats each class alone; for one class out of several, take softmax(1)": logits.sigmoid(),
        "these are logarithms: log_softmax is for the loss": logits.log_softmax(1),
        "these are percent; return fractions that sum to 1": 100 * expected,
        "labels come first, then probabilities": expected.argmax(1),
        "the last, smaller batch is missing": expected[: len(expected) // MOST * MOST],
    }
    if got.shape == expected.shape and not _close(got, expected) and _close(_ordered(got), _ordered(expected)):
        raise Wrong(
            tried=tried,
            got="the right rows in another order",
            expected="row i for picture i",
            because="the order was lost: row i must answer for picture i, so don't sort or shuffle",
        )
    because = "row i is softmax(1) of the logits that the model gives picture i"
    expect_close(got, expected, tried=tried, atol=1e-4, rtol=1e-3, mistakes=mistakes, because=because)


def _ordered(rows: torch.Tensor) -> torch.Tensor:
    """The rows, sorted by their first number."""
    return rows[rows[:, 0].argsort()].double()


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a.double(), b.double().expand_as(a), atol=1e-4, rtol=1e-3)


@exercise.judge(in_train_mode, points=1)
def labels_in_the_pictures_order(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Label i is the most likely class of picture i, as a whole number."""
    logits, got = _eval_logits(case["state"], case["x"]), result["labels"]
    expected = logits.argmax(1)
    mistakes = {
        "the order was lost: these are the right labels, sorted": expected.sort().values,
        "these are the probabilities; labels come first, and are what argmax(1) gives": logits.softmax(1),
        f"{COLUMNS}, and then the largest number of a row says little": logits.softmax(0).argmax(1),
        f"{COLUMNS} of a batch, and then the largest number of a row says little": torch.cat(
            [batch.softmax(0) for batch in logits.split(MOST)]
        ).argmax(1),
    }
    if in_train := _train_logits(case, result):
        mistakes["the model ran in train mode, where it gives other answers"] = torch.cat(in_train).argmax(1)
    if got.is_floating_point() and got.shape == expected.shape:
        mistakes["`max` gives the highest probability; `argmax` says which class has it"] = logits.softmax(1).amax(1)
    tried, known = f"the labels of {len(expected)} pictures", any(_equal(got, made) for made in mistakes.values())
    moved = got.ndim == 1 and _equal(got.sort().values, expected.sort().values) and not _equal(got, expected)
    if moved and not known:
        because = "the order was lost: the right labels, beside other pictures"
        raise Wrong(tried="the labels", got=got[:12], expected=expected[:12], because=because)
    because = "label i is argmax(1) of picture i's logits in eval mode, for every picture"
    expect_equal(got, expected, tried=tried, mistakes=mistakes, because=because)


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.double(), b.double())


@exercise.judge(in_train_mode, points=1)
def a_batch_at_a_time(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At most 16 pictures go through the model at once, and not one by one; every picture once."""
    count, sizes = len(case["x"]), [len(batch) for batch in result["seen"]]
    tried = f"{count} pictures: how many go through the model at once"
    expect(sizes, tried=tried, got="none", expected=f"at most {MOST}", because="the model never ran")
    because = f"batches that are larger than {MOST} may not fit into the memory: split the pictures"
    expect(max(sizes) <= MOST, tried=tried, got=max(sizes), expected=f"at most {MOST}", because=because)
    because = "one picture at a time gives the right answer, but many times slower than in batches"
    expect(len(sizes) <= count // 2, tried=tried, got=f"{len(sizes)} runs", expected="batches", because=because)
    times = torch.bincount(_which_seen(case, result), minlength=count + 1)
    never, again, others = int((times[:count] == 0).sum()), int((times[:count] > 1).sum()), int(times[count])
    because = "each picture goes through the model once"
    if never and sum(sizes) == count // MOST * MOST:
        because = "the last, smaller batch is missing"
    if others:
        because = "the pictures are ready for the model: give them to it as they are"
    expect(
        not (never or again or others),
        tried=f"which of the {count} pictures the model saw",
        got=f"{never} of them never, {again} more than once" + (f", and {others} other pictures" if others else ""),
        expected=f"each of the {count} once",
        because=because,
    )


def _which_seen(case: dict[str, Any], result: dict[str, Any]) -> torch.Tensor:
    """For each picture that went through the model, in order, its number; for one that was not given, their count."""
    with torch.no_grad():
        known = _thinned(_first_layer(small_models.restore("cnn", case["state"]))(case["x"])).double()
    seen = torch.cat(result["seen"]).double() if result["seen"] else known[:0]
    apart, number = torch.cdist(seen, known, p=float("inf")).min(1)
    return torch.where(apart < 1e-3, number, len(known))


@exercise.judge(in_train_mode, points=1)
def no_graph_is_kept(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The probabilities carry no autograd graph."""
    tried, got = "reading `probabilities.requires_grad`", result["without_graph"]
    expect(
        isinstance(got, torch.Tensor),
        tried=tried,
        got="True",
        expected="False",
        because="without torch.no_grad() every batch keeps its activations for a backward pass that never comes",
    )
    # Whether they are the right numbers is judged elsewhere; only those that the model made could carry a graph.
    expect(
        any(_are_rows_of(got, values) for values in _made_of_logits(case, result)),
        tried=tried,
        got="False, of numbers that one pass over these pictures gives in neither mode",
        expected="False, of the model's probabilities",
        because="labels carry no graph in any case: they come first, then the probabilities"
        if got.ndim == 1
        else "only what the model computed could carry a graph: fix the probabilities first",
    )


def _made_of_logits(case: dict[str, Any], result: dict[str, Any]) -> Iterator[torch.Tensor]:
    """(pictures, classes) each: right and mistaken answers computed from the logits, in eval mode and in train mode."""
    for batches in (_eval_logits(case["state"], case["x"]).split(MOST), _train_logits(case, result)):
        if batches:
            logits = torch.cat(batches)
            yield from (logits, logits.sigmoid(), logits.softmax(0), torch.cat([batch.softmax(0) for batch in batches]))
            yield from (logits.softmax(1), 100 * logits.softmax(1), logits.log_softmax(1), logits.softmax(1).softmax(1))


def _train_logits(case: dict[str, Any], result: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    """What the model gives in train mode, batch by batch as the answer ran it: BatchNorm looks at the whole batch."""
    sizes, number = [len(batch) for batch in result["seen"]], _which_seen(case, result)
    if not sizes or min(sizes) < 2 or bool((number == len(case["x"])).any()):
        return ()
    model = small_models.show_modes(small_models.restore("cnn", case["state"]))
    with torch.no_grad():
        return tuple(model(case["x"][batch]) for batch in number.split(sizes))


def _are_rows_of(got: torch.Tensor, values: torch.Tensor) -> bool:
    """Whether each row is one of the values' rows, in whatever order, and most of these are there."""
    if got.ndim != 2 or got.shape[1] != values.shape[1] or 2 * len(got) < len(values):
        return False
    apart = torch.cdist(got.double(), values.double(), p=float("inf"))
    near = apart <= 1e-4 + 1e-3 * values.double().abs().amax(1)
    return bool(near.any(1).all()) and 2 * int(near.any(0).sum()) >= len(values)
