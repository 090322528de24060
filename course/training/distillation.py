"""Learning from another network instead of labels: a teacher's soft targets, or a moving average of own weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from course.models.freezing import freeze

__all__ = ["distillation_loss", "make_teacher", "momentum_update", "soft_target_loss"]


def distillation_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    temperature: float = 2.0,
    alpha: float = 0.5,
) -> torch.Tensor:
    """`alpha` times the distance to the teacher's soft targets, plus 1 - `alpha` times cross-entropy on the labels.

    Logits are (B, classes), labels (B,). The distance is KL(teacher, student) of both softmaxes at `temperature`,
    averaged over the batch and multiplied by temperature squared, so that its gradient keeps its size whatever the
    temperature. No gradient reaches the teacher.
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), section 2.
    """
    soft = (teacher_logits.detach() / temperature).log_softmax(1)
    distance = F.kl_div((student_logits / temperature).log_softmax(1), soft, reduction="batchmean", log_target=True)
    return alpha * temperature**2 * distance + (1 - alpha) * F.cross_entropy(student_logits, labels)


def soft_target_loss(temperature: float = 2.0) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """`distillation_loss` without labels, as a loss for `fit`: its targets are the teacher's logits (B, classes)."""

    def loss(student_logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
        return distillation_loss(student_logits, teacher_logits, teacher_logits.argmax(1), temperature, alpha=1.0)

    return loss


def make_teacher(student: nn.Module) -> nn.Module:
    """A frozen copy of the student as it is now, in eval mode, for `momentum_update` to update."""
    return freeze(copy.deepcopy(student))


@torch.no_grad()
def momentum_update(teacher: nn.Module, student: nn.Module, momentum: float = 0.99) -> None:
    """Set every parameter of the teacher, in place, to `momentum` * teacher + (1 - `momentum`) * student.

    So the teacher is an exponential moving average of the student. Buffers (BatchNorm's statistics) are copied. The
    student does not change.
    He et al., "Momentum contrast" (MoCo, 2020), equation 2; Tarvainen and Valpola, "Mean teachers" (2017).
    """
    for averaged, current in zip(teacher.parameters(), student.parameters(), strict=True):
        averaged.lerp_(current, 1 - momentum)
    for copied, buffer in zip(teacher.buffers(), student.buffers(), strict=True):
        copied.copy_(buffer)
