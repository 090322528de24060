"""Whether an exported model computes what its source computes: same weights, same mode, same layout, no NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch

from course.exercises import small_models
from course.judging import Exercise, Unusable, Wrong, expect, need

TOLERANCE = 1e-4

exercise = Exercise(
    "09-compare-outputs",
    answer="same_output",
    call="same_output(model, session, x)",
    title="Does the exported model compute the same?",
    withholds=("course.applications.onnx_export.largest_difference",),
    hints=(
        "In which mode does an exported file compute, and in which mode does your model arrive? What the "
        "session expects "
        "is in `session.get_inputs()[0]`: its `.name` and its `.shape`.",
        "If the last axis of the session's shape is 3, it expects (B, H, W, 3): `x.permute(0, 2, 3, 1).numpy()`. "
        "`session.run(None, {name: array})` returns a list with one array.",
        "`difference = (ours - theirs).abs().max().item()`. Every comparison with NaN is False, so `difference <= "
        "1e-4` and `not difference > 1e-4` are not the same.",
    ),
    idea="model.eval(); feed = x.numpy() in the session's layout; theirs = session.run(None, {name: feed})[0]; "
    "difference = the largest absolute difference; return difference <= 1e-4, difference.",
)


@exercise.case
def equal_or_not(rng: torch.Generator) -> dict[str, Any]:
    """Some sessions compute the same, up to 1e-4; in others one weight is changed, up or down, in one by little."""
    return exports_case(rng, ["same", "within", "up", "down", "near", "down"])


@exercise.case
def another_layout(rng: torch.Generator) -> dict[str, Any]:
    """Sessions that expect the channels last, as files from TensorFlow do."""
    return exports_case(rng, ["same", "up", "same", "down"], channels_last=True)


@exercise.case
def broken(rng: torch.Generator) -> dict[str, Any]:
    """Sessions of which some give NaN."""
    return exports_case(rng, ["nan", "same", "nan", "up"])


def exports_case(rng: torch.Generator, kinds: list[str], *, channels_last: bool = False) -> dict[str, Any]:
    """A model, pictures, and ONNX files of it, some with a change in the last bias; in a drawn order."""
    state = small_models.drawn_state("cnn", rng)
    exports = []
    for place in torch.randperm(len(kinds), generator=rng).tolist():
        size = float(torch.rand((), generator=rng)) * 0.05 + 0.002
        change = {
            "same": 0.0,
            "within": 0.5 * TOLERANCE,
            "near": 3 * TOLERANCE,
            "up": size,
            "down": -size,
            "nan": float("nan"),
        }[kinds[place]]
        name = "".join(chr(97 + int(i)) for i in torch.randint(26, (6,), generator=rng))
        row = int(torch.randint(5, (), generator=rng))
        file = onnx_file(spoiled(state, row, change), name, channels_last=channels_last)
        exports.append({"file": torch.frombuffer(bytearray(file), dtype=torch.uint8), "change": change, "row": row})
    return {"architecture": "cnn", "state": state, "x": small_models.pictures(rng, 4), "exports": exports}


def spoiled(state: dict[str, torch.Tensor], row: int, change: float) -> dict[str, torch.Tensor]:
    """The state with one number of the last bias changed."""
    last = list(state)[-1]
    bias = state[last].clone()
    bias[row] += change
    return {**state, last: bias}


def onnx_file(state: dict[str, torch.Tensor], name: str, *, channels_last: bool) -> bytes:
    """The narrow "cnn" with these weights as an ONNX file, in eval mode, written node by node."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {key.replace(".", "_"): value.numpy() for key, value in state.items() if value.is_floating_point()}
    nodes, x = [], name
    if channels_last:
        nodes.append(helper.make_node("Transpose", [x], ["nchw"], perm=[0, 3, 1, 2]))
        x = "nchw"

    def add(kind: str, parameters: list[str], **attributes: Any) -> None:
        nonlocal x
        after = f"y{len(nodes)}"
        nodes.append(helper.make_node(kind, [x, *parameters], [after], **attributes))
        x = after

    def norm(key: str) -> None:
        parts = [f"{key}_{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        add("BatchNormalization", parts, epsilon=1e-5)

    for stage in ("stage1", "stage2"):
        key = f"backbone_{stage}"
        add("Conv", [f"{key}_0_weight"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        norm(f"{key}_1")
        add("Relu", [])
        if stage == "stage1":
            add("MaxPool", [], kernel_shape=[4, 4], strides=[4, 4])
    add("AveragePool", [], kernel_shape=[4, 4], strides=[4, 4])  # (B, 8, 8, 8) -> (B, 8, 2, 2)
    add("Flatten", [])
    add("Gemm", ["head_0_weight", "head_0_bias"], transB=1)
    norm("head_1")
    add("Relu", [])
    add("Gemm", ["head_4_weight", "head_4_bias"], transB=1)
    side = small_models.SIZE
    shape: list[Any] = ["batch", side, side, 3] if channels_last else ["batch", 3, side, side]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@exercise.probe
def probe_same_output(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    same, differences, modes = [], [], []
    for export in case["exports"]:
        model = small_models.show_modes(small_models.restore(case["architecture"], case["state"]))
        session = onnxruntime.InferenceSession(
            export["file"].numpy().tobytes(), options, providers=["CPUExecutionProvider"]
        )
        model.register_forward_hook(lambda module, *_: modes.append(any(m.training for m in module.modules())))
        what = "whether they agree, and the largest difference: `return same, difference`"
        returned = need(answer(model, session, case["x"].clone()), (tuple, list), what)
        if len(returned) != 2 or any(part is None for part in returned):
            raise Unusable(f"your answer returned {len(returned)} values; return {what}")
        same.append(_number(returned[0], "the first is True or False"))
        differences.append(_number(returned[1], "the second is one number"))
    return {"same": torch.tensor(same), "differences": torch.tensor(differences), "train_mode": any(modes)}


def _number(value: Any, what: str) -> float:
    """A plain number from whatever holds one: bool, int, float, or an array or tensor of one element."""
    try:
        return float(np.asarray(value).item())
    except (ValueError, TypeError) as error:
        raise Unusable(f"your answer returned a {type(value).__name__} that is not a single number; {what}") from error


def expected_differences(case: dict[str, Any]) -> list[float]:
    """The largest difference of a logit for each export: what was added to the bias."""
    return [abs(export["change"]) for export in case["exports"]]


def judge_outputs(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless each export is called the same or not, with the largest difference of its logits."""
    expected = torch.tensor(expected_differences(case), dtype=torch.float64)
    same, got = result["same"].double(), result["differences"].double()
    expect(
        same.shape == got.shape == expected.shape,
        tried="counting",
        got=tuple(same.shape),
        expected=tuple(expected.shape),
    )
    agree = expected <= TOLERANCE
    tried = f"{len(expected)} exported files, of which {int(agree.sum())} compute the same as the model"
    if result["train_mode"]:
        raise Wrong(
            tried=tried,
            got=f"differences of {got.nan_to_num(0).min():.2g} and more",
            expected="the model in eval mode",
            because="the model ran in train mode, with dropout and with the statistics of the batch; the file "
            "was exported in "
            "eval mode",
        )
    if set(got.tolist()) <= {0.0, 1.0} and not set(same.tolist()) <= {0.0, 1.0}:
        because = "the verdict comes first, then the difference: `return same, difference`"
        raise Wrong(tried=tried, got=got, expected=expected, because=because)
    for place, (yes, difference) in enumerate(zip(same.tolist(), got.tolist(), strict=True)):
        true = float(expected[place])
        is_nan = true != true
        close = not difference <= TOLERANCE if is_nan else abs(difference - true) <= 1e-4 + 0.01 * abs(true)
        if not close:
            raise Wrong(
                tried=tried, got=f"{difference:.4g}", expected=f"{true:.4g}", because=_why(case, place, got.tolist())
            )
        if bool(yes) != bool(agree[place]):
            because = "up to 1e-4 counts as the same, and nothing above it"
            if is_nan:
                because = "NaN is not the same: `difference > 1e-4` is False for NaN; ask whether it is `<= 1e-4`"
            raise Wrong(tried=tried, got=bool(yes), expected=bool(agree[place]), because=because)


MISTAKES: dict[str, Callable[[float], float]] = {  # of a change of one of five logits, in four pictures
    "differences have a sign; without `abs()`, the negative ones are lost": lambda change: max(change, 0.0),
    "this is the mean of the differences, in which a single wrong logit almost disappears": lambda c: abs(c) / 5,
    "this is the sum of the differences; the largest one says whether any logit is off": lambda change: abs(change) * 4,
    "this is the squared difference": lambda change: change**2,
    "this is the mean of the squared differences": lambda change: change**2 / 5,
}


def _why(case: dict[str, Any], place: int, got: list[float]) -> str:
    """The mistake that gives all of these differences, or what is known of the one in this place."""
    change = case["exports"][place]["change"]
    if change != change:
        return "the file's outputs contain NaN, and NaN is never the same: no number up to 1e-4 is their difference"
    pairs = [(e["change"], value) for e, value in zip(case["exports"], got, strict=True) if e["change"] == e["change"]]
    for why, formula in MISTAKES.items():
        if all(abs(value - formula(made)) <= 1e-5 + 0.01 * formula(made) for made, value in pairs):
            return why
    if got[place] != got[place]:
        return "the difference is NaN although no output is"
    return "compare the two models' logits, for the same pictures, in the layout that each of them expects"


@exercise.judge(equal_or_not, points=2)
def tells_equal_from_changed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Faithful exports are told from those with a changed weight, and the largest difference is right."""
    judge_outputs(case, result)


@exercise.judge(another_layout, points=1)
def feeds_the_layout_that_the_session_wants(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A session that expects (B, H, W, 3) gets it, whatever its input is called."""
    judge_outputs(case, result)


@exercise.judge(broken, points=1)
def nan_is_not_the_same(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A file whose outputs contain NaN is not the same."""
    judge_outputs(case, result)
