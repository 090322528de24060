"""Mistakes of chapter 05."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder


def decodes(file):
    try:
        with Image.open(file) as picture:
            picture.load()
    except OSError:
        return False
    return True


def read_with(path, *, classes=None, is_whole=decodes, files=lambda folder: sorted(folder.iterdir()), tell=True):
    """A right reading, of which a mistake changes one part."""
    names = classes(path) if classes else sorted(folder.name for folder in path.iterdir() if folder.is_dir())
    samples, skipped = [], []
    for label, name in enumerate(names):
        for file in files(path / name):
            if is_whole(file):
                samples.append((file, label))
            elif tell:
                skipped.append(file)
    return names, samples, skipped


def silent_drop(path):
    return read_with(path, tell=False)


def header_only(path):
    def has_a_header(file):
        try:
            Image.open(file)
        except OSError:
            return False
        return True

    return read_with(path, is_whole=has_a_header)


def verified_only(path):
    def verifies(file):
        try:
            Image.open(file).verify()
        except OSError:
            return False
        return True

    return read_with(path, is_whole=verifies)


def by_the_ending(path):
    return read_with(path, is_whole=lambda file: file.suffix.lower() in (".jpg", ".png", ".webp"))


def only_jpg_and_png(path):
    return read_with(path, files=lambda folder: [*folder.glob("*.jpg"), *folder.glob("*.png")])


def only_lower_case_endings(path):
    def listed(folder):
        return [file for file in sorted(folder.iterdir()) if file.suffix in (".jpg", ".png", ".webp")]

    return read_with(path, files=listed)


def classes_as_they_were_made(path):
    folders = [folder for folder in path.iterdir() if folder.is_dir()]
    return read_with(
        path, classes=lambda _: [f.name for f in sorted(folders, key=lambda f: f.stat().st_mtime_ns)][::-1]
    )


def classes_backwards(path):
    return read_with(path, classes=lambda p: sorted((f.name for f in p.iterdir() if f.is_dir()), reverse=True))


def sorted_afterwards(path):
    """The classes come out sorted, but the labels were given before."""
    names, samples, skipped = classes_backwards(path)
    return sorted(names), samples, skipped


def a_file_as_a_class(path):
    def listed(folder):
        return sorted(folder.iterdir()) if folder.is_dir() else []

    return read_with(path, classes=lambda p: sorted(os.listdir(p)), files=listed)


def paths_as_classes(path):
    names, samples, skipped = read_with(path)
    return [str(path / name) for name in names], samples, skipped


def names_as_labels(path):
    names, samples, skipped = read_with(path)
    return names, [(file, names[label]) for file, label in samples], skipped


def all_skipped(path):
    names, samples, skipped = read_with(path)
    return names, samples, [*skipped, *(file for file, _ in samples)]


def every_sample_twice(path):
    names, samples, skipped = read_with(path)
    return names, samples * 2, skipped


def a_number_at_a_time(path):
    names, samples, skipped = read_with(path)
    return names, [(file, number) for number, (file, _) in enumerate(samples)], skipped


def without_skipped(path):
    return read_with(path)[:2]


def only_the_path(path):
    return path


def no_files_at_all(path):
    return sorted(folder.name for folder in path.iterdir() if folder.is_dir()), [], []


def reads_nothing(path):
    pass


def walks_with_os(path):
    classes, samples, skipped = [], [], []
    for folder, _, files in os.walk(str(path)):
        if folder != str(path):
            classes.append(os.path.basename(folder))
            for name in files:
                file = os.path.join(folder, name)
                (samples if decodes(file) else skipped).append((file, os.path.basename(folder)))
    classes.sort()
    return tuple(classes), [(file, classes.index(name)) for file, name in samples], skipped


def asks_torchvision(path):
    skipped = []

    def is_whole(file):
        if not decodes(file):
            skipped.append(Path(file))
        return Path(file) not in skipped

    data = ImageFolder(str(path), is_valid_file=is_whole)
    return data.classes, data.samples, list(dict.fromkeys(skipped))


def predict_with(model, images, *, after=lambda logits: logits.softmax(1), size=16, train=False):
    model.train(train)
    with torch.no_grad():
        probabilities = torch.cat([after(model(x)) for x in images.split(size)])
    return probabilities.argmax(1), probabilities


def sorted_by_confidence(model, images):
    labels, probabilities = predict_with(model, images)
    order = probabilities.amax(1).argsort(descending=True)
    return labels[order], probabilities[order]


def a_shuffling_loader(model, images):
    model.eval()
    with torch.no_grad():
        loader = DataLoader(TensorDataset(images), batch_size=16, shuffle=True)
        probabilities = torch.cat([model(x).softmax(1) for (x,) in loader])
    return probabilities.argmax(1), probabilities


def grouped_by_class(model, images):
    labels, probabilities = predict_with(model, images)
    order = labels.argsort()
    return labels[order], probabilities[order]


def logits_returned(model, images):
    return predict_with(model, images, after=lambda logits: logits)


def along_the_batch(model, images):
    return predict_with(model, images, after=lambda logits: logits.softmax(0))


def along_all_pictures(model, images):
    logits = predict_with(model, images, after=lambda logits: logits)[1]
    return logits.softmax(0).argmax(1), logits.softmax(0)


def each_class_alone(model, images):
    return predict_with(model, images, after=torch.sigmoid)


def logarithms(model, images):
    return predict_with(model, images, after=lambda logits: logits.log_softmax(1))


def percent(model, images):
    return predict_with(model, images, after=lambda logits: 100 * logits.softmax(1))


def left_in_train_mode(model, images):
    return predict_with(model, images, train=True)


def train_mode_and_graph_kept(model, images):
    probabilities = torch.cat([model(x).softmax(1) for x in images.split(16)])
    return probabilities.argmax(1), probabilities


def runs_twice(model, images):
    predict_with(model, images)
    return predict_with(model, images)


def scales_once_more(model, images):
    return predict_with(model, images / 2)


def runs_and_returns_noise(model, images):
    labels, probabilities = predict_with(model, images)
    return torch.zeros_like(labels), torch.rand(probabilities.shape, generator=torch.Generator().manual_seed(0))


def graph_kept(model, images):
    model.eval()
    probabilities = torch.cat([model(x).softmax(1) for x in images.split(16)])
    return probabilities.argmax(1), probabilities


def all_at_once(model, images):
    return predict_with(model, images, size=len(images))


def one_by_one(model, images):
    return predict_with(model, images, size=1)


def last_batch_dropped(model, images):
    return predict_with(model, images[: len(images) // 16 * 16])


def highest_probabilities_as_labels(model, images):
    _, probabilities = predict_with(model, images)
    return probabilities.max(1).values, probabilities


def the_other_way_round(model, images):
    return predict_with(model, images)[::-1]


def sorted_labels(model, images):
    labels, probabilities = predict_with(model, images)
    return labels.sort().values, probabilities


def lists_of_batches(model, images):
    model.eval()
    with torch.no_grad():
        batches = [model(x).softmax(1) for x in images.split(16)]
    return [batch.argmax(1) for batch in batches], batches


def only_labels(model, images):
    return predict_with(model, images)[0]


def always_the_first_class(model, images):
    probabilities = torch.zeros(len(images), 5)
    probabilities[:, 0] = 1
    return torch.zeros(len(images), dtype=torch.int64), probabilities


def gives_images_back(model, images):
    return images


def predicts_nothing(model, images):
    model.eval()


def loads_in_order(model, images):
    was_training = model.training
    rows, labels = [], []
    with torch.inference_mode():
        for (x,) in DataLoader(TensorDataset(images), batch_size=10):
            for row in torch.exp(model.eval()(x).log_softmax(-1)):
                rows.append(row.tolist())
                labels.append(max(range(len(row)), key=row.tolist().__getitem__))
    model.train(was_training)
    return labels, torch.tensor(rows)


class PredictsInDouble:
    def __new__(cls, model, images):
        with torch.no_grad():
            logits = torch.cat([model.eval()(x) for x in torch.tensor_split(images, max(1, len(images) // 8))]).double()
        probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
        return torch.max(probabilities, dim=1).indices, probabilities


def counts(pred, true, n):
    return torch.bincount(true * n + pred, minlength=n * n).reshape(n, n)


def transposed(pred, true, n):
    return counts(true, pred, n)


def each_pair_once(pred, true, n):
    matrix = torch.zeros(n, n, dtype=torch.int64)
    matrix[true, pred] += 1
    return matrix


def fractions_of_rows(pred, true, n):
    matrix = counts(pred, true, n)
    return matrix / matrix.sum(1, keepdim=True).clamp_min(1)


def fractions_of_all(pred, true, n):
    return counts(pred, true, n) / len(true)


def only_classes_that_occur(pred, true, n):
    return confusion_matrix(true, pred)


def up_to_the_largest_label(pred, true, n):
    size = int(max(pred.max(), true.max())) + 1
    return counts(pred, true, size)


def only_right_answers(pred, true, n):
    return counts(pred, true, n).diag().diag()


def only_errors(pred, true, n):
    matrix = counts(pred, true, n)
    return matrix - matrix.diag().diag()


def one_row_of_counts(pred, true, n):
    return torch.bincount(pred, minlength=n)


def ragged_rows(pred, true, n):
    return [[0] * (i + 1) for i in range(n)]


def an_empty_matrix(pred, true, n):
    return torch.zeros(n, n)


def gives_predictions_back(pred, true, n):
    return pred


def counts_nothing(pred, true, n):
    pass


def loops_over_pairs(pred, true, n):
    matrix = [[0] * n for _ in range(n)]
    for guess, truth in zip(pred.tolist(), true.tolist(), strict=True):
        matrix[truth][guess] += 1
    return matrix


def asks_sklearn(pred, true, n):
    return confusion_matrix(true.numpy(), pred.numpy(), labels=np.arange(n))


def multiplies_one_hots(pred, true, n):
    return torch.eye(n)[true].T @ torch.eye(n)[pred]


def bounds(correct, n, z=1.96):
    p, scale = correct / n, 1 + z**2 / n
    half = z / scale * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (p + z**2 / (2 * n)) / scale - half, (p + z**2 / (2 * n)) / scale + half


def symmetric(correct, n, z=1.96):
    p = correct / n
    half = z * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


def symmetric_and_cut_off(correct, n):
    low, high = symmetric(correct, n)
    return max(low, 0.0), min(high, 1.0)


def one_standard_error(correct, n):
    return bounds(correct, n, 1.0)


def symmetric_one_standard_error(correct, n):
    return symmetric(correct, n, 1.0)


def two_standard_errors(correct, n):
    return bounds(correct, n, 2.0)


def one_sided(correct, n):
    return bounds(correct, n, 1.645)


def agresti_and_coull(correct, n):
    return symmetric(correct + 1.96**2 / 2, n + 1.96**2)


def clopper_and_pearson(correct, n):
    return tuple(binomtest(correct, n).proportion_ci(method="exact"))


def with_continuity_correction(correct, n):
    return tuple(binomtest(correct, n).proportion_ci(method="wilsoncc"))


def in_percent(correct, n):
    return [100 * bound for bound in bounds(correct, n)]


def n_not_squared(correct, n):
    return with_root(correct, n, 1.96**2 / (4 * n))


def four_n_without_brackets(correct, n):
    return with_root(correct, n, 1.96**2 / 4 * n**2)


def half_width_not_divided(correct, n):
    return with_root(correct, n, 1.96**2 / (4 * n**2), scale=1.0)


def with_root(correct, n, second, *, scale=None):
    low, high = bounds(correct, n)
    half = 1.96 / (scale or 1 + 1.96**2 / n) * math.sqrt(correct / n * (1 - correct / n) / n + second)
    return (low + high) / 2 - half, (low + high) / 2 + half


def centre_and_half_width(correct, n):
    low, high = bounds(correct, n)
    return (low + high) / 2, (high - low) / 2


def high_first(correct, n):
    return bounds(correct, n)[::-1]


def of_the_errors(correct, n):
    return bounds(n - correct, n)


def in_pictures(correct, n):
    return [n * bound for bound in bounds(correct, n)]


def only_the_accuracy(correct, n):
    return correct / n


def three_numbers(correct, n):
    return (correct / n, *bounds(correct, n))


def certain_when_all_are_right(correct, n):
    return (1.0, 1.0) if correct == n else bounds(correct, n)


def nothing_is_known(correct, n):
    return 0.0, 1.0


def gives_counts_back(correct, n):
    return correct, n


def bounds_nothing(correct, n):
    pass


def asks_scipy(correct, n):
    interval = binomtest(correct, n).proportion_ci(confidence_level=0.95, method="wilson")
    return interval.low, interval.high


def solves_the_quadratic(correct, n):
    """Both p0 for which |p - p0| is z standard errors *of p0*: how Wilson found it."""
    z = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(0.975)).item()
    p = correct / n
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = np.sqrt(b * b - 4 * a * c)
    return np.array([(-b - root) / (2 * a), (-b + root) / (2 * a)])


WRONG = {
    "05-read-folder": {
        silent_drop: "silent drop",
        header_only: "look at the header",
        verified_only: "look at the header",
        by_the_ending: "makes no picture",
        only_jpg_and_png: "webp",
        only_lower_case_endings: "end in JPG are pictures too",
        classes_as_they_were_made: "sort the names",
        classes_backwards: "sort the names",
        sorted_afterwards: "place of the picture's folder in the sorted classes",
        a_file_as_a_class: "is not a class",
        paths_as_classes: "not their paths",
        names_as_labels: "ValueError",
        all_skipped: "whole pictures were skipped",
        every_sample_twice: "each once",
        a_number_at_a_time: "place of the picture's folder",
        without_skipped: "return classes, samples, skipped",
        only_the_path: "three lists",
        no_files_at_all: "no picture was found",
        reads_nothing: "returned None",
    },
    "05-predict-pictures": {
        sorted_by_confidence: "order was lost",
        a_shuffling_loader: "order was lost",
        grouped_by_class: "order was lost",
        sorted_labels: "the right labels, sorted",
        logits_returned: "these are logits",
        along_the_batch: "goes along the pictures of a batch",
        along_all_pictures: "goes along the pictures",
        each_class_alone: "sigmoid",
        logarithms: "log_softmax",
        percent: "percent",
        left_in_train_mode: "train mode",
        graph_kept: "no_grad",
        train_mode_and_graph_kept: "in train mode, where it gives other answers",
        runs_twice: "43 more than once",
        scales_once_more: "give them to it as they are",
        runs_and_returns_noise: "not made from the model's logits",
        all_at_once: "fill the memory",
        one_by_one: "one picture at a time",
        last_batch_dropped: "smaller batch is missing",
        highest_probabilities_as_labels: "argmax",
        the_other_way_round: "labels carry no graph in any case",
        lists_of_batches: "torch.cat",
        only_labels: "return labels, probabilities",
        always_the_first_class: "the model never ran",
        gives_images_back: "return labels, probabilities",
        predicts_nothing: "returned None",
    },
    "05-count-confusions": {
        transposed: "transposed",
        each_pair_once: "counted once",
        fractions_of_rows: "fractions of each row",
        fractions_of_all: "fractions of all pictures",
        only_classes_that_occur: "keeps its row and column",
        up_to_the_largest_label: "keeps its row and column",
        only_right_answers: "off the diagonal",
        only_errors: "only the errors",
        one_row_of_counts: "(2, 2)",
        ragged_rows: "make no matrix",
        an_empty_matrix: "pictures of 2 classes",
        gives_predictions_back: "(2, 2)",
        counts_nothing: "returned None",
    },
    "05-bound-accuracy": {
        symmetric: "symmetric around p",
        symmetric_and_cut_off: "symmetric around p",
        one_standard_error: "68 %",
        symmetric_one_standard_error: "one standard error to each side of p",
        two_standard_errors: "not 2",
        one_sided: "1.645",
        agresti_and_coull: "Agresti",
        clopper_and_pearson: "Clopper",
        with_continuity_correction: "no other correction",
        in_percent: "percent",
        n_not_squared: "n is squared as well",
        four_n_without_brackets: "divides by 4 and then multiplies",
        half_width_not_divided: "as the centre is",
        centre_and_half_width: "not the centre",
        high_first: "low comes first",
        of_the_errors: "error rate",
        in_pictures: "divide by n",
        only_the_accuracy: "return low, high",
        three_numbers: "return low, high",
        certain_when_all_are_right: "right of",
        nothing_is_known: "right of",
        gives_counts_back: "right of",
        bounds_nothing: "returned None",
    },
}

RIGHT = {
    "05-read-folder": [walks_with_os, asks_torchvision],
    "05-predict-pictures": [loads_in_order, PredictsInDouble],
    "05-count-confusions": [loops_over_pairs, asks_sklearn, multiplies_one_hots],
    "05-bound-accuracy": [asks_scipy, solves_the_quadratic],
}
