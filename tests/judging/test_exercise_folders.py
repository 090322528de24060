"""Exercises of others are found in folders and by entry points; a class changes titles and points."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from course.errors import SetupError, UnknownName
from course.judging import class_changes, exercise_folders
from course.judging.class_changes import Changes, as_text, as_toml, changes_in, refuse_unknown_judges
from course.judging.exercise_folders import others_folders

MODULE = """
from course.judging import Exercise

exercise = Exercise("{id}", answer="f", call="f()", title="A title")

@exercise.case
def nothing(rng):
    return {{}}

@exercise.probe
def probe(answer, case):
    return answer()

@exercise.judge(nothing, points=2)
def is_judged(case, result):
    "It is judged."
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with one exercise of chapter 77, which the course lacks."""
    package = tmp_path / "ours" / "nb77_ours"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "first.py").write_text(MODULE.format(id="77-ours"))
    return tmp_path / "ours"


def named(monkeypatch, *folders):
    monkeypatch.setenv("COURSE_EXERCISES", os.pathsep.join(map(str, folders)))
    return others_folders()


def told(code, *folders):
    """What another process prints, or the last line of its error."""
    env = {**os.environ, "COURSE_EXERCISES": os.pathsep.join(map(str, folders))}
    code = f"from course.judging.exercise import exercises_of, hidden_judges, notebook_title\n{code}"
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    return (run.stdout or run.stderr).strip().splitlines()[-1]


def test_only_folders_that_are_named_are_searched(monkeypatch, folder):
    assert named(monkeypatch, folder) == (folder,)
    assert named(monkeypatch, folder, folder) == (folder,)
    assert named(monkeypatch) == named(monkeypatch, "0") == ()


def test_a_folder_without_exercises_is_refused_with_what_to_do(monkeypatch, tmp_path):
    for nothing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SetupError, match="course new-exercise NN-verb-phrase --into"):
            named(monkeypatch, nothing)
    (tmp_path / "class.toml").write_text("")
    assert named(monkeypatch, tmp_path) == (tmp_path,)


def test_two_packages_of_one_name_are_refused(monkeypatch, folder, tmp_path):
    other = tmp_path / "other" / "nb77_ours"
    other.mkdir(parents=True)
    with pytest.raises(SetupError, match=r"has no __init__\.py"):
        named(monkeypatch, tmp_path / "other")
    (other / "__init__.py").write_text("")
    with pytest.raises(SetupError, match="have the same name"):
        named(monkeypatch, folder, tmp_path / "other")


def test_an_installed_package_offers_its_folder(monkeypatch, folder):
    point = EntryPoint("ours", "ours", exercise_folders.GROUP)
    monkeypatch.setattr(exercise_folders, "entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.syspath_prepend(folder.parent)
    exercise_folders._others.cache_clear()
    assert named(monkeypatch) == (folder,)
    assert named(monkeypatch, "0") == ()
    exercise_folders._others.cache_clear()
    monkeypatch.setattr(exercise_folders, "entry_points", lambda group: [EntryPoint("ours", "no.where", group)])
    with pytest.raises(SetupError, match=r"the entry point ours names no\.where"):
        named(monkeypatch)
    exercise_folders._others.cache_clear()


def test_modules_are_found_by_themselves_and_come_after_those_of_the_course(folder):
    (folder / "nb77_ours" / "second.py").write_text(MODULE.format(id="77-second"))
    (folder / "nb77_ours" / "helper.py").write_text("from course.exercises.nb77_ours.first import exercise\n")
    shutil.copytree(folder / "nb77_ours", folder / "nb02_ours", ignore=shutil.ignore_patterns("[sh]e*.py"))
    (folder / "nb02_ours" / "first.py").write_text(MODULE.format(id="02-ours"))
    ids = "' '.join(one.id for one in (*exercises_of('02'), *exercises_of('77')))"
    said = told(f"print(notebook_title('02'), notebook_title('77'), {ids})", folder)
    assert said.startswith("02 Freeze the backbone 77 Ours 02-freeze-backbone ")
    assert said.endswith(" 02-ours 77-ours 77-second") and said.count("77-ours") == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:", "cannot be imported (SyntaxError"),
        (MODULE.format(id="03-ours"), "in nb77_ours, an id begins with 77-"),
        ("\n".join(MODULE.format(id="77-ours").splitlines()[:4]), "77-ours has no probe"),
    ],
)
def test_a_mistake_in_an_exercise_is_named(folder, source, words):
    (folder / "nb77_ours" / "first.py").write_text(source)
    assert words in told("print(len(exercises_of('77')))", folder)


def test_two_exercises_of_one_id_are_an_error(folder):
    (folder / "nb77_ours" / "second.py").write_text(MODULE.format(id="77-ours"))
    assert "two exercises are called 77-ours" in told("print(len(exercises_of('77')))", folder)


def test_a_class_changes_titles_and_points_of_visible_and_hidden_judges(folder):
    (folder / "class.toml").write_text(
        '["77-ours"]\ntitle = "Another"\npoints = {is_judged = 5, is_hidden = 3}\n["77-second"]\ntitle = "Second"\n'
    )
    (folder / "nb77_ours" / "second.py").write_text(MODULE.format(id="77-second"))
    hidden = folder / "solutions" / "hidden"
    hidden.mkdir(parents=True)
    (hidden / "nb77_ours.py").write_text(
        "from course.exercises.nb77_ours.first import exercise, nothing\n"
        "@exercise.hidden_judge(nothing)\ndef is_hidden(case, result): ...\n"
    )
    code = (
        "from pathlib import Path\nours = exercises_of('77')\n"
        "print([(one.title, one.points, one.points_as_written) for one in ours], "
        f"[judge.points for judge in hidden_judges(Path({str(hidden)!r}))])"
    )
    assert told(code, folder) == "[('Another', 5, 2), ('Second', 2, 2)] [3]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "is not valid TOML"),
        ('["02-x"]\nweight = 2', "may hold title and points"),
        ('["02-x"]\ntitle = 2', "is not a text"),
        ('["02-x"]\npoints = 2', "whole numbers above 0 by judge"),
        ('["02-x"]\npoints = {a = 0}', "whole numbers above 0 by judge"),
        ('["02-x"]\npoints = {a = 1.5}', "whole numbers above 0 by judge"),
        ('["02-x"]\npoints = {a = true}', "whole numbers above 0 by judge"),
    ],
)
def test_a_mistake_in_the_file_of_a_class_is_named(tmp_path, text, words):
    (tmp_path / "class.toml").write_text(text)
    with pytest.raises(SetupError, match=words):
        changes_in(tmp_path)


def test_changes_are_written_as_they_are_read(tmp_path):
    changes = {"02-a": Changes('A "title" é'), "03-b": Changes("", {"one": 1, "two": 2})}
    (tmp_path / "class.toml").write_text(as_toml(changes), encoding="utf-8")
    assert changes_in(tmp_path) == changes
    assert as_text(changes, "02") != as_text(changes, "03") != as_text(changes, "04") == ""


def test_points_for_a_judge_that_is_not_there_are_refused():
    changes = {"02-a": Changes("", {"is_judgd": 1})}
    with pytest.raises(UnknownName, match=r"judge of 02-a.*did you mean 'is_judged'"):
        refuse_unknown_judges("02-a", ["is_judged"], changes)
    refuse_unknown_judges("02-b", ["is_judged"], changes)
    assert class_changes.class_changes() == {}
