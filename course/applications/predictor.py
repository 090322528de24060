"""A classifier to share: pictures in, class names and probabilities out; saved as plain data, exported to ONNX."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import nn

from course.applications.onnx_export import export_onnx
from course.applications.preprocessing import Preprocessing, check_preprocessing
from course.data.picture_files import open_picture, to_rgb
from course.errors import DataError, ModelError, WeightsCorrupt, WeightsError, WeightsMissing
from course.files import replacing
from course.models.backbones import image_transform, load_backbone, origin_of
from course.models.factory import Origin
from course.models.freezing import evaluating
from course.models.heads import find_head
from course.zoo.safetensors_header import describe_mismatch, shapes

FORMAT = "pretrained-course predictor 1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
Picture: TypeAlias = str | Path | BinaryIO | Image.Image


@dataclass(frozen=True, repr=False)
class Predictions:
    """A predictor's output for N pictures, in their order: `labels` (N,) int64 and `probabilities` (N, classes)."""

    labels: torch.Tensor
    probabilities: torch.Tensor
    classes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The class name of each picture."""
        return [self.classes[label] for label in self.labels]

    @property
    def confidence(self) -> torch.Tensor:
        """(N,): the probability of the predicted class."""
        return self.probabilities.amax(1)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Predictions({len(self)} pictures, classes {', '.join(self.classes)})"


class Predictor:
    """A fine-tuned model with everything it needs: its class names, and the preprocessing that it was trained with.

    `model` comes from `load_backbone`, and only its head was replaced; `classes` are the names of its outputs in order;
    `transform` is its `image_transform`, at the size it was trained with. The model is not copied or moved to another
    device. Raises ModelError if there are not as many names as outputs, or two equal names.
    """

    def __init__(self, model: nn.Module, classes: Sequence[str], transform: Callable | None = None) -> None:
        self.model, self.classes = model, check_classes(classes)
        self.origin: Origin = origin_of(model)
        self.preprocessing = Preprocessing.of(image_transform(model) if transform is None else transform)
        head: Any = find_head(model).module
        outputs = head.weight.shape[0]
        if outputs != len(self.classes):
            raise ModelError(
                f"the model's head has {outputs} outputs and there are {len(self.classes)} class names; give the names "
                "of the data set that it was trained on, in its order (data.classes)"
            )

    def __repr__(self) -> str:
        return f"Predictor({self.origin.name}: {', '.join(self.classes)})"

    def predict(self, pictures: Iterable[Picture], *, batch_size: int = 32) -> Predictions:
        """The `Predictions` for these pictures, in their order: paths, open files or PIL pictures of any size and mode.

        They are read when they are needed, `batch_size` at a time. The model runs in eval mode without gradients; its
        mode is restored. Raises BadPicture for a file that is not a picture, DataError for any other object.
        """
        if isinstance(pictures, (str, Path, Image.Image)) or hasattr(pictures, "read"):
            raise DataError("predict takes a list of pictures; for one picture, pass a list of one: predict([picture])")
        parameter = next(self.model.parameters())
        parts = [torch.empty(0, len(self.classes))]
        with evaluating(self.model), torch.inference_mode():
            for batch in _batches(pictures, batch_size):
                x = torch.stack([self.preprocessing(as_picture(picture)) for picture in batch])  # (B, 3, H, W)
                x = x.to(parameter.device, parameter.dtype, memory_format=torch.channels_last)
                parts.append(self.model(x).float().softmax(1).cpu())
        probabilities = torch.cat(parts)  # outside inference mode, so that autograd may use them
        return Predictions(probabilities.argmax(1), probabilities, self.classes)

    def save(self, folder: str | Path) -> Path:
        """The folder, created if necessary, with `config.json` and `model.safetensors`: plain data, no code, no pickle.

        A predictor that was saved there before is replaced. Raises ModelError if more than the head was changed, and
        CannotWrite, if the disk is full for example.
        """
        state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.model.state_dict().items()}
        name = ("timm/" if self.origin.library == "timm" else "") + self.origin.name
        problem = describe_mismatch(shapes(state), shapes(fresh_model(name, len(self.classes)).state_dict()))
        if problem:
            raise ModelError(
                f"this model is not {name} with another head: {problem}; merge adapters (LoRA) and remove wrappers, "
                "then save it"
            )
        content = format_tensors(state)
        config = {
            "format": FORMAT,
            "model": name,
            "classes": self.classes,
            "preprocessing": asdict(self.preprocessing),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        folder = Path(folder)
        text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
        for file, written in ((WEIGHTS, content), (CONFIG, text.encode())):
            with replacing(folder / file, parents=True) as unfinished:
                unfinished.write_bytes(written)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Predictor:
        """The predictor that was saved in this folder, on the CPU. Nothing in the folder is ever run as code.

        Raises WeightsMissing if a file is not there, WeightsCorrupt if one is damaged or of another kind, UnknownName
        for a model that the installed libraries don't have, and WeightsError for weights of another architecture or
        another number of classes, or that are not finite.
        """
        folder = Path(folder)
        config = read_config(folder / CONFIG)
        content = _read(folder / WEIGHTS)
        state = _parse(folder / WEIGHTS, content, config["sha256"])
        model = fresh_model(config["model"], len(config["classes"]))
        problem = describe_mismatch(shapes(state), shapes(model.state_dict()))
        if problem:
            raise WeightsError(
                f"the weights in {folder} are not those of {config['model']} with {len(config['classes'])} classes: "
                f"{problem}; use {CONFIG} and {WEIGHTS} from the same save"
            )
        broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
        if broken:
            raise WeightsError(
                f"{folder / WEIGHTS} holds NaN or infinity in {len(broken)} of its {len(state)} tensors, first in "
                f"{broken[0]}: the training diverged; train again with a lower learning rate, and save again"
            )
        model.load_state_dict(state)
        return cls(model, config["classes"], config["preprocessing"])

    def export_onnx(self, path: str | Path) -> float:
        """Writes an ONNX file; returns the largest difference between its logits and the model's, at most 1e-4.

        The difference is relative to the largest logit, or to 1 if all logits are smaller. Input "pictures" (any batch,
        3, H, W), preprocessed; output "logits" (batch, classes). Class names and preprocessing are in the file's
        metadata, as JSON. Raises ModelError if the outputs are not equal.
        """
        metadata = {"classes": self.classes, "preprocessing": asdict(self.preprocessing)}
        return export_onnx(self.model, path, self.preprocessing.crop, metadata)


def check_classes(classes: Any) -> tuple[str, ...]:
    """The class names as a tuple; ModelError unless they are two or more strings, none empty, no two equal."""
    names = tuple(classes) if isinstance(classes, (list, tuple)) else ()
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ModelError(f"class names are two or more different strings, not {classes!r:.200}")
    return names


def fresh_model(name: str, num_classes: int) -> nn.Module:
    """The architecture with a head for that many classes and random weights; global generators are restored."""
    with torch.random.fork_rng(devices=[]):
        return load_backbone(name, weights=None, num_classes=num_classes)


def as_picture(picture: Any) -> Image.Image:
    """The picture as RGB, upright, from a path, an open file or a PIL picture."""
    if isinstance(picture, Image.Image):
        return to_rgb(ImageOps.exif_transpose(picture))
    if isinstance(picture, (str, Path)) or hasattr(picture, "read"):
        return open_picture(picture)
    raise DataError(
        f"a picture is a path, an open file or a PIL picture, not a {type(picture).__name__}; the predictor does the "
        "preprocessing itself"
    )


def read_config(path: Path) -> dict[str, Any]:
    """The checked content of a predictor's config.json, its preprocessing as a `Preprocessing`."""
    try:
        config = json.loads(_read(path))
        if config["format"] != FORMAT:
            raise ValueError(f"its format is {config['format']!r:.100}, not {FORMAT!r}")
        config["classes"] = check_classes(config["classes"])
        config["preprocessing"] = read_preprocessing(config["preprocessing"])
        if not isinstance(config["model"], str) or not isinstance(config["sha256"], str):
            raise ValueError("model and sha256 must be strings")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ModelError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise WeightsCorrupt(
            f"{path} is not what Predictor.save wrote ({reason[:300]}); save the predictor again"
        ) from error
    return config


def read_preprocessing(numbers: Any) -> Preprocessing:
    """The checked `Preprocessing` from its JSON form. Raises ValueError, TypeError or AttributeError."""
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in numbers.items()}
    return check_preprocessing(Preprocessing(**given))


def _parse(path: Path, content: bytes, expected: str) -> dict[str, torch.Tensor]:
    advice = "copy the file again from where it was saved"
    found = hashlib.sha256(content).hexdigest()
    try:
        state = parse_tensors(content)
    except SafetensorError as error:
        raise WeightsCorrupt(
            f"{path} is truncated or not a safetensors file ({error}); nothing in it was run; {advice}"
        ) from error
    if found != expected:
        raise WeightsCorrupt(f"{path} has sha256 {found[:8]}…, not {expected[:8]}… as {CONFIG} says; {advice}")
    return state


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsMissing(
            f"{path} cannot be read ({error.strerror}); give the folder that Predictor.save wrote, with {CONFIG} and "
            f"{WEIGHTS} in it"
        ) from error


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
