"""Run a notebook's full profile without a network and without a GPU, on stand-ins for what it would download.

`python -m tests.full_profile solutions/02_freeze_the_backbone.ipynb` runs every cell, exercises and checks included.
What stands in, and what is left as it is:

- COURSE_DATA holds what `course.zoo.full_profile.DOWNLOADS` says the chapter needs, and nothing else, in the layouts of
  the libraries that read it: the pets are small patches of colour, texts our own sentences, models random (text models
  narrow too, see `standin_models.py`);
- torchvision's enums and `course.models.weights` are told the names and hashes of these files, and check them as
  always;
- pictures of 224 pixels become 32 (64 to be segmented), those of 320 become 96, and all are fewer, so that a CPU gets
  through;
- everything else is the notebook's own code under PROFILE = "full".

So the run says that the code works from end to end. Random weights and patches say nothing about accuracy, and claims
about it may come out either way.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from nbformat import NotebookNode

from course import authoring
from course.data import huggingface, sentences, text_datasets
from course.errors import SetupError
from course.models import weights
from course.zoo.full_profile import CONVNEXT, DETECTOR, DOWNLOADS, LARGE_DETECTOR, SEGMENTER
from tests import standin_models as models
from tests.standins import entities_file, lay_out_pets, lay_out_repository, reviews_file


def reviews() -> dict[str, bytes]:
    """SST-2's files, with 64 of our own opinions a split."""
    drawn = {"train": sentences.sentiments("train", 64), "validation": sentences.sentiments("test", 64)}
    name = "data/{}-00000-of-00001.parquet"
    return {name.format(split): reviews_file(data.texts, data.labels.tolist()) for split, data in drawn.items()}


def entities() -> dict[str, bytes]:
    """WikiANN's files, with 48 of our own sentences a split."""
    drawn = {split: sentences.entities(split, 48) for split in ("train", "test")}
    name = "en/{}-00000-of-00001.parquet"
    return {name.format(split): entities_file(data.words, data.tags) for split, data in drawn.items()}


BREEDS = (
    "Abyssinian", "american_bulldog", "Bengal", "beagle", "Birman", "boxer", "Bombay", "chihuahua", "Persian", "pug",
)  # fmt: skip
SMALLER = {  # pixels; scenes; pictures a class; rounds
    "224": "32", "256": "48", "320": "96", "1500": "60", "800": "60", "500": "30", "400": "60",
    "40": "10", "20": "10", "60": "2",
}  # fmt: skip
# a mask must be a few hundred pixels; there are twelve pets of each breed
OTHERS = {"07": {"224": "64", "800": "40", "200": "20"}, "02": {"25": "10"}}
CHECKPOINTS = {
    "resnet50": "resnet50", "detector": DETECTOR, "large-detector": LARGE_DETECTOR, "segmenter": SEGMENTER,
    "vgg16": "vgg16", "resnet18": "resnet18", "mobilenet": "mobilenet_v3_small",
}  # fmt: skip
KERAS = {"keras-resnet50": "ResNet50", "keras-vgg16": "VGG16"}
REPOSITORIES = {
    "reviews": (text_datasets.REVIEWS, reviews),
    "entities": (text_datasets.ENTITIES, entities),
    "encoder": (huggingface.encoder_repository(huggingface.ENCODER), models.distilbert),
    "cased-encoder": (huggingface.encoder_repository(huggingface.CASED), models.distilbert),
    "bert": (huggingface.encoder_repository(huggingface.BERT), models.bert),
    "roberta": (huggingface.encoder_repository(huggingface.ROBERTA), models.roberta),
    "gpt2": (huggingface.encoder_repository(huggingface.GPT2), models.gpt2),
    "convnext": (CONVNEXT, lambda: models.timm_files("convnext_atto")),
}
TELL = """

from torchvision.models import get_model_weights

from course.models import weights

for name, url in {urls!r}.items():
    get_model_weights(name).DEFAULT.value.url = url
weights.KERAS = {keras!r}
"""


def needs(chapter: str) -> list[str]:
    """The names of the items that a chapter ("09") needs, as `course fetch --list` shows it."""
    spans = {item.name: [part.split("-") for part in item.chapters.split(", ")] for item in DOWNLOADS}
    return [name for name, parts in spans.items() if any(part[0] <= chapter <= part[-1] for part in parts)]


def lay_out(folder: Path, names: Iterable[str], size: int = models.SIZE) -> str:
    """Stand-ins for these items in a folder to be used as COURSE_DATA; returns the code that tells a kernel of them.

    Classifiers fit pictures of `size` pixels. Without TensorFlow there are none for Keras's, and nobody needs them.
    """
    urls, keras = {}, dict(weights.KERAS)
    for name in names:
        torch.manual_seed(0)
        if name == "pets":
            lay_out_pets(folder, breeds=BREEDS, per_breed=10, side=48)
        elif name in CHECKPOINTS:
            file = models.checkpoint(folder / "checkpoints", CHECKPOINTS[name], size)
            urls[CHECKPOINTS[name]] = f"http://127.0.0.1:9/{file}"  # nobody listens there
        elif name in KERAS:
            file, _ = keras[KERAS[name]]
            with suppress(SetupError):
                keras[KERAS[name]] = file, models.keras_file(folder / "keras", KERAS[name], file)
        else:
            repository, files = REPOSITORIES[name]
            lay_out_repository(folder / "hub", f"{repository.kind}s", repository.name, files())
    return TELL.format(urls=urls, keras=keras)


def in_full_profile(nb: NotebookNode, tell: str, smaller: Mapping[str, str]) -> NotebookNode:
    """The notebook with PROFILE = "full", smaller numbers, and a setup that runs `tell` too; changed in place."""
    for cell in nb.cells:
        if cell.id == "parameters":
            cell.source = 'PROFILE = "full"\nSEED = 0'
        elif cell.id == "setup":
            cell.source += tell
        elif cell.cell_type == "code" and "runtime.is_full" in cell.source:
            cell.source = re.sub(r"\b\d+\b", lambda number: smaller.get(number[0], number[0]), cell.source)
    return nb


def prepared(path: Path, folder: Path) -> tuple[NotebookNode, dict[str, str]]:
    """The notebook as its full profile is to be run, and the variables of its kernel. `folder` is filled."""
    (folder / "data").mkdir()
    chapter = path.name[:2]
    tell = lay_out(folder / "data", needs(chapter))
    nb = in_full_profile(authoring.read(path), tell, SMALLER | OTHERS.get(chapter, {}))
    variables = {
        **authoring.environment(folder / "home", strict=path.parent.name == "solutions"),
        "COURSE_DATA": str(folder / "data"),
        "TORCH_HOME": str(folder / "torch"),
        "HF_HUB_OFFLINE": "1",
    }
    return nb, variables


def run(path: Path, folder: Path) -> NotebookNode:
    """The notebook with the outputs of its full profile; raises AuthoringError if a cell does. `folder` is filled."""
    nb, variables = prepared(path, folder)
    return authoring.run(nb, path.parent, label=f"{path}, full profile", variables=variables)


def printed(nb: NotebookNode) -> list[str]:
    """Every line that the notebook printed."""
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    return [line for output in outputs if output.output_type == "stream" for line in output.text.splitlines()]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(printed(run(Path(sys.argv[1]), Path(folder)))))
