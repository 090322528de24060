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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from course.errors import CourseError, ExerciseError, UnknownName
from course.judging.class_changes import Changes, changes_in, class_changes
from course.judging.exercise_folders import OWN

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
    folder: Path = OWN  # of its package: the course's own, or another that exercises come from
    points_as_written: int = 0  # before a class gave its judges other points

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
    """The exercises of a notebook, by its number ("02"): the course's own in its order, then those of others."""
    return _read_exercises(notebook)  # a cached function would hide its arguments from type checkers


@cache
def _read_exercises(notebook: str) -> tuple[Exercise, ...]:
    changes = class_changes()
    found: dict[str, Exercise] = {}
    for package in _packages_of(notebook):
        for exercise in _exercises_in(package):
            if found.setdefault(exercise.id, exercise) is not exercise:
                raise ExerciseError(f"two exercises are called {exercise.id}, one of them in {package}; rename it")
    for exercise in found.values():
        exercise.points_as_written = exercise.points
        exercise.title = changes.get(exercise.id, Changes()).title or exercise.title
        exercise.judges = [_with_points(judge, changes) for judge in exercise.judges]
    return tuple(found.values())


def _exercises_in(package: str) -> Iterator[Exercise]:
    """The exercises in the modules of a package: first those that it imports itself, in its order."""
    content = _imported(package)
    modules = [_imported(f"{package}.{module.name}") for module in pkgutil.iter_modules(content.__path__)]
    for module in (content, *modules):
        for value in vars(module).values():
            if isinstance(value, Exercise):
                _refuse_incomplete(value, module)
                value.folder = Path(content.__path__[0]).parent
                yield value


def _imported(name: str) -> ModuleType:
    """A module of exercises. Raises ExerciseError, naming the cause, for one that cannot be imported."""
    try:
        return importlib.import_module(f"course.exercises.{name}")
    except CourseError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ExerciseError(f"the exercises in {name} cannot be imported ({what}); correct that module") from error


def _refuse_incomplete(exercise: Exercise, module: ModuleType) -> None:
    package = module.__name__.split(".")[2]
    if not exercise.id.startswith(f"{package[2:4]}-"):
        raise ExerciseError(f"{module.__file__} holds {exercise.id}; in {package}, an id begins with {package[2:4]}-")
    if exercise.run_probe is None:
        raise ExerciseError(f"{exercise.id} has no probe; write one in {module.__file__} below @exercise.probe")


def _with_points(judge: Judge, changes: Mapping[str, Changes]) -> Judge:
    """The judge with the points that this class gives for it."""
    return replace(judge, points=changes.get(judge.exercise_id, Changes()).points.get(judge.name, judge.points))


def _packages() -> list[str]:
    """The names of the packages with exercises, the course's own first."""
    modules = pkgutil.iter_modules(importlib.import_module("course.exercises").__path__)
    return [module.name for module in modules if re.match(r"nb\d\d_", module.name)]


def _packages_of(notebook: str) -> list[str]:
    return [name for name in _packages() if name[2:4] == notebook]


def notebook_numbers() -> list[str]:
    """The numbers of the notebooks that have exercises, in order."""
    return sorted({name[2:4] for name in _packages()})


@cache
def notebook_title(number: str) -> str:
    """What a notebook is called: "02 Freeze the backbone"."""
    if not number:
        return "Not recognised"
    names = _packages_of(number)
    return f"{number} {names[0].split('_', 1)[1].replace('_', ' ').capitalize()}" if names else f"Notebook {number}"


def hidden_judges(folder: Path, notebook: str = "") -> list[Judge]:
    """The judges in a folder of files nbNN_NAME.py, each run as trusted code. A class.toml beside them counts too.

    `notebook` is a number ("02") to read the files of that one alone.
    """
    found: list[Judge] = []
    changes = class_changes() | changes_in(folder)
    for path in sorted(folder.glob(f"nb{notebook}*.py")):
        spec = importlib.util.spec_from_file_location(f"course_hidden_{path.stem}", path)
        assert spec is not None and spec.loader is not None  # a .py file always has both
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        judges = [value for value in vars(module).values() if isinstance(value, Judge) and value.hidden]
        found += [_with_points(judge, changes) for judge in judges]
    return found


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise with this id. Raises UnknownName, which offers the nearest ids."""
    of_chapter = exercises_of(str(exercise_id)[:2])
    for exercise in of_chapter:
        if exercise.id == exercise_id:
            return exercise
    offered = of_chapter or [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
    raise UnknownName.of("exercise", exercise_id, [exercise.id for exercise in offered])
