"""solutions/ to notebooks/: regular cells, no answer left, stored outputs, drift; and the setup cell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import authoring
from course.authoring import regions, setup_cell
from course.authoring.regions import STUB
from course.errors import AuthoringError, MarkerError, UnknownName
from course.notebook import notebook_files

REPOSITORY = Path(__file__).parents[2]
NAME = "07_double_things"
ANSWER = """\
# exercise: 07-double-number
def double(number):
    "Twice the number."
    ### BEGIN SOLUTION
    secret_answer = number + number
    return secret_answer
    ### END SOLUTION"""


def code(source: str, **metadata) -> nbformat.NotebookNode:
    return new_code_cell(source, id=uuid.uuid4().hex[:8], metadata=metadata)


def prose(source: str, **metadata) -> nbformat.NotebookNode:
    return new_markdown_cell(source, id=uuid.uuid4().hex[:8], metadata=metadata)


def converted(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook as jupytext leaves it."""
    return new_notebook(cells=list(cells), metadata={"jupytext": {"main_language": "python"}})


def toy(answer: str = ANSWER) -> nbformat.NotebookNode:
    return converted(
        prose("# Double things\n\n- double a number"),
        code("import os\n\n\ndef check(name):\n    print(name, 'not attempted yet')", lines_to_next_cell=1),
        prose("## The *first* idea: $2x$ of `x`"),
        code("print('lines', end=' ')\nprint('of text')", tags=["nbval-ignore-output"]),
        code(answer),
        code('check("07-double-number")'),
        code(
            "# Where this ran\nnames = 'COURSE_LIVE', 'COURSE_PROFILE', 'COURSE_STRICT'\n"
            "print({name: os.environ.get(name) for name in names})"
        ),
    )


def points(exercise: str) -> int:
    return {"07-double-number": 3}[exercise]


def normal(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return authoring.normalise(nb, NAME, points=points)


def cell_of(nb: nbformat.NotebookNode, cell_id: str) -> nbformat.NotebookNode:
    return next(cell for cell in nb.cells if cell.id == cell_id)


@pytest.fixture
def quick_setup(monkeypatch):
    """A setup cell that loads no torch, so that a kernel is up in a second."""
    monkeypatch.setattr("course.authoring.cells.setup_source", lambda address: "runtime = SEED")


@pytest.fixture
def repository(tmp_path, quick_setup) -> Path:
    (tmp_path / "solutions").mkdir()
    notebook_files.write(toy(), tmp_path / "solutions" / f"{NAME}.ipynb")
    return tmp_path


def build(root: Path, **options) -> list[Path]:
    return authoring.build(root=root, points=points, tell=lambda line: None, **options)


# --- normalise


def test_every_cell_gets_a_readable_id():
    assert [cell.id for cell in normal(toy()).cells] == [
        "double-things",
        "parameters",
        "setup",
        "import-os",
        "the-first-idea-of-x",
        "print-lines-end",
        "07-double-number",
        "07-double-number-check",
        "where-this-ran",
    ]


def test_the_parameters_and_setup_cells_are_the_standard_ones():
    nb = normal(toy())
    parameters, setup = cell_of(nb, "parameters"), cell_of(nb, "setup")
    assert parameters.metadata.tags == ["parameters"]
    namespace: dict = {}
    exec(parameters.source, namespace)
    assert (namespace["PROFILE"], namespace["SEED"]) == ("auto", 0)
    assert setup.source == authoring.setup_source()
    assert setup.metadata.tags == ["nbval-ignore-output"]


def test_an_authors_own_parameters_cell_decides_the_place_of_both():
    nb = toy()
    nb.cells.insert(2, code("SEED = 3", tags=["parameters"]))
    ids = [cell.id for cell in normal(nb).cells]
    assert ids[1:4] == ["import-os", "parameters", "setup"]
    assert len(ids) == len(set(ids)) == 9


def test_exercise_and_check_carry_what_nbgrader_needs():
    nb = normal(toy())
    assert cell_of(nb, "07-double-number").metadata.nbgrader == {
        "schema_version": 3,
        "solution": True,
        "grade": False,
        "locked": False,
        "task": False,
        "cell_type": "code",
        "grade_id": "07-double-number",
    }
    assert cell_of(nb, "07-double-number-check").metadata.nbgrader == {
        "schema_version": 3,
        "solution": False,
        "grade": True,
        "locked": True,
        "task": False,
        "cell_type": "code",
        "grade_id": "07-double-number-check",
        "points": 3,
    }


def test_normalising_twice_changes_nothing():
    once = normal(toy())
    assert notebook_files.text(normal(once)) == notebook_files.text(once)


def test_a_generated_id_stays_when_the_words_change():
    nb = normal(toy())
    cell_of(nb, "the-first-idea-of-x").source = "## Quite another heading"
    assert [cell.id for cell in normal(nb).cells] == [cell.id for cell in nb.cells]


def test_ids_of_jupyterlab_are_replaced_and_those_of_the_author_kept():
    nb = converted(code("x = 1"), code("x = 1"), code("x = 2", id="my-own"), code("y = 3"))
    nb.cells[3].id = str(uuid.uuid4())
    nb.cells[1].id = "second"
    assert [cell.id for cell in normal(nb).cells[2:]] == ["x-1", "second", "my-own", "y-3"]


def test_equal_words_give_different_ids():
    nb = normal(
        converted(code("x = 1"), code("x = 1"), code("x = 1"), prose("θ* ⟶ 猫"), prose("Setup"), code("# just words"))
    )
    assert [cell.id for cell in nb.cells[2:]] == ["x-1", "x-1-2", "x-1-3", "text", "setup-2", "just-words"]


def test_an_authors_tags_are_kept_and_the_converters_metadata_is_not():
    nb = normal(toy())
    assert cell_of(nb, "print-lines-end").metadata == {"tags": ["nbval-ignore-output"]}
    assert cell_of(nb, "import-os").metadata == {}
    assert nb.metadata == notebook_files.METADATA


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            [code("# exercise: 08-other-number\n1"), code('check("08-other-number")')],
            "must begin with this notebook's number, 07",
        ),
        ([code("# exercise: double the number\n1")], "must name an exercise as 07-verb-phrase"),
        ([code("# exercise: 07-double-check\n1")], "not ending in -check"),
        ([code("# exercise: 07-double-number\n1")], 'has no cell check("07-double-number") after it'),
        ([code('check("07-double-number")'), code("# exercise: 07-double-number\n1")], "after it"),
        ([code('check("07-double-number")')], "has no exercise"),
        ([code(ANSWER), code('x = 1\ncheck("07-double-number")')], "must be all that its cell holds"),
        ([code(ANSWER), code('print(check("07-double-number"))')], "must be all that its cell holds"),
        ([code(ANSWER), code(ANSWER), code('check("07-double-number")')], "two exercise cells are called"),
        ([code(ANSWER), code('check("07-double-number")'), code('check("07-double-number")')], "two cells check"),
        ([code("1", id="same"), code("2", id="same")], "two cells have the id same"),
        ([code("1", id="no spaces")], "cell id 'no spaces' must be"),
    ],
)
def test_a_broken_rule_is_an_error_that_names_the_notebook(cells, words):
    with pytest.raises(AuthoringError) as caught:
        normal(converted(prose("# Title"), *cells))
    assert words in str(caught.value)
    assert f"solutions/{NAME}.ipynb" in str(caught.value)


def test_a_notebook_without_a_number_is_refused():
    with pytest.raises(AuthoringError, match="NN_verb_phrase"):
        authoring.normalise(toy(), "double-things", points=points)


# --- release


def released(answer: str) -> nbformat.NotebookNode:
    return authoring.release(normal(toy(answer)), NAME)


def test_a_region_becomes_one_raise_with_its_indentation():
    assert cell_of(released(ANSWER), "07-double-number").source == (
        '# exercise: 07-double-number\ndef double(number):\n    "Twice the number."\n    ' + STUB
    )


def test_each_of_two_regions_is_replaced_and_what_lies_between_is_kept():
    region = ("### BEGIN SOLUTION", "a", "### END SOLUTION")
    inner = [f"        {line}" for line in region]
    lines = [
        "# exercise: 07-double-number",
        "def one(a):",
        *(line[4:] for line in inner),
        "",
        "def two(a):",
        "    if a:",
    ]
    assert cell_of(released("\n".join([*lines, *inner])), "07-double-number").source == (
        f"# exercise: 07-double-number\ndef one(a):\n    {STUB}\n\ndef two(a):\n    if a:\n        {STUB}"
    )


def test_releasing_leaves_the_solution_as_it_was():
    nb = normal(toy())
    before = notebook_files.text(nb)
    authoring.release(nb, NAME)
    assert notebook_files.text(nb) == before


def test_stored_outputs_of_the_solution_are_not_released():
    nb = normal(toy())
    cell_of(nb, "07-double-number-check").outputs = [nbformat.v4.new_output("stream", text="secret_answer")]
    assert "secret_answer" not in notebook_files.text(authoring.release(nb, NAME))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["### BEGIN SOLUTION", "return 1"], "without ### END SOLUTION below it"),
        (["return 1", "### END SOLUTION"], "without ### BEGIN SOLUTION above it"),
        (["### END SOLUTION", "return 1", "### BEGIN SOLUTION"], "without ### BEGIN SOLUTION above it"),
        (
            ["### BEGIN SOLUTION", "### BEGIN SOLUTION", "1", "### END SOLUTION", "### END SOLUTION"],
            "inside the region begun in line 3",
        ),
        (
            ["### BEGIN SOLUTION", "return 1", "### END SOLUTION", "### END SOLUTION"],
            "without ### BEGIN SOLUTION above it",
        ),
        (["### BEGIN SOLUTION", "### END SOLUTION"], "the region is empty"),
        (["## BEGIN SOLUTION", "return 1", "## END SOLUTION"], "almost a marker"),
        (["### BEGIN SOLUTION", "return 1", "### End solution"], "almost a marker"),
        (["x = 1  ### BEGIN SOLUTION", "return 1", "### END SOLUTION"], "almost a marker"),
        (["return 1"], "an exercise without a solution region"),
    ],
)
def test_a_bad_marker_is_an_error_naming_notebook_and_cell(lines, words):
    answer = "\n    ".join(["# exercise: 07-double-number\ndef double(number):", *lines])
    with pytest.raises(MarkerError) as caught:
        released(answer)
    assert words in str(caught.value)
    assert f"solutions/{NAME}.ipynb, cell 07-double-number" in str(caught.value)


@pytest.mark.parametrize("cell", [prose, code])
def test_a_marker_outside_an_exercise_is_an_error_naming_the_cell(cell):
    nb = toy()
    nb.cells.append(cell("### BEGIN SOLUTION\nsome words\n### END SOLUTION"))
    with pytest.raises(MarkerError, match=r"cell begin-solution: a solution marker outside an exercise cell"):
        authoring.release(normal(nb), NAME)


def test_a_region_that_cuts_a_statement_in_two_is_an_error_naming_the_cell():
    answer = "# exercise: 07-double-number\ny = (\n### BEGIN SOLUTION\n2 * number)\n### END SOLUTION"
    with pytest.raises(AuthoringError, match="cell 07-double-number: without its solution regions it is not Python"):
        released(answer)


def token_in_each_region(nb: nbformat.NotebookNode, token: str) -> int:
    planted = 0
    for cell in nb.cells:
        if cell.cell_type == "code" and regions.BEGIN in cell.source:
            lines = cell.source.splitlines()
            for first, _ in reversed(regions.regions(cell.source, "here")):
                indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
                lines.insert(first + 1, f"{indent}planted = '{token}'")
                planted += 1
            cell.source = "\n".join(lines)
    return planted


@pytest.mark.parametrize("path", sorted((REPOSITORY / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_solution_region_of_a_real_notebook_survives(path):
    token = f"planted-{uuid.uuid4().hex}"
    nb = notebook_files.read(path)
    planted = token_in_each_region(nb, token)
    nb = authoring.normalise(nb, path.stem, points=lambda exercise: 1)
    assert planted
    assert token in notebook_files.text(nb)
    assert token not in notebook_files.text(authoring.release(nb, path.stem))


# --- build


def test_a_build_stores_outputs_in_both_files_and_the_answer_in_one(repository):
    nb = toy()
    assert token_in_each_region(nb, "planted-token") == 1
    notebook_files.write(nb, repository / "solutions" / f"{NAME}.ipynb")
    written = build(repository)
    assert [path.relative_to(repository).as_posix() for path in written] == [
        f"solutions/{NAME}.ipynb",
        f"notebooks/{NAME}.ipynb",
    ]
    solution, notebook = map(notebook_files.read, written)
    for nb, strict in ((solution, "'1'"), (notebook, "None")):
        assert cell_of(nb, "print-lines-end").outputs[0].text == "lines of text\n"
        ran_in = cell_of(nb, "where-this-ran").outputs[0].text
        assert ran_in == f"{{'COURSE_LIVE': '0', 'COURSE_PROFILE': 'quick', 'COURSE_STRICT': {strict}}}\n"
    assert "secret_answer" in written[0].read_text() and "planted-token" in written[0].read_text()
    assert "secret_answer" not in written[1].read_text() and "planted-token" not in written[1].read_text()
    assert authoring.drift(repository, points=points) == []


def test_building_again_gives_the_same_bytes(repository):
    before = [path.read_bytes() for path in build(repository)]
    assert [path.read_bytes() for path in build(repository, names=["07"])] == before
    for stored in before:
        assert stored.endswith(b"}\n")
        nb = json.loads(stored)
        assert nb["metadata"] == notebook_files.METADATA
        assert list(nb["cells"][3]) == sorted(nb["cells"][3])
        assert all("execution" not in cell["metadata"] for cell in nb["cells"])


def test_each_run_has_an_empty_home_of_its_own(repository):
    nb = toy()
    nb.cells.append(
        code(
            "home = os.environ['COURSE_HOME']\nprint(len(os.listdir(home)))\nopen(os.path.join(home, 'x'), 'w').close()"
        )
    )
    notebook_files.write(nb, repository / "solutions" / f"{NAME}.ipynb")
    outputs = [notebook_files.read(path).cells[-1].outputs[0].text for path in build(repository)]
    assert outputs == ["0\n", "0\n"]


def test_no_kernel_lives_on_after_a_build(repository, tmp_path):
    nb = toy()
    nb.cells.append(code(f"print(os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a'))"))
    notebook_files.write(nb, repository / "solutions" / f"{NAME}.ipynb")
    build(repository)
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_failing_cell_is_named_with_its_output_and_nothing_is_written(repository):
    nb = toy()
    nb.cells.append(code("# The failing one\nprint('just before')\n{}['no such key']"))
    source = repository / "solutions" / f"{NAME}.ipynb"
    notebook_files.write(nb, source)
    before = source.read_bytes()
    with pytest.raises(AuthoringError) as caught:
        build(repository)
    message = str(caught.value)
    assert f"solutions/{NAME}.ipynb, cell the-failing-one: KeyError: 'no such key'" in message
    assert "just before" in message
    assert "----> 3" in message and "\x1b" not in message
    assert source.read_bytes() == before
    assert not list((repository / "notebooks").glob("*"))


def test_a_cell_that_needs_a_learners_answer_fails_in_the_notebook_and_nothing_is_written(repository):
    nb = toy()
    nb.cells.append(code("# Needs the answer\nassert double(2) == 4"))
    notebook_files.write(nb, repository / "solutions" / f"{NAME}.ipynb")
    with pytest.raises(AuthoringError, match=f"notebooks/{NAME}.ipynb, cell needs-the-answer: NotImplementedError"):
        build(repository)
    assert not list((repository / "notebooks").glob("*"))


def test_an_unknown_name_offers_the_nearest(repository):
    with pytest.raises(UnknownName, match=f"did you mean '{NAME}'"):
        build(repository, names=["07_double_thing"])


def test_a_file_that_is_no_notebook_is_named(repository):
    (repository / "solutions" / f"{NAME}.ipynb").write_text("not json")
    with pytest.raises(AuthoringError, match=f"{NAME}.ipynb is not a valid notebook"):
        build(repository)


def test_without_a_folder_of_solutions_the_error_says_where_it_looked(tmp_path):
    with pytest.raises(AuthoringError, match="there is no folder solutions/ in"):
        authoring.build(root=tmp_path)


# --- drift


@pytest.fixture
def agreed(repository) -> Path:
    """A repository whose two notebooks agree, as if built: drift reads no outputs, so none are made."""
    solution = normal(toy())
    for folder, nb in (("solutions", solution), ("notebooks", authoring.release(solution, NAME))):
        for number, cell in enumerate((cell for cell in nb.cells if cell.cell_type == "code"), 1):
            cell.execution_count = number
        notebook_files.write(nb, repository / folder / f"{NAME}.ipynb")
    assert authoring.drift(repository, points=points) == []
    return repository


def edit(path: Path, change) -> None:
    nb = notebook_files.read(path)
    change(nb)
    notebook_files.write(nb, path)


def swap(nb) -> None:
    nb.cells[3], nb.cells[4] = nb.cells[4], nb.cells[3]


CELL = "cell import-os: "


@pytest.mark.parametrize(
    ("folder", "change", "finding"),
    [
        (
            "notebooks",
            lambda nb: cell_of(nb, "import-os").update(source="1"),
            CELL + "another source than solutions/ gives",
        ),
        (
            "notebooks",
            lambda nb: cell_of(nb, "import-os").metadata.update(tags=["x"]),
            CELL + "another metadata than solutions/ gives",
        ),
        ("notebooks", lambda nb: cell_of(nb, "import-os").update(id="other"), CELL + "missing"),
        ("notebooks", lambda nb: cell_of(nb, "import-os").update(execution_count=None), CELL + "never run"),
        ("notebooks", lambda nb: nb.cells.append(new_markdown_cell("more", id="more")), "cell more: not in solutions/"),
        ("notebooks", lambda nb: nb.metadata.kernelspec.update(name="conda"), "metadata: differs"),
        ("notebooks", swap, "cells in another order"),
        ("solutions", lambda nb: cell_of(nb, "setup").update(source="1"), "cell setup: another source"),
        (
            "solutions",
            lambda nb: cell_of(nb, "07-double-number-check").metadata.nbgrader.update(points=9),
            "cell 07-double-number-check: another metadata",
        ),
    ],
)
def test_drift_names_file_cell_and_the_command_that_mends_it(agreed, folder, change, finding):
    edit(agreed / folder / f"{NAME}.ipynb", change)
    findings = authoring.drift(agreed, points=points)
    assert any(line.startswith(f"{folder}/{NAME}.ipynb, {finding}") for line in findings), findings
    assert all(line.endswith(f"; run `course build {NAME}`") for line in findings)


def test_an_edit_of_a_solution_outside_its_regions_is_drift_and_inside_is_not(agreed):
    path = agreed / "solutions" / f"{NAME}.ipynb"
    cell = "07-double-number"
    edit(path, lambda nb: cell_of(nb, cell).update(source=cell_of(nb, cell).source.replace("secret_answer", "other")))
    assert authoring.drift(agreed, points=points) == []
    edit(path, lambda nb: cell_of(nb, cell).update(source=cell_of(nb, cell).source.replace("Twice", "Two times")))
    assert [line.split(":")[0] for line in authoring.drift(agreed, points=points)] == [
        f"notebooks/{NAME}.ipynb, cell {cell}"
    ]


def test_a_missing_and_an_extra_notebook_are_drift(agreed):
    (agreed / "notebooks" / f"{NAME}.ipynb").rename(agreed / "notebooks" / "08_other_things.ipynb")
    assert authoring.drift(agreed, points=points) == [
        f"notebooks/{NAME}.ipynb is missing; run `course build {NAME}`",
        "notebooks/08_other_things.ipynb has no solutions/08_other_things.ipynb; "
        "run `git rm notebooks/08_other_things.ipynb`",
    ]


def test_drift_runs_nothing(agreed, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("course.authoring.building.run", refuse)
    edit(agreed / "notebooks" / f"{NAME}.ipynb", swap)
    assert authoring.drift(agreed, points=points)


def test_the_notebooks_of_this_repository_agree_with_their_solutions():
    assert authoring.drift(REPOSITORY) == []


# --- the setup cell


def wheel(folder: Path, name: str, version: str, modules: dict[str, str], requires: tuple[str, ...] = ()) -> Path:
    """A wheel made by hand, so that pip can install it without a network."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    contents = {
        **modules,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {need}\n" for need in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in [*contents, f"{info}/RECORD"]))
    return path


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Path:
    """The Python of a machine with an old torch, without the course, whose only package index is a folder."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    (folder / "index").mkdir()
    (folder / "old").mkdir()
    wheel(folder / "index", "torch", "2.12.0", {"torch.py": ""})
    old = wheel(folder / "old", "torch", "2.9.0+cu126", {"torch.py": ""})
    packaging = Path(nbformat.__file__).parents[1] / "packaging"
    site = subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[-1])"], text=True).strip()
    (Path(site) / "packaging").symlink_to(packaging)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-index", old], check=True)
    return python


IMPORTED = "check = claim = hint = predict = progress = quiz = reveal = None\n"  # by the setup cell
COURSE = {"course.py": f"MARK = 'version {{}}'\n{IMPORTED}def setup(profile, seed):\n    print(MARK, profile, seed)\n"}


def run_setup(python: Path, folder: Path, *, times: int = 1, source: str | None = None) -> subprocess.CompletedProcess:
    cell = (source or authoring.setup_source()).replace('"/content', f'"{folder}/content')
    script = setup_cell.PARAMETERS + "\n" + f"cell = {cell!r}\n" + "exec(cell)\n" * times
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(python.parents[2] / "index")}
    return subprocess.run([python, "-c", script], cwd=folder, env=environment, capture_output=True, text=True)


def torch_of(python: Path) -> str:
    return subprocess.check_output(
        [python, "-c", "from importlib.metadata import *; print(version('torch'))"], text=True
    )


@pytest.fixture
def bare_machine(machine):
    """The machine, from which the course is removed again after the test."""
    yield machine
    where = "import site; print(site.getsitepackages()[-1])"
    for path in Path(subprocess.check_output([machine, "-c", where], text=True).strip()).glob("*course*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_setup_installs_the_newest_wheel_keeps_torch_and_can_run_twice(bare_machine, tmp_path):
    (tmp_path / "content").mkdir()
    wheel(tmp_path, "pretrained_course", "0.9.0", {"course.py": COURSE["course.py"].format("0.9.0")}, ("torch>=2.6",))
    wheel(
        tmp_path / "content",
        "pretrained_course",
        "0.10.0",
        {"course.py": COURSE["course.py"].format("0.10.0")},
        ("torch",),
    )
    done = run_setup(bare_machine, tmp_path, times=2)
    assert done.stdout.splitlines() == ["version 0.10.0 auto 0"] * 2, done.stderr
    assert torch_of(bare_machine).strip() == "2.9.0+cu126"


def test_setup_fails_rather_than_replace_torch(bare_machine, tmp_path):
    wheel(tmp_path, "pretrained_course", "0.9.0", {"course.py": COURSE["course.py"]}, ("torch>=2.10",))
    done = run_setup(bare_machine, tmp_path)
    assert done.returncode != 0
    assert (
        "pip could not install ./pretrained_course-0.9.0-py3-none-any.whl and keep what is installed here as it is"
        in done.stderr
    )
    assert "pretrained-course 0.9.0 depends on torch>=2.10" in done.stderr
    assert torch_of(bare_machine).strip() == "2.9.0+cu126"


def test_setup_without_a_wheel_says_what_to_put_where(bare_machine, tmp_path):
    done = run_setup(bare_machine, tmp_path)
    assert "FileNotFoundError: the course is not installed" in done.stderr
    assert "put the wheel beside this notebook" in done.stderr


def test_setup_uses_the_address_when_there_is_no_wheel(bare_machine, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = wheel(elsewhere, "pretrained_course", "0.9.0", {"course.py": COURSE["course.py"].format("0.9.0")})
    done = run_setup(bare_machine, tmp_path, source=authoring.setup_source(path.as_uri()))
    assert done.stdout == "version 0.9.0 auto 0\n", done.stderr


def test_the_address_is_the_wheel_of_the_projects_urls(tmp_path):
    assert setup_cell.wheel_address(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.urls]\nWheel = "https://example.org/a.whl"\n'
    )
    assert setup_cell.wheel_address(tmp_path) == "https://example.org/a.whl"
    assert 'ADDRESS = "https://example.org/a.whl"' in authoring.setup_source("https://example.org/a.whl")
    assert "ADDRESS = None" in authoring.setup_source(None)
