"""The outcome of an export: how many grades were written, and whose could not be."""

from __future__ import annotations

from dataclasses import dataclass

from course.legible import one_line


@dataclass(frozen=True)
class Exported:
    """How many were written of what, who was not found in the other system's list, who has no score yet, and why.

    `unit` is what was counted, in singular and plural. `unreadable` are those whose notebook cannot be read, so that
    nothing is written for them.
    """

    written: int
    unmatched: tuple[str, ...] = ()
    ungraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unit: tuple[str, str] = ("entry", "entries")

    def __str__(self) -> str:
        kind, kinds = self.unit
        lines = [f"{self.written} {kind if self.written == 1 else kinds} written"]
        if self.unmatched:
            lines.append(f"no match for {_listed(self.unmatched)}; correct the names, or enter these by hand")
        if self.ungraded:
            lines.append(f"without a score, and left out: {_listed(self.ungraded)}")
        if self.unreadable:
            lines.append(f"no notebook that can be read, so without a score: {_listed(self.unreadable)}")
        return "\n".join([*lines, *map(one_line, self.notes)])


def _listed(learners: tuple[str, ...]) -> str:
    return ", ".join(map(one_line, learners))
