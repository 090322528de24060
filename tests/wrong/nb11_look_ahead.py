"""Mistakes of chapter 11."""

import copy
import math

import numpy as np
import torch
from scipy.signal import get_window
from torch import nn
from torch.nn import functional as F


def size_of(sounds, length, hop, **options):
    given = {"window": torch.hann_window(length), "center": False, "return_complex": True} | options
    return torch.stft(sounds, length, hop, **given).abs()


def draw_with(sounds, window, hop, *, size=None, loudest=(1, 2), scale=None, flip=True, channels=3):
    """A right drawing, of which a mistake changes one part."""
    size = size_of(sounds, window, hop) if size is None else size
    top = size.max() if loudest is None else size.amax(loudest, keepdim=True)
    picture = (scale or (lambda share: (1 + 20 * share.log10() / 60).clamp(0, 1)))(size / top).nan_to_num(0)
    return (picture.flip(1) if flip else picture)[:, None].repeat(1, channels, 1, 1)


def upside_down(sounds, window, hop):
    return draw_with(sounds, window, hop, flip=False)


def against_the_loudest_of_the_batch(sounds, window, hop):
    return draw_with(sounds, window, hop, loudest=None)


def no_logarithm(sounds, window, hop):
    return draw_with(sounds, window, hop, scale=lambda share: share)


def ten_times_the_logarithm(sounds, window, hop):
    return draw_with(sounds, window, hop, scale=lambda share: (1 + 10 * share.log10() / 60).clamp(0, 1))


def squared_as_well(sounds, window, hop):
    return draw_with(sounds, window, hop, size=size_of(sounds, window, hop) ** 2)


def natural_logarithm(sounds, window, hop):
    return draw_with(sounds, window, hop, scale=lambda share: (1 + 20 * share.log() / 60).clamp(0, 1))


def stretched_to_the_faintest(sounds, window, hop):
    def stretch(share):
        decibels = 20 * share.log10()
        low, high = decibels.amin((1, 2), keepdim=True), decibels.amax((1, 2), keepdim=True)
        return (decibels - low) / (high - low)

    return draw_with(sounds, window, hop, scale=stretch)


def not_clamped(sounds, window, hop):
    return draw_with(sounds, window, hop, scale=lambda share: 1 + 20 * share.log10() / 60)


def decibels_as_they_are(sounds, window, hop):
    return draw_with(sounds, window, hop, scale=lambda share: (20 * share.log10()).clamp(-60, 0))


def without_a_window(sounds, window, hop):
    return draw_with(sounds, window, hop, size=size_of(sounds, window, hop, window=torch.ones(window)))


def padded_at_both_ends(sounds, window, hop):
    return draw_with(sounds, window, hop, size=size_of(sounds, window, hop, center=True))


def silence_is_not_a_number(sounds, window, hop):
    size = size_of(sounds, window, hop)
    picture = (1 + 20 * (size / size.amax((1, 2), keepdim=True)).log10() / 60).clamp(0, 1)
    return picture.flip(1)[:, None].repeat(1, 3, 1, 1)


def one_channel(sounds, window, hop):
    return draw_with(sounds, window, hop, channels=1)


def no_channel(sounds, window, hop):
    return draw_with(sounds, window, hop)[:, 0]


def channels_last(sounds, window, hop):
    return draw_with(sounds, window, hop).permute(0, 2, 3, 1)


def transposed(sounds, window, hop):
    return draw_with(sounds, window, hop).transpose(2, 3)


def backwards_in_time(sounds, window, hop):
    return draw_with(sounds, window, hop).flip(3)


def real_and_imaginary(sounds, window, hop):
    waves = torch.stft(sounds, window, hop, window=torch.hann_window(window), center=False, return_complex=True)
    return torch.view_as_real(waves)


def all_grey(sounds, window, hop):
    return torch.full_like(draw_with(sounds, window, hop), 0.5)


def gives_the_sounds_back(sounds, window, hop):
    return sounds


def draws_nothing(sounds, window, hop):
    size_of(sounds, window, hop)


def frame_by_frame(sounds, window, hop):
    """Numpy's FFT, a frame at a time."""
    hann, pictures = get_window("hann", window), []
    for sound in sounds.double().numpy():
        starts = range(0, len(sound) - window + 1, hop)
        size = np.stack([np.abs(np.fft.rfft(sound[start : start + window] * hann)) for start in starts], 1)
        if not size.any():
            pictures.append(np.zeros((3, *size.shape)))
            continue
        decibels = 20 * np.log10(np.maximum(size / size.max(), 1e-12))
        pictures.append(np.repeat(np.clip(1 + decibels / 60, 0, 1)[None, ::-1], 3, 0))
    return np.stack(pictures).astype(np.float32)


class DrawsPowers:
    """Ten times the logarithm of the powers, sound by sound, in double precision."""

    def __new__(cls, sounds, window, hop):
        frames = sounds.double().unfold(1, window, hop) * torch.hann_window(window, dtype=torch.float64)
        power = torch.fft.rfft(frames).abs().square().transpose(1, 2)  # (B, pitches, frames)
        top = power.flatten(1).max(1).values.clamp_min(1e-30)[:, None, None]
        picture = torch.clamp((10 * torch.log10(power / top + 1e-30) + 60) / 60, min=0)
        return torch.flip(picture, [1]).unsqueeze(1).expand(-1, 3, -1, -1)


def cut_with(x, size, order=(0, 2, 4, 1, 3, 5)):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // size, size, w // size, size).permute(order).reshape(b, -1, c * size * size)


def reshaped_only(x, size):
    return x.reshape(len(x), -1, x.shape[1] * size * size)


def channels_last_then_reshaped(x, size):
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1] * size * size)


def column_by_column(x, size):
    return cut_with(x, size, (0, 4, 2, 1, 3, 5))


def channels_last_inside(x, size):
    return cut_with(x, size, (0, 2, 4, 3, 5, 1))


def each_patch_turned(x, size):
    return cut_with(x, size, (0, 2, 4, 1, 5, 3))


def numbers_first(x, size):
    return cut_with(x, size).transpose(1, 2)


def six_axes(x, size):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // size, size, w // size, size).permute(0, 2, 4, 1, 3, 5)


def grid_of_patches(x, size):
    return cut_with(x, size).unflatten(1, (x.shape[2] // size, x.shape[3] // size))


def overlapping(x, size):
    return x.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 1, 4, 5).flatten(1, 2).flatten(2)


def as_if_square(x, size):
    side = max(1, x.shape[2] // size)
    return cut_with(x[:, :, : side * size, : side * size], size)


def sorted_numbers(x, size):
    return cut_with(x, size).sort(2).values


def mean_of_each_patch(x, size):
    return F.avg_pool2d(x, size).flatten(2).transpose(1, 2)


def all_zero(x, size):
    return torch.zeros_like(cut_with(x, size))


def gives_the_pictures_back(x, size):
    return x


def cuts_nothing(x, size):
    cut_with(x, size)


def slice_by_slice(x, size):
    rows, columns = range(0, x.shape[2], size), range(0, x.shape[3], size)
    return torch.stack([x[:, :, r : r + size, c : c + size].flatten(1) for r in rows for c in columns], 1)


def with_tensor_unfold(x, size):
    squares = x.double().unfold(2, size, size).unfold(3, size, size)  # (B, C, rows, columns, size, size)
    return torch.einsum("bcrkhw->brkchw", squares).flatten(1, 2).flatten(2)


def with_numpy_blocks(x, size):
    parts = [np.split(row, x.shape[3] // size, axis=3) for row in np.split(x.numpy(), x.shape[2] // size, axis=2)]
    return np.stack([part.reshape(len(x), -1) for row in parts for part in row], axis=1)


@torch.no_grad()
def follow_with(teacher, student, momentum, *, buffers=True):
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.mul_(momentum).add_(fast, alpha=1 - momentum)
    if buffers:
        for slow, fast in zip(teacher.buffers(), student.buffers(), strict=True):
            slow.copy_(fast)


def roles_swapped(teacher, student, momentum):
    follow_with(student, teacher, momentum)


def momentum_swapped(teacher, student, momentum):
    follow_with(teacher, student, 1 - momentum)


def buffers_forgotten(teacher, student, momentum):
    follow_with(teacher, student, momentum, buffers=False)


@torch.no_grad()
def buffers_mixed(teacher, student, momentum):
    own = student.state_dict()
    for name, value in teacher.state_dict().items():
        value.copy_(momentum * value + (1 - momentum) * own[name])


def copied_whole(teacher, student, momentum):
    teacher.load_state_dict(student.state_dict())


def memory_shared(teacher, student, momentum):
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.data = fast.data


def buffers_shared(teacher, student, momentum):
    follow_with(teacher, student, momentum)
    for module, other in zip(teacher.modules(), student.modules(), strict=True):
        for name, buffer in other.named_buffers(recurse=False):
            setattr(module, name, buffer)


def graph_kept(teacher, student, momentum):
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.mul_(momentum).add_(fast, alpha=1 - momentum)
    for slow, fast in zip(teacher.buffers(), student.buffers(), strict=True):
        slow.copy_(fast)


def a_new_teacher(teacher, student, momentum):
    new = copy.deepcopy(teacher)
    follow_with(new, student, momentum)
    return new


@torch.no_grad()
def names_set_anew(teacher, student, momentum):
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow = momentum * slow + (1 - momentum) * fast
    for slow, fast in zip(teacher.buffers(), student.buffers(), strict=True):
        slow = fast


def old_value_not_shrunk(teacher, student, momentum):
    with torch.no_grad():
        for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
            slow.add_(fast, alpha=1 - momentum)
        for slow, fast in zip(teacher.buffers(), student.buffers(), strict=True):
            slow.copy_(fast)


def weights_but_no_biases(teacher, student, momentum):
    before = copy.deepcopy(teacher.state_dict())
    follow_with(teacher, student, momentum)
    for name, value in teacher.state_dict().items():
        if name.endswith("bias"):
            value.copy_(before[name])


def meet_in_the_middle(teacher, student, momentum):
    follow_with(teacher, student, momentum)
    student.load_state_dict(teacher.state_dict())


def gives_the_teacher_back(teacher, student, momentum):
    return teacher


def follows_nothing(teacher, student, momentum):
    pass


def by_state_dict(teacher, student, momentum):
    slow, fast = teacher.state_dict(), student.state_dict()
    moving = {name for name, _ in student.named_parameters()}
    teacher.load_state_dict(
        {name: momentum * slow[name] + (1 - momentum) * fast[name] if name in moving else fast[name] for name in slow}
    )


class AveragesWithTorch:
    """torch.optim.swa_utils' own update, and the buffers."""

    def __init__(self, teacher, student, momentum):
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        pairs = ([p.detach() for p in model.parameters()] for model in (teacher, student))
        get_ema_multi_avg_fn(momentum)(*pairs, 0)
        for slow, fast in zip(teacher.buffers(), student.buffers(), strict=True):
            slow.data.copy_(fast.data)


def soften_with(student, teacher, labels, t, alpha, *, distance=None, factor=None, hard=None):
    if distance is None:
        distance = F.kl_div((student / t).log_softmax(1), (teacher.detach() / t).softmax(1), reduction="batchmean")
    hard = F.cross_entropy(student, labels) if hard is None else hard
    return alpha * (t**2 if factor is None else factor) * distance + (1 - alpha) * hard


def no_factor(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha, factor=1.0)


def temperature_once(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha, factor=temperature)


def kl(student, teacher, t_student, t_teacher, reduction="batchmean"):
    return F.kl_div(
        (student / t_student).log_softmax(1), (teacher.detach() / t_teacher).softmax(1), reduction=reduction
    )


def backwards(student, teacher, labels, temperature, alpha):
    other = F.kl_div(
        (teacher.detach() / temperature).log_softmax(1), (student / temperature).softmax(1), reduction="batchmean"
    )
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def softmax_without_log(student, teacher, labels, temperature, alpha):
    other = F.kl_div(
        (student / temperature).softmax(1), (teacher.detach() / temperature).softmax(1), reduction="batchmean"
    )
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def kl_div_of_two_softmaxes(student, teacher, labels, temperature, alpha):
    other = F.kl_div((student / temperature).softmax(1), (teacher.detach() / temperature).softmax(1))
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def mean_over_classes_too(student, teacher, labels, temperature, alpha):
    other = kl(student, teacher, temperature, temperature, "mean")
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def sum_over_the_batch(student, teacher, labels, temperature, alpha):
    other = kl(student, teacher, temperature, temperature, "sum")
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def only_the_teacher_softened(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha, distance=kl(student, teacher, 1, temperature))


def only_the_student_softened(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha, distance=kl(student, teacher, temperature, 1))


def times_the_temperature(student, teacher, labels, temperature, alpha):
    other = kl(student, teacher, 1 / temperature, 1 / temperature)
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def squared_differences(student, teacher, labels, temperature, alpha):
    other = F.mse_loss((student / temperature).softmax(1), (teacher.detach() / temperature).softmax(1))
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def labels_softened(student, teacher, labels, temperature, alpha):
    hard = F.cross_entropy(student / temperature, labels)
    return soften_with(student, teacher, labels, temperature, alpha, hard=hard)


def alpha_swapped(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, 1 - alpha)


def labels_in_full(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha) + alpha * F.cross_entropy(student, labels)


def soft_answers_alone(student, teacher, labels, temperature, alpha):
    return temperature**2 * kl(student, teacher, temperature, temperature)


def labels_alone(student, teacher, labels, temperature, alpha):
    return F.cross_entropy(student, labels)


def soft_cross_entropy(student, teacher, labels, temperature, alpha):
    other = F.cross_entropy(student / temperature, (teacher.detach() / temperature).softmax(1))
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def teacher_not_detached(student, teacher, labels, temperature, alpha):
    other = F.kl_div((student / temperature).log_softmax(1), (teacher / temperature).softmax(1), reduction="batchmean")
    return soften_with(student, teacher, labels, temperature, alpha, distance=other)


def student_detached(student, teacher, labels, temperature, alpha):
    return soften_with(student.detach(), teacher, labels, temperature, alpha) + 0 * student.sum()


def a_plain_float(student, teacher, labels, temperature, alpha):
    return soften_with(student, teacher, labels, temperature, alpha).item()


def without_gradient(student, teacher, labels, temperature, alpha):
    with torch.no_grad():
        return soften_with(student, teacher, labels, temperature, alpha)


def one_loss_a_sample(student, teacher, labels, temperature, alpha):
    return F.cross_entropy(student, labels, reduction="none")


def always_zero(student, teacher, labels, temperature, alpha):
    return 0 * student.sum()


def gives_the_logits_back(student, teacher, labels, temperature, alpha):
    return student


def softens_nothing(student, teacher, labels, temperature, alpha):
    pass


def by_hand(student, teacher, labels, temperature, alpha):
    """Sums over rows and classes, in double precision."""
    total = 0.0
    for s, t, label in zip(student.double(), teacher.detach().double(), labels.tolist(), strict=True):
        p, q = torch.softmax(t / temperature, 0), torch.softmax(s / temperature, 0)
        total = total + alpha * temperature**2 * (p * (p.log() - q.log())).sum()
        total = total - (1 - alpha) * torch.log_softmax(s, 0)[label]
    return total / len(labels)


class AsksTorchDistributions(nn.Module):
    def __new__(cls, student, teacher, labels, temperature, alpha):
        from torch.distributions import Categorical, kl_divergence

        with torch.no_grad():
            goal = Categorical(logits=teacher / temperature)
        distance = kl_divergence(goal, Categorical(logits=student / temperature)).mean()
        own = Categorical(logits=student).log_prob(labels).mean()
        return math.pow(temperature, 2) * alpha * distance - (1 - alpha) * own


def softmax_before_the_cross_entropy(student_logits, teacher_logits, labels, temperature, alpha):
    soft = (teacher_logits.detach() / temperature).softmax(1)
    own = (student_logits / temperature).log_softmax(1)
    hard = torch.nn.functional.cross_entropy(student_logits.softmax(1), labels)
    distance = torch.nn.functional.kl_div(own, soft, reduction="batchmean")
    return alpha * temperature**2 * distance + (1 - alpha) * hard


WRONG = {
    "11-draw-sound": {
        upside_down: "the lowest pitch in row 0",
        against_the_loudest_of_the_batch: "beside a loud one",
        no_logarithm: "want decibels",
        ten_times_the_logarithm: "10 log10 is for powers",
        squared_as_well: "twice the decibels",
        natural_logarithm: "natural logarithm",
        stretched_to_the_faintest: "fixed scale",
        not_clamped: "numbers differ",
        decibels_as_they_are: "these are decibels",
        without_a_window: "Hann",
        padded_at_both_ends: "center=False",
        silence_is_not_a_number: "NaN",
        one_channel: "three channels",
        no_channel: "three channels",
        channels_last: "channels first",
        transposed: "transposed",
        backwards_in_time: "each column is one frame",
        real_and_imaginary: ".abs()",
        all_grey: "each column is one frame",
        gives_the_sounds_back: "the shape",
        draws_nothing: "returned None",
    },
    "11-cut-patches": {
        reshaped_only: "a reshape moves no number",
        channels_last_then_reshaped: "strips along all rows",
        column_by_column: "row by row",
        channels_last_inside: "the channels come last",
        each_patch_turned: "rows and columns are exchanged",
        numbers_first: "transpose(1, 2)",
        six_axes: "flatten",
        grid_of_patches: "flatten",
        overlapping: "overlap",
        as_if_square: "(2, 10, 48)",
        sorted_numbers: "has its place",
        mean_of_each_patch: "(2, 9, 48)",
        all_zero: "has its place",
        gives_the_pictures_back: "flatten",
        cuts_nothing: "returned None",
    },
    "11-follow-student": {
        roles_swapped: "not the other way round",
        momentum_swapped: "the roles are swapped",
        buffers_forgotten: "they are buffers",
        buffers_mixed: "mixed like parameters",
        copied_whole: "a copy of the student",
        memory_shared: "share memory",
        buffers_shared: "share memory",
        graph_kept: "no_grad",
        a_new_teacher: "in place",
        names_set_anew: "in place",
        old_value_not_shrunk: "shrunk first",
        weights_but_no_biases: "the rest of the student's",
        meet_in_the_middle: "not the other way round",
        gives_the_teacher_back: "did not move",
        follows_nothing: "did not move",
    },
    "11-soften-answers": {
        no_factor: "shrink with temperature squared",
        temperature_once: "temperature squared",
        backwards: "KL(student, teacher)",
        softmax_without_log: "log_softmax, not softmax",
        kl_div_of_two_softmaxes: "not softmax; and its reduction",
        mean_over_classes_too: "divides by the classes",
        sum_over_the_batch: "grows with the batch",
        only_the_teacher_softened: "only the teacher was softened",
        only_the_student_softened: "only the student was softened",
        times_the_temperature: "high means soft",
        squared_differences: "squares of differences",
        labels_softened: "the labels are not soft",
        alpha_swapped: "alpha is the weight",
        softmax_before_the_cross_entropy: "it expects logits",
        labels_in_full: "both weights sum to 1",
        labels_alone: "the teacher was not asked",
        soft_answers_alone: "the labels were not asked",
        soft_cross_entropy: "is not 0 where both agree",
        teacher_not_detached: "detach()",
        student_detached: "the student gets no gradient",
        a_plain_float: "returned a float",
        without_gradient: "no gradient can flow",
        one_loss_a_sample: "return one number",
        always_zero: "the student gets no gradient",
        gives_the_logits_back: "return one number",
        softens_nothing: "returned None",
    },
}

RIGHT = {
    "11-draw-sound": [frame_by_frame, DrawsPowers],
    "11-cut-patches": [slice_by_slice, with_tensor_unfold, with_numpy_blocks],
    "11-follow-student": [by_state_dict, AveragesWithTorch],
    "11-soften-answers": [by_hand, AsksTorchDistributions],
}
