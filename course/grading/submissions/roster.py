"""Who is in the class: a CSV file, as Canvas, Moodle, Gradescope or GitHub Classroom export it or written by hand."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from course.errors import SubmissionError
from course.grading.submissions.naming import without_harmless
from course.judging.file_signatures import described
from course.legible import presentable

# What a column may be called, in lower case. The first of a row that is there counts.
_COLUMNS = {
    "number": ("id", "identifier", "canvas id", "user id", "user_id"),
    "student_id": ("sis user id", "sid", "student id", "student_id", "id number", "idnumber", "student number"),
    "login": ("sis login id", "login id", "login", "username", "user name", "user", "github_username", "netid"),
    "name": ("student", "name", "full name", "fullname", "student name"),
    "first": ("first name", "first_name", "firstname", "given name"),
    "last": ("last name", "last_name", "lastname", "surname", "family name"),
    "email": ("email", "email address", "e-mail", "e-mail address", "mail"),
    "learner": ("learner",),
    "submitted": ("last modified (submission)",),
}
_MOODLE_DATES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%A, %B %d, %Y, %I:%M %p", "%d %B %Y, %I:%M %p")
_NO_LEARNERS = ("points possible", "student, test")  # rows of Canvas's gradebook
_Key = TypeVar("_Key", str, tuple[str, ...])
_SHORTEST = 3  # characters of a login that is looked for inside a longer name


@dataclass(frozen=True)
class Learner:
    """One row of a roster. `learner` is the name in the gradebook: login, else e-mail, student id, number or name."""

    learner: str
    number: str = ""  # Canvas's user id, or the number of Moodle's "Participant 17"
    student_id: str = ""
    login: str = ""
    name: str = ""
    email: str = ""
    submitted: datetime | None = None  # in UTC, from Moodle's grading worksheet


@dataclass(frozen=True)
class Match:
    """Whom a name stands for; `by` says by what, unless it is just the full name, login or e-mail."""

    learner: Learner
    by: str = ""


class Roster:
    """The learners of a class, to be found by what an export, a folder or a file calls them."""

    def __init__(self, learners: Iterable[Learner], *, numbered: bool = False) -> None:
        self.learners = tuple(learners)
        self.numbered = numbered  # its numbers are those that the export's file names hold
        self._numbers = _index((learner.number, learner) for learner in self.learners)
        self._whole = _index((key, learner) for learner in self.learners for key in _keys(learner))
        self._words = _index((_words(key), learner) for learner in self.learners for key in _keys(learner))
        self._mailboxes = _index((_words(_mailbox(learner)), learner) for learner in self.learners)
        self._seen: dict[tuple[tuple[str, ...], str, bool], Match | None] = {}

    @property
    def full_names(self) -> dict[str, str]:
        """By the name in the gradebook what else a learner is called, empty if nothing."""
        return {
            presentable(one.learner): presentable(one.name) if one.name not in ("", one.learner) else ""
            for one in self.learners
        }

    def find(self, *names: str, number: str = "", inside: bool = False) -> Match | None:
        """The one learner with this number, or else with one of these names; None if there is none, or several.

        A full name, login or e-mail wins over the part of an e-mail before the @. `inside`: a name may hold more than
        the learner's, as `assignment-1-login` does; then a bare first name is never enough.
        A roster with the export's own numbers is asked by number alone: two learners may share a name.
        """
        asked = (names, number, inside)
        if asked not in self._seen:
            self._seen[asked] = self._found(*asked)
        return self._seen[asked]

    def _found(self, names: tuple[str, ...], number: str, inside: bool) -> Match | None:
        if number and (self.numbered or number in self._numbers):
            learner = self._numbers.get(number)
            return Match(learner) if learner else None
        for way in (self._fully, self._by_part) if inside else (self._fully_alone, self._by_mailbox_alone):
            for name in names:
                if (match := way(name)) is not None:
                    return match
        return None

    def _fully_alone(self, name: str) -> Match | None:
        learner = self._whole.get(_plain(name)) or self._words.get(_words(name))
        return Match(learner) if learner else None

    def _by_mailbox_alone(self, name: str) -> Match | None:
        learner = self._mailboxes.get(_words(name))
        return Match(learner, "the part of the e-mail before the @") if learner else None

    def _fully(self, name: str) -> Match | None:
        """By a name that is the learner's but for words that are nobody's, or that holds all of it."""
        if match := self._fully_alone(name) or self._fully_alone(" ".join(without_harmless(_words(name)))):
            return match
        return _within(name, self._words, _is_distinct, "a part of that name")

    def _by_part(self, name: str) -> Match | None:
        if match := self._by_mailbox_alone(name) or self._by_mailbox_alone(" ".join(without_harmless(_words(name)))):
            return match
        by = "the part of the e-mail before the @, within a longer name"
        return _within(name, self._mailboxes, lambda word, learner: _has_digit(word), by)


def read_roster(path: Path) -> Roster:
    """The roster in a CSV file; columns are found by their names. Raises SubmissionError with what is missing."""
    rows = _rows(path)
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    places = {field: _place(header, names) for field, names in _COLUMNS.items()}
    if all(places[field] is None for field in ("learner", "number", "student_id", "login", "name", "last", "email")):
        seen = ", ".join(header)[:200] or "nothing"
        raise SubmissionError(
            f"{path} names no learners (its first line: {seen}); give it a column login, name or email"
        )
    found: dict[str, Learner] = {}
    for row in rows[1:]:
        learner = _learner({f: row[at].strip() if at is not None and at < len(row) else "" for f, at in places.items()})
        if learner is not None and learner.name.casefold() not in _NO_LEARNERS:
            found.setdefault(learner.learner, learner)  # in two sections, say
    canvas, moodle = "sis login id" in header, "identifier" in header and "github_username" not in header
    return Roster(found.values(), numbered=canvas or moodle)


def _rows(path: Path) -> list[list[str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"the roster {path} cannot be read ({error.strerror}); is it the right name?") from error
    if what := described(content):
        raise SubmissionError(
            f"the roster {path} is {what}, not a CSV file; give the list of the class, as Canvas or Moodle exports it"
        )
    text = _decoded(content)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise SubmissionError(f"the roster {path} is not a CSV file ({error}); export it again") from error


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what Excel saves in western Europe


def _place(header: list[str], names: tuple[str, ...]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _learner(cells: dict[str, str]) -> Learner | None:
    name = cells["name"] or " ".join(part for part in (cells["first"], cells["last"]) if part)
    name = " ".join(name.split())
    number = re.sub(r"^\D+(?=\d+$)", "", cells["number"])  # "Participant 17", in any language
    identities = (cells["learner"], cells["login"], cells["email"], cells["student_id"], number, name)
    learner = next((identity for identity in identities if identity), None)
    if learner is None:
        return None
    submitted = _moodle_date(cells["submitted"])
    return Learner(learner, number, cells["student_id"], cells["login"], name, cells["email"], submitted)


def _moodle_date(text: str) -> datetime | None:
    """When Moodle's worksheet in English says that it was handed in, read in this machine's time zone."""
    for form in _MOODLE_DATES:
        try:
            return datetime.strptime(text, form).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _keys(learner: Learner) -> set[str]:
    """Every full name that a learner goes by, plain."""
    names = {learner.learner, learner.login, learner.email, learner.student_id}
    names |= {learner.name, learner.number}
    last, comma, first = learner.name.partition(",")
    turned = (
        f"{first.strip()} {last.strip()}"
        if comma
        else " ".join([*learner.name.split()[-1:], *learner.name.split()[:-1]])
    )
    names.add(turned)
    names |= {re.sub(r"\W", "", name) for name in (learner.name, turned)}  # as Canvas writes names into file names
    return {_plain(name) for name in names} - {""}


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", _plain(text)))


def _within(
    name: str, known: Mapping[tuple[str, ...], Learner], is_enough: Callable[[str, Learner], bool], by: str
) -> Match | None:
    """The one learner whose words stand in a longer name; a single word only where `is_enough` says so."""
    words = _words(name)
    found = {
        learner
        for key, learner in known.items()
        if _is_part(key, words) and (len(key) > 1 or is_enough(key[0], learner))
    }
    return Match(found.pop(), by) if len(found) == 1 else None


def _is_part(key: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[at : at + len(key)] == key for at in range(len(words) - len(key) + 1))


def _mailbox(learner: Learner) -> str:
    return learner.email.partition("@")[0]


def _is_distinct(word: str, learner: Learner) -> bool:
    """True for a word that finds a learner within a longer name: long enough, and no bare first or last name."""
    if len(word) < _SHORTEST:
        return False
    return _has_digit(word) or (bool(learner.name) and _unaccented(word) not in _words(_unaccented(learner.name)))


def _has_digit(word: str) -> bool:
    """True for a word such as ab123, and not for a number or version that anything may hold."""
    return len(word) >= _SHORTEST and any(char.isdigit() for char in word) and bool(without_harmless((word,)))


def _unaccented(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def _index(pairs: Iterable[tuple[_Key, Learner]]) -> dict[_Key, Learner]:
    """By key; a key that two learners share finds neither."""
    found: dict[_Key, Learner | None] = {}
    for key, learner in pairs:
        found[key] = learner if found.get(key, learner) == learner else None
    return {key: learner for key, learner in found.items() if key and learner is not None}
