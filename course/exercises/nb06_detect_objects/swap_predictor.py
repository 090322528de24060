"""A pretrained detector with new last layers, for other classes of objects."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.exercises.tensor_comparison import diverged, follows
from course.judging import Exercise, Wrong, expect, need

OLD_CLASSES = 6  # scores of the detector before the swap, background among them
HIDDEN = 20  # inputs of its predictor
RATE = 0.2

exercise = Exercise(
    "06-swap-predictor",
    answer="swap_predictor",
    call="swap_predictor(model, n)",
    title="Teach a detector other classes",
    withholds=("course.applications.detection.replace_predictor", "course.applications.detection.load_detector"),
    hints=(
        "`model.roi_heads.box_predictor` holds two Linear layers, `cls_score` for scores and `bbox_pred` for boxes.",
        "Every proposal without an object must get a class as well. How many outputs do n classes of objects need?",
        "`in_features = model.roi_heads.box_predictor.cls_score.in_features`, then a new "
        "`FastRCNNPredictor(in_features, ...)` from torchvision.models.detection.faster_rcnn in its place.",
    ),
    idea="old = model.roi_heads.box_predictor.cls_score; model.roi_heads.box_predictor = "
    "FastRCNNPredictor(old.in_features, n + 1); return model.",
)


@exercise.case
def several_classes(rng: torch.Generator) -> dict[str, Any]:
    return detector_case(rng)


def detector_case(rng: torch.Generator, classes: int | None = None) -> dict[str, Any]:
    """A detector's weights, inputs of its predictor, and a label for each: every class, background among them."""
    classes = classes or int(torch.randint(8, 12, (), generator=rng))
    state = {
        name: value + 0.2 * torch.rand(value.shape, generator=rng) if value.is_floating_point() else value
        for name, value in _detector().state_dict().items()
    }
    return {
        "state": state,
        "classes": classes,
        "pictures": torch.randn(36, 3, 32, 32, generator=rng),
        "y": torch.arange(36)[torch.randperm(36, generator=rng)] % (classes + 1),
        "boxes": torch.randn(36, 4, generator=rng),
    }


def _detector() -> Any:
    """A Faster R-CNN as small as can be, of random weights; torch's global generator is left as it was."""
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone: Any = nn.Sequential(nn.Conv2d(3, 6, 3, stride=8, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        backbone.out_channels = 6
        return FasterRCNN(
            backbone,
            min_size=32,
            max_size=32,
            rpn_anchor_generator=AnchorGenerator(((12,),), ((1.0,),)),
            box_roi_pool=MultiScaleRoIAlign(["0"], 2, 1),
            box_head=TwoMLPHead(24, HIDDEN),
            box_predictor=FastRCNNPredictor(HIDDEN, OLD_CLASSES),
        )


@exercise.probe
def probe_swap_predictor(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _detector().eval()
    model.load_state_dict(case["state"])
    model.requires_grad_(False)
    model = need(answer(model, case["classes"]), nn.Module, "the detector: `return model`").eval()
    heads = need(getattr(model, "roi_heads", None), nn.Module, "a detector, with its roi_heads")
    state = {name: value.clone() for name, value in model.state_dict().items()}
    requires_grad = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    outputs, outputs_after, error = [], [], ""
    try:
        maps = model.backbone(case["pictures"])
        x = heads.box_head(F.adaptive_avg_pool2d(maps, 2))
        outputs = list(heads.box_predictor(x))
        _step(model, outputs, maps, case)
        with torch.no_grad():
            outputs_after = list(heads.box_predictor(x))
    except (RuntimeError, TypeError, IndexError, NotImplementedError) as problem:
        error = f"{type(problem).__name__}: {str(problem)[:200]}"
    return {
        "outputs": outputs,
        "outputs_after": outputs_after,
        "error": error,
        "state": state,
        "state_after": dict(model.state_dict()),
        "requires_grad": requires_grad,
    }


def _step(model: Any, outputs: list[torch.Tensor], maps: torch.Tensor, case: dict[str, Any]) -> None:
    """One step of SGD on labels, boxes and proposals, over whatever asks for a gradient, if every class has a score."""
    scores, boxes = outputs
    if scores.shape[-1] == case["classes"] + 1:
        loss = _loss(scores, boxes, case) + sum(part.square().mean() for part in flat(model.rpn.head([maps])))
        if loss.requires_grad:
            optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
            loss.backward()
            optimizer.step()


def flat(nested: Any) -> list[torch.Tensor]:
    """The tensors of lists in lists."""
    return [nested] if isinstance(nested, torch.Tensor) else [tensor for part in nested for tensor in flat(part)]


def head_inputs(case: dict[str, Any]) -> torch.Tensor:
    """(36, HIDDEN), what the predictor sees of the pictures in a fresh detector with the case's weights."""
    model = _detector().eval()
    model.load_state_dict(case["state"])
    with torch.no_grad():
        return model.roi_heads.box_head(F.adaptive_avg_pool2d(model.backbone(case["pictures"]), 2))


def _loss(scores: torch.Tensor, boxes: torch.Tensor, case: dict[str, Any]) -> torch.Tensor:
    """Cross-entropy of the scores, and the squared distance of every class's box from the one that is drawn."""
    wanted = case["boxes"].repeat(1, boxes.shape[1] // 4)
    return F.cross_entropy(scores, case["y"]) + F.mse_loss(boxes, wanted)


@exercise.judge(several_classes, points=2)
def a_score_per_class_and_one_for_background(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each proposal gets a score for every class of objects and one for background, from a layer that trains."""
    judge_layer(case, result, 0)


@exercise.judge(several_classes, points=1)
def a_box_for_each_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each proposal gets a box (four numbers) for every one of these classes, from a layer that trains."""
    judge_layer(case, result, 1)


def judge_layer(case: dict[str, Any], result: dict[str, Any], which: int) -> None:
    """Raise Wrong unless the scores (0) or boxes (1) are those of a new linear layer that follows its gradient."""
    classes, name = case["classes"], ("scores", "numbers for boxes")[which]
    x = head_inputs(case)
    tried = f"{len(x)} proposals through your predictor for {classes} classes"
    expected_width = (classes + 1) * (4 if which else 1)
    _expect_outputs(case, result, which, tried, expected_width, name)
    before, after = result["outputs"][which], result["outputs_after"][which]
    known = ("roi_heads.box_predictor.cls_score.weight", "roi_heads.box_predictor.bbox_pred.weight")[which]
    expect(
        _is_linear(before, x),
        tried=tried,
        got=f"{name} that are not linear in the inputs of the predictor",
        expected="one nn.Linear, its weights drawn at random, without an activation after it",
        because="scores are logits, and boxes offsets: each comes from one linear layer, without softmax or activation",
    )
    # One step moves the outputs of a linear layer by -rate (x x' + 1) times the gradient with respect to them.
    start = [output.detach().clone().requires_grad_() for output in result["outputs"]]
    slope = torch.autograd.grad(_loss(start[0], start[1], case), start)[which]
    path = before - RATE * (x @ x.T + 1.0) @ slope
    frozen = [name for name, flag in result["requires_grad"].items() if not flag and "box_predictor" in name]
    expect(
        follows(after, path, before),
        tried=f"one step of SGD in a detector that was frozen before, then the same proposals; looking at {known}",
        got="the same as before" if torch.equal(after, before) else f"{name} that did not follow the gradient",
        expected=f"{name} moved by the step of one new nn.Linear",
        because="a new layer is trainable: leave it so"
        if frozen
        else "the predictor in use is not the one that trains",
    )


def _expect_outputs(
    case: dict[str, Any], result: dict[str, Any], which: int, tried: str, width: int, name: str
) -> None:
    """Raise Wrong unless the predictor ran and its output has this width."""
    classes = case["classes"]
    if result["error"] or len(result["outputs"]) != 2:
        raise Wrong(
            tried=tried,
            got=result["error"] or f"{len(result['outputs'])} outputs",
            expected="scores and boxes",
            because="the predictor receives the output of the box head: read in_features from the old cls_score",
        )
    got = list(result["outputs"][which].shape)
    factor = 4 if which else 1
    because = {
        OLD_CLASSES * factor: "this is as wide as the old layer: both `cls_score` and `bbox_pred` need a new one",
        classes * factor: "background is a class too: n classes of objects need n + 1 outputs",
        (classes - 1) * factor: "background is one class more, not one less: n classes of objects need n + 1 outputs",
        (classes + 2) * factor: "background is counted twice: n classes of objects need n + 1 outputs",
    }.get(got[-1], "n classes of objects and the background: n + 1 scores, and four numbers for each of these")
    expect(
        got == [len(case["y"]), width],
        tried=tried,
        got=f"{name} of shape {got}",
        expected=f"[{len(case['y'])}, {width}]",
        because=because,
    )


@exercise.judge(several_classes, points=1)
def all_else_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Trunk, RPN and box head keep their pretrained weights, and stay frozen if they were frozen."""
    state, old = result["state"], [name for name in case["state"] if "box_predictor" not in name]
    lost = [name for name in old if not _equal(state.get(name), case["state"][name])]
    expect(
        not lost,
        tried="looking for every pretrained tensor outside the predictor",
        got=f"{len(lost)} gone or changed, {', '.join(lost[:2])} among them",
        expected="all as they were",
        because="what the detector has learned about finding objects is in there: replace only its last layers",
    )
    new = [name for name in state if "box_predictor" in name and not _equal(state[name], case["state"].get(name))]
    works = all(_is_linear(output, head_inputs(case)) for output in result["outputs"])
    expect(
        new and works and [len(output) for output in result["outputs"]] == [len(case["y"])] * 2,
        tried="looking for a new predictor on the outputs of backbone and box head for some pictures",
        got="none that gives scores and boxes",
        expected="a new one, with the pretrained layers before it",
        because="everything else stays, but the predictor is new",
    )
    awake = [name for name in old if result["requires_grad"].get(name)]
    moved = diverged(result["state_after"], case["state"], case["state"], old)
    expect(
        not awake and not moved,
        tried="one step of SGD over all trainable parameters, in a detector that was frozen from end to end",
        got=f"{len(awake)} of its old parameters are trainable, {len(moved)} of its old tensors moved",
        expected="0 and 0",
        because="replacing the predictor changes nothing about what is frozen",
    )


def _is_linear(outputs: torch.Tensor, x: torch.Tensor) -> bool:
    """True if the outputs are those of a linear layer that sees x, with weights that are not all alike."""
    inputs = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    fitted = inputs @ torch.linalg.lstsq(inputs, outputs.double(), driver="gelsd").solution
    return bool((fitted - outputs).abs().max() < 1e-3 and outputs.std(0).min() > 1e-6)


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape and torch.equal(a, b)
