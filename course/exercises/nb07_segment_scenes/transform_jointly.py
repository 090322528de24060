"""One random crop and flip for a picture and its mask."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from course.exercises.nb07_segment_scenes import pixel_positions as positions
from course.judging import Exercise, Unusable, expect, need

SEEDS = 16
SMALLEST = 0.5  # of a side, for the window that is cut out
ALIKE = 0.99  # of the pixels, where picture and mask moved together
VARIED_SIDE = 0.1  # the least range of the window's sides over the seeds, relative to the picture's
VARIED_POSITION = 0.3  # the least range of its positions over the seeds, relative to the room that it has
ROOM = 0.92  # a window with a longer side has too little room to show where it was put

exercise = Exercise(
    "07-transform-jointly",
    answer="joint_transform",
    call="joint_transform(image, mask, seed)",
    title="Move picture and mask together",
    withholds=("course.applications.segmentation.joint_transform",),
    hints=(
        "Draw the window and the flip once, from `torch.Generator().manual_seed(seed)`; then apply the same numbers to "
        "both.",
        "torchvision's `functional.resized_crop(x, top, left, height, width, size, interpolation)` crops and resizes, "
        "`functional.hflip` flips. A mask needs a channel axis for them: `mask[None]`, and `[0]` afterwards.",
        "Draw the height and the width first, each between half and the whole side. The top edge is then between 0 and "
        "H - height. The mask is resized with InterpolationMode.NEAREST.",
    ),
    idea="Draw height, width, top, left and the flip from one seeded generator; resized_crop both, the picture "
    "bilinear, the mask nearest; flip both or neither.",
)


@exercise.case
def a_picture_of_places(rng: torch.Generator) -> dict[str, Any]:
    return places_case(rng, 28, 36, [0, 1, 2, 3, 4])


@exercise.case
def distant_labels(rng: torch.Generator) -> dict[str, Any]:
    return places_case(rng, 32, 24, [0, 15, 40, 255])


def places_case(rng: torch.Generator, height: int, width: int, labels: list[int]) -> dict[str, Any]:
    """A picture whose first two colours say where a pixel is, in (0, 1), and a mask of large patches.

    The third colour is noise, constant along the rows of its patches, so that no two cases show the same.
    """
    low = torch.rand(2, generator=rng) * 0.15 + 0.05
    span = torch.rand(2, generator=rng) * 0.25 + 0.5
    rows = (low[0] + span[0] * (torch.arange(height) + 0.5) / height).view(-1, 1).expand(height, width)
    columns = (low[1] + span[1] * (torch.arange(width) + 0.5) / width).view(1, -1).expand(height, width)
    patches = torch.tensor(labels)[torch.randint(len(labels), (6, 6), generator=rng)]
    mask = functional.interpolate(patches[None, None].float(), (height, width))[0, 0].long()
    third = (mask.float() / max(labels) * 0.6 + 0.2).clamp(0, 1)  # the picture shows what the mask says
    seeds = torch.randint(2**31, (SEEDS,), generator=rng).tolist()
    return {
        "image": torch.stack([rows, columns, third]),
        "mask": mask,
        "low": low,
        "span": span,
        "seeds": seeds,
    }


@exercise.probe
def probe_transform_jointly(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    once = [_run(answer, case, seed) for seed in case["seeds"]]
    again = [_run(answer, case, seed) for seed in case["seeds"][:4]]
    return {"images": [x for x, _ in once], "masks": [m for _, m in once], "images_again": [x for x, _ in again],
            "masks_again": [m for _, m in again]}  # fmt: skip


def _run(answer: Any, case: dict[str, Any], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    what = "the picture and the mask: `return image, mask`"
    returned = need(answer(case["image"].clone(), case["mask"].clone(), seed), (tuple, list), what)
    if len(returned) != 2 or not all(isinstance(part, torch.Tensor) for part in returned):
        raise Unusable(f"your answer returned something else than two tensors; return {what}")
    return returned[0], returned[1]


@exercise.judge(a_picture_of_places, points=2)
def every_pixel_keeps_its_label(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Image and mask get the same window and flip: each pixel of the mask still labels the pixel it belongs to."""
    _expect_shapes(case, result)
    _expect_work(case, result)
    _expect_upright(case, result)
    judge_alignment(case, result)


@exercise.judge(distant_labels, points=1)
def no_label_is_invented(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The new mask holds integers, and only labels that the old one holds."""
    judge_labels(case, result)


@exercise.judge(a_picture_of_places, points=1)
def size_position_and_flip_are_random(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The window's size, its position and the flip are all random, within the limits of the task."""
    _expect_shapes(case, result)
    _expect_work(case, result)
    _expect_upright(case, result)
    _expect_windows_and_flips(case, result)


@exercise.judge(a_picture_of_places, points=1)
def the_seed_decides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same seed gives the same window and flip; other seeds give others."""
    _expect_shapes(case, result)
    _expect_work(case, result)
    pairs = zip(result["images"], result["images_again"], result["masks"], result["masks_again"], strict=False)
    same = [torch.equal(x, x_again) and torch.equal(m, m_again) for x, x_again, m, m_again in pairs]
    expect(
        len(same) == 4 and all(same),
        tried="the same seeds a second time",
        got=f"{same.count(False)} of {len(same)} came out differently",
        expected="the same each time",
        because="draw from a generator seeded with `seed`, not from a global one: otherwise a run cannot be repeated",
    )
    expect(
        not _seed_is_ignored(result),
        tried=f"{SEEDS} seeds",
        got="the same window and flip from all of them",
        expected="another one for every seed",
        because="`seed` is ignored (an unseeded `torch.Generator()` starts in the same state every time): "
        "draw from `torch.Generator().manual_seed(seed)`",
    )


def judge_labels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the masks were cut and enlarged, and hold the old labels as whole numbers."""
    _expect_shapes(case, result)
    _expect_work(case, result)
    old = case["mask"]
    tried = f"a mask with the labels {old.unique().tolist()}"
    dtypes = {str(mask.dtype).removeprefix("torch.") for mask in result["masks"]}
    expect(
        not any(mask.is_floating_point() for mask in result["masks"]),
        tried=tried,
        got=", ".join(sorted(dtypes)),
        expected="integers (int64)",
        because="labels are names, not quantities: the loss expects them as int64",
    )
    turned = [old, old.flip(-1), old.flip(-2), old.flip((-2, -1))]
    expect(
        not all(any(torch.equal(mask.long(), one) for one in turned) for mask in result["masks"]),
        tried=f"{tried}, {SEEDS} seeds",
        got="the whole mask every time",
        expected="windows of it, enlarged",
        because=_LEFT_BEHIND if _is_left_behind(case, result) else "no window was cut out of the mask",
    )
    known = set(old.unique().tolist())
    found = set(torch.cat([mask.flatten().long() for mask in result["masks"]]).tolist())
    invented, lost = sorted(found - known), sorted(known - found)
    because = "a blend of two labels is a third class that nobody drew: resize a mask with nearest neighbours"
    if invented and set(invented) <= {0, 1}:
        because = "the mask was scaled like a picture (divided by 255): labels are not brightness values"
    elif invented == [0]:
        because = "areas outside the picture were filled with class 0"
    got = f"the labels {invented[:8]} as well" if invented else "only these"
    expect(not invented, tried=tried, got=got, expected="only these", because=because)
    expect(not lost, tried=f"{tried}, {SEEDS} seeds", got=f"never {lost[:8]}", expected="each of them in some window",
           because="the new mask is a window of the old one, enlarged; its labels stay as they are")  # fmt: skip


def _expect_shapes(case: dict[str, Any], result: dict[str, Any]) -> None:
    for name in ("image", "mask"):
        expected = tuple(case[name].shape)
        for got in result[f"{name}s"]:
            because = "height and width are swapped" if tuple(got.shape) == (*expected[:-2], *expected[:-3:-1]) else ""
            if tuple(got.shape) == (1, *expected):
                because = "the channel axis that was added for resizing is still there: take [0]"
            elif tuple(got.shape) == expected[:1] + expected[2:]:
                because = "an axis is missing"
            elif not because:
                because = "resize the window to the size of the whole picture, so that pictures share a batch"
            expect(
                tuple(got.shape) == expected,
                tried=f"the shape of the {name}",
                got=tuple(got.shape),
                expected=expected,
                because=because,
            )


def _expect_work(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong if nothing was transformed, or if the pictures are not parts of this case's."""
    kept = sum(torch.equal(image, case["image"]) for image in result["images"])
    expect(kept < SEEDS, tried=f"{SEEDS} seeds", got="the picture as it was, every time", expected="crops and flips",
           because="nothing was transformed")  # fmt: skip
    shares = [positions.coloured(case, image) for image in result["images"]]
    expect(
        sum(shares) / SEEDS > 0.6,
        tried=f"{SEEDS} seeds: the colours of the new picture",
        got=f"{1 - sum(shares) / SEEDS:.0%} of the pixels have colours that don't occur in the old one",
        expected="a window of the picture, enlarged",
        because="pixels move, but their colours stay as they are: nothing is scaled, normalised or filled in here",
    )


def _seed_is_ignored(result: dict[str, Any]) -> bool:
    """True if every seed gave the same."""
    return all(torch.equal(several[0], one) for several in (result["images"], result["masks"]) for one in several[1:])


def _expect_upright(case: dict[str, Any], result: dict[str, Any]) -> None:
    windows = [positions.window(case, image) for image in result["images"]]
    turned = sum(bottom < top for top, bottom, _, _ in windows)
    expect(
        not turned,
        tried=f"{SEEDS} seeds",
        got=f"{turned} pictures upside down",
        expected="none",
        because="the wrong axis: left and right are exchanged by hflip or flip(-1); vflip and flip(-2) turn a scene "
        "upside down",
    )


def _expect_windows_and_flips(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the windows have random sizes within the limits and random positions, and flips are random.

    Where the seed is ignored there is a single window; the judge of the seed reports that.
    """
    if _seed_is_ignored(result):
        return
    tried = f"{SEEDS} seeds"
    windows = [positions.window(case, image) for image in result["images"]]
    heights = [bottom - top for top, bottom, _, _ in windows]
    widths = [abs(right - left) for _, _, left, right in windows]
    smallest, largest = min(heights + widths), max(heights + widths)
    expect(
        smallest > SMALLEST - 0.09 and largest < 1.03,
        tried=f"{tried}: the sides of the window, relative to the picture's",
        got=f"from {smallest:.2f} to {largest:.2f}",
        expected=f"from {SMALLEST} to 1",
        because="the window is at least half as high and half as wide as the picture",
    )
    for name, sides in (("height", heights), ("width", widths)):
        expect(
            max(sides) - min(sides) > VARIED_SIDE,
            tried=f"{tried}: the {name} of the window, relative to the picture's",
            got=f"from {min(sides):.2f} to {max(sides):.2f}",
            expected=f"random sides between {SMALLEST} and 1",
            because="the size of the window is random: draw its height and its width from the seed as well",
        )
    starts = {"top": ([top for top, _, _, _ in windows], heights),
              "left": ([min(left, right) for _, _, left, right in windows], widths)}  # fmt: skip
    for name, (edges, sides) in starts.items():
        free = [edge / (1 - side) for edge, side in zip(edges, sides, strict=True) if side < ROOM]
        expect(
            not free or max(free) - min(free) > VARIED_POSITION,
            tried=f"{tried}: where the window's {name} edge is, from 0 (the picture's {name} edge) to 1 (as far from "
            "it as the window can be)",
            got=f"from {min(free, default=0):.2f} to {max(free, default=0):.2f}",
            expected="random positions between 0 and 1",
            because="the position of the window is random: draw its top and its left edge from the seed as well",
        )
    flips = sum(right < left for _, _, left, right in windows)
    expect(
        0 < flips < SEEDS,
        tried=f"{tried}: mirrored pictures",
        got=f"flipped left to right in {flips} of them",
        expected="flipped in some, not in others",
        because="the flip is random as well: left and right are exchanged with probability 1/2",
    )


def judge_alignment(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless each mask is the old one at the places that its picture's colours name."""
    pairs = list(zip(result["images"], result["masks"], strict=True))
    shares = [positions.labelled(case, x, m) for x, m in pairs]
    worst = min(range(SEEDS), key=shares.__getitem__)
    expect(
        shares[worst] > ALIKE,
        tried=f"{SEEDS} seeds on a picture whose colours say where each pixel comes from; seed {case['seeds'][worst]}",
        got=f"{shares[worst]:.0%} of the pixels have their own label",
        expected="all of them",
        because=_why_apart(case, result, shares),
    )


_LEFT_BEHIND = "the mask stayed as it was while the picture moved"


def _is_left_behind(case: dict[str, Any], result: dict[str, Any]) -> bool:
    return all(torch.equal(mask.long(), case["mask"]) for mask in result["masks"])


def _why_apart(case: dict[str, Any], result: dict[str, Any], shares: list[float]) -> str:
    pairs = list(zip(result["images"], result["masks"], strict=True))
    if _is_left_behind(case, result):
        return _LEFT_BEHIND
    if not set(case["mask"].unique().tolist()) <= set(torch.stack([m.long() for _, m in pairs]).unique().tolist()):
        return "the mask has lost labels: it is cropped and resized, but its numbers stay what they are"
    if all(
        max(share, positions.labelled(case, x, m.flip(-2))) > ALIKE for share, (x, m) in zip(shares, pairs, strict=True)
    ):
        return "the mask was turned upside down and the picture was not: flip both, left to right"
    if any(
        max(share, positions.labelled(case, x, m.flip(-1))) <= ALIKE
        for share, (x, m) in zip(shares, pairs, strict=True)
    ):
        return "picture and mask were cropped at different positions: draw once, and use the same numbers for both"
    pictures = [right < left for _, _, left, right in (positions.window(case, x) for x, _ in pairs)]
    masks = [flipped != (share <= ALIKE) for flipped, share in zip(pictures, shares, strict=True)]
    if not any(masks):
        return "the picture was flipped and the mask never: do the same to both"
    if not any(pictures):
        return "the mask was flipped and the picture never: do the same to both"
    return "picture and mask were flipped independently: draw the flip once"
