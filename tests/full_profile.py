"""Run a notebook's full profile without a network and without a GPU, on stand-ins for what it would download.

`python -m tests.full_profile solutions/02_freeze_the_backbone.ipynb` runs every cell, exercises and checks included.
What stands in, and what is left as it is:

- the pets are a few small patches of colour in torchvision's layout, in COURSE_DATA;
- torchvision's models have random weights, ResNet-50 with BatchNorm statistics that fit them, in files of torch.hub's
  layout whose names carry their own hashes, and torchvision's enums are told these names: the loader finds the files
  and checks their hashes as always;
- pictures of 224 pixels become 32, those of 320 become 96, and all are fewer, so that a CPU gets through;
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
MORE = {"06": "fasterrcnn_mobilenet_v3_large_320_fpn", "07": "lraspp_mobilenet_v3_large"}  # beside ResNet-50
SMALLER = {  # pixels; scenes; pictures a class; rounds
    "224": str(SIZE), "256": "48", "320": "96", "1500": "60", "800": "60", "500": "30", "400": "30",
    "40": "10", "20": "10", "60": "2",
}  # fmt: skip
TELL = """

from torchvision.models import get_model_weights

for name, url in {urls!r}.items():
    get_model_weights(name).DEFAULT.value.url = url
"""


def lay_out(folder: Path, chapter: str) -> dict[str, str]:
    """Stand-ins for pets and models in a folder to be used as COURSE_DATA; returns the models' addresses by name."""
    lay_out_pets(folder, breeds=BREEDS, per_breed=10, side=48)
    (folder / "checkpoints").mkdir()
    models = {"resnet50": random_resnet()}
    if more := MORE.get(chapter):
        models[more] = get_model(more, weights=None, weights_backbone=None)
    urls = {}
    for name, model in models.items():
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        path = folder / "checkpoints" / f"{name}-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
        path.write_bytes(file.getvalue())
        urls[name] = f"http://127.0.0.1:9/{path.name}"  # nobody listens there
    return urls


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


def in_full_profile(nb: NotebookNode, urls: dict[str, str]) -> NotebookNode:
    """The notebook with PROFILE = "full", small pictures, and the addresses of stand-in weights; changed in place."""
    for cell in nb.cells:
        if cell.id == "parameters":
            cell.source = 'PROFILE = "full"\nSEED = 0'
        elif cell.id == "setup":
            cell.source += TELL.format(urls=urls)
        elif cell.cell_type == "code" and "runtime.is_full" in cell.source:
            cell.source = re.sub(r"\b\d+\b", lambda number: SMALLER.get(number[0], number[0]), cell.source)
    return nb


def run(path: Path, folder: Path) -> NotebookNode:
    """The notebook with the outputs of its full profile; raises AuthoringError if a cell does. `folder` is filled."""
    (folder / "data").mkdir()
    nb = in_full_profile(authoring.read(path), lay_out(folder / "data", path.name[:2]))
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
