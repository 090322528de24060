import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import course
from course.cli import app, diagnosis
from course.errors import AuthoringError


def call(*arguments):
    return CliRunner().invoke(app.app, list(arguments))


def test_help_names_every_command_and_loads_no_torch():
    program = "import sys\nfrom course.cli.app import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stdout.splitlines()[-1] == "False"
    for command in ("lab", "home", "doctor", "check", "progress", "build"):
        assert command in run.stdout


def test_an_error_of_the_course_is_one_message_on_stderr_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "course", "lab", str(tmp_path / "nothing")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("course: ") and run.stderr.count("\n") == 1


def test_version_is_the_packages():
    assert call("--version").output == f"{course.__version__}\n"


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
