"""The loss of a segmentation model: cross-entropy over the pixels that have a label, the auxiliary output at half."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from course.judging import Exercise, Unusable, expect, expect_close, need

VOID, AUXILIARY = 255, 0.5

exercise = Exercise(
    "07-write-loss",
    answer="seg_loss",
    call="seg_loss(out, masks)",
    title="Leave void out of the loss",
    withholds=("course.applications.segmentation.seg_loss",),
    hints=(
        "`cross_entropy` accepts logits (B, C, H, W) and labels (B, H, W) directly. Which of its options leaves out a "
        "label?",
        "With `ignore_index=255` it averages over the other pixels. `out` is a dict: add half of the loss of "
        '`out["aux"]`, if there is one.',
        'If every pixel is void, that mean is 0 / 0. Sum the losses (`reduction="sum"`), and divide by the number of '
        "labelled pixels, or by 1 if there are none.",
    ),
    idea='Per output: cross_entropy(logits, masks, ignore_index=255, reduction="sum") / max(1, labelled pixels); '
    'return that of out["out"] plus 0.5 times that of out["aux"], if the key is there.',
)


@exercise.case
def a_batch_with_void(rng: torch.Generator) -> dict[str, Any]:
    return loss_case(rng, void=[0.05, 0.5, 0.3])


@exercise.case
def with_an_auxiliary(rng: torch.Generator) -> dict[str, Any]:
    return loss_case(rng, void=[0.1, 0.2, 0.4], auxiliary=True)


@exercise.case
def then_nothing_but_void(rng: torch.Generator) -> dict[str, Any]:
    return loss_case(rng, void=[0.3, 0.0, 0.6], all_void=True)


def loss_case(
    rng: torch.Generator, void: list[float], *, classes: int = 4, auxiliary: bool = False, all_void: bool = False
) -> dict[str, Any]:
    """Three batches, because a single number can be right by chance; with `all_void` one more, all of it void."""
    batches = [_batch(rng, void, classes, auxiliary) for _ in range(3)]
    if all_void:
        batches.append(_batch(rng, [1.1] * len(void), classes, auxiliary))
    return {"batches": batches}


def _batch(rng: torch.Generator, void: list[float], classes: int, auxiliary: bool) -> dict[str, Any]:
    shape = (len(void), 6, 7)
    masks = torch.randint(classes, shape, generator=rng)
    masks[torch.rand(shape, generator=rng) < torch.tensor(void).view(-1, 1, 1)] = VOID
    names = ["out", "aux"] if auxiliary else ["out"]
    logits = {name: torch.randn(len(void), classes, 6, 7, generator=rng) * 2 for name in names}
    return {"logits": logits, "masks": masks}


@exercise.probe
def probe_write_loss(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    values: list[Any] = []
    gradients: list[Any] = []
    for batch in case["batches"]:
        out = {name: logits.clone().requires_grad_() for name, logits in batch["logits"].items()}
        value = need(answer(out, batch["masks"].clone()), (torch.Tensor, float), "the loss, a tensor with one number")
        if not isinstance(value, torch.Tensor):
            raise Unusable(
                "your answer returned a plain float; training needs the tensor, for backward() starts from it"
            )
        sent: dict[str, Any] = dict.fromkeys(out)  # None where backward() cannot start
        if value.requires_grad and value.numel() == 1:
            value.backward()
            sent = {name: torch.zeros_like(z) if z.grad is None else z.grad for name, z in out.items()}
        gradients.append(sent)
        values.append(value.detach())
    return {"values": values, "gradients": gradients}


@exercise.judge(a_batch_with_void, points=2)
def the_mean_over_labelled_pixels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is the mean cross-entropy over the pixels that have a label; 255 is left out."""
    judge_values(case, result)


@exercise.judge(a_batch_with_void, points=1)
def void_sends_no_gradient(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Void pixels have no gradient, and the others have the right one."""
    for gradients, batch in zip(result["gradients"], case["batches"], strict=True):
        got = gradients["out"]
        expect(
            isinstance(got, torch.Tensor),
            tried="backward() on what you return",
            got="no gradient",
            expected="a gradient for the logits",
            because=_CUT_OFF,
        )
        expected = _gradient(batch)
        at_void = got.movedim(1, -1)[batch["masks"] == VOID]
        expect(
            not bool(at_void.any()),
            tried="backward() on what you return: the gradient at the void pixels",
            got=f"up to {float(at_void.abs().max()) if len(at_void) else 0.0:.2g}",
            expected="0 everywhere",
            because="the model trains on void: it learns a class there that nobody labelled",
        )
        expect_close(
            got,
            expected,
            tried="backward() on what you return: the gradient of the logits",
            atol=1e-6,
            because="a wrong loss has a wrong gradient: look at the judge of the loss first",
        )


@exercise.judge(with_an_auxiliary, points=1)
def the_auxiliary_counts_half(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An auxiliary output adds half of its own loss."""
    judge_values(case, result)


@exercise.judge(then_nothing_but_void, points=1)
def all_void_costs_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A batch with no labelled pixels has loss 0, not nan; backward() runs on it, and no gradient is nan."""
    judge_values(case, result)
    judge_backward(case, result)


def judge_backward(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless backward() runs on the loss of void as it does on the others, without nan."""
    starts = [isinstance(gradients["out"], torch.Tensor) for gradients in result["gradients"]]
    for started, gradients, batch in zip(starts, result["gradients"], case["batches"], strict=True):
        void = float((batch["masks"] == VOID).float().mean())
        expect(
            started,
            tried=f"backward() on the loss of {len(batch['masks'])} pictures, {void:.0%} of their pixels void",
            got="element 0 of tensors does not require grad",
            expected="it runs",
            because=_NO_GRAPH_FOR_VOID if any(starts) else _CUT_OFF,
        )
        finite = bool(torch.isfinite(gradients["out"]).all())
        expect(finite, tried="backward() on that loss", got="nan", expected="zeros", because=_NO_PIXEL)


_CUT_OFF = "`.item()`, `.detach()`, no_grad and argmax cut the loss off from the model"
_NO_GRAPH_FOR_VOID = (
    'return `out["out"].sum() * 0`, or the sum over the clamped count: a loss without a graph cannot be trained on, '
    "and one such batch ends the training"
)
_NO_PIXEL = "a mean over no pixels is 0 / 0, and a loss of nan ends the training or spoils its running means"


def reference(batch: dict[str, Any]) -> torch.Tensor:
    """The loss of one batch."""
    losses = {name: _one(logits, batch["masks"]) for name, logits in batch["logits"].items()}
    return losses["out"] + AUXILIARY * losses.get("aux", torch.zeros(()))


def _one(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    total = functional.cross_entropy(logits, masks, ignore_index=VOID, reduction="sum")
    return total / (masks != VOID).sum().clamp_min(1)


def _gradient(batch: dict[str, Any]) -> torch.Tensor:
    logits = {name: value.clone().requires_grad_() for name, value in batch["logits"].items()}
    reference({**batch, "logits": logits}).backward()
    assert logits["out"].grad is not None
    return logits["out"].grad


def judge_values(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every value is the reference's, naming the known mistakes."""
    for value, batch in zip(result["values"], case["batches"], strict=True):
        masks = batch["masks"]
        outputs = " and ".join(f'out["{name}"]' for name in batch["logits"])
        void = float((masks == VOID).float().mean())
        tried = f"{outputs} of {len(masks)} pictures, {void:.0%} of their pixels void"
        if void == 1.0:
            because = _NO_PIXEL if bool(torch.isnan(value).any()) else "where nothing is labelled, nothing can be wrong"
            expect(value.numel() == 1 and value.item() == 0, tried=tried, got=value, expected=0.0, because=because)
        else:
            because = "sum the cross-entropy over the labelled pixels and divide by their number"
            if "aux" in batch["logits"]:
                because += '; half of the loss of out["aux"], computed in the same way, is added'
            expect_close(value, reference(batch), tried=tried, mistakes=_mistakes(batch), because=because)


def _mistakes(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    z, masks = batch["logits"]["out"], batch["masks"]
    labelled, classes = masks != VOID, z.shape[1]
    each = functional.cross_entropy(z, masks, ignore_index=VOID, reduction="none")  # (B, H, W), 0 at void
    pictures = each.sum((1, 2)) / labelled.sum((1, 2)).clamp_min(1)
    as_background, as_last = masks.where(labelled, torch.zeros(())).long(), masks.clamp(max=classes - 1)
    one_hot = functional.one_hot(as_background, classes).movedim(-1, 1).float()
    named = {
        "the mean includes the void pixels: they add no loss, but they dilute it. Divide by the number of labelled "
        "pixels": (each.mean()),
        "this trains on void: its pixels were relabelled as background": functional.cross_entropy(z, as_background),
        "this trains on void: its pixels were relabelled as the last class": functional.cross_entropy(z, as_last),
        "this is the mean of one mean per picture: pixels of a picture with much void count more": pictures.mean(),
        "this is the sum over pixels: the gradient would grow with the size of the picture": each.sum(),
        "this is one loss per pixel: return their mean": each,
        "double softmax: cross_entropy applies the softmax itself, so it takes logits": _one(z.softmax(1), masks),
        "this is binary cross-entropy, a separate yes or no for each class, not one choice among them": (
            functional.binary_cross_entropy_with_logits(z, one_hot)
        ),
        "this is the error rate: it has no gradient to follow": (z.argmax(1) != masks)[labelled].float().mean(),
    }
    if "aux" in batch["logits"]:
        main, auxiliary = _one(z, masks), _one(batch["logits"]["aux"], masks)
        named |= {
            'the auxiliary output was forgotten: add half of the loss of out["aux"]': main,
            "the auxiliary output counts as much as the main one: take half of its loss": main + auxiliary,
            "this is the mean of both losses: the main one counts in full": (main + auxiliary) / 2,
            "main and auxiliary are the wrong way round": auxiliary + AUXILIARY * main,
            "the auxiliary output was forgotten, and the void pixels dilute the mean": each.mean(),
        }
    return named
