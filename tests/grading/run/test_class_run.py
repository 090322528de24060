"""`course grade`, `report`, `export` and `release`, as they are typed: what they print, and how they end."""

import csv
import os
import subprocess
import sys
import zipfile

import pytest

from course.cli import app
from course.cli.grading import _Lines
from course.grading.gradebook.book import Gradebook
from course.grading.grades import Submission
from tests.benchmarks._submissions import answers, notebook_with, solutions
from tests.conftest import ROOT, needs_program

EXERCISES, FULL = 6, 28  # points of notebook 02, hidden judges included


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A class: one right, one with a wrong answer, one that is no notebook."""
    folder = tmp_path_factory.mktemp("course") / "class"
    folder.mkdir()
    wrong = {**solutions("02"), "02-list-trainable": answers("02")["02-list-trainable"][-1]}
    (folder / "ada.ipynb").write_bytes(notebook_with("02", solutions("02"), "ada"))
    (folder / "ben.ipynb").write_bytes(notebook_with("02", wrong, "ben"))
    (folder / "cem.ipynb").write_text("my dog ate it")
    return folder


def called(*arguments, expected=0):
    """What the command printed; its exit code is the one that is expected."""
    command = [sys.executable, "-m", "course", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expected, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def refused(monkeypatch, capsys):
    """What the command says on stderr when it ends with 2, in this process."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["course", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert "Traceback" not in said.err and said.out == ""
        return " ".join(said.err.split())

    return call


@pytest.fixture(scope="module")
def graded(folder):
    """The folder with the class's reports, and what `course grade` said of it."""
    needs_program("bwrap")
    out = folder.parent / "out"
    return out, called("grade", folder, "--out", out, "--jobs", 1, expected=1)


def test_grade_says_what_it_did_and_which_notebook_cannot_be_graded(graded):
    out, said = graded
    assert "3 submissions" in said and f"{2 * EXERCISES} graded" in said
    (line,) = [line for line in said.splitlines() if line.startswith("cem:")]
    assert "damaged or not a notebook" in line
    assert str(out / "index.html") in said


def test_grade_writes_a_gradebook_and_a_page_for_the_class_and_for_each_learner(graded):
    out, _ = graded
    assert {path.stem for path in (out / "learners").iterdir()} == {"ada", "ben", "cem"}
    assert (out / "index.html").stat().st_size > 1000
    with Gradebook.open(out / "gradebook.sqlite") as book:
        scores = {standing.learner: standing.score for standing in book.standings() if standing.notebook}
    assert scores["ada"] == FULL and scores["ben"] < FULL


def test_grade_run_again_has_nothing_to_do(graded, folder):
    said = called("grade", folder, "--out", graded[0], "--jobs", 1, expected=1)
    assert "none new" in said and f"{2 * EXERCISES} graded before" in said


def test_report_prints_the_class_and_writes_the_pages_again(graded):
    out, _ = graded
    (out / "index.html").unlink()
    said = called("report", "--out", out, "--policy", "best")
    assert "ada" in said and str(FULL) in said
    assert (out / "index.html").exists()


def test_export_writes_a_table_of_every_exercise(graded):
    out, _ = graded
    path = out / "grades.csv"
    said = called("export", path, "--format", "csv", "--out", out, "--notebook", "02")
    assert str(path) in said
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if "ada" in row.values()]) == EXERCISES


def test_trust_is_recorded_in_every_grade(folder, tmp_path):
    called("grade", folder / "ada.ipynb", "--out", tmp_path, "--jobs", 1, "--trust-submissions")
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        found = [(grade.isolation, grade.status) for grade in book.grades()]
        assert found == [("trusted", "graded")] * EXERCISES
        assert book.standings()[0].score == FULL
    assert "ran without a sandbox" in (tmp_path / "instructor" / "ada.html").read_text()


def test_a_log_gets_a_line_a_tenth_of_the_way_and_none_in_quick_succession(capsys):
    lines = _Lines(every_s=0.0)
    lines.begin(200)
    for done in range(1, 201):
        lines.update(done)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("200 submissions; what is new waits until the reference solutions have proven")
    assert [line.split()[0] for line in said[1:]] == [str(20 * tenth) for tenth in range(1, 11)]
    quick = _Lines(every_s=60.0)
    quick.begin(10)
    quick.update(9)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_process_that_hands_out_work_loads_no_torch():
    code = "import sys, course.grading.run.class_run; from course.cli.grading import _number; _number('')"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade", "nowhere", "--out", "out"], "nowhere"),
        (
            ["grade", "{folder}/../clas", "--out", "out"],
            "clas matches nothing; notebooks or zips are in {folder}/../class",
        ),
        (
            ["grade", "{folder}/../a.txt", "--out", "out"],
            "a.txt is not a notebook, zip or capstone.safetensors; name one",
        ),
        (["report", "--out", "out", "--gradebook", "postgresql://x/y"], 'pip install "pretrained-course[postgres]"'),
        (["grade", "{folder}", "--out", "out", "--notebook", "77"], "there is no notebook 77"),
        (["grade", "{folder}", "--out", "out", "--hidden", "nowhere"], "--hidden nowhere is not a folder"),
        (["grade", "{folder}", "--out", "out", "--solutions", "nowhere"], "--solutions nowhere is not a folder"),
        (["grade", "{folder}", "--out", "out", "--solutions", "{folder}"], "pass --solutions"),
        (["grade", "{folder}", "--out", "out", "--roster", "nowhere.csv"], "nowhere.csv"),
        (["grade", "{folder}", "--out", "out", "--roster", "{folder}/../zips/a.zip"], "is a zip"),
        (["grade", "{folder}/../zips", "--out", "out"], "holds no notebook, only 1 .zip; name the zip itself"),
        (["grade", "{folder}", "--out", "{folder}/cem.ipynb"], "cem.ipynb is a file); name another folder"),
        (["grade", "{folder}", "--out", "{folder}/cem.ipynb/out"], "cem.ipynb is a file); name another folder"),
        (["grade", "{folder}", "--out", "{long}"], "cannot be made (File name too long); name another folder"),
        (["grade", "{folder}", "--out", "out", "--scheduler", "smoke://1"], "dask scheduler"),
        (["grade", "{folder}", "--out", "out", "--gradebook", "mysql://x/y"], "SQLite nor PostgreSQL"),
        (["grade", "{folder}", "--out", "out", "--gradebook", "{folder}/cem.ipynb"], "restore it from a copy"),
        (["grade", "{folder}", "--out", "out", "--due", "tomorrow"], "--due"),
        (["grade", "{folder}", "--out", "out", "--policy", "worst"], "--policy"),
        (["grade", "{folder}", "--out", "out", "--jobs", "-1"], "--jobs"),
        (["grade", "{folder}"], "--out"),
        (["grade", "--out", "out"], "Missing argument"),
        (["report", "--out", "nowhere"], "there is no gradebook at nowhere"),
        (["export", "x.csv", "--format", "csv", "--out", "nowhere"], "there is no gradebook at nowhere"),
        (["export", "x.csv", "--format", "tarot", "--out", "{empty}"], "the format 'tarot' is unknown"),
        (["export", "x.csv", "--format", "csv", "--out", "{empty}"], "holds no submission"),
        (["export", "nowhere/x.csv", "--format", "csv", "--out", "{one}"], "nowhere; make it first"),
        (["release", "--out", "x.zip", "--gradescope", "77"], "there is no notebook 77"),
        (["release", "--out", "x", "--gradescope", "02", "--hidden", "nowhere"], "--hidden nowhere is not a folder"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]) if isinstance(value, list) else None,
)
def test_a_wrong_option_is_refused_with_what_is_wrong(refused, folder, tmp_path, monkeypatch, arguments, words):
    empty = tmp_path / "empty"
    empty.mkdir()
    Gradebook.open(empty / "gradebook.sqlite").close()
    monkeypatch.chdir(tmp_path)
    one, zips = tmp_path / "one", folder.parent / "zips"
    one.mkdir()
    with Gradebook.open(one / "gradebook.sqlite") as book:
        book.add_submission(Submission("ada", folder / "ada.ipynb"), "d", notebook="02", exercises=())
    zips.mkdir(exist_ok=True)
    with zipfile.ZipFile(zips / "a.zip", "w") as archive:
        archive.writestr("ada.ipynb", "{}")
    (folder.parent / "a.txt").write_text("my dog ate it")
    monkeypatch.setattr("course.cli.grading.find_spec", lambda name: None)
    places = {"folder": folder, "empty": empty, "one": one, "long": "x" * 300}
    said = refused(*(part.format_map(places) for part in arguments))
    assert words.replace("{folder}", str(folder)) in said
    assert not list(tmp_path.glob("out/*.html")) and not (tmp_path / "x.csv").exists()
    assert not (tmp_path / "nowhere").exists()
