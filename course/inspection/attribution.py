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
    """How strongly each position of the layer's feature maps supports class `target`: (N, h, w), 0 where it does not.

    `x` is (N, 3, H, W); `target` is one class, or (N,) with one for each picture. The layer's output is (N, C, h, w); a
    channel's weight is the mean gradient of the target's logit with respect to it. Runs in eval mode; modes, gradients
    and hooks are restored. Raises ModelError if the layer did not run or its output has another shape.
    Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
    """
    seen: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Even in a frozen model the graph must start at these maps.
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
            f"Grad-CAM needs a layer that runs once and returns (N, C, h, w); this {type(layer).__name__} returned "
            f"{[tuple(maps.shape) for maps in seen]}; use the last convolution or the block that contains it"
        )
    (gradient,) = torch.autograd.grad(score, seen[0])
    weights = gradient.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return F.relu((weights * seen[0]).sum(1)).detach()


def integrated_gradients(
    model: nn.Module, x: torch.Tensor, target: Any, *, baseline: torch.Tensor | float = 0.0, steps: int = 32
) -> torch.Tensor:
    """How much each pixel adds to the target's logit on the path from `baseline` to the picture: (N, H, W), by Captum.

    Channels are summed, so a map sums to the difference of the logit between picture and baseline ("completeness").
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
    """How much the target's logit drops when a square of `window` pixels is covered: (N, H, W), by Captum.

    The square moves by `stride` pixels, and each pixel gets the mean over the squares that covered it. `fill` is the
    colour of the square. Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014).
    """
    from captum.attr import Occlusion

    with evaluating(model), torch.inference_mode():
        cover = fill.expand_as(x) if isinstance(fill, torch.Tensor) else fill
        method: Any = Occlusion(model)
        maps = method.attribute(
            x, (x.shape[1], window, window), (x.shape[1], stride, stride), cover, target, perturbations_per_eval=16
        )
    return maps.clone().sum(1) / x.shape[1]  # Captum repeats the drop on every channel


def fraction_inside_box(maps: torch.Tensor, box: Box, size: int) -> torch.Tensor:
    """The fraction of each map's positive sum that lies inside a box: (N,) in [0, 1], 0 for a map without any.

    `maps` is (N, h, w) of any resolution, upsampled to `size` x `size` pixels first. For a constant map it is the box's
    fraction of the picture's area.
    """
    top, left, bottom, right = box
    if not (0 <= top < bottom <= size and 0 <= left < right <= size):
        raise DataError(f"box {box} is not inside a picture of {size} pixels; give top, left, bottom, right")
    positive = F.relu(upsample_maps(maps, size))
    return positive[:, top:bottom, left:right].sum((1, 2)) / positive.sum((1, 2)).clamp_min(1e-12)


def upsample_maps(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Maps (N, h, w) at a picture's resolution, (N, size, size), interpolated bilinearly."""
    return F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)[:, 0]


def _target_logits(logits: torch.Tensor, target: Any) -> torch.Tensor:
    index = torch.as_tensor(target, device=logits.device).expand(len(logits))
    return logits.gather(1, index[:, None])[:, 0]


def attention_weights(encoder: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """How much each token attends to each other one, per layer and head: (layers, N, heads, L, L); rows sum to 1.

    `encoder` is a transformers model and `inputs` come from `course.applications.tokenization.tokenize`. It is switched
    to the "eager" implementation, because faster ones never compute these weights explicitly, and back afterwards.
    """
    before = encoder.config._attn_implementation
    encoder.set_attn_implementation("eager")
    try:
        with evaluating(encoder), torch.inference_mode():
            return torch.stack(encoder(**inputs, output_attentions=True).attentions).clone()
    finally:
        encoder.set_attn_implementation(before)


def leave_one_word_out(words: list[str], score: Callable[[list[str]], torch.Tensor]) -> torch.Tensor:
    """How much the score drops when each word is left out: (number of words,). `score` maps N texts to (N,)."""
    texts = [" ".join(words), *(" ".join(words[:i] + words[i + 1 :]) for i in range(len(words)))]
    full_score, *scores = score(texts)
    return full_score - torch.stack(scores)
