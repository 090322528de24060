"""What a notebook must be: each rule lists what is wrong with one, so that rules can be tried on bad notebooks."""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
from PIL import Image

import course
from course.authoring.cells import checked_by, exercise_of
from course.notebook.claims import FAILS, HOLDS
from course.questions.question import Prediction, Question, questions_of

REPOSITORY = Path(__file__).parents[1]
IGNORED = "nbval-ignore-output"
ASKING = ("predict", "reveal", "quiz")
SANITIZED_BY = Path(__file__).with_name("nbval.cfg")
SANITIZED = re.findall(r"^regex: (.*)\nreplace: (.*)$", SANITIZED_BY.read_text(encoding="utf-8"), re.MULTILINE)


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
    named = [(ast.unparse(call.func).rpartition(".")[2], getattr(call.args[0], "value", None), call) for call in calls]
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
