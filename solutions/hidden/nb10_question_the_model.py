"""Hidden judges of chapter 10: more maps and classes, other bins, deeper states, a batch of one at the end."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb10_question_the_model import (
    accumulate_gradients,
    draw_grad_cam,
    interpolate_weights,
    measure_calibration,
)


@draw_grad_cam.exercise.case
def more_maps(rng: torch.Generator) -> dict[str, Any]:
    return draw_grad_cam.toy_case(rng, tail="deep", maps=9, size=5, classes=7, count=2)


@draw_grad_cam.exercise.hidden_judge(more_maps, points=1)
def exact_for_another_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """More maps, smaller ones, and more classes."""
    draw_grad_cam.judge_maps(case, result)


@measure_calibration.exercise.case
def other_bins(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [measure_calibration.drawn(rng, bins=bins, classes=5) for bins in (3, 15)]}


@measure_calibration.exercise.hidden_judge(other_bins, points=1)
def follows_the_number_of_bins(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Few bins, or many."""
    measure_calibration.judge_errors(case, result)


@interpolate_weights.exercise.case
def more_layers(rng: torch.Generator) -> dict[str, Any]:
    return interpolate_weights.states_case(rng, layers=4, width=3)


@interpolate_weights.exercise.hidden_judge(more_layers, points=1)
def mixes_another_network(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Another network's states are mixed right, whole numbers too."""
    interpolate_weights.judge_ends(case, result)
    interpolate_weights.judge_middle(case, result)
    interpolate_weights.judge_whole_numbers(case, result)


@accumulate_gradients.exercise.case
def one_sample_at_the_end(rng: torch.Generator) -> dict[str, Any]:
    return accumulate_gradients.batches_case(rng, [7, 7, 7, 7, 1], classes=6)


@accumulate_gradients.exercise.hidden_judge(one_sample_at_the_end, points=1)
def one_sample_counts_as_one(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A last batch of a single sample has that sample's share."""
    accumulate_gradients.judge_gradients(case, result)
