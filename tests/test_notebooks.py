"""Every notebook of both folders: its structure, its stored outputs (nbval), and another seed (papermill).

The two folders differ in the exercises alone, and what both have in common must be stored alike. So nbval runs each
notebook with the answers only. Another seed is tried without the answers, and in the slow tier with them.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course import authoring
from course.notebook.claims import FAILS
from course.notebook.plots import Chart, as_image
from course.questions import question
from course.questions.question import Answer, Between, Option, Prediction, Quiz, questions_of
from tests.notebook_rules import (
    IGNORED,
    REPOSITORY,
    RULES,
    SANITIZED_BY,
    answers,
    asked,
    beginning,
    checks,
    claims,
    exercises,
    ignored,
    leaves,
    pictures,
    printed,
    spoilers,
    stored,
    stored_apart,
)

PATHS = sorted(path for folder in ("notebooks", "solutions") for path in (REPOSITORY / folder).glob("*.ipynb"))
NUMBERED = sorted({path.stem[:2] for path in PATHS})
OTHER_SEED = 1


def notebooks(*, slow: str = "") -> pytest.MarkDecorator:
    """Each notebook of both folders as a test's `path`; those of the folder `slow` run with --slow alone."""
    marks = {slow: [pytest.mark.slow]}
    params = [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=marks.get(path.parent.name, ()))
        for path in PATHS
    ]
    return pytest.mark.parametrize("path", params)


@functools.cache
def read(path: Path) -> nbformat.NotebookNode:
    """The notebook in this file, read once; no rule changes it."""
    return nbformat.read(path, as_version=4)


@notebooks()
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_notebook_keeps_the_rules(path, rule):
    assert rule(read(path)) == []


@notebooks()
def test_a_notebook_is_valid_and_under_one_megabyte(path):
    nbformat.validate(read(path))
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.parent.name == "notebooks"], ids=lambda path: path.stem
)
def test_a_learners_notebook_holds_no_answer(path):
    assert answers(read(path)) == []


SHARED = [path for path in PATHS if path.parent.name == "solutions"]


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_what_both_folders_show_is_stored_alike(path):
    assert stored_apart(read(path), read(REPOSITORY / "notebooks" / path.name)) == []


@pytest.fixture
def variables(tmp_path):
    """The environment of a run from this folder; a kernel has one thread, as tests have."""

    def chosen(path: Path) -> dict[str, str]:
        strict = path.parent.name == "solutions"
        inherited = authoring.environment(tmp_path / "home", strict=strict)
        return {k: v for k, v in inherited.items() if not k.startswith("PYTEST_")}

    return chosen


def nbval(path: Path, tmp_path: Path, variables: dict[str, str]) -> subprocess.CompletedProcess:
    """nbval's own verdict, in a process of its own: this pytest's options and plugins stay out of it."""
    settings = tmp_path / "nbval.ini"
    settings.write_text("[pytest]\n")
    # nbformat imports jsonschema, which imports this package if it can: four seconds to compile a grammar of IRIs.
    start = "import sys; sys.modules['rfc3987_syntax'] = None; import pytest; sys.exit(pytest.main())"
    options = [
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=600",
        f"--nbval-sanitize-with={SANITIZED_BY}",
        "-q",
        "--color=no",
        "-p",
        "no:cacheprovider",
    ]
    command = [sys.executable, "-c", start, *options, "-p", "no:xdist", "-c", str(settings), str(path)]
    return subprocess.run(command, cwd=path.parent, env=variables, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_nbval_finds_the_stored_outputs_again(path, tmp_path, variables):
    done = nbval(path, tmp_path, variables(path))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.fixture
def run_with_another_seed(tmp_path, monkeypatch, variables):
    """Papermill, with a kernel of this interpreter."""
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))

    def run(path: Path) -> nbformat.NotebookNode:
        wanted = {**variables(path), "JUPYTER_PATH": str(kernel.parents[1])}
        for name in set(os.environ) - set(wanted) - {"PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        return papermill.execute_notebook(
            str(path),
            str(tmp_path / path.name),
            parameters={"PROFILE": "quick", "SEED": OTHER_SEED},
            kernel_name="python3",
            cwd=str(path.parent),
            execution_timeout=600,
            progress_bar=False,
        )

    return run


@notebooks(slow="solutions")
def test_with_another_seed_every_claim_holds_and_every_check_says_the_same(path, run_with_another_seed):
    nb = run_with_another_seed(path)
    assert claims(nb) == claims(read(path))
    assert not [line for line in claims(nb) if line.startswith(FAILS)]
    # In solutions/ a check that does not give full marks has raised by now: COURSE_STRICT is set.
    wrong = {
        exercise: said
        for exercise, said in checks(nb).items()
        if not said.strip() or ("not attempted yet" in said.lower()) != (path.parent.name == "notebooks")
    }
    assert wrong == {}


# The rules themselves, on notebooks that break them.


NUMBERS = itertools.count()


def shown(*, alt: str = "", blank: bool = False) -> nbformat.NotebookNode:
    chart = Chart(1, 1, alt)
    if not blank:
        chart.subplots()
    return new_output("display_data", as_image(chart, alt))


def cell(source: str, *outputs, cell_id: str = "", **metadata) -> nbformat.NotebookNode:
    cell_id = cell_id or f"cell-{next(NUMBERS)}"
    return new_code_cell(source, id=cell_id, outputs=list(outputs), metadata=metadata, execution_count=1)


def said(text: str) -> nbformat.NotebookNode:
    return new_output("stream", text=text)


TITLE = "# Freeze\n\n- freeze a backbone\n\nAbout 12 minutes on a CPU, 5 on a T4."
START = [
    new_markdown_cell(TITLE, id="freeze"),
    cell("SEED = 0", cell_id="parameters", tags=["parameters"]),
    cell("import course", cell_id="setup", tags=[IGNORED]),
]
FILL = [cell("1", cell_id=f"fill-{number}") for number in range(8)]


def notebook(*cells) -> nbformat.NotebookNode:
    return new_notebook(cells=[*START, *FILL, *cells])


QUESTIONS = (
    Prediction("97-moved", "How many?", (Option("none", Between(high=0.5), "Not one of them moves."),), "{value:.0%}"),
    Quiz("97-recall", "When?", (Answer("now", "Balance has nothing to do with it."), Answer("then", "Yes.", True))),
)
FOLDED = {"jupyter": {"source_hidden": True}}
TOLD, RECALL = cell("reveal('97-moved', moved)", **FOLDED), cell("quiz('97-recall')")


@pytest.fixture
def two_questions(monkeypatch):
    read_questions = question._read_questions
    monkeypatch.setattr(
        question, "_read_questions", lambda number: QUESTIONS if number == "97" else read_questions(number)
    )


def test_the_rules_pass_a_notebook_that_keeps_them(two_questions):
    grade = {"grade_id": "02-freeze-it", "solution": True, "locked": False}
    check = {"grade_id": "02-freeze-it-check", "solution": False, "locked": True}
    nb = notebook(
        cell("# exercise: 02-freeze-it\ndef f(): ...", cell_id="02-freeze-it", nbgrader=grade),
        cell('check("02-freeze-it")', said("not attempted yet"), cell_id="02-freeze-it-check", nbgrader=check),
        cell("predict('97-moved', count=98)", cell_id="asked"),
        cell("print(moved)", cell_id="measured"),
        cell("reveal('97-moved', moved)\nclaim('it holds', True)", said("holds: it holds\n"), **FOLDED),
        cell("quiz('97-recall')", shown(alt="A black frame"), cell_id="recalled"),
    )
    assert [finding for rule in RULES for finding in rule(nb)] == []
    assert claims(nb) == ["holds: it holds"]
    assert {exercise: text.strip() for exercise, text in checks(nb).items()} == {"02-freeze-it": "not attempted yet"}


def test_a_result_that_the_folders_do_not_share_is_found():
    told = [notebook(cell("f()", said(text), cell_id="told")) for text in ("1", "1", "2")]
    assert stored_apart(told[0], told[1]) == []
    assert stored_apart(told[0], told[2]) == ["told"]
    picture, other = (notebook(cell("f()", shown(alt=alt), cell_id="plot")) for alt in ("one", "two"))
    assert stored_apart(picture, other) == []
    assert stored_apart(picture, told[0]) == []


@pytest.mark.parametrize(
    ("rule", "nb", "finding"),
    [
        (beginning, new_notebook(cells=[*START[1:], START[0]]), "not a title"),
        (
            beginning,
            new_notebook(cells=[new_markdown_cell("# Freeze\n12 minutes on a CPU, 5 on a T4")]),
            "no objectives",
        ),
        (
            beginning,
            new_notebook(cells=[new_markdown_cell("# Freeze\n- a\n\n12 minutes")]),
            "no paragraph with minutes",
        ),
        (beginning, new_notebook(cells=[START[0], START[2], START[1]]), "not parameters and setup"),
        (beginning, notebook(cell("1", cell_id="deadbeef")), "made-up id"),
        (exercises, notebook(cell("# exercise: 02-freeze-it\n")), "cell id, grade_id and first line differ"),
        (exercises, notebook(cell('check("02-freeze-it")')), "not the locked check"),
        (exercises, notebook(cell("1", nbgrader={"solution": True})), "no exercise"),
        (ignored, notebook(cell("1", tags=[IGNORED])), "2 of 11 code cells"),
        (ignored, notebook(cell("# NBVAL_IGNORE_OUTPUT\n1")), "2 of 11 code cells"),
        (ignored, notebook(cell("claim('a', b)", tags=[IGNORED])), "makes a claim that nbval ignores"),
        (leaves, notebook(cell("# exercise: 02-a\ndef f(): ..."), cell("f()")), "uses f"),
        (asked, notebook(cell("predict('97-moved')"), TOLD), "the library has ['97-moved', '97-recall']"),
        (asked, notebook(cell("predict('97-moved')"), RECALL), "97-moved: revealed 0 times"),
        (asked, notebook(TOLD, RECALL), "97-moved: revealed but never asked"),
        (
            spoilers,
            notebook(cell("predict('97-moved')"), cell("claim('a', True)"), TOLD),
            "before the outcome of 97-moved",
        ),
        (spoilers, notebook(cell("predict('97-moved')"), cell("claim('a', b)\nreveal('97-moved', m)")), "before the"),
        (spoilers, notebook(cell("predict('97-moved')"), cell("reveal('97-moved', m)")), "is not folded"),
        (spoilers, notebook(cell("predict('97-moved')"), cell("reveal('97-moved', 1.0)", **FOLDED)), "a constant"),
        (spoilers, notebook(RECALL, cell("x = 'Balance has nothing '\n    'to do with it.'")), "a text of 97-recall"),
        (pictures, notebook(cell("1", shown(alt="White", blank=True))), "a blank picture"),
        (pictures, notebook(cell("1", shown())), "without alt text"),
        (pictures, notebook(cell("1", new_output("display_data", {"image/png": ""}))), "JupyterLab would drop"),
        (stored, notebook(cell("1", new_output("error", ename="E"))), "an error is stored"),
        (stored, notebook(cell("1", said("does not hold: that"))), "does not hold"),
        (stored, notebook(cell("1", said("saved in /home/ada/cache"))), "a path of the machine"),
        (stored, notebook(cell("1", said(f"saved in {REPOSITORY / 'README.md'}"))), "a path of the machine"),
        (stored, new_notebook(cells=[new_code_cell("1", id="a")]), "never run"),
        (answers, notebook(cell("### BEGIN SOLUTION")), "BEGIN SOLUTION"),
    ],
)
def test_a_rule_finds_what_breaks_it(rule, nb, finding, two_questions):
    assert any(finding in found for found in rule(nb)), rule(nb)


def test_no_letter_is_the_right_prediction_more_often_than_not():
    said = (printed(cell) for path in PATHS for cell in read(path).cells)
    came_out = Counter(letter for text in said for letter in re.findall(r"^What came out: (\w)\.", text, re.MULTILINE))
    assert max(came_out.values()) < 0.4 * sum(came_out.values()), came_out


def test_every_stored_outcome_is_one_of_the_options():
    said = {f"{path.stem} {cell.id}": printed(cell) for path in PATHS for cell in read(path).cells}
    assert [place for place, text in said.items() if "What came out: none of the options" in text] == []


def test_no_letter_is_the_right_answer_of_a_quiz_more_often_than_not():
    quizzes = [one for number in NUMBERED for one in questions_of(number) if isinstance(one, Quiz)]
    right = Counter(one.right for one in quizzes)
    assert max(right.values()) < 0.4 * sum(right.values()), right


def toy(path: Path, source: str, output: str) -> Path:
    path.parent.mkdir()
    parameters = cell("PROFILE, SEED = 'auto', 0", cell_id="parameters", tags=["parameters"])
    nbformat.write(new_notebook(cells=[parameters, cell(source, said(output))], metadata=authoring.METADATA), path)
    return path


def test_nbval_fails_on_an_output_that_changed_and_shows_it(tmp_path, variables):
    path = toy(tmp_path / "notebooks" / "toy.ipynb", "print('computed', 1 + 1)", "computed 3\n")
    done = nbval(path, tmp_path, variables(path))
    assert done.returncode == 1
    assert "computed 3" in done.stdout and "computed 2" in done.stdout


def test_a_claim_that_needs_the_seed_is_found_with_another(tmp_path, run_with_another_seed):
    source = "from course.notebook.claims import claim\nclaim('the seed is even', SEED % 2 == 0)"
    path = toy(tmp_path / "notebooks" / "toy.ipynb", source, "holds: the seed is even\n")
    assert claims(nbformat.read(path, as_version=4)) == ["holds: the seed is even"]
    assert claims(run_with_another_seed(path)) == ["does not hold: the seed is even"]
