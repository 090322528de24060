"""The contrastive loss NT-Xent over two views of each picture."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "01-write-nt-xent",
    answer="nt_xent",
    call="nt_xent(z, temperature)",
    title="Write the contrastive loss",
    withholds=("course.models.pretraining.nt_xent",),
    hints=(
        "The cosine similarity of two rows is the dot product of the rows scaled to length 1. Normalise z first; then "
        "z @ z.T holds the similarities of all pairs.",
        "Each row is a classification: which of all the other rows shows the same picture? So cross_entropy can do the "
        "rest, if a row can't choose itself.",
        "Fill the diagonal of the logits with -inf. The target of row i is i + N, or i - N in the second half.",
    ),
    idea="z = F.normalize(z, dim=1); logits = z @ z.T / temperature, diagonal filled with -inf; "
    "F.cross_entropy(logits, torch.arange(2N).roll(N)).",
)


@exercise.case
def six_pictures(rng: torch.Generator) -> dict[str, Any]:
    return views_case(rng, 6, 16, 0.5)


def views_case(
    rng: torch.Generator, pictures: int, size: int, temperature: float, *, batches: int = 3
) -> dict[str, Any]:
    """Batches of embeddings of two views of each picture, alike but not equal, of lengths other than 1."""
    drawn = []
    for _ in range(batches):
        base = torch.randn(pictures, size, generator=rng)
        views = torch.cat([base + 0.7 * torch.randn(pictures, size, generator=rng) for _ in range(2)])
        drawn.append(views * (0.5 + 2 * torch.rand(2 * pictures, 1, generator=rng)))
    return {
        "batches": drawn,
        "temperature": temperature * (0.9 + 0.2 * float(torch.rand((), generator=rng))),
        "scale": 3.0 + torch.rand(2 * pictures, 1, generator=rng),
    }


@exercise.probe
def probe_nt_xent(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"losses": [], "gradients": [], "scaled": []}
    for batch in case["batches"]:
        z = batch.clone().requires_grad_()
        loss = need(answer(z, case["temperature"]), torch.Tensor, "the loss, a tensor of one number")
        if loss.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(loss.shape)}; return the mean over all rows")
        if loss.requires_grad:
            loss.reshape(()).backward()
        found["losses"].append(loss.reshape(()))
        found["gradients"].append(z.grad)
        with torch.no_grad():
            found["scaled"].append(answer(batch * case["scale"], case["temperature"]).reshape(()))
    return found


@exercise.judge(six_pictures, points=2)
def equal_to_the_formula(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss equals the formula, written as two plain loops."""
    temperature = case["temperature"]
    for z, got in zip(case["batches"], result["losses"], strict=True):
        expect_close(
            got,
            by_loops(z, temperature),
            tried=f"{len(z) // 2} pictures in two views, at temperature {temperature:.3g}",
            rtol=1e-3,
            mistakes={**_wrong_losses(z, temperature), **_wrong_losses_by_length(z, temperature)},
        )


def _wrong_losses(z: torch.Tensor, temperature: float) -> dict[str, torch.Tensor]:
    """Misconceptions to the losses that they give, of those that take lengths out."""
    expected = by_loops(z, temperature)
    return {
        "self-pairs are in the denominator: every row is most similar to itself, so leave k = i out": by_loops(
            z, temperature, with_self=True
        ),
        "each row still chooses itself with exp(0) = 1: a similarity of 0 stays in the denominator, -inf does not": (
            by_loops(z, temperature, self_is_zero=True)
        ),
        "softmax before cross_entropy: it is inside already": by_loops(z, temperature, twice=True),
        "the second view of row i is row i + N; you paired neighbours": by_loops(_neighbours(z), temperature),
        "the positive pair belongs in the denominator too: it is the right class among all the candidates": by_loops(
            z, temperature, with_positive=False
        ),
        "the similarities were multiplied by the temperature; divide": by_loops(z, 1 / temperature),
        "the temperature is missing": by_loops(z, 1.0),
        "the sign is reversed: the loss is minus the log of the fraction": -expected,
        "the rows were summed; take the mean over all 2N": expected * len(z),
        "the mean is over all 2N rows, not over N pictures": expected * 2,
        "only the first N rows were used; the second views are asked as well, so average over all 2N rows": by_loops(
            z, temperature, rows=len(z) // 2
        ),
    }


def _wrong_losses_by_length(z: torch.Tensor, temperature: float) -> dict[str, torch.Tensor]:
    """Misconceptions to the losses that they give, of those in which longer rows count for more."""
    return {
        "z is not normalised: without that these are dot products, and longer rows look more alike": by_loops(
            z, temperature, normalise=False
        ),
        "self-pairs are in the denominator, and z is not normalised": by_loops(
            z, temperature, with_self=True, normalise=False
        ),
        "the columns were normalised (dim=0); scale each row to length 1 (dim=1)": by_loops(
            z / z.norm(dim=0), temperature, normalise=False
        ),
        "z was divided by its norm as a whole; scale each row to length 1": by_loops(
            z / z.norm(), temperature, normalise=False
        ),
    }


def _neighbours(z: torch.Tensor) -> torch.Tensor:
    """z in the order in which pairs (i, i + N) are what were neighbours before."""
    return torch.cat([z[0::2], z[1::2]])


@exercise.judge(six_pictures, points=1)
def only_directions_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Scaling a row changes nothing: only directions count."""
    temperature = case["temperature"]
    for loss, scaled in zip(result["losses"], result["scaled"], strict=True):
        expect_close(
            scaled,
            loss,
            tried="the same rows, each scaled by a factor between 3 and 4",
            rtol=1e-3,
            because="only the lengths of the rows have changed, and your loss with them: scale each row to length 1",
        )
    # Any constant is the same for longer rows, so the loss must be one of these rows, if perhaps a wrong one.
    formulas = [[by_loops(z, temperature), *_wrong_losses(z, temperature).values()] for z in case["batches"]]
    known = any(
        all(torch.allclose(got, value, rtol=1e-3) for got, value in zip(result["losses"], values, strict=True))
        for values in zip(*formulas, strict=True)
    )
    expect(
        known,
        tried="the rows as they are, and scaled",
        got=f"{float(result['losses'][0]):.4g} both times",
        expected=f"{float(formulas[0][0]):.4g} both times",
        because="scaling changes nothing, but nothing can be concluded from that before the loss is one of these rows",
    )


@exercise.judge(six_pictures, points=1)
def the_gradient_reaches_z(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is differentiable, and its gradient with respect to z is right."""
    for batch, loss, gradient in zip(case["batches"], result["losses"], result["gradients"], strict=True):
        expect(
            gradient is not None,
            tried="loss.backward()",
            got="a loss without a graph",
            expected="a gradient for z",
            because="detach(), .item(), no_grad() and torch.tensor(...) cut the graph, so nothing could be learned",
        )
        z = batch.clone().requires_grad_()
        by_loops(z, case["temperature"]).backward()
        right = gradient.shape == z.grad.shape and torch.allclose(gradient, z.grad, rtol=1e-3, atol=1e-5)
        because = "" if right else _why_this_gradient(batch, loss, gradient, case["temperature"])
        tried = "the gradient of the loss with respect to z"
        expect_close(gradient, z.grad, tried=tried, rtol=1e-3, atol=1e-5, because=because)


def _why_this_gradient(z: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, temperature: float) -> str:
    """The reason for a gradient that is not right: it is the one of a wrong loss, or some of the graph is missing."""
    if gradient.shape != z.shape:
        return "the gradient doesn't have the shape of z"
    z = z.clone().requires_grad_()
    for because, wrong in {**_wrong_losses(z, temperature), **_wrong_losses_by_length(z, temperature)}.items():
        (known,) = torch.autograd.grad(wrong, z, retain_graph=True)
        if torch.allclose(gradient, known, rtol=1e-3, atol=1e-5):
            return f"it is the gradient of a wrong loss: {because}"
    if not torch.allclose(loss, by_loops(z, temperature), rtol=1e-3):
        return "the loss is not that of the formula, and its gradient is another one too"
    along = (gradient * z).sum(1).abs() / (gradient.norm(dim=1) * z.norm(dim=1)).clamp_min(1e-12)
    if along.max() > 0.01:
        return (
            "the loss is right, but its gradient points along the rows, and the right one is orthogonal to each row: "
            "the lengths that the rows are divided by belong to the graph (no detach(), no_grad())"
        )
    return "the loss is right, so a part of it has no graph: detach(), no_grad() and .data cut it"


def by_loops(
    z: torch.Tensor,
    temperature: float,
    *,
    normalise: bool = True,
    with_self: bool = False,
    self_is_zero: bool = False,
    twice: bool = False,
    with_positive: bool = True,
    rows: int | None = None,
) -> torch.Tensor:
    """NT-Xent of z (2N, D) written as loops: Chen et al., "A simple framework for contrastive learning", equation 1."""
    if normalise:
        z = z / z.norm(dim=1, keepdim=True)
    total, count = len(z), len(z) // 2
    losses = []
    for i in range(rows or total):
        partner = (i + count) % total
        others = [k for k in range(total) if (with_self or k != i) and (with_positive or k != partner)]
        below = torch.stack([z[i] @ z[k] / temperature for k in others])
        positive = z[i] @ z[partner] / temperature
        if twice:
            below, positive = below.softmax(0), (positive - torch.logsumexp(below, 0)).exp()
        if twice or self_is_zero:
            below = torch.cat([below, torch.zeros(1)])
        losses.append(torch.logsumexp(below, 0) - positive)
    return torch.stack(losses).mean()
