"""Keras beside torch: quiet where it is, and a notebook that goes on where it is not."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest

from course import authoring
from course.errors import SetupError
from course.models.weights import KERAS, KERAS_ADDRESS, keras_weights
from course.zoo.keras_models import import_keras
from tests.conftest import ROOT
from tests.standin_models import keras_file
from tests.with_keras import keras_or_skip

NOTEBOOK = ROOT / "notebooks" / "09_visit_the_model_zoos.ipynb"


def blocked(folder: Path) -> str:
    """A PYTHONPATH on which `import tensorflow` fails as where it is not installed."""
    for name in ("tensorflow", "keras"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f'raise ModuleNotFoundError("No module named {name!r}")\n')
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def run(program, **variables):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, cwd=ROOT)


def test_tensorflow_starts_beside_torch_without_a_line():
    keras_or_skip()
    done = run("import torch\nfrom course.zoo.keras_models import import_keras as k\nprint(k().backend.backend())")
    assert (done.stdout, done.stderr, done.returncode) == ("tensorflow\n", "", 0)


@pytest.mark.slow
def test_what_torch_loads_late_still_loads_after_tensorflow():
    keras_or_skip()
    program = (
        "from course.zoo.keras_models import import_keras as k\nk()\nimport torchvision.ops, torch._dynamo\nprint(1)"
    )
    done = run(program)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr[-2000:]


def test_without_tensorflow_the_error_says_what_to_do(tmp_path):
    program = "from course.zoo.keras_models import import_keras\nfrom course.errors import SetupError\n"
    program += "try:\n    import_keras()\nexcept SetupError as error:\n    print(error)"
    done = run(program, PYTHONPATH=blocked(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "TensorFlow cannot be imported" in done.stdout and "pip install" in done.stdout


def test_keras_on_another_backend_is_refused(monkeypatch):
    keras = keras_or_skip()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(SetupError, match="restart the kernel"):
        import_keras()


@pytest.mark.parametrize("name", KERAS)
def test_known_weights_are_those_that_keras_would_fetch_itself(name, monkeypatch):
    keras = keras_or_skip()
    asked = {}

    class Asked(Exception):
        pass

    def get_file(fname, origin, *, cache_subdir, file_hash):
        asked.update(name=fname, url=origin, folder=cache_subdir, md5=file_hash)
        raise Asked

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(Asked):
        getattr(keras.applications, name)(weights="imagenet", include_top=False, input_shape=(32, 32, 3))
    file, md5 = KERAS[name]
    assert asked == {"name": Path(file).name, "url": f"{KERAS_ADDRESS}/{file}", "folder": "models", "md5": md5}


def test_keras_reads_weights_in_the_published_layout_from_our_path(home, monkeypatch):
    keras = keras_or_skip()
    file, _ = KERAS["VGG16"]
    md5 = keras_file(home / "data" / "keras", "VGG16", file)
    monkeypatch.setitem(KERAS, "VGG16", (file, md5))
    make = partial(keras.applications.VGG16, include_top=False, input_shape=(32, 32, 3))
    drawn, read = make(weights=None), make(weights=keras_weights("VGG16"))
    keras.utils.set_random_seed(0)  # as the file's were drawn
    again = make(weights=None)
    for one, other, another in zip(read.get_weights(), again.get_weights(), drawn.get_weights(), strict=True):
        assert np.array_equal(one, other)
        assert one.ndim == 1 or not np.array_equal(one, another)


def test_importing_it_leaves_stderr_as_it_was(capfd):
    keras_or_skip()
    os.write(2, b"still here\n")
    assert "still here" in capfd.readouterr().err


@pytest.mark.slow
def test_the_notebook_runs_to_its_end_without_tensorflow(tmp_path):
    (tmp_path / "blocked").mkdir()
    variables = authoring.environment(tmp_path / "home", strict=False)
    variables["PYTHONPATH"] = blocked(tmp_path / "blocked")
    done = authoring.run(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.parent, label="09", variables=variables)
    said = "\n".join(output.get("text", "") for cell in done.cells for output in cell.get("outputs", []))
    assert said.count("left out: TensorFlow is not installed") == 3
    assert "TensorFlow cannot be imported (" in said
    assert "does not hold" not in said
