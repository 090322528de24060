"""Scaled dot-product attention over several heads, with a padding mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

Case = dict[str, Any]

exercise = Exercise(
    "08-attend-with-mask",
    answer="attention",
    call="attention(query, key, value, mask)",
    title="Attention with a mask",
    hints=(
        "Three steps: scores between all queries and keys, weights from the scores, a weighted mean of the values. "
        "In which of the three must the padding disappear, so that the weights still sum to 1?",
        "scores = query @ key.transpose(-2, -1) has the shape (B, H, M, L); divide it by the square root of d. The "
        "weights of one query sum to 1 over the keys: which axis is that?",
        "The mask is (B, L). `mask[:, None, None, :]` has the shape (B, 1, 1, L): set the scores to minus infinity "
        "where it is 0, with masked_fill, before the softmax.",
    ),
    idea="scores = query @ key.transpose(-2, -1) / d**0.5; scores = scores.masked_fill(mask[:, None, None, :] == 0, "
    "-inf); return scores.softmax(-1) @ value",
)


@exercise.case
def no_padding(rng: torch.Generator) -> Case:
    return attention_case(rng, padding="none")


@exercise.case
def right_padded(rng: torch.Generator) -> Case:
    return attention_case(rng, padding="right")


@exercise.case
def other_queries(rng: torch.Generator) -> Case:
    return attention_case(rng, padding="right", cross=True)


@exercise.case
def large_scores(rng: torch.Generator) -> Case:
    return attention_case(rng, padding="anywhere", scale=20.0)


def attention_case(rng: torch.Generator, *, padding: str, cross: bool = False, scale: float = 1.0) -> Case:
    """Queries, keys, values and a mask. With `cross` the queries are of another text, and values have another size."""
    texts, heads, length, size = (int(torch.randint(low, low + 3, (), generator=rng)) for low in (3, 2, 6, 5))
    queries = length + 3 if cross else length
    value_size = size + 4 if cross else size
    lengths = torch.randint(2, length, (texts,), generator=rng)
    lengths[0] = length
    mask = (torch.arange(length) < lengths[:, None]).long()
    if padding == "none":
        mask = torch.ones_like(mask)
    if padding == "anywhere":
        mask = torch.stack([row[torch.randperm(length, generator=rng)] for row in mask])
    return {
        "query": scale * torch.randn(texts, heads, queries, size, generator=rng),
        "key": scale * torch.randn(texts, heads, length, size, generator=rng) + 0.5,
        "value": torch.randn(texts, heads, length, value_size, generator=rng) + 1.0,
        "mask": mask,
    }


@exercise.probe
def probe_attention(answer: Any, case: Case) -> Case:
    value = case["value"].clone().requires_grad_()
    mixed = answer(case["query"].clone(), case["key"].clone(), value, case["mask"].clone())
    mixed = need(mixed, torch.Tensor, "a tensor (B, H, M, E): a weighted mean of the values for each query")
    if not mixed.is_floating_point():
        raise Unusable(f"your answer returned a tensor of {mixed.dtype}; a weighted mean of the values is real")
    if mixed.requires_grad:
        mixed.sum().backward()
    # The gradient, not a flag: an answer that knows of a flag could set it.
    return {"mixed": mixed.detach(), "gradient": torch.zeros(0) if value.grad is None else value.grad}


def _scores(case: Case, scale: float | None = None) -> torch.Tensor:
    query, key = case["query"].double(), case["key"].double()
    return query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)


def _keys(case: Case) -> torch.Tensor:
    return case["mask"][:, None, None, :].bool()


def _attend(case: Case, scores: torch.Tensor, keys: torch.Tensor | None = None, axis: int = -1) -> torch.Tensor:
    """The weighted mean with these scores; `keys` (B, 1, 1, L) are those that count."""
    hidden = scores.masked_fill(~(_keys(case) if keys is None else keys), -math.inf)
    return hidden.softmax(axis).nan_to_num() @ case["value"].double()


def _masked_afterwards(case: Case) -> torch.Tensor:
    return (_scores(case).softmax(-1) * _keys(case)) @ case["value"].double()


def _queries_masked(case: Case) -> torch.Tensor:
    queries = case["mask"][:, None, :, None].bool()
    return _scores(case).masked_fill(~queries, -math.inf).softmax(-1) @ case["value"].double()


MISTAKES: dict[str, Callable[[Case], torch.Tensor]] = {
    "the scores are not scaled: divide them by the square root of d, the size of a query": (
        lambda case: _attend(case, _scores(case, 1.0))
    ),
    "the scores are divided by d; divide them by the square root of d": (
        lambda case: _attend(case, _scores(case, 1 / case["query"].shape[-1]))
    ),
    "the scores are multiplied by the square root of d; divide by it": (
        lambda case: _attend(case, _scores(case, case["query"].shape[-1] ** 0.5))
    ),
    "the scores are divided by the square root of the number of tokens; d is the size of a query": (
        lambda case: _attend(case, _scores(case, case["key"].shape[-2] ** -0.5))
    ),
    "the scores are divided by the square root of the values' size; d is the size of a query": (
        lambda case: _attend(case, _scores(case, case["value"].shape[-1] ** -0.5))
    ),
    "the scores are divided by the square root of d times the number of heads; d is the size of a query in one head": (
        lambda case: _attend(case, _scores(case, (case["query"].shape[1] * case["query"].shape[-1]) ** -0.5))
    ),
    "padding takes part, as if there were no mask": lambda case: _scores(case).softmax(-1) @ case["value"].double(),
    "the mask came after the softmax, so the weights of a text with padding no longer sum to 1": _masked_afterwards,
    "the mask is inverted: the padding is attended to, and the tokens are not": (
        lambda case: _attend(case, _scores(case), ~_keys(case))
    ),
    "padding takes part, as if its scores were 0, and exp(0) is 1: only minus infinity is below every score": (
        lambda case: (_scores(case) * _keys(case)).softmax(-1) @ case["value"].double()
    ),
    "there is no softmax: weights are positive and sum to 1": (
        lambda case: (_scores(case) * _keys(case)) @ case["value"].double()
    ),
    "every query has the same weights: this is the plain mean of the values": (
        lambda case: _attend(case, torch.zeros_like(_scores(case)))
    ),
    "these are the weights; multiply them with the values": (
        lambda case: _scores(case).masked_fill(~_keys(case), -math.inf).softmax(-1)
    ),
    "the softmax runs over the queries; the weights of a query sum to 1 over the keys, the last axis": (
        lambda case: _attend(case, _scores(case), axis=-2)
    ),
    "the softmax runs over the heads; the weights of a query sum to 1 over the keys, the last axis": (
        lambda case: _attend(case, _scores(case), axis=1)
    ),
}
# Possible only if queries, keys and values have one shape.
MISTAKES_OF_ONE_TEXT: dict[str, Callable[[Case], torch.Tensor]] = {
    "the queries of the padding were masked, not its keys: the mask belongs to the last axis of the scores": (
        _queries_masked
    ),
    "the weights were multiplied with the keys; the values are what is mixed": (
        lambda case: _attend({**case, "value": case["key"]}, _scores(case))
    ),
}


def expect_attention(case: Case, got: torch.Tensor, tried: str) -> None:
    """Raise Wrong unless `got` is torch's own scaled dot-product attention over the keys that the mask keeps."""
    expected = _attend(case, _scores(case))
    mistakes = {because: formula(case) for because, formula in MISTAKES.items()}
    if case["query"].shape == case["key"].shape == case["value"].shape:
        mistakes |= {because: formula(case) for because, formula in MISTAKES_OF_ONE_TEXT.items()}
    because = "the weights are the softmax of query @ key / sqrt(d) over the keys that the mask keeps"
    if got.shape == expected.shape and bool(got.isnan().any()):
        because = (
            "NaN comes from 0 * inf, inf - inf, inf / inf or 0 / 0: from a softmax over minus infinities alone, "
            "for example, or from exp, which is infinite above 88 and 0 below -104"
        )
    elif got.shape != expected.shape:
        because = "one vector of the values' size per query: (B, H, M, L) weights times (B, H, L, E) values"
    expect_close(got.double(), expected, tried=tried, rtol=1e-4, atol=1e-5, mistakes=mistakes, because=because)


def _tried(case: Case) -> str:
    queries, lengths = case["query"].shape[-2], ", ".join(map(str, case["mask"].sum(1).tolist()))
    return f"{queries} queries of d={case['query'].shape[-1]}, over texts of {lengths} tokens"


@exercise.judge(no_padding, points=2)
def each_query_mixes_the_values(case: Case, result: Case) -> None:
    """Without padding, each query gets the mean of the values, weighted by the softmax of its scaled scores."""
    expect_attention(case, result["mixed"], _tried(case))


@exercise.judge(right_padded, points=1)
def padding_has_no_weight(case: Case, result: Case) -> None:
    """Padding has weight zero, and the weights of the tokens still sum to 1."""
    expect_attention(case, result["mixed"], _tried(case))


@exercise.judge(other_queries, points=1)
def queries_may_come_from_elsewhere(case: Case, result: Case) -> None:
    """Another number of queries than of keys, and values of another size, are possible; gradients flow back."""
    expect_attention(case, result["mixed"], _tried(case))
    # Of the sum over the result: what each value weighs in all queries together.
    weights = _attend({**case, "value": torch.eye(case["key"].shape[-2])}, _scores(case)).sum(-2)
    expected = weights[..., None].expand(case["value"].shape)
    tried, gradient = "the gradient of the sum over the result, at the values", result["gradient"]
    expect(
        gradient.shape == expected.shape,
        tried=tried,
        got="none",
        expected="one number per value",
        because="the graph is cut (`.item()`, `.numpy()`, `.detach()`, `no_grad`), so no model could learn through it",
    )
    because = "the gradient at a value is its weight, summed over the queries"
    expect_close(gradient.double(), expected, tried=tried, because=because)


@exercise.judge(large_scores, points=1)
def large_scores_do_not_overflow(case: Case, result: Case) -> None:
    """Scores of several hundred give finite weights, with the padding wherever it is."""
    expect_attention(case, result["mixed"], f"scores of several hundred, {_tried(case)}")
