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

exercise = Exercise(
    "07-transform-jointly",
    answer="joint_transform",
    call="joint_transform(image, mask, seed)",
    title="Move picture and mask together",
    withholds=("course.applications.segmentation.joint_transform",),
    hints=(
        "Draw the window and the flip once, from `torch.Generator().manual_seed(seed)`; then apply the same numbers to "
        "both.",
        "torchvision's `functional.resized_crop(x, top, left, height, width, size, interpolation)` cuts and resizes, "
        "`functional.hflip` flips. A mask needs a channel axis for them: `mask[None]`, and `[0]` afterwards.",
        "Which interpolation? Between class 0 and class 15 lies no class 8: a mask takes the nearest pixel, always.",
    ),
    idea="Draw height, width, top, left and the flip from one seeded generator; resized_crop both, the picture "
    "bilinear, the mask nearest; flip both or none.",
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
    """Picture and mask get the same window and flip: each pixel of the mask says what the picture shows there."""
    _expect_shapes(case, result)
    _expect_work(case, result)
    _expect_upright(case, result)
    judge_alignment(case, result)
    _expect_windows_and_flips(case, result)


@exercise.judge(distant_labels, points=2)
def no_label_is_invented(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The new mask holds whole numbers, and none that the old one did not hold."""
    judge_labels(case, result)


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
        because="draw from a generator seeded with `seed`, not from one that goes on: a run cannot be repeated else",
    )
    expect(
        not _seed_is_ignored(result),
        tried=f"{SEEDS} seeds",
        got="the same window and flip from all of them",
        expected="another one for every seed",
        because="`seed` is ignored: a `torch.Generator()` that nobody seeds starts in the same place every time. "
        "Draw from `torch.Generator().manual_seed(seed)`",
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
        expected="whole numbers (int64)",
        because="labels are names, not amounts: a loss takes them as int64",
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
    because = "a blend of two labels is a third class that nobody drew: resize a mask with the nearest pixel"
    if invented and set(invented) <= {0, 1}:
        because = "the mask was scaled like a picture (divided by 255): labels are not brightness values"
    elif invented == [0]:
        because = "what was turned or moved in from outside became class 0"
    got = f"the labels {invented[:8]} as well" if invented else "only these"
    expect(not invented, tried=tried, got=got, expected="only these", because=because)
    expect(not lost, tried=f"{tried}, {SEEDS} seeds", got=f"never {lost[:8]}", expected="all of them, now and then",
           because="the new mask is a window of the old one, enlarged; its labels stay what they are")  # fmt: skip


def _expect_shapes(case: dict[str, Any], result: dict[str, Any]) -> None:
    for name in ("image", "mask"):
        expected = tuple(case[name].shape)
        for got in result[f"{name}s"]:
            because = (
                "height and width changed places" if tuple(got.shape) == (*expected[:-2], *expected[:-3:-1]) else ""
            )
            if tuple(got.shape) == (1, *expected):
                because = "a channel axis that was added for resizing is still there: take [0]"
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
        got=f"{1 - sum(shares) / SEEDS:.0%} of the pixels have colours that stand nowhere in the old one",
        expected="a window of the picture, enlarged",
        because="pixels move, and their colours stay: nothing is scaled, normalised or filled in here",
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
        because="the wrong axis: left and right change places (hflip, or flip(-1)); vflip and flip(-2) turn a scene "
        "upside down",
    )


def _expect_windows_and_flips(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the seeds give crops and flips, each within what was asked for.

    Where the seed is ignored there is but one window; that the others are missing is for another judge to say.
    """
    tried = f"{SEEDS} seeds"
    windows = [positions.window(case, image) for image in result["images"]]
    one_window = _seed_is_ignored(result)
    flips = sum(right < left for _, _, left, right in windows)
    expect(
        one_window or 0 < flips < SEEDS,
        tried=f"{tried}: which way round the picture is",
        got=f"flipped left to right in {flips} of them",
        expected="flipped in some, not in others",
        because="a flip is drawn as well: left and right change places with probability 1/2",
    )
    heights = [bottom - top for top, bottom, _, _ in windows]
    widths = [abs(right - left) for _, _, left, right in windows]
    smallest, largest = min(heights + widths), max(heights + widths)
    expect(
        smallest > SMALLEST - 0.09 and largest < 1.03,
        tried=f"{tried}: the sides of the window, as a part of the picture's",
        got=f"from {smallest:.2f} to {largest:.2f}",
        expected=f"from {SMALLEST} to 1",
        because="the window is at least half as high and half as wide as the picture",
    )
    different = len({(round(top, 2), round(bottom, 2)) for top, bottom, _, _ in windows})
    expect(
        one_window or (different > 3 and min(heights) < 0.97),
        tried=f"{tried}: the windows",
        got=f"{different} different ones, the smallest of {min(heights):.2f} of the height",
        expected="another one for every seed",
        because="the window's size and place are drawn from the seed",
    )


def judge_alignment(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless each mask is the old one at the places that its picture's colours name."""
    pairs = list(zip(result["images"], result["masks"], strict=True))
    shares = [positions.labelled(case, x, m) for x, m in pairs]
    worst = min(range(SEEDS), key=shares.__getitem__)
    expect(
        shares[worst] > ALIKE,
        tried=f"{SEEDS} seeds on a picture whose colours say where each pixel comes from; seed {case['seeds'][worst]}",
        got=f"{shares[worst]:.0%} of the pixels beside their own label",
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
        return "the mask has lost labels, so they stand nowhere: it is cut and resized, its numbers stay what they are"
    if all(
        max(share, positions.labelled(case, x, m.flip(-2))) > ALIKE for share, (x, m) in zip(shares, pairs, strict=True)
    ):
        return "the mask was turned upside down and the picture was not: flip both, left to right"
    if any(
        max(share, positions.labelled(case, x, m.flip(-1))) <= ALIKE
        for share, (x, m) in zip(shares, pairs, strict=True)
    ):
        return "picture and mask were cut at different places: draw once, and use the same numbers for both"
    pictures = [right < left for _, _, left, right in (positions.window(case, x) for x, _ in pairs)]
    masks = [flipped != (share <= ALIKE) for flipped, share in zip(pictures, shares, strict=True)]
    if not any(masks):
        return "the picture was flipped and the mask never: what is done to one is done to the other"
    if not any(pictures):
        return "the mask was flipped and the picture never: what is done to one is done to the other"
    return "picture and mask were flipped independently: draw the flip once"
