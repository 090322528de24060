"""`course new-exercise` writes an exercise that works; its cells go into a chapter, with the points of the class."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.authoring import normalise, release
from course.authoring.insertion import insert_exercises, with_titles_and_points
from course.authoring.new_exercise import new_exercise
from course.errors import AuthoringError, UnknownName
from course.notebook import notebook_files
from tests.conftest import ROOT


def course(*arguments, **variables):
    """The exit code of a command, and what it printed."""
    command = [sys.executable, "-m", "course", *map(str, arguments)]
    run = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder") / "our exercises"
    new_exercise("02-count-all", into=folder)
    return folder


def test_what_is_written_is_an_exercise_whose_answers_are_judged_rightly(ours):
    code, said = course("try-exercise", "--exercises", ours)
    assert code == 0, said
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [["✓", "right"]] * 2 + [["✓", "wrong"]] * 2


def test_an_answer_that_is_judged_wrongly_is_shown(ours, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(ours, folder)
    path = folder / "wrong" / "nb02_count_all.py"
    text = path.read_text().replace("return values.sum()", "return values.mean()")
    path.write_text(text.replace("[adds_in_a_loop]", "[returns_all_values]").replace("average them", "other words"))
    code, said = course("try-exercise", "--exercises", folder)
    assert code == 1
    for problem in ("no judge finds this mistake", "does not say 'other words'", "a right answer must get full marks"):
        assert problem in said


def test_check_hint_and_progress_know_an_exercise_of_others(ours, home):
    notebook = ours / "solutions" / "02_count_all.ipynb"
    assert "3 of 3 points" in course("check", notebook, "--exercises", ours)[1]
    known = "from course import hint, check; hint('02-count-all'); check('02-count-all')"
    env = {**os.environ, "COURSE_EXERCISES": str(ours)}
    run = subprocess.run([sys.executable, "-c", known], env=env, capture_output=True, text=True, timeout=120)
    assert "adds up its values" in run.stdout and "02-count-all" in run.stdout
    with_ours, without = (course("progress", **given)[1] for given in ({"COURSE_EXERCISES": str(ours)}, {}))
    assert with_ours != without


def test_a_folder_without_exercises_is_refused_in_one_line(tmp_path):
    code, said = course("grade", tmp_path, "--out", tmp_path / "out", "--exercises", tmp_path)
    assert code == 2 and said.startswith("course: ") and said.count("\n") == 1
    assert "course new-exercise NN-verb-phrase --into" in said


@pytest.mark.parametrize("id", ["count-all", "2-count-all", "02-Count-all", "02_count_all", "02-count", "02-../x-y"])
def test_an_id_that_is_none_is_refused(id, tmp_path):
    with pytest.raises(AuthoringError, match="NN-verb-phrase"):
        new_exercise(id, into=tmp_path)


def test_nothing_that_is_there_is_replaced(ours):
    with pytest.raises(AuthoringError, match="is there already"):
        new_exercise("02-count-all", into=ours)
    second = new_exercise("02-count-some", into=ours)
    try:
        assert {path.parent.name for path in second} == {"nb02_our_exercises", "hidden", "wrong", "solutions"}
    finally:
        for path in second:
            path.unlink()


def test_in_the_repository_the_parts_go_where_those_of_the_chapter_are(tmp_path):
    for folder in ("course/exercises/nb02_freeze_the_backbone", "solutions/hidden", "tests/wrong"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "course/exercises/nb02_freeze_the_backbone/__init__.py").write_text("# as it is\n")
    chapter = "solutions/02_freeze_the_backbone.ipynb"
    shutil.copy(ROOT / chapter, tmp_path / chapter)
    written = {path.relative_to(tmp_path).as_posix() for path in new_exercise("02-count-all", root=tmp_path)}
    assert written == {
        "course/exercises/nb02_freeze_the_backbone/count_all.py",
        "solutions/hidden/nb02_count_all.py",
        "tests/wrong/nb02_count_all.py",
        chapter,
    }
    assert "import count_all\n" in (tmp_path / "solutions/hidden/nb02_count_all.py").read_text()
    nb = notebook_files.read(tmp_path / chapter)
    ids = [cell.id for cell in normalise(nb, "02_freeze_the_backbone", points=lambda _: 3).cells]
    at = ids.index("02-count-all")
    assert ids[at : at + 4] == ["02-count-all", "02-count-all-check", "hint-02-count-all", "recall"]
    with pytest.raises(UnknownName, match="chapter with exercises"):
        new_exercise("03-count-all", root=tmp_path)


def cells_of(name="02_count_all"):
    cells = [
        new_markdown_cell("### Exercise: count all (3 points)\n\nWhy.", id="recall"),
        new_code_cell("# exercise: 02-count-all\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"),
        new_code_cell('check("02-count-all")'),
    ]
    return normalise(new_notebook(cells=cells), name, points=lambda _: 3)


def test_inserted_cells_come_after_the_last_exercise_and_no_id_is_used_twice():
    chapter = notebook_files.read(ROOT / "notebooks" / "02_freeze_the_backbone.ipynb")
    extended = insert_exercises(chapter, release(cells_of(), "02_count_all"))
    notebook_files.text(extended)
    ids = [cell.id for cell in extended.cells]
    assert len(set(ids)) == len(ids) == len(chapter.cells) + 3
    assert ids.index("02-investigate-batchnorm-check") < ids.index("02-count-all") < ids.index("recall")
    assert "BEGIN SOLUTION" not in json.dumps(extended)


def test_headings_and_checks_say_what_the_exercises_are_worth():
    chapter = notebook_files.read(ROOT / "notebooks" / "02_freeze_the_backbone.ipynb")
    changed = with_titles_and_points(chapter, {"02-freeze-backbone": "Freeze it"})
    was, now = ([cell.source.split("\n")[0] for cell in nb.cells] for nb in (chapter, changed))
    assert [line for line in now if line not in was] == ["### Exercise: Freeze it (3 points)"]
    points = [cell.metadata.nbgrader.points for nb in (chapter, changed) for cell in nb.cells if is_check(cell)]
    assert points[: len(points) // 2] == points[len(points) // 2 :]


def is_check(cell):
    return cell.metadata.get("nbgrader", {}).get("grade")
