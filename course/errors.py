"""Every error that the course raises deliberately. Each message says what happened, then what to do.

CourseError
├── SetupError            the machine, the profile or the installation is not what was asked for
│   ├── MissingExtra      an optional package is not installed
│   ├── NoNetwork         the full profile needs a download and there is no network
│   └── DownloadFailed    the server refuses, sends another file, or the disk is full
├── CannotWrite           a file cannot be written: the disk is full, or you may not write there
├── UnknownName           no model, class, style or exercise has this name; similar ones are suggested
├── WeightsError          a weight file cannot be used
│   ├── WeightsMissing    it is not installed
│   ├── WeightsCorrupt    its hash is not the expected one
│   └── WeightsUnsafe     a file from an untrusted source requires something that weights never need
├── DataError             data cannot be used
│   ├── BadPicture        a file is not a picture, or is truncated
│   ├── EmptyData         there are no samples
│   ├── BadLabels         a label is outside [0, classes)
│   ├── BadBoxes          a box extends beyond its picture or has no area
│   └── BadMask           a mask does not have its picture's size, or has unknown values
├── ModelError            a model cannot be changed in this way
│   └── HeadNotFound      the last layer is not a Linear or a 1 x 1 convolution
├── TrainingError         training cannot start or continue
│   ├── NonFiniteLoss     the loss became NaN or infinite
│   ├── OutOfMemory       even one sample at a time does not fit
│   └── BadCheckpoint     a checkpoint belongs to another run, or is damaged
├── ExerciseError         an exercise cannot be judged
│   ├── CheckFailed       an answer is wrong and COURSE_STRICT=1 requires an exception
│   ├── WriteItYourself   an answer called the library function that it should replace
│   ├── TimeLimitReached  an answer did not return in time
│   ├── MachineBusy       a machine had too little time for an answer; nobody's fault but the machine's
│   ├── NobodyTypes       an answer waits for input, which nobody can type during a check
│   └── WireError         a value cannot be transferred between the answer and its judge
├── GradingError          submissions cannot be graded
│   ├── SubmissionError   a submission cannot be read
│   ├── SandboxMissing    submissions cannot be run safely on this machine
│   ├── CanaryFailed      the reference solution does not get full marks on this machine
│   ├── GradebookError    the gradebook cannot be opened, read or written
│   └── ExportError       grades cannot be written in the requested format
└── AuthoringError        a notebook in solutions/ breaks a rule
    └── MarkerError       a solution marker is unpaired, nested or in the wrong cell

KeyboardInterrupt         not an error: you stopped what was running
└── Stopped               a long computation was stopped; a notebook shows one line
    └── TrainingStopped   training was stopped; `history` has the epochs so far
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class CourseError(Exception):
    """Any error that the course raises deliberately."""


class SetupError(CourseError):
    """The machine, the profile or the installation is not what was asked for."""


class MissingExtra(SetupError):
    """A package that only an extra of the course installs is missing."""


class NoNetwork(SetupError):
    """The full profile needs a download and there is no network."""


class DownloadFailed(SetupError):
    """A download cannot be finished: the server refuses, sends another file, or the disk is full."""


class CannotWrite(CourseError, OSError):
    """A file cannot be written: the disk is full, or the place is not ours. What was there before is unchanged.

    It has the `errno` and `strerror` of the error that the system gave.
    """

    def __str__(self) -> str:  # an OSError's own would say its number and nothing else
        return str(self.args[0]) if self.args else ""


class UnknownName(CourseError):
    """No such name; the message suggests similar ones.

    Use `UnknownName.of("model", "resnet5", known)` to build the message.
    """

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownName:
        known = sorted(known)
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        suggestion = (
            f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose one of: {', '.join(known[:12])}"
        )
        return cls(f"there is no {kind} called {name!r}; {suggestion}")


class WeightsError(CourseError):
    """A weight file cannot be used."""


class WeightsMissing(WeightsError):
    """The package that ships the weights is not installed."""


class WeightsCorrupt(WeightsError):
    """The weight file's hash is not the expected one."""


class WeightsUnsafe(WeightsError):
    """A file from an untrusted source requires what weights never need: your files, unknown operators, code."""


class DataError(CourseError, ValueError):
    """Data cannot be used."""


class BadPicture(DataError):
    """A file is not a picture, or is truncated."""


class EmptyData(DataError):
    """There are no samples."""


class BadLabels(DataError):
    """A label is outside [0, classes)."""


class BadBoxes(DataError):
    """A box extends beyond its picture or has no area."""


class BadMask(DataError):
    """A mask does not have its picture's size, or has unknown values."""


class ModelError(CourseError):
    """A model cannot be changed in this way."""


class HeadNotFound(ModelError):
    """The last layer of the model is not one that `replace_head` can replace."""


class TrainingError(CourseError):
    """Training cannot start or continue."""


class NonFiniteLoss(TrainingError):
    """The loss became NaN or infinite."""


class OutOfMemory(TrainingError):
    """Even one sample at a time does not fit into memory."""


class BadCheckpoint(TrainingError):
    """A checkpoint belongs to another run, or is damaged."""


class ExerciseError(CourseError):
    """An exercise cannot be judged."""


class CheckFailed(ExerciseError):
    """An answer is wrong, and COURSE_STRICT=1 requires an exception."""


class WriteItYourself(ExerciseError):
    """An answer called the library function that it should replace."""


class TimeLimitReached(ExerciseError):
    """An answer did not return in time."""


class MachineBusy(ExerciseError):
    """A machine had so little time for an answer that its time limit says nothing; to be tried again, never scored."""


class NobodyTypes(ExerciseError):
    """An answer waits for input, which nobody can type during a check."""


class WireError(ExerciseError):
    """A value cannot be transferred between the answer and its judge."""


class GradingError(CourseError):
    """Submissions cannot be graded."""


class SubmissionError(GradingError):
    """A submission cannot be read."""


class SandboxMissing(GradingError):
    """Submissions cannot be run safely on this machine."""


class CanaryFailed(GradingError):
    """The reference solution does not get full marks on this machine."""


class GradebookError(GradingError):
    """The gradebook cannot be opened, read or written."""


class ExportError(GradingError):
    """Grades cannot be written in the requested format."""


class AuthoringError(CourseError):
    """A notebook in solutions/ breaks a rule."""


class MarkerError(AuthoringError):
    """A solution marker is unpaired, nested or in the wrong cell."""


class Stopped(KeyboardInterrupt):
    """A long computation was stopped by Ctrl-C or "Interrupt Kernel". IPython shows its message and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class TrainingStopped(Stopped):
    """Training was stopped. `history` has the epochs so far; in the next cell it is `sys.last_value.history`."""

    def __init__(self, message: str, history: Any) -> None:
        super().__init__(message)
        self.history = history
