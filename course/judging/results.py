"""What comes of an answer, as plain data: a reply or a failure, what each judge decided, and the result of it all."""

from __future__ import annotations

from dataclasses import dataclass, field

from course.legible import legible

# Failures after which no other case is tried.
FINAL = ("timeout", "interrupted", "missing", "crashed", "tampered")
LACKING = "lacking"  # the kind of a failure that is not the answer's: this machine lacks a library, or a newer Python


@dataclass(frozen=True)
class Failure:
    """Why a probe brought nothing back.

    `kind` is "error", "timeout", "interrupted", "withheld", "unusable" or "missing"; behind a sandbox also "crashed"
    (its process ended) or "tampered" (what came back is not what the course writes); or LACKING. `undefined` is a name
    that was not there, `lacks` the library or the Python that was not.
    """

    kind: str
    message: str
    traceback: str = ""
    undefined: str = ""
    lacks: str = ""


@dataclass(frozen=True)
class NotRun:
    """A statement that failed before the answer was called: what to say of it, and the names that it left unbound.

    `undefined` and `lacks` are as in a Failure.
    """

    message: str
    names: tuple[str, ...] = ()
    essential: bool = True
    undefined: str = ""
    lacks: str = ""


@dataclass(frozen=True)
class Reply:
    """What one run of a probe brought back: artefacts as `wire` bytes, or a failure; and what the answer printed.

    `not_run` are the statements that the answer needs and that failed.
    """

    artefacts: bytes | None
    failure: Failure | None = None
    printed: str = ""
    not_run: tuple[NotRun, ...] = ()


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

    @property
    def mark(self) -> str:
        return "✓" if self.passed else "✗"

    @property
    def worth(self) -> str:
        """Its points in words: "1 point"."""
        return _in_words(self.points)


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
    undefined: frozenset[str] = frozenset()  # names that were not there when the answer, or what it needs, was run
    lacks: str = ""  # a library that was not there

    @property
    def is_scored(self) -> bool:
        """False where this machine lacks what the answer needs: nothing was decided on it."""
        return not (self.failure and self.failure.kind == LACKING)

    @property
    def points(self) -> int:
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def score(self) -> int:
        return sum(outcome.earned for outcome in self.outcomes)

    @property
    def passed(self) -> bool:
        return self.status == "graded" and self.score == self.points

    @property
    def is_wrong(self) -> bool:
        """True where an answer was tried and is not right yet."""
        return not self.passed and self.status != "not attempted"

    @property
    def headline(self) -> str:
        """The line that says how it ended: "✗ 02-set-train-mode: 1 of 4 points"."""
        if self.status == "not attempted":
            return f"○ {self.id}: not attempted yet ({_in_words(self.points)})"
        if not self.is_scored:
            return f"… {self.id}: cannot be checked here ({_in_words(self.points)})"
        return f"{'✓' if self.passed else '✗'} {self.id}: {self.score} of {_in_words(self.points)}"

    @property
    def message(self) -> str:
        """Why nothing came back to be judged, if that is so; said once for all judges."""
        return self.failure.message if self.failure else ""

    def details(self, outcome: Outcome) -> list[tuple[str, str]]:
        """What to say below a judge that failed; a reason that stands above already is not said again."""
        if outcome.passed:
            return []
        because = "" if outcome.because == self.message else outcome.because
        said = {earlier.because for earlier in self.outcomes[: self.outcomes.index(outcome)]}
        because = "as above" if because and because in said else because
        rows = [("tried", outcome.tried), ("got", outcome.got), ("expected", outcome.expected), ("why", because)]
        return [(name, text) for name, text in rows if text]

    def __str__(self) -> str:
        """The result in plain text: one line for each judge, its reasons below it."""
        lines = [legible(self.headline)]
        if self.status != "not attempted":
            if self.message:
                lines.append(f"  {legible(self.message)}")
            for outcome in self.outcomes:
                lines.append(f"  {outcome.mark} {legible(outcome.claim)} ({outcome.earned} of {outcome.worth})")
                lines += [f"      {name}: {legible(text)}" for name, text in self.details(outcome)]
        lines += [f"  note: {legible(note)}" for note in self.notes]
        if self.failure and self.failure.traceback:
            lines += ["  where it happened:", *_indented(self.failure.traceback.rstrip(), "  ")]
        if self.printed:
            lines += ["  your code printed:", *_indented(self.printed, "    ")]
        return "\n".join(lines)


def _indented(text: str, by: str) -> list[str]:
    return [by + line for line in legible(text).splitlines()]


def _in_words(points: int) -> str:
    return f"{points} point" + ("s" if points != 1 else "")
