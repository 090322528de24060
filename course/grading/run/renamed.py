"""Learners who go by another name than in the gradebook, for example after a roster was added: their work moves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from course.errors import SubmissionError
from course.grading.capstone.work import read_capstone
from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.rows import HandedIn, learner_name, storable
from course.grading.grades import CapstoneSubmission, Submission, digest, problem_digest


def move_renamed(submissions: Sequence[Submission], book: Gradebook, tell: Callable[[str], Any] = print) -> None:
    """Move what the gradebook holds of these files under names that they no longer have, and say so.

    The same file, by path and content, shows that two names are one learner's; then earlier contents of this path move
    too. Grades belong to contents, so they are kept and nothing is graded again.
    """
    now: dict[tuple[str, str], list[Submission]] = defaultdict(list)  # several for a group's
    for submission in submissions:
        now[storable(str(submission.path)), storable(submission.member)].append(submission)
    recorded: dict[tuple[str, str], dict[str, list[HandedIn]]] = defaultdict(lambda: defaultdict(list))
    for row in book.submissions():
        if (row.path, row.member) in now:
            recorded[row.path, row.member][row.learner].append(row)
    moved: Counter[tuple[str, str]] = Counter()
    for place, by_learner in recorded.items():
        owners = {learner_name(owner.learner): owner for owner in now[place]}
        unrecorded = [owner for name, owner in owners.items() if name not in by_learner]
        for name in sorted(by_learner.keys() - owners.keys()):
            owner = unrecorded[0] if unrecorded else now[place][0]
            content = _digest(owner, name)
            if any(row.digest == content for row in by_learner[name]):
                digests = {
                    row.id: row.digest if row.digest != content else _digest(owner, owner.learner)
                    for row in by_learner[name]
                }
                book.move(digests, owner)
                moved[name, owner.full_name or owner.learner] += len(digests)
                unrecorded = unrecorded[1:]
    for (before, after), count in sorted(moved.items()):
        tell(f"{before} is now {after}: {count} {'submission' if count == 1 else 'submissions'} moved")


def _digest(submission: Submission, learner: str) -> str:
    """The digest under which this is recorded as handed in by a learner."""
    if isinstance(submission, CapstoneSubmission):
        return read_capstone(submission)[0]
    try:
        if submission.problem:
            raise SubmissionError(submission.problem)
        return digest(submission.content())
    except SubmissionError as error:
        return problem_digest(learner, submission.name, str(error))
