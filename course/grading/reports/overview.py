"""The instructor's page: the class at a glance, what needs attention, and a table of everyone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import mean, median
from urllib.parse import quote

from course.grading.capstone.rules import EXERCISE, NOTEBOOK
from course.grading.grades import CRASHED, ERROR, GRADED, MACHINERY, NOT_ATTEMPTED, TAMPERED, TIMEOUT, Grade
from course.grading.reports.charts import WITHOUT, Histogram, histogram
from course.grading.reports.classroom import Classroom, Learner, exercise_title, title_of
from course.grading.reports.leaderboard import leaderboards
from course.grading.reports.pages import number, render
from course.grading.reports.similarity import Similar, similar_answers
from course.grading.reports.status_texts import LACKING, SOLVED, STATUS, WAITING, lacking_line, standing_of
from course.judging.results import Outcome
from course.legible import legible, shortened

_RAISED = re.compile(r"(?:^`[^`]+` raised |\braised (?=TypeError: )|^what came back cannot be judged \()(\w{1,80})")
MOST_MISTAKES, MOST_LISTED, MOST_GROUPS, MOST_SOURCES = 30, 100, 40, 3


@dataclass(frozen=True)
class JudgeLine:
    """How many of those who attempted an exercise passed one of its judges."""

    claim: str
    hidden: bool
    passed: int
    tried: int


@dataclass(frozen=True)
class ExerciseSummary:
    """One exercise over the class."""

    id: str
    title: str
    points: float
    learners: int
    attempted: int
    solved: int
    mean: float | None
    median: float | None
    picture: Histogram
    judges: list[JudgeLine]


@dataclass
class Mistake:
    """A misconception, what a judge said; or a type of error, with the `example` of one answer that raised it."""

    exercise: str
    because: str
    example: str = ""
    claims: set[str] = field(default_factory=set)
    learners: dict[str, Learner] = field(default_factory=dict)


@dataclass(frozen=True)
class Incident:
    """Something to look at: whose, and what is known of it."""

    learner: Learner
    exercise: str
    message: str


@dataclass(frozen=True)
class Group:
    """Learners with nearly the same answer, and the first sources to compare."""

    similar: Similar
    learners: list[Learner]
    sources: list[tuple[Learner, str]]


@dataclass(frozen=True)
class Row:
    """A learner's line in the table: (text, class) a cell, and the words that the filter finds."""

    learner: Learner
    late: bool
    percent: float | None
    cells: list[tuple[str, str]]
    found_by: str


def class_page(classroom: Classroom, references: Mapping[str, str]) -> str:
    """The page as text. It is the same for the same gradebook: no time of writing stands in it."""
    learners = classroom.learners
    groups = list(_similar(learners, references))
    grades = [grade for learner in learners for grade in learner.grades.values()]
    known = {name for learner in learners for name in learner.notebooks}
    return render(
        "class.html.j2",
        script=True,
        classroom=classroom,
        handed_in=_handed_in(learners),
        notebooks=len(known),
        notebooks_are=_named(known),
        judged=sum(grade.score is not None for grade in grades),
        newest=max((grade.graded_at for grade in grades if grade.graded_at), default=None),
        levels=sorted({grade.isolation for grade in grades}),
        totals=_totals(learners),
        without=WITHOUT,
        summaries=[_summary(name, learners) for name in classroom.exercises],
        mistakes=_mistakes(learners),
        incidents=_incidents(learners),
        lacking=_lacking(learners),
        same_files=_same_files(learners),
        groups=groups[:MOST_GROUPS],
        groups_left=max(0, len(groups) - MOST_GROUPS),
        leaderboards=leaderboards(learners),
        rows=[_row(learner, classroom.exercises) for learner in learners],
        most=MOST_LISTED,
        href=lambda learner, folder: f"{folder}/{quote(learner.file)}.html",
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _named(notebooks: set[str]) -> str:
    """How many notebooks there are, and whether the capstone is one of them."""
    counted = _counted(len(notebooks - {NOTEBOOK}), "notebook")
    return f"{counted} and the capstone" if NOTEBOOK in notebooks else counted


def _handed_in(learners: Iterable[Learner]) -> str:
    """What was handed in, each kind by its name: "61 notebooks, 5 capstones"."""
    kinds: Counter[str] = Counter()
    for learner in learners:
        for notebook, attempts in learner.history.items():
            for attempt in attempts:
                unread = attempt.submission.problem and not attempt.points
                kinds["unreadable file" if unread else "capstone" if notebook == NOTEBOOK else "notebook"] += 1
    return ", ".join(_counted(kinds[kind], kind) for kind in ("notebook", "capstone", "unreadable file") if kinds[kind])


def _totals(learners: Iterable[Learner]) -> Histogram:
    scores, without = [], dict.fromkeys(WITHOUT, 0)
    for learner in learners:
        percent = _percent(learner)
        if percent is None:
            without["?" if learner.unreadable else "…"] += 1
        elif all(grade.score is None or grade.status == NOT_ATTEMPTED for grade in learner.grades.values()):
            without["none"] += 1
        else:
            scores.append(percent)
    return histogram(scores, 100, unit="percent or more", without=without, width=460)


def _percent(learner: Learner) -> float | None:
    """The share of the points of what was handed in; None where nothing of it has a score."""
    return 100 * learner.score / learner.points if learner.scored and learner.points else None


def _summary(exercise_id: str, learners: Iterable[Learner]) -> ExerciseSummary:
    grades = [learner.grades[exercise_id] for learner in learners if exercise_id in learner.grades]
    tried = [grade for grade in grades if grade.score is not None and grade.status != NOT_ATTEMPTED]
    scores = [grade.score for grade in tried if grade.score is not None]
    absent = sum(grade.status == NOT_ATTEMPTED for grade in grades)
    points = max((grade.points for grade in grades), default=0.0)
    return ExerciseSummary(
        exercise_id,
        exercise_title(exercise_id),
        points,
        len(grades),
        len(tried),
        sum(standing_of(grade) == SOLVED for grade in tried),
        mean(scores) if scores else None,
        median(scores) if scores else None,
        histogram(scores, points, unit="points" if points < 11 else "percent or more", without={"none": absent}),
        _judge_lines(tried),
    )


def _judge_lines(grades: Iterable[Grade]) -> list[JudgeLine]:
    counts: dict[tuple[str, bool], list[bool]] = defaultdict(list)
    for grade in grades:
        for outcome in grade.outcomes:
            counts[outcome.claim, outcome.hidden].append(outcome.passed)
    return [JudgeLine(*judge, sum(passed), len(passed)) for judge, passed in counts.items()]


def _mistakes(learners: Iterable[Learner]) -> list[Mistake]:
    """What the judges said, the commonest first; what stopped an answer altogether stands with no claim.

    Of equally common ones those that a judge named come first: errors of a type may have many causes.
    """
    found: dict[tuple[str, str], Mistake] = {}
    for learner in learners:
        for name, grade in learner.grades.items():
            if grade.status not in (GRADED, ERROR) or grade.score is None:
                continue
            for outcome in grade.outcomes:
                if outcome.because and not outcome.passed:
                    because, example = _said(outcome)
                    mistake = found.setdefault((name, because), Mistake(name, because, example))
                    mistake.learners[learner.name] = learner
                    if outcome.tried:
                        mistake.claims.add(outcome.claim)
    ordered = sorted(found.values(), key=lambda one: (-len(one.learners), not one.claims, one.exercise, one.because))
    return ordered[:MOST_MISTAKES]


def _said(outcome: Outcome) -> tuple[str, str]:
    """What a judge said; or of an answer that brought nothing back, whose text may be its own, the type of its error
    and the first line of it."""
    because = legible(outcome.because)
    if outcome.tried:  # by a judge, which says what it tried
        return shortened(because, 400), ""
    line = shortened((because.strip().splitlines() or [""])[0], 200)
    raised = _RAISED.search(line)
    return (raised[1], line) if raised else (line, "")


def _incidents(learners: Iterable[Learner]) -> dict[str, list[Incident]]:
    """What needs a person: by kind, each with its learners."""
    found: dict[str, list[Incident]] = {
        kind: [] for kind in ("unreadable", TAMPERED, MACHINERY, LACKING, WAITING, CRASHED, TIMEOUT, "trusted")
    }
    for learner in learners:
        for attempts in learner.history.values():
            unread = [attempt.submission for attempt in attempts if attempt.submission.problem]
            found["unreadable"] += [Incident(learner, "", submission.problem) for submission in unread]
        for name, grade in learner.grades.items():
            if (kind := standing_of(grade)) in found:
                found[kind].append(Incident(learner, name, grade.failure.message if grade.failure else ""))
            if grade.isolation == "trusted":
                found["trusted"].append(Incident(learner, name, ""))
        waiting = [name for name in learner.missing if name not in learner.grades]
        found[WAITING] += [Incident(learner, name, "") for name in waiting]
    return {kind: incidents for kind, incidents in found.items() if incidents}


def _lacking(learners: Iterable[Learner]) -> list[str]:
    """A line for each library or Python that answers need and the grader has not."""
    found: dict[str, set[str]] = defaultdict(set)
    for learner in learners:
        for grade in learner.grades.values():
            if grade.lacks:
                found[grade.lacks].add(learner.name)
    return [lacking_line(lacks, len(names)) for lacks, names in sorted(found.items())]


def _same_files(learners: Iterable[Learner]) -> list[tuple[str, list[Learner]]]:
    """Learners who handed in the same notebook, byte for byte, with something in it; with the notebook's title."""
    holders: dict[tuple[str, str], list[Learner]] = defaultdict(list)
    for learner in learners:
        for standing in learner.standings:
            if any(grade.status not in (NOT_ATTEMPTED, MACHINERY) for grade in standing.grades.values()):
                holders[standing.notebook, standing.submission.digest].append(learner)
    return [(title_of(number), group) for (number, _), group in holders.items() if len(group) > 1]


def _similar(learners: Iterable[Learner], references: Mapping[str, str]) -> Iterator[Group]:
    by_name = {learner.name: learner for learner in learners}
    answers = [
        (learner.name, name, grade.source)
        for learner in by_name.values()
        for name, grade in learner.grades.items()
        if grade.source and grade.status != NOT_ATTEMPTED and name != EXERCISE  # whose source is the model card
    ]
    for similar in similar_answers(answers, references=references):
        members = [by_name[name] for name in similar.learners]
        shown = [(learner, learner.grades[similar.exercise].source) for learner in members[:MOST_SOURCES]]
        yield Group(similar, members, shown)


def _row(learner: Learner, exercises: Iterable[str]) -> Row:
    cells, found_by = [], set()
    for name in exercises:
        grade = learner.grades.get(name)
        status = standing_of(grade) if grade or name in learner.missing else ""
        cells.append((_cell(grade, status), status.replace(" ", "-")))
        found_by.add(status)
    late = any(standing.late for standing in learner.standings)
    found_by |= {"late"} if late else set()
    found_by |= {"unreadable"} if learner.unreadable else set()
    return Row(learner, late, _percent(learner), cells, ", ".join(sorted(found_by - {""})))


def _cell(grade: Grade | None, status: str) -> str:
    if not status or status == NOT_ATTEMPTED:
        return STATUS[status].short if status else ""
    short = STATUS[status].short
    return short if grade is None or grade.score is None else f"{number(grade.score)} {short}".rstrip()
