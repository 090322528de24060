"""The capstone's hand-in: a classifier of pictures as one file of plain numbers, and a model card.

`capstone.safetensors` contains the weights, and in its metadata everything needed to use them, as strings: "format",
"model" (one of `ARCHITECTURES`), "classes" (JSON, a list) and "preprocessing" (JSON, as in a predictor's config.json).
`capstone.md` is the card. Nothing in either is ever run, by you or by the grader: the architecture is built by its
name, and the file is read as numbers. `read_hand_in` refuses what the grader refuses, with the same messages.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors

from course.applications.predictor import Predictor, check_classes, fresh_model, read_preprocessing
from course.applications.preprocessing import Preprocessing
from course.capstone.model_card import MAX_CARD, ModelCard, read_card
from course.errors import ModelError, UnknownName, WeightsCorrupt, WeightsError, WeightsMissing
from course.files import replacing
from course.models.freezing import evaluating
from course.zoo.safetensors_header import AGAIN, describe_mismatch, read_header

FORMAT = "pretrained-course capstone 1"
WEIGHTS, CARD = "capstone.safetensors", "capstone.md"
ARCHITECTURES = ("efficientnet_lite0", "mobilenet_v3_large", "resnet18", "convnext_atto", "vit_tiny_patch16_224")
MAX_BYTES = 50 * 2**20  # of the file: the largest architecture has 43 MiB, and submission systems accept 50 or more
MAX_CLASSES, MAX_NAME_LENGTH = 200, 80
MAX_CROP, MAX_RESIZE = 224, 512  # pixels of a side, so that grading takes limited time
_DTYPES = {torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True)
class HandIn:
    """The content of a hand-in: the classifier and the card; `gaps` says what the card lacks, one line each."""

    predictor: Predictor
    card: ModelCard
    gaps: tuple[str, ...]

    def __str__(self) -> str:
        about = self.predictor
        height, width = about.preprocessing.crop
        first = (
            f"{WEIGHTS}: {about.origin.name}, {len(about.classes)} classes, pictures of {width} x {height}: it loads"
        )
        return "\n".join(
            [first, *(f"{CARD}: {gap}" for gap in self.gaps)] if self.gaps else [first, f"{CARD}: complete"]
        )


def hand_in(predictor: Predictor, folder: str | Path, card: ModelCard) -> HandIn:
    """Writes `capstone.safetensors` and `capstone.md` into the folder; returns what the grader will read there.

    The model is one of ARCHITECTURES with another head, on any device, in any precision. Weights that were there before
    are replaced; a different card is renamed to `capstone-earlier-1.md`, with a printed line. Raises UnknownName for
    another architecture, ModelError for anything but a Predictor and a card, or if more than the head was changed
    (merge LoRA, remove wrappers), WeightsError for weights that are not finite, all before anything is written;
    CannotWrite if the disk is full, for example.
    """
    if not isinstance(predictor, Predictor) or not isinstance(card, ModelCard):
        raise ModelError(
            "hand_in(predictor, folder, card) takes a Predictor(model, classes, transform) and a ModelCard(...); "
            f"it got {type(predictor).__name__} and {type(card).__name__}"
        )
    name, preprocessing = predictor.origin.name, predictor.preprocessing
    check_architecture(name)
    state = {key: _as_plain_tensor(tensor) for key, tensor in predictor.model.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "model": name,
        "classes": json.dumps(predictor.classes, ensure_ascii=False),
        "preprocessing": json.dumps(asdict(preprocessing)),
    }
    content = format_tensors(state, metadata=metadata)
    read_predictor(content, "this model")
    height, width = preprocessing.crop
    facts = {
        "Architecture": name,
        "Classes": ", ".join(predictor.classes),
        "Pictures": f"{width} x {height} pixels",
        "Weights": f"{WEIGHTS}, plain numbers without code",
    }
    folder = Path(folder)
    text = card.markdown(f"Model card: {name} for {len(predictor.classes)} classes of pictures", facts)
    _keep_other_card(folder, text)
    for file, written in ((WEIGHTS, content), (CARD, text.encode())):
        with replacing(folder / file, parents=True) as unfinished:
            unfinished.write_bytes(written)
    return read_hand_in(folder)


def _keep_other_card(folder: Path, text: str) -> None:
    """Rename a card with another content: it may have been written by hand."""
    card = folder / CARD
    if card.is_file() and card.read_bytes() != text.encode():
        names = (folder / f"capstone-earlier-{number}.md" for number in count(1))
        kept = next(name for name in names if not name.exists())
        card.rename(kept)
        print(f"the folder had another card; it was renamed to {kept.name}")


def read_hand_in(path: str | Path) -> HandIn:
    """The hand-in in a folder with both files, or in a weight file with the card beside it, as the grader reads it.

    Raises WeightsMissing without the weight file, and the errors of `read_predictor`. A missing or incomplete card is
    not an error: it is reported in `gaps`.
    """
    path = Path(path)
    weights = path / WEIGHTS if path.is_dir() else path
    try:
        with weights.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsMissing(f"{weights} cannot be read ({error.strerror}); check the path") from error
    predictor = read_predictor(content, weights.name)
    beside = weights.with_suffix(".md")
    try:
        with beside.open("rb") as file:
            return HandIn(predictor, *read_card_file(file.read(MAX_CARD + 1)))
    except OSError:
        return HandIn(predictor, ModelCard(), (f"there is no model card {beside.name} beside {weights.name}",))


def read_card_file(content: bytes) -> tuple[ModelCard, tuple[str, ...]]:
    """The card in the bytes of a file, and what it lacks."""
    if len(content) > MAX_CARD:
        return ModelCard(), (f"the card has over {MAX_CARD // 2**10} KiB; a page or two is enough",)
    card = read_card(content.decode("utf-8", errors="replace"))
    return card, tuple(card.gaps())


def read_predictor(content: bytes, name: str) -> Predictor:
    """The classifier in the bytes of a weight file, on the CPU; `name` is what messages call the file.

    The header is checked before any tensor is created, and each tensor against the architecture before it is used.
    Raises WeightsCorrupt for a damaged file or one of another kind, UnknownName for another architecture, and
    WeightsError for weights that don't fit it, are not finite, or don't accept pictures of the size in the metadata.
    """
    if len(content) > MAX_BYTES:
        raise WeightsCorrupt(
            f"{name} is larger than {MAX_BYTES // 2**20} MiB, more than any architecture of the capstone; {AGAIN}"
        )
    header = read_header(io.BytesIO(content), name)
    architecture, classes, preprocessing = hand_in_metadata(header.metadata, name)
    model: Any = fresh_model(architecture, len(classes))
    wanted = {key: f"{_DTYPES[tensor.dtype]} {tuple(tensor.shape)}" for key, tensor in model.state_dict().items()}
    problem = describe_mismatch({key: f"{kind} {shape}" for key, (kind, shape) in header.tensors.items()}, wanted)
    if problem:
        raise WeightsError(
            f"the weights in {name} are not those of {architecture} with {len(classes)} classes: {problem}; only the "
            "head may differ from what load_backbone returns (merge LoRA, remove wrappers)"
        )
    try:
        state = parse_tensors(content)
    except SafetensorError as error:
        raise WeightsCorrupt(f"{name} is damaged ({error}); {AGAIN}") from error
    broken = [key for key, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise WeightsError(
            f"{name} holds NaN or infinity in {len(broken)} of its {len(state)} tensors, first in {broken[0]}: the "
            "training diverged; train again with a lower learning rate"
        )
    model.load_state_dict(state)
    predictor = Predictor(model, classes, preprocessing)
    _check_forward(predictor, name)
    return predictor


def check_architecture(name: str) -> str:
    """The name itself; UnknownName unless it is one of ARCHITECTURES."""
    if name not in ARCHITECTURES:
        raise UnknownName(f"a capstone is one of {', '.join(ARCHITECTURES)}, not {name[:80]!r}; fine-tune one of these")
    return name


def hand_in_metadata(metadata: Mapping[str, str], name: str) -> tuple[str, tuple[str, ...], Preprocessing]:
    """(architecture, classes, preprocessing) from the checked metadata of the file `name`. Raises WeightsCorrupt."""
    try:
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r:.80}, not {FORMAT!r}")
        classes = check_classes(json.loads(metadata["classes"]))
        if len(classes) > MAX_CLASSES or max(map(len, classes)) > MAX_NAME_LENGTH:
            raise ValueError(f"over {MAX_CLASSES} classes, or a name of over {MAX_NAME_LENGTH} characters")
        preprocessing = read_preprocessing(json.loads(metadata["preprocessing"]))
        if max(preprocessing.crop) > MAX_CROP or max(preprocessing.resize) > MAX_RESIZE:
            raise ValueError(f"pictures of {preprocessing.crop} pixels; {MAX_CROP} is the limit")
        architecture = metadata["model"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ModelError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)[:300]
        raise WeightsCorrupt(f"{name} is not what hand_in writes ({reason}); {AGAIN}") from error
    return check_architecture(architecture), classes, preprocessing


def _check_forward(predictor: Predictor, name: str) -> None:
    """Raises WeightsError unless the model accepts a picture of the stated size and its output is finite."""
    grey = torch.zeros(1, 3, *predictor.preprocessing.crop)
    with evaluating(predictor.model), torch.inference_mode():
        try:
            output = predictor.model(grey)
        except (AssertionError, RuntimeError, ValueError) as error:  # a ViT accepts one size
            raise WeightsError(
                f"{name}: {predictor.origin.name} does not accept pictures of {predictor.preprocessing.crop} pixels "
                f"({str(error)[:120]}); use image_transform(model) at the size that the model was made for"
            ) from error
    if not bool(output.isfinite().all()):
        raise WeightsError(
            f"{name}: its output for a grey picture holds NaN or infinity; train again with a lower learning rate"
        )


def _as_plain_tensor(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous().clone()
