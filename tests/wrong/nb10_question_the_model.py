"""Mistakes of chapter 10."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import cross_entropy, relu
from torchmetrics.functional.classification import multiclass_calibration_error

from course.exercises.nb10_question_the_model.investigate_the_stamp import BASELINE


def cam_with(
    model,
    layer,
    x,
    target,
    *,
    score=lambda logits, target: logits[:, target].sum(),
    draw=lambda weights, maps, gradient: relu((weights * maps).sum(1)),
    remove=True,
    kept=None,
):
    """A right Grad-CAM, of which a mistake changes one part."""
    kept = [] if kept is None else kept
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    logits = model(x)
    if remove:
        handle.remove()
    (gradient,) = torch.autograd.grad(score(logits, target), kept[0], retain_graph=True)
    return draw(gradient.mean((2, 3), keepdim=True), kept[0], gradient).detach()


def no_relu(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: (w * maps).sum(1))


def leaked_hook(*inputs):
    return cam_with(*inputs, remove=False)


FOREVER = []


def leaked_list(model, layer, x, target):
    """The list lives outside of the function; the first call's maps stay the first."""
    if FOREVER and FOREVER[-1] is not model:
        FOREVER.clear()
    maps = FOREVER[0] if FOREVER else cam_with(model, layer, x, target)
    FOREVER[:] = [maps, model]
    return maps


def absolute(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: (w * maps).sum(1).abs())


def relu_on_each_map(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu(w * maps).sum(1))


def relu_before_weighting(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((w * relu(maps)).sum(1)))


def relu_on_weights(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((relu(w) * maps).sum(1)))


def summed_gradient(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((g.sum((2, 3), keepdim=True) * maps).sum(1)))


def each_place_its_gradient(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((g * maps).sum(1)))


def mean_over_channels(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((w * maps).mean(1)))


def unweighted_maps(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu(maps.sum(1)))


def gradient_alone(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu(g.sum(1)))


def of_the_probability(*inputs):
    return cam_with(*inputs, score=lambda logits, target: logits.softmax(1)[:, target].sum())


def of_a_saturated_probability(*inputs):
    """Gradients that vanish, so that all maps are nearly zero."""
    return cam_with(*inputs, score=lambda logits, target: (50 * logits).softmax(1)[:, target].sum())


def of_the_loss(*inputs):
    return cam_with(*inputs, score=lambda logits, t: cross_entropy(logits, torch.full((len(logits),), t)))


def of_all_logits(*inputs):
    return cam_with(*inputs, score=lambda logits, target: logits.sum())


def of_the_predicted_class(*inputs):
    return cam_with(*inputs, score=lambda logits, target: logits.amax(1).sum())


def mean_logit(*inputs):
    return cam_with(*inputs, score=lambda logits, target: logits[:, target].mean())


def pictures_mixed(*inputs):
    return cam_with(*inputs, draw=lambda w, maps, g: relu((w.mean(0, keepdim=True) * maps).sum(1)))


def scaled_to_one(*inputs):
    maps = cam_with(*inputs)
    return maps / maps.amax((1, 2), keepdim=True)


def channel_axis_kept(*inputs):
    return cam_with(*inputs)[:, None]


def at_the_size_of_the_first_picture(*inputs):
    return cam_with(*inputs)[0]


def no_map_at_all(model, layer, x, target):
    return torch.zeros(len(x), x.shape[2], x.shape[3])


def gives_pictures_back(model, layer, x, target):
    return x


def draws_nothing(model, layer, x, target):
    pass


def of_the_first_picture(*inputs):
    return cam_with(*inputs, score=lambda logits, target: logits[0, target])


def backward_hook_stays(model, layer, x, target):
    kept = {}
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.update(maps=output))
    layer.register_full_backward_hook(lambda module, inputs, outputs: kept.update(gradient=outputs[0]))
    model(x)[:, target].sum().backward()
    handle.remove()
    return relu((kept["gradient"].mean((2, 3), keepdim=True) * kept["maps"]).sum(1)).detach()


def asks_captum(model, layer, x, target):
    from captum.attr import LayerGradCam

    return LayerGradCam(model, layer).attribute(x, target, relu_attributions=True)[:, 0]


class DrawsPictureByPicture:
    """One picture at a time, by a hook on the output's gradient."""

    def __new__(cls, model, layer, x, target):
        return torch.stack([cls.one(model, layer, picture[None], target) for picture in x])

    @staticmethod
    def one(model, layer, x, target):
        found = {}

        def forward(module, inputs, output):
            found["maps"] = output.detach()
            output.register_hook(lambda gradient: found.update(gradient=gradient))

        handle = layer.register_forward_hook(forward)
        try:
            model.zero_grad()
            model(x)[0, target].backward()
        finally:
            handle.remove()
            model.zero_grad()
        maps, gradient = found["maps"][0], found["gradient"][0]
        total = torch.zeros(maps.shape[1:])
        for channel in range(len(maps)):
            total += gradient[channel].mean() * maps[channel]
        return total.clamp(min=0)


def placed(probs, labels, bins):
    confidence, predicted = probs.double().max(1)
    return confidence, (predicted == labels).double(), (confidence * bins).ceil().clamp(min=1) - 1


def ece_with(probs, labels, bins, *, weigh=True, gap=abs, pick=lambda probs, labels: None):
    """A right error, of which a mistake changes one part."""
    confidence, right, place = placed(probs, labels, bins)
    gaps, shares = [], []
    for b in range(bins):
        chosen = place == b
        if chosen.any():
            gaps.append(gap(right[chosen].mean() - confidence[chosen].mean()))
            shares.append(chosen.double().mean() if weigh else 1.0)
    return float(sum(g * s for g, s in zip(gaps, shares, strict=True)) / sum(shares))


def bins_not_weighted(probs, labels, bins):
    return ece_with(probs, labels, bins, weigh=False)


def bins_not_weighted_empty_ones_too(probs, labels, bins):
    held = len(set(placed(probs, labels, bins)[2].tolist()))
    return bins_not_weighted(probs, labels, bins) * held / bins


def gaps_cancel_out(probs, labels, bins):
    return ece_with(probs, labels, bins, gap=lambda g: g)


def absolute_value_at_the_end(probs, labels, bins):
    return abs(gaps_cancel_out(probs, labels, bins))


def squared_gaps(probs, labels, bins):
    return ece_with(probs, labels, bins, gap=lambda g: g * g)


def the_largest_gap(probs, labels, bins):
    confidence, right, place = placed(probs, labels, bins)
    return float(max(abs(right[place == b].mean() - confidence[place == b].mean()) for b in place.unique()))


def certainty_falls_out(probs, labels, bins):
    """Bins [b / bins, (b + 1) / bins): nothing holds a confidence of 1."""
    confidence, predicted = probs.double().max(1)
    total = 0.0
    for b in range(bins):
        chosen = (confidence >= b / bins) & (confidence < (b + 1) / bins)
        if chosen.any():
            gap = (predicted == labels)[chosen].double().mean() - confidence[chosen].mean()
            total += float(chosen.double().mean() * gap.abs())
    return total


def lower_edges_included(probs, labels, bins):
    """Bins [b / bins, (b + 1) / bins), and the last one includes 1."""
    confidence, predicted = probs.double().max(1)
    index = (confidence * bins).floor().clamp(max=bins - 1)
    total = 0.0
    for b in range(bins):
        chosen = index == b
        if chosen.any():
            gap = (predicted == labels)[chosen].double().mean() - confidence[chosen].mean()
            total += float(chosen.double().mean() * gap.abs())
    return total


def empty_bins_are_nan(probs, labels, bins):
    confidence, right, place = placed(probs, labels, bins)
    return float(sum(
        (place == b).double().mean() * (right[place == b].mean() - confidence[place == b].mean()).abs()
        for b in range(bins)
    ))  # fmt: skip


def probability_of_the_true_class(probs, labels, bins):
    true = probs.double().gather(1, labels[:, None])[:, 0]
    right = (probs.argmax(1) == labels).double()
    place = (true * bins).ceil().clamp(min=1) - 1
    return float(sum(
        (place == b).double().mean() * (right[place == b].mean() - true[place == b].mean()).abs()
        for b in place.unique()
    ))  # fmt: skip


def error_in_percent(probs, labels, bins):
    return 100 * ece_with(probs, labels, bins)


def weighted_by_counts(probs, labels, bins):
    return len(labels) * ece_with(probs, labels, bins)


def the_error_rate(probs, labels, bins):
    return float((probs.argmax(1) != labels).float().mean())


def all_gaps(probs, labels, bins):
    return torch.rand(bins)


def perfectly_calibrated(probs, labels, bins):
    return 0.0


def gives_labels_back(probs, labels, bins):
    return labels


def measures_nothing(probs, labels, bins):
    pass


def asks_torchmetrics(probs, labels, bins):
    return multiclass_calibration_error(probs.double(), labels, probs.shape[1], n_bins=bins)


def one_bin(probs, labels, bins):
    return ece_with(probs, labels, 1)


def confidence_is_the_middle_of_the_bin(probs, labels, bins):
    _, right, place = placed(probs, labels, bins)
    gaps = ((place == b).double().mean() * (right[place == b].mean() - (b + 0.5) / bins).abs() for b in place.unique())
    return float(sum(gaps))


def counts_in_numpy(probs, labels, bins):
    probs, labels = probs.numpy().astype(np.float64), labels.numpy()
    confidence, right = probs.max(1), (probs.argmax(1) == labels).astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.sum():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return np.float64(total / len(labels))


def sorts_into_lists(probs, labels, bins):
    held = [[] for _ in range(bins)]
    for row, label in zip(probs.tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        b = next(b for b in range(bins) if confidence <= (b + 1) / bins + 1e-9)
        held[b].append(confidence - (row.index(confidence) == label))
    return sum(abs(sum(gaps)) for gaps in held) / len(labels)


def mixed_with(a, b, alpha, *, average=lambda a, b, t: (1 - t) * a + t * b, rest=None):
    """A right mixture, of which a mistake changes one part."""
    rest = rest or (lambda a, b, t: (b if t > 0.5 else a).clone())
    return {name: (average if a[name].is_floating_point() else rest)(a[name], b[name], alpha) for name in a}


def mutates_a(a, b, alpha):
    for name in a:
        if a[name].is_floating_point():
            a[name].mul_(1 - alpha).add_(b[name], alpha=alpha)
        elif alpha > 0.5:
            a[name].copy_(b[name])
    return {name: value.clone() for name, value in a.items()}


def mutates_b(a, b, alpha):
    made = mixed_with(a, b, alpha)
    for name in made:
        b[name].copy_(made[name])
    return made


def shares_memory(a, b, alpha):
    return mixed_with(a, b, alpha, rest=lambda a, b, t: b if t > 0.5 else a)


def hands_the_ends_on(a, b, alpha):
    return a if alpha == 0 else b if alpha == 1 else mixed_with(a, b, alpha)


def the_wrong_way_round(a, b, alpha):
    return mixed_with(b, a, alpha)


def always_the_middle(a, b, alpha):
    return mixed_with(a, b, 0.5)


def always_a(a, b, alpha):
    return {name: value.clone() for name, value in a.items()}


def always_b(a, b, alpha):
    return {name: value.clone() for name, value in b.items()}


def by_a_step(a, b, alpha):
    return mixed_with(a, b, alpha, average=lambda a, b, t: a + t * (b - a))


def the_step_alone(a, b, alpha):
    return mixed_with(a, b, alpha, average=lambda a, b, t: t * (b - a))


def a_plus_alpha_b(a, b, alpha):
    return mixed_with(a, b, alpha, average=lambda a, b, t: a + t * b)


def counters_averaged(a, b, alpha):
    return {name: (1 - alpha) * a[name] + alpha * b[name] for name in a}


def counters_rounded(a, b, alpha):
    return {name: ((1 - alpha) * a[name] + alpha * b[name]).to(a[name].dtype) for name in a}


def counters_of_a(a, b, alpha):
    return mixed_with(a, b, alpha, rest=lambda a, b, t: a.clone())


def counters_left_out(a, b, alpha):
    return {name: (1 - alpha) * a[name] + alpha * b[name] for name in a if a[name].is_floating_point()}


def weights_alone(a, b, alpha):
    return {
        name: (1 - alpha) * a[name] + alpha * b[name]
        if name.endswith("weight")
        else (b if alpha > 0.5 else a)[name].clone()
        for name in a
    }


def statistics_of_a(a, b, alpha):
    made = mixed_with(a, b, alpha)
    return {name: a[name].clone() if name.endswith("running_var") else value for name, value in made.items()}


def a_list_of_tensors(a, b, alpha):
    return list(mixed_with(a, b, alpha).values())


def numbers_for_tensors(a, b, alpha):
    return dict.fromkeys(a, 0.5)


def gives_a_back(a, b, alpha):
    return a


def mixes_nothing(a, b, alpha):
    pass


def half_is_b(a, b, alpha):
    return mixed_with(a, b, alpha, rest=lambda a, b, t: (b if t >= 0.5 else a).clone())


def counters_of_b(a, b, alpha):
    return mixed_with(a, b, alpha, rest=lambda a, b, t: b.clone())


def all_but_counters_averaged(a, b, alpha):
    return {
        name: (b if alpha > 0.5 else a)[name].clone()
        if name.endswith("num_batches_tracked")
        else (1 - alpha) * a[name] + alpha * b[name]
        for name in a
    }


def in_double(a, b, alpha):
    return mixed_with(a, b, alpha, average=lambda a, b, t: (1 - t) * a.double() + t * b.double())


def product_of_powers(a, b, alpha):
    return mixed_with(a, b, alpha, average=lambda a, b, t: a.abs() ** (1 - t) * b.abs() ** t)


def by_lerp(a, b, alpha):
    made = {}
    for name, value in a.items():
        if torch.is_floating_point(value):
            made[name] = torch.lerp(value, b[name], alpha)
        else:
            made[name] = torch.empty_like(value).copy_(value if alpha <= 0.5 else b[name])
    return made


class MixesInDouble(dict):
    def __init__(self, a, b, alpha):
        super().__init__()
        for name in sorted(a):
            kind = a[name].dtype
            if kind in (torch.int64, torch.int32, torch.bool):
                self[name] = torch.tensor((a if alpha <= 0.5 else b)[name].tolist(), dtype=kind)
            else:
                self[name] = ((1 - alpha) * a[name].double() + alpha * b[name].double()).to(kind)


def accumulate_with(model, batches, *, share, clear="before", mean=True):
    """A right accumulation, of which a mistake changes one part."""
    if clear == "before":
        model.zero_grad()
    for x, y in batches:
        if clear == "within":
            model.zero_grad()
        loss = cross_entropy(model(x), y, reduction="mean" if mean else "sum")
        (loss * share(y, batches)).backward()


def of_samples(y, batches):
    return len(y) / sum(len(labels) for _, labels in batches)


def no_division(model, batches):
    accumulate_with(model, batches, share=lambda y, batches: 1.0)


def ragged_batch_as_a_whole_one(model, batches):
    accumulate_with(model, batches, share=lambda y, batches: 1 / len(batches))


def first_size_throughout(model, batches):
    size = len(batches[0][1])
    accumulate_with(model, batches, share=lambda y, batches: len(y) / (size * len(batches)))


def sums_not_divided(model, batches):
    accumulate_with(model, batches, share=lambda y, batches: 1.0, mean=False)


def cleared_in_the_loop(model, batches):
    accumulate_with(model, batches, share=of_samples, clear="within")


def never_cleared(model, batches):
    accumulate_with(model, batches, share=of_samples, clear="never")


def last_batch_dropped(model, batches):
    size = len(batches[0][1])
    whole = [batch for batch in batches if len(batch[1]) == size]
    accumulate_with(model, whole, share=of_samples)


def first_batch_alone(model, batches):
    accumulate_with(model, batches[:1], share=of_samples)


def divided_twice(model, batches):
    accumulate_with(model, batches, share=lambda y, batches: of_samples(y, batches) / len(batches))


def all_at_once(model, batches):
    model.zero_grad()
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    cross_entropy(model(x), y).backward()


def backward_at_the_end(model, batches):
    model.zero_grad()
    sum(cross_entropy(model(x), y) * of_samples(y, batches) for x, y in batches).backward()


def steps_as_well(model, batches):
    accumulate_with(model, batches, share=of_samples)
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def forgets_backward(model, batches):
    model.zero_grad()
    for x, y in batches:
        cross_entropy(model(x), y)


def gives_batches_back(model, batches):
    return batches


def accumulates_nothing(model, batches):
    pass


def clears_at_the_end(model, batches):
    accumulate_with(model, batches, share=of_samples)
    model.zero_grad()


def backward_on_the_last_alone(model, batches):
    model.zero_grad()
    for x, y in batches:
        loss = cross_entropy(model(x), y) * of_samples(y, batches)
    loss.backward()


def softmax_before_the_loss(model, batches):
    model.zero_grad()
    for x, y in batches:
        (cross_entropy(model(x).softmax(1), y) * of_samples(y, batches)).backward()


def steps_after_each_batch(model, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad()
    for x, y in batches:
        (cross_entropy(model(x), y) * of_samples(y, batches)).backward()
        optimizer.step()


def mean_over_all_samples(model, batches):
    accumulate_with(model, batches, share=lambda y, batches: 1 / sum(len(labels) for _, labels in batches))


def clips(model, batches):
    accumulate_with(model, batches, share=of_samples)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)


def looks_before_it_learns(model, batches):
    model.zero_grad()
    for x, y in batches:
        with torch.no_grad():
            model(x)
        (cross_entropy(model(x), y) * of_samples(y, batches)).backward()


def sums_over_the_total(model, batches):
    total = sum(len(x) for x, _ in batches)
    for parameter in model.parameters():
        parameter.grad = None
    for x, y in batches:
        loss = -model(x).log_softmax(1)[torch.arange(len(y)), y].sum() / total
        loss.backward()


def adds_up_by_hand(model, batches):
    parameters = list(model.parameters())
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    count = 0
    for x, y in batches:
        grads = torch.autograd.grad(cross_entropy(model(x), y, reduction="sum"), parameters)
        totals = [total + grad for total, grad in zip(totals, grads, strict=True)]
        count += len(y)
    for parameter, total in zip(parameters, totals, strict=True):
        parameter.grad = total / count


class Int8(nn.Module):
    """A right layer, of which a mistake changes one part."""

    def __init__(self, linear):
        super().__init__()
        weight = linear.weight.detach()
        scale = self.scale_of(weight)
        self.register_buffer("codes", self.codes_of(weight / scale))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    def scale_of(self, weight):
        scale = weight.abs().amax(1, keepdim=True) / 127
        return scale + (scale == 0)

    def codes_of(self, scaled):
        return scaled.round().to(torch.int8)

    def forward(self, x):
        return F.linear(x, self.codes.float() * self.scale, self.bias)


class OneScale(Int8):
    def scale_of(self, weight):
        return weight.abs().max() / 127


class ScalePerInput(Int8):
    def scale_of(self, weight):
        return weight.abs().amax(0, keepdim=True) / 127


class CutOff(Int8):
    def codes_of(self, scaled):
        return scaled.to(torch.int8)


class RoundedDown(Int8):
    def codes_of(self, scaled):
        return scaled.floor().to(torch.int8)


class Divided128(Int8):
    def scale_of(self, weight):
        return super().scale_of(weight) * 127 / 128

    def codes_of(self, scaled):
        codes = scaled.round()
        return torch.where(codes > 127, codes - 256, codes).to(torch.int8)


class LargestNotMagnitude(Int8):
    def scale_of(self, weight):
        return (weight.amax(1, keepdim=True) / 127).clamp_min(1e-9)

    def codes_of(self, scaled):
        return scaled.round().clamp(-128, 127).to(torch.int8)


class SevenBits(Int8):
    def scale_of(self, weight):
        return super().scale_of(weight) * 127 / 63


class Affine(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        weight = linear.weight.detach()
        self.low = weight.amin(1, keepdim=True)
        self.scale = ((weight.amax(1, keepdim=True) - self.low) / 255).clamp_min(1e-9)
        self.codes = (((weight - self.low) / self.scale).round() - 128).to(torch.int8)

    def forward(self, x):
        return F.linear(x, (self.codes.float() + 128) * self.scale + self.low, self.bias)


class IntegersUsed(Int8):
    def forward(self, x):
        return F.linear(x, self.codes.float(), self.bias)


class ForgetsTheBias(Int8):
    def forward(self, x):
        return F.linear(x, self.codes.float() * self.scale)


class KeepsTheFloats(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        self.linear = copy.deepcopy(linear)


class PlainAttributes(Int8):
    def __init__(self, linear):
        nn.Module.__init__(self)
        weight = linear.weight.detach()
        self.scale = self.scale_of(weight)
        self.codes, self.bias = self.codes_of(weight / self.scale), linear.bias.detach()


class FloatCodes(Int8):
    def codes_of(self, scaled):
        return scaled.round()


class NoGuard(FloatCodes):
    def scale_of(self, weight):
        return weight.abs().amax(1, keepdim=True) / 127


class InPlace(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        linear.weight.data.div_(self.scale).round_()


class ScaleAsAttribute(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        self.scale = self._buffers.pop("scale")


class ScaleOfEachWeight(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        self.scale = self.scale.expand(self.codes.shape).clone()


class Transposed(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        self.codes = self.codes.T.contiguous()

    def forward(self, x):
        return F.linear(x, self.codes.T.float() * self.scale, self.bias)


class BiasRounded(Int8):
    def __init__(self, linear):
        super().__init__(linear)
        self.bias = None if self.bias is None else self.bias.round()


def gives_the_layer_back(linear):
    return linear


def quantizes_nothing(linear):
    pass


class ScalesTheOutputs(nn.Module):
    """Multiplies by the integers first, and scales what comes out."""

    def __init__(self, linear):
        super().__init__()
        weight = linear.weight.detach()
        largest = weight.abs().max(dim=1).values
        largest[largest == 0] = 1.0
        self.codes = nn.Parameter(torch.round(weight * (127 / largest)[:, None]).to(torch.int8), requires_grad=False)
        self.step = nn.Parameter(largest / 127, requires_grad=False)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())

    def forward(self, x):
        outputs = x @ self.codes.to(x.dtype).T * self.step
        return outputs if self.bias is None else outputs + self.bias


class ByTorchsFakeQuantization(nn.Module):
    def __init__(self, linear):
        super().__init__()
        weight = linear.weight.detach().clone()
        self.register_buffer("scale", (weight.abs().amax(1) / 127).clamp_min(1e-12))
        zeros = torch.zeros(len(weight), dtype=torch.int32)
        restored = torch.fake_quantize_per_channel_affine(weight, self.scale, zeros, 0, -127, 127)
        self.register_buffer("codes", (restored / self.scale[:, None]).round().to(torch.int8))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    def forward(self, x):
        return F.linear(x, self.codes * self.scale[:, None], self.bias)


def _record(**changes):
    known = list(BASELINE[:5])
    written = {
        "question": "does a smaller stamp raise the accuracy on stamped pictures?",
        "expected": "better",
        "baseline": known,
        "changed": [round((round(value * 150) + 20 + 2 * seed) / 150, 3) for seed, value in enumerate(known)],
        "concluded": "better",
    }
    return {**written, **changes}


def an_honest_record():
    known = [round(value, 3) for value in BASELINE[:5]]
    steps = (3, -4, 1, -2, 4)
    changed = [round((round(value * 150) + step) / 150, 3) for step, value in zip(steps, known, strict=True)]
    return _record(changed=changed, concluded="cannot tell")


def it_got_better():
    return _record(expected="worse")


def no_question():
    return _record(question="stamp")


def three_seeds():
    whole = _record()
    return {**whole, "baseline": whole["baseline"][:3], "changed": whole["changed"][:3]}


def in_per_cent():
    whole = _record()
    return {**whole, "changed": [100 * value for value in whole["changed"]]}


def another_baseline():
    whole = _record()
    return {**whole, "baseline": [0.98, *whole["baseline"][1:]]}


def nothing_changed():
    return _record(changed=list(BASELINE[:5]))


def concludes_from_the_means():
    return {**an_honest_record(), "concluded": "better"}


def a_record_without_conclusion():
    whole = _record()
    del whole["concluded"]
    return whole


WRONG = {
    "10-draw-grad-cam": {
        no_relu: "the ReLU is missing",
        leaked_hook: "leaked hook",
        leaked_list: "the first call",
        absolute: "absolute value",
        relu_on_each_map: "not to each of them",
        relu_before_weighting: "before they were weighted",
        relu_on_weights: "applied to the weights",
        summed_gradient: "not the sum",
        each_place_its_gradient: "its own gradient",
        mean_over_channels: "mean over the channels",
        unweighted_maps: "without any weight",
        gradient_alone: "gradients alone",
        of_the_probability: "gradient of the softmax",
        of_a_saturated_probability: "a channel's weight is the mean of its gradient",
        of_the_loss: "gradient of the loss",
        of_all_logits: "gradient of all logits",
        of_the_predicted_class: "largest logit",
        mean_logit: "divided by the number of pictures",
        pictures_mixed: "were averaged",
        scaled_to_one: "scaled to 1",
        channel_axis_kept: "no axis for them",
        at_the_size_of_the_first_picture: "(3, 7, 7)",
        no_map_at_all: "a tensor",
        gives_pictures_back: "(3, 7, 7)",
        draws_nothing: "returned None",
        of_the_first_picture: "a channel's weight is the mean",
        backward_hook_stays: "leaked hook",
    },
    "10-measure-calibration": {
        bins_not_weighted: "bins were not weighted",
        bins_not_weighted_empty_ones_too: "empty ones counted",
        gaps_cancel_out: "cancelled each other out",
        absolute_value_at_the_end: "what a single bin gives",
        squared_gaps: "squared",
        the_largest_gap: "largest gap",
        certainty_falls_out: "was in no bin",
        lower_edges_included: "belongs to the lower one",
        asks_torchmetrics: "belongs to the lower one",
        empty_bins_are_nan: "skip empty bins",
        probability_of_the_true_class: "not the probability of the true class",
        error_in_percent: "in per cent",
        weighted_by_counts: "weighted by counts",
        the_error_rate: "error rate",
        all_gaps: "several numbers",
        perfectly_calibrated: "pictures in",
        gives_labels_back: "several numbers",
        measures_nothing: "returned None",
        one_bin: "what a single bin gives",
        confidence_is_the_middle_of_the_bin: "its mean confidence",
    },
    "10-interpolate-weights": {
        mutates_a: "the models were changed",
        mutates_b: "the models were changed",
        shares_memory: "shares memory",
        hands_the_ends_on: "shares memory",
        the_wrong_way_round: "swapped",
        always_the_middle: "the middle",
        always_a: "this is a, whatever",
        always_b: "this is b, whatever",
        by_a_step: "rounds twice",
        the_step_alone: "still to be added",
        a_plus_alpha_b: "must fall as that of b rises",
        counters_averaged: "became floats",
        counters_rounded: "neither a's nor b's",
        counters_of_a: "above it b's",
        counters_left_out: "must still be there",
        weights_alone: "at alpha",
        statistics_of_a: "average the running statistics too",
        a_list_of_tensors: "a dict from name to tensor",
        numbers_for_tensors: "values are tensors",
        gives_a_back: "this is a, whatever",
        mixes_nothing: "returned None",
        half_is_b: "up to alpha one half take a's",
        counters_of_b: "at alpha 0 every tensor is a's",
        all_but_counters_averaged: "it was int64 in both",
        in_double: "this tensor is float64",
        product_of_powers: "each float tensor is",
    },
    "10-accumulate-gradients": {
        no_division: "sum of the batches' mean gradients",
        ragged_batch_as_a_whole_one: "counted as much as a full one",
        first_size_throughout: "first batch's size",
        sums_not_divided: "sums over samples",
        cleared_in_the_loop: "clear before the loop",
        never_cleared: "clear them once",
        last_batch_dropped: "smaller batch is missing",
        first_batch_alone: "only the first batch",
        divided_twice: "divided twice",
        all_at_once: "ran at once",
        backward_at_the_end: "did not take turns",
        steps_as_well: "the optimiser steps after",
        forgets_backward: "call `backward()`",
        gives_batches_back: "call `backward()`",
        accumulates_nothing: "call `backward()`",
        clears_at_the_end: "clear only before the first",
        backward_on_the_last_alone: "`backward()` inside",
        softmax_before_the_loss: "softmax was applied",
        steps_after_each_batch: "met different models",
        mean_over_all_samples: "multiply it by len(y), too",
        clips: "times len(y) / all samples",
    },
    "10-quantize-a-layer": {
        OneScale: "one scale for the whole matrix",
        ScalePerInput: "one scale per input",
        CutOff: "fractions were cut off",
        RoundedDown: "rounded down",
        Divided128: "int8 can't hold",
        Affine: "symmetric",
        LargestNotMagnitude: "not its largest magnitude",
        SevenBits: "7 bits",
        IntegersUsed: "integers themselves",
        ForgetsTheBias: "the bias is missing",
        KeepsTheFloats: "as large as the weights is stored",
        PlainAttributes: "register_buffer",
        FloatCodes: "one tensor of int8",
        NoGuard: "zero divided by zero",
        InPlace: "changed in place",
        gives_the_layer_back: "one tensor of int8",
        quantizes_nothing: "returned None",
        ScaleAsAttribute: "a plain attribute is not saved",
        ScaleOfEachWeight: "as large as the weights is stored",
        Transposed: "the shape of the weights",
        BiasRounded: "and the bias",
    },
    "10-investigate-the-stamp": {
        no_question: "without its question",
        three_seeds: "fewer than 5 seeds",
        in_per_cent: "a multiple of 1/150",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        concludes_from_the_means: "includes zero",
        a_record_without_conclusion: "no 'concluded'",
    },
}

RIGHT = {
    "10-draw-grad-cam": [asks_captum, DrawsPictureByPicture],
    "10-measure-calibration": [counts_in_numpy, sorts_into_lists],
    "10-interpolate-weights": [by_lerp, MixesInDouble],
    "10-accumulate-gradients": [sums_over_the_total, adds_up_by_hand, looks_before_it_learns],
    "10-quantize-a-layer": [ScalesTheOutputs, ByTorchsFakeQuantization],
    "10-investigate-the-stamp": [an_honest_record, it_got_better],
}
