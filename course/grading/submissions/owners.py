"""Whose each file of a source is: by the export's names, nbgrader's or a clone's folders, a folder or a file's name.

What a learner puts into a folder of their own never decides whose it is: the outermost name that is somebody's counts,
so nobody can hand in a folder `anna` within theirs and spoil Anna's grade. Folders above are nobody's, such as a
section's, if the roster knows a folder within them, or if all of them hold nothing but folders of several people.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from course.errors import SubmissionError
from course.grading.grades import Submission
from course.grading.submissions.found import Found, Source
from course.grading.submissions.naming import Owner, by_export, by_file_name, may_be_somebody, stem_of
from course.grading.submissions.roster import Roster

Owned = list[tuple[Found, Owner]]

_METADATA = "submission_metadata.yml"  # in Gradescope's export
_MAX_METADATA = 20 * 2**20  # bytes
_WRAPPERS = re.compile(r"submissions?|submitted|.+[-_]submissions|assignment_\d+_export", re.IGNORECASE)
# At the top of a source, files of these endings are taken for a learner's, unless they have such a name.
_HANDED_IN = (
    *(".py", ".txt", ".md", ".pdf", ".html", ".htm", ".doc", ".docx", ".odt", ".rtf", ".json", ".r", ".rmd", ".qmd"),
    *(".zip", ".rar", ".7z", ".gz", ".tar"),
)
_NOBODYS = {"readme", "license", "requirements", "conftest", "sitecustomize", "usercustomize", "setup", "notes"}
_NOBODYS |= {"course", "torch", "torchvision", "numpy", "timm", "transformers", *sys.stdlib_module_names}


def owned(source: Source, shared: frozenset[str] = frozenset(), known: Roster | None = None) -> Owned:
    """Each file with its owner, several times for a group's submission on Gradescope, without what is nobody's.

    `shared` are the learners that file names at the top of several sources hold: there the source's name decides.
    `known` is the roster, if there is one.
    """
    source = _without_course_files(source)
    depth = _wrapped(source)
    submitters = _gradescope(source, depth)
    if submitters:
        inside = [found for found in source.files if len(found.parts) > depth + 1]
        return [(found, owner) for found in inside for owner in _submitters(submitters, found.parts[depth])]
    assignment = _assignment(source, depth)
    listed = _in_roster(source, depth, assignment, known) if known else {}
    inner = depth if assignment else _below_sections(source, depth)
    pairs = [
        (found, listed.get(found.parts[:-1]) or _owner(source, found, depth, inner, assignment, shared))
        for found in source.files
    ]
    return [(found, owner) for found, owner in pairs if owner is not None]


def owned_by_one(source: Source) -> Owned:
    """Each file of a source that is one learner's, called as the source."""
    return [(found, by_export(source.path.name) or _plain_owner(source.name)) for found in source.files]


def by_label(pairs: Owned) -> dict[str, Owned]:
    """The files of each learner, by the learner's label."""
    groups: dict[str, Owned] = defaultdict(list)
    for found, owner in pairs:
        groups[owner.label].append((found, owner))
    return dict(groups)


def names_at_top(source: Source) -> set[str]:
    """The learners that the names of notebooks at the top of a source hold."""
    depth = _wrapped(source)
    tops = [found.parts[-1] for found in source.files if len(found.parts) == depth + 1 and found.is_work]
    return {by_file_name(name)[0] for name in tops if by_export(name) is None} - {""}


def _owner(
    source: Source, found: Found, depth: int, inner: int, assignment: str, shared: frozenset[str]
) -> Owner | None:
    """The owner by the name at `depth`, or at `inner` where the folders from there are sections."""
    if len(found.parts) == depth + 1:
        return by_export(found.parts[depth]) or _by_name(source, found, depth, shared)
    if _is_nbgraders(source, depth) and len(found.parts) == depth + 3:
        return Owner(found.parts[depth], (found.parts[depth],), handed_in=_timestamp(source, found))
    if len(found.parts) <= inner + 1:
        return None  # a section's own file
    return _by_folder(source, found.parts, depth, inner, assignment)


def _by_folder(source: Source, parts: tuple[str, ...], depth: int, at: int, assignment: str) -> Owner:
    """The owner by the folder at a place; those from `depth` to there are nobody's."""
    sections = "/".join(parts[depth:at])
    if (exported := by_export(parts[at])) is not None:
        return replace(exported, within=sections)
    names = (parts[at], parts[at].removeprefix(assignment))
    return Owner(names[1], names, dated=parts[depth] not in source.clones, inside=True, within=sections)


def _in_roster(source: Source, depth: int, assignment: str, known: Roster) -> dict[tuple[str, ...], Owner]:
    """The owner that the roster knows for each folder: a learner's outermost folder, below none that has notebooks."""
    holders = {found.parts[:-1] for found in source.files if found.is_work}
    listed: dict[tuple[str, ...], Owner] = {}
    for parts in {found.parts[:-1] for found in source.files}:
        for at in range(depth, len(parts)):
            owner = _by_folder(source, parts, depth, at, assignment)
            if known.find(*owner.names, number=owner.number, inside=owner.inside):
                listed[parts] = owner
            if parts in listed or parts[: at + 1] in holders:
                break
    return {} if _is_nbgraders(source, depth) else listed


def _below_sections(source: Source, depth: int) -> int:
    """How many folders lie above those of learners, where all of them hold but the folders of several people."""
    while not _is_nbgraders(source, depth) and _are_sections(source, depth):
        depth += 1
    return depth


def _are_sections(source: Source, depth: int) -> bool:
    work = [found.parts[depth:] for found in source.files if found.is_work]
    outer, inner = {parts[0] for parts in work}, {parts[:2] for parts in work}
    names = {parts[1] for parts in inner if len(parts) > 1}
    if any(len(parts) < 3 for parts in work) or outer & source.clones or any(map(by_export, outer)):
        return False
    # Of learners' own folders some are called the same (`homework`), or as what is in them.
    return len(outer) < len(inner) == len(names) and all(map(may_be_somebody, names))


def _is_nbgraders(source: Source, depth: int) -> bool:
    return any("submitted" in (source.name, *found.parts[:depth]) for found in source.files[:1])


def _by_name(source: Source, found: Found, depth: int, shared: frozenset[str]) -> Owner | None:
    """The owner of a file at the top of a source."""
    name = found.parts[-1]
    if found.path == source.path and not found.member:  # the source itself cannot be read
        return _plain_owner(source.name)
    stem = stem_of(name)
    handed_in = found.is_work or name.lower().endswith(_HANDED_IN) or (found.problem and stem == name)
    if not handed_in or (not found.is_work and stem.lower() in _NOBODYS):
        return None
    learner, chapter = by_file_name(name)
    if chapter and not _is_chapter(found, chapter):
        learner = stem  # the number is the learner's
    if not learner or learner in shared:
        above = [*reversed(found.parts[:depth]), source.name, source.path.parent.name]
        learner = next((folder for folder in above if by_file_name(folder)[0]), source.name)
    return Owner(learner, (learner, stem), inside=True)


def _plain_owner(name: str) -> Owner:
    return Owner(name, (name,), inside=True)


def _is_chapter(found: Found, chapter: str) -> bool:
    """False for a notebook with exercises, but none of this chapter."""
    if found.problem:
        return True
    try:
        content = Submission("", found.path, found.member).content()
    except SubmissionError:
        return True
    chapters = set(re.findall(rb"\b(\d\d)-[a-z]+-[a-z]", content))
    return not chapters or chapter.encode() in chapters


def _without_course_files(source: Source) -> Source:
    """Of nbgrader's course folder only what was submitted."""
    tops = {found.parts[0] for found in source.files}
    if "submitted" in tops and tops & {"source", "release"}:
        files = [found for found in source.files if found.parts[0] == "submitted"]
        return Source(source.path, files, source.clones)
    return source


def _wrapped(source: Source) -> int:
    """How many folders at the top of a source hold all of it, and are nobody's."""
    depth, paths = 0, [found.parts for found in source.files]
    while paths and all(len(parts) > depth + 1 for parts in paths) and len({parts[depth] for parts in paths}) == 1:
        folder = paths[0][depth]
        of_zip = bool(source.files[0].member) and (not by_file_name(folder)[0] or _holds_a_class(source, depth + 1))
        if by_export(folder) is not None or not (_WRAPPERS.fullmatch(folder) or of_zip):
            break
        depth += 1
    return depth


def _holds_a_class(source: Source, depth: int) -> bool:
    """True for a folder with a notebook in a folder of its own, or with notebooks named for several learners."""
    notebooks = [found for found in source.files if found.is_work] or source.files
    names = {by_file_name(found.parts[-1])[0] for found in notebooks if len(found.parts) == depth + 1}
    exported = any(by_export(found.parts[depth]) for found in notebooks)
    return exported or any(len(found.parts) > depth + 1 for found in notebooks) or len(names - {""}) > 1


def _assignment(source: Source, depth: int) -> str:
    """What the names of GitHub Classroom's clones begin with ("assignment-1-"), or an empty text."""
    folders = {found.parts[depth] for found in source.files if len(found.parts) > depth + 1}
    holder = source.files[0].parts[depth - 1] if depth else source.name
    prefix = f"{holder.removesuffix('-submissions')}-"
    if holder.endswith("-submissions") and all(folder.startswith(prefix) for folder in folders):
        return prefix
    if len(folders) > 1 and folders <= source.clones:
        first, last = min(folders), max(folders)
        length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        return first[: first.rfind("-", 0, length) + 1]
    return ""


def _timestamp(source: Source, found: Found) -> datetime | None:
    """When nbgrader's learner submitted, from the timestamp.txt beside the notebook."""
    beside = (*found.parts[:-1], "timestamp.txt")
    stamp = next((other for other in source.files if other.parts == beside and not other.problem), None)
    if stamp is None:
        return None
    try:
        text = Submission("", stamp.path, stamp.member).content()[:100].decode("utf-8").strip()
        return _in_utc(datetime.fromisoformat(re.sub(r"\s*(?:UTC|UCT|GMT|Z)$", "+00:00", text)))
    except (SubmissionError, UnicodeDecodeError, ValueError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class _PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    def flatten_mapping(self, node: Any) -> None:
        """Merge keys stay as they are: nested ones could grow without end."""


def _gradescope(source: Source, depth: int) -> dict[str, Any]:
    """What the metadata of Gradescope's export says of each of its folders; empty for any other source."""
    metadata = next((f for f in source.files if f.parts[depth:] == (_METADATA,) and not f.problem), None)
    if metadata is None:
        return {}
    try:
        content = Submission("", metadata.path, metadata.member).content()
        loaded = yaml.load(content, _PlainLoader) if len(content) <= _MAX_METADATA else None
    except (SubmissionError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def _submitters(submissions: dict[str, Any], folder: str) -> list[Owner]:
    content = submissions.get(folder)
    fields = content if isinstance(content, dict) else {}
    created, people = fields.get(":created_at"), fields.get(":submitters")
    moment = _in_utc(created) if isinstance(created, datetime) else None
    owners = []
    for person in people if isinstance(people, list) else []:
        known = person if isinstance(person, dict) else {}
        names = [str(known[key]) for key in (":email", ":sid", ":name") if known.get(key)]
        if names:
            owners.append(Owner(names[0], tuple(names), handed_in=moment, dated=moment is not None))
    return owners or [Owner(folder, (folder,), handed_in=moment, dated=moment is not None)]
