"""Chapter 02: the three meanings of frozen (no gradient, not in the optimiser, buffers still), and cached features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.exercises import narrow
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

freeze_backbone = Exercise(
    "02-freeze-backbone",
    answer="freeze",
    call="freeze(module)",
    title="Freeze a module",
    withholds=("course.models.freeze",),
    hints=(
        "An optimiser moves a parameter only when it has a gradient. Which attribute of a parameter switches that off?",
        "`module.parameters()` gives every parameter, those of the layers inside too. Go through them all.",
        "`parameter.requires_grad = False`, or `parameter.requires_grad_(False)`; on the parameter, not on the module.",
    ),
    idea="for parameter in module.parameters(): parameter.requires_grad_(False), then return the module.",
)


@freeze_backbone.case
def convolutional(rng: torch.Generator) -> dict[str, Any]:
    return _training_case("cnn", rng)


def _training_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "frozen": _trunk(architecture),
        "x": narrow.pictures(rng, 8),
        "y": narrow.labels(rng, 8),
    }


def _trunk(architecture: str) -> str:
    """The name of the submodule that plays the backbone."""
    return {"cnn": "backbone", "resnet": "layer1", "vgg": "features", "efficientnet": "features", "vit": "encoder"}[
        architecture
    ]


@freeze_backbone.probe
def probe_freeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    module = model.get_submodule(case["frozen"])
    answer(module)
    return {
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "state": dict(model.state_dict()),
        "typo": any("require_grad" in vars(part) for part in (*module.modules(), *module.parameters())),
        "on_module": any("requires_grad" in vars(part) for part in module.modules()),
    }


@freeze_backbone.judge(convolutional, points=2)
def no_parameter_of_the_module_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An optimiser step leaves every parameter of the frozen module as it was."""
    before, after = _after_a_step(case, result["requires_grad"])
    inside = [name for name in before if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(before[name], after[name])]
    because = "some parameters were reached and others were not: go through module.parameters(), not the children"
    if len(moved) == len(inside):
        because = "nothing was frozen"
    if result["typo"]:
        because = (
            "`require_grad` is a typo that Python accepts: it makes a new attribute, and `requires_grad` stays True"
        )
    elif result["on_module"]:
        because = "`module.requires_grad = False` only sets an attribute on the module; its parameters never see it"
    expect(
        not moved,
        tried=f"one SGD step on a model whose `{case['frozen']}` you froze",
        got=f"{len(moved)} of its {len(inside)} parameters moved",
        expected="none moved",
        because=because,
    )


@freeze_backbone.judge(convolutional, points=1)
def the_rest_still_trains(case: dict[str, Any], result: dict[str, Any]) -> None:
    """What lies outside the module still trains, and no weight was changed by freezing."""
    expect(
        not all(result["requires_grad"].values()),
        tried="reading `.requires_grad` of every parameter",
        got="True everywhere",
        expected="False inside the module",
        because="nothing was frozen, so there is nothing to tell apart",
    )
    changed = [name for name, value in case["state"].items() if not torch.equal(result["state"][name], value)]
    expect(
        not changed,
        tried="comparing every weight and buffer before and after your function",
        got=f"{len(changed)} changed, {', '.join(changed[:2])} among them",
        expected="all as they were",
        because="freezing keeps the values; it only stops them from being trained",
    )
    before, after = _after_a_step(case, result["requires_grad"])
    outside = [name for name in before if not name.startswith(case["frozen"] + ".")]
    still = [name for name in outside if torch.equal(before[name], after[name])]
    expect(
        not still,
        tried="one SGD step",
        got=f"{len(still)} of the {len(outside)} parameters outside the module stayed as they were",
        expected="all of them move",
        because="only the module that was passed in should be frozen",
    )


def _after_a_step(case: dict[str, Any], flags: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after) parameters of a fresh model with these requires_grad flags around one SGD step."""
    model = narrow.restore(case["architecture"], case["state"]).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(bool(flags[name]))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = nn.functional.cross_entropy(model(case["x"]), case["y"])
    if loss.requires_grad:
        loss.backward()
        torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9).step()
    return before, {name: parameter.detach() for name, parameter in model.named_parameters()}


set_train_mode = Exercise(
    "02-set-train-mode",
    answer="set_train",
    call="set_train(model)",
    title="Train the head, keep the frozen layers still",
    withholds=("course.models.set_train",),
    hints=(
        "`requires_grad = False` says nothing about buffers: in train mode BatchNorm updates its running statistics.",
        "`model.train()` switches every module inside. So call it first, and then switch some modules back.",
        "A module is frozen when it has parameters and none requires a gradient: put exactly those into eval mode.",
    ),
    idea="model.train(); then, for each module in model.modules() with parameters that are all frozen, module.eval().",
)


@set_train_mode.case
def frozen_backbone(rng: torch.Generator) -> dict[str, Any]:
    return _training_case("cnn", rng)


@set_train_mode.case
def half_frozen(rng: torch.Generator) -> dict[str, Any]:
    return {**_training_case("cnn", rng), "frozen": "backbone.stage1"}


@set_train_mode.probe
def probe_set_train(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    model.get_submodule(case["frozen"]).requires_grad_(False)
    model.eval()
    answer(model)
    return {
        "training": {name: module.training for name, module in model.named_modules()},
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
    }


@set_train_mode.judge(frozen_backbone, points=2)
def frozen_statistics_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """BatchNorm statistics of the frozen module are bit-identical after a forward pass on shifted data."""
    before, after = _buffers_around_a_pass(case, result["training"])
    inside = [name for name in before if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(before[name], after[name])]
    expect(
        not moved,
        tried="one forward pass on pictures that are brighter than the pretraining ones",
        got=f"{len(moved)} of the {len(inside)} frozen buffers moved",
        expected="0 moved",
        because="your BatchNorm statistics moved: frozen weights are not a frozen layer. `model.train()` reaches the "
        "frozen modules too, so eval() on them must come after it",
    )


@set_train_mode.judge(frozen_backbone, points=1)
def the_head_is_in_train_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head is in train mode: its dropout drops and its own BatchNorm learns."""
    expect(
        not all(result["training"].values()),
        tried="reading `.training` of every module",
        got="train mode everywhere",
        expected="train mode for the head alone",
        because="no module was put into eval mode, so there is nothing to tell apart",
    )
    modes = {name: mode for name, mode in result["training"].items() if name.startswith("head")}
    asleep = sorted(name for name, mode in modes.items() if not mode)
    expect(
        not asleep,
        tried="reading `.training` of every module of the head",
        got=f"in eval mode: {', '.join(asleep)}",
        expected="all in train mode",
        because="the head is what you train; only frozen modules belong in eval mode",
    )
    frozen = [name for name, flag in result["requires_grad"].items() if not flag and name.startswith("head")]
    expect(
        not frozen,
        tried="reading `.requires_grad` of the head's parameters",
        got=f"{len(frozen)} switched off",
        expected="all still on",
        because="set_train chooses modes; it freezes nothing",
    )


@set_train_mode.judge(half_frozen, points=1)
def unfrozen_stages_train(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With only the first stage frozen, the second stage's BatchNorm still learns."""
    before, after = _buffers_around_a_pass(case, result["training"])
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = sorted(name for name in moved if name.startswith(case["frozen"]))
    expect(
        not frozen,
        tried="one forward pass with only `backbone.stage1` frozen",
        got=f"{len(frozen)} buffers of the frozen stage moved",
        expected="0 moved",
        because="find frozen modules by their parameters, at any depth",
    )
    expect(
        any(name.startswith("backbone.stage2") for name in moved),
        tried="one forward pass with only `backbone.stage1` frozen",
        got="no buffer of `backbone.stage2` moved",
        expected="its running mean and variance move",
        because="the whole backbone was put into eval mode; decide module by module, by requires_grad",
    )


def _buffers_around_a_pass(case: dict[str, Any], modes: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    model = narrow.restore(case["architecture"], case["state"])
    for name, module in model.named_modules():
        module.training = bool(modes[name])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(case["x"] + 2.0)
    return before, dict(model.named_buffers())


list_trainable = Exercise(
    "02-list-trainable",
    answer="trainable_parameters",
    call="trainable_parameters(model)",
    title="List what the optimiser may move",
    withholds=("course.models.trainable_parameters",),
    hints=(
        "A model has parameters (learned by gradients) and buffers (statistics). Which does an optimiser take?",
        "`model.parameters()` gives each parameter once, also one that two layers share.",
        "Keep those with `parameter.requires_grad`.",
    ),
    idea="[parameter for parameter in model.parameters() if parameter.requires_grad]",
)


@list_trainable.case
def one_stage_frozen(rng: torch.Generator) -> dict[str, Any]:
    architecture = "cnn"
    names = [name for name, _ in narrow.build(architecture).named_parameters()]
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "requires_grad": {name: not name.startswith("backbone.stage1") and name != "head.1.weight" for name in names},
    }


@list_trainable.probe
def probe_list_trainable(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(case["requires_grad"][name])
    if case.get("tie"):
        model.get_submodule(case["tie"][0]).weight = model.get_submodule(case["tie"][1]).weight
    names = {id(parameter): f"parameter {name}" for name, parameter in model.named_parameters()}
    names |= {id(buffer): f"buffer {name}" for name, buffer in model.named_buffers()}
    returned = answer(model)
    need(returned, Iterable, "the parameters, as a list")
    returned = list(returned)
    if returned and not all(isinstance(item, torch.Tensor) for item in returned):
        raise Unusable(
            f"your answer returned items like a {type(returned[0]).__name__}; return the parameters themselves, "
            "as an optimiser takes them"
        )
    return {"names": [names.get(id(item), "a copy") for item in returned]}


@list_trainable.judge(one_stage_frozen, points=2)
def exactly_the_trainable_ones(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The list holds every trainable parameter, once, and nothing else."""
    expected = [f"parameter {name}" for name, flag in case["requires_grad"].items() if flag]
    judge_names(result["names"], expected)


def judge_names(got: list[str], expected: list[str]) -> None:
    """Raise Wrong unless the names are the expected ones in any order, each once."""
    if sorted(got) == sorted(expected):
        return
    extra = sorted(set(got) - set(expected))
    because = ""
    if any(name.startswith("buffer") for name in extra):
        because = (
            "buffers were counted: BatchNorm's statistics are not learned by gradients, so state_dict() is no guide"
        )
    elif "a copy" in extra:
        because = "an optimiser moves the tensors it is given: return the model's own parameters, not copies"
    elif extra:
        because = "frozen parameters are in the list: ask each for its requires_grad"
    elif len(got) > len(set(got)):
        because = "a parameter is in the list twice: an optimiser would move it twice"
    else:
        because = "some trainable parameters are missing"
    raise Wrong(
        tried="your function on a model with some parameters frozen",
        got=f"{len(got)} items, {len(extra)} of them wrong" + (f" ({extra[0]})" if extra else ""),
        expected=f"the {len(expected)} parameters with requires_grad",
        because=because,
    )


cache_once = Exercise(
    "02-cache-features",
    answer="cache_features",
    call="cache_features(model, loader)",
    title="Run the frozen backbone once",
    withholds=("course.features.extract_features",),
    hints=(
        "A frozen backbone gives the same features every time only if nothing in it is random or moving: which mode?",
        "Collect features and labels in the same loop: a shuffling loader gives another order the second time.",
        "`model.eval()`, `with torch.no_grad():`, append both of each batch to lists, then `torch.cat` both.",
    ),
    idea="Eval mode, no gradients, one pass: features.append(model(x)), labels.append(y); return torch.cat of both.",
)


@cache_once.case
def in_order(rng: torch.Generator) -> dict[str, Any]:
    return _features_case(rng, shuffle=False)


@cache_once.case
def shuffled(rng: torch.Generator) -> dict[str, Any]:
    return _features_case(rng, shuffle=True)


def _features_case(rng: torch.Generator, *, shuffle: bool) -> dict[str, Any]:
    # Every picture has its own label, so that a pair of features and label says which picture it was.
    return {
        "architecture": "cnn",
        "state": narrow.drawn_state("cnn", rng),
        "x": narrow.pictures(rng, 11),
        "y": torch.randperm(100, generator=rng)[:11],
        "shuffle": shuffle,
    }


@cache_once.probe
def probe_cache_features(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).get_submodule("backbone")
    modes: list[bool] = []
    model.register_forward_pre_hook(lambda module, _: modes.append(any(part.training for part in module.modules())))
    loader = DataLoader(TensorDataset(case["x"], case["y"]), batch_size=4, shuffle=case["shuffle"])
    returned = need(answer(model, loader), (tuple, list), "the features and the labels: `return features, labels`")
    if len(returned) != 2 or not all(isinstance(part, torch.Tensor) for part in returned):
        raise Unusable("your answer returned something else than two tensors; torch.cat makes one of a list of batches")
    features, labels = returned
    return {"features": features, "labels": labels, "graph": features.requires_grad, "train_mode": any(modes)}


@cache_once.judge(in_order, points=2)
def equal_to_live_features(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The cached features are those of the frozen backbone, one row a picture, in the loader's order."""
    expected = _live_features(case)
    if result["train_mode"]:
        raise Wrong(
            tried="watching the backbone's mode while your function runs it",
            got="train mode",
            expected="eval mode",
            because="in train mode dropout and the batch's own statistics make other features every time",
        )
    backwards = {"the rows are in another order than the loader's": expected.flip(0)}
    expect_close(result["features"], expected, tried="11 pictures in batches of 4", atol=1e-4, mistakes=backwards)
    expect_close(result["labels"], case["y"], tried="the labels of 11 pictures", atol=0, rtol=0)


@cache_once.judge(shuffled, points=1)
def labels_stay_with_their_features(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With a shuffling loader, every row of features still stands beside its own label."""
    features, labels = result["features"], result["labels"]
    expected = _live_features(case)
    rows = {int(label): row for label, row in zip(case["y"], expected, strict=True)}
    complete = sorted(labels.flatten().tolist()) == sorted(rows) and features.shape == expected.shape
    right = complete and sum(
        torch.allclose(row, rows[int(label)], atol=1e-4) for label, row in zip(labels, features, strict=True)
    )
    expect(
        right == len(rows),
        tried="a loader with shuffle=True",
        got=f"{int(right)} of {len(rows)} rows beside their own label" if complete else "not every picture once",
        expected=f"{len(rows)} of {len(rows)}",
        because="a shuffling loader gives another order in every pass: take features and labels from the same pass",
    )


@cache_once.judge(in_order, points=1)
def no_graph_is_kept(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The features carry no autograd graph."""
    expect(
        result["graph"] is False,
        tried="reading `features.requires_grad`",
        got="True",
        expected="False",
        because="without torch.no_grad() every batch keeps its activations for a backward pass that never comes",
    )


def _live_features(case: dict[str, Any]) -> torch.Tensor:
    model = narrow.restore(case["architecture"], case["state"]).get_submodule("backbone").eval()
    with torch.no_grad():
        return model(case["x"])
