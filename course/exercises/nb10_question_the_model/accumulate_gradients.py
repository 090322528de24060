"""Gradient accumulation: small batches whose gradients add up to exactly those of one large batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.judging import Exercise, Wrong, expect

exercise = Exercise(
    "10-accumulate-gradients",
    answer="accumulate",
    call="accumulate(model, batches)",
    title="A large batch in small ones",
    withholds=("course.training.loop.train_one_epoch", "course.training.loop.fit"),
    hints=(
        "`backward()` *adds* to `.grad`. How often must you clear the gradients, and how often call `backward()`?",
        "The mean over all samples is not the mean of the batches' means unless all batches have the same size. By "
        "what must each batch's mean loss be multiplied?",
        'The share of a batch is len(y) divided by the number of all samples. `cross_entropy(..., reduction="sum")` '
        "leaves only one division. `batches` is a list, so you can count the samples first.",
    ),
    idea="total = sum(len(y) for _, y in batches); model.zero_grad(); for x, y in batches: "
    '(cross_entropy(model(x), y, reduction="sum") / total).backward().',
)


RULE = "each batch adds the gradient of its mean loss times len(y) / all samples"
STEP = "the optimiser steps after this function"


@exercise.case
def equal_batches(rng: torch.Generator) -> dict[str, Any]:
    return batches_case(rng, [6, 6, 6, 6])


@exercise.case
def ragged_last_batch(rng: torch.Generator) -> dict[str, Any]:
    return batches_case(rng, [8, 8, 8, int(torch.randint(1, 4, (), generator=rng))])


@exercise.case
def old_gradients(rng: torch.Generator) -> dict[str, Any]:
    return batches_case(rng, [5, 5, 5], stale=True)


def batches_case(rng: torch.Generator, sizes: list[int], *, stale: bool = False, classes: int = 4) -> dict[str, Any]:
    """A small network, batches of these sizes, and perhaps gradients left over from an earlier step."""
    state = {name: torch.randn(v.shape, generator=rng) / 2 for name, v in network(classes).state_dict().items()}
    return {
        "classes": classes,
        "state": state,
        "xs": [torch.randn(size, 6, generator=rng) for size in sizes],
        "ys": [torch.randint(classes, (size,), generator=rng) for size in sizes],
        "stale": {name: torch.randn(v.shape, generator=rng) for name, v in state.items()} if stale else {},
    }


def network(classes: int) -> nn.Sequential:
    """Two layers without BatchNorm, with which small batches would not add up to the large one."""
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, classes))


def _restored(case: dict[str, Any]) -> nn.Sequential:
    model = network(case["classes"])
    model.load_state_dict(case["state"])
    return model


@exercise.probe
def probe_accumulate(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _restored(case)
    for name, parameter in model.named_parameters():
        parameter.grad = case["stale"][name].clone() if case["stale"] else None
    order: list[str] = []
    largest = 0

    def watch(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal largest
        largest = max(largest, len(output))
        if output.requires_grad:  # else it keeps no activations
            order.append("forward")
            output.register_hook(lambda _gradient: order.append("backward"))

    model.register_forward_hook(watch)
    answer(model, [(x.clone(), y.clone()) for x, y in zip(case["xs"], case["ys"], strict=True)])
    grads = {name: None if p.grad is None else p.grad.detach().clone() for name, p in model.named_parameters()}
    in_turn = order == ["forward", "backward"] * (len(order) // 2)
    in_parts = largest <= max(map(len, case["xs"]))
    # The gradients again, not a flag: an answer that knows of a flag could set it.
    return {
        "grads": grads,
        "in_parts": grads if in_parts else None,
        "in_turn": grads if in_turn else None,
        "state": model.state_dict(),
    }


def _candidates(case: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """The right gradients ("right"), and those that mistakes lead to, by the name of the mistake."""
    model = _restored(case)
    sizes = [len(y) for y in case["ys"]]
    total, count = sum(sizes), len(sizes)

    def gradients(through: Callable[[torch.Tensor], torch.Tensor] = lambda logits: logits) -> list[Any]:
        parts = []
        for x, y in zip(case["xs"], case["ys"], strict=True):
            model.zero_grad()
            F.cross_entropy(through(model(x)), y).backward()
            parts.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        return parts

    means, of_softmax = gradients(), gradients(lambda logits: logits.softmax(1))

    def weighted(*shares: float, parts: list[Any] = means) -> dict[str, torch.Tensor]:
        return {
            name: sum((s * p[name] for s, p in zip(shares, parts, strict=True)), torch.zeros(())) for name in parts[0]
        }

    last = [0.0] * (count - 1)
    found = {"right": weighted(*(size / total for size in sizes))}
    if len(set(sizes)) > 1:
        found["the last, smaller batch counted as much as a full one: weight it by len(y) / all samples"] = weighted(
            *[1 / count] * count
        )
        found["every batch was divided by the first batch's size"] = weighted(
            *(size / (sizes[0] * count) for size in sizes)
        )
        found["the last, smaller batch is missing"] = weighted(*[1 / (count - 1)] * (count - 1), 0.0)
    return found | {
        "this is the sum of the batches' mean gradients: weight each by len(y) / all samples": (
            weighted(*[1.0] * count)
        ),
        "these are sums over samples: divide by their number": weighted(*map(float, sizes)),
        "only the last batch is in the gradient: clear before the loop, and call `backward()` inside it": weighted(
            *last, 1.0
        ),
        "only the last batch, with its share, is in the gradient: clear before the loop, `backward()` inside": weighted(
            *last, sizes[-1] / total
        ),
        "only the last batch is in the gradient, over the number of batches: clear before the loop": weighted(
            *last, 1 / count
        ),
        "only the first batch is in the gradient": weighted(1.0, *last),
        "each batch's mean was divided by the number of all samples: multiply it by len(y), too": weighted(
            *[1 / total] * count
        ),
        "softmax was applied before the loss: cross_entropy expects logits": weighted(
            *(size / total for size in sizes), parts=of_softmax
        ),
        "divided twice": weighted(*(size / total / count for size in sizes)),
    }


def _matches(got: dict[str, Any], expected: dict[str, torch.Tensor]) -> bool:
    return got.keys() == expected.keys() and all(
        isinstance(got[name], torch.Tensor)
        and got[name].shape == value.shape
        and torch.allclose(got[name].double(), value.double(), rtol=1e-3, atol=1e-5)
        for name, value in expected.items()
    )


def judge_gradients(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the gradients are those of the mean loss over all samples."""
    known = _candidates(case)
    right = known.pop("right")
    sizes = [len(y) for y in case["ys"]]
    tried = f"batches of {sizes}, compared with one batch of {sum(sizes)}"
    if _matches(result["grads"], right):
        return
    name = list(right)[-1]  # the head's bias: short, and none of its values is zero
    got = result["grads"].get(name)
    if got is None:
        because = "no gradient is left: call `backward()` on the loss of each batch, and clear only before the first"
    elif _moved(case, result):
        because = "the weights changed during the call, so the batches met different models: " + STEP
    else:
        because = next((words for words, grads in known.items() if _matches(result["grads"], grads)), RULE)
    raise Wrong(tried=f"{tried}: the gradient of {name!r}", got=got, expected=right[name], because=because)


@exercise.judge(equal_batches, points=2)
def parts_add_up_to_the_large_batch(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Four equal batches leave the gradient that one batch of all their samples leaves."""
    judge_gradients(case, result)


@exercise.judge(ragged_last_batch, points=2)
def a_small_last_batch_counts_for_what_it_is(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A smaller last batch counts by its samples, not as a whole batch."""
    judge_gradients(case, result)


def _expect_known(got: Any, case: dict[str, Any], tried: str, because: str) -> None:
    """Raise Wrong unless these are gradients of these batches, by the right formula or a known mistake."""
    is_known = isinstance(got, dict) and any(_matches(got, grads) for grads in _candidates(case).values())
    expect(is_known, tried=tried, got="other gradients", expected="those of the batches", because=because)


@exercise.judge(old_gradients, points=1)
def old_gradients_are_gone(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Gradients left over from an earlier step are not in the sum."""
    tried = "a model that has gradients already"
    for grads in _candidates(case).values():
        if _matches(result["grads"], {name: value + case["stale"][name] for name, value in grads.items()}):
            because = "`backward()` adds to the gradients that exist: clear them once, before the first batch"
            raise Wrong(tried=tried, got="old and new gradients, added", expected="the new ones", because=because)
    _expect_known(result["grads"], case, tried, "these gradients follow no formula known here: fix them first")


@exercise.judge(ragged_last_batch, points=1)
def one_batch_at_a_time(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each batch runs forward and backward before the next one, so memory holds one batch; no weight changes."""
    tried = "watching the forward and backward passes"
    _expect_known(result["grads"], case, tried, "these gradients follow no formula known here: fix them first")
    _expect_known(
        result["in_parts"],
        case,
        tried,
        "all samples ran at once, which needs the memory that accumulation is meant to save",
    )
    _expect_known(
        result["in_turn"],
        case,
        tried,
        "forward and backward passes did not take turns: one forward pass per batch, and its `backward()`, which frees "
        "the activations, before that of the next",
    )
    moved = _moved(case, result)
    expect(
        not moved,
        tried="comparing the weights before and after the call",
        got=f"{moved[:1]} changed",
        expected="as they were",
        because=STEP,
    )


def _moved(case: dict[str, Any], result: dict[str, Any]) -> list[str]:
    return [name for name, value in case["state"].items() if not torch.equal(result["state"][name], value)]
