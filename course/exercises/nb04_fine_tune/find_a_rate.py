"""A learning-rate range test: the loss at growing rates, on a copy of the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Unusable, Wrong, expect, need

State = dict[str, torch.Tensor]

exercise = Exercise(
    "04-find-a-rate",
    answer="range_test",
    call="range_test(model, batches, low, high, steps)",
    title="Write a learning-rate range test",
    withholds=("course.training.lr_finder.find_lr",),
    time_limit_s=30.0,
    hints=(
        "Each step multiplies the rate by the same factor. After steps - 1 multiplications it must have grown from low "
        "to high. What is the factor?",
        "In each step: set the rate in optimizer.param_groups, compute the loss, record (rate, loss), and only then "
        "decide: stop, or take the step. `step % len(batches)` reads the batches again from the start.",
        "copy.deepcopy(model) gives you a model that you may ruin; work on the copy. Stop after recording a loss that "
        "is not finite (math.isfinite) or is more than four times the lowest loss recorded so far.",
    ),
    idea="trial = copy.deepcopy(model).train(); an SGD optimiser over its parameters; for step in range(steps): "
    "lr = low * (high / low) ** (step / (steps - 1)); set it; loss = cross_entropy(trial(x), y); append (lr, "
    "loss.item()); break if the loss is not finite or above 4 times the lowest; zero_grad, backward, step.",
)

STOP_AT = 4.0  # times the lowest loss


@exercise.case
def rates_up_to_a_moderate_one(rng: torch.Generator) -> dict[str, Any]:
    return range_case("chain", rng, high=0.5, steps=12)


@exercise.case
def rates_up_to_divergence(rng: torch.Generator) -> dict[str, Any]:
    return range_case("chain", rng, high=1e4, steps=40)


def range_case(
    architecture: str, rng: torch.Generator, *, high: float, steps: int, batches: int = 3, training: bool = True
) -> dict[str, Any]:
    """`training` is the mode in which the model is handed over."""
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "low": 0.01 * (1 + float(torch.rand((), generator=rng))),
        "high": high,
        "steps": steps,
        "training": training,
        "x": [small_models.pictures(rng, 8) for _ in range(batches)],
        "y": [small_models.labels(rng, 8) for _ in range(batches)],
    }


@exercise.probe
def probe_range_test(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"]).train(case["training"])
    batches = list(zip(case["x"], case["y"], strict=True))
    returned = need(
        answer(model, batches, case["low"], case["high"], case["steps"]), (list, tuple), "a list of (rate, loss) pairs"
    )
    try:
        pairs = [(float(rate), float(loss)) for rate, loss in returned]
    except (TypeError, ValueError) as error:
        raise Unusable("your list does not consist of pairs of two numbers, (rate, loss)") from error
    return {
        "rates": [rate for rate, _ in pairs],
        "losses": [loss for _, loss in pairs],
        "final": dict(model.state_dict()),
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "training": [module.training for module in model.modules()],
    }


def _rates(case: dict[str, Any]) -> list[float]:
    low, high, steps = case["low"], case["high"], case["steps"]
    return [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]


def _losses(
    case: dict[str, Any],
    rates: list[float],
    *,
    clears: bool = True,
    steps_first: bool = False,
    train: bool = True,
    restores: bool = False,
    momentum: float = 0.0,
    first_batch: bool = False,
    softmax: bool = False,
    adam: bool = False,
) -> list[float]:
    """The losses at these rates, without a stop: the reference, or those of another way to measure."""
    model = small_models.restore(case["architecture"], case["state"]).train(train)
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    if adam:
        optimizer = torch.optim.Adam(model.parameters())
    found = []
    for step, rate in enumerate(rates):
        if restores:
            model.load_state_dict(case["state"])
        batch = 0 if first_batch else step % len(case["x"])
        x, y = case["x"][batch], case["y"][batch]
        optimizer.param_groups[0]["lr"] = rate
        if clears:
            optimizer.zero_grad()
        logits = model(x)
        loss = nn.functional.cross_entropy(logits.softmax(1) if softmax else logits, y)
        loss.backward()
        optimizer.step()
        if steps_first:
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model(x), y)
        found.append(loss.item())
        if not math.isfinite(found[-1]):
            break
    return found


def _follows(got: list[float], expected: list[float]) -> bool:
    """Whether the losses agree, as far as both go; rounding grows with every step of a diverging run."""
    pairs = [(a, b) for a, b in zip(got, expected, strict=False) if math.isfinite(a) and math.isfinite(b)]
    return len(pairs) > 1 and all(abs(a - b) <= 3e-4 * abs(b) + 1e-5 for a, b in pairs)


@exercise.judge(rates_up_to_a_moderate_one, points=1)
def rates_grow_by_a_factor(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The rates run from low to high in equal factors."""
    expected, got = _rates(case), result["rates"]
    low, high, steps = case["low"], case["high"], case["steps"]
    mistakes = {
        "the rates grow by equal differences, so nearly all of them are close to high; use equal factors": [
            low + (high - low) * step / (steps - 1) for step in range(steps)
        ],
        "the last rate falls short of high: from low to high there are steps - 1 factors": [
            low * (high / low) ** (step / steps) for step in range(steps)
        ],
        "the first rate is above low: record the first loss before the rate grows": [
            low * (high / low) ** ((step + 1) / steps) for step in range(steps)
        ],
        "the rate never changed": [low] * steps,
    }

    def same(rates: list[float]) -> bool:
        pairs = list(zip(got, rates, strict=False))
        return len(pairs) > 2 and all(abs(a - b) <= 1e-4 * b for a, b in pairs)

    otherwise = "low * (high / low) ** (step / (steps - 1)), from step 0 to the last, which has the rate high"
    if same(expected):
        otherwise = f"these rates are right, but there are {len(got)} of them and not one for each of the {steps} steps"
    expect(
        len(got) == steps and same(expected),
        tried=f"low={low:.4g}, high={high:g}, steps={steps}: the rates, at none of which training diverges",
        got=f"{len(got)} rates, {', '.join(f'{rate:.4g}' for rate in got[:3])}, ..., {got[-1]:.4g}" if got else "none",
        expected=f"{steps} rates, {', '.join(f'{rate:.4g}' for rate in expected[:3])}, ..., {expected[-1]:.4g}",
        because=next((because for because, rates in mistakes.items() if same(rates)), otherwise),
    )
    _expect_a_run(case, result)


def _expect_a_run(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless there are losses of several steps, and the first is one that this model has."""
    got, rates = result["losses"], result["rates"][:1]
    different = len(set(got))
    expect(
        different > 2,
        tried="reading the losses",
        got=f"{different} different values",
        expected="one loss per step of a model that is being trained",
        because="the same few values come back in every step" if different else "the list is empty",
    )
    starts = [
        _losses(case, rates, **other)[0]
        for other in ({}, {"train": False}, {"steps_first": True}, {"softmax": True})  # which is right: another judge
    ]
    expect(
        any(abs(got[0] - start) <= 1e-3 * start for start in starts),
        tried="the loss of the first step",
        got=got[0],
        expected=f"{starts[0]:.6g}, that of your model on the first batch",
    )


@exercise.judge(rates_up_to_a_moderate_one, points=2)
def losses_are_those_of_the_steps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each loss is that of the next batch in train mode, before the step with this rate."""
    rates, got = result["rates"], result["losses"]
    expected = _losses(case, rates)
    if _follows(got, expected):
        return
    others: dict[str, Callable[[], list[float]]] = {
        "these are the losses after the step; record the loss that the step is computed from": lambda: _losses(
            case, rates, steps_first=True
        ),
        "the gradients were not cleared: without zero_grad they add up over the steps": lambda: _losses(
            case, rates, clears=False
        ),
        "the model was in eval mode, in which BatchNorm uses its stored statistics": lambda: _losses(
            case, rates, train=False
        ),
        "each rate starts from the first weights again; the test is one run in which the rate grows": lambda: _losses(
            case, rates, restores=True
        ),
        "every step uses the first batch; take the next one each time": lambda: _losses(case, rates, first_batch=True),
        "the optimiser has momentum 0.9; the task says plain SGD": lambda: _losses(case, rates, momentum=0.9),
        "the optimiser is Adam; the task says plain SGD": lambda: _losses(case, rates, adam=True),
        "softmax before cross_entropy: it is inside already": lambda: _losses(case, rates, softmax=True),
        "the recorded rates were not used: the losses are those of steps at the lowest rate": lambda: _losses(
            case, [case["low"]] * len(rates)
        ),
        "the recorded rates were not used: the losses are those of steps at the highest rate": lambda: _losses(
            case, [case["high"]] * len(rates)
        ),
        "each step uses the rate of the step before: set the rate before the step": lambda: _losses(
            case, [rates[0], *rates[:-1]]
        ),
    }
    raise Wrong(
        tried="training the same model at your rates",
        got=f"losses {', '.join(f'{loss:.3f}' for loss in got[:5])}, ...",
        expected=f"{', '.join(f'{loss:.3f}' for loss in expected[:5])}, ...",
        because=next((because for because, losses in others.items() if _follows(got, losses())), ""),
    )


@exercise.judge(rates_up_to_divergence, points=2)
def it_stops_at_divergence(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The run ends with the first loss that is not finite or above four times the lowest so far."""
    losses, steps = result["losses"], case["steps"]
    _expect_a_run(case, result)
    lowest = math.inf
    end = len(losses)
    for step, loss in enumerate(losses):
        lowest = min(lowest, loss) if math.isfinite(loss) else lowest
        if not math.isfinite(loss) or loss > STOP_AT * lowest:
            end = step + 1
            break
    else:
        diverges = len(losses) < steps
        expect(
            not diverges,
            tried=f"rates up to {case['high']:g}",
            got=f"a stop after {len(losses)} of {steps} steps, with a last loss of {losses[-1]:.3g} and a lowest of "
            f"{min(losses):.3g}",
            expected="a stop only at a loss above four times the lowest, and this loss is in the list",
            because=_why_it_ended(case, result),
        )
        raise Wrong(
            tried=f"rates up to {case['high']:g}",
            got=f"no loss above four times the lowest in {steps} steps",
            expected="a loss that grows without bound at such rates",
            because=f"your highest rate is {max(result['rates']):.3g}, not {case['high']:g}"
            if max(result["rates"]) < case["high"] / 2
            else "the same model diverges when it is really trained at your rates: is each rate set in the optimiser?",
        )
    expect(
        end == len(losses),
        tried=f"rates up to {case['high']:g}",
        got=f"{len(losses)} losses, although number {end} is {losses[end - 1]:.3g} and the lowest before {lowest:.3g}",
        expected=f"a stop after number {end}",
        because="the run continues after it has diverged, which tells nothing more about the rate",
    )


def _why_it_ended(case: dict[str, Any], result: dict[str, Any]) -> str:
    """What comes after the last of the losses, none of which ends the run, if the next rate is tried as well."""
    losses, rates = result["losses"], _rates(case)[: len(result["losses"]) + 1]
    following = _losses(case, rates)
    if not _follows(losses, following) or len(following) <= len(losses):
        return "the run ended before a loss was above four times the lowest"
    if math.isfinite(following[-1]) and following[-1] <= STOP_AT * min(losses):
        return f"the run ended, and the next loss is {following[-1]:.3g}, which is no reason to stop either"
    return f"the loss that ends the run, {following[-1]:.3g}, was not recorded"


@exercise.judge(rates_up_to_divergence, points=1)
def the_model_is_unchanged(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The model has its weights and its BatchNorm statistics as before, bit by bit, and is still trainable."""
    final = result["final"]
    changed = [name for name, value in case["state"].items() if not torch.equal(final[name], value)]
    because = ""
    if changed and all("running" in name or "num_batches" in name for name in changed):
        because = "the weights were restored, but not BatchNorm's statistics: they are buffers, not parameters"
    elif changed:
        because = "the test ruins the model that it trains, so train a copy, or restore its state afterwards"
    expect(
        not changed,
        tried="comparing the model before and after your call",
        got=f"{len(changed)} of {len(case['state'])} weights and buffers changed",
        expected="none",
        because=because,
    )
    expect(
        all(result["requires_grad"]),
        tried="reading requires_grad after your call",
        got=f"False for {result['requires_grad'].count(False)} parameters",
        expected="True for all, as before",
    )
    expect(
        all(mode == case["training"] for mode in result["training"]),
        tried=f"a model in {'train' if case['training'] else 'eval'} mode: reading its mode after your call",
        got="another mode in some of its modules",
        expected="the mode as before",
        because="put the copy that you train into train mode, and leave the model as it was",
    )
    _expect_a_run(case, result)
