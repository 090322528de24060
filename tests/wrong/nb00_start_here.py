"""Mistakes of chapter 00."""

import random

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

BICUBIC = InterpolationMode.BICUBIC
HALF = [0.5, 0.5, 0.5]


def middle(image):
    return T.CenterCrop(224)(T.Resize(256, interpolation=BICUBIC)(image.convert("RGB")))


def three_channels_assumed(image):
    resized = T.CenterCrop(224)(T.Resize(256, interpolation=BICUBIC)(image))
    return T.Normalize(HALF[: len(image.getbands())], HALF[: len(image.getbands())])(T.ToTensor()(resized))


def not_normalised(image):
    return T.ToTensor()(middle(image))


def blue_first(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(middle(image)).flip(0))


def blue_first_and_not_normalised(image):
    return T.ToTensor()(middle(image)).flip(0)


def zero_to_255(image):
    return T.PILToTensor()(middle(image)).float()


def normalised_without_dividing(image):
    return T.Normalize(HALF, HALF)(T.PILToTensor()(middle(image)).float())


def whole_numbers(image):
    return T.PILToTensor()(middle(image))


def only_centred(image):
    return T.ToTensor()(middle(image)) - 0.5


def the_numbers_of_resnet(image):
    return T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(T.ToTensor()(middle(image)))


def squashed(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.Resize((224, 224), interpolation=BICUBIC)(image)))


def squashed_then_cut(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.CenterCrop(224)(T.Resize((256, 256), interpolation=BICUBIC)(image))))


def no_rim(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.CenterCrop(224)(T.Resize(224, interpolation=BICUBIC)(image))))


def corner(image):
    resized = T.Resize(256, interpolation=BICUBIC)(image)
    return T.Normalize(HALF, HALF)(T.ToTensor()(resized.crop((0, 0, 224, 224))))


def mirrored(image):
    steps = [T.RandomHorizontalFlip(1.0), T.ToTensor(), T.Normalize(HALF, HALF)]
    return T.Compose(steps)(middle(image))


def bilinear(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.CenterCrop(224)(T.Resize(256)(image))))


def bilinear_and_not_normalised(image):
    return T.ToTensor()(T.CenterCrop(224)(T.Resize(256)(image)))


def another_part(image):
    resized = T.Resize(256, interpolation=BICUBIC)(image)
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.CenterCrop(224)(resized))).roll(20, dims=2)


def turned_round_in_brightness(image):
    return -T.Normalize(HALF, HALF)(T.ToTensor()(middle(image)))


def not_cut(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(T.Resize(256, interpolation=BICUBIC)(image)))


def colours_last(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(middle(image))).permute(1, 2, 0)


def a_batch_of_one(image):
    return T.Normalize(HALF, HALF)(T.ToTensor()(middle(image)))[None]


def an_array(image):
    return np.asarray(middle(image), dtype=np.float32) / 127.5 - 1


def the_factory_of_timm(image):
    from timm.data import create_transform

    transform = create_transform((3, 224, 224), interpolation="bicubic", crop_pct=0.875, mean=HALF, std=HALF)
    return transform(image.convert("RGB"))


def by_hand(image):
    image = image.convert("RGB")
    width, height = image.size
    scale = 256 / min(width, height)
    image = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return torch.from_numpy(pixels.transpose(2, 0, 1) / 127.5 - 1)


def restoring(model, measure):
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            return measure(model)
    finally:
        for module, mode in modes:
            module.training = mode


def restores_without_finally(model, loader):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        value = share(model, loader)
    for module, mode in modes:
        module.training = mode
    return value


def mean_of_batch_means(model, loader):
    return restoring(model, lambda m: float(np.mean([(m(x).argmax(1) == y).float().mean().item() for x, y in loader])))


def batches_times_batch_size(model, loader):
    return restoring(
        model, lambda m: sum(int((m(x).argmax(1) == y).sum()) for x, y in loader) / (len(loader) * loader.batch_size)
    )


def last_batch_only(model, loader):
    def measure(m):
        for x, y in loader:
            value = (m(x).argmax(1) == y).float().mean().item()
        return value

    return restoring(model, measure)


def count_of_right(model, loader):
    return restoring(model, lambda m: sum(int((m(x).argmax(1) == y).sum()) for x, y in loader))


def percent(model, loader):
    return restoring(model, lambda m: 100 * share(m, loader))


def errors_instead(model, loader):
    return restoring(model, lambda m: 1 - share(m, loader))


def share(model, loader):
    right = seen = 0
    for x, y in loader:
        right += int((model(x).argmax(1) == y).sum())
        seen += len(y)
    return right / seen


def left_in_eval_mode(model, loader):
    model.eval()
    with torch.no_grad():
        return share(model, loader)


def measured_in_train_mode(model, loader):
    with torch.no_grad():
        return share(model, loader)


def back_to_train_mode_always(model, loader):
    model.eval()
    with torch.no_grad():
        value = share(model, loader)
    model.train()
    return value


def only_the_root_remembered(model, loader):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        value = share(model, loader)
    model.train(was_training)
    return value


def one_list(model, loader):
    def measure(m):
        hits = [hit for x, y in loader for hit in (m(x).argmax(1) == y).tolist()]
        return sum(hits) / len(hits)

    return restoring(model, measure)


def on_a_copy(model, loader):
    from copy import deepcopy

    twin = deepcopy(model).eval()
    with torch.inference_mode():
        hits = torch.cat([twin(x).argmax(1) == y for x, y in loader])
    return hits.float().mean()


def first_k(labels, k, seed):
    return torch.cat([(labels == label).nonzero().flatten()[:k] for label in labels.unique()])


def with_replacement(labels, k, seed):
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in labels.unique():
        where = (labels == label).nonzero().flatten()
        chosen.append(where[torch.randint(len(where), (k,), generator=generator)])
    return torch.cat(chosen)


def k_in_all(labels, k, seed):
    return torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:k]


def k_times_classes_in_all(labels, k, seed):
    total = k * len(labels.unique())
    return torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:total]


def seed_forgotten(labels, k, seed):
    return torch.cat(
        [(where := (labels == label).nonzero().flatten())[torch.randperm(len(where))[:k]] for label in labels.unique()]
    )


def a_window_by_seed(labels, k, seed):
    chosen = []
    for label in labels.unique():
        where = (labels == label).nonzero().flatten()
        chosen.append(where[seed % 2 : seed % 2 + k])
    return torch.cat(chosen)


def one_too_few(labels, k, seed):
    return takes_what_comes_first_in_a_shuffle(labels, k - 1, seed)


def positions_within_classes(labels, k, seed):
    generator = torch.Generator().manual_seed(seed)
    sizes = [int((labels == label).sum()) for label in labels.unique()]
    return torch.cat([torch.randperm(size, generator=generator)[:k] for size in sizes])


def short_classes_filled_up(labels, k, seed):
    generator, chosen = torch.Generator().manual_seed(seed), []
    for label in labels.unique():
        positions = (labels == label).nonzero().flatten()
        order = torch.randperm(len(positions), generator=generator)
        chosen.append(positions[order.repeat(k)[:k]])
    return torch.cat(chosen)


def the_labels_themselves(labels, k, seed):
    return labels[draws_with_numpy(labels, k, seed)]


def a_mask(labels, k, seed):
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[draws_with_numpy(labels, k, seed)] = True
    return mask


def a_list_a_class(labels, k, seed):
    return torch.tensor(draws_with_numpy(labels, k, seed))[:, None]


def draws_with_numpy(labels, k, seed):
    rng = np.random.default_rng(seed)
    values = labels.numpy()
    return np.concatenate([rng.permutation(np.flatnonzero(values == label))[:k] for label in np.unique(values)])


def draws_with_random(labels, k, seed):
    rng = random.Random(seed)
    by_label = {}
    for i, label in enumerate(labels.tolist()):
        by_label.setdefault(label, []).append(i)
    return [i for places in by_label.values() for i in rng.sample(places, min(k, len(places)))]


def short_classes_left_out(labels, k, seed):
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in labels.unique():
        where = (labels == label).nonzero().flatten()
        if len(where) >= k:
            chosen.append(where[torch.randperm(len(where), generator=generator)[:k]])
    return torch.cat(chosen)


def takes_what_comes_first_in_a_shuffle(labels, k, seed):
    left = dict.fromkeys(labels.tolist(), k)
    chosen = []
    for i in torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist():
        if left[int(labels[i])] > 0:
            left[int(labels[i])] -= 1
            chosen.append(i)
    return torch.tensor(chosen)


def by_picture(objects, labels, share, seed):
    order = torch.randperm(len(objects), generator=torch.Generator().manual_seed(seed)).tolist()
    count = round(share * len(objects))
    return order[count:], order[:count]


def by_picture_in_each_class(objects, labels, share, seed):
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(labels.numpy()):
        where = np.flatnonzero(labels.numpy() == label)
        test += rng.permutation(where)[: round(share * len(where))].tolist()
    return sorted(set(range(len(objects))) - set(test)), test


def _of_names(objects, drawn):
    test = [i for i, name in enumerate(objects) if name in drawn]
    return [i for i in range(len(objects)) if i not in set(test)], test


def objects_of_all_classes_together(objects, labels, share, seed):
    names = sorted(set(objects))
    return _of_names(objects, set(random.Random(seed).sample(names, round(share * len(names)))))


def _split_classwise(objects, labels, seed, count_of):
    rng = random.Random(seed)
    drawn = set()
    for label in labels.unique().tolist():
        names = sorted({name for name, one in zip(objects, labels.tolist(), strict=True) if one == label})
        drawn |= set(rng.sample(names, count_of(names)))
    return _of_names(objects, drawn)


def rounded_up(objects, labels, share, seed):
    return _split_classwise(objects, labels, seed, lambda names: int(share * len(names)) + 1)


def rounded_down(objects, labels, share, seed):
    return _split_classwise(objects, labels, seed, lambda names: min(max(1, int(share * len(names))), len(names) - 1))


def without_a_minimum(objects, labels, share, seed):
    return _split_classwise(objects, labels, seed, lambda names: round(share * len(names)))


def split_forgets_the_seed(objects, labels, share, seed):
    return split_with_random(objects, labels, share, torch.randint(1000, ()).item())


def always_the_first_names(objects, labels, share, seed):
    return split_with_random(objects, labels, share, 0)


def training_and_test_swapped(objects, labels, share, seed):
    return split_with_random(objects, labels, share, seed)[::-1]


def masks_for_indices(objects, labels, share, seed):
    _, test = split_with_random(objects, labels, share, seed)
    mask = torch.zeros(len(objects), dtype=torch.bool)
    mask[test] = True
    return ~mask, mask


def test_side_only(objects, labels, share, seed):
    return split_with_random(objects, labels, share, seed)[1]


def split_with_random(objects, labels, share, seed):
    return _split_classwise(objects, labels, seed, lambda names: min(max(1, round(share * len(names))), len(names) - 1))


def split_with_numpy(objects, labels, share, seed):
    rng = np.random.default_rng(seed)
    names, is_test = np.array(objects), np.zeros(len(objects), dtype=bool)
    for label in np.unique(labels.numpy()):
        own = np.unique(names[labels.numpy() == label])
        count = int(np.clip(np.floor(share * len(own) + 0.5), 1, len(own) - 1))
        is_test |= np.isin(names, rng.choice(own, count, replace=False))
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


BASELINE = [0.51, 0.5, 0.51, 0.52, 0.525, 0.525, 0.535, 0.545, 0.525, 0.49]
LARGER = [0.53, 0.52, 0.595, 0.54, 0.565, 0.58, 0.565, 0.585, 0.575, 0.51]  # 160 pixels, measured
SMALLER = [0.41, 0.44, 0.43, 0.42, 0.455, 0.44, 0.45, 0.46, 0.44, 0.415]


def _record(**changes):
    written = {
        "question": "Is the accuracy higher with drawings of 160 pixels?",
        "expected": "better",
        "baseline": BASELINE,
        "changed": LARGER,
        "concluded": "better",
    }
    return {**written, **changes}


def no_question():
    return _record(question="160 pixels")


def too_few_seeds():
    return _record(baseline=BASELINE[:3], changed=LARGER[:3])


def a_rounded_accuracy():
    return _record(changed=[round(value, 1) + 0.013 for value in LARGER])


def another_baseline():
    return _record(baseline=[value - 0.1 for value in BASELINE])


def nothing_changed():
    return _record(changed=BASELINE, concluded="cannot tell")


def the_expectation_concluded():
    return _record(changed=SMALLER)


def a_mean_concluded():
    return _record(changed=[0.52, 0.49, 0.525, 0.51, 0.54, 0.52, 0.53, 0.56, 0.53, 0.49])


def a_smaller_input():
    return _record(question="Is a smaller input of 64 pixels enough?", changed=SMALLER, concluded="worse")


WRONG = {
    "00-preprocess-image": {
        not_normalised: "nothing was normalised",
        blue_first: "red and blue are swapped",
        blue_first_and_not_normalised: "swapped, and nothing was normalised",
        zero_to_255: "from 0 to 255",
        normalised_without_dividing: "not divided by 255",
        whole_numbers: "float32",
        only_centred: "standard deviation 0.5 is missing",
        the_numbers_of_resnet: "every set of weights has its own",
        squashed: "squashed",
        squashed_then_cut: "squashed to 256",
        no_rim: "border cropped",
        corner: "a corner was cropped",
        mirrored: "the image was mirrored",
        bilinear: "bicubic",
        bilinear_and_not_normalised: "bicubic",
        another_part: "another part of the image",
        turned_round_in_brightness: "do the steps one by one",
        not_cut: "crop the central",
        colours_last: "channels last",
        a_batch_of_one: "batch axis",
        an_array: "float tensor",
        three_channels_assumed: "convert to RGB first",
    },
    "00-measure-accuracy": {
        mean_of_batch_means: "short last batch counts for too much",
        batches_times_batch_size: "not by the number of batches",
        last_batch_only: "last batch alone",
        count_of_right: "divide by the number of images",
        percent: "percentage",
        errors_instead: "fraction of wrong predictions",
        left_in_eval_mode: "left in eval mode",
        measured_in_train_mode: "in train mode dropout drops features",
        back_to_train_mode_always: "reaches every module",
        only_the_root_remembered: "reaches every module",
        restores_without_finally: "finally",
    },
    "00-draw-labels": {
        first_k: "taking the first k is not a draw",
        with_replacement: "draw without replacement",
        k_in_all: "drawn in total",
        one_too_few: "all of a class that has fewer",
        positions_within_classes: "positions within a class",
        short_classes_filled_up: "filled up to k",
        k_times_classes_in_all: "draw class by class",
        seed_forgotten: "doesn't depend on `seed` alone",
        a_window_by_seed: "never drawn",
        the_labels_themselves: "class",
        a_mask: "mask",
        a_list_a_class: "in one row",
        short_classes_left_out: "classes with fewer than k samples are missing",
    },
    "00-split-objects": {
        by_picture: "trained on in another drawing",
        by_picture_in_each_class: "trained on in another drawing",
        objects_of_all_classes_together: "draw class by class",
        rounded_up: "share * n was rounded up",
        rounded_down: "share * n was rounded down",
        without_a_minimum: "at least one object of each class",
        split_forgets_the_seed: "doesn't depend on `seed` alone",
        always_the_first_names: "doesn't depend on the seed",
        training_and_test_swapped: "training indices first",
        masks_for_indices: "mask",
        test_side_only: "training indices and test indices",
    },
    "00-investigate-input-size": {
        no_question: "without its question",
        too_few_seeds: "fewer than 5 seeds",
        a_rounded_accuracy: "a multiple of 1/200",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        the_expectation_concluded: "interval of the differences",
        a_mean_concluded: "includes zero",
    },
}

RIGHT = {
    "00-preprocess-image": [the_factory_of_timm, by_hand],
    "00-measure-accuracy": [one_list, on_a_copy],
    "00-draw-labels": [draws_with_numpy, draws_with_random, takes_what_comes_first_in_a_shuffle],
    "00-split-objects": [split_with_random, split_with_numpy],
    "00-investigate-input-size": [a_smaller_input],
}
