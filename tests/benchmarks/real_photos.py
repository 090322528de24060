"""A probe on real photographs at 224 pixels: seconds and accuracy on a folder in ImageFolder layout.

`python -m tests.benchmarks real_photos PATH`: PATH holds train/CLASS/*.jpg and val/CLASS/*.jpg.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course.data.pictures import PictureFolder
from course.features import extract_features
from course.models import image_transform, load_backbone
from tests.benchmarks import Figure

USAGE = (
    "real_photos needs a folder: python -m tests.benchmarks real_photos PATH, where PATH holds train/CLASS/*.jpg and "
    "val/CLASS/*.jpg, such as the ants-and-bees folder (hymenoptera_data) of the PyTorch transfer-learning tutorial"
)


def measure(path: str = "") -> Figure:
    folder = Path(path)
    if not path or not all((folder / split).is_dir() for split in ("train", "val")):
        raise SystemExit(USAGE)
    start = time.perf_counter()
    model = load_backbone()
    transform = image_transform(model)
    train, val = (
        extract_features(model, PictureFolder(folder / split, transform=transform), cache=False)
        for split in ("train", "val")
    )
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
