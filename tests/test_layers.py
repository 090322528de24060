"""Imports run one way: each folder imports only from folders below it in this table.

Within a folder, modules may import one another, but never in a circle. `grading`, the largest, has its own table.
"""

import ast
import re
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT

LAYERS = """
cli           the command `course`
grading       submissions to grades
authoring     solutions/ to notebooks/
exercises     the exercises themselves
judging       exercises judged away from the answer
capstone      the hand-in
applications  pretrained models put to use
inspection    questions to a trained model
training      the loop
zoo           what others publish
models        backbones, heads, freezing, weights
data          pictures, scenes, texts, sounds; downloads
notebook      what a learner sees
questions     what learners are asked, and what is explained, as data
runtime       where am I, which device
files         files written whole or not at all
extras        optional packages
legible       untrusted text, made legible
errors        every exception of the course
"""

GRADING_LAYERS = """
release         what leaves the repository
run             from submissions to grades
sandbox         an answer, run where it can reach nothing
reports         pages for the instructor and for each learner
exports         the formats of other systems
gradebook       where grades are kept
submissions     files to submissions; whose is which
capstone        weights and a model card, graded
digests         what decides a grade, as a hash
import_closure  the files that a module needs
work            what is handed to workers, as plain data
grades          a submission, and the grade of one exercise
"""

# judging finds exercises by name, so that others can bring their own; nothing of it imports one.
BY_NAME = {"judging.exercise": "course.exercises"}


def table(text):
    """The names in a table, the lowest first."""
    return [line.split()[0] for line in reversed(text.strip().splitlines())]


FOLDERS, GRADING = table(LAYERS), table(GRADING_LAYERS)

MODULES = {
    path.relative_to(ROOT / "course").with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in (ROOT / "course").rglob("*.py")
    if "assets" not in path.parts and path.name != "__main__.py" and path != ROOT / "course" / "__init__.py"
}


def imported(path):
    """The modules of the course that a file imports, anywhere in it, functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{path}:{node.lineno} imports relatively")
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "course" and len(parts) > 1:
                found = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
                yield next((module for module in found if module in MODULES), found[-1])


IMPORTS = {module: set(imported(path)) for module, path in MODULES.items()}


def forbidden(module, others):
    """The imports that come from a folder above the module's own."""
    floor = FOLDERS.index(module.split(".")[0])
    found = [other for other in others if FOLDERS.index(other.split(".")[0]) > floor]
    if module.startswith("grading.") and (own := module.split(".")[1]) in GRADING:
        inside = [other.split(".")[1] for other in others if other.startswith("grading.")]
        found += [f"grading.{other}" for other in inside if GRADING.index(other) > GRADING.index(own)]
    return found


def test_each_folder_has_a_place_in_the_table():
    assert {module.split(".")[0] for module in MODULES} == set(FOLDERS)
    assert {module.split(".")[1] for module in MODULES if module.startswith("grading.")} == set(GRADING)


def test_each_folder_imports_only_from_those_below_it_in_the_table():
    wrong = {module: forbidden(module, others) for module, others in IMPORTS.items()}
    assert {module: others for module, others in wrong.items() if others} == {}


LISTS = {path.parent: path.read_text(encoding="utf-8") for path in (ROOT / "course").rglob("__init__.py")}
LISTS = {folder: text for folder, text in LISTS.items() if re.search(r"^\w+  +\S", text, re.MULTILINE)}


@pytest.mark.parametrize("folder", LISTS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_that_lists_its_modules_lists_each_of_them(folder):
    listed = set(re.findall(r"^(\w+)  +\S", LISTS[folder].split('"""')[1], re.MULTILINE))
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    chapters = {name for name in there if re.match(r"nb\d\d_", name)}
    assert listed == there - chapters - {"__init__", "__main__"}


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: others - {module} for module, others in IMPORTS.items()}
    TopologicalSorter(graph).prepare()


def test_judging_reaches_exercises_only_by_name():
    for module in (name for name in MODULES if name.startswith("judging.")):
        assert not [other for other in IMPORTS[module] if other.startswith("exercises")]
        if re.search(r"\bcourse\.exercises", MODULES[module].read_text(encoding="utf-8")):
            assert module in BY_NAME


def test_a_wrong_import_and_a_circle_would_be_found(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from course.judging import check\n    import course.cli.app\n    from course import data\n"
    )
    assert set(imported(file)) == {"judging", "cli.app", "data"}
    assert forbidden("models.heads", ["judging", "errors", "models.weights"]) == ["judging"]
    assert forbidden("grading.sandbox.runner", ["grading.run.queue", "grading.grades"]) == ["grading.run"]
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
