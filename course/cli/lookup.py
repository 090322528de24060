"""What a learner names on the command line: a chapter by its number, a notebook by its name, or a path."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from pathlib import Path

from course.errors import SetupError, UnknownName
from course.notebook import workspace


def learners_folder(to: Path | None = None) -> Path:
    """The folder with the learner's copies: the given one, or the one that `course lab` uses by default."""
    return (to or workspace.default_folder()).expanduser().resolve()


def find_notebook(what: str, folder: Path) -> Path | None:
    """The notebook that is meant: a chapter ("03", "3") or a name in `folder`, or a path; None if there is none.

    A chapter or a name counts even if it is still only among the course's own notebooks, of which `folder` will
    have a copy.
    """
    names = names_in(folder)
    if re.fullmatch(r"\d{1,2}", what):
        return next((folder / name for name in names if name.startswith(f"{int(what):02d}_")), None)
    path = Path(what).expanduser().resolve()
    if path.suffix == ".ipynb" and path.is_file():
        return path
    name = path.name if path.parent == folder else what
    return next((folder / known for known in names if name in (known, known.removesuffix(".ipynb"))), None)


def names_in(folder: Path) -> list[str]:
    """The notebooks that `folder` has or will have: the course's own first, then the learner's."""
    own = []
    with suppress(SetupError):  # an installation without notebooks: what the learner has counts
        own = sorted(path.name for path in workspace.find_originals().glob("*.ipynb"))
    return [*own, *sorted(path.name for path in folder.glob("*.ipynb") if path.name not in own)]


def unknown(what: str, folder: Path, accepted: str) -> UnknownName:
    """The error to raise for a name that nothing has; it says what is accepted, and what is similar or there."""
    names = names_in(folder)
    stems = {name.removesuffix(".ipynb"): name for name in names}
    near = difflib.get_close_matches(Path(what).name.removesuffix(".ipynb"), stems, n=3, cutoff=0.5)
    if near:
        offered = f"did you mean {' or '.join(stems[stem] for stem in near)}?"
    elif names:
        offered = f"{folder} has {names[0]} to {names[-1]}"
    else:
        offered = f"there are no notebooks in {folder}"
    return UnknownName(f"there is no chapter, notebook or folder called {what!r}; give {accepted}. {offered}")
