"""What decides a grade, identified by a hash of everything that decides it. Without torch.

What decides is found by following imports through the sources (see `import_closure`); no list of files has to be kept:

a notebook  its probes and judges, the hidden ones too; what finds an answer in a notebook, executes and judges it; the
            sandbox, its limits and the process behind it; and whatever all of these import. Exercises from folders of
            others count as the course's own do, and so do the points that a class gives (class.toml)
the reader  what decides whether a notebook can be read and which exercises it holds
a capstone  what draws hidden pictures, reads weights and model cards, and compares; each set of pictures has a digest
            of its own

Not covered is what an answer itself calls: Python, torch, and the parts of the library that no probe, case or judge
uses. Reports, exports, the gradebook and the command line decide nothing, and change no digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import course
from course.errors import GradingError
from course.grading.import_closure import Files, Sources, digest_of
from course.judging.class_changes import Changes, as_text, class_changes
from course.judging.exercise_folders import CHANGES, others_folders, packages_in

_COURSE = Path(course.__file__).resolve().parent
# The second is named where a process is started, not imported.
_GRADES = ("course.grading.run.worker", "course.grading.sandbox.zygote")
_READS = ("course.grading.run.reading",)
_CAPSTONES = ("course.grading.capstone.scoring", "course.grading.capstone.work")
_DATA = {  # files that a module reads, where a hash in its source does not say which they are
    "data/emoji.py": "data/assets/emoji.zip",
    "training/experiments.py": "data/assets/tables/*.json",
}


class Digests:
    """The digests of one copy of the course, `folder` being that of the package.

    `others` are folders with exercises of others, `changes` what this class changes about exercises.
    """

    def __init__(
        self, folder: Path = _COURSE, others: Sequence[Path] = (), changes: Mapping[str, Changes] | None = None
    ) -> None:
        self._others = {f"exercises/{path.name}": path for folder in others for path in packages_in(folder)}
        self._sources, self._changes = Sources(folder, self._others), changes or {}

    def notebooks(self) -> list[str]:
        """The numbers of the notebooks that have exercises."""
        packages = [*self._sources.matching("exercises/nb[0-9][0-9]_*/__init__.py"), *self._others]
        return sorted({name.split("/")[1][2:4] for name in packages})

    def notebook(self, number: str, hidden: Iterable[tuple[str, str]] = ()) -> str:
        """What decides on a notebook's exercises; see `judges_digest`."""
        return digest_of(self.deciding_on(number, hidden))

    def deciding_on(self, number: str, hidden: Iterable[tuple[str, str]] = ()) -> Files:
        """The files that decide on a notebook's exercises. Raises GradingError for one that the course lacks."""
        own = self._exercises(number)
        mine = {f"hidden/{name}": source for name, source in hidden if _is_about(number, name, source)}
        modules = [*_GRADES, *self._sources.names_of(name for name in own if name.endswith(".py"))]
        secret = {name: source.encode() for name, source in mine.items()}
        judges = {name: source for name, source in mine.items() if name.endswith(".py")}
        return self._with_data(own | secret | self._changed(number) | self._sources.closure(modules, judges))

    def _exercises(self, number: str) -> Files:
        """The files of a notebook's exercises: the course's own, unless only others have any, and those of others."""
        others = [name for name in self._others if name.startswith(f"exercises/nb{number}_")]
        every = self._sources.matching("exercises/**/*")
        own = {name: content for name, content in every.items() if name.startswith(f"exercises/nb{number}_")}
        if not own and not others:
            raise GradingError(f"no file of the course matches exercises/nb{number}_*; install the course again")
        return own | self._sources.elsewhere(others)

    def _changed(self, number: str = "") -> Files:
        text = as_text(self._changes, number)
        return {CHANGES: text.encode()} if text else {}

    def reader(self) -> str:
        """What decides whether a notebook can be read; see `reader_digest`."""
        # Which exercises there are, what they are called and worth; how they are judged is not its concern.
        exercises = self._sources.matching("exercises/**/*.py") | self._sources.elsewhere(self._others)
        return digest_of(exercises | self._changed() | self._sources.closure(_READS))

    def capstone(self) -> str:
        """What decides on a capstone, but for the hidden pictures; see `capstone_digest`."""
        return digest_of(self.deciding_on_capstones())

    def deciding_on_capstones(self) -> Files:
        """The files that decide on a capstone."""
        return self._with_data(self._sources.closure(_CAPSTONES))

    def _with_data(self, files: Files) -> Files:
        for module, pattern in _DATA.items():
            if module in files:
                files = files | self._sources.matching(pattern)
        return files


def _is_about(number: str, name: str, source: str) -> bool:
    """Whether a file of hidden judges may hold one for an exercise of this notebook: its name or its source says so."""
    return bool(name.startswith(f"nb{number}_") or re.search(rf"\bnb{number}_|[\"']{number}-", source))


@cache
def _own() -> Digests:
    return Digests(others=others_folders(), changes=class_changes())


@cache
def graded_notebooks() -> list[str]:
    """The numbers of the notebooks that have exercises."""
    return _own().notebooks()


def judges_digest(notebook: str, hidden: Sequence[tuple[str, str]]) -> str:
    """What decides on a notebook's exercises: a hash of every source that does. `hidden` are (file name, source).

    Empty, which no digest is, for a notebook that only another version of the course has.
    """
    return _judges_digest(notebook, tuple(hidden)) if notebook in graded_notebooks() else ""


@cache
def _judges_digest(notebook: str, hidden: tuple[tuple[str, str], ...]) -> str:
    return _own().notebook(notebook, hidden)


@cache
def reader_digest() -> str:
    """What decides on whether a notebook can be read: a hash of the sources that do it, and of all exercises."""
    return _own().reader()


@cache
def capstone_digest() -> str:
    """What decides on a capstone, but for the hidden pictures: a hash of the sources that read and judge it."""
    return _own().capstone()


def seed_digest(secret: str, submission: str) -> str:
    """What the inputs of a submission are drawn from; the next submission gets others, so answers can't be kept."""
    return hashlib.sha256(f"{secret}/{submission}".encode()).hexdigest()
