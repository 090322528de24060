import json
import os
import subprocess
import sys

import nbformat
import pytest
from typer.testing import CliRunner

import course
from course.cli import app, diagnosis, lab
from course.errors import AuthoringError, SetupError

RIGHT = """def freeze(module):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module"""
WRONG = "def freeze(module):\n    module.requires_grad = False\n    return module"
UNTOUCHED = "def freeze(module):\n    raise NotImplementedError"


def call(*arguments):
    return CliRunner().invoke(app.app, list(arguments))


def notebook(path, *sources):
    """A notebook file whose only ids are those that exercises have."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell in cells:
        if cell.source.startswith("def freeze"):
            cell.id = "02-freeze-backbone"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def started(monkeypatch):
    """What `lab` would go on as: the command and the environment."""
    calls = []
    monkeypatch.setattr(lab, "start", lambda command, environment: calls.append((command, environment)))
    return calls


def test_help_names_every_command_and_loads_no_torch():
    program = "import sys\nfrom course.cli.app import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stdout.splitlines()[-1] == "False"
    for command in ("lab", "doctor", "check", "progress", "build"):
        assert command in run.stdout


def test_an_error_of_the_course_is_one_message_on_stderr_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "course", "lab", str(tmp_path / "nothing")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("course: ") and run.stderr.count("\n") == 1


def test_version_is_the_packages():
    assert call("--version").output == f"{course.__version__}\n"


def test_lab_opens_the_first_notebook_with_this_python(tmp_path, started):
    for name in ("01_pretrain", "00_start_here"):
        notebook(tmp_path / "notebooks" / f"{name}.ipynb", "1")
    assert call("lab", str(tmp_path), "--no-browser", "--port", "8890").exit_code == 0
    ((command, environment),) = started
    folder = (tmp_path / "notebooks").resolve()
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={folder}" in command
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    assert command[-3:] == ["--no-browser", "--port", "8890"]
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_lab_takes_options_without_a_folder_and_looks_here_first(tmp_path, started, monkeypatch):
    notebook(tmp_path / "notebooks" / "07_x y.ipynb", "1")
    monkeypatch.chdir(tmp_path)
    assert call("lab", "--no-browser").exit_code == 0
    command = started[0][0]
    assert f"--ServerApp.root_dir={(tmp_path / 'my-notebooks').resolve()}" in command
    assert "--LabApp.default_url=/lab/tree/07_x%20y.ipynb" in command


def test_lab_without_notebooks_says_where_it_looked(tmp_path, started):
    with pytest.raises(SetupError, match=r"no notebooks in .*empty.*course lab FOLDER"):
        lab.find_notebooks(tmp_path / "empty")
    result = call("lab", str(tmp_path / "empty"))
    assert isinstance(result.exception, SetupError) and started == []


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a child is waited for")
def test_start_goes_on_as_the_command_with_its_exit_code():
    child = "import os, sys; sys.exit(int(os.environ['N']))"
    program = f"import sys\nfrom course.cli.lab import start\nstart([sys.executable, '-c', {child!r}], {{'N': '7'}})"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 7


@pytest.mark.parametrize("status, exit_code", [("ok", 0), ("warning", 0), ("problem", 1)])
def test_doctor_fails_for_a_problem_only_and_prints_what_mends_it(monkeypatch, status, exit_code):
    monkeypatch.setattr(
        diagnosis,
        "diagnose",
        lambda: [diagnosis.Finding("weights", status, "[red]found[/]", 'pip install -e ".[test]"')],
    )
    result = call("doctor")
    assert result.exit_code == exit_code
    assert "[red]found[/]" in result.output, "what was found is text, never markup"
    assert ('to fix it: pip install -e ".[test]"' in result.output) is (status != "ok")
    as_json = call("doctor", "--json")
    assert as_json.exit_code == exit_code and json.loads(as_json.output)[0]["status"] == status


@pytest.mark.parametrize("answer, exit_code", [(UNTOUCHED, 0), (RIGHT, 0), (WRONG, 1)])
def test_check_fails_only_for_an_answer_that_was_tried_and_is_wrong(home, tmp_path, answer, exit_code):
    path = notebook(tmp_path / "mine" / "02_freeze_the_backbone.ipynb", answer)
    result = call("check", str(path))
    assert result.exit_code == exit_code, result.output
    assert "02-freeze-backbone" in result.output
    assert result.output.splitlines()[-1].endswith("points")


def test_a_wrong_name_is_told_before_torch_is_loaded(tmp_path):
    code = (
        "import sys\nfrom course.cli.learning import check\nfrom course.errors import CourseError\n"
        "from pathlib import Path\ntry:\n    check(Path('nope.ipynb'))\n"
        "except CourseError as error:\n    print(error, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout == "nope.ipynb cannot be read (No such file or directory); is it the right name? False\n"


def test_progress_is_printed(home):
    result = call("progress")
    assert result.exit_code == 0 and "02" in result.output


def test_build_check_names_what_is_out_of_date_and_fails(monkeypatch):
    from course import authoring

    monkeypatch.setattr(authoring, "drift", lambda: ["notebooks/02.ipynb is missing; run `course build 02`"])
    result = call("build", "--check")
    assert result.exit_code == 1 and "course build 02" in result.output
    monkeypatch.setattr(authoring, "drift", list)
    assert call("build", "--check").exit_code == 0


def test_build_passes_the_names_on(monkeypatch):
    from course import authoring

    built = []
    monkeypatch.setattr(authoring, "build", built.append)
    assert call("build", "02", "03").exit_code == 0
    assert call("build").exit_code == 0
    assert built == [["02", "03"], None]


def test_main_turns_any_error_of_the_course_into_exit_code_2(monkeypatch, capsys):
    def fail(**_):
        raise AuthoringError("notebooks/02.ipynb differs; run `course build 02`")

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "course: notebooks/02.ipynb differs; run `course build 02`\n"
