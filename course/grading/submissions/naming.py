"""Whose a file is, by the names that Canvas, Moodle, Blackboard and people give to files and folders.

Canvas      doejane_LATE_1234_56789_name.ipynb (user, file; without the name if anonymous; canvas-lms content_zipper.rb)
Moodle      Jane Doe_1234_assignsubmission_file/name.ipynb, or flat with _ (moodle mod/assign/classes/downloader.php)
Blackboard  Essay_jdoe_attempt_2025-03-01-23-59-59_name.ipynb
people      jdoe.ipynb, jdoe_02.ipynb, 02_freeze_the_backbone_jdoe (1).ipynb
"""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import course.exercises

_CANVAS = re.compile(
    r"(?:(?!LATE_)(?P<name>\w+?)_)?(?P<late>LATE_)?(?P<user>[1-9]\d*|anon_[^\W_]+)_"
    r"(?:[1-9]\d*_(?P<original>.+)|text\.html|link\.html)",
    re.DOTALL,
)
_MOODLE = re.compile(
    r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<original>.*))?", re.DOTALL
)
_BLACKBOARD = re.compile(
    r".+_(?P<login>[^_]+)_attempt_(?P<date>\d{4}(?:-\d\d){5})(?:_(?P<original>.+)|\.txt)", re.DOTALL
)  # fmt: skip
_COPY = re.compile(r"(?: \(\d+\)|[ _-]+copy ?\d*|_autosave)$", re.IGNORECASE)
# Says what it is, not whose.
_GENERIC = re.compile(
    r"(?:notebook|untitled|homework|hw|assignment|exercises?|submission|solutions?|answers?|chapter|final|week|lab|ps)"
    r"[\s_-]*\d*",
    re.IGNORECASE,
)
# A word that is nobody's, beside those of the course's own names.
_HARMLESS = re.compile(
    r"v?\d{1,4}|(?:notebooks?|untitled|homeworks?|hw|assignments?|exercises?|submissions?|solutions?|answers?|chapters?|"
    r"final|weeks?|labs?|ps|parts?|tasks?|projects?|work|copy|autosave|late|new|fixed|version|course|transfer|learning|"
    r"sections?|groups?|drafts?|data|src|code|backup|old|tries|try|attempts?)\d*"
)
_ENDING = re.compile(r"(?:\.ipynb(?:\.txt|\.json)?|\.safetensors|\.[a-z0-9]{1,5})$", re.IGNORECASE)
_EDGES = " _.,-"  # the hyphen last, where it stands for itself in a pattern


@dataclass(frozen=True)
class Owner:
    """Who handed a file in. `label` is their name without a roster, `names` and `number` find them in one."""

    label: str
    names: tuple[str, ...] = ()
    number: str = ""
    late: bool = False
    handed_in: datetime | None = None  # in UTC, where the name or the export says it
    dated: bool = True  # False where a file's date is that of the download
    inside: bool = False  # whether the label may hold more than the learner's name
    within: str = ""  # the folders above the learner's that are nobody's, such as a section's


def by_export(name: str) -> Owner | None:
    """The owner, of a file or folder that Canvas, Moodle or Blackboard named; None for any other name."""
    if match := _MOODLE.fullmatch(name):
        label = match["name"].strip()
        return Owner(f"{label}_{match['number']}", (label,), match["number"], dated=False)
    if match := _BLACKBOARD.fullmatch(name):
        return Owner(match["login"], (match["login"],), handed_in=_blackboard_date(match["date"]))
    if match := _CANVAS.fullmatch(name):
        label = "_".join(part for part in (match["name"], match["user"]) if part)
        names = (match["name"],) if match["name"] else ()
        return Owner(label, names, match["user"], bool(match["late"]), dated=False)
    return None


def is_receipt(name: str) -> bool:
    """True for the text file that Blackboard adds to each submission."""
    match = _BLACKBOARD.fullmatch(name)
    return match is not None and match["original"] is None


def _blackboard_date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S").astimezone(UTC)  # it names no time zone
    except (ValueError, OverflowError):
        return None


def by_file_name(name: str) -> tuple[str, str]:
    """(learner, chapter) that a file's name holds, each empty where it holds none: `jdoe_02.ipynb` is ("jdoe", "02").

    The chapter is that of a number at the end, which may be the learner's own after all ("student_02").
    """
    stem = _COPY.sub("", _ENDING.sub("", name)).strip(_EDGES)
    for release in _released():
        if found := re.search(rf"(?:^|[{_EDGES}]){release}(?:$|[{_EDGES}])", stem, re.IGNORECASE):
            rest = f"{stem[: found.start()]}_{stem[found.end() :]}".strip(_EDGES)
            return ("" if _GENERIC.fullmatch(rest) else rest), ""
    if _GENERIC.fullmatch(stem) or re.fullmatch(r"\d\d", stem):
        return "", ""
    match = re.fullmatch(r"(?P<rest>.+)[_ -](?P<number>\d\d)", stem) or re.fullmatch(
        r"(?P<number>\d\d)[_ -](?P<rest>.+)", stem
    )
    if match and match["number"] in _chapters():
        return match["rest"].strip(_EDGES), match["number"]
    return stem, ""


@cache
def _released() -> tuple[str, ...]:
    """The names that notebooks are released under ("02_freeze_the_backbone"), and the capstone's files."""
    names = [module.name for module in pkgutil.iter_modules(course.exercises.__path__)]
    return (*(name.removeprefix("nb") for name in names if re.match(r"nb\d\d_", name)), "capstone")


@cache
def _chapters() -> frozenset[str]:
    return frozenset(name[:2] for name in _released() if name[:2].isdigit())


def without_harmless(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a name that may be somebody's: without numbers, LATE, and what the course's own files are called."""
    return tuple(word for word in words if not _is_harmless(word))


def may_be_somebody(folder: str) -> bool:
    """False for a folder that is called as what lies in it: `02`, `homework 2`, `notebooks`."""
    words = tuple(re.findall(r"[^\W_]+", folder.casefold()))
    return by_export(folder) is not None or bool(by_file_name(folder)[0] and without_harmless(words))


def _is_harmless(word: str) -> bool:
    return _HARMLESS.fullmatch(word) is not None or word in _title_words()


@cache
def _title_words() -> frozenset[str]:
    """The words of the chapters' titles, without short ones that might be initials."""
    return frozenset(word for name in _released() for word in re.findall(r"[a-z]{3,}", name))


def stem_of(name: str) -> str:
    """A file's name without its ending."""
    return _ENDING.sub("", name)
