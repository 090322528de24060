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
    withholds=("course.pretraining.nt_xent",),
    hints=(
        "Cosine similarity is a dot product of rows of length 1: normalise z first. Then z @ z.T holds all pairs.",
        "Row i is a classification: among all other rows, which one is the second view of the same picture?",
        "Fill the diagonal of z @ z.T / temperature with -inf; cross_entropy with target i + N (or i - N).",
    ),
    idea="z = F.normalize(z, dim=1); logits = z @ z.T / temperature, diagonal filled with -inf; "
    "F.cross_entropy(logits, torch.arange(2N).roll(N)).",
)


@exercise.case
def six_pictures(rng: torch.Generator) -> dict[str, Any]:
    return views_case(rng, 6, 16, 0.5)


def views_case(rng: torch.Generator, pictures: int, size: int, temperature: float) -> dict[str, Any]:
    """Embeddings of two views of each picture, alike but not equal, of lengths other than 1."""
    base = torch.randn(pictures, size, generator=rng)
    views = torch.cat([base + 0.7 * torch.randn(pictures, size, generator=rng) for _ in range(2)])
    return {
        "z": views * (0.5 + 2 * torch.rand(2 * pictures, 1, generator=rng)),
        "temperature": temperature,
        "scale": 3.0 + torch.rand(2 * pictures, 1, generator=rng),
    }


@exercise.probe
def probe_nt_xent(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    z = case["z"].clone().requires_grad_()
    loss = need(answer(z, case["temperature"]), torch.Tensor, "the loss, a tensor of one number")
    if loss.numel() != 1:
        raise Unusable(f"your answer returned a tensor of shape {tuple(loss.shape)}; return the mean over all rows")
    gradient = None
    if loss.requires_grad:
        loss.reshape(()).backward()
        gradient = z.grad
    with torch.no_grad():
        scaled = answer(case["z"] * case["scale"], case["temperature"])
    return {"loss": loss.reshape(()), "gradient": gradient, "scaled": scaled.reshape(())}


@exercise.judge(six_pictures, points=2)
def equal_to_the_formula(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is the one of the formula, written as two plain loops."""
    z, temperature = case["z"], case["temperature"]
    expected = by_loops(z, temperature)
    expect_close(
        result["loss"],
        expected,
        tried=f"{len(z) // 2} pictures in two views, at temperature {temperature:g}",
        rtol=1e-3,
        mistakes={
            "self-pairs are in the denominator: every row is most similar to itself, so leave k = i out": by_loops(
                z, temperature, with_self=True
            ),
            "z is not normalised: without it these are dot products, and longer rows look more alike": by_loops(
                z, temperature, normalise=False
            ),
            "self-pairs are in the denominator, and z is not normalised": by_loops(
                z, temperature, with_self=True, normalise=False
            ),
            "the second view of row i is row i + N; you paired neighbours": by_loops(_neighbours(z), temperature),
            "the positive pair belongs in the denominator too: it is the right class among all the others": by_loops(
                z, temperature, with_positive=False
            ),
            "the similarities were multiplied by the temperature; divide": by_loops(z, 1 / temperature),
            "the temperature is missing": by_loops(z, 1.0),
            "the sign is turned round: the loss is minus the log of the fraction": -expected,
            "the rows were summed; take the mean over all 2N": expected * len(z),
            "the mean is over all 2N rows, not over N pictures": expected * 2,
            "only the first N rows were asked; the second views are asked as well": by_loops(
                z, temperature, rows=len(z) // 2
            ),
        },
    )


def _neighbours(z: torch.Tensor) -> torch.Tensor:
    """z in the order in which pairs (i, i + N) are what were neighbours before."""
    return torch.cat([z[0::2], z[1::2]])


@exercise.judge(six_pictures, points=1)
def only_directions_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Making rows longer or shorter changes nothing: only their directions count."""
    expect_close(
        result["scaled"],
        result["loss"],
        tried="the same rows, each made 3 to 4 times as long",
        rtol=1e-3,
        mistakes={"z is not normalised": by_loops(case["z"] * case["scale"], case["temperature"], normalise=False)},
    )


@exercise.judge(six_pictures, points=1)
def the_gradient_reaches_z(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is differentiable: its gradient with respect to z is the right one."""
    expect(
        result["gradient"] is not None,
        tried="loss.backward()",
        got="a loss without a graph",
        expected="a gradient for z",
        because="detach(), .item(), no_grad() and torch.tensor(...) cut the graph, and then nothing can be learned",
    )
    z = case["z"].clone().requires_grad_()
    by_loops(z, case["temperature"]).backward()
    expect_close(result["gradient"], z.grad, tried="the gradient of the loss", rtol=1e-3, atol=1e-5)


def by_loops(
    z: torch.Tensor,
    temperature: float,
    *,
    normalise: bool = True,
    with_self: bool = False,
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
        losses.append(torch.logsumexp(below, 0) - z[i] @ z[partner] / temperature)
    return torch.stack(losses).mean()
