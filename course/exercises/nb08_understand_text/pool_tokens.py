"""One vector per text: the mean over its tokens, padding left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "08-pool-tokens",
    answer="mean_pool",
    call="mean_pool(hidden, mask)",
    title="One vector per text",
    withholds=("course.applications.text_models.mean_pool",),
    hints=(
        "The padding has vectors too, and they are not zero. How does multiplication make them zero? And by how many "
        "tokens do you divide then?",
        "The mask is (B, L), hidden is (B, L, D): `mask[..., None]` has the shape (B, L, 1) and broadcasts. "
        "`mask.sum(1, keepdim=True)` counts the tokens of each text.",
        "For a text without tokens the sum is zero already; only the division is a problem. `count.clamp(min=1)` "
        "changes no other count.",
    ),
    idea="weight = mask[..., None]; return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)",
)


@exercise.case
def right_padded(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng)


@exercise.case
def tokens_anywhere(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng, padding="anywhere")


@exercise.case
def a_text_without_tokens(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng, empty=True)


def batch_case(rng: torch.Generator, *, padding: str = "right", empty: bool = False) -> dict[str, Any]:
    """Token vectors of texts of several lengths. Padding has vectors of its own, as it has behind an encoder.

    With "anywhere", the second text has its padding on the left, and the others have theirs between their tokens.
    With `empty`, the last text has no token at all.
    """
    texts, longest, size, more = (int(torch.randint(low, low + 4, (), generator=rng)) for low in (4, 9, 6, 3))
    lengths = torch.randint(2, longest, (texts,), generator=rng)
    lengths[0], lengths[1] = longest, 2
    place = torch.arange(longest + more)
    mask = (place < lengths[:, None]).long()
    if padding == "left":
        mask = mask.flip(1)
    if padding == "anywhere":
        mask = torch.stack([row[torch.randperm(len(row), generator=rng)] for row in mask])
        mask[1] = (place >= len(place) - 2).long()
    if empty:
        mask[-1] = 0
    hidden = torch.randn(texts, longest + more, size, generator=rng) + torch.randn(size, generator=rng)
    return {
        "hidden": hidden + 3 * (1 - mask[..., None]) * torch.randn(size, generator=rng),
        "mask": mask,
        "more": more,
        "weights": torch.randn(texts, size, generator=rng),
    }


@exercise.probe
def probe_pool_tokens(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    hidden = case["hidden"].clone().requires_grad_()
    longer = need(answer(hidden, case["mask"].clone()), torch.Tensor, "the pooled vectors, a tensor (B, D)")
    if longer.shape == case["weights"].shape and longer.requires_grad:
        (longer * case["weights"]).sum().backward()
    kept = case["mask"].any(0)  # without the columns that are padding in every text
    shorter = need(answer(case["hidden"][:, kept].clone(), case["mask"][:, kept].clone()), torch.Tensor, "a tensor")
    if not longer.is_floating_point() or not shorter.is_floating_point():
        raise Unusable(f"your answer returned a tensor of {longer.dtype}; the pooled vectors are real numbers")
    gradient = torch.zeros(0) if hidden.grad is None else hidden.grad
    return {"longer": longer.detach(), "shorter": shorter.detach(), "gradient": gradient}


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weight = mask[..., None].double()
    return (hidden.double() * weight).sum(1) / weight.sum(1).clamp(min=1)


MISTAKES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "this is the plain mean: padding is averaged in, so a text's vector depends on the longest text beside it": (
        lambda hidden, mask: hidden.mean(1)
    ),
    "padding is left out of the sum but counted in the divisor: divide by the number of tokens of each text": (
        lambda hidden, mask: (hidden * mask[..., None]).mean(1)
    ),
    "this is the sum over the tokens; divide it by their number": lambda hidden, mask: (hidden * mask[..., None]).sum(
        1
    ),
    "the sum is divided by the number of tokens plus one; divide by the number itself": (
        lambda hidden, mask: (hidden * mask[..., None]).sum(1) / (mask.sum(1, keepdim=True) + 1)
    ),
    "the sum is divided by the square root of the number of tokens; divide by the number itself": (
        lambda hidden, mask: (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1) ** 0.5
    ),
    "the mean is normalised to length 1; return the mean itself": (
        lambda hidden, mask: torch.nn.functional.normalize(_mean(hidden, mask), dim=1)
    ),
    "this is the first token's vector: another kind of pooling, not the mean": lambda hidden, mask: hidden[:, 0],
    "this is the last column's vector, which for most texts is padding": lambda hidden, mask: hidden[:, -1],
    "this is the last token's vector: another kind of pooling, not the mean": (
        lambda hidden, mask: hidden[torch.arange(len(mask)), (mask * torch.arange(1, mask.shape[1] + 1)).argmax(1)]
    ),
    "this is the maximum of each feature, not the mean": lambda hidden, mask: hidden.amax(1),
    "this is the maximum of each feature over the tokens, not the mean": (
        lambda hidden, mask: hidden.masked_fill(mask[..., None] == 0, -torch.inf).amax(1)
    ),
    "padding was averaged and the tokens were left out: the mask is 1 where there is a token": (
        lambda hidden, mask: (hidden * (1 - mask)[..., None]).sum(1) / (1 - mask).sum(1, keepdim=True)
    ),
    "this divides by the number of tokens in the whole batch; count those of each text": (
        lambda hidden, mask: (hidden * mask[..., None]).sum(1) / mask.sum()
    ),
    "this divides by the mean number of tokens; count those of each text": (
        lambda hidden, mask: (hidden * mask[..., None]).sum(1) / mask.sum(1).double().mean()
    ),
    "this averages over the first positions, as many as the text has tokens: the mask says which are tokens": (
        lambda hidden, mask: _mean(hidden, torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True))
    ),
    "the first token was left out too: the mask alone decides": lambda hidden, mask: _mean(hidden[:, 1:], mask[:, 1:]),
}


def _expect_the_mean(case: dict[str, Any], got: torch.Tensor, tried: str, columns: int) -> None:
    hidden, mask = case["hidden"][:, :columns].double(), case["mask"][:, :columns]
    expected = _mean(hidden, mask)
    rule = "a text's vector is the sum over its own tokens, divided by their number"
    expect(
        got.shape == expected.shape,
        tried=tried,
        got=f"a tensor of shape {tuple(got.shape)}",
        expected=f"shape {tuple(expected.shape)}",
        because="average over the tokens of each text (axis 1) and return one vector per text: (B, L, D) -> (B, D)",
    )
    mistakes = {because: formula(hidden, mask) for because, formula in MISTAKES.items()}
    mistakes["every text has the same vector, whatever it says"] = got[:1].double().expand_as(got)
    expect_close(got.double(), expected, tried=tried, rtol=1e-4, atol=1e-4, mistakes=mistakes, because=rule)


def _tried(case: dict[str, Any], columns: int) -> str:
    lengths = case["mask"].sum(1).tolist()
    return f"texts of {', '.join(map(str, lengths))} tokens, padded to {columns}"


@exercise.judge(right_padded, points=1)
def padding_does_not_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each text's vector is the mean over its own tokens, without the padding."""
    columns = case["hidden"].shape[1]
    _expect_the_mean(case, result["longer"], _tried(case, columns), columns)


@exercise.judge(tokens_anywhere, points=1)
def the_mask_decides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The mask decides: padding may also stand on the left or between the tokens."""
    columns = case["hidden"].shape[1]
    lengths = ", ".join(map(str, case["mask"].sum(1).tolist()))
    tried = f"texts of {lengths} tokens in {columns} positions; the mask of the second is {case['mask'][1].tolist()}"
    _expect_the_mean(case, result["longer"], tried, columns)


@exercise.judge(right_padded, points=1)
def more_padding_changes_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same texts with less padding have the same vectors."""
    columns = case["hidden"].shape[1] - case["more"]
    _expect_the_mean(case, result["shorter"], _tried(case, columns), columns)
    expect(
        result["longer"].shape == result["shorter"].shape
        and torch.allclose(result["longer"], result["shorter"], rtol=1e-4, atol=1e-4),
        tried=f"the same texts padded to {columns} and to {columns + case['more']} tokens",
        got="different vectors",
        expected="the same vectors",
        because="a text's vector must not depend on the longest text beside it",
    )


@exercise.judge(right_padded, points=1)
def the_encoder_can_learn_through_it(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The gradient reaches the vector of every token, and none of the padding."""
    mask = case["mask"][..., None].double()
    expected = mask * case["weights"].double()[:, None] / mask.sum(1, keepdim=True)
    got = result["gradient"]
    tried = "the gradient of a sum over the pooled vectors, at every token"
    expect(
        got.shape == expected.shape,
        tried=tried,
        got="none",
        expected="one number per feature and token",
        because="the graph is cut (`.item()`, `.numpy()`, `.detach()`, `no_grad`), so no encoder could be fine-tuned",
    )
    on_padding = bool((got.double() * (1 - mask)).abs().max() > 1e-6)
    expect_close(
        got.double(),
        expected,
        tried=tried,
        rtol=1e-4,
        atol=1e-5,
        because="padding gets a gradient as well: it took part in the mean"
        if on_padding
        else "every token of a text gets the same share of the gradient: one over the number of its tokens",
    )


@exercise.judge(a_text_without_tokens, points=1)
def no_token_no_vector(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A text without any token gets a vector of zeros, and the others are right."""
    columns = case["hidden"].shape[1]
    got = result["longer"]
    if got.shape == (len(case["hidden"]), case["hidden"].shape[2]):
        expect(
            not bool(got[-1].isnan().any()),
            tried="a text whose mask is 0 everywhere",
            got="NaN",
            expected="zeros",
            because="0 / 0 is NaN, and one NaN in a batch turns the loss, and then every weight, into NaN",
        )
    _expect_the_mean(case, got, _tried(case, columns), columns)
