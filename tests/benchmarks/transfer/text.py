"""Praise or complaint in words never seen in training: MiniLM fine-tuned, from a random trunk, and a bag of words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from course.data.sentences import sentiments
from course.runtime import seed_everything
from tests.benchmarks.text_models import TEST, TRAIN, Label, bag_of_words, classifier, trained


def run(seed: int) -> tuple[int, dict[str, Callable[[np.ndarray], float]]]:
    """The number of test sentences, and for each way a function from their indices to the accuracy on those.

    "pretrained" and "random" are the same architecture under the same head and recipe.
    """
    train, test = sentiments("train", TRAIN, seed=seed), sentiments("test", TEST, seed=seed)
    ways: dict[str, Callable[[], Label]] = {
        "pretrained": lambda: trained(classifier(seed), train, seed),
        "random": lambda: trained(classifier(seed, weights=None), train, seed),
        "baseline": lambda: bag_of_words(train, seed),
    }
    scores = {}
    for name, way in ways.items():
        seed_everything(seed)
        scores[name] = _accuracy(way()(test.texts) == test.labels)
    return len(test), scores


def _accuracy(right: torch.Tensor) -> Callable[[np.ndarray], float]:
    hits = right.numpy()
    return lambda indices: float(hits[indices].mean())
