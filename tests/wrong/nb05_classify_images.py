"""Mistakes of chapter 05."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import binom, binomtest, chi2
from sklearn.metrics import confusion_matrix, recall_score
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder

# The chapter's workbench with seeds 0 to 9: five labels per class, and ten.
BASELINE = [0.46, 0.45, 0.54, 0.55, 0.59, 0.41, 0.43, 0.57, 0.54, 0.57]
CHANGED = [0.59, 0.53, 0.59, 0.59, 0.58, 0.53, 0.63, 0.65, 0.60, 0.65]


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


def names_of_the_skipped(path):
    names, samples, skipped = read_with(path)
    return names, samples, [file.name for file in skipped]


def skipped_twice(path):
    names, samples, skipped = read_with(path)
    return names, samples, skipped * 2


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


def mean_recall(matrix):
    rows = matrix.sum(1)
    return (matrix.diagonal()[rows > 0] / rows[rows > 0]).mean()


def count_with(pred, true, n, *, matrix=counts, score=mean_recall):
    """A right answer, of which a mistake changes one part."""
    return matrix(pred, true, n), score(counts(pred, true, n))


def transposed(pred, true, n):
    return count_with(pred, true, n, matrix=lambda p, t, n: counts(t, p, n))


def transposed_throughout(pred, true, n):
    matrix = counts(true, pred, n)
    return matrix, mean_recall(matrix)


def each_pair_once(pred, true, n):
    matrix = torch.zeros(n, n, dtype=torch.int64)
    matrix[true, pred] += 1
    return matrix, mean_recall(counts(pred, true, n))


def fractions_of_rows(pred, true, n):
    return count_with(pred, true, n, matrix=lambda *a: counts(*a) / counts(*a).sum(1, keepdim=True).clamp_min(1))


def fractions_of_all(pred, true, n):
    return count_with(pred, true, n, matrix=lambda *a: counts(*a) / len(true))


def only_classes_that_occur(pred, true, n):
    return count_with(pred, true, n, matrix=lambda p, t, n: confusion_matrix(t, p))


def up_to_the_largest_label(pred, true, n):
    size = int(max(pred.max(), true.max())) + 1
    return count_with(pred, true, n, matrix=lambda p, t, n: counts(p, t, size))


def only_right_answers(pred, true, n):
    return count_with(pred, true, n, matrix=lambda *a: counts(*a).diag().diag())


def only_errors(pred, true, n):
    return count_with(pred, true, n, matrix=lambda *a: counts(*a) - counts(*a).diag().diag())


def plain_accuracy(pred, true, n):
    return count_with(pred, true, n, score=lambda matrix: matrix.trace() / matrix.sum())


def mean_precision(pred, true, n):
    return count_with(pred, true, n, score=lambda matrix: mean_recall(matrix.T))


def absent_as_zero(pred, true, n):
    return count_with(pred, true, n, score=lambda m: (m.diagonal() / m.sum(1).clamp_min(1)).mean())


def absent_as_nan(pred, true, n):
    return count_with(pred, true, n, score=lambda m: (m.diagonal() / m.sum(1)).mean())


def absent_as_one(pred, true, n):
    def score(m):
        return torch.where(m.sum(1) > 0, m.diagonal() / m.sum(1).clamp_min(1), 1.0).mean()

    return count_with(pred, true, n, score=score)


def balanced_in_percent(pred, true, n):
    return count_with(pred, true, n, score=lambda m: 100 * mean_recall(m))


def the_matrix_alone(pred, true, n):
    return counts(pred, true, n)


def three_values(pred, true, n):
    return (*count_with(pred, true, n), 0)


def recall_of_each(pred, true, n):
    matrix = counts(pred, true, n)
    return matrix, matrix.diagonal() / matrix.sum(1).clamp_min(1)


def ragged_rows(pred, true, n):
    return [[0] * (i + 1) for i in range(n)], 0.5


def an_empty_matrix(pred, true, n):
    return torch.zeros(n, n), 0.0


def counts_nothing(pred, true, n):
    pass


def loops_over_pairs(pred, true, n):
    matrix = [[0] * n for _ in range(n)]
    for guess, truth in zip(pred.tolist(), true.tolist(), strict=True):
        matrix[truth][guess] += 1
    recalls = [row[i] / sum(row) for i, row in enumerate(matrix) if sum(row)]
    return matrix, sum(recalls) / len(recalls)


def asks_sklearn(pred, true, n):
    matrix = confusion_matrix(true.numpy(), pred.numpy(), labels=np.arange(n))
    return matrix, recall_score(true, pred, labels=np.unique(true), average="macro")


def multiplies_one_hots(pred, true, n):
    matrix = torch.eye(n)[true].T @ torch.eye(n)[pred]
    return matrix, (matrix.diagonal() / matrix.sum(1)).nanmean()


def wins(true, pred_a, pred_b):
    right_a, right_b = pred_a == true, pred_b == true
    return int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())


def test_with(true, pred_a, pred_b, *, p=None, difference=None):
    """A right answer, of which a mistake changes one part."""
    a, b = wins(true, pred_a, pred_b)
    if p is None:
        p = binomtest(a, a + b).pvalue if a + b else 1.0
    return (a - b) / len(true) if difference is None else difference, p


def one_sided(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=binomtest(max(a, b), a + b, alternative="greater").pvalue if a + b else 1)


def the_first_is_better(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=binomtest(a, a + b, alternative="greater").pvalue if a + b else 1)


def one_minus_p(true, pred_a, pred_b):
    difference, p = test_with(true, pred_a, pred_b)
    return difference, 1 - p


def twice_the_tail(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    tail = sum(math.comb(a + b, k) for k in range(max(a, b), a + b + 1)) / 2 ** (a + b)
    return test_with(true, pred_a, pred_b, p=2 * tail if a + b else 1.0)


def chi_squared(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=chi2.sf((a - b) ** 2 / (a + b), 1) if a + b else 1.0)


def chi_squared_corrected(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=chi2.sf(max(0, abs(a - b) - 1) ** 2 / (a + b), 1) if a + b else 1.0)


def this_split_alone(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=math.comb(a + b, a) / 2 ** (a + b))


def mid_p(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    exact = binomtest(a, a + b).pvalue if a + b else 1.0
    return test_with(true, pred_a, pred_b, p=exact - (math.comb(a + b, a) / 2 ** (a + b) if a + b else 0))


def as_if_unpaired(true, pred_a, pred_b):
    n, p_a, p_b = len(true), (pred_a == true).double().mean(), (pred_b == true).double().mean()
    pooled = (p_a + p_b) / 2
    z = abs(p_a - p_b) / (2 * pooled * (1 - pooled) / n).sqrt()
    return test_with(true, pred_a, pred_b, p=math.erfc(z / math.sqrt(2)))


def any_difference_counts(true, pred_a, pred_b):
    a, apart = wins(true, pred_a, pred_b)[0], int((pred_a != pred_b).sum())
    return test_with(true, pred_a, pred_b, p=binomtest(a, apart).pvalue if apart else 1.0)


def nan_without_disagreement(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=None if a + b else float("nan"))


def zero_without_disagreement(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, p=None if a + b else 0.0)


def second_minus_first(true, pred_a, pred_b):
    difference, p = test_with(true, pred_a, pred_b)
    return -difference, p


def without_a_sign(true, pred_a, pred_b):
    difference, p = test_with(true, pred_a, pred_b)
    return abs(difference), p


def difference_in_pictures(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, difference=a - b)


def difference_in_points(true, pred_a, pred_b):
    difference, p = test_with(true, pred_a, pred_b)
    return 100 * difference, p


def share_of_disagreements(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    return test_with(true, pred_a, pred_b, difference=(a - b) / max(1, a + b))


def the_difference_alone(true, pred_a, pred_b):
    return test_with(true, pred_a, pred_b)[0]


def always_significant(true, pred_a, pred_b):
    return test_with(true, pred_a, pred_b, p=0.01)


def tests_nothing(true, pred_a, pred_b):
    pass


def sums_the_binomial(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    total = a + b
    chances = [math.comb(total, k) * 0.5**total for k in range(total + 1)]
    p = sum(chance for chance in chances if chance <= chances[a] * (1 + 1e-9))
    return [np.mean(np.array(pred_a == true)) - np.mean(np.array(pred_b == true)), p]


def asks_scipy(true, pred_a, pred_b):
    a, b = wins(true, pred_a, pred_b)
    p = min(1.0, 2 * binom.cdf(min(a, b), a + b, 0.5))
    return torch.tensor([(a - b) / len(true), p])


def suspect_with(p, labels, *, levels=None, order=None):
    """A right answer, of which a mistake changes one part."""
    classes = p.shape[1]
    if levels is None:
        levels = [p[labels == j, j].mean().item() if (labels == j).any() else math.inf for j in range(classes)]
    found = []
    for i, row in enumerate(p.tolist()):
        reached = [j for j in range(classes) if row[j] >= levels[j]]
        if reached and max(reached, key=row.__getitem__) != labels[i]:
            found.append(i)
    return sorted(found, key=order or (lambda i: p[i, labels[i]].item()))


def every_disagreement(p, labels):
    wrong = (p.argmax(1) != labels).nonzero()[:, 0].tolist()
    return sorted(wrong, key=lambda i: p[i, labels[i]].item())


def one_threshold_for_all(p, labels):
    return suspect_with(p, labels, levels=[0.5] * p.shape[1])


def means_of_whole_columns(p, labels):
    return suspect_with(p, labels, levels=p.mean(0).tolist())


def label_below_its_threshold(p, labels):
    levels = [p[labels == j, j].mean() if (labels == j).any() else math.inf for j in range(p.shape[1])]
    return [i for i in range(len(labels)) if p[i, labels[i]] < levels[labels[i]]]


def any_other_class_reaches(p, labels):
    levels = [p[labels == j, j].mean() if (labels == j).any() else math.inf for j in range(p.shape[1])]
    return [
        i for i in range(len(labels)) if any(p[i, j] >= levels[j] for j in range(p.shape[1]) if j != int(labels[i]))
    ]


def argmax_must_reach(p, labels):
    levels = [p[labels == j, j].mean() if (labels == j).any() else math.inf for j in range(p.shape[1])]
    top = p.argmax(1)
    return [i for i in range(len(labels)) if top[i] != labels[i] and p[i, top[i]] >= levels[top[i]]]


def most_probable_label_first(p, labels):
    return suspect_with(p, labels)[::-1]


def in_the_order_of_the_samples(p, labels):
    return sorted(suspect_with(p, labels))


def a_mask(p, labels):
    chosen = set(suspect_with(p, labels))
    return torch.tensor([i in chosen for i in range(len(labels))])


def an_empty_class_at_zero(p, labels):
    levels = [p[labels == j, j].mean().item() if (labels == j).any() else 0.0 for j in range(p.shape[1])]
    return suspect_with(p, labels, levels=levels)


def everybody(p, labels):
    return list(range(len(labels)))


def nobody(p, labels):
    return []


def suspects_nothing(p, labels):
    pass


def counts_the_joint(p, labels):
    """With whole arrays: the confident joint's cells off the diagonal, in numpy."""
    p, labels = p.numpy(), labels.numpy()
    rows = np.arange(len(labels))
    carried = labels[:, None] == np.arange(p.shape[1])
    with np.errstate(invalid="ignore"):
        levels = (p * carried).sum(0) / carried.sum(0)  # nan without labels, and nothing is >= nan
    masked = np.where(p >= levels, p, 0)
    suspects = rows[(masked.max(1) > 0) & (masked.argmax(1) != labels)]
    return suspects[np.argsort(p[suspects, labels[suspects]])]


RECORD = {
    "question": "do ten labels per class beat five?",
    "expected": "better",
    "baseline": BASELINE,
    "changed": CHANGED,
    "concluded": "better",
}


def recorded(**changes):
    """An answer that returns the record with these changes."""

    def investigation():
        return {**RECORD, **changes}

    return investigation


def named(name, answer):
    answer.__name__ = name
    return answer


no_question = named("no_question", recorded(question="labels"))
no_expectation = named("no_expectation", recorded(expected="I don't know"))
three_seeds = named("three_seeds", recorded(baseline=BASELINE[:3], changed=CHANGED[:3]))
unequal_seeds = named("unequal_seeds", recorded(changed=CHANGED[:5], baseline=BASELINE))
rounded = named("rounded", recorded(changed=[value + 0.004 for value in CHANGED]))
another_baseline = named("another_baseline", recorded(baseline=[value + 0.2 for value in BASELINE]))
nothing_changed = named("nothing_changed", recorded(changed=BASELINE))
no_conclusion_drawn = named("no_conclusion_drawn", recorded(concluded="cannot tell"))
as_hoped = named("as_hoped", recorded(changed=[*BASELINE[:-1], BASELINE[-1] + 0.01]))
no_record = named("no_record", lambda: None)
without_baseline = named("without_baseline", lambda: {key: value for key, value in RECORD.items() if key != "baseline"})
undecided = named(
    "undecided", recorded(changed=[*BASELINE[:-1], BASELINE[-1] + 0.01], concluded="cannot tell", expected="worse")
)
five_seeds = named(
    "five_seeds", recorded(baseline=tuple(BASELINE[:5]), changed=np.array(CHANGED[:5]), concluded="cannot tell")
)


WRONG = {
    "05-read-folder": {
        silent_drop: "dropped silently",
        header_only: "don't decode the pixels",
        verified_only: "don't decode the pixels",
        by_the_ending: "need not be a picture",
        only_jpg_and_png: "webp",
        only_lower_case_endings: "end in JPG are pictures too",
        classes_as_they_were_made: "sort the names",
        classes_backwards: "sort the names",
        sorted_afterwards: "index of the picture's folder in the sorted classes",
        a_file_as_a_class: "is not a class",
        paths_as_classes: "not their paths",
        names_as_labels: "ValueError",
        all_skipped: "whole pictures were skipped",
        names_of_the_skipped: "names without their folders",
        skipped_twice: "listed more than once",
        every_sample_twice: "each once",
        a_number_at_a_time: "index of the picture's folder",
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
        runs_and_returns_noise: "gives in neither mode",
        all_at_once: "may not fit into the memory",
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
        transposed_throughout: "transposed",
        each_pair_once: "counted once",
        fractions_of_rows: "fractions of each row",
        fractions_of_all: "fractions of all pictures",
        only_classes_that_occur: "start with n x n zeros",
        up_to_the_largest_label: "start with n x n zeros",
        only_right_answers: "off the diagonal",
        only_errors: "only the errors",
        plain_accuracy: "this is the accuracy",
        mean_precision: "mean precision",
        absent_as_zero: "averaged in as 0",
        absent_as_nan: "is nan",
        absent_as_one: "averaged in as 1",
        balanced_in_percent: "percent",
        the_matrix_alone: "return matrix, balanced",
        three_values: "returned 3 values",
        recall_of_each: "return matrix, balanced",
        ragged_rows: "return matrix, balanced",
        an_empty_matrix: "pictures of 2 classes",
        counts_nothing: "returned None",
    },
    "05-compare-models": {
        one_sided: "one-sided",
        the_first_is_better: "tests one direction",
        one_minus_p: "1 minus the p-value",
        twice_the_tail: "can exceed 1",
        chi_squared: "chi-squared approximation; with few",
        chi_squared_corrected: "continuity correction",
        this_split_alone: "exactly this split",
        mid_p: "mid-p",
        as_if_unpaired: "different pictures",
        any_difference_counts: "in different ways, count too",
        nan_without_disagreement: "not nan",
        zero_without_disagreement: "not 0",
        second_minus_first: "minus the first's",
        without_a_sign: "the sign says",
        difference_in_pictures: "divide by how many",
        difference_in_points: "percentage points",
        share_of_disagreements: "not of those on which the models disagree",
        the_difference_alone: "return difference, p_value",
        always_significant: "at least as uneven as this one",
        tests_nothing: "returned None",
    },
    "05-suspect-labels": {
        every_disagreement: "whose argmax isn't its label",
        one_threshold_for_all: "0.5 for every class",
        means_of_whole_columns: "labelled* with it",
        label_below_its_threshold: "alone is no evidence",
        any_other_class_reaches: "reaches its threshold too",
        argmax_must_reach: "argmax over all classes",
        most_probable_label_first: "another order",
        in_the_order_of_the_samples: "another order",
        a_mask: "return the indices",
        an_empty_class_at_zero: "got the threshold 0, which every sample reaches",
        everybody: "likeliest that reaches it",
        nobody: "likeliest that reaches it",
        suspects_nothing: "returned None",
    },
    "05-investigate-a-change": {
        no_question: "without its question",
        no_expectation: "one of three words",
        three_seeds: "fewer than 5 seeds",
        unequal_seeds: "same seeds in both",
        rounded: "a multiple of 1/100",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        no_conclusion_drawn: "differences",
        as_hoped: "includes zero",
        without_baseline: "has no 'baseline'",
        no_record: "returned None",
    },
}

RIGHT = {
    "05-read-folder": [walks_with_os, asks_torchvision],
    "05-predict-pictures": [loads_in_order, PredictsInDouble],
    "05-count-confusions": [loops_over_pairs, asks_sklearn, multiplies_one_hots],
    "05-compare-models": [sums_the_binomial, asks_scipy],
    "05-suspect-labels": [counts_the_joint],
    "05-investigate-a-change": [undecided, five_seeds],
}
