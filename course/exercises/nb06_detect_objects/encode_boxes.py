"""Boxes as offsets from anchors, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, nudged
from course.judging import Exercise, Unusable, expect_close, need

MAX_LOG = math.log(1000 / 16)
Four = tuple[float, float, float, float]

exercise = Exercise(
    "06-encode-boxes",
    answer="BoxCoder",
    call="BoxCoder()",
    title="Encode and decode a box",
    withholds=("torchvision.models.detection._utils.BoxCoder",),
    hints=(
        "Both methods begin with the same two lines: the centres and the sides of the boxes that they are given.",
        "Decoding is the same four equations solved for the box: what is the centre, given dx, the anchor's centre and "
        "its width? And the width, given dw? The last step goes from centre and sides back to corners.",
        "encode: [(centre - anchor_centre) / anchor_side, log(side / anchor_side)]. decode: centre = anchor_centre + "
        "d * anchor_side, side = anchor_side * exp(d.clamp(max=log(1000 / 16))), corners = centre -+ side / 2.",
    ),
    idea="encode: cat([(centre - a_centre) / a_side, (side / a_side).log()], 1). decode: centre = a_centre + "
    "deltas[:, :2] * a_side; side = a_side * deltas[:, 2:].clamp(max=math.log(1000 / 16)).exp(); "
    "cat([centre - side / 2, centre + side / 2], 1).",
)


@exercise.case
def near_boxes(rng: torch.Generator) -> dict[str, Any]:
    return coding_case(rng)


def coding_case(rng: torch.Generator, count: int = 6, *, least: float = 12.0) -> dict[str, Any]:
    """Anchors that aren't squares, boxes near them, and offsets to decode."""
    anchors = drawn_boxes(rng, count, size=100.0, least=least)
    return {
        "anchors": anchors,
        "boxes": nudged(anchors, rng, 0.3),
        "deltas": torch.randn(count, 4, generator=rng) * torch.tensor([0.4, 0.4, 0.5, 0.5]),
    }


@exercise.case
def wild_offsets(rng: torch.Generator) -> dict[str, Any]:
    """Offsets as an untrained network may return them: some logarithms are far too large, some very small."""
    case = coding_case(rng)
    case["deltas"][:3, 2:] = torch.tensor([[90.0, 0.1], [0.2, 200.0], [5.0, 6.0]])
    case["deltas"][3, 2:] = -8.0
    return case


@exercise.probe
def probe_box_coder(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    coder = answer()
    results = {}
    for name, given in (("encode", case["boxes"]), ("decode", case["deltas"])):
        method = getattr(coder, name, None)
        if method is None:
            raise Unusable(f"your BoxCoder has no method {name}")
        value = need(method(given.clone(), case["anchors"].clone()), torch.Tensor, f"a tensor (N, 4) from {name}")
        if value.shape != given.shape:
            raise Unusable(
                f"{name} returned a tensor of shape {tuple(value.shape)} for {len(given)} boxes; return (N, 4)"
            )
        results[name] = value.detach().float()
    return results


@exercise.judge(near_boxes, points=2)
def boxes_become_offsets(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`encode` gives dx and dy relative to the anchor's sides, and the logarithms dw and dh."""
    judge_encoding(case, result)


@exercise.judge(near_boxes, points=2)
def offsets_become_boxes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`decode` gives the corners of the box that the offsets describe."""
    judge_decoding(case, result)


@exercise.judge(wild_offsets, points=1)
def wild_offsets_are_limited(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Logarithms above log(1000 / 16) are treated as log(1000 / 16), so that no box becomes infinite."""
    judge_decoding(case, result)


def judge_encoding(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the offsets are those of the definition."""
    boxes, anchors = case["boxes"], case["anchors"]
    expect_close(
        result["encode"],
        _rows(encoded, boxes, anchors),
        tried=f"encoding {len(boxes)} boxes against {len(anchors)} anchors",
        rtol=1e-3,
        atol=1e-3,
        mistakes={because: _rows(wrong, boxes, anchors) for because, wrong in ENCODING_MISTAKES.items()},
        because="dx and dy are the distance between the centres over the anchor's width and height; dw and dh are "
        "log(box side / anchor side)",
    )


def judge_decoding(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the boxes are those that the offsets describe."""
    deltas, anchors = case["deltas"], case["anchors"]
    expect_close(
        result["decode"],
        _rows(decoded, deltas, anchors),
        tried=f"decoding {len(deltas)} offsets, {tuple(round(value, 2) for value in deltas[0].tolist())} first",
        rtol=1e-3,
        atol=1e-2,
        mistakes={because: _rows(wrong, deltas, anchors) for because, wrong in DECODING_MISTAKES.items()},
        because="the centre is the anchor's centre plus dx and dy times the anchor's sides, the sides are the anchor's "
        "sides times exp(dw) and exp(dh), and the result is x1, y1, x2, y2",
    )


def _rows(measure: Callable[[Four, Four], list[float]], given: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    pairs = zip(given.double().tolist(), anchors.double().tolist(), strict=True)
    return torch.tensor([measure(tuple(one), tuple(anchor)) for one, anchor in pairs]).reshape(-1, 4).float()


def encoded(box: Four, anchor: Four, *, centred: bool = True, by: str = "anchor", log: bool = True) -> list[float]:
    """dx, dy, dw, dh of one box; the options are the usual mistakes."""
    offsets, ratios = [], []
    for axis in (0, 1):
        side, anchor_side = box[axis + 2] - box[axis], anchor[axis + 2] - anchor[axis]
        distance = box[axis] - anchor[axis] + (0.5 * (side - anchor_side) if centred else 0.0)
        offsets.append(distance / {"anchor": anchor_side, "box": side, "nothing": 1.0}[by])
        ratios.append(math.log(side / anchor_side) if log else side / anchor_side)
    return offsets + ratios


def decoded(
    deltas: Four,
    anchor: Four,
    *,
    limit: float = MAX_LOG,
    exponential: bool = True,
    relative: bool = True,
    corner: str = "middle",
) -> list[float]:
    """x1, y1, x2, y2 that the offsets describe; the options are the usual mistakes."""
    low, high = [], []
    for axis in (0, 1):
        side = anchor[axis + 2] - anchor[axis]
        centre = anchor[axis] + side / 2 + deltas[axis] * (side if relative else 1.0)
        log = min(deltas[axis + 2], limit)
        size = side * (math.exp(min(log, 700.0)) if exponential else 1 + log)
        if corner == "middle":
            low.append(centre - size / 2)
            high.append(centre + size / 2)
        else:
            low.append(centre)
            high.append(centre + size if corner == "first" else size)
    return low + high


def _swapped(deltas: list[float]) -> list[float]:
    dx, dy, dw, dh = deltas
    return [dx, dw, dy, dh]


ENCODING_MISTAKES: dict[str, Callable[[Four, Four], list[float]]] = {
    "this compares the upper left corners; dx and dy compare the centres": lambda b, a: encoded(b, a, centred=False),
    "dx and dy are in pixels; divide them by the anchor's width and height": lambda b, a: encoded(b, a, by="nothing"),
    "dx and dy are divided by the sides of the box; decode only knows those of the anchor": (
        lambda b, a: encoded(b, a, by="box")
    ),
    "dw and dh are ratios; take their logarithm": lambda b, a: encoded(b, a, log=False),
    "dw and dh have the wrong sign: log(box side / anchor side), not the other way round": (
        lambda b, a: [*encoded(b, a)[:2], *(-one for one in encoded(b, a)[2:])]
    ),
    "dx and dy have the wrong sign: they lead from the anchor to the box": (
        lambda b, a: [*(-one for one in encoded(b, a)[:2]), *encoded(b, a)[2:]]
    ),
    "the order is dx, dy, dw, dh": lambda b, a: _swapped(encoded(b, a)),
}
DECODING_MISTAKES: dict[str, Callable[[Four, Four], list[float]]] = {
    "these are centres and sides; return the corners x1, y1, x2, y2": lambda d, a: decoded(d, a, corner="none"),
    "the centre was used as the upper left corner": lambda d, a: decoded(d, a, corner="first"),
    "dw and dh are logarithms: the sides are those of the anchor times exp(dw) and exp(dh)": (
        lambda d, a: decoded(d, a, exponential=False)
    ),
    "dx and dy are relative: multiply them by the anchor's sides": lambda d, a: decoded(d, a, relative=False),
    "dw and dh are not limited: exp turns large ones into boxes of enormous or infinite size": (
        lambda d, a: decoded(d, a, limit=math.inf)
    ),
}
