"""What an exercise is: cases drawn outside the answer's reach, one probe that runs beside it, judges worth points.

exercise = Exercise("02-freeze-backbone", answer="freeze", call="freeze(module)", title="...", hints=(...))

@exercise.case
def network(rng): ...            # trusted: draws the inputs, plain data and tensors
@exercise.probe
def probe(answer, case): ...     # beside the learner's code: returns plain data and tensors
@exercise.judge(network, points=2)
def nothing_moves(case, result): # trusted: recomputes what can be recomputed, raises Wrong
    '''The line that the learner reads.'''
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.errors import UnknownName

if TYPE_CHECKING:  # not at run time: a notebook's name is looked at before torch is loaded
    import torch

Draw = Callable[["torch.Generator"], dict[str, Any]]
Decide = Callable[[dict[str, Any], Any], None]


@dataclass(frozen=True)
class Case:
    """Inputs for one run of the probe, drawn from a generator that the answer never sees."""

    name: str
    draw: Draw

    def inputs(self, exercise_id: str, secret: str) -> dict[str, Any]:
        """The inputs under this secret: the same secret draws the same inputs."""
        import torch

        digest = hashlib.sha256(f"{secret}/{exercise_id}/{self.name}".encode()).digest()
        return self.draw(torch.Generator().manual_seed(int.from_bytes(digest[:7], "big")))


@dataclass(frozen=True)
class Judge:
    """One thing that is checked, worth points. Its claim is the line that the learner reads."""

    exercise_id: str
    name: str
    claim: str
    points: int
    case: Case
    decide: Decide
    hidden: bool = False


@dataclass
class Exercise:
    """One graded exercise; see the module's docstring.

    `id` is "NN-verb-phrase"; `answer` the name that the learner defines; `call` how the probe calls it, for messages;
    `withholds` the library's own answers ("course.models.freeze"), which refuse to work while the probe runs;
    `hints` up to three steps, `idea` the worked idea after them; `time_limit_s` is for one run of the probe.
    """

    id: str
    answer: str
    call: str
    title: str
    hints: tuple[str, ...] = ()
    idea: str = ""
    withholds: tuple[str, ...] = ()
    time_limit_s: float = 10.0
    judges: list[Judge] = field(default_factory=list)
    run_probe: Callable[[Any, dict[str, Any]], Any] = field(default=None)  # type: ignore[assignment]

    @property
    def points(self) -> int:
        """The sum of the visible judges' points: what a notebook's check is worth."""
        return sum(judge.points for judge in self.judges)

    def probe(self, function: Callable[[Any, dict[str, Any]], Any]) -> Callable[[Any, dict[str, Any]], Any]:
        """Decorator: this function runs beside the answer. It must be importable from its module by name."""
        self.run_probe = function
        return function

    def case(self, draw: Draw) -> Case:
        """Decorator: this function draws inputs."""
        return Case(draw.__name__, draw)

    def judge(self, case: Case, *, points: int = 1) -> Callable[[Decide], Judge]:
        """Decorator: this function decides on one case; its docstring's first line is the claim."""

        def add(decide: Decide) -> Judge:
            self.judges.append(_judge(self.id, decide, case, points, hidden=False))
            return self.judges[-1]

        return add

    def hidden_judge(self, case: Case, *, points: int = 1) -> Callable[[Decide], Judge]:
        """Decorator for solutions/hidden/: a judge that only the grader knows; the exercise stays as it was."""
        return lambda decide: _judge(self.id, decide, case, points, hidden=True)


def _judge(exercise_id: str, decide: Decide, case: Case, points: int, *, hidden: bool) -> Judge:
    claim = (decide.__doc__ or decide.__name__).strip().splitlines()[0]
    return Judge(exercise_id, decide.__name__, claim, points, case, decide, hidden)


def exercises_of(notebook: str) -> tuple[Exercise, ...]:
    """The exercises of a notebook, by its number ("02"), in the order in which they are written."""
    return _read_exercises(notebook)  # a cached function would hide its arguments from type checkers


@cache
def _read_exercises(notebook: str) -> tuple[Exercise, ...]:
    for module in pkgutil.iter_modules(importlib.import_module("course.exercises").__path__):
        if module.name.startswith(f"nb{notebook}_"):
            content = importlib.import_module(f"course.exercises.{module.name}")
            return tuple(value for value in vars(content).values() if isinstance(value, Exercise))
    return ()


def notebook_numbers() -> list[str]:
    """The numbers of the notebooks that have exercises, in order."""
    modules = pkgutil.iter_modules(importlib.import_module("course.exercises").__path__)
    return sorted(match[1] for module in modules if (match := re.match(r"nb(\d\d)_", module.name)))


@cache
def notebook_title(number: str) -> str:
    """What a notebook is called: "02 Freeze the backbone"."""
    if not number:
        return "Not recognised"
    modules = pkgutil.iter_modules(importlib.import_module("course.exercises").__path__)
    names = [module.name for module in modules if module.name.startswith(f"nb{number}_")]
    return f"{number} {names[0].split('_', 1)[1].replace('_', ' ').capitalize()}" if names else f"Notebook {number}"


def hidden_judges(folder: Path, notebook: str = "") -> list[Judge]:
    """The judges in a folder of files named like those of course/exercises, each run as trusted code.

    `notebook` is a number ("02") to read the files of that one alone.
    """
    found: list[Judge] = []
    for path in sorted(folder.glob(f"nb{notebook}*.py")):
        spec = importlib.util.spec_from_file_location(f"course_hidden_{path.stem}", path)
        assert spec is not None and spec.loader is not None  # a .py file always has both
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [value for value in vars(module).values() if isinstance(value, Judge) and value.hidden]
    return found


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise with this id. Raises UnknownName, which offers the nearest ids."""
    of_chapter = exercises_of(str(exercise_id)[:2])
    for exercise in of_chapter:
        if exercise.id == exercise_id:
            return exercise
    offered = of_chapter or [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
    raise UnknownName.of("exercise", exercise_id, [exercise.id for exercise in offered])
