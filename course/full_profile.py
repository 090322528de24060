"""What the full profile downloads: what it is, how large, under which licence, for which chapters; and fetching it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from course.data import downloads, hub, petfiles
from course.errors import CourseError, UnknownName
from course.runtime import home
from course.weights import checkpoint


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

        return checkpoint(get_model_weights(name)["DEFAULT"].url, fetch=fetch)

    return find


OXFORD, PYTORCH, HUB = "robots.ox.ac.uk", "download.pytorch.org", "huggingface.co"
TORCHVISION, UNSTATED = "BSD-3-Clause (torchvision)", "not stated by its authors"
DETECTOR, SEGMENTER = "fasterrcnn_mobilenet_v3_large_320_fpn", "lraspp_mobilenet_v3_large"
# Addresses and hashes are those that torchvision and the hub publish; sizes are as their servers state them.
ITEMS = (
    Item("pets", "Oxford-IIIT Pet, 37 breeds", OXFORD, "00-07", "CC BY-SA 4.0", 811.1, petfiles.pets_folder),
    Item("resnet50", "ResNet-50, ImageNet", PYTORCH, "01-05", TORCHVISION, 102.5, _weights("resnet50")),
    Item("detector", f"{DETECTOR}, COCO", PYTORCH, "06", TORCHVISION, 77.8, _weights(DETECTOR)),
    Item("segmenter", f"{SEGMENTER}, COCO", PYTORCH, "07", TORCHVISION, 13.1, _weights(SEGMENTER)),
    Item("reviews", "SST-2, film reviews", HUB, "08", UNSTATED, 3.2, partial(hub.snapshot, hub.REVIEWS)),
    Item("entities", "WikiANN, English", HUB, "08", UNSTATED, 2.5, partial(hub.snapshot, hub.ENTITIES)),
    Item("encoder", hub.ENCODER, HUB, "08", "Apache-2.0", 268.6, partial(hub.snapshot, hub.encoder(hub.ENCODER))),
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
