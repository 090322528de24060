"""A learner's copy brought up to date: the new notebook, with everything in it that the learner wrote.

- An answer goes into the new cell of its exercise. If several cells hold the exercise, the last one that defines
  something and is not the stub counts, as in grading, and the others stay as ordinary cells. If the exercise now asks
  for another function, the new stub follows the answer as a raw cell.
- A cell that the learner added stays below the cell that it followed, or below the nearest earlier one that still
  exists.
- A cell of the course that the learner edited stays edited if the course hasn't changed it. If it has, the new version
  stands, and the learner's follows as a raw cell, which is shown but not run: nothing is lost, and the notebook still
  runs from top to bottom and gives what its text says. Edited Markdown follows as Markdown. Edited parameters stay if
  they set every name that the new ones set.
- Answers to exercises that no longer exist, and added cells with no earlier cell left, are kept at the end.
- A cell that the learner deleted comes back, and the order is the course's.

Outputs are dropped, because the new notebook hasn't been run. A cell that isn't recognised counts as the learner's own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from datetime import date

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output, new_raw_cell

from course.notebook import notebook_files
from course.notebook.copied_cells import (
    KEY,
    Course,
    Piece,
    assigned_names,
    digest,
    notebook_digest,
    record_in,
    record_of,
)

_HEADING_ID = "kept-from-your-earlier-copy"
_HEADING = """\
## Kept from your earlier copy

The course no longer has the exercises below. Your answers to them are yours to keep or to delete."""
_NEW_STUB = "# The new stub of this exercise, which asks for another function than the answer above. It is not run.\n"


@dataclass
class Update:
    """A copy brought up to date, and what of the learner's is in it; ids of exercises, and numbers of cells."""

    notebook: NotebookNode
    answers: list[str] = field(default_factory=list)
    asks_anew: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    added: int = 0
    edited: int = 0
    quoted: int = 0
    at_the_end: int = 0

    @property
    def keeps_work(self) -> bool:
        """True if the learner wrote anything in the copy."""
        return bool(self.answers or self.gone or self.added or self.edited or self.quoted)

    def sentences(self) -> list[str]:
        """What was kept and where it is, and what needs a look."""
        mine = [f"{_count(len(self.answers), 'answer')}"] if self.answers else []
        mine += [f"{_count(self.added, 'cell')} that you added"] if self.added else []
        mine += [f"{_count(self.edited, 'cell')} that you edited"] if self.edited else []
        said = [f"Moved into it: {', '.join(mine)}."] if mine else []
        if self.quoted:
            what = "that you edited and the course has changed or removed"
            said.append(f"Kept as text that is not run: {_count(self.quoted, 'cell')} {what}.")
        if self.asks_anew:
            said.append(f"Asks for another function than your answer defines: {', '.join(self.asks_anew)}.")
        if self.gone:
            said.append(f"No longer in the course, so your answer is at the end: {', '.join(self.gone)}.")
        if self.at_the_end:
            said.append(
                f"At the end, because the course no longer has the cells above: {_count(self.at_the_end, 'cell')}."
            )
        return said

    def announce(self, backup: str, today: date) -> None:
        """Store what happened as the output of the setup cell, which running that cell replaces."""
        lines = [
            f"On {today.day} {today:%B %Y} this notebook was updated to the current version of the course.",
            *self.sentences(),
            f"Your notebook as it was: {backup}",
            "No cell of this one has been run yet. Running this cell replaces this message.",
        ]
        for cell in self.notebook.cells:
            if cell.id == "setup":
                cell.outputs = [new_output("stream", name="stdout", text="\n".join(lines) + "\n")]


def fresh_copy(original: NotebookNode) -> NotebookNode:
    """A copy that has not been run, with what a later update needs in order to tell what the learner wrote."""
    nb = notebook_files.without_outputs(original)
    nb.metadata[KEY] = record_of(original)
    return nb


def is_current(original: NotebookNode, copy: NotebookNode) -> bool:
    """True if the copy was made from this original.

    A copy that doesn't say what it was made from is current if it holds each of the original's cells, exercises and
    parameters apart.
    """
    record = record_in(copy)
    if "copied_from" in record:
        return record["copied_from"] == notebook_digest(original)
    course = Course(original, record)
    held = {cell.get("source") for cell in copy.cells}
    return all(id in course.exercises or id == "parameters" or cell.source in held for id, cell in course.cells.items())


def is_copy(original: NotebookNode, copy: NotebookNode) -> bool:
    """True if the copy holds anything of this original: a cell, changed or not, or an exercise."""
    course = Course(original, record_in(copy))
    return any(piece.id in course.cells for piece in course.pieces(copy))


def update(original: NotebookNode, copy: NotebookNode, today: date) -> Update:
    """The original with what the learner wrote in the copy; neither is changed."""
    course = Course(original, record_in(copy))
    new = fresh_copy(original)
    # Such as the kernel that the learner chose; but the state of widgets belongs to outputs.
    mine = {key: value for key, value in copy.metadata.items() if key not in (KEY, "widgets")}
    new.metadata = NotebookNode({**new.metadata, **mine})
    return _Merge(course, new, today).of(course.pieces(copy))


class _Merge:
    """Puts the pieces of a copy into the new notebook, in their order."""

    def __init__(self, course: Course, new: NotebookNode, today: date) -> None:
        self.course, self.today, self.result = course, today, Update(new)
        self.cells = {cell.id: cell for cell in new.cells}
        self.top: list[NotebookNode] = []
        self.after: dict[str, list[NotebookNode]] = {id: [] for id in self.cells}
        self.end: list[NotebookNode] = []
        self.gone: list[NotebookNode] = []
        self.anchor = ""  # the nearest earlier cell of the course that still exists
        self.is_first = True
        self.passed: set[str] = set()

    def of(self, pieces: list[Piece]) -> Update:
        answers = {piece.id: piece for piece in pieces if piece.kind == "answer"}
        # A cell that was split keeps its metadata in the half without the answer.
        answers |= {
            piece.id: piece for piece in pieces if piece.kind == "answer" and _signatures(piece.cell.source) != set()
        }
        for piece in pieces:
            if piece.kind == "answer":
                self._answer(piece, answers[piece.id] is piece)
            elif piece.kind == "edited":
                self._edit(piece)
            elif piece.kind == "added":
                self.result.added += 1
                self._place(piece.cell)
            self.is_first = False
            if piece.id in self.cells and piece.id not in self.passed:
                self.anchor = piece.id
                self.passed.add(piece.id)
        self._assemble()
        return self.result

    def _answer(self, piece: Piece, counts: bool) -> None:
        if not counts:
            piece.cell.metadata.pop("nbgrader", None)  # which may name an exercise once
            self.result.added += 1
            self._place(piece.cell)
        elif piece.id not in self.course.exercises:
            piece.cell.metadata.pop("nbgrader", None)
            self.result.gone.append(piece.id)
            self.gone.append(piece.cell)
        else:
            stub = self.cells[piece.id].source
            self.cells[piece.id].source = piece.cell.source
            self.result.answers.append(piece.id)
            if self.course.changed(piece.id) and not _defines_all(piece.cell.source, stub):
                self.result.asks_anew.append(piece.id)
                self.after[piece.id].insert(0, new_raw_cell(_NEW_STUB + stub.partition("\n")[2]))

    def _edit(self, piece: Piece) -> None:
        new = self.cells.get(piece.id)
        if new and (not self.course.changed(piece.id) or _sets_all(piece, new)):
            new.source = piece.cell.source
            self.result.edited += 1
        else:
            self.result.quoted += 1
            self._place(self._quoted(piece.cell, is_left=new is not None), behind=piece.id if new else "")

    def _quoted(self, cell: NotebookNode, *, is_left: bool) -> NotebookNode:
        what = "Your version of the cell above" if is_left else "A cell that you edited and the course no longer has"
        what += f", from before the update of {self.today.isoformat()}"
        if cell.cell_type != "code":
            cell.source = f"*{what}:*\n\n{cell.source}"
            return cell
        return new_raw_cell(f"# {what}. It is not run; to run it, press Esc, then Y.\n{cell.source}")

    def _place(self, cell: NotebookNode, behind: str = "") -> None:
        if behind or self.anchor:
            self.after[behind or self.anchor].append(cell)
        elif self.is_first or self.top:
            self.top.append(cell)
        else:
            self.end.append(cell)

    def _assemble(self) -> None:
        nb = self.result.notebook
        cells = [*self.top, *(cell for new in nb.cells for cell in (new, *self.after[new.id])), *self.end]
        self.result.at_the_end = len(self.end)
        if self.gone:
            heading = new_markdown_cell(_HEADING, id=_HEADING_ID)
            nb.metadata[KEY]["cells"][_HEADING_ID] = digest(_HEADING)
            cells += [heading, *self.gone]
        used = {*self.cells, _HEADING_ID}
        for cell in cells:
            if cell is not self.cells.get(cell.id) and cell.source != _HEADING:
                if cell.id in used:
                    cell.id = new_raw_cell().id
                used.add(cell.id)
        nb.cells = cells


def _sets_all(piece: Piece, new: NotebookNode) -> bool:
    """True for parameters that set every name that the new ones set."""
    if piece.id != "parameters":
        return False
    return (assigned_names(piece.cell.source) or frozenset()) >= (assigned_names(new.source) or frozenset())


def _defines_all(answer: str, stub: str) -> bool:
    """True if the answer defines each function and class of the stub, with the same arguments, or can't be parsed."""
    defined = _signatures(answer)
    return defined is None or defined >= (_signatures(stub) or set())


def _signatures(source: str) -> set[tuple[str, ...]] | None:
    """The name and the arguments of each function and class at the top of a cell; None if it is not valid Python."""
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    functions = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return {(node.name, *(argument.arg for argument in node.args.args)) for node in functions} | {
        (node.name,) for node in classes
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
