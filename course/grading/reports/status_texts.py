"""What a status means, in words that say what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from course.grading.grades import CRASHED, ERROR, GRADED, MACHINERY, NOT_ATTEMPTED, TAMPERED, TIMEOUT, Grade

SOLVED, PARTLY, WRONG, WAITING, LACKING = "solved", "partly", "wrong", "waiting", "lacking"


@dataclass(frozen=True)
class Words:
    """One status: `mark` and `label` are read together, `short` stands in a table, `advice` is for the learner."""

    mark: str
    label: str
    short: str
    advice: str


STATUS = {
    SOLVED: Words("✓", "Solved", "✓", ""),
    PARTLY: Words(
        "◐", "Partly solved", "", "Some checks pass. Read what the others tried and expected, and try again."
    ),
    WRONG: Words("✗", "Not solved yet", "✗", "No check passed. Begin with the first one below."),
    NOT_ATTEMPTED: Words(
        "○",
        "Not attempted",
        "–",
        "The cell of this exercise is missing or still as you got it. Write your answer there in place of "
        "`raise NotImplementedError`, save the notebook and hand it in again.",
    ),
    ERROR: Words(
        "✗",
        "Error",
        "error",
        "No check passed: your code raised an error, or what it returned cannot be judged. The message says which. "
        "Run the cell and the check after it in a fresh kernel to see it yourself.",
    ),
    TIMEOUT: Words(
        "✗",
        "Took too long",
        "time",
        "Your code did not come back in time. Look for a loop that never ends, or for work done again and again.",
    ),
    CRASHED: Words(
        "✗",
        "Crashed",
        "crash",
        "The process that ran your code ended, or it wanted more memory or more processes than it may have. Look for a "
        "call of exit(), a very large tensor, or a list that keeps growing.",
    ),
    TAMPERED: Words(
        "✗",
        "Not accepted",
        "tamper",
        "What came back was not what the exercise's own code sends. An answer should only compute and return. If you "
        "did nothing else, tell your instructor.",
    ),
    MACHINERY: Words(
        "…",
        "No score yet: our fault",
        "retry",
        "The grader failed here, not your code. It has cost you nothing and will be graded again.",
    ),
    LACKING: Words(
        "…",
        "No score yet",
        "lacks",
        "Something that your code needs is missing where it was graded. That has cost you nothing. If the line below "
        "names a file of yours, put its functions into the notebook and hand it in again; otherwise your instructor "
        "installs it, and the exercise is graded then.",
    ),
    WAITING: Words("…", "Not graded yet", "…", "This exercise is waiting to be graded."),
}

# Of an answer that was stopped in hidden checks alone, whose messages no learner sees.
_UNSEEN = "No check passed. Begin with the first one below that is not hidden. In a hidden check "
STOPPED_UNSEEN = {
    ERROR: _UNSEEN + "your code raised an error, or what it returned cannot be judged.",
    TIMEOUT: _UNSEEN + "your code did not come back in time.",
    CRASHED: _UNSEEN + "the process that ran your code ended, or wanted more memory or processes than it may have.",
}

ISOLATION = {
    "sandbox": "Its code runs in a sandbox of its own.",
    "container": "It ran in a container that holds this submission alone.",
    "trusted": "It ran without a sandbox, because the submissions were trusted.",
    "data": "Nothing of it was run: it was read as numbers and text.",
}


def standing_of(grade: Grade | None) -> str:
    """The key into STATUS: a grade's status, and for one that was judged how it went."""
    if grade is None:
        return WAITING
    if grade.status == ERROR and grade.score is None:
        return LACKING
    if grade.status != GRADED:
        return grade.status
    if (grade.score or 0.0) >= grade.points:
        return SOLVED
    return PARTLY if grade.score else WRONG


def lacking_line(lacks: str, learners: int) -> str:
    """What to tell the instructor, once, of a library or a Python that answers need and this machine has not."""
    who = "1 learner" if learners == 1 else f"{learners} learners"
    if lacks.startswith("Python "):
        need = "needs" if learners == 1 else "need"
        return f"{who} {need} {lacks}: grade with it, or a newer one; no score until then"
    verb = "imports" if learners == 1 else "import"
    return (
        f"{who} {verb} {lacks}, which is not installed here: install it and grade again, or ask for the code if it is "
        "a file of theirs; no score until then"
    )
