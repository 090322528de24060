"""What comes of an answer, as plain data: a reply or a failure, what each judge decided, and the result of it all."""

from __future__ import annotations

from dataclasses import dataclass, field

# Failures after which no other case is tried.
FINAL = ("timeout", "interrupted", "missing", "crashed", "tampered")


@dataclass(frozen=True)
class Failure:
    """Why a probe brought nothing back.

    `kind` is "error", "timeout", "interrupted", "withheld", "unusable" or "missing"; behind a sandbox also "crashed"
    (its process ended) or "tampered" (what came back is not what the course writes).
    """

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Reply:
    """What one run of a probe brought back: artefacts as `wire` bytes, or a failure; and what the answer printed."""

    artefacts: bytes | None
    failure: Failure | None = None
    printed: str = ""


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
    """An exercise judged. `status` is "graded", "not attempted", "error", "timeout", "crashed" or "tampered"."""

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
