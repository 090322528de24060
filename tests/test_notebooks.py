"""Every notebook of both folders: its structure, its stored outputs (nbval), and another seed (papermill).

The two folders differ in the exercises alone, so the fast tier runs each notebook twice, not four times: with the
answers for the stored outputs, without them for another seed. What both have in common must be stored alike.
"""

from __future__ import annotations

import ast
import base64
import functools
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import course
from course import authoring
from course.authoring.cells import checked_by, exercise_of
from course.notebook.claims import FAILS, HOLDS
from course.notebook.plots import Chart, as_image
from course.questions import question
from course.questions.question import Answer, Between, Option, Prediction, Question, Quiz, questions_of

REPOSITORY = Path(__file__).parents[1]
PATHS = sorted(path for folder in ("notebooks", "solutions") for path in (REPOSITORY / folder).glob("*.ipynb"))
NUMBERED = sorted({path.stem[:2] for path in PATHS})
OTHER_SEED = 1
IGNORED = "nbval-ignore-output"
ASKING = ("predict", "reveal", "quiz")
SANITIZED_BY = Path(__file__).with_name("nbval.cfg")
SANITIZED = re.findall(r"^regex: (.*)\nreplace: (.*)$", SANITIZED_BY.read_text(encoding="utf-8"), re.MULTILINE)


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


# Each rule lists what is wrong with a notebook, so that it can be tried on notebooks that break it.


def beginning(nb: nbformat.NotebookNode) -> list[str]:
    """Title, objectives and minutes first; then the parameters and the setup cell as the first code."""
    first = nb.cells[0]
    code = [cell.id for cell in nb.cells if cell.cell_type == "code"]
    rules = {
        "the first cell is not a title in markdown": first.cell_type == "markdown" and first.source.startswith("# "),
        "the first cell lists no objectives": re.search(r"^[-*] ", first.source, re.MULTILINE),
        "the first cell has no paragraph with minutes on a CPU and on a T4": any(
            re.search(r"(?s)^(?=.*\bminutes?\b)(?=.*\d.*\bCPU\b)(?=.*\d.*\bT4\b)", paragraph)
            for paragraph in first.source.split("\n\n")
        ),
        "the first two code cells are not parameters and setup": code[:2] == ["parameters", "setup"],
        "the parameters cell has no tag": any(
            cell.id == "parameters" and "parameters" in cell.metadata.get("tags", []) for cell in nb.cells
        ),
        "two cells have one id": len({cell.id for cell in nb.cells}) == len(nb.cells),
        "a cell has a made-up id": not any(re.fullmatch("[0-9a-f]{8}", cell.id) for cell in nb.cells),
    }
    return [finding for finding, kept in rules.items() if not kept]


def exercises(nb: nbformat.NotebookNode) -> list[str]:
    """Where an exercise's cell id, grade_id and first line differ, or its check is not what nbgrader locks."""
    found = []
    for cell in nb.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        exercise, (checked, alone) = exercise_of(cell), checked_by(cell)
        if exercise is not None and not (cell.id == nbgrader.get("grade_id") == exercise and nbgrader.get("solution")):
            found.append(f"{cell.id}: cell id, grade_id and first line differ")
        if checked and not (
            alone and cell.id == nbgrader.get("grade_id") == f"{checked[0]}-check" and nbgrader.get("locked")
        ):
            found.append(f"{cell.id}: not the locked check of its exercise")
        if nbgrader and exercise is None and not checked:
            found.append(f"{cell.id}: nbgrader's metadata on a cell that is no exercise")
    return found


def ignored(nb: nbformat.NotebookNode) -> list[str]:
    """More than one code cell in ten is ignored by nbval, or one that makes a claim is."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    quiet = [
        cell
        for cell in code
        if {IGNORED, "nbval-skip"} & set(cell.metadata.get("tags", []))
        or re.search(r"^\s*#\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP)", cell.source, re.MULTILINE)
    ]
    found = [f"{cell.id}: makes a claim that nbval ignores" for cell in quiet if re.search(r"\bclaim\(", cell.source)]
    if 10 * len(quiet) > len(code):
        found.append(f"{len(quiet)} of {len(code)} code cells are ignored by nbval: {[cell.id for cell in quiet]}")
    return found


def leaves(nb: nbformat.NotebookNode) -> list[str]:
    """Cells that use what an earlier exercise cell defines: in an untouched notebook they would break."""
    defined, found = set(), []
    for cell in nb.cells:
        if cell.cell_type != "code" or checked_by(cell)[1]:
            continue
        tree = ast.parse(re.sub(r"^([ \t]*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE))
        own = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        if exercise_of(cell) is not None:
            defined |= own
            continue
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        found += [f"{cell.id}: uses {name}, which is the learner's to write" for name in sorted(names & defined - own)]
    return found


def asked(nb: nbformat.NotebookNode) -> list[str]:
    """Questions that are not in the library's modules, are asked twice or not in their order, or are never revealed."""
    number = next((id[:2] for cell in nb.cells for _, id, _ in calls_of_questions(cell)), "")
    known = [question.id for question in questions_of(number)]
    calls = [(name, id) for cell in nb.cells for name, id, _ in calls_of_questions(cell)]
    asked = [id for name, id in calls if name in ("predict", "quiz")]
    found = [] if asked == known else [f"asks {asked}, and the library has {known}"]
    revealed = Counter(id for name, id in calls if name == "reveal")
    predicted = [id for name, id in calls if name == "predict"]
    found += [f"{id}: revealed {revealed[id]} times" for id in predicted if revealed[id] != 1]
    return found + [f"{id}: revealed but never asked" for id in revealed if id not in predicted]


def spoilers(nb: nbformat.NotebookNode) -> list[str]:
    """Questions whose answer can be read before they are answered: in code, or in a claim before the outcome.

    Folded cells count too: a click opens them.
    """
    found, waiting = [], ""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    for cell in code:
        calls = calls_of_questions(cell)
        for name, id, call in calls:
            if name == "reveal" and any(isinstance(value, ast.Constant) for value in measured(call)):
                found.append(f"{cell.id}: reveals a constant, not what was measured")
            if name == "reveal" and not cell.metadata.get("jupyter", {}).get("source_hidden"):
                found.append(f"{cell.id}: reveals an outcome in a cell that is not folded")
            waiting = id if name == "predict" else "" if id == waiting else waiting
        first_claim, last_reveal = (cell.source.find(f"{name}(") for name in ("claim", "reveal"))
        if "claim(" in cell.source and (waiting or -1 < first_claim < last_reveal):
            found.append(f"{cell.id}: claims a result before the outcome of {waiting or calls[0][1]}")
    numbers = {id[:2] for cell in code for _, id, _ in calls_of_questions(cell)}
    said = [(question.id, text) for number in numbers for question in questions_of(number) for text in texts(question)]
    sources = [(cell.id, without_line_breaks(cell.source)) for cell in code]
    return found + [f"{cell}: holds a text of {id}" for cell, source in sources for id, text in said if text in source]


def measured(call: ast.Call) -> list[ast.expr]:
    """What `reveal` is given besides the id."""
    return [*call.args[1:], *(keyword.value for keyword in call.keywords)]


def texts(question: Question) -> list[str]:
    """What would answer a question: its options, unless they are a word or two, and every explanation."""
    if isinstance(question, Prediction):
        said = [*(option.because for option in question.options), question.otherwise]
    else:
        said = [answer.explanation for answer in question.options]
    return [text for text in said if text] + [choice for choice in question.choices if len(choice) > 20]


def without_line_breaks(source: str) -> str:
    """Python with neighbouring string literals joined, as their text is read."""
    return re.sub(r"[\"']\s*\n\s*f?[\"']", "", source)


def calls_in_text(nb: nbformat.NotebookNode) -> list[str]:
    """Functions of the course that the text tells to call, which the notebook does not know."""
    told = (re.findall(r"`(\w+)\(\)`", cell.source) for cell in nb.cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
    named = {name for names in told for name in names} & set(course.__all__)
    return [f"{name}() is never imported" for name in named if not re.search(rf"\b{name}\b", code)]


def calls_of_questions(cell: nbformat.NotebookNode) -> list[tuple[str, str, ast.Call]]:
    """The calls of `predict`, `reveal` and `quiz` in a cell, each with its id."""
    if cell.cell_type != "code" or not re.search(r"\b(predict|reveal|quiz)\(", cell.source):
        return []
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call) and node.args]
    named = [(ast.unparse(call.func), getattr(call.args[0], "value", None), call) for call in calls]
    found = [(name, id, call) for name, id, call in named if name in ASKING and isinstance(id, str)]
    return sorted(found, key=lambda one: one[2].lineno)


def pictures(nb: nbformat.NotebookNode) -> list[str]:
    """Stored figures that are blank, or have no alt text, or one that JupyterLab would drop."""
    found = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if {"image/png", "image/jpeg"} & set(data):
                found.append(f"{cell.id}: a picture that is not an <img>, whose alt text JupyterLab would drop")
            for tag in re.findall(r"<img [^>]*>", data.get("text/html", "")):
                with Image.open(io.BytesIO(base64.b64decode(re.search(r'base64,([^"]+)', tag)[1]))) as picture:
                    darkest, brightest = picture.convert("RGBA").convert("L").getextrema()
                if darkest == brightest:
                    found.append(f"{cell.id}: a blank picture")
                if not re.search(r'alt="\s*\w[^"]*"', tag):
                    found.append(f"{cell.id}: a picture without alt text")
    return found


def stored(nb: nbformat.NotebookNode) -> list[str]:
    """Errors, false claims, paths of the author's machine, solutions or hidden judges in what is stored."""
    places = r"(?<![\w./:])/(home|Users|root|tmp|var|opt|usr|mnt|private|content|kaggle)/\w|\b[A-Z]:\\\w"
    found = []
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            found.append(f"{cell.id}: never run")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"{cell.id}: an error is stored")
        said = printed(cell)
        if FAILS in said:
            found.append(f"{cell.id}: a stored claim does not hold")
        if re.search(places, said) or str(REPOSITORY) in said or tempfile.gettempdir() + os.sep in said:
            found.append(f"{cell.id}: a path of the machine that built it")
    return found


def answers(nb: nbformat.NotebookNode) -> list[str]:
    """Marks of solutions or hidden judges, in sources or outputs."""
    marks = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "solutions/hidden")
    return [mark for mark in marks if mark in json.dumps(nb)]


def stored_apart(solved: nbformat.NotebookNode, released: nbformat.NotebookNode) -> list[str]:
    """The cells with one source in both folders and two results; pictures, which may show seconds, and checks apart."""
    twins = {cell.id: cell for cell in released.cells if cell.cell_type == "code"}
    found = []
    for cell in solved.cells:
        twin = twins.get(cell.id)
        compared = twin and twin.source == cell.source and not checked_by(cell)[1]
        if compared and IGNORED not in cell.metadata.get("tags", []) and results(cell) != results(twin):
            found.append(cell.id)
    return found


def results(cell: nbformat.NotebookNode) -> list[dict]:
    """A cell's outputs without what differs between machines, numbers of executions and metadata."""
    kept = []
    for output in cell.outputs:
        data = {kind: comparable(content) for kind, content in output.get("data", {}).items()}
        kept.append({"kind": output.output_type, "text": comparable(output.get("text", "")), "data": data})
    return kept


def comparable(text: str) -> str:
    """The text without what differs between machines, as nbval compares it."""
    for pattern, replacement in SANITIZED:
        text = re.sub(pattern, replacement, text)
    return text


def printed(cell: nbformat.NotebookNode) -> str:
    """All text in a cell's outputs: streams, and what is displayed as plain text or HTML."""
    texts = []
    for output in cell.get("outputs", []):
        texts.append(output.get("text", ""))
        texts += [output.get("data", {}).get(kind, "") for kind in ("text/plain", "text/html", "text/markdown")]
    return "\n".join(texts)


def claims(nb: nbformat.NotebookNode) -> list[str]:
    """The lines that `course.notebook.claims.claim` printed."""
    lines = [line for cell in nb.cells for line in printed(cell).splitlines()]
    return [line for line in lines if line.startswith((HOLDS, FAILS))]


def checks(nb: nbformat.NotebookNode) -> dict[str, str]:
    """What each check cell said, by exercise."""
    return {checked_by(cell)[0][0]: printed(cell) for cell in nb.cells if checked_by(cell)[1]}


RULES = [beginning, asked, calls_in_text, exercises, ignored, leaves, spoilers, pictures, stored]


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


@notebooks(slow="notebooks")
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
