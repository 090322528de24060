"""The probes stand alone: no case, judge or expected value comes with them into the sandbox, and nothing is missing."""

import ast
import base64
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from course.authoring.new_exercise import new_exercise
from course.grading.sandbox.probes import pruned, write_probes
from course.judging import wire
from course.judging.answers import find_answers, read_notebook
from course.judging.dependencies import plan_of
from course.judging.exercise import exercises_of, hidden_judges, notebook_numbers
from course.judging.results import Reply
from course.judging.verdict import judge_exercise
from tests.conftest import ROOT

SOURCES = ROOT / "course" / "exercises"
EXERCISES = [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
HIDDEN = hidden_judges(ROOT / "solutions" / "hidden")
# What a probe and a judge or case both use. Each was looked at: they set up a model, and know no right answer.
SHARED = {
    *("small_models.SIZE", "small_models.build", "small_models.restore", "small_models.show_modes"),
    *("measure_accuracy._handed_over", "measure_accuracy._watched"),
    *("draw_labels.SEEDS", "train_step._start", "train_step._weights", "adapt_low_rank.LORA_STEPS"),
    *("freeze_again._in_training", "freeze_again._train_steps", "freeze_again.STEPS_AFTER"),
    *("unfreeze_a_stage._half_trained", "unfreeze_a_stage._step", "group_by_depth._partly_frozen"),
    *("freeze_backbone.STEPS", "freeze_backbone._train", "set_train_mode._after_a_pass"),
    *("adapt_low_rank.LORA_RATE", "replace_head.RATE"),
    *("small_encoder.CLASSES", "small_encoder.LENGTH", "small_encoder.VOCABULARY", "small_encoder.build"),
    *("attend_with_mask.Case",),  # a type
    *("small_segmenters.OLD_CLASSES", "small_segmenters.build", "small_segmenters.restore"),
    # What is said of an answer that goes by the number 21: words that the hints say too.
    *("swap_classifiers.BY_NUMBER",),
    *("predict_pictures._first_layer", "predict_pictures._thinned", "score_entities._predicts_a_name"),
    *("swap_predictor.OLD_CLASSES", "swap_predictor.RATE", "swap_predictor._detector", "swap_predictor._loss"),
    *("audit_freeze.prepared", "audit_freeze.INSIDE", "split_objects.SEEDS"),
    *("write_byol_step.SIZES", "write_byol_step._network"),
    *("write_byol_step._networks", "write_byol_step._optimizer", "write_byol_step._weights"),
    *("share_backbone.FEATURES", "share_backbone.PASSES", "share_backbone.RATE", "share_backbone.SIZE"),
    *("share_backbone.compute_features",),
    *("adapt_model.fingerprints",),
    *("draw_grad_cam.toy", "draw_grad_cam._restored", "accumulate_gradients.network", "accumulate_gradients._restored"),
}


def defined(node):
    """The names that a top-level statement defines, imports apart."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}


def decorators(node):
    parts = [part.func if isinstance(part, ast.Call) else part for part in getattr(node, "decorator_list", [])]
    return {part.attr for part in parts if isinstance(part, ast.Attribute)}


def decided(folder):
    """What is kept for the probes and belongs to a case or judge, or is used by one: `module.name` each."""
    whole = {path: ast.parse((folder / path).read_text()).body for path in pruned(folder)}
    kept = {path: ast.parse(text).body for path, text in pruned(folder).items()}
    found = set()
    for path, nodes in kept.items():
        names = {name for node in nodes for name in defined(node)}
        left_out = [node for node in whole[path] if defined(node) and not defined(node) & names]
        read = {part.id for node in left_out for part in ast.walk(node) if isinstance(part, ast.Name)}
        imported = {name for other in whole.values() for node in other for name in read_from(node, path.stem)}
        decides = {name for node in nodes if decorators(node) & {"case", "judge"} for name in defined(node)}
        found |= {f"{path.stem}.{name}" for name in (names & (read | imported) - {"exercise"}) | decides}
    return found


def read_from(node, module):
    """The names that a case or judge of another module takes from this one."""
    if decorators(node) & {"case", "judge"}:
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == module:
                yield part.attr


def test_no_case_and_no_judge_is_left():
    for path, text in pruned(SOURCES).items():
        for node in ast.walk(ast.parse(text)):
            assert not decorators(node) & {"case", "judge", "hidden_judge"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert not node.func.id.startswith("expect") and node.func.id != "Wrong", f"{path}: {node.func.id}"


def test_no_judge_or_case_is_mentioned_by_name():
    trees = [ast.parse(text) for text in pruned(SOURCES).values()]
    names = {part.id for tree in trees for part in ast.walk(tree) if isinstance(part, ast.Name)}
    names |= {part.name for tree in trees for part in ast.walk(tree) if isinstance(part, ast.FunctionDef)}
    judges = [judge for exercise in EXERCISES for judge in deciding(exercise)]
    assert not names & {judge.decide.__name__ for judge in judges}
    assert not names & {judge.case.draw.__name__ for judge in judges}


def test_what_probes_share_with_judges_is_what_was_looked_at():
    assert decided(SOURCES) <= SHARED


PLANTED = {
    "the judge itself": ("", "right.decide(case, {})", "right"),
    "a judge's helper": ("", "return _expected(case)", "_expected"),
    "a judge's helper behind another": (
        "def _through(case):\n    return _expected(case)",
        "_through(case)",
        "_expected",
    ),
    "a constant with the right answer": ("", "return RIGHT", "RIGHT"),
    "a case": ("", "return drawn.draw(None)", "drawn"),
    "a helper as a default": ("def _through(f=None, *, g=RIGHT):\n    return g", "_through()", "RIGHT"),
}


@pytest.mark.parametrize(("more", "line", "name"), PLANTED.values(), ids=PLANTED.keys())
def test_a_probe_that_reaches_for_a_judge_would_be_found(tmp_path, more, line, name):
    source = """
        from course.judging import Exercise, expect_equal
        exercise = Exercise("02-x", answer="f", call="f(x)", title="t")
        RIGHT = 42

        def _expected(case):
            return case["x"] + RIGHT

        @exercise.case
        def drawn(rng):
            return {"x": RIGHT}

        @exercise.judge(drawn)
        def right(case, result):
            expect_equal(result, _expected(case), tried="x")
            expect_equal(RIGHT, RIGHT, tried="x")

        @exercise.probe
        def probe(answer, case):
            answer(case["x"])
    """
    content = textwrap.dedent(source) + f"    {line}\n\n{more}\n"
    if line != "return RIGHT" and "RIGHT" not in more:
        content = content.replace("return RIGHT", "return 42")
    path = tmp_path / "nb02_planted" / "planted.py"
    path.parent.mkdir()
    path.write_text(content)
    assert f"planted.{name}" in decided(tmp_path)
    path.write_text(content.replace(f"    {line}\n", ""))
    assert not any(one.startswith("planted.") for one in decided(tmp_path)), "only the planted line makes it so"


def test_files_are_written_where_they_stood(tmp_path):
    write_probes(tmp_path)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")}
    assert written == {path.relative_to(SOURCES) for path in SOURCES.rglob("*.py")}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".py"]


# Runs each probe beside the reference answer, where course.exercises is the folder with the probes and nothing else.
RUNNER = """
import base64, builtins, json, sys
import course.exercises

folder = sys.argv[1]
builtins.called = called = set()
course.exercises.__path__ = [folder]
from course.judging import definitions
from course.judging.exercise import find_exercise
from course.judging.runner import LocalRunner

replies = {}
for exercise_id, (statements, cases) in json.load(sys.stdin).items():
    exercise = find_exercise(exercise_id)
    assert exercise.judges == [] and exercise.run_probe.__code__.co_filename.startswith(folder)
    runner = LocalRunner(definitions.execute(definitions.Statement(*place) for place in statements).namespace)
    given = [runner.run_case(exercise, base64.b64decode(case)) for case in cases]
    replies[exercise_id] = [
        str(reply.failure) if reply.failure else base64.b64encode(reply.artefacts).decode() for reply in given
    ]
json.dump([sorted(called), replies], sys.stdout)
"""


class Recorded:
    """A runner whose replies were made elsewhere; without any it keeps the cases."""

    def __init__(self, replies=()):
        self.replies, self.cases = replies, []

    def run(self, exercise, cases, seed=0):
        self.cases = list(cases)
        return [Reply(reply) for reply in self.replies] or [Reply(wire.encode(None)) for _ in cases]


def write_marked_probes(folder):
    """The probes, each top-level function of which notes that it was called."""
    write_probes(folder)
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                node.body[:0] = ast.parse(f"called.add({str(path.relative_to(folder)) + ' ' + node.name!r})").body
        path.write_text(ast.unparse(tree))


def deciding(exercise):
    return [*exercise.judges, *(hidden for hidden in HIDDEN if hidden.exercise_id == exercise.id)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the probes alone called, and the replies of the reference answers to every case, in a process of its own."""
    folder = tmp_path_factory.mktemp("probes")
    write_marked_probes(folder)
    tasks = {}
    for exercise in EXERCISES:
        (path,) = (ROOT / "solutions").glob(f"{exercise.id[:2]}_*.ipynb")
        cells = read_notebook(path)
        (answer,) = (answer for answer in find_answers(cells) if answer.exercise is exercise)
        places = [(statement.cell, statement.index) for statement in plan_of(cells, answer).needed]
        asked = Recorded()
        judge_exercise(exercise, asked, judges=deciding(exercise), secret="probes")
        tasks[exercise.id] = places, [base64.b64encode(case).decode() for case in asked.cases]
    run = subprocess.run(
        [sys.executable, "-P", "-c", RUNNER, str(folder)], input=json.dumps(tasks), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3_000:]
    called, replies = json.loads(run.stdout)
    decoded = {name: [base64.b64decode(one) if "Failure" not in one else one for one in given]
               for name, given in replies.items()}  # fmt: skip
    return set(called), decoded


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_reference_gets_full_marks_with_nothing_but_the_probes(ran, exercise):
    replies = ran[1][exercise.id]
    assert [reply for reply in replies if isinstance(reply, str)] == []
    result = judge_exercise(exercise, Recorded(replies), judges=deciding(exercise), secret="probes")
    assert result.passed, str(result)


def test_every_function_that_is_kept_is_one_that_some_probe_calls(ran):
    called, _ = ran
    for place, text in pruned(SOURCES).items():
        kept = {f"{place} {node.name}" for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
        if place.name != "small_models.py":  # a table of all architectures
            assert kept - called == set()


def test_of_exercises_of_others_the_probes_are_left_and_nothing_else(tmp_path):
    new_exercise("02-count-all", into=tmp_path / "ours")
    (tmp_path / "ours" / "nb02_ours" / "notes.txt").write_text("what a judge expects")
    kept = pruned(SOURCES, [tmp_path / "ours"])
    mine = {path.as_posix(): text for path, text in kept.items() if "ours" in path.as_posix()}
    assert set(mine) == {"nb02_ours/__init__.py", "nb02_ours/count_all.py"}
    assert set(kept) - set(pruned(SOURCES)) == {Path(name) for name in mine}
    text = mine["nb02_ours/count_all.py"]
    assert "probe_count_all" in text and "need(" in text
    for secret in ("a_few_values", "returns_the_mean", "expect_close(", "divide by how many"):
        assert secret not in text
