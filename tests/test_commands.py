"""Every command, option, path, link and anchor in README, CONTRIBUTING, docs/ and the workflows is there."""

from __future__ import annotations

import re

import pytest
import yaml

import course
from tests.command_problems import HasOption, link_problems, module_file, own_options, path_problems, problems
from tests.conftest import ROOT
from tests.documents import Document, in_shell

GUIDES = sorted(
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "tests/benchmarks/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
    if not any(part.startswith("_") for part in path.relative_to(ROOT).parts)
)
CHANGELOG = ROOT / "CHANGELOG.md"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def pytest_has(pytestconfig) -> HasOption:
    """Whether pytest knows an option, conftest's and plugins' included."""
    missing = object()
    return lambda option: pytestconfig.getoption(option, missing) is not missing


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_path_of_a_document_exists(path, pytest_has):
    document = Document(path)
    wrong = [f"line {c.line}, {c}: {problem}" for c in document.commands for problem in problems(c.words, pytest_has)]
    for line, text in document.inline_code:
        wrong += [f"line {line}: {problem}" for problem in path_problems(text) if " " not in text]
        option = re.match(r"--[a-z][\w-]+", text)
        if option and option[0] not in own_options() and not pytest_has(option[0]):
            wrong.append(f"line {line}: nothing of ours has the option {option[0]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", [*GUIDES, CHANGELOG], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_to_a_file_and_a_heading(path):
    wrong = list(link_problems(Document(path)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_command_of_a_workflow_exists(path, pytest_has):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    commands = [command for script in scripts for command in in_shell(re.sub(r"\$\{\{.*?\}\}", "X", script))]
    assert commands
    wrong = [f"{c}: {problem}" for c in commands for problem in problems(c.words, pytest_has)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_that_is_said_to_be_in_a_file_is_in_it(path):
    said = re.findall(r"`(\w+)` in `([\w./]+\.\w+)`", path.read_text(encoding="utf-8"))
    assert [f"{name} in {file}" for name, file in said if name not in (ROOT / file).read_text(encoding="utf-8")] == []


def test_the_example_in_contributing_changes_what_is_there():
    changes = Document(ROOT / "CONTRIBUTING.md").blocks("diff")
    assert len(changes) == 2
    for _, change in changes:
        file = re.search(r"^--- a/(\S+)$", change, re.MULTILINE)[1]
        before = "\n".join(line[1:] for line in change.splitlines() if re.match(r"-(?!--)", line))
        assert (ROOT / file).read_text(encoding="utf-8").count(f"{before}\n") == 1, file


def test_the_changelog_has_a_section_for_this_version_and_one_for_what_comes_next():
    sections = re.findall(r"^## \[(.+?)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert course.__version__ in sections


def test_modules_that_the_changelog_says_are_new_exist_and_those_before_were_others():
    moved = re.findall(r"\| `(course\.[\w.]+)` \| `(course\.[\w.]+)` \|", CHANGELOG.read_text(encoding="utf-8"))
    assert len(moved) > 20
    assert [new for old, new in moved if old == new or module_file(new) is None] == []


# The checks themselves, on text and commands made up for them.

TEXT = """\
# A title

Text with `course check my-notebooks/02_freeze_the_backbone.ipynb`, `course` and, over two lines, `python -m
tests.pretend_gpu`. See [below](#the-end-of-it) or <a href="LICENSE">the licence</a>.

| command | what |
|---|---|
| `pytest` | in a table, with `fit` beside it |

```bash
sudo apt-get install git   # a comment; with course nonsense
PYTHON=python3 scripts/install && course grade submissions \\
    --out "two words" | cat > file
for x in 1 2; do course doctor; done
```

```console
$ course progress
course: what it printed
```

```powershell
.venv\\Scripts\\activate
```

```python
course = "not a command"
```

## The end of `it`

## The end of it
"""
FOUND = """\
3 course check my-notebooks/02_freeze_the_backbone.ipynb
3 python -m tests.pretend_gpu
8 pytest
11 apt-get install git
12 scripts/install
12 course grade submissions --out 'two words'
12 cat
14 course doctor
18 course progress
23 .venv/Scripts/activate
"""


def test_commands_are_found_in_shell_blocks_and_in_text():
    commands = sorted(Document(ROOT / "README.md", TEXT).commands, key=lambda command: command.line)
    assert "".join(f"{command.line} {command}\n" for command in commands) == FOUND


def test_links_and_anchors_are_found_in_markdown_and_in_html():
    document = Document(ROOT / "README.md", TEXT)
    assert [link.text for link in document.links] == ["#the-end-of-it", "LICENSE"]
    assert document.anchors == {"a-title", "the-end-of-it", "the-end-of-it-1"}
    assert list(link_problems(document)) == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("docs/no_such.md", "no file"),
        ("#no-such-heading", "no heading"),
        ("docs/topics.md#no-such-heading", "no heading"),
        ("notebooks/02_freeze_the_backbone.ipynb#No-such-heading", "no heading"),
        ("notebooks/12_no_such.ipynb", "no file"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, problem):
    (found,) = link_problems(Document(ROOT / "README.md", f"# Title\n\nSee\n[this]({link})."))
    assert found == f"line 3: {link} leads to {problem}"


RIGHT = """\
course --version
course lab --allow-root
course build 02 && course build --check
course release --gradescope 02 --out autograder.zip
course grade submissions --jobs 16 --out grades
python -m course check my-notebooks/NN_NAME.ipynb
python -m pip install -e ".[grade,postgres]"
py -3.12 -m venv .venv
python -m tests.benchmarks NAME
python -m tests.benchmarks gpu --small
python -m tests.pretend_gpu solutions/02_freeze_the_backbone.ipynb --full
pytest -q -n0 -x tests/test_layers.py::test_no_modules_import_each_other_in_a_circle
python -m pytest tests -k 07-measure-overlap --durations=10
scripts/test tests/models -k freez
scripts/lint --fix
scripts/install --extra-index-url https://download.pytorch.org/whl/cpu
scripts/run course doctor
PYTHON=python3.13 tests/colab.sh
torchrun --nproc-per-node 2 script.py
accelerate launch script.py
pre-commit run --all-files
git diff course/*.py
"""
WRONG = {
    "course grades": "there is no command `course grades`",
    "course --versions": "course has no option --versions",
    "course fetch --profil full": "course fetch has no option --profil",
    "course build 77": "there is no notebook 77",
    "course release --gradescope 77": "there is no notebook 77",
    "course check my-notebooks/02_freeze.ipynb": "there is no notebooks/02_freeze.ipynb",
    "python3 -m course learn": "there is no command `course learn`",
    'pip install ".[grades]"': "pyproject.toml has no extra grades",
    'pip install "pretrained-course[grade,nothing]"': "pyproject.toml has no extra nothing",
    "pip instal .": "pip has no command instal",
    "python -m tests.no_such": "there is no module tests.no_such to run",
    "python -m tests": "there is no module tests to run",
    "python -m tests.benchmarks no_such": "there is no benchmark no_such",
    "python -m tests.benchmarks _rows": "there is no benchmark _rows",
    "python -m tests.pretend_gpu --no-such": "pretend_gpu.py has no option --no-such",
    "pytest --no-such": "pytest has no option --no-such",
    "pytest tests/test_no_such.py": "there is no tests/test_no_such.py",
    "pytest tests/test_layers.py::test_no_such": "tests/test_layers.py has no test test_no_such",
    "pytest -k 07-measure-nothing": "there is no exercise 07-measure-nothing",
    "scripts/no_such": "there is no script scripts/no_such",
    "scripts/test -k 07-measure-nothing": "there is no exercise 07-measure-nothing",
    "scripts/run course learn": "there is no command `course learn`",
    "scripts/lint --no-such": "lint has no option --no-such",
    "tests/colab_versions.txt": "tests/colab_versions.txt is not executable",
    "no-such-program --help": "no package of ours brings the program no-such-program",
    "ruff check course/no_such.py": "there is no course/no_such.py",
}


@pytest.mark.parametrize("line", RIGHT.splitlines())
def test_a_right_command_has_no_problem(line, pytest_has):
    commands = list(in_shell(line))
    assert commands
    assert [problem for command in commands for problem in problems(command.words, pytest_has)] == []


@pytest.mark.parametrize(("line", "problem"), WRONG.items(), ids=WRONG)
def test_a_wrong_command_is_found_with_what_is_wrong(line, problem, pytest_has):
    (command,) = in_shell(line)
    assert list(problems(command.words, pytest_has)) == [problem]
