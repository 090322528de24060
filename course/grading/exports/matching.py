"""Which row of another system's list is which learner: by id, login, e-mail or name, and never by a guess."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence


def match(learners: Iterable[str], names: Sequence[Mapping[int, Sequence[str]]]) -> tuple[dict[str, int], list[str]]:
    """Learners' rows, and the learners that have none.

    `names` are ways of naming a row, the surest first: each maps rows to what they are called that way. A name that
    two rows share names neither; a row that two learners claim goes to neither.
    """
    indexes = [_index(way) for way in names]
    claims: dict[int, list[str]] = {}
    unmatched = []
    for learner in learners:
        key = _key(learner)
        found = next((index[key] for index in indexes if key in index), None)
        if found is None:
            unmatched.append(learner)
        else:
            claims.setdefault(found, []).append(learner)
    matched = {who[0]: row for row, who in claims.items() if len(who) == 1}
    unmatched += [learner for who in claims.values() if len(who) > 1 for learner in who]
    return matched, sorted(unmatched)


def name_forms(name: str) -> Iterator[str]:
    """The forms of a name that systems use: "Lovelace, Ada", "Ada Lovelace", "lovelaceada" (as in Canvas's zips)."""
    yield name
    last, comma, first = name.partition(",")
    if comma:
        yield f"{first} {last}"
        yield f"{last} {first}"
    yield re.sub(r"[\W_]", "", name)
    if comma:
        yield re.sub(r"[\W_]", "", first + last)


def local_part(address: str) -> Iterator[str]:
    """What stands before the @ of an e-mail address."""
    if "@" in address:
        yield address.partition("@")[0]


def _index(way: Mapping[int, Sequence[str]]) -> dict[str, int | None]:
    """The row of each name; None for a name that several rows share, which then is looked up no further."""
    rows: dict[str, set[int]] = {}
    for row, names in way.items():
        for name in names:
            if key := _key(name):
                rows.setdefault(key, set()).add(row)
    return {key: found.pop() if len(found) == 1 else None for key, found in rows.items()}


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
