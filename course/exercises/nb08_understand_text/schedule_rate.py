"""The learning rate at a step: linear warm-up, then linear decay to zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "08-schedule-rate",
    answer="lr_at",
    call="lr_at(step, total, warmup, peak)",
    title="Warm up, then decay",
    hints=(
        "Draw the schedule on paper: two straight lines that meet at (warmup, peak). Where does each one cross zero?",
        "On the way up, the fraction of the peak is step / warmup. On the way down it is the fraction of the steps "
        "after the warm-up that are still left. What if the run is over?",
        "Down: peak * (total - step) / (total - warmup), but never below 0. With warmup = 0, the first case must not "
        "be reached, or it divides by zero.",
    ),
    idea="if step < warmup: return peak * step / warmup; otherwise peak * max(0, total - step) / (total - warmup).",
)


@exercise.case
def several_runs(rng: torch.Generator) -> dict[str, Any]:
    return runs_case(rng)


@exercise.case
def without_warmup(rng: torch.Generator) -> dict[str, Any]:
    return runs_case(rng, warm=False)


@exercise.case
def going_on(rng: torch.Generator) -> dict[str, Any]:
    return runs_case(rng, beyond=5)


def runs_case(rng: torch.Generator, *, warm: bool = True, beyond: int = 0) -> dict[str, Any]:
    """Settings of three runs; `beyond` further steps are asked for after each one's end."""
    runs = []
    for _ in range(3):
        total = int(torch.randint(40, 120, (), generator=rng))
        warmup = int(torch.randint(5, total // 3, (), generator=rng)) if warm else 0
        peak = float(
            f"{10 ** (-5 + 4 * float(torch.rand((), generator=rng))):.2g}"
        )  # so that it reads the same wherever it is shown
        runs.append({"total": total, "warmup": warmup, "peak": peak})
    return {"runs": runs, "beyond": beyond}


@exercise.probe
def probe_schedule_rate(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    curves = []
    for run in case["runs"]:
        curve = []
        for step in range(run["total"] + 1 + case["beyond"]):
            rate = answer(step, run["total"], run["warmup"], run["peak"])
            if isinstance(rate, torch.Tensor) and rate.numel() == 1:
                rate = rate.item()
            if isinstance(rate, complex):
                raise Unusable("your answer returned a complex number; return the rate")
            curve.append(float(need(rate, (int, float), "a number: the rate at this step")))
        curves.append(curve)
    return {"curves": [torch.tensor(curve, dtype=torch.float64) for curve in curves]}


def _rate(step: float, total: int, warmup: int, peak: float) -> float:
    return peak * step / warmup if step < warmup else max(0.0, peak * (total - step) / (total - warmup))


MISTAKES: dict[str, Callable[[int, int, int, float], float]] = {
    "there is no warm-up: the rate starts at its peak": lambda s, t, w, p: p * (t - s) / t,
    "the line down is drawn from step 0, so the rate jumps where the warm-up ends; measure it from `warmup`": (
        lambda s, t, w, p: p * s / max(1, w) if s < w else p * (t - s) / t
    ),
    "the rate never falls: after the warm-up it stays at its peak": lambda s, t, w, p: min(p, p * s / max(1, w)),
    "this is the factor between 0 and 1; multiply by `peak`": lambda s, t, w, p: _rate(s, t, w, 1.0),
    "this is one step ahead: at every step, the rate of the next": lambda s, t, w, p: _rate(s + 1, t, w, p),
    "the way up is one step ahead: with `step + 1` the rate is not 0 at step 0, and at its peak one step early": (
        lambda s, t, w, p: p * (s + 1) / w if s < w else _rate(s, t, w, p)
    ),
    "the way up is one step ahead: with `step + 1` the rate is not 0 at step 0, and beyond its peak at step `warmup`": (
        lambda s, t, w, p: p * (s + 1) / max(1, w) if s <= w else _rate(s, t, w, p)
    ),
    "the way up starts above 0: (step + 1) / (warmup + 1) ends at the peak, but at step 0 the rate should be 0": (
        lambda s, t, w, p: p * (s + 1) / (w + 1) if s < w else _rate(s, t, w, p)
    ),
    "the rate falls along half a cosine; this schedule is a straight line": lambda s, t, w, p: (
        p * s / w if s < w else p * 0.5 * (1 + math.cos(math.pi * (s - w) / (t - w)))
    ),
    "the rate falls over `total` steps counted from the end of the warm-up: at step `total` it is not yet 0": (
        lambda s, t, w, p: p * s / max(1, w) if s < w else p * (1 - (s - w) / t)
    ),
    "the rate falls to 0 one step early: at step total - 1 it is still above 0": (
        lambda s, t, w, p: p * s / max(1, w) if s < w else p * max(0, t - 1 - s) / (t - 1 - w)
    ),
    "integer division discards the fraction: use / instead of //": (
        lambda s, t, w, p: p * (s // max(1, w)) if s < w else p * ((t - s) // (t - w))
    ),
    "the rate never changes: it depends on the step": lambda s, t, w, p: p,
    "this is 0 at every step, so nothing would be learned": lambda s, t, w, p: 0.0,
    "this is the step itself, not a rate": lambda s, t, w, p: s,
    "the rate is upside down: high at both ends, 0 where the warm-up ends": (lambda s, t, w, p: p - _rate(s, t, w, p)),
}


@exercise.judge(several_runs, points=1)
def the_three_corners(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The rate is 0 at step 0, `peak` at step `warmup`, and 0 at step `total`."""
    for run, curve in _pairs(case, result):
        corners = {0: 0.0, run["warmup"]: run["peak"], run["total"]: 0.0}
        for step, expected in corners.items():
            got = float(curve[step])
            if abs(got - expected) > 1e-6 * run["peak"]:
                raise Wrong(tried=_tried(run, step), got=got, expected=expected, because=_because(run, curve))


@exercise.judge(several_runs, points=1)
def every_step_has_its_rate(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Between the corners the rate changes by the same amount in every step: a straight line up, another one down."""
    for run, curve in _pairs(case, result):
        judge_curve(run, curve)


@exercise.judge(without_warmup, points=1)
def no_warmup_is_allowed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With warmup = 0 the rate starts at `peak` and falls from the first step on."""
    for run, curve in _pairs(case, result):
        judge_curve(run, curve)


@exercise.judge(going_on, points=1)
def the_end_is_the_end(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After step `total` the rate stays 0, and does not fall below it."""
    for run, curve in _pairs(case, result):
        highest = float(curve[: run["total"]].max())
        expect(
            highest > 0,
            tried=f"{_tried(run, 0)} and every step up to {run['total'] - 1}",
            got=f"{highest:g} at most",
            expected="rates above 0",
            because="if no rate is above 0, nothing is learned, and the end can't be told from the rest",
        )
        judge_curve(run, curve, steps=range(run["total"] + 1, len(curve)))


def judge_curve(run: dict[str, Any], curve: torch.Tensor, *, steps: Iterable[int] | None = None) -> None:
    """Raise Wrong at the first of the steps, all unless given, whose rate is not the one that the two lines give."""
    for step in range(len(curve)) if steps is None else steps:
        got = float(curve[step])
        expected = _rate(step, **run)
        if not abs(got - expected) <= 1e-6 * run["peak"]:
            raise Wrong(tried=_tried(run, step), got=got, expected=expected, because=_because(run, curve))


def _pairs(case: dict[str, Any], result: dict[str, Any]) -> list[tuple[dict[str, Any], torch.Tensor]]:
    lengths = [run["total"] + 1 + case["beyond"] for run in case["runs"]]
    found = [len(curve) for curve in result["curves"]]
    expect(found == lengths, tried="counting the rates", got=found, expected=lengths)
    return list(zip(case["runs"], result["curves"], strict=True))


def _tried(run: dict[str, Any], step: int) -> str:
    return f"lr_at({step}, total={run['total']}, warmup={run['warmup']}, peak={run['peak']:.6g})"


def _because(run: dict[str, Any], curve: torch.Tensor) -> str:
    """The misconception that the curve shows until its end, or what is wrong after it, or nothing."""
    settings = run["total"], run["warmup"], run["peak"]
    until_the_end = curve[: run["total"] + 1]

    def drawn_by(formula: Callable[[int, int, int, float], float]) -> bool:
        drawn = torch.tensor([formula(step, *settings) for step in range(len(until_the_end))], dtype=torch.float64)
        return torch.allclose(until_the_end, drawn, rtol=1e-5, atol=1e-7 * run["peak"])

    if drawn_by(_rate):
        below = "a negative rate increases the loss: " if float(curve.min()) < 0 else ""
        return f"{below}after step `total` the rate stays 0"
    for because, formula in MISTAKES.items():
        if drawn_by(formula):
            return because
    if len(curve) - len(curve.unique()) > len(curve) // 2:
        return "the rate is constant over many steps and then jumps: it should change at every step"
    if float(curve.min()) < 0:
        return "a negative rate increases the loss"
    return "two straight lines: from 0 at step 0 to `peak` at step `warmup`, and on to 0 at step `total`"
