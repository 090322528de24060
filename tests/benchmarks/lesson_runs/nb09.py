"""Chapter 09: what the size of a picture, pretraining and the bytes of a file are worth."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import numpy as np
import onnxruntime
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course import extract_features, hold_out, load_backbone, models
from course.data.emoji import Emoji
from course.models.weights import weights_path
from course.runtime import seed_everything
from course.zoo.sample_files import TEXT_TYPES, draw_files
from tests.benchmarks.lesson_runs import Lesson

POOL_SEED = 0


@functools.cache
def _features(way: str, size: int) -> np.ndarray:
    """(250, D): what a probe reads, of the training pool at this size."""
    if way == "pixels":
        data = Emoji("train", seed=POOL_SEED, size=size)
        return np.stack([picture.flatten().numpy() for picture, _ in data])
    seed_everything(0)
    network = load_backbone(weights="default" if way == "pretrained" else None)
    data = Emoji("train", seed=POOL_SEED, transform=models.image_transform(network, size=size), size=size)
    return extract_features(network, data).x.numpy()


def _accuracy(way: str, size: int, seed: int) -> float:
    """Of a logistic regression on 150 pictures, judged on 100 others; the seed draws which."""
    train, val = hold_out(Emoji("train", seed=POOL_SEED, size=32), share=0.4, seed=seed)
    features = _features(way, size)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    classifier.fit(features[train.indices], train.labels.numpy())
    return float(classifier.score(features[val.indices], val.labels.numpy()))


def _difference(ahead: tuple[str, int], behind: tuple[str, int]) -> Callable[[int], float]:
    return lambda seed: _accuracy(*ahead, seed) - _accuracy(*behind, seed)


@functools.cache
def _magika() -> tuple[onnxruntime.InferenceSession, dict]:
    path = weights_path("magika")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session, json.loads((path.parent / "config.min.json").read_text())


def _named(length: int | None, seed: int) -> float:
    """The share of the text files of a seed that the model names, from `length` bytes of their middle or as a whole."""
    session, config = _magika()
    drawn = [(kind, content) for kind, content in draw_files(seed) if kind in TEXT_TYPES]
    if length is not None:
        drawn = [(kind, content[len(content) // 3 :][:length]) for kind, content in drawn]
    rows = []
    for _, content in drawn:
        start = [*content[: config["block_size"]].lstrip()[: config["beg_size"]]]
        end = [*content[-config["block_size"] :].rstrip()[-config["end_size"] :]]
        padding = [config["padding_token"]]
        rows.append(
            start + padding * (config["beg_size"] - len(start)) + padding * (config["end_size"] - len(end)) + end
        )
    (probabilities,) = session.run(None, {session.get_inputs()[0].name: np.array(rows, dtype=np.int32)})
    labels = [config["target_labels_space"][i] for i in probabilities.argmax(1)]
    return float(np.mean([label == kind for label, (kind, _) in zip(labels, drawn, strict=True)]))


LESSONS = [
    Lesson(
        "09-larger-pictures-pay",
        "The same pretrained network is more accurate at 96 pixels than at 64.",
        _difference(("pretrained", 96), ("pretrained", 64)),
    ),
    Lesson(
        "09-too-small-is-worse-than-pixels",
        "At 32 pixels, a probe on the pretrained network is behind logistic regression on the pixels.",
        _difference(("pixels", 32), ("pretrained", 32)),
    ),
    Lesson(
        "09-pretrained-beats-untrained",
        "A probe on pretrained features is ahead of one on the untrained network's.",
        _difference(("pretrained", 96), ("untrained", 96)),
    ),
    Lesson(
        "09-pretrained-beats-pixels",
        "A probe on pretrained features is ahead of logistic regression on the pixels.",
        _difference(("pretrained", 96), ("pixels", 32)),
    ),
    Lesson(
        "09-pieces-are-harder",
        "Magika names fewer text files from 64 bytes of their middle than from whole files.",
        lambda seed: _named(None, seed) - _named(64, seed),
    ),
    Lesson(
        "09-a-model-names-text",
        "Magika names over 80 % of the whole text files, of which signatures name none.",
        lambda seed: _named(None, seed) - 0.8,
    ),
]
