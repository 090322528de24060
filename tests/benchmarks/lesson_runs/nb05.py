"""Chapter 05: what a frozen backbone's features are worth on emoji, and what can be learned from the errors.

Only the recipes (stored table `classify_recipes`) are trained; the rest is cached features and scikit-learn.
`C` was chosen by cross-validation on training objects. Test objects measure rivals, recipes and corrected labels.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import adaptive_avg_pool2d

from course.data.emoji import Emoji
from course.models.backbones import image_transform, load_backbone
from course.training.experiments import stored_table
from course.training.features import extract_features
from tests.benchmarks import classify_recipes
from tests.benchmarks.lesson_runs import Lesson

C = 0.03
SMALL, RARE = 4, 3  # labels per class of a small set, and of a rare class


@functools.cache
def features(split: str, seed: int = 0, *, weights: str | None = "default") -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of a draw of the emoji: frozen features; with weights=None those of an untrained network."""
    backbone = load_backbone() if weights else load_backbone(weights=None)
    data = Emoji(split, seed=seed, transform=image_transform(backbone, size=96))
    found = extract_features(backbone, data)
    return found.x.numpy(), found.y.numpy()


def pixels(split: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of the same draw: 16 x 16 pixels."""
    data = Emoji(split, seed=seed)
    return np.stack([adaptive_avg_pool2d(x, 16).flatten().numpy() for x, _ in data]), data.labels.numpy()


def probe(**options: Any) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=1000, **options)


def out_of_fold(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """(N, classes): each sample's probabilities by a model that was trained without it."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return cross_val_predict(probe(), x, y, cv=folds, method="predict_proba")


def pretraining_beats_simple_rivals(seed: int) -> float:
    """Test accuracy of the probe, minus that of the better of pixels and an untrained network, each tuned by folds."""
    scores = []
    rivals = [
        (features("train", seed, weights=None), features("test", weights=None)),
        (pixels("train", seed), pixels("test")),
    ]
    for (x, y), (x_test, y_test) in rivals:
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)) for c in (1e-4, 1e-3, 1e-2, 1e-1)
        ]
        best = max(models, key=lambda model: cross_val_score(model, x, y, cv=3).mean())
        scores.append(best.fit(x, y).score(x_test, y_test))
    x_test, y_test = features("test")
    return probe().fit(*features("train", seed)).score(x_test, y_test) - max(scores)


def small_sets_need_repeats(seed: int) -> float:
    """Mean error of a single split's estimate minus that of repeated cross-validation: 24 draws of 40 pictures."""
    (x, y), rng, gains = features("train", seed), np.random.default_rng(seed), []
    for _ in range(24):
        chosen = np.concatenate([rng.choice(np.flatnonzero(y == label), SMALL, replace=False) for label in range(10)])
        rest = np.setdiff1d(np.arange(len(y)), chosen)
        accuracy = probe().fit(x[chosen], y[chosen]).score(x[rest], y[rest])
        folds = RepeatedStratifiedKFold(n_splits=SMALL, n_repeats=3, random_state=int(rng.integers(1 << 30)))
        off = cross_val_score(probe(), x[chosen], y[chosen], cv=folds) - accuracy
        gains.append(np.abs(off).mean() - abs(off.mean()))
    return float(np.mean(gains))


def tuning_beats_the_head(seed: int) -> float:
    """Test accuracy of the fine-tuned network minus that of the head alone; stored rows are not measured again."""
    stored = {(row["setting"], row["seed"]): row for row in stored_table("classify_recipes").rows}
    rows = (stored.get((setting, seed)) or classify_recipes.run(setting, seed) for setting in classify_recipes.SETTINGS)
    head_alone, tuned = (row["test"] for row in rows)
    return tuned - head_alone


def errors(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features, labels, out-of-fold predictions) of the training objects."""
    x, y = features("train", seed)
    return x, y, out_of_fold(x, y, seed).argmax(1)


def confusions_concentrate(seed: int) -> float:
    """Share of the errors in the ten largest cells, minus the same if each error fell on any other class at random."""
    _, y, predicted = errors(seed)
    n, rng = y.max() + 1, np.random.default_rng(seed)
    wrong = np.bincount(y * n + predicted, minlength=n * n).reshape(n, n)
    np.fill_diagonal(wrong, 0)
    others = (1 - np.eye(n)) / (n - 1)
    null = [np.concatenate([rng.multinomial(wrong[i].sum(), others[i]) for i in range(n)]) for _ in range(300)]
    return float(
        (np.sort(wrong.ravel())[-10:].sum() - np.mean([np.sort(cells)[-10:].sum() for cells in null])) / wrong.sum()
    )


def errors_resemble_the_predicted_class(seed: int) -> float:
    """Of the errors: share whose nearest other picture has the predicted class, minus the true class."""
    x, y, predicted = errors(seed)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    nearest, wrong = y[similarity.argmax(1)], predicted != y
    return float((nearest == predicted)[wrong].mean() - (nearest == y)[wrong].mean())


def weights_help_rare_classes(seed: int) -> float:
    """Balanced accuracy with class weights minus without, every second class rare, 8 draws."""
    (x, y), rng, gains = features("train", seed), np.random.default_rng(seed), []
    for _ in range(8):
        train, rest = [], []
        for label in range(10):
            members = rng.permutation(np.flatnonzero(y == label))
            rest.append(members[:10])
            train.append(members[10:] if label % 2 else members[10 : 10 + RARE])
        train, rest = np.concatenate(train), np.concatenate(rest)
        plain, weighted = (probe(class_weight=w).fit(x[train], y[train]).predict(x[rest]) for w in (None, "balanced"))
        gains.append(balanced_accuracy_score(y[rest], weighted) - balanced_accuracy_score(y[rest], plain))
    return float(np.mean(gains))


def doubt_finds_wrong_labels(seed: int) -> float:
    """Share of planted wrong labels among the tenth that the model doubts most, minus a tenth: chance."""
    x, y = features("train", seed)
    labels, planted = plant(y, 25, np.random.default_rng(seed))
    given = out_of_fold(x, labels, seed)[np.arange(len(labels)), labels]
    return float(planted[given.argsort()[:25]].mean() - 0.1)


def correcting_doubtful_labels_helps(seed: int) -> float:
    """Test accuracy after the fifth of the labels that the model doubts most is corrected, minus that before."""
    (x, y), (x_test, y_test) = features("train", seed), features("test")
    labels, _ = plant(y, 25, np.random.default_rng(seed))
    doubtful = out_of_fold(x, labels, seed)[np.arange(len(labels)), labels].argsort()[:50]
    corrected = labels.copy()
    corrected[doubtful] = y[doubtful]
    return probe().fit(x, corrected).score(x_test, y_test) - probe().fit(x, labels).score(x_test, y_test)


def plant(y: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(labels, is wrong): `count` labels moved to another class at random."""
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.choice(len(y), count, replace=False)] = True
    n = y.max() + 1
    return np.where(wrong, (y + rng.integers(1, n, len(y))) % n, y), wrong


LESSONS = [
    Lesson(
        "05-pretraining-beats-simple-rivals",
        "A head on pretrained features beats pixels and an untrained network.",
        pretraining_beats_simple_rivals,
    ),
    Lesson("05-tuning-beats-the-head", "Fine-tuning with augmentation beats the head alone.", tuning_beats_the_head),
    Lesson(
        "05-small-sets-need-repeats",
        "With forty pictures, repeated cross-validation is nearer to the true accuracy than a single split.",
        small_sets_need_repeats,
    ),
    Lesson("05-confusions-concentrate", "A few confusions hold more errors than chance gives.", confusions_concentrate),
    Lesson("05-weights-help-rare-classes", "Class weights raise the balanced accuracy.", weights_help_rare_classes),
    Lesson("05-doubt-finds-wrong-labels", "Doubted labels are wrong more often than others.", doubt_finds_wrong_labels),
    Lesson(
        "05-correcting-doubtful-labels-helps",
        "With a tenth of the labels wrong, correcting the most doubtful fifth raises the test accuracy.",
        correcting_doubtful_labels_helps,
    ),
    Lesson(
        "05-errors-resemble-the-predicted-class",
        "An error's nearest picture is in the predicted class more often than in the true one.",
        errors_resemble_the_predicted_class,
    ),
]
