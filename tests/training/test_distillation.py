"""Learning from another network: the loss is Hinton's, and the slow teacher moves as the paper says."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course.models.freezing import is_frozen
from course.training.distillation import distillation_loss, make_teacher, momentum_update, soft_target_loss


def logits(seed, rows=6, classes=5):
    return 2 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def test_alone_the_soft_part_is_temperature_squared_times_kl_and_zero_where_both_agree():
    student, teacher, t = logits(0), logits(1), 3.0
    p, q = (teacher / t).softmax(1), (student / t).softmax(1)
    by_hand = t * t * (p * (p / q).log()).sum(1).mean()
    assert distillation_loss(student, teacher, LABELS, t, 1.0) == pytest.approx(by_hand.item(), rel=1e-5)
    assert distillation_loss(teacher, teacher, LABELS, t, 1.0).item() == pytest.approx(0, abs=1e-6)


def test_alpha_weighs_soft_answers_and_labels():
    student, teacher = logits(0), logits(1)
    soft, hard = (distillation_loss(student, teacher, LABELS, 2.0, alpha).item() for alpha in (1.0, 0.0))
    assert hard == pytest.approx(F.cross_entropy(student, LABELS).item(), rel=1e-6)
    assert distillation_loss(student, teacher, LABELS, 2.0, 0.3).item() == pytest.approx(0.3 * soft + 0.7 * hard)


def test_the_gradient_keeps_its_size_whatever_the_temperature():
    sizes = []
    for temperature in (20.0, 200.0):
        student = logits(0).requires_grad_()
        distillation_loss(student, logits(1), LABELS, temperature, 1.0).backward()
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_no_gradient_reaches_the_teacher():
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    distillation_loss(student, teacher, LABELS).backward()
    assert teacher.grad is None and student.grad.any()


def networks():
    torch.manual_seed(0)
    student = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    return make_teacher(student), student


def test_a_teacher_is_a_frozen_copy_that_shares_nothing():
    teacher, student = networks()
    assert is_frozen(teacher) and not teacher.training and student.training
    with torch.no_grad():
        student[0].weight.add_(1)
    assert not torch.equal(teacher[0].weight, student[0].weight)


def test_parameters_move_by_momentum_and_buffers_are_copied():
    teacher, student = networks()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(torch.randn_like(parameter))
    student(torch.randn(8, 4))  # moves BatchNorm's statistics
    before, own = copy.deepcopy(teacher), copy.deepcopy(student)
    momentum_update(teacher, student, 0.9)
    for new, old, fast in zip(teacher.parameters(), before.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * fast)
        assert not new.requires_grad
    for new, fast in zip(teacher.buffers(), student.buffers(), strict=True):
        assert torch.equal(new, fast) and new.data_ptr() != fast.data_ptr()
    for name, value in student.state_dict().items():
        assert torch.equal(value, own.state_dict()[name])


def test_networks_of_other_shapes_are_refused():
    teacher, student = networks()
    with pytest.raises(ValueError, match="zip"):
        momentum_update(teacher, student[0])


def test_the_imitation_loss_is_zero_for_the_teacher_and_pulls_towards_it():
    teacher = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    loss = soft_target_loss(3.0)
    assert float(loss(teacher + 5, teacher)) == pytest.approx(0, abs=1e-5), "a constant added to logits changes nothing"
    student = torch.zeros(6, 4, requires_grad=True)
    first = loss(student, teacher)
    first.backward()
    assert float(loss(student.detach() - 0.1 * student.grad, teacher)) < float(first.detach())
