"""Chapter 03: the head of any architecture, its optimiser, its rows and its contract (logits, not probabilities)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.exercises import narrow
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, expect_equal, need

OLD_CLASSES = 5  # what the narrow architectures tell apart before the head is replaced

replace_the_head = Exercise(
    "03-replace-head",
    answer="replace_head",
    call="replace_head(model, num_classes)",
    title="Replace the head of any architecture",
    withholds=("course.models.replace_head", "course.models.find_head"),
    hints=(
        "The four architectures give their last layer four names. What do the four last layers have in common?",
        "`model.named_modules()` gives names and modules in order: keep the last one that is an `nn.Linear`. Its "
        "`in_features` is the number of inputs that the new layer needs.",
        'A name like "classifier.3" is the module `classifier` and in it the attribute "3": '
        "`parent, _, attribute = name.rpartition('.')`, then `setattr(model.get_submodule(parent), attribute, new)`.",
    ),
    idea="Find the last nn.Linear in model.named_modules(); set an nn.Linear(its in_features, num_classes) in its "
    "place with setattr on its parent, model.get_submodule(parent_name); return the model.",
)


@replace_the_head.case
def resnet(rng: torch.Generator) -> dict[str, Any]:
    return _head_case("resnet", rng)


@replace_the_head.case
def vgg(rng: torch.Generator) -> dict[str, Any]:
    return _head_case("vgg", rng)


@replace_the_head.case
def efficientnet(rng: torch.Generator) -> dict[str, Any]:
    return _head_case("efficientnet", rng)


@replace_the_head.case
def vit(rng: torch.Generator) -> dict[str, Any]:
    return _head_case("vit", rng)


def _head_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    state = narrow.drawn_state(architecture, rng)
    for name, value in state.items():
        if value.is_floating_point() and (value == value.flatten()[0]).all():
            # No two tensors are alike then, so each is known by its value wherever an answer keeps it.
            state[name] = value + 0.1 * torch.randn(value.shape, generator=rng)
    return {
        "architecture": architecture,
        "state": state,
        "num_classes": int(torch.randint(6, 12, (), generator=rng)),
        "x": narrow.pictures(rng, 48),
    }


@replace_the_head.probe
def probe_replace_head(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).requires_grad_(False)
    model = need(answer(model, case["num_classes"]), nn.Module, "the model: `return model`").eval()
    outputs, error = None, ""
    try:
        with torch.no_grad():
            outputs = model(case["x"])
    except (RuntimeError, TypeError, NotImplementedError) as problem:
        error = f"{type(problem).__name__}: {str(problem)[:200]}"
    return {
        "outputs": outputs,
        "error": error,
        "state": dict(model.state_dict()),
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "out_features": [part.out_features for part in model.modules() if isinstance(part, nn.Linear)],
    }


@replace_the_head.judge(resnet)
def head_of_a_resnet(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A ResNet gets a trainable head that gives logits, and keeps its backbone."""
    judge_head(case, result)


@replace_the_head.judge(vgg)
def head_of_a_vgg(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A VGG gets a trainable head that gives logits, and keeps its backbone."""
    judge_head(case, result)


@replace_the_head.judge(efficientnet)
def head_of_an_efficientnet(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An EfficientNet gets a trainable head that gives logits, and keeps its backbone."""
    judge_head(case, result)


@replace_the_head.judge(vit)
def head_of_a_vit(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A vision transformer gets a trainable head that gives logits, and keeps its backbone."""
    judge_head(case, result)


def judge_head(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the result is the case's model with a new linear head and all else as it was."""
    lost, new = _lost_and_new(case, result["state"])
    _judge_outputs(case, result, new)
    expect(
        not lost,
        tried=f"looking for every pretrained tensor of the {case['architecture']} in your model",
        got=f"{len(lost)} gone or changed, {', '.join(lost[:2])} among them",
        expected="only the last layer's are gone",
        because="the head is the last layer alone: every pretrained layer before it, inside `classifier` too, is "
        "knowledge that you keep",
    )
    _judge_logits(case, result["outputs"])
    asleep = [name for name in new if not result["requires_grad"].get(name, True)]
    awake = [name for name, flag in result["requires_grad"].items() if flag and name not in new]
    expect(
        not asleep and not awake,
        tried="a model that came frozen from end to end",
        got=f"{len(asleep)} tensors of the new head frozen, {len(awake)} of the backbone trainable",
        expected="the new head trainable, the backbone as frozen as it came",
        because="a new layer comes trainable; leave every other layer's requires_grad as it was",
    )


def _judge_outputs(case: dict[str, Any], result: dict[str, Any], new: list[str]) -> None:
    tried = f"a batch of {len(case['x'])} pictures through your {case['architecture']}"
    size = [len(case["x"]), case["num_classes"]]
    expected = f"shape {size}"
    if result["error"]:
        raise Wrong(
            tried=tried,
            got=result["error"],
            expected=expected,
            because="a layer now gets another number of inputs than it expects, or is missing: the new head takes the "
            "place of the last layer alone, with that layer's in_features",
        )
    outputs = result["outputs"]
    if not isinstance(outputs, torch.Tensor):
        raise Wrong(tried=tried, got=outputs, expected=expected)
    because = ""
    if outputs.shape[-1] == OLD_CLASSES and case["num_classes"] in result["out_features"] and not new:
        because = "`out_features` is a note on the layer: its weight still has the old rows, and that does the work"
    elif outputs.shape[-1] == OLD_CLASSES and new:
        because = (
            "the model has a new layer that its forward never calls: Python accepts `model.fc = ...` on any model, but "
            "only some call their head `fc`"
        )
    elif outputs.shape[-1] == OLD_CLASSES:
        because = "the old head is still in its place: find it by what it is, the last layer, not by a name"
    shape = list(outputs.shape)
    expect(shape == size, tried=tried, got=f"shape {shape}", expected=expected, because=because)


def _judge_logits(case: dict[str, Any], outputs: torch.Tensor) -> None:
    """Raise Wrong unless the outputs are linear in what the untouched backbone gives."""
    features = _features(case)
    inputs = torch.cat([features, torch.ones(len(features), 1)], 1).double()
    targets = outputs.double()
    fitted = inputs @ torch.linalg.lstsq(inputs, targets, driver="gelsd").solution
    ones = torch.ones(len(targets), dtype=torch.float64)
    if (targets >= 0).all() and torch.allclose(targets.sum(1), ones, atol=1e-4):
        because = "your head ends in a softmax: a head gives logits, and the loss applies the softmax itself"
    elif torch.allclose(targets.logsumexp(1), 0 * ones, atol=1e-4):
        because = "your head ends in a log-softmax: a head gives logits, and the loss applies the softmax itself"
    else:
        because = "the new head is one Linear on the features that the old head saw, with nothing after it"
    spread = (targets - targets.mean(0)).norm()
    is_linear = (targets - fitted).norm() <= 1e-3 * spread + 1e-6
    expect(
        is_linear and "softmax" not in because,
        tried=f"comparing your {case['architecture']}'s outputs with its backbone's features",
        got="outputs that are no linear function of the features" if not is_linear else "rows that are normalised",
        expected="logits: features times a weight, plus a bias",
        because=because,
    )


def _features(case: dict[str, Any]) -> torch.Tensor:
    """(N, D), what the old head of a fresh model sees."""
    model = narrow.restore(case["architecture"], case["state"]).eval()
    seen: list[torch.Tensor] = []
    head = model.get_submodule(head_name(case["architecture"]))
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(case["x"])
    return seen[0]


def head_name(architecture: str) -> str:
    """The name of the last layer of a narrow architecture."""
    return [name for name, part in narrow.build(architecture).named_modules() if isinstance(part, nn.Linear)][-1]


def _lost_and_new(case: dict[str, Any], state: dict[str, torch.Tensor]) -> tuple[list[str], list[str]]:
    """Names of the backbone's tensors that `state` has no more, and of those in `state` that the model never had.

    Tensors are found by value, so that a model wrapped into another keeps its backbone.
    """
    inside = head_name(case["architecture"]) + "."
    old = {name: value for name, value in case["state"].items() if not name.startswith(inside)}
    lost = [name for name, value in old.items() if not _has(state, value)]
    new = [name for name, value in state.items() if not _has(case["state"], value)]
    return lost, new


def _has(state: dict[str, torch.Tensor], value: torch.Tensor) -> bool:
    return any(other.shape == value.shape and torch.equal(other, value) for other in state.values())


build_optimizer = Exercise(
    "03-build-optimizer",
    answer="build",
    call="build(model, num_classes)",
    title="Build the model first, then its optimiser",
    hints=(
        "An optimiser holds parameters, not the names under which the model keeps them. Which parameters exist when?",
        "First freeze what is there, then put in the new head: `models.freeze` and `models.replace_head` do that.",
        "Last, `torch.optim.SGD(models.trainable_parameters(model), lr=0.1)`: by now that list is the new head alone.",
    ),
    idea="freeze the model, replace its head, and only then make the optimiser over the parameters that ask for a "
    "gradient; return both.",
)


@build_optimizer.case
def a_resnet(rng: torch.Generator) -> dict[str, Any]:
    return _build_case("resnet", rng)


def _build_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    case = {**_head_case(architecture, rng), "x": narrow.pictures(rng, 16)}
    return {**case, "y": narrow.labels(rng, 16, case["num_classes"])}


@build_optimizer.probe
def probe_build(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    returned = need(answer(model, case["num_classes"]), (tuple, list), "the model and the optimiser, in this order")
    if len(returned) != 2 or not isinstance(returned[0], nn.Module) or not hasattr(returned[1], "param_groups"):
        raise Unusable(
            "your answer returned something else than a model and a torch optimiser; return both, in this order"
        )
    model, optimizer = returned
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    outputs = model.eval()(case["x"])
    if outputs.shape[-1] == case["num_classes"] and outputs.requires_grad:
        optimizer.zero_grad()
        functional.cross_entropy(outputs, case["y"]).backward()
        optimizer.step()
    return {
        "shape": list(outputs.shape),
        "graph": outputs.requires_grad,
        "before": before,
        "after": dict(model.state_dict()),
    }


@build_optimizer.judge(a_resnet, points=2)
def the_head_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step with your optimiser moves the new head, downhill."""
    size = [len(case["x"]), case["num_classes"]]
    expect_equal(result["shape"], size, tried="the shape of your model's outputs")
    expect(
        result["graph"],
        tried="one backward pass",
        got="no parameter of your model asks for a gradient",
        expected="the new head asks for one",
        because="the head was frozen with the rest: freeze first, then replace the head: a new layer comes trainable",
    )
    weight, moved = _head_weight(case, result)
    expect(
        moved.any(),
        tried="one step with your optimiser",
        got="the new head stayed as it was",
        expected="the new head moves",
        because="your optimiser was built before the swap: it still holds the old head, which the model has lost, and "
        "nothing reports that",
    )
    gradient = _gradient(case, weight)
    expect(
        (moved * gradient).sum() < 0,
        tried="one step with your optimiser",
        got="the head moved uphill",
        expected="a step against the gradient",
        because="an optimiser minimises the loss; leave maximize off and the rate positive",
    )


def _head_weight(case: dict[str, Any], result: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The new head's weight before the step, (classes, D), and by how much the step moved it."""
    before, after = result["before"], result["after"]
    shape = (case["num_classes"], case["state"][head_name(case["architecture"]) + ".weight"].shape[1])
    names = [name for name, value in before.items() if value.shape == shape and not _has(case["state"], value)]
    if not names:
        raise Wrong(
            tried="looking for the new head in your model",
            got=f"no new weight of shape {list(shape)}",
            expected="one Linear in the place of the last layer",
            because="replace the last layer alone, with its own in_features",
        )
    return before[names[-1]], after[names[-1]] - before[names[-1]]


def _gradient(case: dict[str, Any], weight: torch.Tensor) -> torch.Tensor:
    """Of the loss on the case's batch, with respect to a head's weight (bias left out)."""
    weight = weight.clone().requires_grad_()
    loss = functional.cross_entropy(_features(case) @ weight.T, case["y"])
    return torch.autograd.grad(loss, weight)[0]


@build_optimizer.judge(a_resnet, points=1)
def the_backbone_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same step leaves the pretrained backbone as it was."""
    lost, _ = _lost_and_new(case, result["after"])
    early, _ = _lost_and_new(case, result["before"])
    because = "the optimiser moves the backbone too: freeze it before you make the optimiser, or give it the head alone"
    if early:
        because = "your function itself changed pretrained weights"
    expect(
        not lost,
        tried="comparing the backbone before and after one step with your optimiser",
        got=f"{len(lost)} pretrained tensors moved",
        expected="none moved",
        because=because,
    )


copy_rows = Exercise(
    "03-transfer-rows",
    answer="transfer_rows",
    call="transfer_rows(weight, index)",
    title="Copy rows out of a pretrained head",
    hints=(
        "`weight[index]` has the right values. Is it a copy? Try both kinds of index, and change what you get.",
        "A slice gives a view: the same memory, seen through a smaller window. A tensor of row numbers gives a copy.",
        "`.detach()` leaves the graph of the old head, `.clone()` takes memory of its own. You need both.",
    ),
    idea="return weight[index].detach().clone()",
)


@copy_rows.case
def listed_rows(rng: torch.Generator) -> dict[str, Any]:
    return {"weight": torch.randn(20, 24, generator=rng), "index": torch.randperm(20, generator=rng)[:4]}


@copy_rows.case
def neighbouring_rows(rng: torch.Generator) -> dict[str, Any]:
    start = int(torch.randint(1, 10, (), generator=rng))
    return {"weight": torch.randn(20, 24, generator=rng), "slice": [start, start + 6]}


@copy_rows.probe
def probe_transfer_rows(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    weight = nn.Parameter(case["weight"].clone())
    index = slice(*case["slice"]) if "slice" in case else case["index"]
    rows = need(answer(weight, index), torch.Tensor, "one tensor of rows")
    returned = rows.detach().clone()
    graph = rows.grad_fn is not None
    with torch.no_grad():
        rows.add_(1.0)
    rows_before = rows.detach().clone()
    after_rows_changed = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(-2.0)
    return {
        "rows": returned,
        "graph": graph,
        "weight": after_rows_changed,
        "follows": not torch.equal(rows.detach(), rows_before),
    }


@copy_rows.judge(listed_rows, points=1)
def the_rows_that_were_asked_for(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The rows are those of the index, exact and in its order."""
    weight = case["weight"]
    index = torch.arange(*case["slice"]) if "slice" in case else case["index"]
    mistakes = {
        "these are columns: a row of a head's weight is a class, a column is a feature": weight[:, index],
        "the rows are in another order: row i of the new head belongs to your class i": weight[index.sort().values],
        "the rows are in another order than the index, or repeated ones came once": weight[index.unique()],
        "the rows are one too far: row numbers start at 0": weight[(index + 1) % len(weight)],
        "the rows were scaled to length 1: copy them as they are": functional.normalize(weight[index], dim=1),
        "the rows were averaged into one": weight[index].mean(0),
        "the rows are transposed": weight[index].T,
    }
    expect_equal(result["rows"], weight[index], tried=f"the rows {index.tolist()} of a head", mistakes=mistakes)


@copy_rows.judge(neighbouring_rows, points=1)
def the_old_head_is_safe(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Training the copied rows leaves the old head as it was, and the other way round."""
    the_rows_that_were_asked_for.decide(case, result)
    changed = int((result["weight"] != case["weight"]).any(1).sum())
    expect(
        changed == 0 and not result["follows"],
        tried=f"changing the rows that you return for slice({case['slice'][0]}, {case['slice'][1]})",
        got=f"{changed} rows of the pretrained head changed with them" if changed else "rows that follow the old head",
        expected="the pretrained head stays as it was",
        because="a slice is a view on the same memory: what trains one trains the other. Clone it",
    )


@copy_rows.judge(neighbouring_rows, points=1)
def the_rows_have_no_history(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The copied rows carry no graph of the old head."""
    expect(
        not result["graph"],
        tried="reading `.grad_fn` of the rows",
        got="a graph that leads back to the old head",
        expected="None",
        because="a clone remembers where it came from: gradients would flow into the old head. Detach it as well",
    )


write_loss = Exercise(
    "03-write-loss",
    answer="loss",
    call="loss(model, x, y)",
    title="Keep the contract: a loss on logits",
    hints=(
        "The head gives logits. What does `nn.functional.cross_entropy` do to its input before it takes the logarithm?",
        "Look it up: `help(torch.nn.functional.cross_entropy)`. The input holds unnormalised logits.",
        "One line: call the model on x, give its output and y to cross_entropy, return the result as it is.",
    ),
    idea="return torch.nn.functional.cross_entropy(model(x), y): the softmax is inside.",
)


@write_loss.case
def ordinary_logits(rng: torch.Generator) -> dict[str, Any]:
    return _loss_case("resnet", rng)


@write_loss.case
def sure_logits(rng: torch.Generator) -> dict[str, Any]:
    case = _loss_case("resnet", rng)
    name = head_name("resnet") + ".weight"
    case["state"][name] = case["state"][name] * 500
    return case


def _loss_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "x": narrow.pictures(rng, 10) * 2,
        "y": narrow.labels(rng, 10),
    }


@write_loss.probe
def probe_loss(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).eval()
    value = need(answer(model, case["x"], case["y"]), (torch.Tensor, float), "the loss, a tensor with one number")
    if not isinstance(value, torch.Tensor):
        raise Unusable("your answer returned a plain float; training needs the tensor, for backward() starts from it")
    if value.requires_grad and value.numel() == 1:
        value.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return {
        "value": value,
        "graph": value.requires_grad,
        "gradients": [gradient for gradient in gradients if gradient is not None],
        "train_mode": any(part.training for part in model.modules()),
    }


@write_loss.judge(ordinary_logits, points=2)
def cross_entropy_on_logits(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is the mean cross-entropy of the model's logits."""
    judge_value(case, result)


def judge_value(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the value is the reference's, naming the known mistakes."""
    expect(
        not result["train_mode"],
        tried="a model in eval mode",
        got="train mode afterwards",
        expected="eval mode",
        because="a loss measures: the mode is the caller's choice",
    )
    z, y = _logits(case).detach(), case["y"]
    p, one_hot = z.softmax(1), functional.one_hot(y, z.shape[1]).float()
    twice = "double softmax: cross_entropy applies the softmax itself, so it takes logits, not probabilities"
    mistakes = {
        twice: functional.cross_entropy(p, y),
        "nll_loss takes log-probabilities, and these were probabilities": functional.nll_loss(p, y),
        "nll_loss takes log-probabilities, and these were logits": functional.nll_loss(z, y),
        "this is the sum over the batch: the gradient would grow with the batch": functional.cross_entropy(
            z, y, reduction="sum"
        ),
        "this is one loss a picture: return their mean": functional.cross_entropy(z, y, reduction="none"),
        "this is squared error between probabilities and labels": functional.mse_loss(p, one_hot),
        "this is a separate yes or no for each class, not one choice among them": (
            functional.binary_cross_entropy_with_logits(z, one_hot)
        ),
        "sigmoid before cross_entropy: the softmax inside it takes logits": functional.cross_entropy(z.sigmoid(), y),
        "the softmax ran over the pictures: classes are dimension 1": functional.nll_loss(z.log_softmax(0), y),
        "this is the error rate: it has no slope to follow": (z.argmax(1) != y).float().mean(),
        "the logarithm is missing: cross-entropy is the mean of -log p": 1 - p[torch.arange(len(y)), y].mean(),
    }
    tried = f"{len(y)} pictures and labels through a ResNet"
    expect_close(result["value"], functional.cross_entropy(z, y), tried=tried, mistakes=mistakes)


@write_loss.judge(ordinary_logits, points=1)
def the_gradient_arrives(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Its gradient reaches every parameter of the model, with the right values."""
    expect(
        result["graph"],
        tried="backward() on what you return",
        got="no graph",
        expected="a gradient for every parameter",
        because="`.item()`, `.detach()` and no_grad cut the loss off from the model, so nothing can learn from it",
    )
    model = narrow.restore(case["architecture"], case["state"]).eval()
    functional.cross_entropy(model(case["x"]), case["y"]).backward()
    expected = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    got = result["gradients"]
    norms = [sum(float(g.norm()) ** 2 for g in gradients) ** 0.5 for gradients in (got, expected)]
    right = len(got) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-4 * max(1.0, norms[1])) for a, b in zip(got, expected, strict=True)
    )
    expect(
        right,
        tried="backward() on what you return",
        got=f"gradients for {len(got)} parameters, of length {norms[0]:.3g}",
        expected=f"gradients for {len(expected)} parameters, of length {norms[1]:.3g}",
        because="with another loss, or a graph that is cut, the model learns something else"
        + (" (a second softmax flattens the gradient)" if norms[0] < norms[1] else ""),
    )


@write_loss.judge(sure_logits, points=1)
def stays_finite(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is right for a model that is very sure, and wrong about it."""
    expected = functional.cross_entropy(_logits(case).detach(), case["y"])
    value = result["value"]
    because = "the loss cannot see how wrong the model is"
    if not bool(torch.isfinite(value).all()):
        because = "a softmax that underflows to 0 has no logarithm: cross_entropy takes logits because it joins the two"
    right = torch.allclose(value.double(), expected.double(), rtol=1e-3) if value.shape == expected.shape else False
    expect(right, tried="logits in the hundreds", got=value, expected=expected, because=because)


def _logits(case: dict[str, Any]) -> torch.Tensor:
    return narrow.restore(case["architecture"], case["state"]).eval()(case["x"])
