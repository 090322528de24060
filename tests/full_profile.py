"""Run a notebook's full profile without a network and without a GPU, on stand-ins for what it would download.

`python -m tests.full_profile solutions/02_freeze_the_backbone.ipynb` runs every cell, exercises and checks included.
What stands in, and what is left as it is:

- the pets are a few small patches of colour in torchvision's layout, in COURSE_DATA;
- ResNet-50 has random weights, and BatchNorm statistics that fit them, in a file of torch.hub's layout whose name
  carries its own hash, and torchvision's enum is told that name: the loader finds it and checks its hash as always;
- pictures of 224 pixels become 32, so that a CPU gets through;
- everything else is the notebook's own code under PROFILE = "full".

So the run says that the code works from end to end. Random weights and patches say nothing about accuracy, and claims
about it may come out either way.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tempfile
from pathlib import Path

import torch
from nbformat import NotebookNode
from torch import nn
from torchvision.models import get_model

from course import authoring
from tests.standins import lay_out_pets

SIZE = 32
BREEDS = (
    "Abyssinian", "american_bulldog", "Bengal", "beagle", "Birman", "boxer", "Bombay", "chihuahua", "Persian", "pug",
)  # fmt: skip
TELL = "\n\nfrom torchvision.models import ResNet50_Weights\nResNet50_Weights.DEFAULT.value.url = {url!r}\n"


def lay_out(folder: Path) -> str:
    """Stand-ins for pets and ResNet-50 in a folder to be used as COURSE_DATA; returns the address of the weights."""
    lay_out_pets(folder, breeds=BREEDS, per_breed=10, side=48)
    file = io.BytesIO()
    torch.save(random_resnet().state_dict(), file)
    name = f"resnet50-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / name).write_bytes(file.getvalue())
    return f"http://127.0.0.1:9/{name}"  # nobody listens there


def random_resnet() -> nn.Module:
    """A ResNet-50 of random weights whose BatchNorm statistics fit them, else numbers would overflow in training."""
    torch.manual_seed(0)
    model = get_model("resnet50", weights=None).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees
    with torch.no_grad():
        for _ in range(3):
            model(nn.functional.interpolate(torch.randn(32, 3, 4, 4), size=SIZE))
    return model


def in_full_profile(nb: NotebookNode, url: str) -> NotebookNode:
    """The notebook with PROFILE = "full", small pictures, and the address of the stand-in weights; changed in place."""
    for cell in nb.cells:
        if cell.id == "parameters":
            cell.source = 'PROFILE = "full"\nSEED = 0'
        elif cell.id == "setup":
            cell.source += TELL.format(url=url)
        elif cell.cell_type == "code" and "runtime.is_full" in cell.source:
            cell.source = re.sub(r"\b224\b", str(SIZE), cell.source)
    return nb


def run(path: Path, folder: Path) -> NotebookNode:
    """The notebook with the outputs of its full profile; raises AuthoringError if a cell does. `folder` is filled."""
    (folder / "data").mkdir()
    nb = in_full_profile(authoring.read(path), lay_out(folder / "data"))
    variables = {
        **authoring.environment(folder / "home", strict=path.parent.name == "solutions"),
        "COURSE_DATA": str(folder / "data"),
        "TORCH_HOME": str(folder / "torch"),
        "HF_HUB_OFFLINE": "1",
    }
    return authoring.run(nb, path.parent, label=f"{path}, full profile", variables=variables)


def printed(nb: NotebookNode) -> list[str]:
    """Every line that the notebook printed."""
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    return [line for output in outputs if output.output_type == "stream" for line in output.text.splitlines()]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(printed(run(Path(sys.argv[1]), Path(folder)))))
