"""Hidden judges of chapter 08: padding on the left, runs that go on, sentences that were cut, corpora without names."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb08_understand_text import align_labels, pool_tokens, schedule_rate, score_entities


@pool_tokens.exercise.case
def left_padded(rng: torch.Generator) -> dict[str, Any]:
    return pool_tokens.batch_case(rng, padding="left")


@pool_tokens.exercise.hidden_judge(left_padded, points=1)
def the_mask_decides_where_the_tokens_are(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With the padding on the left, as GPT-2 has it, each text's vector is still the mean over its own tokens."""
    pool_tokens.padding_does_not_count.decide(case, result)
    pool_tokens.the_encoder_can_learn_through_it.decide(case, result)


@schedule_rate.exercise.case
def beyond_the_end(rng: torch.Generator) -> dict[str, Any]:
    return schedule_rate.runs_case(rng, beyond=10)


@schedule_rate.exercise.hidden_judge(beyond_the_end, points=1)
def stays_at_zero_after_the_end(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A run that goes on beyond its last step goes on at rate 0, not below."""
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
