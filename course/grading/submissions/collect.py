"""`collect`: what was handed in, found and sorted by learner."""

from __future__ import annotations

import glob
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course.errors import SubmissionError
from course.grading.capstone.submitted import in_group
from course.grading.grades import CapstoneSubmission, Submission
from course.grading.submissions.found import Found, Source, common_folder, in_folder, in_zip
from course.grading.submissions.naming import Owner, is_receipt, may_be_somebody
from course.grading.submissions.no_notebooks import nothing_at, refuse_without_notebooks
from course.grading.submissions.owners import Owned, by_label, names_at_top, owned, owned_by_one
from course.grading.submissions.roster import Learner, Roster, read_roster
from course.legible import presentable

MAX_NOTEBOOKS = 100  # of one learner in one source: 12 chapters, each handed in some times


def collect(
    sources: Sequence[str | Path],
    *,
    roster: Path | None = None,
    due: datetime | None = None,
    tell: Callable[[str], Any] = print,
) -> list[Submission]:
    """The submissions in these sources, by learner; one that cannot be read has a `problem` that says why.

    A source is a folder, a glob, a zip or a notebook. A learner is found in the roster, else is the folder's name, else
    the file's. `due` without a time zone is local time. `tell` is called with a line for each thing to look at.
    Raises SubmissionError for a source that matches nothing, and for a roster that cannot be read.
    """
    known = read_roster(roster) if roster is not None else None
    skipped = roster.resolve() if roster is not None else None
    read = [_without(source, skipped) for source in _sources(sources)]
    found: dict[tuple[str, Path, str], Submission] = {}
    for source in read:
        refuse_without_notebooks(source)
    owners: list[Owner] = []
    several: dict[str, set[str]] = {}
    for source, pairs in _owned(read, known):
        submissions = _submissions(pairs, known, due)
        if not submissions:
            raise SubmissionError(f"{source.path} holds no notebook of any learner; is it the right one?")
        for submission in submissions:
            found.setdefault((submission.learner, submission.path, submission.member), submission)
        owners += [owner for _, owner in pairs]
        several |= _folders_of_several(pairs, known)
        if due is not None and not all(owner.dated or owner.late or _submitted(owner, known) for _, owner in pairs):
            tell(f"{source.path}: its dates are those of the download; only what is marked LATE counts as late")
    _tell_of_sections(owners, tell)
    if several:
        shown = [f"{label} ({_some(sorted(folders))})" for label, folders in sorted(several.items())]
        tell(f"taken for one learner, with several folders of work: {_some(shown)}; a roster can say whose these are")
    _tell_of_guesses(owners, known, tell)
    _tell_of_strangers(found.values(), known, tell)
    return sorted(found.values(), key=lambda one: (one.learner.casefold(), one.learner, str(one.path), one.member))


def _sources(sources: Sequence[str | Path]) -> list[Source]:
    """What was named, read: zips each for itself, folders and files that lie side by side together."""
    paths = [path for given in sources for path in _matches(given, alone=len(sources) == 1)]
    paths = list(dict.fromkeys(paths))
    folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
    zips = [path for path in paths if path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink()]
    read = [in_zip(path) for path in zips] + _folders(folders)
    single = [path for path in paths if path not in {*folders, *zips}]
    return read + (_single(single) if single else [])


def _folders(folders: list[Path]) -> list[Source]:
    """Folders, each for itself or, if most of them look like one learner's, those side by side as one class."""
    beside: dict[Path, list[Source]] = defaultdict(list)
    for folder in folders:
        beside[folder.parent].append(in_folder(folder))
    read = []
    for parent, listed in beside.items():
        if len(listed) > 1 and 2 * sum(map(_is_a_class, listed)) <= len(listed):
            read.append(_together(parent, (in_folder(parent, source.path) for source in listed)))
        else:
            read += listed
    return read


def _is_a_class(source: Source) -> bool:
    deeper = any(found.is_work and len(found.parts) > 1 and may_be_somebody(found.parts[0]) for found in source.files)
    return deeper or len(names_at_top(source)) > 1


def _together(path: Path, parts: Iterable[Source]) -> Source:
    parts = list(parts)
    files = sorted((found for part in parts for found in part.files), key=lambda found: found.parts)
    return Source(path, files, frozenset().union(*(part.clones for part in parts)))


def _single(paths: list[Path]) -> list[Source]:
    """Notebooks named one by one: by their names if these differ, else by the folders that they lie in."""
    listed = [
        _together(parent, [in_folder(parent, path) for path in paths if path.parent == parent])
        for parent in dict.fromkeys(path.parent for path in paths)
    ]
    names = [name for source in listed for name in names_at_top(source)]
    if len(listed) == 1 or (names and len(set(names)) == len(names)):
        return listed
    base = common_folder(source.path for source in listed)
    return [_together(base, (in_folder(base, path) for path in paths))]


def _owned(read: list[Source], known: Roster | None) -> list[tuple[Source, Owned]]:
    """Each source with whose its files are; several zips, if most hold one learner's files, are a learner each."""
    names = [name for source in read for name in names_at_top(source)]
    shared = frozenset(name for name in names if names.count(name) > 1)
    pairs = [(source, owned(source, shared, known)) for source in read]
    zips = [len(by_label(found)) for source, found in pairs if source.path.is_file()]
    personal = len(zips) > 1 and 2 * sum(count <= 1 for count in zips) >= len(zips)
    return [(source, owned_by_one(source) if personal and source.path.is_file() else found) for source, found in pairs]


def _matches(given: str | Path, *, alone: bool) -> list[Path]:
    """The paths that a source stands for; a link is followed if it is the one source. Raises SubmissionError."""
    text = os.path.expanduser(os.fspath(given))
    try:
        if os.path.lexists(text):
            return [Path(os.path.realpath(text)) if alone else _in_real_folder(text)]
        matched = sorted(glob.glob(text, recursive=True))
    except (OSError, ValueError) as error:  # a NUL in it
        raise SubmissionError(f"{text!r} cannot be a source ({error}); name a folder, a zip or a notebook") from error
    if not matched:
        raise SubmissionError(nothing_at(text))
    return [_in_real_folder(path) for path in matched]


def _in_real_folder(text: str) -> Path:
    folder, name = os.path.split(os.path.abspath(text))
    return Path(os.path.realpath(folder), name)


def _without(source: Source, skipped: Path | None) -> Source:
    return Source(source.path, [found for found in source.files if found.path != skipped], source.clones)


def _submissions(pairs: Owned, known: Roster | None, due: datetime | None) -> list[Submission]:
    submissions: list[Submission] = []
    for group in by_label(pairs).values():
        notebooks = [pair for pair in group if pair[0].is_notebook]
        capstones = in_group([found for found, _ in group])
        for place, card, problem in capstones:
            submissions.append(_capstone(*group[place], card, known, due, problem))
        others = [pair for pair in group if not is_receipt(pair[0].parts[-1])]
        if len(notebooks) > MAX_NOTEBOOKS:
            problem = f"{len(notebooks)} notebooks came from one learner; ask which one counts"
            submissions.append(_submission(*notebooks[0], known, due, problem))
        elif notebooks:
            submissions += [_submission(*pair, known, due, _problem(pair[0])) for pair in notebooks]
        elif others and not capstones:
            submissions.append(_submission(*others[0], known, due, _no_notebook([found for found, _ in others])))
    return submissions


def _problem(found: Found) -> str:
    return f"{presentable(found.parts[-1])}: {found.problem}; ask for it again" if found.problem else ""


def _no_notebook(files: list[Found]) -> str:
    names = ", ".join(presentable(found.parts[-1]) for found in files[:3])
    names += f" and {len(files) - 3} more" if len(files) > 3 else ""
    because = next((f" ({found.problem})" for found in files if found.problem), "")
    if any(found.parts[-1].lower().endswith((".zip", ".rar", ".7z", ".gz", ".tar")) for found in files):
        because = because or " (an archive within what was handed in is not opened)"
    wanted = "for capstone.safetensors" if "capstone" in names.lower() else "for the .ipynb file"
    return f"no notebook came, only {names}{because}; ask {wanted}"


def _submission(found: Found, owner: Owner, known: Roster | None, due: datetime | None, problem: str) -> Submission:
    learner = _look_up(owner, known)
    stated = owner.handed_in or _submitted(owner, known)
    handed_in = stated or found.changed
    late = bool(due and handed_in and (stated or owner.dated) and handed_in > due.astimezone(UTC))
    name = presentable(learner.learner if learner else owner.label)
    full_name = presentable(learner.name) if learner and learner.name not in ("", learner.learner) else ""
    return Submission(name, found.path, found.member, handed_in, owner.late or late, problem, full_name)


def _capstone(
    found: Found, owner: Owner, card: Found | None, known: Roster | None, due: datetime | None, problem: str
) -> CapstoneSubmission:
    weights = _submission(found, owner, known, due, problem)
    beside = Submission(weights.learner, card.path, card.member, problem=card.problem) if card else None
    return CapstoneSubmission(**vars(weights), card=beside)


def _look_up(owner: Owner, known: Roster | None) -> Learner | None:
    match = known.find(*owner.names, number=owner.number, inside=owner.inside) if known else None
    return match.learner if match else None


def _submitted(owner: Owner, known: Roster | None) -> datetime | None:
    learner = _look_up(owner, known)
    return learner.submitted if learner else None


def _folders_of_several(pairs: Owned, known: Roster | None) -> dict[str, set[str]]:
    """For each learner that no roster knows, the folders that might belong to several people."""
    found: dict[str, set[str]] = {}
    for label, group in by_label(pairs).items():
        work = [found.parts[:-1] for found, owner in group if found.is_work and owner.inside]
        first, last = min(work, default=()), max(work, default=())
        shared = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))))
        names = {parts[shared] if len(parts) > shared else "" for parts in work}
        if len(names) > 1 and all(map(may_be_somebody, names)) and _look_up(group[0][1], known) is None:
            found[presentable(label)] = set(map(presentable, names))
    return found


def _tell_of_sections(owners: Iterable[Owner], tell: Callable[[str], Any]) -> None:
    within: dict[str, set[str]] = defaultdict(set)
    for owner in owners:
        within[presentable(owner.within)].add(presentable(owner.label))
    for folder, labels in sorted(within.items()):
        if folder != presentable(""):
            tell(f"the folder {folder} is nobody's; those in it are taken for learners': {_some(sorted(labels))}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _tell_of_guesses(owners: Iterable[Owner], known: Roster | None, tell: Callable[[str], Any]) -> None:
    """A line for each name that is not just a learner's full name, login or e-mail."""
    if known is None:
        return
    for label, owner in sorted({owner.label: owner for owner in owners}.items()):
        match = known.find(*owner.names, number=owner.number, inside=owner.inside)
        if match and match.by:
            who = match.learner.name or match.learner.learner
            called = f"{who} ({match.learner.learner})" if who != match.learner.learner else who
            tell(f"{presentable(label)} is taken for {presentable(called)}, by {match.by} alone")


def _tell_of_strangers(found: Iterable[Submission], known: Roster | None, tell: Callable[[str], Any]) -> None:
    if known is None:
        return
    learners = {learner.learner for learner in known.learners}
    strangers = sorted({submission.learner for submission in found} - set(map(presentable, learners)))
    if strangers:
        tell(f"not in the roster: {_some(strangers)}; graded under the names that their files have")
