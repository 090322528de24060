"""Every error that the course raises on purpose. Each message says what happened, then what to do.

CourseError
├── SetupError            the machine, the profile or the installation is not what was asked for
│   ├── NoNetwork         the full profile needs a download and there is no network
│   └── DownloadFailed    the server refuses, what it sends is not the file, or there is no room for it
├── CannotWrite           a file cannot be written: the disk is full, or the place is not ours
├── UnknownName           no model, class, style or exercise has this name; the nearest are offered
├── WeightsError          a weight file cannot be used
│   ├── WeightsMissing    it is not installed
│   ├── WeightsCorrupt    its hash is not the expected one
│   └── WeightsUnsafe     a file from elsewhere asks for what no weights need
├── DataError             data cannot be used
│   ├── BadPicture        a file is not a picture, or is cut off
│   ├── EmptyData         there is not one sample
│   ├── BadLabels         a label is outside [0, classes)
│   ├── BadBoxes          a box is outside its picture or has no area
│   └── BadMask           a mask is not of its picture's size, or has unknown values
├── ModelError            model surgery is impossible
│   └── HeadNotFound      the last layer is not a Linear or a 1 x 1 convolution
├── TrainingError         training cannot go on
│   ├── NonFiniteLoss     the loss became NaN or infinite
│   ├── OutOfMemory       even one sample at a time does not fit
│   └── BadCheckpoint     a checkpoint belongs to another run, or is damaged
├── ExerciseError         an exercise cannot be judged
│   ├── CheckFailed       an answer is wrong and COURSE_STRICT=1 asks for an exception
│   ├── WriteItYourself   an answer called the library function that it is meant to replace
│   ├── TimeLimitReached  an answer did not return in time
│   └── WireError         a value cannot be carried between the answer and its judge
├── GradingError          submissions cannot be graded
│   ├── SubmissionError   what was handed in cannot be read
│   ├── SandboxMissing    answers of others cannot be run safely on this machine
│   ├── CanaryFailed      the reference solution does not get full marks on this machine
│   ├── GradebookError    the gradebook cannot be opened, read or written
│   └── ExportError       grades cannot be written in the format asked for
└── AuthoringError        a notebook in solutions/ breaks a rule
    └── MarkerError       a solution marker is unpaired, nested or in the wrong cell
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CourseError(Exception):
    """Any error the course raises on purpose."""


class SetupError(CourseError):
    """The machine, the profile or the installation is not what was asked for."""


class NoNetwork(SetupError):
    """The full profile needs a download and there is no network."""


class DownloadFailed(SetupError):
    """A download cannot be finished: the server refuses, what it sends is not the file, or there is no room for it."""


class CannotWrite(CourseError, OSError):
    """A file cannot be written: the disk is full, or the place is not ours. What was there before is unchanged.

    It has the `errno` and `strerror` of the error that the system gave.
    """

    def __str__(self) -> str:  # an OSError's own would say its number and nothing else
        return str(self.args[0]) if self.args else ""


class UnknownName(CourseError):
    """No such name; the message offers the nearest ones.

    Use `UnknownName.of("model", "resnet5", known)` to build the message.
    """

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownName:
        known = sorted(known)
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose one of: {', '.join(known[:12])}"
        return cls(f"there is no {kind} called {name!r}; {offer}")


class WeightsError(CourseError):
    """A weight file cannot be used."""


class WeightsMissing(WeightsError):
    """The package that ships the weights is not installed."""


class WeightsCorrupt(WeightsError):
    """The weight file's hash is not the expected one."""


class WeightsUnsafe(WeightsError):
    """A file from elsewhere asks for what no weights need: files of yours, unknown operators, wrong sizes, code."""


class DataError(CourseError, ValueError):
    """Data cannot be used."""


class BadPicture(DataError):
    """A file is not a picture, or is cut off."""


class EmptyData(DataError):
    """There is not one sample."""


class BadLabels(DataError):
    """A label is outside [0, classes)."""


class BadBoxes(DataError):
    """A box is outside its picture or has no area."""


class BadMask(DataError):
    """A mask is not of its picture's size, or has unknown values."""


class ModelError(CourseError):
    """Model surgery is impossible."""


class HeadNotFound(ModelError):
    """The last layer of the model is not one that `replace_head` can replace."""


class TrainingError(CourseError):
    """Training cannot go on."""


class NonFiniteLoss(TrainingError):
    """The loss became NaN or infinite."""


class OutOfMemory(TrainingError):
    """Even one sample at a time does not fit into memory."""


class BadCheckpoint(TrainingError):
    """A checkpoint belongs to another run, or is damaged."""


class ExerciseError(CourseError):
    """An exercise cannot be judged."""


class CheckFailed(ExerciseError):
    """An answer is wrong, and COURSE_STRICT=1 asks for an exception."""


class WriteItYourself(ExerciseError):
    """An answer called the library function that it is meant to replace."""


class TimeLimitReached(ExerciseError):
    """An answer did not return in time."""


class WireError(ExerciseError):
    """A value cannot be carried between the answer and its judge."""


class GradingError(CourseError):
    """Submissions cannot be graded."""


class SubmissionError(GradingError):
    """What was handed in cannot be read."""


class SandboxMissing(GradingError):
    """Answers of others cannot be run safely on this machine."""


class CanaryFailed(GradingError):
    """The reference solution does not get full marks on this machine."""


class GradebookError(GradingError):
    """The gradebook cannot be opened, read or written."""


class ExportError(GradingError):
    """Grades cannot be written in the format asked for."""


class AuthoringError(CourseError):
    """A notebook in solutions/ breaks a rule."""


class MarkerError(AuthoringError):
    """A solution marker is unpaired, nested or in the wrong cell."""
