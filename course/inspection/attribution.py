"""Which part of a picture, or of a text, an output depends on: Grad-CAM, integrated gradients, occlusion, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.errors import DataError, ModelError
from course.models.freezing import evaluating

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels; bottom and right lie outside


def grad_cam(model: nn.Module, layer: nn.Module, x: torch.Tensor, target: Any) -> torch.Tensor:
    """How much each place of the layer's maps speaks for class `target`: (N, h, w), 0 where it does not.

    `x` is (N, 3, H, W); `target` is one class, or (N,) with one for each picture. The layer gives maps (N, C, h, w);
    a map's weight is the mean gradient of the target's logit on it. Runs in eval mode; modes, gradients and hooks are
    as before afterwards. Raises ModelError if the layer did not run or gives no maps.
    Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
    """
    seen: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Even under a frozen model the maps need a graph from here on.
        seen.append(output if output.requires_grad else output.detach().requires_grad_())
        return seen[-1]

    handle = layer.register_forward_hook(keep)
    try:
        with evaluating(model), torch.enable_grad():
            score = _target_logits(model(x), target).sum()
    finally:
        handle.remove()
    if len(seen) != 1 or seen[0].ndim != 4:
        raise ModelError(
            f"Grad-CAM needs a layer that runs once and gives maps (N, C, h, w); this {type(layer).__name__} gave "
            f"{[tuple(maps.shape) for maps in seen]}; take the last convolution or the block that it is in"
        )
    (gradient,) = torch.autograd.grad(score, seen[0])
    weights = gradient.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return F.relu((weights * seen[0]).sum(1)).detach()


def integrated_gradients(
    model: nn.Module, x: torch.Tensor, target: Any, *, baseline: torch.Tensor | float = 0.0, steps: int = 32
) -> torch.Tensor:
    """How much each pixel adds to the target's logit on the way from `baseline` to the picture: (N, H, W), by Captum.

    Channels are summed, so the map's sum is the logit's difference between picture and baseline ("completeness").
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017).
    """
    from captum.attr import IntegratedGradients

    with evaluating(model), torch.enable_grad():
        start = baseline.expand_as(x) if isinstance(baseline, torch.Tensor) else baseline
        method: Any = IntegratedGradients(model)
        # A few pictures' steps at once are as fast as many, and need less memory.
        maps = method.attribute(x, start, target, n_steps=steps, internal_batch_size=max(16, len(x)))
    return maps.detach().sum(1)


def occlusion(
    model: nn.Module, x: torch.Tensor, target: Any, *, window: int, stride: int, fill: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """How far the target's logit falls when a square of `window` pixels is covered: (N, H, W), by Captum.

    The square moves by `stride` pixels, and each pixel gets the mean over the squares that covered it. `fill` is what
    it is covered with. Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014).
    """
    from captum.attr import Occlusion

    with evaluating(model), torch.inference_mode():
        cover = fill.expand_as(x) if isinstance(fill, torch.Tensor) else fill
        method: Any = Occlusion(model)
        maps = method.attribute(
            x, (x.shape[1], window, window), (x.shape[1], stride, stride), cover, target, perturbations_per_eval=16
        )
    return maps.clone().sum(1) / x.shape[1]  # Captum repeats the drop on every channel


def share_inside(maps: torch.Tensor, box: Box, size: int) -> torch.Tensor:
    """Which share of each map's positive part lies in a box of the picture: (N,) in [0, 1], 0 for an empty map.

    `maps` is (N, h, w) of any resolution, brought to `size` x `size` pixels first. A map that knows nothing has the
    box's share of the area.
    """
    top, left, bottom, right = box
    if not (0 <= top < bottom <= size and 0 <= left < right <= size):
        raise DataError(f"box {box} is not inside a picture of {size} pixels; give top, left, bottom, right")
    positive = F.relu(enlarge(maps, size))
    return positive[:, top:bottom, left:right].sum((1, 2)) / positive.sum((1, 2)).clamp_min(1e-12)


def enlarge(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Maps (N, h, w) at a picture's resolution, (N, size, size), interpolated."""
    return F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)[:, 0]


def _target_logits(logits: torch.Tensor, target: Any) -> torch.Tensor:
    index = torch.as_tensor(target, device=logits.device).expand(len(logits))
    return logits.gather(1, index[:, None])[:, 0]


def attention_weights(encoder: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """What each token looks at in each layer and head: (layers, N, heads, L, L); each row sums to 1.

    `encoder` is a transformers model and `inputs` what `course.applications.tokenization.tokenize` gives. It is asked to compute
    attention step by step ("eager"), as faster ways never form these numbers; afterwards it computes as before.
    """
    before = encoder.config._attn_implementation
    encoder.set_attn_implementation("eager")
    try:
        with evaluating(encoder), torch.inference_mode():
            return torch.stack(encoder(**inputs, output_attentions=True).attentions).clone()
    finally:
        encoder.set_attn_implementation(before)


def without_each_word(words: list[str], score: Callable[[list[str]], torch.Tensor]) -> torch.Tensor:
    """How far the score falls without each word: (number of words,). `score` gives one number a text, (N,)."""
    texts = [" ".join(words), *(" ".join(words[:i] + words[i + 1 :]) for i in range(len(words)))]
    whole, *parts = score(texts)
    return whole - torch.stack(parts)
