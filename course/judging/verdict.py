"""An exercise and a student to a result: the probe runs once a case, every judge decides on what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from course.errors import WireError
from course.judging import wire
from course.judging.exercise import Exercise, Judge
from course.judging.expectations import Wrong, show
from course.judging.student import Failure, Reply, Student
from course.judging.surroundings import plain_torch

OPEN_SECRET = "open"  # draws the cases that a learner sees
_FINAL = ("timeout", "interrupted", "missing")  # failures after which no other case is tried


@dataclass(frozen=True)
class Outcome:
    """One judge's decision. The four texts say what was tried, what came back, what was expected, and why perhaps."""

    name: str
    claim: str
    points: int
    passed: bool
    tried: str = ""
    got: str = ""
    expected: str = ""
    because: str = ""
    hidden: bool = False

    @property
    def earned(self) -> int:
        return self.points if self.passed else 0


@dataclass(frozen=True)
class Result:
    """An exercise judged. `status` is "graded", "not attempted", "error" or "timeout"."""

    id: str
    title: str
    status: str
    outcomes: tuple[Outcome, ...] = ()
    failure: Failure | None = None
    printed: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def points(self) -> int:
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def score(self) -> int:
        return sum(outcome.earned for outcome in self.outcomes)

    @property
    def passed(self) -> bool:
        return self.status == "graded" and self.score == self.points

    def __str__(self) -> str:
        from course.judging.card import as_text

        return as_text(self)


def judge(
    exercise: Exercise, student: Student, *, judges: Sequence[Judge] | None = None, secret: str = OPEN_SECRET
) -> Result:
    """The result of an exercise. `judges` are the visible ones unless given; `secret` draws the cases.

    What the answer does cannot raise here; an error in a case or a judge is ours and does.
    """
    judges = exercise.judges if judges is None else judges
    sent: dict[str, bytes] = {}
    replies: dict[str, Reply] = {}
    with plain_torch():
        for case in {judge.case.name: judge.case for judge in judges}.values():
            sent[case.name] = wire.encode(case.inputs(exercise.id, secret))
            reply = replies[case.name] = student.run(exercise, sent[case.name])
            if reply.failure and reply.failure.kind in _FINAL:
                replies |= {judge.case.name: reply for judge in judges if judge.case.name not in replies}
                break
        outcomes = tuple(_decide(judge, sent.get(judge.case.name), replies[judge.case.name]) for judge in judges)
    failure = next((reply.failure for reply in replies.values() if reply.failure), None)
    return Result(
        exercise.id,
        exercise.title,
        _status(failure, outcomes),
        outcomes,
        failure,
        next((reply.printed for reply in replies.values() if reply.printed), ""),
    )


def unattempted(exercise: Exercise, *notes: str) -> Result:
    """The result of an exercise whose answer is still the released one, or is not there."""
    outcomes = tuple(Outcome(judge.name, judge.claim, judge.points, False) for judge in exercise.judges)
    return Result(exercise.id, exercise.title, "not attempted", outcomes, notes=notes)


def unreadable(exercise: Exercise, message: str) -> Result:
    """The result of an exercise whose answer is no Python, so that nothing of it can run."""
    outcomes = tuple(
        Outcome(judge.name, judge.claim, judge.points, False, because=message) for judge in exercise.judges
    )
    return Result(exercise.id, exercise.title, "error", outcomes, Failure("error", message))


def _status(failure: Failure | None, outcomes: Sequence[Outcome]) -> str:
    if failure and not any(outcome.passed for outcome in outcomes):
        return {"timeout": "timeout", "missing": "not attempted"}.get(failure.kind, "error")
    return "graded"


def _decide(judge: Judge, sent: bytes | None, reply: Reply) -> Outcome:
    about = judge.name, judge.claim, judge.points
    if reply.failure:
        return Outcome(*about, False, because=reply.failure.message, hidden=judge.hidden)
    assert sent is not None and reply.artefacts is not None  # a reply without a failure has both
    try:
        artefacts = wire.decode(reply.artefacts)
    except WireError as error:
        return Outcome(*about, False, because=str(error), hidden=judge.hidden)
    try:
        judge.decide(wire.decode(sent), artefacts)  # a copy of its own for each judge
    except Wrong as wrong:
        return Outcome(*about, False, wrong.tried, wrong.got, show(wrong.expected), wrong.because, hidden=judge.hidden)
    except Exception as error:  # the artefacts have a shape that no right answer gives
        because = f"what came back cannot be judged ({type(error).__name__}: {str(error)[:200]})"
        return Outcome(*about, False, because=because, hidden=judge.hidden)
    return Outcome(*about, True, hidden=judge.hidden)
