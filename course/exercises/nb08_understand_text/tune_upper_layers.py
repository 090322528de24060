"""Fine-tune the upper layers of an encoder: freeze the lower ones, and give the head and the norms their own group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from course.exercises import small_encoder
from course.exercises.small_models import show_modes
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, Wrong, expect

State = dict[str, torch.Tensor]
HEAD_FACTOR = 10
RTOL = 0.01  # of the way that a parameter goes

exercise = Exercise(
    "08-tune-upper-layers",
    answer="tune_upper",
    call="tune_upper(model, batches, frozen, lr, weight_decay)",
    title="Fine-tune the upper layers",
    time_limit_s=30.0,  # a probe takes a tenth of a second; the rest is for a busy machine
    hints=(
        "Before you write the loop, decide for every parameter: is it frozen, what is its rate, does it decay? Go "
        "through model.named_parameters() and print the names.",
        "Freeze with requires_grad_(False) on model.encoder.embeddings and on model.encoder.encoder.layer[:frozen]. "
        "What is left falls into groups: encoder or head, and within each, two or more dimensions or one.",
        "for inputs, labels in batches: optimizer.zero_grad(); cross_entropy(model(**inputs), labels).backward(); "
        "optimizer.step(). The two stars pass the mask as well as the ids. Call model.train() first.",
    ),
    idea="Freeze; build up to four groups of the trainable parameters (encoder at lr, head at 10 * lr; weight_decay "
    "for ndim > 1, else 0); AdamW over the groups; model.train(); one pass of zero_grad, backward, step.",
)


@exercise.case
def one_layer_frozen(rng: torch.Generator) -> dict[str, Any]:
    return tuning_case(rng, layers=3, frozen=1)


@exercise.case
def only_embeddings_frozen(rng: torch.Generator) -> dict[str, Any]:
    return tuning_case(rng, layers=2, frozen=0)


def tuning_case(rng: torch.Generator, *, layers: int, frozen: int, batches: int = 4) -> dict[str, Any]:
    drawn = [small_encoder.batch(rng) for _ in range(batches)]
    return {
        "layers": layers,
        "frozen": frozen,
        "state": small_encoder.drawn_state(layers, rng),
        "inputs": [inputs for inputs, _ in drawn],
        "labels": [labels for _, labels in drawn],
        "lr": float(f"{0.002 + 0.003 * float(torch.rand((), generator=rng)):.2g}"),
        "weight_decay": float(f"{1 + float(torch.rand((), generator=rng)):.2g}"),  # large, so that it is seen
    }


@exercise.probe
def probe_tune_upper(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model: Any = show_modes(small_encoder.restore(case["layers"], case["state"]))
    model.eval()  # as load_encoder gives it
    answer(
        model, list(zip(case["inputs"], case["labels"], strict=True)), case["frozen"], case["lr"], case["weight_decay"]
    )
    parameters = dict(model.named_parameters())
    return {
        "after": {name: value.detach() for name, value in parameters.items()},
        "trainable": [name for name, parameter in parameters.items() if parameter.requires_grad],
        "gradients": [name for name, parameter in parameters.items() if parameter.grad is not None],
    }


def _tuned(
    case: dict[str, Any],
    still: Collection[str],
    *,
    head: float = HEAD_FACTOR,
    encoder: float = 1.0,
    decays: Callable[[str, torch.Tensor], bool] = lambda name, parameter: parameter.ndim > 1,
    least_decay: float = 0.0,
    optimizer: Any = torch.optim.AdamW,
    train: bool = True,
    masked: bool = True,
    clears: bool = True,
    at_once: bool = False,
    batches: Sequence[int] = (),
    loss: Callable[..., torch.Tensor] = cross_entropy,
) -> State:
    """The parameters afterwards: those of the reference, or of another way to train. What is in `still` is frozen."""
    model: Any = show_modes(small_encoder.restore(case["layers"], case["state"])).train(train)
    groups = []
    for name, parameter in model.named_parameters():
        if name not in still:
            factor = head if name.startswith("head") else encoder
            decay = case["weight_decay"] if decays(name, parameter) else least_decay
            groups.append({"params": [parameter], "lr": factor * case["lr"], "weight_decay": decay})
    made = optimizer(groups, lr=case["lr"])
    for number in batches or range(len(case["labels"])):
        inputs, labels = case["inputs"][number], case["labels"][number]
        if clears and not at_once:
            model.zero_grad()
        loss(model(**inputs) if masked else model(inputs["input_ids"]), labels).backward()
        if not at_once:
            made.step()
    if at_once:
        made.step()
    return {name: value.detach() for name, value in model.named_parameters()}


def _without_noise(state: State) -> State:
    """A state without the keys' biases: no output depends on them, so AdamW takes them where rounding points."""
    return {
        name: torch.cat([value.chunk(3)[0], value.chunk(3)[2]]) if name.endswith("in_proj_bias") else value
        for name, value in state.items()
    }


def _softmax_first(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.softmax(1), labels)


def _mistakes(case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How `_tuned` trains in each misconception."""
    batches = range(len(case["labels"]))
    return {
        "the head has the rate of the encoder; its rate is ten times that": {"head": 1},
        "the encoder has the rate of the head; only the head has ten times lr": {"encoder": HEAD_FACTOR},
        "the head's rate is a tenth of lr; it is ten times lr": {"head": 1 / HEAD_FACTOR},
        "every parameter decays, including the biases and the LayerNorms": {"decays": lambda name, parameter: True},
        "nothing decays: pass weight_decay on": {"decays": lambda name, parameter: False},
        "biases and LayerNorms decay, and the weight matrices do not: it is the other way round": {
            "decays": lambda name, parameter: parameter.ndim <= 1
        },
        "biases and LayerNorms have the optimiser's own decay, 0.01; theirs is 0": {"least_decay": 0.01},
        "biases don't decay, but LayerNorm's scales do": {"decays": lambda name, _: not name.endswith("bias")},
        "the head does not decay; its weight matrix does": {
            "decays": lambda name, parameter: parameter.ndim > 1 and not name.startswith("head")
        },
        "the optimiser is Adam, which adds the decay to the gradient; AdamW keeps them apart": {
            "optimizer": torch.optim.Adam
        },
        "the optimiser is SGD; the recipe is AdamW": {"optimizer": torch.optim.SGD},
        "the encoder was in eval mode, without dropout: call model.train()": {"train": False},
        "the model saw only the ids, without the mask, so padding took part": {"masked": False},
        "the gradients were not cleared: without zero_grad they add up over the batches": {"clears": False},
        "there was one step for all batches; the recipe is a step after each": {"at_once": True},
        "only the first batch was used; the recipe is one pass over all of them": {"batches": batches[:1]},
        "the gradients of the last batch were not used: a step follows the backward pass of each batch": {
            "batches": batches[:-1]
        },
        "the batches were used in reverse order": {"batches": batches[::-1]},
        "the batches were used twice; the recipe is one pass": {"batches": [*batches, *batches]},
        "softmax was applied before the loss: cross_entropy expects logits": {"loss": _softmax_first},
    }


def _setting(case: dict[str, Any]) -> str:
    return f"{case['layers']} layers, frozen={case['frozen']}, lr={case['lr']:g}, weight_decay={case['weight_decay']:g}"


def _parts(case: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the parameters that stay, and of those that are trained."""
    depth = {name: small_encoder.layers_of(name) for name in case["state"]}
    stay = [name for name, layer in depth.items() if 0 <= layer <= case["frozen"]]
    return stay, [name for name in depth if name not in stay]


@exercise.judge(one_layer_frozen, points=2)
def the_lower_part_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The embeddings and the first layers stay bit-identical, and no gradient is computed for them; the rest moves."""
    stay, trained = _parts(case)
    after, state = result["after"], case["state"]
    moved = [name for name in stay if not torch.equal(after[name], state[name])]
    because = ""
    if moved and all("embeddings" in name for name in moved):
        because = "the embeddings were trained; they are below the first layer"
    elif len(moved) == len(stay):
        because = "nothing was frozen"
    elif moved and all("embeddings" not in name for name in moved):
        because = f"of the layers, the first {case['frozen']} must stay"
    expect(
        not moved,
        tried=_setting(case),
        got=f"{len(moved)} frozen parameters moved, for example {', '.join(moved[:2])}",
        expected="none of them",
        because=because,
    )
    still = [name for name in trained if torch.equal(after[name], state[name])]
    first = f"encoder.encoder.layer.{case['frozen']}."
    because = ""
    if len(still) == len(trained):
        because = "nothing was trained"
    elif still and all(name.startswith(first) for name in still):
        because = "one layer too many is frozen"
    elif still and all(name.startswith("head") for name in still):
        because = "the head was not trained"
    expect(
        not still,
        tried=_setting(case),
        got=f"{len(still)} of {len(trained)} other parameters did not move, for example {', '.join(still[:2])}",
        expected="all of them moved",
        because=because,
    )
    waste = [name for name in stay if name in result["trainable"] or name in result["gradients"]]
    expect(
        not waste,
        tried=_setting(case),
        got=f"{len(waste)} frozen parameters require a gradient or have one, for example {', '.join(waste[:2])}",
        expected="requires_grad is False for them, and they have no gradient",
        because="leaving them out of the optimiser keeps them still, but the backward pass still computes their "
        "gradients, which costs time and memory",
    )


def judge_the_step(case: dict[str, Any], result: dict[str, Any], names: list[str], what: str) -> None:
    """Raise Wrong unless those of the parameters with these names that moved are where the recipe takes them.

    Which ones are frozen is judged by `the_lower_part_stays`; the recipe here freezes what did not move.
    """
    after, state = result["after"], case["state"]
    still = {name for name in state if torch.equal(after[name], state[name])}
    moved = [name for name in names if name not in still]
    told = _without_noise(after)

    def elsewhere(names: Iterable[str], **training: Any) -> list[str]:
        return diverged(told, _without_noise(_tuned(case, still, **training)), _without_noise(state), names, rtol=RTOL)

    expect(
        moved,
        tried=f"{_setting(case)}: {what}",
        got=f"none of {len(names)} parameters moved",
        expected="all of them moved",
        because="what is trained requires a gradient, has one when the optimiser steps, and is in one of its groups",
    )
    wrong = elsewhere(moved)
    if not wrong:
        return
    because = "AdamW steps after each batch, in order and in train mode, on the cross-entropy of the logits"
    for reason, training in _mistakes(case).items():
        if not elsewhere(state, **training):
            because = reason
            break
    raise Wrong(
        tried=f"{_setting(case)}: {what}",
        got=f"{len(wrong)} of {len(names)} parameters are elsewhere, for example {', '.join(wrong[:2])}",
        expected="where one pass of AdamW takes them with these groups",
        because=because,
    )


@exercise.judge(one_layer_frozen, points=2)
def the_encoder_learns_at_its_rate(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The upper layers end where AdamW at `lr` takes them, with decay for weight matrices only."""
    names = [name for name in _parts(case)[1] if not name.startswith("head")]
    judge_the_step(case, result, names, "the upper layers")


@exercise.judge(one_layer_frozen, points=1)
def the_head_learns_faster(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head ends where AdamW at ten times `lr` takes it."""
    names = [name for name in _parts(case)[1] if name.startswith("head")]
    judge_the_step(case, result, names, "the head")


@exercise.judge(only_embeddings_frozen, points=1)
def zero_frozen_layers_are_possible(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With frozen=0 the embeddings stay, and every layer is trained."""
    the_lower_part_stays.decide(case, result)
    judge_the_step(case, result, _parts(case)[1], "all layers")
