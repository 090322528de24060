"""A batch of pictures of different sizes with different numbers of objects."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "06-collate-scenes",
    answer="collate",
    call="collate(batch)",
    title="Put unequal pictures into a batch",
    withholds=("course.applications.detection.collate",),
    hints=(
        "Pictures of different sizes cannot be one tensor, and need not: a detector takes a list of them.",
        'Each target is a dict: "boxes" a float32 tensor (N, 4), "labels" an int64 tensor (N,). What shape does '
        "`torch.tensor([])` have, and which do zero boxes need?",
        "`torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)` is right for no boxes too. Return "
        '({"images": images, "targets": targets}, targets).',
    ),
    idea='images = [picture for picture, _, _ in batch]; targets = [{"boxes": torch.tensor(boxes, dtype=torch.float32)'
    '.reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)} ...]; return {"images": ..., "targets": ...}, '
    "targets.",
)


@exercise.case
def one_size(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng, [(12, 16)] * 4, [2, 1, 3, 2])


@exercise.case
def many_sizes(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng, [(12, 16), (20, 10), (9, 9), (14, 24)], [1, 3, 2, 2])


@exercise.case
def nothing_on_one(rng: torch.Generator) -> dict[str, Any]:
    return batch_case(rng, [(12, 16), (20, 10), (14, 14)], [2, 0, 1])


def batch_case(rng: torch.Generator, sizes: list[tuple[int, int]], things: list[int]) -> dict[str, Any]:
    """Pictures of these sizes with so many objects, in drawn order, and weights that tell one picture from another."""
    order = torch.randperm(len(sizes), generator=rng).tolist()
    samples = []
    for i in order:
        corners = (torch.rand(things[i], 2, generator=rng) * 4).tolist()
        samples.append(
            {
                "picture": torch.rand(3, *sizes[i], generator=rng),
                "boxes": [[x, y, x + 4.0, y + 3.0] for x, y in corners],
                "labels": torch.randint(1, 9, (things[i],), generator=rng).tolist(),
            }
        )
    return {
        "samples": samples,
        "pixel_weights": torch.randn(3, 32, 32, generator=rng),
        "box_weights": torch.randn(4, generator=rng),
        "label_weights": torch.randn(9, generator=rng),
    }


@exercise.probe
def probe_collate(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    batch = [
        (one["picture"].clone(), [list(box) for box in one["boxes"]], list(one["labels"])) for one in case["samples"]
    ]
    form = 'a pair: `return {"images": images, "targets": targets}, targets`'
    returned = need(answer(batch), (tuple, list), form)
    if len(returned) != 2 or not isinstance(returned[0], dict) or set(returned[0]) != {"images", "targets"}:
        raise Unusable(f"your answer returned something else than {form}")
    images, targets = returned[0]["images"], returned[0]["targets"]
    if not isinstance(targets, (list, tuple)) or not all(isinstance(target, dict) for target in targets):
        raise Unusable('your answer\'s "targets" are not a list of dicts, one per picture')
    if not all({"boxes", "labels"} <= set(target) for target in targets):
        raise Unusable('a target in your answer lacks "boxes" or "labels": torchvision looks for these two names')
    return {
        # Twice a list are two lists in one; twice a tensor are its pixels doubled.
        "twice": [_weighed(image, case["pixel_weights"]) for image in images * 2],
        "sizes": [list(image.shape) for image in images],
        "pictures": [_weighed(image, case["pixel_weights"]) for image in images],
        "again": len(returned[1]),
        "targets": [_described(target, case) for target in targets],
    }


def _weighed(image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """One number that depends on every pixel and its place, black ones too."""
    if image.ndim != 3 or image.shape[0] != 3 or max(image.shape) > weights.shape[-1]:
        raise Unusable(
            f"a picture in your batch has shape {tuple(image.shape)}; leave pictures as they come, (3, H, W)"
        )
    return ((image.double() + 1) * weights[:, : image.shape[1], : image.shape[2]]).sum()


def _described(target: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """Kinds and shapes of a target, and one number for each of its boxes and its labels."""
    boxes, labels = target["boxes"], target["labels"]
    if not isinstance(boxes, torch.Tensor) or not isinstance(labels, torch.Tensor):
        raise Unusable("the boxes or labels of a target are not a tensor; torchvision wants tensors in every target")
    fits = boxes.ndim == 2 and boxes.shape[1] == 4
    numbers = labels.long().flatten().clamp(0, 8)
    return {
        "boxes": [str(boxes.dtype), list(boxes.shape)],
        "labels": [str(labels.dtype), list(labels.shape)],
        "weighed_boxes": boxes.double() @ case["box_weights"].double() if fits else torch.zeros(0),
        "weighed_labels": case["label_weights"][numbers].double() * (1 + torch.arange(len(numbers))),
    }


@exercise.judge(one_size, points=1)
def pictures_stay_apart(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The pictures come as a list, untouched and in order, not as one tensor, even where their sizes agree."""
    expected = [_weighed(one["picture"], case["pixel_weights"]) for one in case["samples"]]
    got = torch.stack([torch.as_tensor(value).double() for value in result["twice"]])
    stacked = torch.stack([_weighed(2 * one["picture"], case["pixel_weights"]) for one in case["samples"]])
    doubled = got.shape == stacked.shape and torch.allclose(got, stacked, rtol=1e-4)
    expect(
        not doubled,
        tried=f"{len(expected)} pictures that happen to be of one size",
        got="one tensor",
        expected="a list of pictures",
        because="stacked pictures must be of one size, and the next batch's are not: a detector takes a list",
    )
    _judge_pictures(case, result)
    expect_close(got, torch.stack(expected * 2), tried='two times the list of "images", one after the other', rtol=1e-4)


@exercise.judge(many_sizes, points=2)
def targets_as_torchvision_wants_them(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each picture has its own target: boxes (N, 4) in float32, labels (N,) in int64; and keeps its own size."""
    _judge_pictures(case, result)
    judge_targets(case, result)


@exercise.judge(nothing_on_one, points=1)
def a_picture_without_things_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A picture without objects stays in the batch, with boxes of shape (0, 4)."""
    expect(
        len(result["sizes"]) == len(case["samples"]),
        tried=f"{len(case['samples'])} pictures, one of them without objects",
        got=f"{len(result['sizes'])} pictures",
        expected=f"{len(case['samples'])}",
        because="a picture with nothing on it teaches what background looks like: keep it",
    )
    _judge_pictures(case, result)
    judge_targets(case, result)


def _judge_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    samples = case["samples"]
    sizes = [list(one["picture"].shape) for one in samples]
    tried = f"{len(samples)} pictures of {len({tuple(size) for size in sizes})} sizes"
    because = ""
    if sorted(result["sizes"]) == sorted(sizes):
        because = "they come in another order than in the batch"
    elif len(result["sizes"]) == len(sizes):
        because = "the pictures were padded, cut or resized: boxes in pixels would no longer fit"
    expect(result["sizes"] == sizes, tried=tried, got=result["sizes"], expected=sizes, because=because)
    expect_close(
        torch.stack([torch.as_tensor(value).double() for value in result["pictures"]]),
        torch.stack([_weighed(one["picture"], case["pixel_weights"]) for one in samples]),
        tried="comparing the pixels with those of the batch",
        rtol=1e-4,
        mistakes={
            "they come in another order than in the batch": torch.stack(
                [_weighed(one["picture"], case["pixel_weights"]) for one in samples[::-1]]
            )
        },
    )


def judge_targets(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every target is what torchvision wants of its sample."""
    samples = case["samples"]
    expect(
        len(result["targets"]) == result["again"] == len(samples),
        tried=f"{len(samples)} pictures",
        got=f"{len(result['targets'])} targets among the inputs, {result['again']} beside them",
        expected=f"{len(samples)} both times, one per picture",
        because="the network reads the targets among its inputs, and `fit` counts those beside them",
    )
    for one, got in zip(samples, result["targets"], strict=True):
        n = len(one["labels"])
        tried = f"the target of a picture with {n} object{'' if n == 1 else 's'}"
        for part, dtype, shape in (("boxes", "torch.float32", [n, 4]), ("labels", "torch.int64", [n])):
            _judge_type_and_shape(part, got[part], [dtype, shape], tried)
        expected = _described(
            {
                "boxes": torch.tensor(one["boxes"]).reshape(-1, 4),
                "labels": torch.tensor(one["labels"], dtype=torch.int64),
            },
            case,
        )
        for part in ("boxes", "labels"):
            expect_close(
                got[f"weighed_{part}"],
                expected[f"weighed_{part}"],
                tried=f"{tried}: comparing its {part} with the sample's",
                rtol=1e-4,
            )


def _judge_type_and_shape(part: str, got: list[Any], expected: list[Any], tried: str) -> None:
    """Raise Wrong unless [dtype, shape] of the "boxes" or "labels" of a target are as expected."""
    because = f"torchvision wants {part} in {expected[0].removeprefix('torch.')}" if got[0] != expected[0] else ""
    if got[1] != expected[1]:
        because = "each picture keeps its own boxes and labels"
        if expected[1][0] == 0:
            because = "torch.tensor([]) has the shape (0,): reshape(-1, 4) makes it no boxes of four numbers"
    expect(got == expected, tried=tried, got=f"{part}: {got}", expected=f"{part}: {expected}", because=because)
