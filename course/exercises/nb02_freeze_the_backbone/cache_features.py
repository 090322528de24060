"""Features of a frozen backbone, computed once and kept with their labels."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from course.exercises import small_models
from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "02-cache-features",
    answer="cache_features",
    call="cache_features(model, loader)",
    title="Run the frozen backbone once",
    withholds=("course.training.features.extract_features",),
    hints=(
        "A frozen backbone gives the same features every time only if nothing in it is random or drifts: which mode?",
        "Collect features and labels in the same loop: a shuffling loader has a new order in every pass.",
        "`model.eval()`, `with torch.no_grad():`, append both of each batch to lists, then `torch.cat` both.",
    ),
    idea="Eval mode, no gradients, one pass: features.append(model(x)), labels.append(y); return torch.cat of both.",
)


@exercise.case
def in_order(rng: torch.Generator) -> dict[str, Any]:
    return features_case(rng, shuffle=False)


@exercise.case
def shuffled(rng: torch.Generator) -> dict[str, Any]:
    return features_case(rng, shuffle=True)


def features_case(rng: torch.Generator, *, shuffle: bool) -> dict[str, Any]:
    # Every picture has its own label, so that a row of features and its label identify the picture.
    return {
        "architecture": "cnn",
        "state": small_models.drawn_state("cnn", rng),
        "x": small_models.pictures(rng, 11),
        "y": torch.randperm(100, generator=rng)[:11],
        "shuffle": shuffle,
    }


@exercise.probe
def probe_cache_features(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"]).get_submodule("backbone")
    modes: list[bool] = []
    model.register_forward_pre_hook(lambda module, _: modes.append(any(part.training for part in module.modules())))
    loader = _Counted(TensorDataset(case["x"], case["y"]), batch_size=4, shuffle=case["shuffle"])
    returned = need(answer(model, loader), (tuple, list), "the features and the labels: `return features, labels`")
    if len(returned) != 2 or not all(isinstance(part, torch.Tensor) for part in returned):
        raise Unusable(
            "your answer returned something other than two tensors; torch.cat makes one of a list of batches"
        )
    features, labels = returned
    graph = features.requires_grad
    # Features with a graph are left out of the second: a flag alone could be set by an answer that knows of this check.
    return {
        "features": features,
        "without_graph": None if graph else features,
        "labels": labels,
        "train_mode": any(modes),
        "passes": loader.passes,
    }


class _Counted(DataLoader[Any]):
    """A loader that counts how often it was read from the start."""

    passes = 0

    def __iter__(self) -> Any:
        self.passes += 1
        return super().__iter__()


@exercise.judge(in_order, points=2)
def equal_to_live_features(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The cached features are those of the frozen backbone, one row per picture, in the loader's order."""
    expected = _live_features(case)
    _expect_eval_mode(
        result, "in train mode dropout and the statistics of each batch give different features every time"
    )
    backwards = {"the rows are in another order than the loader's": expected.flip(0)}
    because = "these are not the frozen backbone's features of these pictures"
    if result["features"].shape != expected.shape:
        because = "every picture has one row: keep the features of each batch, then torch.cat them"
    tried = "11 pictures in batches of 4"
    expect_close(result["features"], expected, tried=tried, atol=1e-4, mistakes=backwards, because=because)
    because = "every picture keeps its own label, in the loader's order"
    expect_close(result["labels"], case["y"], tried="the labels of 11 pictures", atol=0, rtol=0, because=because)


@exercise.judge(shuffled, points=1)
def labels_stay_with_their_features(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With a shuffling loader, every row of features still belongs to its own label."""
    features, labels = result["features"], result["labels"]
    expected = _live_features(case).double()
    rows = {int(label): row for label, row in zip(case["y"], expected, strict=True)}
    complete = sorted(labels.flatten().tolist()) == sorted(rows) and features.shape == expected.shape
    right = complete and sum(
        torch.allclose(row.double(), rows[int(label)].double(), atol=1e-4)
        for label, row in zip(labels, features, strict=True)
    )
    if right != len(rows):
        _expect_eval_mode(result, "in train mode the features differ each time, so rows can't be matched to pictures")
    expect(
        right == len(rows),
        tried="a loader with shuffle=True",
        got=f"{int(right)} of {len(rows)} rows with their own label" if complete else "not every picture once",
        expected=f"{len(rows)} of {len(rows)}",
        because=_why_not_together(result, complete),
    )


def _why_not_together(result: dict[str, Any], complete: bool) -> str:
    if not complete:
        return "every picture has one row of features and one label"
    if result["passes"] > 1:
        return "a shuffling loader has a new order in every pass: take features and labels from the same pass"
    return (
        "a row of features and the label at the same position belong to one picture, and the features are not changed"
    )


@exercise.judge(in_order, points=1)
def no_graph_is_kept(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The features carry no autograd graph."""
    expect(
        isinstance(result["without_graph"], torch.Tensor),
        tried="reading `features.requires_grad`",
        got="True",
        expected="False",
        because="without torch.no_grad() every batch keeps its activations for a backward pass that never comes",
    )
    expected = _live_features(case)
    if result["train_mode"]:
        because = "no graph, but the backbone ran in train mode, so these are not the frozen backbone's features"
    else:
        because = "no graph, but these are not the frozen backbone's features of these pictures"
    tried = "the features that carry no graph"
    expect_close(result["without_graph"], expected, tried=tried, atol=1e-4, because=because)


def _expect_eval_mode(result: dict[str, Any], because: str) -> None:
    expect(
        not result["train_mode"],
        tried="watching the backbone's mode while your function runs it",
        got="train mode",
        expected="eval mode",
        because=because,
    )


def _live_features(case: dict[str, Any]) -> torch.Tensor:
    model = small_models.restore(case["architecture"], case["state"]).get_submodule("backbone").eval()
    with torch.no_grad():
        return model(case["x"])
