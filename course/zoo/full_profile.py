"""What the full profile downloads: sizes, licences, chapters; and the download itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from course.data import downloads, huggingface, pet_files, text_datasets
from course.errors import CourseError, UnknownName
from course.models.weights import keras_weights, torchvision_weights
from course.runtime import home


@dataclass(frozen=True)
class Download:
    """A data set or a model to download. `find(fetch=True)` is its path, downloaded if need be and its hash checked.

    `find(fetch=False)` raises FileNotFoundError if there is no complete copy.
    """

    name: str
    what: str
    source: str
    chapters: str
    licence: str
    megabytes: float
    find: Callable[..., Path]

    def is_there(self) -> bool:
        """True if an undamaged copy is in COURSE_DATA, our own folder or its library's cache."""
        with suppress(FileNotFoundError):
            return bool(self.find(fetch=False))
        return False


def _weights(name: str) -> Callable[..., Path]:
    """Finds the default weights of a torchvision model, by the URL in its weights enum."""

    def find(*, fetch: bool = True) -> Path:
        from torchvision.models import get_model_weights

        return torchvision_weights(get_model_weights(name)["DEFAULT"].url, fetch=fetch)

    return find


def _repository(repository: huggingface.Repository) -> Callable[..., Path]:
    return partial(huggingface.snapshot, repository)


def _encoder(name: str) -> Callable[..., Path]:
    return _repository(huggingface.encoder_repository(name))


def _keras(name: str) -> Callable[..., Path]:
    return partial(keras_weights, name)


OXFORD, PYTORCH, HUB, GOOGLE = "robots.ox.ac.uk", "download.pytorch.org", "huggingface.co", "storage.googleapis.com"
TORCHVISION, UNSTATED = "BSD-3-Clause (torchvision)", "not stated by its authors"
DETECTOR, SEGMENTER = "fasterrcnn_mobilenet_v3_large_320_fpn", "lraspp_mobilenet_v3_large"
LARGE_DETECTOR = "fasterrcnn_resnet50_fpn_v2"
CONVNEXT = huggingface.Repository("timm/convnext_atto.d2_in1k", "model", ("model.safetensors",))  # timm's default
# URLs and hashes are those that torchvision, timm, Keras and the hub publish; sizes are those their servers report.
DOWNLOADS = (
    Download("pets", "Oxford-IIIT Pet, 37 breeds", OXFORD, "02, 04-07", "CC BY-SA 4.0", 811.1, pet_files.pets_folder),
    Download("resnet50", "ResNet-50, ImageNet", PYTORCH, "01-05, 07, 09-11", TORCHVISION, 102.5, _weights("resnet50")),
    Download("detector", f"{DETECTOR}, COCO", PYTORCH, "06", TORCHVISION, 77.8, _weights(DETECTOR)),
    Download("large-detector", f"{LARGE_DETECTOR}, COCO", PYTORCH, "06", TORCHVISION, 175.2, _weights(LARGE_DETECTOR)),
    Download("segmenter", f"{SEGMENTER}, COCO", PYTORCH, "07", TORCHVISION, 13.1, _weights(SEGMENTER)),
    Download("reviews", "SST-2, film reviews", HUB, "08", UNSTATED, 3.2, _repository(text_datasets.REVIEWS)),
    Download("entities", "WikiANN, English", HUB, "08", UNSTATED, 2.5, _repository(text_datasets.ENTITIES)),
    Download("encoder", huggingface.ENCODER, HUB, "08", "Apache-2.0", 268.6, _encoder(huggingface.ENCODER)),
    Download("cased-encoder", huggingface.CASED, HUB, "08", "Apache-2.0", 263.9, _encoder(huggingface.CASED)),
    Download("vgg16", "VGG-16, ImageNet", PYTORCH, "09", TORCHVISION, 553.4, _weights("vgg16")),
    Download(
        "mobilenet", "MobileNet-V3-small, ImageNet", PYTORCH, "09", TORCHVISION, 10.3, _weights("mobilenet_v3_small")
    ),
    Download("convnext", CONVNEXT.name, HUB, "09", "Apache-2.0", 14.8, _repository(CONVNEXT)),
    Download("bert", huggingface.BERT, HUB, "09", "Apache-2.0", 441.2, _encoder(huggingface.BERT)),
    Download("roberta", huggingface.ROBERTA, HUB, "09", "MIT", 501.5, _encoder(huggingface.ROBERTA)),
    Download("gpt2", huggingface.GPT2, HUB, "09", "MIT", 551.0, _encoder(huggingface.GPT2)),
    Download("keras-resnet50", "ResNet50 (Keras), ImageNet", GOOGLE, "09", "MIT", 94.8, _keras("ResNet50")),
    Download("keras-vgg16", "VGG16 (Keras), ImageNet", GOOGLE, "09", "CC BY 4.0", 58.9, _keras("VGG16")),
    Download("resnet18", "ResNet-18, ImageNet", PYTORCH, "11", TORCHVISION, 46.8, _weights("resnet18")),
)


def marker_path() -> Path:
    """The marker file that makes `setup("auto")` choose the full profile."""
    return home() / "full-profile"


def select(names: Iterable[str] = ()) -> list[Download]:
    """The items of these names, or all of them. Raises UnknownName."""
    known = {item.name: item for item in DOWNLOADS}
    for name in names:
        if name not in known:
            raise UnknownName.of("download", name, known)
    return [known[name] for name in names] or list(DOWNLOADS)


def fetch(names: Iterable[str] = ()) -> list[tuple[Download, CourseError | None]]:
    """Fetch what is not there; each item with the error that kept it from coming, or None.

    A failure does not stop the others. Once nothing is missing, a marker file is written, so that `setup("auto")`
    chooses the full profile.
    """
    results: list[tuple[Download, CourseError | None]] = []
    for item in select(names):
        try:
            item.find()
            results.append((item, None))
        except CourseError as error:
            results.append((item, error))
    fine = {item.name for item, error in results if error is None}
    if all(item.name in fine or item.is_there() for item in DOWNLOADS):
        try:
            marker_path().parent.mkdir(parents=True, exist_ok=True)
            marker_path().touch()
        except OSError as error:
            raise downloads.cannot_store(marker_path(), error) from error
    return results
