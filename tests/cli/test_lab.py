"""`course lab` opens what a learner means, never takes a foreign folder for the course's, and starts one server."""

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from course.cli import app, jupyter, lab
from course.errors import SetupError, UnknownName
from course.notebook import workspace

FIRST, THIRD = "00_start_here.ipynb", "03_replace_the_head.ipynb"


def call(*arguments):
    return CliRunner().invoke(app.app, list(map(str, arguments)))


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), path)


@pytest.fixture
def opened(home, tmp_path, monkeypatch):
    """The (page, options) that would be opened; the current folder is an empty one, the course's has two notebooks."""
    calls = []
    monkeypatch.setattr(jupyter, "open_lab", lambda page, options: calls.append((page, options)))
    originals = tmp_path / "the course" / "notebooks"
    for name in (FIRST, THIRD):
        write(originals / name)
    monkeypatch.setattr(workspace, "find_originals", lambda: originals)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(workspace, "default_folder", lambda: tmp_path / "mine")
    return calls


def test_without_arguments_the_home_page_is_opened_and_the_folder_said(opened, tmp_path):
    result = call("lab", "--no-browser", "--port", "8890")
    assert result.exit_code == 0, result.output
    assert opened == [(tmp_path / "mine" / "home.md", ["--no-browser", "--port", "8890"])]
    assert result.output == f"your notebooks are in {tmp_path / 'mine'}\n"
    assert {path.name for path in (tmp_path / "mine").iterdir()} >= {FIRST, THIRD, "home.md"}


@pytest.mark.parametrize("what", ["03", "3", THIRD, THIRD.removesuffix(".ipynb"), f"../mine/{THIRD}"])
def test_a_chapter_is_opened_by_its_number_its_name_or_its_path(opened, tmp_path, what):
    assert call("lab", what).exit_code == 0
    assert opened == [(tmp_path / "mine" / THIRD, [])]


def test_copies_are_made_and_opened_in_the_folder_that_is_asked_for(opened, tmp_path):
    assert call("lab", "03", "--to", tmp_path / "there").exit_code == 0
    assert opened == [(tmp_path / "there" / THIRD, [])] and not (tmp_path / "mine").exists()


def test_a_folder_called_notebooks_that_is_not_the_courses_is_not_touched(opened, tmp_path):
    write(Path("notebooks/my_thesis.ipynb"))
    assert call("lab").exit_code == 0
    assert [path.name for path in Path().iterdir()] == ["notebooks"]
    assert not list(tmp_path.rglob("mine/my_thesis.ipynb"))


def test_a_folder_that_is_named_is_opened_as_it_is(opened, tmp_path):
    for name in ("01_b.ipynb", FIRST):
        write(tmp_path / "clone" / "notebooks" / name)
    assert call("lab", tmp_path / "clone", "--no-browser").exit_code == 0
    assert opened == [(tmp_path / "clone" / "notebooks" / FIRST, ["--no-browser"])]
    assert not (tmp_path / "mine").exists()


def test_a_notebook_elsewhere_is_opened_where_it_is(opened, tmp_path):
    write(tmp_path / "here" / "thesis.ipynb")
    assert call("lab", "thesis.ipynb").exit_code == 0
    assert opened == [(tmp_path / "here" / "thesis.ipynb", [])] and not (tmp_path / "mine").exists()


@pytest.mark.parametrize("what", ["44", "nothing", "no/such/folder"])
def test_an_unknown_name_says_what_is_accepted_and_makes_nothing(opened, tmp_path, what):
    error = call("lab", what).exception
    assert isinstance(error, UnknownName) and "a chapter such as 03" in str(error)
    assert opened == [] and not (tmp_path / "mine").exists()


def test_the_nearest_notebook_is_suggested(opened):
    assert f"did you mean {THIRD}" in str(call("lab", "replace_head").exception)


def test_a_folder_that_makes_no_sense_is_refused(opened, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        ([tmp_path / "empty"], "no notebooks in"),
        (["--to", workspace.find_originals()], "the course's own notebooks"),
        ([tmp_path / "empty", "--to", tmp_path], "leave out --to"),
    ):
        error = call("lab", *arguments).exception
        assert isinstance(error, SetupError) and said in str(error)
    assert opened == []


def test_home_writes_the_page_and_says_where(opened, tmp_path):
    result = call("home")
    assert result.exit_code == 0 and str(tmp_path / "mine" / "home.md") in result.output
    assert (tmp_path / "mine" / THIRD).is_file() and opened == []


@pytest.mark.parametrize(
    "arguments, what, options",
    [
        ([], "", []),
        (["03"], "03", []),
        (["--no-browser", "03"], "03", ["--no-browser"]),
        (["--port", "8890"], "", ["--port", "8890"]),
        (["--port", "8890", "03"], "03", ["--port", "8890"]),
        (["--port=8890", "03", "--debug"], "03", ["--port=8890", "--debug"]),
    ],
)
def test_what_to_open_is_told_from_the_values_of_jupyters_options(arguments, what, options):
    assert lab.split(arguments) == (what, options)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """The command and environment that this process would go on as; no server runs."""
    calls = []
    monkeypatch.setattr(jupyter, "start", lambda command, environment: calls.append((command, environment)))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(jupyter.webbrowser, "open", lambda url: calls.append(url))
    return calls


def test_jupyterlab_is_started_with_this_python_over_the_folder_at_the_page(started, tmp_path):
    jupyter.open_lab(tmp_path / "07_x y.ipynb", ["--no-browser", "--port", "8890"])
    ((command, environment),) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--LabApp.default_url=/lab/tree/07_x%20y.ipynb" in command
    assert "--Application.log_level=ERROR" in command
    assert command[-3:] == ["--no-browser", "--port", "8890"]
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_who_asks_for_another_log_level_gets_it(started, tmp_path):
    jupyter.open_lab(tmp_path / "a.ipynb", ["--debug"])
    assert "WARN" not in " ".join(started[0][0])


def test_the_courses_defaults_come_after_those_that_were_there():
    assert jupyter.environment({})["JUPYTER_CONFIG_PATH"] == str(jupyter.CONFIG)
    assert jupyter.environment({"JUPYTER_CONFIG_PATH": "/mine"})["JUPYTER_CONFIG_PATH"].split(os.pathsep) == [
        "/mine",
        str(jupyter.CONFIG),
    ]


def test_each_default_is_a_setting_that_the_installed_jupyterlab_has(monkeypatch):
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.settings_utils import _get_overrides, _get_schema

    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(jupyter.CONFIG))
    read, error = _get_overrides("/no/such/folder")
    ours = json.loads((jupyter.CONFIG / "labconfig" / "default_setting_overrides.json").read_text())
    assert not error and all(read[plugin].items() >= settings.items() for plugin, settings in ours.items())
    schemas = next(path for folder in jupyter_path("lab", "schemas") if (path := Path(folder)).is_dir())
    for plugin, settings in ours.items():
        known = _get_schema(str(schemas), plugin, {}, None)[0]["properties"]
        assert settings.keys() <= known.keys()
        kinds = {"string": str, "boolean": bool, "object": dict}
        assert all(isinstance(value, kinds[known[name]["type"]]) for name, value in settings.items())


class Lab(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == "token secret" and self.path == "/lab"
        self.send_response(200 if known else 403)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def running(started, tmp_path):
    """Says to Jupyter that this process is a server over tmp_path; one that answers listens at its port."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Lab)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"

    def say(**fields):
        info = {"pid": os.getpid(), "root_dir": str(tmp_path), "url": url, "token": "secret", **fields}
        file = tmp_path / "runtime" / f"jpserver-{os.getpid()}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(info))
        return url

    yield say
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_runs_over_the_folder_is_used_instead_of_a_second_one(started, running, tmp_path, capsys):
    url = running(root_dir=str(tmp_path / "runtime" / ".."))
    jupyter.open_lab(tmp_path / "home.md", [])
    assert started == [f"{url}lab/tree/home.md?token=secret"] and started[0] in capsys.readouterr().out
    jupyter.open_lab(tmp_path / "home.md", ["--no-browser"])
    assert len(started) == 1 and url in capsys.readouterr().out


@pytest.mark.parametrize(
    "fields", [{"root_dir": "/elsewhere"}, {"url": "http://127.0.0.1:1/"}, {"pid": 2**22 + 1}, {"token": "another"}]
)
def test_a_server_over_another_folder_or_one_that_does_not_answer_is_ignored(started, running, tmp_path, fields):
    running(**fields)
    jupyter.open_lab(tmp_path / "home.md", [])
    assert isinstance(started[0], tuple)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a child is waited for")
def test_start_goes_on_as_the_command_with_its_exit_code():
    child = "import os, sys; sys.exit(int(os.environ['N']))"
    program = (
        f"import sys\nfrom course.cli.jupyter import start\nstart([sys.executable, '-c', {child!r}], {{'N': '7'}})"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 7
