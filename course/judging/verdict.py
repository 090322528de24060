"""An exercise and a runner to a result: the probe runs once per case, every judge decides on what came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from course.errors import MachineBusy, TimeLimitReached, WireError
from course.judging import wire
from course.judging.exercise import Case, Exercise, Judge
from course.judging.expectations import Wrong, show
from course.judging.isolation import plain_torch
from course.judging.results import LACKING, Failure, NotRun, Outcome, Reply, Result
from course.judging.timelimit import time_limit

if TYPE_CHECKING:
    from course.judging.runner import Runner

OPEN_SECRET = "open"  # draws the cases that a learner sees
JUDGE_LIMIT_S = 10.0  # judges take milliseconds; what comes back may be made to keep one busy
_KEPT_BUSY = f"what came back keeps a judge busy for over {JUDGE_LIMIT_S:g} s"


def judge_exercise(
    exercise: Exercise,
    runner: Runner,
    *,
    judges: Sequence[Judge] | None = None,
    secret: str = OPEN_SECRET,
    seed: int = 0,
) -> Result:
    """The result of an exercise. `judges` are the visible ones unless given.

    `secret` draws the cases, `seed` is what the generators start from beside the answer, before each case. What the
    answer does cannot raise here; an error in a case or a judge is ours and does, as does MachineBusy.
    """
    judges = exercise.judges if judges is None else judges
    with plain_torch():
        # The visible ones first: what an answer has seen of a hidden case must not be printed in a visible one.
        cases = [judge.case for judge in sorted(judges, key=lambda judge: judge.hidden)]
        sent = {case: wire.encode(case.inputs(exercise.id, secret)) for case in dict.fromkeys(cases)}
        replies = runner.run(exercise, list(sent.values()), seed)
        replies += [replies[-1]] * (len(sent) - len(replies))  # the last one's failure ended the run
        given = dict(zip(sent, replies, strict=True))
        outcomes = _decisions(judges, sent, given)
    # What a hidden case made an answer print, or raise, may hold its values.
    shown = [given[judge.case] for judge in judges if not judge.hidden] or replies
    failure = next((reply.failure for reply in shown if reply.failure), None)
    status = _status(failure or next((reply.failure for reply in replies if reply.failure), None), outcomes)
    printed = next((reply.printed for reply in shown if reply.printed), "")
    undefined = frozenset(trouble.undefined for trouble in _troubles(replies) if trouble.undefined)
    lacks = next((trouble.lacks for trouble in _troubles(shown) if trouble.lacks), "")
    return Result(exercise.id, exercise.title, status, outcomes, failure, printed, undefined=undefined, lacks=lacks)


def _troubles(replies: Sequence[Reply]) -> list[Failure | NotRun]:
    return [trouble for reply in replies for trouble in (reply.failure, *reply.not_run) if trouble]


def unattempted(exercise: Exercise, *notes: str, judges: Sequence[Judge] | None = None) -> Result:
    """The result of an exercise whose answer is still the released one, or is not there."""
    return Result(exercise.id, exercise.title, "not attempted", _all_failed(exercise, judges, ""), notes=notes)


def unreadable(exercise: Exercise, message: str, judges: Sequence[Judge] | None = None, *, lacks: str = "") -> Result:
    """The result of an exercise whose answer cannot run at all: it is not valid Python, or this machine `lacks` one."""
    failure = Failure(LACKING if lacks else "error", message, lacks=lacks)
    return Result(exercise.id, exercise.title, "error", _all_failed(exercise, judges, message), failure)


def _all_failed(exercise: Exercise, judges: Sequence[Judge] | None, because: str) -> tuple[Outcome, ...]:
    judges = exercise.judges if judges is None else judges
    return tuple(_failed(judge, because) for judge in judges)


def _status(failure: Failure | None, outcomes: Sequence[Outcome]) -> str:
    if failure and failure.kind == "tampered":
        return failure.kind
    if failure and not any(outcome.passed for outcome in outcomes):
        status = {"missing": "not attempted", "timeout": "timeout", "crashed": "crashed"}
        return status.get(failure.kind, "error")
    return "graded"


def _decisions(judges: Sequence[Judge], sent: dict[Case, bytes], given: dict[Case, Reply]) -> tuple[Outcome, ...]:
    """What every judge decides; after one that was kept busy until its time limit, the others are not asked."""
    outcomes: list[Outcome] = []
    for judge in judges:
        late = next((outcome for outcome in outcomes if outcome.because == _KEPT_BUSY), None)
        outcomes.append(_failed(judge, _KEPT_BUSY) if late else _decide(judge, sent[judge.case], given[judge.case]))
    return tuple(outcomes)


def _failed(judge: Judge, because: str) -> Outcome:
    return Outcome(judge.name, judge.claim, judge.points, False, because=because, hidden=judge.hidden)


def _decide(judge: Judge, sent: bytes, reply: Reply) -> Outcome:
    about = judge.name, judge.claim, judge.points
    if reply.failure:
        return _failed(judge, reply.failure.message)
    assert reply.artefacts is not None  # a reply without a failure has them
    try:
        if not _decides(judge, sent, reply.artefacts):
            return _failed(judge, _KEPT_BUSY)
    except Wrong as wrong:
        # No misconception is named while the cause may be that something did not run.
        because = reply.not_run[0].message if reply.not_run else wrong.because
        return Outcome(*about, False, wrong.tried, wrong.got, show(wrong.expected), because, hidden=judge.hidden)
    except WireError as error:
        return _failed(judge, str(error))
    except (MemoryError, MachineBusy):  # this machine's, not the answer's: what comes back is limited
        raise
    except Exception as error:  # the artefacts have a shape that no right answer gives
        because = f"what came back cannot be judged ({type(error).__name__}: {str(error)[:200]})"
        return Outcome(*about, False, because=because, hidden=judge.hidden)
    return Outcome(*about, True, hidden=judge.hidden)


def _decides(judge: Judge, sent: bytes, artefacts: bytes) -> bool:
    """Let a judge decide, by returning or raising; False if it worked until its time limit."""
    try:
        with time_limit(JUDGE_LIMIT_S):
            judge.decide(wire.decode(sent), wire.decode(artefacts))  # copies of its own for each judge
        return True
    except TimeLimitReached:
        return False
