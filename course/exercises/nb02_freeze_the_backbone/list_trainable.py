"""The parameters that an optimiser may move, each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from course.exercises import small_models
from course.judging import Exercise, Unusable, Wrong, need

exercise = Exercise(
    "02-list-trainable",
    answer="trainable_parameters",
    call="trainable_parameters(model)",
    title="List what the optimiser may move",
    withholds=("course.models.trainable_parameters",),
    hints=(
        "A model has parameters (learned by gradients) and buffers (statistics). Which does an optimiser take?",
        "`model.parameters()` yields each parameter once, even if two layers share it.",
        "Keep those with `parameter.requires_grad`.",
    ),
    idea="[parameter for parameter in model.parameters() if parameter.requires_grad]",
)


@exercise.case
def one_stage_frozen(rng: torch.Generator) -> dict[str, Any]:
    return flags_case("resnet", rng)


def flags_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    """Each parameter is frozen or not by itself, so that a list of names fits no other case."""
    names = [name for name, _ in small_models.build(architecture).named_parameters()]
    flags = (torch.rand(len(names), generator=rng) < 0.6).tolist()
    flags[:2], flags[-2:] = [False, True], [False, True]  # of weights and of the rest, some are trainable, some not
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "requires_grad": dict(zip(names, flags, strict=True)),
    }


@exercise.probe
def probe_list_trainable(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(case["requires_grad"][name])
    if case.get("tie"):
        model.get_submodule(case["tie"][0]).weight = model.get_submodule(case["tie"][1]).weight
    names = {id(parameter): f"parameter {name}" for name, parameter in model.named_parameters()}
    names |= {id(buffer): f"buffer {name}" for name, buffer in model.named_buffers()}
    detached = {tensor.data_ptr(): f"detached {name}" for name, tensor in model.state_dict().items()}
    returned = answer(model)
    need(returned, Iterable, "the parameters, as a list")
    returned = list(returned)
    if returned and not all(isinstance(item, torch.Tensor) for item in returned):
        raise Unusable(
            f"your answer returned items like a {type(returned[0]).__name__}; return the parameters themselves, "
            "as an optimiser takes them"
        )
    strangers = ["a copy" if item.requires_grad else detached.get(item.data_ptr(), "a copy") for item in returned]
    return {"names": [names.get(id(item), other) for item, other in zip(returned, strangers, strict=True)]}


@exercise.judge(one_stage_frozen, points=2)
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
        because = "buffers were counted: BatchNorm's statistics get no gradients, so don't use state_dict()"
    elif any(name.startswith("detached") for name in extra):
        because = (
            "state_dict(), `.data` and `.detach()` give tensors that take no gradient, and state_dict() has the "
            "buffers among them: return what model.parameters() gives"
        )
    elif "a copy" in extra:
        because = "an optimiser moves the tensors that it holds: return the model's own parameters, not copies"
    elif extra:
        because = "frozen parameters are in the list: read the `requires_grad` of each"
    elif len(got) > len(set(got)):
        because = "a parameter is in the list twice: an optimiser warns about that, or updates it twice"
    elif not got:
        because = (
            "nothing is in the list: go through model.parameters(), and read `requires_grad` (of tensors from "
            "state_dict() it is False, and before the first step no `.grad` is there)"
        )
    else:
        because = "some trainable parameters are missing"
    wrong = f", {sum(name not in expected for name in got)} of them wrong, for example {extra[0]}" if extra else ""
    twice = f", {len(got) - len(set(got))} of them again" if len(got) > len(set(got)) else ""
    raise Wrong(
        tried="your function on a model with some parameters frozen",
        got=f"{len(got)} items{wrong or twice}",
        expected=f"the {len(expected)} parameters with requires_grad",
        because=because,
    )
