"""Chapter 00: what goes into a pretrained model, how its answers are counted, and a fair draw of a few labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.exercises import narrow
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

RESIZED, CROPPED = 256, 224  # pixels, as EfficientNet-Lite0's weights want them

preprocess_image = Exercise(
    "00-preprocess-image",
    answer="preprocess",
    call="preprocess(image)",
    title="Give the model what it was trained on",
    withholds=("course.models.image_transform",),
    hints=(
        "Four steps in a fixed order: resize the shorter side, cut out the middle, make a float tensor, normalise.",
        "torchvision.transforms has Resize, CenterCrop, ToTensor and Normalize, and Compose puts them in a row. "
        "Resize(256) with one number keeps the picture's shape; Resize((256, 256)) squashes it.",
        "Resize(256, interpolation=InterpolationMode.BICUBIC), CenterCrop(224), ToTensor() (which divides by 255), "
        "Normalize([0.5] * 3, [0.5] * 3).",
    ),
    idea="Compose([Resize(256, interpolation=InterpolationMode.BICUBIC), CenterCrop(224), ToTensor(), "
    "Normalize([0.5] * 3, [0.5] * 3)])(image).",
)


@preprocess_image.case
def plain_colour(rng: torch.Generator) -> dict[str, Any]:
    colour = torch.tensor([230, 120, 30]) + torch.randint(-25, 26, (3,), generator=rng)
    return {"pixels": colour.to(torch.uint8).expand(180, 240, 3).clone()}


@preprocess_image.case
def wide_picture(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": _drawn_pixels(rng, 200, 320)}


def _drawn_pixels(rng: torch.Generator, height: int, width: int) -> torch.Tensor:
    """(height, width, 3) uint8: soft patches of colour under a fine grain, so that every cut and every filter shows."""
    patches = torch.rand(1, 3, 6, 8, generator=rng) * 160 + 45
    soft = nn.functional.interpolate(patches, (height, width), mode="bilinear")[0].permute(1, 2, 0)
    grain = torch.randn(height, width, 1, generator=rng) * 20
    return (soft + grain).clamp(0, 255).to(torch.uint8)


@preprocess_image.probe
def probe_preprocess(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    image = Image.fromarray(np.asarray(case["pixels"]))
    return {"x": need(answer(image), torch.Tensor, "a float tensor (3, 224, 224)")}


@preprocess_image.judge(wide_picture, points=1)
def a_float_tensor_of_the_right_shape(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A wide picture becomes one float32 tensor of shape (3, 224, 224)."""
    got, expected = tuple(result["x"].shape), (3, CROPPED, CROPPED)
    because = {
        (CROPPED, CROPPED, 3): "the colours come last in a picture and first in what PyTorch's convolutions take",
        (1, 3, CROPPED, CROPPED): "one picture was asked for; the batch axis is added when several are stacked",
    }.get(got, "resize the shorter side to 256, then cut the middle 224 x 224 pixels out")
    tried = "your function on a picture of 200 x 320 pixels"
    expect(got == expected, tried=tried, got=got, expected=expected, because=because)
    dtype = str(result["x"].dtype).removeprefix("torch.")
    because = "the model computes in float32, and whole numbers can't be normalised"
    expect(dtype == "float32", tried=tried, got=dtype, expected="float32", because=because)


@preprocess_image.judge(plain_colour, points=2)
def numbers_as_in_pretraining(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A picture of one colour becomes that colour's red, green and blue, between -1 and 1."""
    x = result["x"].double()
    if x.ndim != 3 or x.shape[0] != 3:
        raise Wrong(tried="a picture of one colour", got=f"the shape {tuple(x.shape)}", expected="(3, 224, 224)")
    scaled = case["pixels"][0, 0].double() / 255  # (3,) in [0, 1]
    expected = (scaled - 0.5) / 0.5
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    mistakes = {
        "nothing was normalised: these numbers lie between 0 and 1, and the weights saw -1 to 1": scaled,
        "these are the pixels from 0 to 255: divide by 255, then normalise": scaled * 255,
        "normalised, but the pixels were not divided by 255 before": (scaled * 255 - 0.5) / 0.5,
        "red and blue are swapped: OpenCV reads BGR, PIL and these weights use RGB": expected.flip(0),
        "red and blue are swapped, and nothing was normalised": scaled.flip(0),
        "the mean was subtracted, the division by the standard deviation 0.5 is missing": scaled - 0.5,
        "these are ResNet's mean and standard deviation; every set of weights has its own": (scaled - mean) / std,
    }
    tried = f"a picture of the one colour {case['pixels'][0, 0].tolist()}: the mean of each channel"
    expect_close(x.mean((1, 2)), expected, tried=tried, atol=0.005, rtol=0.01, mistakes=mistakes)


@preprocess_image.judge(wide_picture, points=1)
def the_middle_of_the_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The middle of the picture is cut out, with its proportions kept and resized as for these weights."""
    judge_cut(case["pixels"], result["x"])


def judge_cut(pixels: torch.Tensor, x: torch.Tensor) -> None:
    """Raise Wrong unless `x` shows the part of the picture that the weights' own transform cuts out."""
    from torchvision.transforms import InterpolationMode, Resize
    from torchvision.transforms.functional import center_crop, crop, to_tensor

    image = Image.fromarray(np.asarray(pixels))

    def cut(size: Any, how: InterpolationMode = InterpolationMode.BICUBIC) -> torch.Tensor:
        return to_tensor(center_crop(Resize(size, interpolation=how)(image), [CROPPED, CROPPED])) * 2 - 1

    corner = to_tensor(crop(Resize(RESIZED, interpolation=InterpolationMode.BICUBIC)(image), 0, 0, CROPPED, CROPPED))
    mistakes = {
        "the picture was squashed: Resize((h, w)) changes its proportions, Resize(256) keeps them": cut(
            (CROPPED, CROPPED)
        ),
        "the picture was squashed to 256 x 256: Resize(256), one number, keeps the proportions": cut(
            (RESIZED, RESIZED)
        ),
        "the shorter side was resized to 224: these weights saw pictures resized to 256 with the rim cut off": cut(
            CROPPED
        ),
        "the corner was cut out and not the middle": corner * 2 - 1,
        "another filter: these weights want bicubic, and Resize is bilinear unless told": cut(
            RESIZED, InterpolationMode.BILINEAR
        ),
        "another filter: these weights want bicubic, not the nearest pixel": cut(RESIZED, InterpolationMode.NEAREST),
    }
    tried = (
        f"a picture of {pixels.shape[0]} x {pixels.shape[1]} pixels: the mean distance to the weights' own transform"
    )
    reference = cut(RESIZED)
    if x.shape != reference.shape:
        raise Wrong(tried=tried, got=f"the shape {tuple(x.shape)}", expected=tuple(reference.shape))
    distance = _distance(x, reference)
    nearest = min(mistakes, key=lambda name: _distance(x, mistakes[name]))
    because = nearest if _distance(x, mistakes[nearest]) < 0.012 else ""
    expect(distance < 0.012, tried=tried, got=distance, expected="below 0.012 (rounding)", because=because)


def _distance(x: torch.Tensor, y: torch.Tensor) -> float:
    return float((x.double() - y.double()).abs().mean())


measure_accuracy = Exercise(
    "00-measure-accuracy",
    answer="accuracy",
    call="accuracy(model, loader)",
    title="Measure accuracy, and leave the model as it was",
    withholds=("course.training.evaluate",),
    hints=(
        "Count: how many pictures were right, how many were there? Divide once, at the end.",
        "`model(x).argmax(1) == y` says which of a batch are right. Measure in eval mode: dropout is for training.",
        "Remember `[(module, module.training) for module in model.modules()]` before `model.eval()`, and afterwards "
        "set `module.training = mode` for each. `model.train()` would wake what had been put to sleep.",
    ),
    idea="Note every module's mode; model.eval(); without gradients, sum up right answers and pictures; "
    "give each module its mode back; return right / seen.",
)


@measure_accuracy.case
def in_train_mode(rng: torch.Generator) -> dict[str, Any]:
    return _accuracy_case(rng, asleep=[])


@measure_accuracy.case
def partly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return _accuracy_case(rng, asleep=["backbone"])


def _accuracy_case(rng: torch.Generator, *, asleep: list[str], count: int = 21, batch: int = 8) -> dict[str, Any]:
    """`asleep` are the modules in eval mode. The short last batch is right as often as the others are wrong."""
    state = narrow.drawn_state("cnn", rng)
    x = narrow.pictures(rng, count)
    model = narrow.restore("cnn", state).eval()
    with torch.no_grad():
        guesses = model(x).argmax(1)
    last = count // batch * batch
    hit = torch.rand(count, generator=rng) < 0.4
    hit[:2], hit[last:] = torch.tensor([True, False]), True
    wrong = (guesses + torch.randint(1, 5, (count,), generator=rng)) % 5
    y = torch.where(hit, guesses, wrong)
    return {"architecture": "cnn", "state": state, "x": x, "y": y, "batch": batch, "asleep": asleep}


@measure_accuracy.probe
def probe_accuracy(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).train()
    for name in case["asleep"]:
        model.get_submodule(name).eval()
    modes: list[bool] = []
    model.register_forward_pre_hook(lambda module, _: modes.append(any(part.training for part in module.modules())))
    loader = DataLoader(TensorDataset(case["x"], case["y"]), batch_size=case["batch"])
    value = need(answer(model, loader), (int, float, torch.Tensor, np.number), "a number: `return right / seen`")
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; return one number")
    return {
        "value": float(value),
        "train_mode": any(modes),
        "training": {name: module.training for name, module in model.named_modules()},
        "state": dict(model.state_dict()),
    }


@measure_accuracy.judge(in_train_mode, points=2)
def weighed_by_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is right answers over pictures, however the loader cuts its batches."""
    model = narrow.restore(case["architecture"], case["state"]).eval()
    with torch.no_grad():
        right = (model(case["x"]).argmax(1) == case["y"]).double()
    batches = right.split(case["batch"])
    count, expected = len(right), float(right.mean())
    mistakes = {
        "this is the mean of the batches' accuracies: the short last batch counts for too much": float(
            torch.stack([part.mean() for part in batches]).mean()
        ),
        "this is the accuracy of the last batch alone": float(batches[-1].mean()),
        "this counts right answers a batch; divide by the number of pictures": float(right.sum()) / len(batches),
        "this is a percentage; return a fraction between 0 and 1": 100 * expected,
        "this is the number of right answers; divide by the number of pictures": float(right.sum()),
        "this is the fraction of wrong answers": 1 - expected,
        "divide by the number of pictures, not by number of batches times batch size": float(right.sum())
        / (len(batches) * case["batch"]),
    }
    tried = f"{count} pictures in batches of {case['batch']}, {int(right.sum())} of them right"
    if result["train_mode"] and abs(result["value"] - expected) > 1e-6:
        raise Wrong(
            tried=tried,
            got=result["value"],
            expected=expected,
            because="the model ran in train mode: dropout and the batch's own statistics change its answers",
        )
    expect_close(result["value"], expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistakes)


@measure_accuracy.judge(in_train_mode, points=1)
def measured_in_eval_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The model runs in eval mode while it is measured, and no statistic in it moves."""
    expect(
        not result["train_mode"],
        tried="watching the model's mode while your function runs it",
        got="train mode",
        expected="eval mode",
        because="in train mode dropout drops, and a batch is normalised by its own statistics: other answers",
    )
    moved = [name for name, value in case["state"].items() if not torch.equal(value, result["state"][name])]
    expect(
        not moved,
        tried="comparing weights and statistics before and after",
        got=f"{len(moved)} moved",
        expected="0 moved",
        because="measuring must leave the model as it was",
    )


@measure_accuracy.judge(in_train_mode, points=1)
def train_mode_comes_back(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model that came in train mode leaves in train mode."""
    judge_modes(case, result)


@measure_accuracy.judge(partly_asleep, points=1)
def what_slept_still_sleeps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every module gets its mode back, also where the backbone came in eval mode and the head in train mode."""
    judge_modes(case, result)


def judge_modes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every module is in the mode in which the probe handed it over."""
    model = narrow.build(case["architecture"]).train()
    for name in case["asleep"]:
        model.get_submodule(name).eval()
    before = {name: module.training for name, module in model.named_modules()}
    left = [name for name, mode in before.items() if mode and not result["training"][name]]
    woken = [name for name, mode in before.items() if not mode and result["training"][name]]
    because = "the model was left in eval mode: whoever trains on now trains without dropout"
    if woken:
        because = (
            "`model.train()` reaches every module, also those that were in eval mode for a reason: note each one's mode"
        )
    expect(
        not left and not woken,
        tried="reading `.training` of every module before and after",
        got=f"{len(left)} modules left in eval mode, {len(woken)} woken into train mode",
        expected="every module in the mode that it had",
        because=because,
    )


draw_labels = Exercise(
    "00-draw-labels",
    answer="label_subset",
    call="label_subset(labels, k, seed)",
    title="Draw a few labels a class",
    hints=(
        "Go class by class: `labels.unique()`, and for each class the positions where `labels == label`.",
        "A shuffled list has no repeats, so take the first k of it. Draw with a generator made from `seed`.",
        "`generator = torch.Generator().manual_seed(seed)`; `where = (labels == label).nonzero().flatten()`; "
        "`where[torch.randperm(len(where), generator=generator)[:k]]`; then torch.cat over the classes.",
    ),
    idea="One generator from the seed; shuffle the positions of each class with torch.randperm, keep the first k; cat.",
)

SEEDS = 40


@draw_labels.case
def uneven_classes(rng: torch.Generator) -> dict[str, Any]:
    return _labels_case(rng, k=3)


def _labels_case(rng: torch.Generator, *, k: int) -> dict[str, Any]:
    sizes = [k + 2, k + 6, k + 3, k + 4]
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    return {"labels": labels[torch.randperm(len(labels), generator=rng)], "k": k}


@draw_labels.probe
def probe_label_subset(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    draws = []
    for seed in (*range(SEEDS), 0):  # seed 0 comes twice, with other random numbers drawn in between
        returned = need(
            answer(case["labels"].clone(), case["k"], seed), (torch.Tensor, list, tuple, np.ndarray), "indices"
        )
        index = torch.as_tensor([int(i) for i in returned] if isinstance(returned, (list, tuple)) else returned)
        if index.dtype == torch.bool:
            raise Unusable(
                "your answer returned a mask of True and False; return the indices, as mask.nonzero() gives them"
            )
        if index.ndim != 1 or index.is_floating_point():
            raise Unusable(
                f"your answer returned a tensor of shape {tuple(index.shape)}; return the indices in one row"
            )
        draws.append(index)
    return {"draws": draws}


@draw_labels.judge(uneven_classes, points=2)
def exactly_k_of_each_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every draw holds exactly k indices of each class, none of them twice."""
    labels, k = case["labels"], case["k"]
    classes = int(labels.max()) + 1
    for seed, index in enumerate(result["draws"][:SEEDS]):
        tried = f"{k} a class out of {len(labels)} labels, seed {seed}"
        inside = bool(((index >= 0) & (index < len(labels))).all())
        expect(inside, tried=tried, got=index, expected=f"indices from 0 to {len(labels) - 1}", because="no such label")
        counts = torch.bincount(labels[index], minlength=classes).tolist()
        because = "some class is short, another has too many: draw class by class"
        if sum(counts) == k:
            because = "k labels were drawn in all: draw k of each class, so that none is missing"
        expect(
            counts == [k] * classes,
            tried=f"{tried}: how many labels of each class",
            got=counts,
            expected=[k] * classes,
            because=because,
        )
        repeats = len(index) - len(index.unique())
        because = "drawn with replacement: a label twice is one label less. Shuffle, and take the first k"
        expect(repeats == 0, tried=tried, got=f"{repeats} repeats", expected="0 repeats", because=because)


@draw_labels.judge(uneven_classes, points=1)
def the_same_seed_draws_the_same(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same seed draws the same labels, whatever else was drawn in between."""
    first, again = (sorted(index.tolist()) for index in (result["draws"][0], result["draws"][-1]))
    expect(
        again == first,
        tried="seed 0 twice, with other draws in between",
        got=again,
        expected=first,
        because="the draw doesn't come from `seed` alone: make a generator from it, and give it to whatever draws",
    )


@draw_labels.judge(uneven_classes, points=1)
def every_label_has_its_chance(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Over many seeds every label is drawn now and then."""
    drawn = torch.cat(result["draws"]).unique()
    never = len(case["labels"]) - len(drawn)
    same = all(torch.equal(index.sort().values, result["draws"][0].sort().values) for index in result["draws"])
    because = "some labels never have a chance: shuffle all positions of a class, then take k"
    if same:
        because = "every seed gives the same labels: the first k are no draw. Shuffle by the seed first"
    expect(
        never == 0,
        tried=f"seeds 0 to {SEEDS - 1}",
        got=f"{never} of {len(case['labels'])} labels were never drawn",
        expected="every label drawn at least once",
        because=because,
    )
