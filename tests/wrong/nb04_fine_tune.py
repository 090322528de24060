"""Mistakes of chapter 04."""

import torch
from torch import nn


def overlapping_groups(model, lr, decay):
    groups = [{"params": list(s.parameters()), "lr": lr * decay**d} for d, s in enumerate(reversed(model))]
    return [*groups, {"params": list(model[-1].parameters()), "lr": lr}]


def cumulative_groups(model, lr, decay):
    last = len(model) - 1
    return [{"params": list(model[i:].parameters()), "lr": lr * decay ** (last - i)} for i in range(len(model))]


def head_omitted(model, lr, decay):
    return [{"params": list(s.parameters()), "lr": lr * decay ** (d + 1)} for d, s in enumerate(reversed(model[:-1]))]


def head_slowest(model, lr, decay):
    return [{"params": list(stage.parameters()), "lr": lr * decay**i} for i, stage in enumerate(model)]


def one_factor_for_the_backbone(model, lr, decay):
    head, backbone = list(model[-1].parameters()), list(model[:-1].parameters())
    return [{"params": head, "lr": lr}, {"params": backbone, "lr": lr * decay}]


def head_slowed_too(model, lr, decay):
    return [{"params": list(s.parameters()), "lr": lr * decay ** (d + 1)} for d, s in enumerate(reversed(model))]


def one_rate_for_all(model, lr, decay):
    return [{"params": list(model.parameters()), "lr": lr}]


def only_weights_of_convolutions(model, lr, decay):
    kinds = nn.Conv2d | nn.Linear
    stages = enumerate(reversed(model))
    return [
        {"params": [p for m in s.modules() if isinstance(m, kinds) for p in m.parameters()], "lr": lr * decay**d}
        for d, s in stages
    ]


def copied_parameters(model, lr, decay):
    return [{"params": [p.clone() for p in s.parameters()], "lr": lr * decay**d} for d, s in enumerate(reversed(model))]


def a_list_of_lists(model, lr, decay):
    return [list(stage.parameters()) for stage in model]


def a_group_for_every_parameter(model, lr, decay):
    children = [name for name, _ in model.named_children()]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = len(children) - 1 - children.index(name.split(".")[0])
            yield {"params": parameter, "lr": lr * decay**depth}


def rates_multiplied_on_the_way(model, lr, decay):
    groups = []
    for stage in list(model.children())[::-1]:
        groups.append({"params": stage.parameters(), "lr": lr})
        lr = lr * decay
    return groups


def flags_alone(model, optimizer, k):
    model[k].requires_grad_(True)


def a_new_optimizer_inside(model, optimizer, k):
    model[k].requires_grad_(True)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    optimizer.zero_grad()


def optimizer_alone(model, optimizer, k):
    optimizer.add_param_group({"params": list(model[k].parameters())})


def counts_from_the_head(model, optimizer, k):
    stage = model[-k]
    stage.requires_grad_(True)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    optimizer.add_param_group({"params": [p for p in stage.parameters() if id(p) not in held]})


def everything_from_k_on(model, optimizer, k):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    model[: k + 1].requires_grad_(True)
    optimizer.add_param_group({"params": [p for p in model[: k + 1].parameters() if id(p) not in held]})


def all_parameters_again(model, optimizer, k):
    model[k].requires_grad_(True)
    optimizer.add_param_group({"params": [p for p in model.parameters() if p.requires_grad]})


def optimizer_started_anew(model, optimizer, k):
    model[k].requires_grad_(True)
    optimizer.__init__([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)


def only_the_weights_of_the_stage(model, optimizer, k):
    weights = [p for p in model[k].parameters() if p.ndim > 1]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer.add_param_group({"params": weights})


def extends_the_group(model, optimizer, k):
    params = optimizer.param_groups[0]["params"]
    for parameter in model[k].parameters():
        parameter.requires_grad = True
        if not any(parameter is held for held in params):
            params.append(parameter)


def one_group_a_parameter(model, optimizer, k):
    model[k].requires_grad_()
    for parameter in model[k].parameters():
        if all(parameter is not p for group in optimizer.param_groups for p in group["params"]):
            optimizer.add_param_group({"params": [parameter], "lr": 0.02})
    return model, optimizer


def zeroed_gradients(module, optimizer):
    for parameter in module.parameters():
        parameter.register_hook(torch.zeros_like)


def zeroed_once(module, optimizer):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad.zero_()


def flag_without_dropping_the_gradient(module, optimizer):
    module.requires_grad_(False)


def eval_mode(module, optimizer):
    module.eval()


def weights_zeroed(module, optimizer):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.data.zero_()
        parameter.grad = None


def rate_of_all_to_zero(module, optimizer):
    module.requires_grad_(False)
    for group in optimizer.param_groups:
        group["lr"] = 0.0


def forgets_the_momentum_of_all(module, optimizer):
    optimizer.state.clear()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None


def only_out_of_the_optimizer(module, optimizer):
    inside = {id(parameter) for parameter in module.parameters()}
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in inside]


def a_new_optimizer_for_the_rest(module, optimizer):
    inside = {id(parameter) for parameter in module.parameters()}
    rest = [p for group in optimizer.param_groups for p in group["params"] if id(p) not in inside]
    optimizer = torch.optim.SGD(rest, lr=0.05)


def drops_gradients(module, optimizer):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None


def leaves_the_groups(module, optimizer):
    for parameter in module.parameters():
        parameter.requires_grad = False
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p is not parameter]
        optimizer.state.pop(parameter, None)


def drops_before_every_step(module, optimizer):
    module.requires_grad_(False)

    def drop(*_):
        for parameter in module.parameters():
            parameter.grad = None

    optimizer.register_step_pre_hook(drop)


def _train(model, data, params, lr, passes):
    optimizer = torch.optim.SGD(params, lr=lr)
    for _ in range(passes):
        for x, y in data:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


def _copy(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def head_reset_between(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    model[-1].reset_parameters()
    model.train()
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def backbone_in_train_mode(model, data):
    model.train()
    model[:-1].requires_grad_(False)
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    model.requires_grad_(True)
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def all_trained_in_the_first_step(model, data):
    model.eval()
    _train(model, data, model.parameters(), 0.1, 10)
    handover = _copy(model)
    model.train()
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def stops_after_the_head(model, data):
    model.eval()
    model[:-1].requires_grad_(False)
    _train(model, data, model[-1].parameters(), 0.1, 10)
    return _copy(model)


def everything_at_once(model, data):
    handover = _copy(model)
    model.train()
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def handover_not_copied(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = model.state_dict()
    model.train()
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def old_optimizer_kept(model, data):
    model.eval()
    model[:-1].requires_grad_(False)
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    model.train().requires_grad_(True)
    _train(model, data, model[-1].parameters(), 0.01, 2)
    return handover


def rate_of_the_head_kept(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    model.train()
    _train(model, data, model.parameters(), 0.1, 2)
    return handover


def still_in_eval_mode(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def returns_the_model(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    return model


def probe_on_cached_features(model, data):
    model.eval()
    with torch.no_grad():
        features = [(model[:-1](x), y) for x, y in data]
    _train(model[-1], features, model[-1].parameters(), 0.1, 10)
    handover = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.train()
    _train(model, data, model.parameters(), 0.01, 2)
    return handover


def freezes_and_steps_by_hand(model, data):
    import copy

    data = list(data)
    for phase, (lr, passes) in enumerate([(0.1, 10), (0.01, 2)]):
        model.train(phase == 1)
        for parameter in model[:-1].parameters():
            parameter.requires_grad_(phase == 1)
        for x, y in data * passes:
            params = [p for p in model.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), params)
            with torch.no_grad():
                for parameter, gradient in zip(params, gradients, strict=True):
                    parameter -= lr * gradient
        if phase == 0:
            handover = copy.deepcopy(model.state_dict())
    return handover


class _LoRA(nn.Module):
    """A right one, from which the mistakes differ in one place each."""

    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(r, base.in_features) / base.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, r))
        self.scale = alpha / r

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)

    def merged(self):
        out, inputs = self.base.weight.shape
        layer = nn.Linear(inputs, out, bias=self.base.bias is not None)
        with torch.no_grad():
            layer.weight.copy_(self.base.weight + self.scale * self.B @ self.A)
            if self.base.bias is not None:
                layer.bias.copy_(self.base.bias)
        return layer


class BothFactorsZero(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        nn.init.zeros_(self.A)


class BothFactorsRandom(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        nn.init.normal_(self.B)


class NoScale(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        self.scale = 1.0


class ScaledByAlpha(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        self.scale = alpha


class BaseTrainable(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        self.base.requires_grad_(True)


class WithoutTheBase(_LoRA):
    def forward(self, x):
        return self.scale * (x @ self.A.T @ self.B.T)


class MergedWithoutScale(_LoRA):
    def merged(self):
        layer = super().merged()
        with torch.no_grad():
            layer.weight.copy_(self.base.weight + self.B @ self.A)
        return layer


class MergedToTheBase(_LoRA):
    def merged(self):
        return self.base


class MergedWithoutTheBias(_LoRA):
    def merged(self):
        layer = super().merged()
        layer.bias = None
        return layer


class FactorsThatAreNoParameters(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        del self.A, self.B
        self.A = torch.randn(r, base.in_features)
        self.B = torch.zeros(base.out_features, r)


class TwoSmallLinears(nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.frozen = [base.requires_grad_(False)]
        self.down = nn.Linear(base.in_features, r, bias=False)
        self.up = nn.Linear(r, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)
        self.alpha, self.r = alpha, r

    def forward(self, x):
        return self.frozen[0](x) + self.up(self.down(x)) * self.alpha / self.r

    def merged(self):
        base = self.frozen[0]
        base.weight.data += self.alpha / self.r * self.up.weight.data @ self.down.weight.data
        return base


class TheOtherFactorZero(nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.register_buffer("weight", base.weight.detach().clone())
        self.register_buffer("bias", None if base.bias is None else base.bias.detach().clone())
        self.left = nn.Parameter(torch.zeros(base.in_features, r))
        self.right = nn.Parameter(torch.randn(r, base.out_features))
        self.factor = alpha / r

    def total(self):
        return self.weight + self.factor * (self.left @ self.right).T

    def forward(self, x):
        return nn.functional.linear(x, self.total(), self.bias)

    def merged(self):
        layer = nn.Linear(*self.left.shape[:1], self.right.shape[1], bias=self.bias is not None)
        layer.weight = nn.Parameter(self.total().detach())
        if self.bias is not None:
            layer.bias = nn.Parameter(self.bias)
        return layer


WRONG = {
    "04-group-by-depth": {
        overlapping_groups: "the groups overlap",
        cumulative_groups: "the groups overlap",
        head_omitted: "the head is in no group",
        head_slowest: "upside down",
        one_factor_for_the_backbone: "one factor for the whole backbone",
        head_slowed_too: "the head's own rate is lr",
        one_rate_for_all: "every stage has the same rate",
        only_weights_of_convolutions: "what is in no group never moves",
        copied_parameters: "not the model's parameters",
        a_list_of_lists: "a group is a dict",
    },
    "04-unfreeze-a-stage": {
        flags_alone: "it is not in the optimizer",
        a_new_optimizer_inside: "not the one that is stepped",
        optimizer_alone: "still frozen",
        counts_from_the_head: "one stage at a time",
        everything_from_k_on: "one stage at a time",
        all_parameters_again: "more than one parameter group",
        optimizer_started_anew: "made anew",
        only_the_weights_of_the_stage: "left out",
    },
    "04-freeze-again": {
        zeroed_gradients: "its gradients are zero, and it moves all the same",
        zeroed_once: "momentum and weight decay push",
        flag_without_dropping_the_gradient: "the old .grad tensor",
        eval_mode: "nothing was frozen",
        weights_zeroed: "keeps the values",
        rate_of_all_to_zero: "the others were stopped too",
        forgets_the_momentum_of_all: "keep the optimizer's settings and its state",
        only_out_of_the_optimizer: "computed for nothing",
        a_new_optimizer_for_the_rest: "nothing was frozen",
    },
    "04-head-then-everything": {
        head_reset_between: "the head was reset",
        backbone_in_train_mode: "only BatchNorm's statistics moved",
        all_trained_in_the_first_step: "give its optimizer the head alone",
        stops_after_the_head: "never let go",
        everything_at_once: "not trained before the backbone was let go",
        handover_not_copied: "clone each of them",
        old_optimizer_kept: "in the second optimizer",
        rate_of_the_head_kept: "ten times too high",
        still_in_eval_mode: "in eval mode",
        returns_the_model: "a dict like model.state_dict()",
    },
    "04-adapt-low-rank": {
        BothFactorsZero: "zero for ever",
        BothFactorsRandom: "neither factor starts at zero",
        NoScale: "alpha / r is missing",
        ScaledByAlpha: "scaled by alpha, not by alpha / r",
        BaseTrainable: "the base is trainable too",
        WithoutTheBase: "not added to what the base computes",
        MergedWithoutScale: "merged without alpha / r",
        MergedToTheBase: "the update was not merged",
        MergedWithoutTheBias: "the bias of merged()",
        FactorsThatAreNoParameters: "two factors",
    },
}

RIGHT = {
    "04-group-by-depth": [a_group_for_every_parameter, rates_multiplied_on_the_way],
    "04-unfreeze-a-stage": [extends_the_group, one_group_a_parameter],
    "04-freeze-again": [drops_gradients, leaves_the_groups, drops_before_every_step],
    "04-head-then-everything": [probe_on_cached_features, freezes_and_steps_by_hand],
    "04-adapt-low-rank": [_LoRA, TwoSmallLinears, TheOtherFactorZero],
}
