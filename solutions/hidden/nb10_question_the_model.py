"""Hidden judges of chapter 10: more channels and classes, other bins, deeper states, a last batch of one, tokens."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb10_question_the_model import (
    accumulate_gradients,
    draw_grad_cam,
    interpolate_weights,
    investigate_the_stamp,
    measure_calibration,
    quantize_a_layer,
)


@draw_grad_cam.exercise.case
def more_maps(rng: torch.Generator) -> dict[str, Any]:
    return draw_grad_cam.toy_case(rng, tail="deep", maps=9, size=5, classes=7, count=2)


@draw_grad_cam.exercise.hidden_judge(more_maps, points=1)
def exact_for_another_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The maps are right for more channels, smaller maps and more classes too."""
    draw_grad_cam.judge_maps(case, result)


@measure_calibration.exercise.case
def other_bins(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [measure_calibration.drawn(rng, bins=bins, classes=5) for bins in (3, 15)]}


@measure_calibration.exercise.hidden_judge(other_bins, points=1)
def follows_the_number_of_bins(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The error is right with few bins and with many."""
    measure_calibration.judge_errors(case, result)


@interpolate_weights.exercise.case
def more_layers(rng: torch.Generator) -> dict[str, Any]:
    return interpolate_weights.states_case(rng, layers=4, width=3)


@interpolate_weights.exercise.hidden_judge(more_layers, points=1)
def mixes_another_network(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The states of another network are averaged as well, with its integers."""
    interpolate_weights.judge_ends(case, result)
    interpolate_weights.judge_middle(case, result)
    interpolate_weights.judge_whole_numbers(case, result)


@accumulate_gradients.exercise.case
def one_sample_at_the_end(rng: torch.Generator) -> dict[str, Any]:
    return accumulate_gradients.batches_case(rng, [7, 7, 7, 7, 1], classes=6)


@accumulate_gradients.exercise.hidden_judge(one_sample_at_the_end, points=1)
def one_sample_counts_as_one(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A last batch of a single sample counts as one sample."""
    accumulate_gradients.judge_gradients(case, result)


@quantize_a_layer.exercise.case
def without_bias_on_tokens(rng: torch.Generator) -> dict[str, Any]:
    return quantize_a_layer.layer_case(rng, inputs=17, outputs=9, bias=False, zero_row=True, extra=(3,))


@quantize_a_layer.exercise.hidden_judge(without_bias_on_tokens, points=1)
def quantizes_a_layer_over_tokens(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A layer without a bias, applied to a sequence of tokens, is quantised as well."""
    quantize_a_layer.zeros_stay_zeros.decide(case, result)
    quantize_a_layer.judge_storage(case, result)


@investigate_the_stamp.exercise.hidden_judge(investigate_the_stamp.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
