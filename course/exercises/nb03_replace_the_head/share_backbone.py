"""Several heads on one backbone: one pass through it, one loss over the labels that exist."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.exercises.tensor_comparison import follows
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, expect_equal, need

SIZE, FEATURES = 6, 8
RATE = 0.1

exercise = Exercise(
    "03-share-backbone",
    answer="MultiHead",
    call="MultiHead(backbone, num_features, num_classes)",
    title="Several heads on one backbone",
    hints=(
        "A plain dict of layers is invisible to `parameters()`, to `to(device)` and to `state_dict()`. Which container "
        "of torch.nn has names and registers what it holds?",
        "In `forward`, compute the features once and give them to every head. In `loss`, compare logits and labels of "
        "one task at a time; `functional.cross_entropy` has a parameter that leaves labels out of the mean.",
        "With `ignore_index=-1` the mean is over the samples that have a label. If none has one, that is 0 / 0, which "
        "is NaN: skip this task, or let it add zero.",
    ),
    idea="self.heads = nn.ModuleDict of Linear layers; forward: h = backbone(x), then {task: head(h)}; loss: the sum "
    "of cross_entropy(outputs[task], labels, ignore_index=-1) over the tasks with at least one label that isn't -1.",
)


def multi_case(
    rng: torch.Generator, num_classes: dict[str, int], *, empty: str = "", samples: int = 12
) -> dict[str, Any]:
    """A small backbone, pictures, and labels of each task with -1 where there is none; `empty` has none at all."""
    targets = {}
    for task, count in num_classes.items():
        labels = torch.randint(count, (samples,), generator=rng)
        labels[torch.randperm(samples, generator=rng)[: samples // 3]] = -1
        targets[task] = torch.full_like(labels, -1) if task == empty else labels
    return {
        "weight": torch.randn(FEATURES, 3 * SIZE * SIZE, generator=rng) / 10,
        "num_classes": num_classes,
        "x": torch.randn(samples, 3, SIZE, SIZE, generator=rng),
        "targets": targets,
    }


@exercise.case
def two_tasks(rng: torch.Generator) -> dict[str, Any]:
    return multi_case(rng, {"class": 5, "style": 3})


@exercise.case
def a_task_without_labels(rng: torch.Generator) -> dict[str, Any]:
    return multi_case(rng, {"style": 3, "class": 4}, empty="style")


class Backbone(nn.Module):
    """A linear backbone that counts its forward passes."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return functional.relu(x.flatten(1) @ self.weight.T)  # (B, 3, S, S) -> (B, FEATURES)


@exercise.probe
def probe_multi_head(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    backbone = Backbone(case["weight"])
    model = need(answer(backbone, FEATURES, dict(case["num_classes"])), nn.Module, "an nn.Module: MultiHead is a class")
    model.train()
    backbone.passes = 0
    outputs = need(model(case["x"]), dict, "a dict from task to logits from forward")
    passes = backbone.passes
    if not all(isinstance(value, torch.Tensor) for value in outputs.values()):
        raise Unusable("a value in the dict that forward returns is not a tensor; each task has logits (B, classes)")
    loss = need(
        model.loss(outputs, {task: labels.clone() for task, labels in case["targets"].items()}),
        (torch.Tensor, float, int),
        "the loss, a tensor with one number",
    )
    parameters = dict(model.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    gradients: dict[str, torch.Tensor] = {}
    shares: dict[str, torch.Tensor] = {}
    if isinstance(loss, torch.Tensor) and loss.requires_grad and loss.numel() == 1:
        shares = _gradients_at(loss, outputs)
        loss.backward()
        gradients = {name: part.grad.clone() for name, part in parameters.items() if part.grad is not None}
    return {
        "outputs": {str(task): value.detach() for task, value in outputs.items()},
        "passes": passes,
        "loss": loss,
        "before": before,
        "gradients": gradients,
        "shares": shares,
    }


def _gradients_at(loss: torch.Tensor, outputs: dict[Any, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The gradient of the loss with respect to each task's logits."""
    found = torch.autograd.grad(loss, list(outputs.values()), retain_graph=True, allow_unused=True)
    return {
        str(task): torch.zeros_like(value) if gradient is None else gradient
        for (task, value), gradient in zip(outputs.items(), found, strict=True)
    }


def judge_outputs(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless there are logits for each task, linear in the backbone's features."""
    tried = "the names and shapes that forward returns"
    sizes = {task: [len(case["x"]), count] for task, count in case["num_classes"].items()}
    got = {task: list(value.shape) for task, value in result["outputs"].items()}
    expect_equal(got, sizes, tried=tried, because="one entry per task: its name, and its logits (B, classes)")
    with torch.no_grad():
        features = Backbone(case["weight"])(case["x"])
    for task in sizes:
        weights = [value for value in result["before"].values() if list(value.shape) == [sizes[task][1], FEATURES]]
        rests = [result["outputs"][task] - features @ weight.T for weight in weights]
        expect(
            any(follows(rest, rest[:1].expand_as(rest), result["outputs"][task], rtol=1e-3) for rest in rests),
            tried=f"comparing the logits of {task!r} with the backbone's features",
            got="no registered weight gives these logits" if weights else "no weight of this head among parameters()",
            expected="features times a weight in model.parameters(), plus a bias",
            because=UNREGISTERED if not weights else "each head is one Linear on the features, with nothing after it",
        )


UNREGISTERED = (
    "a plain dict or list of layers isn't registered: parameters(), to(device) and state_dict() don't see it, and no "
    "optimiser will train it"
)


def expected_loss(case: dict[str, Any], outputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum over tasks of the mean cross-entropy over the samples with a label."""
    terms = [
        functional.cross_entropy(outputs[task][labels >= 0], labels[labels >= 0])
        for task, labels in case["targets"].items()
        if bool((labels >= 0).any())
    ]
    return torch.stack(terms).sum()


def judge_loss(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the loss is the sum over tasks of the mean over labelled samples, naming known mistakes."""
    judge_outputs(case, result)
    outputs = result["outputs"]
    sums = {
        task: functional.cross_entropy(outputs[task], labels, ignore_index=-1, reduction="sum")
        for task, labels in case["targets"].items()
    }
    counts = {task: int((labels >= 0).sum()) for task, labels in case["targets"].items()}
    labelled = [task for task in sums if counts[task]]
    right = expected_loss(case, outputs)
    total = torch.stack(list(sums.values())).sum()
    as_last = torch.stack(
        [functional.cross_entropy(outputs[task], y % outputs[task].shape[1]) for task, y in case["targets"].items()]
    ).sum()
    as_first = torch.stack(
        [functional.cross_entropy(outputs[task], y.clamp(min=0)) for task, y in case["targets"].items()]
    ).sum()
    mistakes = {
        "samples without a label count in the mean: divide by the number of labels that exist": total / len(case["x"]),
        "this is the mean over tasks, not their sum": right / len(sums),
        "this is the sum over samples: average within each task": total,
        "this is one mean over all labels of all tasks: average within each task, then add": total
        / sum(counts.values()),
        "-1 was read as the last class": as_last,
        "-1 was read as class 0": as_first,
    }
    loss = result["loss"]
    labelled_so = " and ".join(f"{count} have a label for {task!r}" for task, count in counts.items())
    tried = f"a batch of {len(case['x'])} samples, of which {labelled_so}"
    value = torch.as_tensor(loss, dtype=torch.float64)
    if not bool(torch.isfinite(value).all()):
        raise Wrong(
            tried=tried,
            got=loss,
            expected=right,
            because="the mean over no labels is 0 / 0: a task without a label in this batch must add nothing"
            if len(labelled) < len(sums)
            else "the loss is not a finite number",
        )
    expect_close(
        value.float() if value.ndim == 0 else value,
        right,
        tried=tried,
        mistakes=mistakes,
        because="add up the tasks' mean cross-entropies, each over the samples whose label isn't -1",
    )
    slopes = {task: value.clone().requires_grad_() for task, value in outputs.items()}
    expected = torch.autograd.grad(expected_loss(case, slopes), list(slopes.values()), allow_unused=True)
    for (task, logits), slope in zip(slopes.items(), expected, strict=True):
        slope = torch.zeros_like(logits) if slope is None else slope
        got = result["shares"].get(task)
        expect(
            got is not None and torch.allclose(got, slope, rtol=1e-3, atol=1e-5),
            tried=f"the gradient of the loss with respect to the logits of {task!r}",
            got="no gradient" if got is None else got,
            expected=slope,
            because="return the loss as a tensor with its graph, so that backward() can start from it",
        )


@exercise.judge(two_tasks, points=1)
def logits_of_every_task(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`forward` gives logits for each task, from heads that are registered."""
    judge_outputs(case, result)


@exercise.judge(two_tasks, points=1)
def one_pass_through_the_backbone(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The backbone runs once for all heads."""
    judge_outputs(case, result)
    expect_equal(
        result["passes"],
        1,
        tried="counting the passes through the backbone for one batch",
        because="the features are the same for every head: compute them once",
    )


@exercise.judge(two_tasks, points=1)
def only_labels_that_exist(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss adds up the tasks, each averaged over the samples that have its label."""
    judge_loss(case, result)


@exercise.judge(a_task_without_labels, points=1)
def a_batch_without_a_task(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A task without any label in the batch adds nothing, and no NaN."""
    judge_loss(case, result)


@exercise.judge(two_tasks, points=1)
def every_part_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The gradient reaches the backbone and every head."""
    judge_loss(case, result)
    known = case["weight"]
    shared = [name for name, value in result["before"].items() if torch.equal(value, known)]
    missing = [name for name in result["before"] if name not in result["gradients"]]
    expect(
        shared and not missing,
        tried="backward() on the loss, then reading .grad of every parameter",
        got="the backbone is not among parameters()" if not shared else f"no gradient for {', '.join(missing)}",
        expected="a gradient for the backbone and for every head",
        because="keep the backbone as an attribute, so that it is registered"
        if not shared
        else "the graph is cut, or a layer isn't used",
    )
