"""A probe on real photographs at 224 pixels: seconds and accuracy on a folder in ImageFolder layout.

`python -m tests.benchmarks real_photos PATH`: PATH holds train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg alone;
of those, two in five of each class are then drawn to test on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Dataset, Subset

from course.data.pictures import PictureFolder
from course.errors import EmptyData
from course.models.backbones import image_transform, load_backbone
from course.training.features import extract_features
from tests.benchmarks import Figure

USAGE = (
    "python -m tests.benchmarks real_photos PATH, where PATH holds train/CLASS/*.jpg and val/CLASS/*.jpg, such as the "
    "ants-and-bees folder (hymenoptera_data) of the PyTorch transfer-learning tutorial, or CLASS/*.jpg alone"
)


def measure(path: str = "") -> Figure:
    if not path:
        raise SystemExit(f"real_photos needs a folder of photographs: {USAGE}")
    start = time.perf_counter()
    model = load_backbone()
    try:
        data = split(Path(path), image_transform(model))
    except (EmptyData, ValueError) as error:
        raise SystemExit(f"real_photos: {error}\n{USAGE}") from error
    train, val = (extract_features(model, part, cache=False) for part in data)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    probe.fit(train.x.numpy(), train.y.numpy())
    accuracy = probe.score(val.x.numpy(), val.y.numpy())
    seconds = time.perf_counter() - start
    error = math.sqrt(accuracy * (1 - accuracy) / len(val))
    notes = (
        f"{len(train)} photographs to train on, {len(val)} to test on, {torch.get_num_threads()} threads",
        f"real_photos: {accuracy:.3f} accuracy, standard error {error:.3f} (bar 0.94)",
    )
    return Figure(seconds, "s, loading the model included", "20", notes)


def split(folder: Path, transform: Callable) -> tuple[Dataset, Dataset]:
    """The photographs to train on and to test on; ValueError if there are fewer than two classes, or not the same."""
    if (folder / "train").is_dir() or (folder / "val").is_dir():
        train, val = (PictureFolder(folder / part, transform=transform) for part in ("train", "val"))
        if train.classes != val.classes or len(train.classes) < 2:
            raise ValueError(f"{folder} has the classes {train.classes} in train, {val.classes} in val")
        return train, val
    whole = PictureFolder(folder, transform=transform)
    if len(whole.classes) < 2:
        raise ValueError(f"{folder} has the class {whole.classes[0]} alone")
    chosen = train_test_split(range(len(whole)), test_size=0.4, stratify=whole.labels, random_state=0)
    return Subset(whole, chosen[0]), Subset(whole, chosen[1])
