"""What a type checker tells those who use the course from a file of their own."""

import re
import subprocess
import sys
import zipfile

import pytest

import course
from course import judging, models
from course.grading.release.wheel import build_wheel
from tests.conftest import ROOT

STUBBED = {"course": course, "course.models": models, "course.judging": judging}
NAMES = [f"{module}.{name}" for module, package in STUBBED.items() for name in package.__all__]
WRONG = {
    'course.fit(1, [], epochs=1, device="cpu")': r'Argument 1 to "fit" has incompatible type "int"; expected "?Module',
    "course.fit(model, [], epochs='two')": r'Argument "epochs" to "fit" has incompatible type "str"; expected "int"',
    "course.fit(model, [], epoch=2)": r'Unexpected keyword argument "epoch" for "fit"',
    "course.fit(model, [], epochs=1).last_loss": r'"History" has no attribute "last_loss"',
    "course.models.freeze()": r'Missing positional argument "module" in call to "freeze"',
    "course.judging.check(2)": r'Argument 1 to "check" has incompatible type "int"; expected "str"',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory, request):
    """What mypy says of each line in a user's file, which lies outside of the repository."""
    folder = tmp_path_factory.mktemp("user")
    head = ["import course.judging", "import course.models", "from torch import nn", "model = nn.Linear(1, 1)"]
    lines = [*head, *(f"reveal_type({name})" for name in NAMES), *WRONG]
    (folder / "user.py").write_text("\n".join(lines) + "\n")
    kept = request.config.cache.mkdir("mypy")  # reading torch's types takes ten seconds
    command = [sys.executable, "-m", "mypy", "--config-file=", f"--cache-dir={kept}", "user.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = re.findall(r"^user\.py:(\d+): (?:note|error): (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {line: "\n".join(text for at, text in found if int(at) == number) for number, line in enumerate(lines, 1)}


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_its_type(said, name):
    told = said[f"reveal_type({name})"]
    assert told.startswith("Revealed type is") and "(*Any, **Any) ->" not in told.split("->")[0]
    assert told not in ('Revealed type is "Any"', 'Revealed type is "def (*Any, **Any) -> Any"')
    assert name == "course.judging.Exercise" or '"def (' in told, told


def test_fit_shows_its_real_signature(said):
    told = said["reveal_type(course.fit)"]
    for part in ("model: torch.nn.modules.module.Module", "*, epochs: int, lr: float =", "checkpoint: str |"):
        assert part in told
    assert re.search(r"-> course\.training\.history\.History\W*$", told)


@pytest.mark.parametrize(("line", "message"), WRONG.items())
def test_a_wrong_argument_is_an_error(said, line, message):
    assert re.search(message, said[line]), said[line]


def test_the_wheel_says_that_it_is_typed_and_has_every_stub(tmp_path):
    stubs = {path.relative_to(ROOT).as_posix() for path in (ROOT / "course").rglob("*.pyi")}
    with zipfile.ZipFile(build_wheel(ROOT, tmp_path)) as wheel:
        names = set(wheel.namelist())
    assert len(stubs) == len(STUBBED) and names >= {"course/py.typed", *stubs}


def test_mypy_refuses_a_function_without_types_in_the_course(tmp_path):
    (tmp_path / "new.py").write_text("def loss(outputs, labels):\n    return 0\n\n\ndef half(x: int):\n    return 1\n")
    command = [sys.executable, "-m", "mypy", f"--config-file={ROOT / 'pyproject.toml'}", "--cache-dir", str(tmp_path)]
    done = subprocess.run([*command, "new.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.count("[no-untyped-def]") == 2
