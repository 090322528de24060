"""Hidden judges of chapter 08: large scores, other padding, longer runs and models, cut sentences, no names."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb08_understand_text import (
    align_labels,
    attend_with_mask,
    investigate_a_change,
    pool_tokens,
    schedule_rate,
    score_entities,
    tune_upper_layers,
)


@attend_with_mask.exercise.case
def another_text(rng: torch.Generator) -> dict[str, Any]:
    return attend_with_mask.attention_case(rng, padding="anywhere", cross=True, scale=10.0)


@attend_with_mask.exercise.hidden_judge(another_text, points=1)
def attention_to_another_text(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Queries of one text attend to another, with padding between its tokens and large scores."""
    attend_with_mask.expect_attention(case, result["mixed"], "queries of another text, padding between the tokens")


@tune_upper_layers.exercise.case
def longer_model(rng: torch.Generator) -> dict[str, Any]:
    return tune_upper_layers.tuning_case(rng, layers=5, frozen=3, batches=2)


@tune_upper_layers.exercise.hidden_judge(longer_model, points=1)
def upper_layers_of_a_longer_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """On a longer model with three frozen layers, what moves and how far is right as well."""
    tune_upper_layers.the_lower_part_stays.decide(case, result)
    tune_upper_layers.the_encoder_learns_at_its_rate.decide(case, result)
    tune_upper_layers.the_head_learns_faster.decide(case, result)


@pool_tokens.exercise.case
def left_padded(rng: torch.Generator) -> dict[str, Any]:
    return pool_tokens.batch_case(rng, padding="left")


@pool_tokens.exercise.hidden_judge(left_padded, points=1)
def the_mask_decides_where_the_tokens_are(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With padding on the left, as GPT-like models have it, each text's vector is still the mean over its tokens."""
    pool_tokens.padding_does_not_count.decide(case, result)
    pool_tokens.the_encoder_can_learn_through_it.decide(case, result)


@schedule_rate.exercise.case
def beyond_the_end(rng: torch.Generator) -> dict[str, Any]:
    return schedule_rate.runs_case(rng, beyond=10)


@schedule_rate.exercise.hidden_judge(beyond_the_end, points=1)
def stays_at_zero_after_the_end(case: dict[str, Any], result: dict[str, Any]) -> None:
    """If a run continues beyond its last step, the rate stays 0 and does not fall below it."""
    schedule_rate.every_step_has_its_rate.decide(case, result)


@align_labels.exercise.case
def cut_sentences(rng: torch.Generator) -> dict[str, Any]:
    return align_labels.sentences_case(rng, cut=True)


@align_labels.exercise.hidden_judge(cut_sentences, points=1)
def words_without_tokens_are_passed_over(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Where some words have no token (cut off at the end, or empty), every other word keeps its own tag."""
    align_labels.first_tokens_have_the_tags.decide(case, result)
    align_labels.further_tokens_are_ignored.decide(case, result)
    align_labels.special_tokens_are_ignored.decide(case, result)


@score_entities.exercise.case
def loose_ends(rng: torch.Generator) -> dict[str, Any]:
    return score_entities.corpora_case(rng, loose=True, empty=True)


@score_entities.exercise.hidden_judge(loose_ends, points=1)
def loose_tags_and_no_entities(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An I that continues nothing begins an entity, and a corpus without any entity has F1 0."""
    score_entities.judge_values(case, result)


@investigate_a_change.exercise.hidden_judge(investigate_a_change.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
