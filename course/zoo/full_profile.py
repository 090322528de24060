"""What the full profile downloads: what it is, how large, under which licence, for which chapters; and fetching it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from course.data import downloads, hub, petfiles
from course.errors import CourseError, UnknownName
from course.models.weights import keras_weights, torchvision_weights
from course.runtime import home


@dataclass(frozen=True)
class Item:
    """One thing to download. `find(fetch=True)` is the path where it lies, fetched if need be, hashes checked.

    `find(fetch=False)` raises FileNotFoundError where nothing whole is there.
    """

    name: str
    what: str
    source: str
    chapters: str
    licence: str
    megabytes: float
    find: Callable[..., Path]

    def is_there(self) -> bool:
        """Whether it needs no download: it is in COURSE_DATA, our own folder or its library's cache, and undamaged."""
        with suppress(FileNotFoundError):
            return bool(self.find(fetch=False))
        return False


def _weights(name: str) -> Callable[..., Path]:
    """Finds the default weights of a torchvision model, by the address in its weights enum."""

    def find(*, fetch: bool = True) -> Path:
        from torchvision.models import get_model_weights

        return torchvision_weights(get_model_weights(name)["DEFAULT"].url, fetch=fetch)

    return find


OXFORD, PYTORCH, HUB, GOOGLE = "robots.ox.ac.uk", "download.pytorch.org", "huggingface.co", "storage.googleapis.com"
TORCHVISION, UNSTATED = "BSD-3-Clause (torchvision)", "not stated by its authors"
DETECTOR, SEGMENTER = "fasterrcnn_mobilenet_v3_large_320_fpn", "lraspp_mobilenet_v3_large"
CONVNEXT = hub.Repository("timm/convnext_atto.d2_in1k", "model", ("model.safetensors",))  # timm's default
# Addresses and hashes are those that torchvision, timm, Keras and the hub publish; sizes as their servers state them.
ITEMS = (
    Item("pets", "Oxford-IIIT Pet, 37 breeds", OXFORD, "02, 04-07", "CC BY-SA 4.0", 811.1, petfiles.pets_folder),
    Item("resnet50", "ResNet-50, ImageNet", PYTORCH, "01-05, 07, 09-11", TORCHVISION, 102.5, _weights("resnet50")),
    Item("detector", f"{DETECTOR}, COCO", PYTORCH, "06", TORCHVISION, 77.8, _weights(DETECTOR)),
    Item("segmenter", f"{SEGMENTER}, COCO", PYTORCH, "07", TORCHVISION, 13.1, _weights(SEGMENTER)),
    Item("reviews", "SST-2, film reviews", HUB, "08", UNSTATED, 3.2, partial(hub.snapshot, hub.REVIEWS)),
    Item("entities", "WikiANN, English", HUB, "08", UNSTATED, 2.5, partial(hub.snapshot, hub.ENTITIES)),
    Item("encoder", hub.ENCODER, HUB, "08", "Apache-2.0", 268.6, partial(hub.snapshot, hub.encoder(hub.ENCODER))),
    Item("vgg16", "VGG-16, ImageNet", PYTORCH, "09", TORCHVISION, 553.4, _weights("vgg16")),
    Item("mobilenet", "MobileNet-V3-small, ImageNet", PYTORCH, "09", TORCHVISION, 10.3, _weights("mobilenet_v3_small")),
    Item("convnext", CONVNEXT.name, HUB, "09", "Apache-2.0", 14.8, partial(hub.snapshot, CONVNEXT)),
    Item("bert", hub.BERT, HUB, "09", "Apache-2.0", 441.2, partial(hub.snapshot, hub.encoder(hub.BERT))),
    Item("roberta", hub.ROBERTA, HUB, "09", "MIT", 501.5, partial(hub.snapshot, hub.encoder(hub.ROBERTA))),
    Item("gpt2", hub.GPT2, HUB, "09", "MIT", 551.0, partial(hub.snapshot, hub.encoder(hub.GPT2))),
    Item("keras-resnet50", "ResNet50 (Keras), ImageNet", GOOGLE, "09", "MIT", 94.8, partial(keras_weights, "ResNet50")),
    Item("keras-vgg16", "VGG16 (Keras), ImageNet", GOOGLE, "09", "CC BY 4.0", 58.9, partial(keras_weights, "VGG16")),
    Item("resnet18", "ResNet-18, ImageNet", PYTORCH, "11", TORCHVISION, 46.8, _weights("resnet18")),
)


def mark() -> Path:
    """The file that makes `setup("auto")` choose the full profile."""
    return home() / "full-profile"


def chosen(names: Iterable[str] = ()) -> list[Item]:
    """The items of these names, or all of them. Raises UnknownName."""
    known = {item.name: item for item in ITEMS}
    for name in names:
        if name not in known:
            raise UnknownName.of("download", name, known)
    return [known[name] for name in names] or list(ITEMS)


def fetch(names: Iterable[str] = ()) -> list[tuple[Item, CourseError | None]]:
    """Fetch what is not there; each item with the error that kept it from coming, or None.

    One that fails does not keep the others from coming. Once nothing at all is missing the full profile is marked,
    so that `setup("auto")` chooses it.
    """
    results: list[tuple[Item, CourseError | None]] = []
    for item in chosen(names):
        try:
            item.find()
            results.append((item, None))
        except CourseError as error:
            results.append((item, error))
    fine = {item.name for item, error in results if error is None}
    if all(item.name in fine or item.is_there() for item in ITEMS):
        try:
            mark().parent.mkdir(parents=True, exist_ok=True)
            mark().touch()
        except OSError as error:
            raise downloads.cannot_store(mark(), error) from error
    return results
