"""Ten classes of emoji from ten drawings each: the pretrained trunk, the same one random, and HOG with a linear SVM."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from course.data.emoji import CLASSES, Emoji
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, trainable_parameters, unfreeze
from course.models.heads import find_head, replace_head
from course.models.parameter_groups import stages
from course.runtime import seed_everything
from course.training.features import extract_features
from course.training.loop import fit

SIZE, PER_CLASS, BATCH_SIZE = 96, 10, 25
HEAD = {"epochs": 20, "lr": 3e-3}
TUNED, UPPER = {"epochs": 3, "lr": 1e-4}, 4  # stages, from the head down: as in chapter 05
SCRATCH = {"epochs": 20, "lr": 3e-3}  # more steps and a higher rate: a random trunk has everything to learn
CELL, BINS, BLOCK = 8, 9, 2  # Dalal and Triggs, "Histograms of oriented gradients" (2005)


def run(seed: int) -> tuple[int, dict[str, Callable[[np.ndarray], float]]]:
    """Trained on ten things of each class drawn by `seed`, and tested on all things of the test split: accuracy."""
    predicted = {"pretrained": fine_tuned(seed), "random": from_scratch(seed), "baseline": oriented_gradients(seed)}
    true = pictures("test").tensors[1].numpy()
    hits = {name: labels == true for name, labels in predicted.items()}
    return len(true), {name: lambda items, right=right: float(right[items].mean()) for name, right in hits.items()}


@functools.cache
def pictures(split: str, seed: int = 0) -> TensorDataset:
    """The pictures of a split as the trunk takes them: all test things, or the training things that `seed` draws."""
    transform = image_transform(load_backbone(), size=SIZE)
    data = Emoji(split, size=SIZE, per_class=PER_CLASS if split == "train" else None, seed=seed, transform=transform)
    return TensorDataset(torch.stack([picture for picture, _ in data]), data.labels)


def shuffled(data: Dataset, seed: int) -> DataLoader:
    """Batches in an order drawn from `seed`."""
    return DataLoader(data, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(seed))


def fine_tuned(seed: int) -> np.ndarray:
    """The pretrained trunk, head first and then the upper stages, BatchNorm as it was: the test things' labels."""
    seed_everything(seed)
    train = pictures("train", seed)
    model = freeze(replace_head(load_backbone(), len(CLASSES), seed=seed))
    head, features = find_head(model).module, extract_features(model, train, cache=False)
    fit(unfreeze(head), shuffled(features.dataset(), seed), verbose=False, **HEAD)
    for _, stage in stages(model)[-UPPER:]:
        unfreeze(stage)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            freeze(module)
    return tuned_labels(model, train, seed, **TUNED)


def from_scratch(seed: int) -> np.ndarray:
    """The same architecture from random weights: everything at once, BatchNorm learning too."""
    seed_everything(seed)
    model = replace_head(load_backbone(weights=None), len(CLASSES), seed=seed)
    return tuned_labels(unfreeze(model), pictures("train", seed), seed, **SCRATCH)


def tuned_labels(model: nn.Module, train: TensorDataset, seed: int, *, epochs: int, lr: float) -> np.ndarray:
    """The labels of the test things after training all that is trainable."""
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=lr)
    fit(model, shuffled(train, seed), epochs=epochs, optimizer=optimizer, schedule="cosine", verbose=False)
    with torch.inference_mode():
        batches = [
            model(x.contiguous(memory_format=torch.channels_last)) for x in pictures("test").tensors[0].split(64)
        ]
    return torch.cat(batches).argmax(1).numpy()


def oriented_gradients(seed: int) -> np.ndarray:
    """HOG and a linear SVM, with the same things to learn from."""
    train, test = Emoji("train", size=SIZE, per_class=PER_CLASS, seed=seed, transform=hog), described("test")
    learned = make_pipeline(StandardScaler(), LinearSVC(C=1e-3, random_state=0, max_iter=20_000))
    learned.fit(np.stack([features for features, _ in train]), train.labels.numpy())
    return learned.predict(test)


@functools.cache
def described(split: str) -> np.ndarray:
    """The HOG features of all pictures of a split."""
    return np.stack([features for features, _ in Emoji(split, size=SIZE, transform=hog)])


def hog(picture: Image.Image) -> np.ndarray:
    """Histograms of the gradients' directions, in cells of 8 pixels, normalised in blocks of 2 x 2 cells.

    In every pixel the colour with the steepest gradient counts. Directions are those of lines, 0 to 180 degrees, and
    vote for the two nearest of 9 bins. A block is divided by its length, cut off at 0.2 and divided again ("L2-Hys").
    """
    pixels = np.sqrt(np.asarray(picture.convert("RGB"), dtype=np.float64) / 255)
    down, right = (np.gradient(pixels, axis=axis) for axis in (0, 1))  # (H, W, 3)
    strength = np.hypot(down, right)
    steepest = strength.argmax(2)[..., None]
    down, right, strength = (np.take_along_axis(part, steepest, 2)[..., 0] for part in (down, right, strength))
    place = (np.degrees(np.arctan2(down, right)) % 180) / (180 / BINS) - 0.5
    first, share = np.floor(place).astype(int), place - np.floor(place)
    votes = np.zeros((*strength.shape, BINS))
    for bins, weight in ((first, 1 - share), (first + 1, share)):
        np.put_along_axis(votes, (bins % BINS)[..., None], (strength * weight)[..., None], 2)
    cells = votes.reshape(SIZE // CELL, CELL, SIZE // CELL, CELL, BINS).sum((1, 3))  # (12, 12, 9)
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (BLOCK, BLOCK), (0, 1)).reshape(-1, BINS * BLOCK**2)
    for cut in (0.2, None):
        blocks = blocks / np.sqrt((blocks**2).sum(1, keepdims=True) + 1e-5)
        blocks = blocks.clip(max=cut) if cut else blocks
    return blocks.ravel()
