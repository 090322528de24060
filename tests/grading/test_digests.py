"""A digest changes with whatever decides a grade, wherever it lies, and with nothing else."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course.errors import GradingError
from course.grading.digests import Digests, capstone_digest, graded_notebooks, judges_digest, reader_digest
from course.grading.import_closure import Sources, digest_of
from course.grading.sandbox import zygote
from course.judging.class_changes import Changes
from tests.conftest import ROOT

NOTEBOOKS = [f"{number:02}" for number in range(12)]
HIDDEN = tuple((path.name, path.read_text()) for path in sorted((ROOT / "solutions" / "hidden").glob("nb*.py")))
ALL = {*NOTEBOOKS, "reader", "capstone"}


@pytest.fixture
def tree(tmp_path) -> Path:
    """A copy of the course that may be changed."""
    left_out = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "course", tmp_path / "course", ignore=left_out))


def found(tree, hidden=HIDDEN) -> dict[str, str]:
    """Every digest of a copy of the course."""
    digests = Digests(tree)
    by_notebook = {number: digests.notebook(number, hidden) for number in NOTEBOOKS}
    return {**by_notebook, "reader": digests.reader(), "capstone": digests.capstone()}


@pytest.fixture(scope="module")
def pristine() -> dict[str, str]:
    """The digests of every copy, as long as nobody has changed it."""
    return found(ROOT / "course")


def changed(tree, before, file, old, new, hidden=HIDDEN) -> set[str]:
    """Which digests are others once `old` is replaced in a file; "" is replaced at its end."""
    path = tree / file
    text = path.read_text()
    assert old in text, f"{file} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1) if old else text + new)
    return differing(before, found(tree, hidden))


def differing(before, after) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def append(tree, file, text):
    with (tree / file).open("a") as stream:
        stream.write(text)


def test_the_digests_that_are_used_are_those_of_the_installed_course(pristine):
    assert graded_notebooks() == NOTEBOOKS
    assert {name: judges_digest(name, HIDDEN) for name in NOTEBOOKS} | {
        "reader": reader_digest(),
        "capstone": capstone_digest(),
    } == pristine
    assert len(set(pristine.values())) == len(ALL)


@pytest.mark.parametrize(
    ("file", "old", "new", "which"),
    [
        ("judging/expectations.py", "rtol: float = 1e-4", "rtol: float = 1e-1", {*NOTEBOOKS}),
        ("judging/wire.py", "MAX_DEPTH = 32", "MAX_DEPTH = 3", {*NOTEBOOKS}),
        ("judging/verdict.py", "JUDGE_LIMIT_S = 10.0", "JUDGE_LIMIT_S = 1.0", {*NOTEBOOKS}),
        ("judging/timelimit.py", "_AGAIN_S = 0.1", "_AGAIN_S = 9.0", ALL),
        ("judging/definitions.py", "STATEMENT_LIMIT_S = 10.0", "STATEMENT_LIMIT_S = 1.0", {*NOTEBOOKS, "reader"}),
        ("grading/sandbox/limits.py", "memory_mib: int = 1024", "memory_mib: int = 64", {*NOTEBOOKS}),
        ("grading/sandbox/zygote.py", "IMPORT_LIMIT_S = 25.0", "IMPORT_LIMIT_S = 1.0", {*NOTEBOOKS}),
        ("grading/sandbox/seccomp.py", "", "\n# changed", {*NOTEBOOKS}),
        ("grading/run/worker.py", "", "\n# changed", {*NOTEBOOKS}),
        ("grading/run/reading.py", "READ_LIMIT_S = 30.0", "READ_LIMIT_S = 3.0", {*NOTEBOOKS, "reader"}),
        ("authoring/setup_cell.py", "SEED = 0", "SEED = 1", {*NOTEBOOKS, "reader"}),
        ("zoo/published.py", "", "\n# changed", {"09"}),
        ("data/emoji.py", "", "\n# changed", {"09"}),
        ("exercises/small_segmenters.py", "", "\n# changed", {"07", "reader"}),
        ("exercises/nb03_replace_the_head/old_head.py", "", "\n# changed", {"03", "reader"}),
        ("applications/preprocessing.py", "", "\n# changed", {"capstone"}),
        ("zoo/safetensors_header.py", "", "\n# changed", {"capstone"}),
        ("grading/capstone/damage.py", "0.08, 0.2", "0.8, 2", {"capstone"}),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".py") else "",
)
def test_what_decides_changes_the_digests_of_what_it_decides(tree, pristine, file, old, new, which):
    assert changed(tree, pristine, file, old, new) == which


DECIDE_NOTHING = (
    *("cli/app.py", "cli/grading.py", "grading/reports/overview.py", "grading/reports/templates/style.css"),
    *("grading/exports/canvas.py", "grading/gradebook/queries.py", "grading/submissions/owners.py"),
    *("grading/run/queue.py", "grading/run/pools.py", "grading/release/leaks.py", "notebook/plots.py"),
    *("judging/checking.py", "judging/card.py", "training/loop.py", "data/sentences.py", "authoring/building.py"),
    *("data/assets/LICENCES.md", "data/assets/tables/segmenting.json"),
)


def test_what_decides_nothing_changes_no_digest(tree, pristine):
    for file in DECIDE_NOTHING:
        assert (tree / file).is_file()
        append(tree, file, "\n")
    assert differing(pristine, found(tree)) == set()


def test_a_new_file_that_nothing_imports_changes_no_digest(tree, pristine):
    (tree / "notebook" / "news.py").write_text("NEWS = 1\n")
    (tree.parent / "README.md").write_text("# Another\n")
    assert found(tree) == pristine


@pytest.mark.parametrize("number", ["02", "09", "11"])
def test_a_hidden_judge_changes_the_digest_of_its_notebook_alone(pristine, number):
    other = tuple((name, source + "\n# changed" * name.startswith(f"nb{number}_")) for name, source in HIDDEN)
    assert differing(pristine, found(ROOT / "course", other)) == {number}
    without = tuple((name, source) for name, source in HIDDEN if not name.startswith(f"nb{number}_"))
    assert differing(pristine, found(ROOT / "course", without)) == {number}


def test_a_hidden_judge_in_a_file_of_another_name_counts_where_it_judges(pristine):
    source = "from course.exercises.nb05_classify_images import read_folder\n"
    assert differing(pristine, found(ROOT / "course", (*HIDDEN, ("nb99_more.py", source)))) == {"05"}
    by_id = 'from course.judging import find_exercise\nexercise = find_exercise("06-swap-predictor")\n'
    assert differing(pristine, found(ROOT / "course", (*HIDDEN, ("nb99_more.py", by_id)))) == {"06"}


def test_what_a_hidden_judge_imports_counts_for_its_notebook(tree):
    hidden = tuple(
        (name, source + "\nfrom course.inspection import corruptions\n" * name.startswith("nb02_"))
        for name, source in HIDDEN
    )
    assert changed(tree, found(tree, hidden), "inspection/corruptions.py", "", "\n# changed", hidden) == {"02"}


def test_a_renamed_file_changes_the_digest(tree):
    first, second = (tree / "exercises" / "nb02_freeze_the_backbone" / name for name in ("more.py", "mere.py"))
    first.write_text("MORE = 1\n")
    before = found(tree)
    first.rename(second)
    assert differing(before, found(tree)) == {"02", "reader"}


def test_two_files_that_change_places_change_the_digest():
    files = {"a.py": b"one", "b.py": b"two"}
    swapped = {"a.py": b"two", "b.py": b"one"}
    shifted = {"a.py": b"onetw", "b.py": b"o"}
    assert len({digest_of(one) for one in (files, swapped, shifted)}) == 3


@pytest.mark.parametrize(
    ("line", "needed", "not_needed"),
    [
        (
            "def late():\n    from course.data.sentence_templates import PEOPLE",
            "data/sentence_templates.py",
            "data/sentences.py",
        ),
        (
            "if True:\n    try:\n        import course.data.sentence_templates\n    finally:\n        pass",
            "data/sentence_templates.py",
            "x",
        ),
        ("from course import load_backbone", "models/backbones.py", "training/loop.py"),
        ("from course.models import param_groups", "models/parameter_groups.py", "models/lora.py"),
        ("from course import models\nmodels.param_groups", "models/parameter_groups.py", "models/lora.py"),
        ("import course\ncourse.fit", "training/loop.py", "training/experiments.py"),
        ("import course.models as surgery\nsurgery.stages", "models/parameter_groups.py", "models/lora.py"),
        ("import course\ncourse.models.lora.add_lora", "models/lora.py", "models/parameter_groups.py"),
        ("from course.models import *", "models/parameter_groups.py", "models/lora.py"),
        ("from course.authoring import drift", "authoring/building.py", "authoring/bogus.py"),
        (
            "from course.grading.capstone.rules import POINTS",
            "grading/capstone/rules.py",
            "grading/capstone/scoring.py",
        ),
        ("import course.inspection.calibration", "inspection/__init__.py", "inspection/attribution.py"),
    ],
)
def test_imports_are_followed_wherever_they_stand_to_the_module_that_defines_the_name(tree, line, needed, not_needed):
    file = "exercises/nb05_classify_images/read_folder.py"
    assert needed not in Digests(tree).deciding_on("05")
    append(tree, file, f"\n{line}\n")
    files = Digests(tree).deciding_on("05")
    assert needed in files and not_needed not in files


def test_a_face_decides_by_where_it_says_that_a_name_is(tree, pristine):
    old, new = "from .expectations import expect as expect", "from .results import expect as expect"
    assert changed(tree, pristine, "judging/__init__.pyi", old, new) == {*NOTEBOOKS}
    with pytest.raises(GradingError, match=r"course\.judging\.nowhere is imported, and there is no such module"):
        changed(tree, pristine, "judging/__init__.pyi", new, "from .nowhere import expect as expect")


def test_data_that_a_module_reads_counts_with_it(tree):
    append(tree, "exercises/nb05_classify_images/read_folder.py", "\nfrom course.training import experiments\n")
    assert changed(tree, found(tree), "data/assets/tables/segmenting.json", "", "\n") == {"05"}
    (tree / "data/assets/emoji.zip").unlink()
    with pytest.raises(GradingError, match=r"matches data/assets/emoji\.zip"):
        append(tree, "exercises/nb05_classify_images/read_folder.py", "\nfrom course.data import emoji\n")
        Digests(tree).deciding_on("05")


def test_each_module_that_reads_a_file_of_the_course_is_known_to():
    from course.grading.digests import _DATA

    reads = {
        path.relative_to(ROOT / "course").as_posix()
        for path in (ROOT / "course").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and re.match(r"assets(/\S+)?$", str(node.value))
        and "assets" not in path.parts
    }
    assert reads == set(_DATA)


def test_no_module_that_decides_is_named_in_a_text_alone():
    """The warm process loads what answers may use, for speed; the exercises are an entry of their own."""
    files = Digests().deciding_on("02", HIDDEN)
    texts = {
        node.value
        for name, content in files.items()
        if name.startswith(("grading/", "judging/")) and name != "grading/digests.py"
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in texts if re.fullmatch(r"course(\.\w+)+", text)}
    files_of = {text: text.removeprefix("course.").replace(".", "/") for text in named - set(zygote.PRELOADED)}
    missing = {text for text, file in files_of.items() if not {f"{file}.py", f"{file}/__init__.py"} & files.keys()}
    assert named and missing == set()


@pytest.mark.parametrize("file", ["grading/run/worker.py", "grading/sandbox/zygote.py", "judging/expectations.py"])
def test_a_module_that_is_not_there_is_an_error(tree, file):
    (tree / file).unlink()
    with pytest.raises(GradingError, match=f"no such module in .*{tree.name}"):
        Digests(tree).notebook("02")


def test_a_pattern_that_matches_nothing_is_an_error(tree):
    with pytest.raises(GradingError, match=r"no file of .* matches exercises/nb77"):
        Digests(tree).notebook("77")
    shutil.rmtree(tree / "exercises")
    with pytest.raises(GradingError, match=r"no file of .* matches exercises/"):
        Digests(tree).notebooks()
    with pytest.raises(GradingError, match=r"no file of .* matches exercises/"):
        Digests(tree).reader()


def test_a_source_that_is_no_python_is_an_error_that_names_it(tree):
    with pytest.raises(GradingError, match=r"hidden/nb02_x\.py is not valid Python"):
        Digests(tree).notebook("02", [("nb02_x.py", "def f(:")])
    with pytest.raises(GradingError, match=r"hidden/nb02_x\.py imports relatively in line 1"):
        Digests(tree).notebook("02", [("nb02_x.py", "from . import helper")])


def test_a_hidden_judge_that_imports_from_an_old_place_is_refused_with_the_new_one(tree):
    with pytest.raises(GradingError, match=r"no such module in .*; it is course\.exercises\.small_models now"):
        Digests(tree).notebook("02", [("nb02_x.py", "from course.exercises.narrow import SIZE")])


def test_a_notebook_that_only_another_version_has_is_judged_by_nothing():
    assert judges_digest("77", HIDDEN) == ""


def test_a_clone_with_the_line_ends_of_windows_has_the_same_digests(tree, pristine):
    for path in tree.rglob("*.py*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert found(tree) == pristine


def test_what_python_and_editors_leave_behind_changes_no_digest(tree, pristine):
    folder = tree / "exercises" / "nb02_freeze_the_backbone"
    (folder / "__pycache__").mkdir()
    for name in ("__pycache__/x.cpython-311.pyc", ".x.py.swp", "x.py~"):
        (folder / name).write_bytes(b"x")
    assert found(tree) == pristine


def test_another_process_finds_the_same_digests_and_loads_no_torch(tree):
    code = (
        "import sys\nfrom pathlib import Path\nfrom course.grading.digests import Digests\n"
        "digests = Digests(Path(sys.argv[1]))\n"
        "print(digests.notebook('02'), digests.reader(), digests.capstone(), 'torch' in sys.modules)"
    )
    here = Digests(ROOT / "course")
    expected = [here.notebook("02"), here.reader(), here.capstone(), "False"]
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tree)]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == expected


def test_every_python_and_system_finds_this_digest(tmp_path):
    """Stored, as a test cannot run several versions: each that runs it compares with the same text."""
    package = tmp_path / "small"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("from small.inner.deep import THING as OTHER\n")
    (package / "inner" / "deep.py").write_text(
        "THING: 'int' = 1\nmatch THING:\n    case 1:\n        import small.late\n"
    )
    (package / "late.py").write_text("LATE = '\u00e9'\n", encoding="utf-8")
    (package / "unused.py").write_text("")
    (package / "entry.py").write_text("def f():\n    from small.inner import OTHER\n    return OTHER\n")
    files = Sources(package).closure(["small.entry"])
    assert sorted(files) == ["__init__.py", "entry.py", "inner/__init__.py", "inner/deep.py", "late.py"]
    assert digest_of(files) == "500b1aa7cf6623e734f12dec6f5d3891ae5ed8a7af3167ff6036fc933cb7e952"


@pytest.fixture
def ours(tmp_path) -> Path:
    """A folder with an exercise of chapter 02 and one of a chapter that the course has not got."""
    folder = tmp_path / "ours"
    for package in ("nb02_ours", "nb77_new"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("")
        (folder / package / "one.py").write_text(
            f"from course.exercises.{package}.helper import X\nfrom course.inspection import corruptions\n"
        )
        (folder / package / "helper.py").write_text("X = 1\n")
    return folder


def found_with(tree, folder, changes=None) -> dict[str, str]:
    digests = Digests(tree, [folder], changes)
    assert digests.notebooks() == [*NOTEBOOKS, "77"]
    return {number: digests.notebook(number, HIDDEN) for number in [*NOTEBOOKS, "77"]} | {"reader": digests.reader()}


def test_exercises_of_others_decide_as_the_courses_own_do(tree, pristine, ours):
    before = found_with(tree, ours)
    assert {name for name in before if before[name] != pristine.get(name)} == {"02", "77", "reader"}
    assert "inspection/corruptions.py" in Digests(tree, [ours]).deciding_on("77")
    (ours / "nb77_new" / "helper.py").write_text("X = 2\n")
    assert differing(before, after := found_with(tree, ours)) == {"77", "reader"}
    (ours / "solutions" / "hidden").mkdir(parents=True)
    (ours / "solutions" / "hidden" / "x.py").write_text("Y = 1\n")
    assert found_with(tree, ours) == after, "hidden judges are given beside, and count by what they are about"


def test_the_points_that_a_class_gives_decide_on_their_chapter_alone(tree, ours):
    before = found_with(tree, ours)
    other = {"03-replace-head": Changes("", {"a_judge": 3})}
    assert differing(before, found_with(tree, ours, other)) == {"03", "reader"}
    with_file = (*HIDDEN, ("class.toml", '["04-find-a-rate"]\npoints = {a_judge = 3}\n'))
    assert differing(found(tree), found(tree, with_file)) == {"04"}
