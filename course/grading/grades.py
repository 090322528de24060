"""What the parts of the grader hand to one another: a submission, and the grade of one exercise of it."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from course.errors import SubmissionError
from course.judging.results import LACKING, Failure, Outcome

MAX_NOTEBOOK = 50 * 2**20  # bytes; with larger outputs a notebook is refused, with what to do

GRADED, NOT_ATTEMPTED, ERROR, TIMEOUT, CRASHED, TAMPERED, MACHINERY = STATUSES = (
    "graded",  # judges decided; the score may still be 0
    "not attempted",  # the answer is the released one, or is not there
    "error",  # the answer raised in every judged case, or cannot be run; without a score if that is ours (`lacks`)
    "timeout",  # it did not return in time
    "crashed",  # its process ended, or took more memory or processes than it may
    "tampered",  # what came back is not what the course writes
    "machinery failure",  # ours: it has no score, and the next run tries again
)


@dataclass(frozen=True)
class Submission:
    """A notebook that a learner handed in, still unread: a file, or a member of a zip."""

    learner: str
    path: Path
    member: str = ""  # the name within the zip
    handed_in: datetime | None = None  # in UTC
    late: bool = False
    problem: str = ""  # why it cannot be read at all, and what to do; the other fields may be guesses then
    full_name: str = ""  # what the roster calls the learner, where it says more than `learner`

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    def content(self) -> bytes:
        """The notebook's bytes. Raises SubmissionError when there are too many, or they can't be read."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                    content = stream.read(MAX_NOTEBOOK + 1)  # a bomb's stated size proves nothing
            else:
                with self.path.open("rb") as stream:
                    content = stream.read(MAX_NOTEBOOK + 1)
        except (OSError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
            raise SubmissionError(f"{self.name} cannot be read ({error}); ask for it again") from error
        except Exception as error:  # zlib.error and its like, from a damaged archive
            raise SubmissionError(f"{self.name} is damaged ({error}); ask for it again") from error
        if len(content) > MAX_NOTEBOOK:
            raise SubmissionError(
                f"{self.name} is over {MAX_NOTEBOOK // 2**20} MiB; ask for it again, with its outputs cleared"
            )
        return content


@dataclass(frozen=True)
class CapstoneSubmission(Submission):
    """Weights that a learner handed in, and the model card that came with them."""

    card: Submission | None = None


def digest(content: bytes) -> str:
    """The sha256 of a notebook's bytes: the same file is the same submission, whatever its name."""
    return hashlib.sha256(content).hexdigest()


def problem_digest(learner: str, name: str, problem: str) -> str:
    """What stands for the content of a file that cannot be read: another for each learner."""
    return digest(f"{learner}\0{name}\0{problem}".encode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class Grade:
    """One exercise of one submission, judged. `score` is None where nothing was decided: the next run tries again.

    That is so with the status MACHINERY, and with ERROR where the grader `lacks` what the answer needs.
    """

    submission: str  # digest of the notebook
    exercise: str  # id
    judges: str  # digest of the judges, visible and hidden, that decided
    seed: str  # digest that drew the inputs: of the gradebook's secret and the submission; "" for a capstone
    status: str
    score: float | None
    points: float
    outcomes: tuple[Outcome, ...] = ()
    failure: Failure | None = None  # of the visible judges' cases alone
    printed: str = ""  # likewise
    notes: tuple[str, ...] = field(default=())
    source: str = ""  # the answer's cell
    isolation: str = "sandbox"  # or "container" or "trusted"; "data" where nothing was run
    seconds: float = 0.0
    machine: str = ""
    graded_at: datetime | None = None  # in UTC
    measures: tuple[tuple[str, str | float], ...] = ()  # what a capstone was measured to do, by name

    @property
    def lacks(self) -> str:
        """The library or the Python that the answer needs and the grader has not; empty for nothing."""
        return self.failure.lacks if self.failure and self.failure.kind == LACKING else ""
