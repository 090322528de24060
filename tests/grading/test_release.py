"""A class gets notebooks and a wheel and no answer; Gradescope gets a zip whose failures never become a score."""

import base64
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest

from course.authoring.regions import regions
from course.errors import GradingError, MissingExtra, UnknownName
from course.grading.grades import CRASHED, GRADED, MACHINERY, Grade, digest
from course.grading.release import gradescope_run
from course.grading.release.autograder import release_gradescope
from course.grading.release.class_folder import release_class
from course.grading.release.leaks import leaks
from course.grading.release.manifest import verify, write_manifest
from course.grading.work import Reading
from course.notebook import notebook_files
from tests.conftest import ROOT, needs_a_container

pytest.importorskip("hatchling", reason="a release builds a wheel: python -m pip install hatchling")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return release_class(tmp_path_factory.mktemp("class") / "release")


@pytest.fixture
def copy(released, tmp_path):
    shutil.copytree(released.folder, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def part(tmp_path):
    """A release of one notebook and a wheel of three modules, to be searched quickly."""
    (tmp_path / "part" / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "04_fine_tune.ipynb", tmp_path / "part" / "notebooks")
    with zipfile.ZipFile(tmp_path / "part" / "notebooks" / "pretrained_course-0-py3-none-any.whl", "w") as archive:
        for name in ("models/heads.py", "models/pretraining.py", "exercises/nb04_fine_tune/freeze_again.py"):
            archive.write(ROOT / "course" / name, f"course/{name}")
    assert leaks(tmp_path / "part", ROOT) == []
    return tmp_path / "part"


def answers():
    """(id of the cell, text) of each solution region."""
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
                lines = cell.source.splitlines()
                for first, last in regions(cell.source, path.name):
                    yield cell.id, "\n".join(lines[first + 1 : last])


def add_cell(folder, cell):
    path = folder / "notebooks" / "04_fine_tune.ipynb"
    nb = nbformat.read(path, 4)
    nb.cells.append(cell)
    nbformat.write(nb, path)


def test_a_class_gets_notebooks_a_wheel_and_a_readme(released):
    names = set(released.files)
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == {
        Path(name).name for name in names if name.endswith(".ipynb")
    }
    (wheel,) = (name for name in names if name.endswith(".whl"))
    assert names >= {"README.md", "LICENSE", "MANIFEST.json"} and len(names) == 4 + len(
        list((ROOT / "notebooks").glob("*.ipynb"))
    )
    assert wheel in (released.folder / "README.md").read_text()
    assert stat.S_IMODE(released.folder.stat().st_mode) == stat.S_IMODE((released.folder / "notebooks").stat().st_mode)
    assert leaks(released.folder, ROOT) == [] and verify(released.folder) == []
    assert not list(released.folder.parent.glob(".release*"))


def test_no_notebook_of_a_release_shows_a_result(released):
    for path in (released.folder / "notebooks").glob("*.ipynb"):
        nb = notebook_files.read(path)
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in nb.cells)
        assert notebook_files.content(nb) == notebook_files.content(notebook_files.read(ROOT / "notebooks" / path.name))


def test_the_wheel_of_a_release_holds_the_same_notebooks(released):
    (wheel,) = (released.folder / "notebooks").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for path in (released.folder / "notebooks").glob("*.ipynb"):
            assert archive.read(f"course/learner_files/notebooks/{path.name}") == path.read_bytes()


def test_the_wheel_holds_the_library_and_its_data_and_nothing_else(released):
    (wheel,) = (released.folder / "notebooks").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"course", "pretrained_course"}
    assert {"course/models/heads.py", "course/grading/release/__init__.py", "course/exercises/small_models.py"} <= set(
        names
    )
    assert any(name.startswith("course/data/assets/") for name in names)


def test_two_releases_of_the_same_sources_are_the_same_bytes(released, tmp_path):
    (tmp_path / "again").mkdir()  # an empty folder is as good as none
    again = release_class(tmp_path / "again")
    assert again.files == released.files
    assert (again.folder / "MANIFEST.json").read_bytes() == (released.folder / "MANIFEST.json").read_bytes()


@pytest.mark.parametrize(("cell", "answer"), list(answers()), ids=lambda value: value[:30].strip())
def test_any_answer_in_a_notebook_is_found(part, cell, answer):
    add_cell(part, nbformat.v4.new_code_cell(f"if True:\n{answer}"))
    assert any(cell in line for line in leaks(part, ROOT))


@pytest.mark.parametrize(
    "place", ["markdown", "output", "metadata", "readme", "reformatted", "most", "wheel", "zip in zip", "attachment"]
)
def test_an_answer_is_found_wherever_it_is_put(part, place):
    _, answer = next(found for found in answers() if found[0] == "04-head-then-everything")
    if place == "markdown":
        add_cell(part, nbformat.v4.new_markdown_cell(f"Look:\n\n```python\n{answer}\n```"))
    elif place == "output":
        output = nbformat.v4.new_output("stream", text=answer)
        add_cell(part, nbformat.v4.new_code_cell("1", outputs=[output]))
    elif place == "metadata":
        add_cell(part, nbformat.v4.new_code_cell("1", metadata={"was": answer}))
    elif place == "attachment":
        cell = nbformat.v4.new_markdown_cell("x")
        cell["attachments"] = {"x.txt": {"text/plain": base64.b64encode(answer.encode()).decode()}}
        add_cell(part, cell)
    elif place == "readme":
        with (part / "README.md").open("a") as stream:
            stream.write(answer)
    elif place == "reformatted":
        other = answer.replace("(", "( ").replace("    ", "\t").replace("\n\n", "\n# a comment\n").replace("'", '"')
        add_cell(part, nbformat.v4.new_code_cell(f"def f():\n{other}"))
    elif place == "most":
        add_cell(part, nbformat.v4.new_code_cell("def f():\n" + "\n".join(answer.splitlines()[:-2])))
    else:
        (wheel,) = (part / "notebooks").glob("*.whl")
        if place == "zip in zip":
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as inner:
                inner.writestr("x.txt", answer)
            added, content = "course/data/assets/x.bin", stream.getvalue()
        else:
            added, content = "course/hints.py", f"def f(model, data):\n{answer}".encode()
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr(added, content)
    assert any("04-head-then-everything" in line for line in leaks(part, ROOT))


@pytest.mark.parametrize(
    "text",
    [
        "def freezes_a_transformer(case, result): ...",
        "Hint: 'Freezing works on an encoder with attention and LayerNorm.'",
        "        return training_cases.training_case('vit', rng)",
    ],
)
def test_a_hidden_judge_is_found_by_its_name_its_claim_or_its_code(part, text):
    with zipfile.ZipFile(next((part / "notebooks").glob("*.whl")), "a") as archive:
        archive.writestr(
            "course/notes.txt" if text.startswith("Hint") else "course/extra.py",
            f"if True:\n    {text}\n".replace("if True:\n    Hint", "Hint"),
        )
    assert leaks(part, ROOT)


@pytest.mark.parametrize("name", ["solutions/x.txt", "tests/test_x.py", ".git/HEAD", "notebooks/hidden/nb02.py"])
def test_a_file_that_stays_in_the_repository_is_found_by_its_place(part, name):
    (part / name).parent.mkdir(parents=True, exist_ok=True)
    (part / name).write_text("x")
    assert any(name in line for line in leaks(part, ROOT))


def clone(folder):
    """As much of the repository as a release needs."""
    for name in ("course", "docs", "solutions", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_nothing_is_released_with_a_leak_in_it_or_from_stale_notebooks(tmp_path):
    root = clone(tmp_path / "clone")
    _, answer = next(found for found in answers() if found[0] == "01-mask-tokens")
    (root / "course" / "notes.txt").write_text(answer)
    with pytest.raises(GradingError, match="01-mask-tokens"):
        release_class(tmp_path / "out", root=root)
    (root / "course" / "notes.txt").unlink()
    (root / "notebooks" / "02_freeze_the_backbone.ipynb").unlink()
    with pytest.raises(GradingError, match="course build"):
        release_class(tmp_path / "out", root=root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clone"]


def test_an_earlier_release_is_replaced_and_anything_else_refused(released, copy, tmp_path):
    (copy / "README.md").unlink()
    write_manifest(copy)  # as an earlier release without one
    assert release_class(copy).files == released.files and verify(copy) == []
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(GradingError, match=r"notes\.txt was added"):
        release_class(copy)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    for taken in (tmp_path / "other", tmp_path / "other" / "thesis.txt", ROOT / "course" / "release"):
        with pytest.raises(GradingError, match=r"empty|folder of its own"):
            release_class(taken)
    for write in (release_class, lambda out: release_gradescope(out, "02")):
        with pytest.raises(GradingError, match="cannot be made"):
            write(tmp_path / "other" / "thesis.txt" / "deeper" / "out")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine" and not (
        ROOT / "course" / "release" / "README.md"
    ).exists()


def test_verify_names_what_is_missing_changed_or_added(copy):
    (copy / "README.md").unlink()
    with (copy / "LICENSE").open("a") as stream:
        stream.write(" ")
    (copy / "notebooks" / "new.ipynb").write_text("{}")
    assert verify(copy) == ["LICENSE was changed", "README.md is missing", "notebooks/new.ipynb was added"]
    manifest = json.loads((copy / "MANIFEST.json").read_text())
    content = (copy / "notebooks" / "02_freeze_the_backbone.ipynb").read_bytes()
    assert manifest["files"]["notebooks/02_freeze_the_backbone.ipynb"]["sha256"] == hashlib.sha256(content).hexdigest()
    (copy / "MANIFEST.json").write_text("[")
    with pytest.raises(GradingError, match="is not a release"):
        verify(copy)


def test_without_hatchling_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hatchling.builders.wheel", None)
    with pytest.raises(MissingExtra, match=r"pretrained-course\[grade\]"):
        release_class(tmp_path / "out")


@pytest.fixture(scope="module")
def autograder(tmp_path_factory):
    return release_gradescope(tmp_path_factory.mktemp("gradescope") / "02.zip", "02")


@pytest.fixture
def container(autograder, tmp_path):
    """/autograder as Gradescope sets it up, with the released notebook handed in."""
    base = tmp_path / "autograder"
    for name in ("source", "submission", "results"):
        (base / name).mkdir(parents=True)
    with zipfile.ZipFile(autograder) as archive:
        archive.extractall(base / "source")
    base.chmod(0o700)
    shutil.copy(ROOT / "notebooks" / "02_freeze_the_backbone.ipynb", base / "submission")
    metadata = {
        "id": 1,
        "created_at": "2025-03-01T14:22:32.365935-08:00",
        "assignment": {"due_date": "2025-03-01T23:00:00.000000-08:00", "id": 2, "title": "x", "total_points": "20.0"},
        "submission_method": "upload",
        "users": [{"email": "jane@x.org", "id": 3, "name": "Jane"}],
        "previous_submissions": [],
    }
    (base / "submission_metadata.json").write_text(json.dumps(metadata))
    return base


def results(base):
    return json.loads((base / "results" / "results.json").read_text())


def graded(*statuses):
    """A stand-in for grade_notebook that gives these statuses, in order, and 1 of 2 points where there is a score."""

    def grade(content, settings, *, notebook):
        grades = [
            Grade(digest(content), f"02-exercise-{at}", "j", "s", status, None if status == MACHINERY else 1.0, 2.0,
                  isolation=settings.level, graded_at=datetime.now(UTC))
            for at, status in enumerate(statuses)
        ]  # fmt: skip
        return Reading(notebook), grades

    return grade


def test_gradescopes_zip_has_its_two_scripts_at_the_top_and_the_secrets_for_root_alone(autograder):
    with zipfile.ZipFile(autograder) as archive:
        modes = {member.filename: stat.S_IMODE(member.external_attr >> 16) for member in archive.infolist()}
        scripts = {name: archive.read(name).decode() for name in ("setup.sh", "run_autograder", "README.txt")}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o700
    assert modes["solutions/hidden/nb02_freeze_the_backbone.py"] == modes["secret"] == 0o600
    assert set(modes) == {
        "setup.sh", "run_autograder", "README.txt", "notebook", "secret", "solutions/02_freeze_the_backbone.ipynb",
        "solutions/hidden/nb02_freeze_the_backbone.py", next(name for name in modes if name.endswith(".whl")),
    }  # fmt: skip
    assert stat.S_IMODE(autograder.stat().st_mode) == 0o600
    assert all(text.startswith("#!/usr/bin/env bash\n") for name, text in scripts.items() if name != "README.txt")
    assert not any("@" in text for text in scripts.values())
    assert next(name for name in modes if name.endswith(".whl")) in scripts["setup.sh"]


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_the_scripts_are_bash(autograder, name):
    with zipfile.ZipFile(autograder) as archive:
        done = subprocess.run(["bash", "-n"], input=archive.read(name), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_two_zips_draw_from_two_secrets_and_an_unknown_notebook_is_refused(autograder, tmp_path):
    other = release_gradescope(tmp_path / "other.zip", "02_freeze_the_backbone.ipynb")
    secrets = {zipfile.ZipFile(path).read("secret") for path in (autograder, other)}
    assert len(secrets) == 2 and all(len(secret) == 32 for secret in secrets)
    with pytest.raises(UnknownName):
        release_gradescope(tmp_path / "x.zip", "99")


def test_a_graded_submission_becomes_results(container):
    assert gradescope_run.main([], base=container, grade=graded(GRADED, CRASHED)) == 0
    written = results(container)
    assert written["score"] == 2.0 and written["extra_data"]["isolation"] == ["container"]
    assert os.listdir(container / "results") == ["results.json"]


@pytest.mark.parametrize("failure", ["machinery", "exception", "nothing", "open", "exit code of a signal", "no secret"])
def test_a_failure_of_ours_leaves_no_results_and_so_no_score(container, failure, capsys):
    (container / "results" / "results.json").write_text('{"score": 0}')  # of an earlier run, say

    def fail(content, settings, *, notebook):
        raise {"exception": RuntimeError, "exit code of a signal": MemoryError}[failure]("ours")

    if failure == "open":
        container.chmod(0o755)
    if failure == "no secret":
        (container / "source" / "secret").unlink()
    grade = {"machinery": graded(GRADED, MACHINERY), "nothing": graded()}.get(failure, graded(GRADED))
    grade = fail if failure in ("exception", "exit code of a signal") else grade
    assert gradescope_run.main([], base=container, grade=grade) == 1
    assert os.listdir(container / "results") == []
    assert "no score" in capsys.readouterr().out


@pytest.mark.parametrize("came", ["nothing", "answer.py", "a link", "two notebooks", "a huge notebook"])
def test_what_is_the_learners_fault_scores_0_and_says_why(container, came):
    folder = container / "submission"
    notebook = folder / "02_freeze_the_backbone.ipynb"
    if came == "two notebooks":
        (folder / "other.ipynb").write_text(notebook.read_text().replace("The", "A"))
    elif came == "a huge notebook":
        with notebook.open("a") as stream:
            stream.truncate(2**30)
    else:
        notebook.unlink()
        if came == "a link":
            notebook.symlink_to(container / "source" / "solutions" / "02_freeze_the_backbone.ipynb")
        elif came == "answer.py":
            (folder / "answer.py").write_text("x")
    assert gradescope_run.main([], base=container, grade=graded(GRADED)) == 0
    written = results(container)
    assert written["score"] == 0 and written["tests"] == []
    assert {"nothing": ".ipynb", "answer.py": "answer.py", "a link": "link", "two notebooks": "only the one",
            "a huge notebook": "MiB"}[came] in written["output"]  # fmt: skip


def test_of_several_notebooks_the_one_of_this_assignment_is_graded(container):
    shutil.copy(ROOT / "notebooks" / "03_replace_the_head.ipynb", container / "submission" / "00_first.ipynb")
    seen = []

    def grade(content, settings, *, notebook):
        seen.append(content)
        return graded(GRADED)(content, settings, notebook=notebook)

    assert gradescope_run.main([], base=container, grade=grade) == 0
    assert seen == [(ROOT / "notebooks" / "02_freeze_the_backbone.ipynb").read_bytes()]


def test_missing_or_odd_metadata_is_no_failure(container):
    for text in (
        "",
        "[]",
        '{"users": 3}',
        '{"users": [], "created_at": "yesterday"}',
        '{"users": null, "assignment": null}',
    ):
        (container / "submission_metadata.json").write_text(text)
        assert gradescope_run.main([], base=container, grade=graded(GRADED)) == 0
        assert results(container)["score"] == 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="Gradescope's container is Linux")
def test_the_real_run_proves_itself_and_gives_an_answered_exercise_its_points_and_the_others_none(container, capsys):
    needs_a_container()
    assert gradescope_run.main(["--prove"], base=container) == 0
    assert "gets full marks in 4 exercises" in capsys.readouterr().out
    solution = nbformat.read(ROOT / "solutions" / "02_freeze_the_backbone.ipynb", 4)
    answer = next(cell.source for cell in solution.cells if cell.id == "02-freeze-backbone")
    notebook = container / "submission" / "02_freeze_the_backbone.ipynb"
    nb = nbformat.read(notebook, 4)
    next(cell for cell in nb.cells if cell.id == "02-freeze-backbone").source = answer
    nbformat.write(nb, notebook)
    assert gradescope_run.main([], base=container) == 0
    written = results(container)
    right = [test for test in written["tests"] if test["name"].startswith("02-freeze-backbone")]
    assert right and {test["status"] for test in right} == {"passed"}
    assert written["score"] == sum(test["max_score"] for test in right)
    assert written["extra_data"]["isolation"] == ["container"]
    total = sum(test["max_score"] for test in written["tests"])
    assert f"Autograder points: {total:g}." in (container / "source" / "README.txt").read_text()
