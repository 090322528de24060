"""A teacher that is the student's slow past: every number moves a little of the way, and nothing else happens."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Wrong, expect

exercise = Exercise(
    "11-follow-student",
    answer="momentum_update",
    call="momentum_update(teacher, student, momentum)",
    title="Follow the student slowly",
    withholds=("course.training.distillation.momentum_update",),
    hints=(
        "zip(teacher.parameters(), student.parameters()) gives pairs. Change the teacher's in place, under "
        "torch.no_grad().",
        "New = momentum * old + (1 - momentum) * the student's: slow.mul_(momentum).add_(fast, alpha=1 - momentum).",
        "BatchNorm's statistics are buffers, not parameters: zip(teacher.buffers(), student.buffers()) and copy_ them.",
    ),
    idea="with torch.no_grad(): for slow, fast in zip(teacher.parameters(), student.parameters()): "
    "slow.mul_(momentum).add_(fast, alpha=1 - momentum); for slow, fast in zip(teacher.buffers(), student.buffers()): "
    "slow.copy_(fast).",
)


@exercise.case
def three_calls(rng: torch.Generator) -> dict[str, Any]:
    return follow_case("cnn", rng)


def follow_case(architecture: str, rng: torch.Generator, calls: int = 3) -> dict[str, Any]:
    """A teacher, and a student in `calls` states, one a call, and in one more after the last."""
    states = [small_models.drawn_state(architecture, rng) for _ in range(calls + 2)]
    for state in states:
        for name, value in state.items():
            if name.endswith("num_batches_tracked"):
                value.fill_(int(torch.randint(1, 1000, (), generator=rng)))
    momentum = 0.6 + 0.3 * torch.rand((), generator=rng).item()
    return {
        "architecture": architecture,
        "teacher": states[0],
        "students": states[1:-1],
        "later": states[-1],
        "momentum": momentum,
    }


@exercise.probe
def probe_follow(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    teacher = small_models.restore(case["architecture"], case["teacher"])
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    student = small_models.build(case["architecture"])
    teachers, students, with_graph = [], [], False
    for state in case["students"]:
        student.load_state_dict(state)
        answer(teacher, student, case["momentum"])
        with_graph = with_graph or any(value.requires_grad for value in teacher.parameters())
        teachers.append(_copy(teacher))
        students.append(_copy(student))
    student.load_state_dict(case["later"])  # in place: what shares the student's memory moves along
    # What hangs on a graph is left out of the last: a flag alone could be set by whoever knows of it.
    return {
        "teachers": teachers,
        "students": students,
        "later": _copy(teacher),
        "with_graph": with_graph,
        "without_graph": None if with_graph else teachers[-1],
    }


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def path(case: dict[str, Any], momentum: float | None = None) -> list[dict[str, torch.Tensor]]:
    """The teacher's state after each call."""
    momentum = case["momentum"] if momentum is None else momentum
    parameters = parameter_names(case)
    states, now = [], case["teacher"]
    for student in case["students"]:
        now = {
            name: momentum * value + (1 - momentum) * student[name] if name in parameters else student[name]
            for name, value in now.items()
        }
        states.append(now)
    return states


def parameter_names(case: dict[str, Any]) -> list[str]:
    return [name for name, _ in small_models.build(case["architecture"]).named_parameters()]


def _all_close(got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], names: list[str]) -> bool:
    return all(torch.allclose(got[name].double(), expected[name].double(), atol=1e-5) for name in names)


def judge_parameters(case: dict[str, Any], teachers: list[dict[str, torch.Tensor]]) -> None:
    """Raise Wrong unless the teacher's parameters are, after each call, on their slow way."""
    names, expected = parameter_names(case), path(case)
    for call, (got, right) in enumerate(zip(teachers, expected, strict=True), 1):
        if not _all_close(got, right, names):
            raise Wrong(
                tried=f"how the teacher's {names[0]} begins after call {call}: {case['momentum']:.3f} (momentum) of "
                "its own, the rest of the student's",
                got=got[names[0]].flatten()[:3].tolist(),
                expected=right[names[0]].flatten()[:3].tolist(),
                because=_why(case, got, call, names),
            )


def _why(case: dict[str, Any], got: dict[str, torch.Tensor], call: int, names: list[str]) -> str:
    before = path(case)[call - 2] if call > 1 else case["teacher"]
    student = case["students"][call - 1]
    if _all_close(got, before, names):
        return (
            "the teacher did not move: change its tensors in place; a new model, or a name set anew, is lost on return"
        )
    if _all_close(got, path(case, 1 - case["momentum"])[call - 1], names):
        return "the roles are swapped: momentum is the share that the teacher keeps, 1 - momentum the student's"
    if _all_close(got, student, names):
        return "this is a copy of the student: a teacher without a memory. Keep `momentum` of what it was"
    summed = {name: before[name] + (1 - case["momentum"]) * student[name] for name in names}
    if _all_close(got, summed, names):
        return "the old value was not shrunk first: both shares must sum to 1"
    return "every parameter, biases too, becomes momentum of its own value plus 1 - momentum of the student's"


@exercise.judge(three_calls, points=2)
def parameters_follow_slowly(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After every call each parameter of the teacher is `momentum` of its own and 1 - `momentum` of the student's."""
    judge_parameters(case, result["teachers"])


@exercise.judge(three_calls, points=1)
def buffers_are_copied(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The teacher's buffers, BatchNorm's statistics among them, are the student's."""
    judge_buffers(case, result["teachers"])


def judge_buffers(case: dict[str, Any], teachers: list[dict[str, torch.Tensor]]) -> None:
    """Raise Wrong unless the teacher's buffers are the student's after each call."""
    buffers = [name for name in case["teacher"] if name not in parameter_names(case)]
    for call, (got, student) in enumerate(zip(teachers, case["students"], strict=True), 1):
        wrong = [name for name in buffers if not _all_close(got, student, [name])]
        before = path(case)[call - 2] if call > 1 else case["teacher"]
        because = "copy every buffer, whole numbers too"
        if _all_close(got, before, wrong):
            because = (
                "`parameters()` has no BatchNorm statistics: they are buffers. The teacher would go on normalising by "
                "those of its first day"
            )
        elif _all_close(got, _mixed(case, before, student, wrong), [n for n in wrong if n.endswith(("mean", "var"))]):
            because = "the statistics were mixed like parameters; they are a moving average already, so copy them"
        expect(
            not wrong,
            tried=f"the teacher's buffers after call {call}",
            got=f"{len(wrong)} of {len(buffers)} are not the student's, {wrong[:1]} first",
            expected="the student's",
            because=because,
        )


def _mixed(case: dict[str, Any], before: dict, student: dict, names: list[str]) -> dict[str, torch.Tensor]:
    m = case["momentum"]
    return {name: m * before[name].double() + (1 - m) * student[name].double() for name in names}


@exercise.judge(three_calls, points=1)
def the_student_stays_itself(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The student is not changed, and when it learns on, the teacher stays where it was: they share no memory."""
    for call, (got, given) in enumerate(zip(result["students"], case["students"], strict=True), 1):
        changed = [name for name in given if not torch.equal(got[name], given[name])]
        expect(
            not changed,
            tried=f"comparing the student before and after call {call}",
            got=f"{len(changed)} of {len(given)} tensors changed",
            expected="the same bits",
            because="the teacher follows the student, not the other way round",
        )
    last = result["teachers"][-1]
    moved = [name for name, value in last.items() if not torch.equal(value, result["later"][name])]
    expect(
        not moved,
        tried="changing the student after the last call, and looking at the teacher",
        got=f"{len(moved)} of {len(last)} of its tensors changed as well",
        expected="none",
        because="teacher and student share memory: copy values (`copy_`), don't assign tensors",
    )
    judge_parameters(case, result["teachers"])  # who does nothing leaves the student alone, too


@exercise.judge(three_calls, points=1)
def no_graph_is_kept(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The teacher's parameters carry no autograd graph."""
    expect(
        isinstance(result["without_graph"], dict),
        tried="reading requires_grad of the teacher's parameters after your call",
        got="True",
        expected="False, as before",
        because="without torch.no_grad() every step keeps the student's graph alive, until the memory is full",
    )
    judge_parameters(case, [*result["teachers"][:-1], result["without_graph"]])
