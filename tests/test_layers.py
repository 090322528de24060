"""Each module imports only from modules that stand before it."""

import ast

import pytest

from tests.conftest import ROOT

# A name with a dot at its end stands for every module of that package.
LIBRARY = [
    "errors",
    "whole_file",
    "runtime",
    "record",
    "recall",
    "bars",
    "claims",
    "data.",
    "weights",
    "full_profile",
    "zoo",
    "models",
    "footprint",
    "lora",
    "attribution",
    "calibration",
    "corruptions",
    "averaging",
    "compression",
    "feeding",
    "features",
    "engine",
    "measures",
    "schedules",
    "history",
    "checkpoints",
    "training",
    "pretraining",
    "distillation",
    "experiments",
    "overlap",
    "segmentation",
    "plots",
    "spans",
    "text",
    "widgets",
    "overlays",
    "detection",
    "boxes",
    "preprocessing",
    "onnx_file",
    "foreign_onnx",
    "tensor_header",
    "foreign_weights",
    "keras_zoo",
    "from_keras",
    "predictor",
    "model_card",
    "capstone",
    "uploads",
]
JUDGING = [
    "judging.wire",
    "judging.expectations",
    "judging.timelimit",
    "judging.surroundings",
    "judging.results",
    "judging.contents",
    "judging.exercise",
    "judging.student",
    "judging.verdict",
    "judging.card",
    "judging.answers",
    "judging.definitions",
    "judging.checking",
    "judging.overview",
    "judging",
]
ABOVE = [
    "exercises.narrow",
    "exercises.",
    "authoring.",
    "grading.records",
    "grading.capstone.",
    "grading.submissions.",
    "grading.gradebook.",
    "grading.similarity",
    "grading.exports.",
    "grading.reports.",
    "grading.limits",
    "grading.seccomp",
    "grading.confine",
    "grading.talk",
    "grading.probes",
    "grading.bubblewrap",
    "grading.warm",
    "grading.sandbox",
    "grading.proof",
    "grading.tasks",
    "grading.worker",
    "grading.capstones",
    "grading.pools",
    "grading.mistyped",
    "grading.settings",
    "grading.renamed",
    "grading.grade",
    "grading.mistyped",
    "grading.run",
    "grading.release.",
    "grading.",
    "workspace",
    "doctor",
    "cli_fetch",
    "cli_grading",
    "cli",
]
ORDER = [*LIBRARY, *JUDGING, *ABOVE]
# Within functions: a Result as text is its card, and a card is made from a Result; a task's work is a worker's.
BACKWARDS = {("judging.results", "judging.card"), ("grading.tasks", "grading.worker")}

MODULES = {
    path.relative_to(ROOT / "course").with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in (ROOT / "course").rglob("*.py")
    if "assets" not in path.parts and path != ROOT / "course" / "__init__.py"
}


def layer(module):
    """Where a module stands in ORDER."""
    names = [module, *(module.rsplit(".", dots)[0] + "." for dots in range(module.count(".") + 1)), module + "."]
    return next((ORDER.index(name) for name in names if name in ORDER), None)


def imported(path):
    """The modules of the course that a file imports, anywhere in it."""
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


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_layers_before_it(module):
    own = layer(module)
    assert own is not None, f"{module} has no place in ORDER"
    is_package = ORDER[own].endswith(".")
    for other in imported(MODULES[module]):
        if (module, other) in BACKWARDS:
            continue
        place = layer(other)
        assert place is not None, f"course.{other} has no place in ORDER"
        assert place < own or (is_package and place == own), f"{module} imports {other}, which stands above it"


def test_every_name_in_the_order_is_a_module():
    assert {name for name in ORDER if not any(layer(module) == ORDER.index(name) for module in MODULES)} == set()


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("judging.")))
def test_judging_reaches_exercises_only_by_name(module):
    assert not [other for other in imported(MODULES[module]) if other.startswith("exercises")]
    if "course.exercises" in MODULES[module].read_text(encoding="utf-8"):
        assert module == "judging.exercise"


def test_a_wrong_import_would_be_found(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from course.judging import check\n    import course.cli\n    from course import plots\n"
    )
    assert set(imported(file)) == {"judging", "cli", "plots"}
    assert layer("models") < layer("judging") < layer("exercises.nb02_freeze_the_backbone") < layer("cli")
