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
PASSES = 4  # the backbone of the check computes other features in its second, third and fourth pass

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
        "With `ignore_index=-1` the mean is over the images that have a label. If none has one, that is 0 / 0, which "
        "is NaN: skip this task, or let it add zero.",
    ),
    idea="self.heads = nn.ModuleDict of Linear layers; forward: h = backbone(x), then {task: head(h)}; loss: the sum "
    "of cross_entropy(outputs[task], labels, ignore_index=-1) over the tasks with a label that isn't -1.",
)


def multi_case(
    rng: torch.Generator, num_classes: dict[str, int], counts: dict[str, int], *, samples: int = 24
) -> dict[str, Any]:
    """Weights of a small backbone, pictures, and labels of each task: `counts` of them, -1 where there is none."""
    labels = {task: torch.randint(classes, (samples,), generator=rng) for task, classes in num_classes.items()}
    targets = {}
    for task, every in labels.items():
        known = torch.zeros(samples, dtype=torch.bool)
        known[torch.randperm(samples, generator=rng)[: counts[task]]] = True
        targets[task] = every.where(known, torch.tensor(-1))
    return {
        "weights": torch.randn(PASSES, FEATURES, 3 * SIZE * SIZE, generator=rng) / 10,
        "num_classes": num_classes,
        "x": torch.randn(samples, 3, SIZE, SIZE, generator=rng),
        "labels": labels,
        "targets": targets,
    }


@exercise.case
def two_tasks(rng: torch.Generator) -> dict[str, Any]:
    return multi_case(rng, {"class": 5, "style": 3}, {"class": 16, "style": 10})


@exercise.case
def a_task_without_labels(rng: torch.Generator) -> dict[str, Any]:
    return multi_case(rng, {"style": 3, "class": 4}, {"style": 0, "class": 15})


class Backbone(nn.Module):
    """A small backbone with other weights in each pass, so that the features show which pass they come from."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights.clone())
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return compute_features(self.weights[(self.passes - 1) % PASSES], x)


def compute_features(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x.flatten(1) @ weight.T)  # (B, 3, S, S) -> (B, FEATURES)


@exercise.probe
def probe_multi_head(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    backbone = Backbone(case["weights"])
    model = need(answer(backbone, FEATURES, dict(case["num_classes"])), nn.Module, "an nn.Module: MultiHead is a class")
    model.train()
    backbone.passes = 0
    outputs = need(model(case["x"]), dict, "a dict from task to logits from forward")
    if not all(isinstance(value, torch.Tensor) for value in outputs.values()):
        raise Unusable("a value in the dict that forward returns is not a tensor; each task has logits (B, classes)")
    loss = need(
        model.loss(outputs, {task: labels.clone() for task, labels in case["targets"].items()}),
        (torch.Tensor, float, int),
        "the loss, a tensor with one number",
    )
    slopes, backbone_gradient = {}, None
    if isinstance(loss, torch.Tensor) and loss.requires_grad and loss.numel() == 1:
        asked = [value for value in outputs.values() if value.requires_grad]
        found = torch.autograd.grad(loss, [*asked, backbone.weights], allow_unused=True)
        *at_outputs, backbone_gradient = found
        trained = [task for task, value in outputs.items() if value.requires_grad]
        slopes = {
            str(task): torch.zeros_like(outputs[task]) if gradient is None else gradient
            for task, gradient in zip(trained, at_outputs, strict=True)
        }
    return {
        "outputs": {str(task): value.detach().clone() for task, value in outputs.items()},
        "loss": loss,
        "slopes": slopes,
        "backbone_gradient": backbone_gradient,
        "outputs_after": _step(model, backbone, case),
    }


def _step(model: nn.Module, backbone: Backbone, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The outputs after one step of SGD over model.parameters() on all labels, the backbone frozen."""
    backbone.requires_grad_(False)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    backbone.passes = 0
    outputs = model(case["x"])
    fitting = {task: y for task, y in case["labels"].items() if task in outputs and outputs[task].ndim == 2}
    terms = [
        functional.cross_entropy(outputs[task], y) for task, y in fitting.items() if y.max() < outputs[task].shape[1]
    ]
    if parameters and terms and any(term.requires_grad for term in terms):
        gradients = torch.autograd.grad(torch.stack(terms).sum(), parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.sub_(RATE * gradient)
    backbone.passes = 0
    with torch.no_grad():
        return {str(task): value.clone() for task, value in model(case["x"]).items()}


def heads_of(case: dict[str, Any], outputs: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    """For each task whose outputs are linear in the features of this pass: the weight (classes, FEATURES)."""
    features = compute_features(case["weights"][number], case["x"])
    inputs = torch.cat([features, torch.ones(len(features), 1)], 1).double()
    found = {}
    for task, value in outputs.items():
        solution = torch.linalg.lstsq(inputs, value.double()).solution
        spread = (value.double() - value.double().mean(0)).norm()
        if (value.double() - inputs @ solution).norm() <= 1e-3 * spread + 1e-6:
            found[task] = solution[:-1].T.float()
    return found


def judge_outputs(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless there are logits for each task, from a registered linear head on the backbone's features."""
    sizes = {task: [len(case["x"]), count] for task, count in case["num_classes"].items()}
    got = {task: list(value.shape) for task, value in result["outputs"].items()}
    because = "one entry per task: its name, and its logits (B, classes)"
    expect_equal(got, sizes, tried="the names and shapes that forward returns", because=because)
    passes = [heads_of(case, result["outputs"], number) for number in range(PASSES)]
    for task, logits in result["outputs"].items():
        number = next((number for number, heads in enumerate(passes) if task in heads), None)
        tried = f"comparing the logits of {task!r} with the backbone's features"
        if number is None:
            raise Wrong(
                tried=tried,
                got="outputs that are not a linear function of the features",
                expected="features times a weight, plus a bias",
                because="each head is one Linear on the features, with nothing after it",
            )
        features = compute_features(case["weights"][number], case["x"])
        slope = slope_of(functional.cross_entropy, logits, case["labels"][task])
        paths = [logits - RATE * (features @ features.T + bias) @ slope for bias in (1.0, 0.0)]
        after = result["outputs_after"].get(task)
        still = isinstance(after, torch.Tensor) and torch.equal(after, logits)
        expect(
            isinstance(after, torch.Tensor) and any(follows(after, path, logits) for path in paths),
            tried=f"one step of SGD over model.parameters() for the task {task!r}",
            got="the same logits as before" if still else "logits that moved otherwise",
            expected="logits that moved as a linear head moves them",
            because="a plain dict or list of layers isn't registered: parameters(), to(device) and state_dict() don't "
            "see it, and no optimiser will train it"
            if still
            else "each head is one Linear on the features, and its parameters belong to the model",
        )


def slope_of(loss: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The gradient of the loss with respect to the logits."""
    logits = logits.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels), logits)[0]


def expected_loss(outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum over tasks of the mean cross-entropy over the images with a label."""
    terms = [
        functional.cross_entropy(outputs[task][labels >= 0], labels[labels >= 0])
        for task, labels in targets.items()
        if bool((labels >= 0).any())
    ]
    return torch.stack(terms).sum()


def expected_slopes(case: dict[str, Any], result: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The gradient of the expected loss with respect to each task's logits."""
    logits = {task: value.clone().requires_grad_() for task, value in result["outputs"].items()}
    found = torch.autograd.grad(expected_loss(logits, case["targets"]), list(logits.values()), allow_unused=True)
    return {
        task: torch.zeros_like(value) if gradient is None else gradient
        for (task, value), gradient in zip(logits.items(), found, strict=True)
    }


def judge_loss(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the loss is the sum over tasks of the mean over labelled images, naming known mistakes."""
    judge_outputs(case, result)
    outputs, targets = result["outputs"], case["targets"]
    counts = {task: int((labels >= 0).sum()) for task, labels in targets.items()}
    right = expected_loss(outputs, targets)
    labelled_so = " and ".join(f"{count} have a label for {task!r}" for task, count in counts.items())
    tried = f"a batch of {len(case['x'])} images, of which {labelled_so}"
    value = torch.as_tensor(result["loss"], dtype=torch.float32)
    if not bool(torch.isfinite(value).all()):
        without = [task for task, count in counts.items() if not count]
        because = "the mean over no labels is 0 / 0: a task without a label in this batch must add nothing"
        raise Wrong(
            tried=tried, got=value, expected=right, because=because if without else "a loss has to be a finite number"
        )
    expect_close(
        value,
        right,
        tried=tried,
        mistakes=_mistakes(outputs, targets, right),
        because="add up the tasks' mean cross-entropies, each over the images whose label isn't -1",
    )
    for task, slope in expected_slopes(case, result).items():
        got = result["slopes"].get(task)
        expect(
            isinstance(got, torch.Tensor) and got.shape == slope.shape and torch.allclose(got, slope, 1e-3, 1e-5),
            tried=f"the gradient of the loss with respect to the logits of {task!r}",
            got="no gradient" if got is None else got,
            expected=slope,
            because="return the loss as a tensor with its graph: backward() starts from it",
        )


def _mistakes(
    outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor], right: torch.Tensor
) -> dict[str, torch.Tensor]:
    entropies = {
        task: functional.cross_entropy(outputs[task], labels, ignore_index=-1, reduction="sum")
        for task, labels in targets.items()
    }
    total = torch.stack(list(entropies.values())).sum()
    samples, labels = len(next(iter(targets.values()))), sum(int((y >= 0).sum()) for y in targets.values())
    as_last = [functional.cross_entropy(outputs[task], y % outputs[task].shape[1]) for task, y in targets.items()]
    as_first = [functional.cross_entropy(outputs[task], y.clamp(min=0)) for task, y in targets.items()]
    return {
        "images without a label count in the mean: divide by the number of labels that exist": total / samples,
        "this is the mean over tasks, not their sum": right / len(targets),
        "this is the sum over images: average within each task": total,
        "this is one mean over all labels of all tasks: average within each task, then add": total / labels,
        "-1 was read as the last class": torch.stack(as_last).sum(),
        "-1 was read as class 0": torch.stack(as_first).sum(),
    }


@exercise.judge(two_tasks, points=1)
def logits_of_every_task(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`forward` returns logits for each task, from heads that an optimiser can train."""
    judge_outputs(case, result)


@exercise.judge(two_tasks, points=1)
def one_pass_through_the_backbone(case: dict[str, Any], result: dict[str, Any]) -> None:
    """All heads share one pass through the backbone."""
    judge_outputs(case, result)
    shared = [
        number for number in range(PASSES) if len(heads_of(case, result["outputs"], number)) == len(case["targets"])
    ]
    expect(
        shared,
        tried="a backbone that computes other features in its second pass",
        got="heads that received the features of different passes",
        expected="the features of one pass for all heads",
        because="the features are the same for every head: compute them once",
    )


@exercise.judge(two_tasks, points=1)
def only_labels_that_exist(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss adds up the tasks, each averaged over the images that have its label."""
    judge_loss(case, result)


@exercise.judge(a_task_without_labels, points=1)
def a_batch_without_a_task(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A task without any label in the batch adds nothing, and no NaN."""
    judge_loss(case, result)


@exercise.judge(two_tasks, points=1)
def the_backbone_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The gradient of every task reaches the backbone."""
    judge_outputs(case, result)
    slopes = {task: result["slopes"].get(task, torch.zeros(())) for task in case["targets"]}  # right or not: see above
    silent = [task for task, slope in slopes.items() if not slope.any()]
    expect(
        not silent,
        tried="the gradient of the loss with respect to the logits of each task",
        got=f"none for {', '.join(map(repr, silent))}",
        expected="a gradient for every task with labels",
        because="return the loss as a tensor with its graph, to which every task with a label adds",
    )
    weights = case["weights"].clone().requires_grad_()
    for task in slopes:
        number = next(n for n in range(PASSES) if task in heads_of(case, result["outputs"], n))
        head = heads_of(case, result["outputs"], number)[task]
        logits = compute_features(weights[number], case["x"]) @ head.T
        (logits * slopes[task]).sum().backward()
    got, expected = result["backbone_gradient"], weights.grad
    expect(
        isinstance(got, torch.Tensor) and expected is not None and follows(got, expected, torch.zeros_like(expected)),
        tried="backward() on the loss, then reading the gradient of the backbone",
        got="no gradient" if got is None else "another gradient than these heads and labels give",
        expected="the sum of what the heads send back",
        because="the gradient arrives at the logits, so the graph between the heads and the backbone is cut"
        if got is None
        else "the gradient arrives at the logits, but not all of it at the backbone",
    )
