"""Mistakes of chapter 04."""

import copy

import torch
from torch import nn

from course.exercises.nb04_fine_tune.investigate_a_change import BASELINE
from tests.wrong.records import records


def _split(stage, lr, weight_decay):
    """The groups of a stage, right in everything but perhaps its rate."""
    trainable = [p for p in stage.parameters() if p.requires_grad]
    kinds = (([p for p in trainable if p.ndim > 1], weight_decay), ([p for p in trainable if p.ndim <= 1], 0.0))
    return [{"params": params, "lr": lr, "weight_decay": decay} for params, decay in kinds if params]


def _by_depth(model, rate, weight_decay):
    """Groups with rate(depth), right otherwise."""
    return [group for d, s in enumerate(reversed(model)) for group in _split(s, rate(d), weight_decay)]


def overlapping_groups(model, lr, decay, weight_decay):
    groups = _by_depth(model, lambda d: lr * decay**d, weight_decay)
    return [*groups, *_split(model[-1], lr, weight_decay)]


def cumulative_groups(model, lr, decay, weight_decay):
    last = len(model) - 1
    return [g for i in range(len(model)) for g in _split(model[i:], lr * decay ** (last - i), weight_decay)]


def head_omitted(model, lr, decay, weight_decay):
    return _by_depth(model[:-1], lambda d: lr * decay ** (d + 1), weight_decay)


def head_slowest(model, lr, decay, weight_decay):
    return [g for i, stage in enumerate(model) for g in _split(stage, lr * decay**i, weight_decay)]


def rates_grow_with_depth(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr / decay**d, weight_decay)


def one_factor_for_the_backbone(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr * decay if d else lr, weight_decay)


def head_slowed_too(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr * decay ** (d + 1), weight_decay)


def one_rate_for_all(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr, weight_decay)


def a_product_of_depth(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr * decay * d if d else lr, weight_decay)


def only_weights_of_convolutions(model, lr, decay, weight_decay):
    return [g for g in _by_depth(model, lambda d: lr * decay**d, weight_decay) if g["params"][0].ndim > 1]


def copied_parameters(model, lr, decay, weight_decay):
    groups = _by_depth(model, lambda d: lr * decay**d, weight_decay)
    return [{**group, "params": [p.clone() for p in group["params"]]} for group in groups]


def a_list_of_lists(model, lr, decay, weight_decay):
    return [list(stage.parameters()) for stage in model]


def frozen_ones_too(model, lr, decay, weight_decay):
    flags = [p.requires_grad for p in model.parameters()]
    model.requires_grad_(True)
    groups = _by_depth(model, lambda d: lr * decay**d, weight_decay)
    for parameter, flag in zip(model.parameters(), flags, strict=True):
        parameter.requires_grad_(flag)
    return groups


def everything_decays(model, lr, decay, weight_decay):
    return [{**g, "weight_decay": weight_decay} for g in _by_depth(model, lambda d: lr * decay**d, weight_decay)]


def nothing_decays(model, lr, decay, weight_decay):
    return _by_depth(model, lambda d: lr * decay**d, 0.0)


def biases_decay_instead(model, lr, decay, weight_decay):
    groups = _by_depth(model, lambda d: lr * decay**d, weight_decay)
    return [{**group, "weight_decay": weight_decay - group["weight_decay"]} for group in groups]


def a_group_for_every_parameter(model, lr, decay, weight_decay):
    children = [name for name, _ in model.named_children()]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = len(children) - 1 - children.index(name.split(".")[0])
            own = weight_decay if parameter.ndim > 1 else 0
            yield {"params": parameter, "lr": lr * decay**depth, "weight_decay": own}


def rates_multiplied_on_the_way(model, lr, decay, weight_decay):
    groups = []
    for stage in list(model.children())[::-1]:
        norms = [p for m in stage.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters(recurse=False)]
        small = {id(p) for p in norms} | {id(p) for name, p in stage.named_parameters() if name.endswith("bias")}
        large = [p for p in stage.parameters() if p.requires_grad and id(p) not in small]
        plain = [p for p in stage.parameters() if p.requires_grad and id(p) in small]
        groups += [{"params": large, "lr": lr, "weight_decay": weight_decay}, {"params": plain, "lr": lr}]
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


def added_without_asking(model, optimizer, k):
    model[k].requires_grad_(True)
    optimizer.add_param_group({"params": list(model[k].parameters())})


def adds_it_twice(model, optimizer, k):
    model[k].requires_grad_(True)
    optimizer.param_groups[0]["params"].extend(model[k].parameters())


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


def flags_of_all_stages(model, optimizer, k):
    model.requires_grad_(True)
    extends_the_group(model, optimizer, k)


def held_at_rate_zero(model, optimizer, k):
    model[k].requires_grad_(True)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if new := [p for p in model[k].parameters() if id(p) not in held]:
        optimizer.add_param_group({"params": new, "lr": 0.0})


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


def dropped_once_but_not_frozen(module, optimizer):
    for parameter in module.parameters():
        parameter.grad = None


def freezes_the_weights_alone(module, optimizer):
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.requires_grad_(False)
            parameter.grad = None


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


def _train(model, data, params, lr, passes, *, clears="first", momentum=0.0, loss=nn.functional.cross_entropy):
    optimizer = torch.optim.SGD(params, lr=lr, momentum=momentum)
    for _ in range(passes):
        for x, y in data:
            if clears == "first":
                optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
            if clears == "last":
                optimizer.zero_grad()


def _two_steps(model, data, *, freezes=True, passes=(10, 2), **settings):
    """A right answer but for the settings."""
    model.eval()
    if freezes:
        model[:-1].requires_grad_(False)
    _train(model, data, model[-1].parameters(), 0.1, passes[0], **settings)
    handover = _copy(model)
    model.train().requires_grad_(True)
    _train(model, data, model.parameters(), 0.01, passes[1], **settings)
    return handover


def gradients_never_cleared(model, data):
    return _two_steps(model, data, clears="never")


def gradients_leak_into_step_two(model, data):
    return _two_steps(model, data, freezes=False, clears="last")


def with_momentum(model, data):
    return _two_steps(model, data, momentum=0.9)


def softmax_before_the_loss(model, data):
    return _two_steps(model, data, loss=lambda logits, y: nn.functional.cross_entropy(logits.softmax(1), y))


def loss_summed(model, data):
    return _two_steps(model, data, loss=lambda logits, y: nn.functional.cross_entropy(logits, y, reduction="sum"))


def one_pass_each(model, data):
    return _two_steps(model, data, passes=(1, 1))


def ten_passes_each(model, data):
    return _two_steps(model, data, passes=(10, 10))


def backbone_alone_in_step_two(model, data):
    model.eval()
    _train(model, data, model[-1].parameters(), 0.1, 10)
    handover = _copy(model)
    model.train()
    _train(model, data, model[:-1].parameters(), 0.01, 2)
    return handover


def adam_in_step_two(model, data):
    handover = _two_steps(model, data, passes=(10, 0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for x, y in data * 2:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return handover


def copied_at_the_end(model, data):
    _two_steps(model, data)
    return _copy(model)


def copied_after_a_pass_of_step_two(model, data):
    _two_steps(model, data, passes=(10, 1))
    handover = _copy(model)
    _train(model, data, model.parameters(), 0.01, 1)
    return handover


def steps_before_backward(model, data):
    handover = _two_steps(model, data, passes=(10, 0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in data * 2:
        optimizer.zero_grad()
        optimizer.step()
        nn.functional.cross_entropy(model(x), y).backward()
    return handover


def step_two_at_rate_one(model, data):
    handover = _two_steps(model, data, passes=(10, 0))
    _train(model, data, model.parameters(), 1.0, 2)
    return handover


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


class ScaledBySquareRoot(_LoRA):
    def __init__(self, base, r, alpha):
        super().__init__(base, r, alpha)
        self.scale = alpha / r**0.5


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


def _range_test(model, batches, low, high, steps, *, rate=None, **wrong):
    """A right answer but for what `wrong` names."""
    trial = model if wrong.get("in_place") else copy.deepcopy(model)
    trial.train(not wrong.get("eval_mode"))
    optimizer = torch.optim.SGD(trial.parameters(), lr=low, momentum=wrong.get("momentum", 0.0))
    found = []
    for step in range(steps):
        lr = rate(low, high, step, steps) if rate else low * (high / low) ** (step / (steps - 1))
        if not wrong.get("rate_not_set"):
            optimizer.param_groups[0]["lr"] = lr
        x, y = batches[0 if wrong.get("first_batch") else step % len(batches)]
        loss = nn.functional.cross_entropy(trial(x), y)
        diverged = bool(found) and not loss.item() <= 4 * min(loss for _, loss in found)
        if diverged and wrong.get("last_not_recorded"):
            break
        if not wrong.get("after_the_step"):
            found.append((lr, loss.item()))
        if diverged and not wrong.get("never_stops"):
            break
        if not wrong.get("not_cleared"):
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if wrong.get("after_the_step"):
            found.append((lr, nn.functional.cross_entropy(trial(x), y).item()))
    return found


def equal_differences(*args):
    return _range_test(*args, rate=lambda low, high, step, steps: low + (high - low) * step / (steps - 1))


def short_of_high(*args):
    return _range_test(*args, rate=lambda low, high, step, steps: low * (high / low) ** (step / steps))


def constant_rate(*args):
    return _range_test(*args, rate=lambda low, high, step, steps: low)


def rates_only_recorded(*args):
    return _range_test(*args, rate_not_set=True)


def one_batch_only(*args):
    return _range_test(*args, first_batch=True)


def in_eval_mode(*args):
    return _range_test(*args, eval_mode=True)


def momentum_in_the_test(*args):
    return _range_test(*args, momentum=0.9)


def never_cleared(*args):
    return _range_test(*args, not_cleared=True)


def loss_after_the_step(*args):
    return _range_test(*args, after_the_step=True)


def never_stops(*args):
    return _range_test(*args, never_stops=True)


def divergence_not_recorded(*args):
    return _range_test(*args, last_not_recorded=True)


def adam_in_the_test(model, batches, low, high, steps):
    trial, found = copy.deepcopy(model).train(), []
    optimizer = torch.optim.Adam(trial.parameters())
    for step in range(steps):
        x, y = batches[step % len(batches)]
        optimizer.param_groups[0]["lr"] = low * (high / low) ** (step / (steps - 1))
        loss = nn.functional.cross_entropy(trial(x), y)
        found.append((optimizer.param_groups[0]["lr"], loss.item()))
        if not loss.item() <= 4 * min(loss for _, loss in found):
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


def softmax_in_the_test(model, batches, low, high, steps):
    return _range_test(nn.Sequential(model, nn.Softmax(1)), batches, low, high, steps)


def half_of_the_steps(*args):
    return _range_test(*args)[:5]


def ruins_the_model(*args):
    return _range_test(*args, in_place=True)


def restores_only_the_weights(model, *args):
    start = [parameter.detach().clone() for parameter in model.parameters()]
    found = _range_test(model, *args, in_place=True)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start, strict=True):
            parameter.copy_(value)
    return found


def restores_the_state(model, batches, low, high, steps):
    start = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [(module, module.training) for module in model.modules()]
    model.train()
    lr, factor, found, lowest = low, (high / low) ** (1 / (steps - 1)), [], float("inf")
    for step in range(steps):
        x, y = batches[step % len(batches)]
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        found.append([lr, float(loss)])
        if not torch.isfinite(loss) or loss > 4 * lowest:
            break
        lowest = min(lowest, float(loss))
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= lr * parameter.grad
        lr *= factor
    model.load_state_dict(start)
    for module, mode in modes:
        module.training = mode
    return found


WRONG_RECORDS, RIGHT_RECORDS = records(BASELINE, 100, "does a larger weight decay raise the validation accuracy?")


WRONG = {
    "04-group-by-depth": {
        overlapping_groups: "the groups overlap",
        cumulative_groups: "the groups overlap",
        head_omitted: "the head is in no group",
        head_slowest: "the order is reversed",
        rates_grow_with_depth: "the rates grow towards the input",
        one_factor_for_the_backbone: "the whole backbone has one rate",
        head_slowed_too: "the head's own rate is lr",
        one_rate_for_all: "every stage has the same rate",
        a_product_of_depth: "decay * depth",
        only_weights_of_convolutions: "a parameter in no group is never updated",
        copied_parameters: "not the model's parameters",
        a_list_of_lists: "a group is a dict",
        frozen_ones_too: "frozen on purpose",
        everything_decays: "every parameter decays",
        nothing_decays: "no group has a weight decay",
        biases_decay_instead: "the other way round",
    },
    "04-unfreeze-a-stage": {
        flags_alone: "it is not in the optimizer that was passed in",
        a_new_optimizer_inside: "not the one that the training loop steps",
        optimizer_alone: "still frozen",
        added_without_asking: "more than one parameter group",
        adds_it_twice: "must not be added again",
        counts_from_the_head: "one stage at a time",
        everything_from_k_on: "one stage at a time",
        all_parameters_again: "more than one parameter group",
        flags_of_all_stages: "unfreeze model[k] alone",
        held_at_rate_zero: "with a rate of 0",
        optimizer_started_anew: "has lost the momentum",
        only_the_weights_of_the_stage: "left out",
    },
    "04-freeze-again": {
        zeroed_gradients: "its gradients are zero, and it moves nevertheless",
        zeroed_once: "even one of zeros",
        flag_without_dropping_the_gradient: "the old .grad tensor",
        eval_mode: "nothing was frozen",
        dropped_once_but_not_frozen: "nothing was frozen",
        weights_zeroed: "keep the values",
        rate_of_all_to_zero: "the others were stopped too",
        forgets_the_momentum_of_all: "keep the optimizer's settings and its state",
        only_out_of_the_optimizer: "the backward pass still computes its gradients",
        freezes_the_weights_alone: "parameters still get gradients",
        a_new_optimizer_for_the_rest: "nothing was frozen",
    },
    "04-head-then-everything": {
        head_reset_between: "starts from the trained head",
        backbone_in_train_mode: "only BatchNorm's statistics moved",
        all_trained_in_the_first_step: "holds the head alone",
        stops_after_the_head: "no weight moved after the hand-over",
        everything_at_once: "not trained before the backbone was unfrozen",
        handover_not_copied: "clone each of its tensors",
        old_optimizer_kept: "in the second optimiser",
        rate_of_the_head_kept: "ten times too high",
        still_in_eval_mode: "in eval mode",
        adam_in_step_two: "was Adam",
        copied_at_the_end: "copy it between the two steps",
        copied_after_a_pass_of_step_two: "weights moved before the hand-over",
        steps_before_backward: "backward() before each step()",
        step_two_at_rate_one: "moves it with rate 0.01",
        returns_the_model: "a dict like model.state_dict()",
        gradients_never_cleared: "the gradients were not cleared",
        gradients_leak_into_step_two: "its zero_grad did not clear them",
        with_momentum: "momentum 0.9",
        softmax_before_the_loss: "softmax was applied before the loss",
        loss_summed: "summed over the batch",
        one_pass_each: "a single pass",
        ten_passes_each: "trained for 10 passes",
        backbone_alone_in_step_two: "the head was not in the second optimiser",
    },
    "04-adapt-low-rank": {
        BothFactorsZero: "both stay zero",
        BothFactorsRandom: "neither factor starts at zero",
        NoScale: "alpha / r is missing",
        ScaledByAlpha: "scaled by alpha, not by alpha / r",
        ScaledBySquareRoot: "as in rsLoRA",
        BaseTrainable: "the base is trainable too",
        WithoutTheBase: "not added to what the base computes",
        MergedWithoutScale: "merged without alpha / r",
        MergedToTheBase: "the update was not merged",
        MergedWithoutTheBias: "the bias of merged()",
        FactorsThatAreNoParameters: "two factors",
    },
    "04-investigate-a-change": WRONG_RECORDS,
    "04-find-a-rate": {
        equal_differences: "equal differences",
        short_of_high: "falls short of high",
        constant_rate: "the rate never changed",
        rates_only_recorded: "the recorded rates were not used",
        one_batch_only: "every step uses the first batch",
        in_eval_mode: "in eval mode",
        momentum_in_the_test: "momentum 0.9",
        never_cleared: "the gradients were not cleared",
        loss_after_the_step: "the losses after the step",
        never_stops: "continues after it has diverged",
        divergence_not_recorded: "was not recorded",
        half_of_the_steps: "which is no reason to stop either",
        adam_in_the_test: "the optimiser is Adam",
        softmax_in_the_test: "softmax before cross_entropy",
        ruins_the_model: "train a copy",
        restores_only_the_weights: "they are buffers",
    },
}

RIGHT = {
    "04-group-by-depth": [a_group_for_every_parameter, rates_multiplied_on_the_way],
    "04-unfreeze-a-stage": [extends_the_group, one_group_a_parameter],
    "04-freeze-again": [drops_gradients, leaves_the_groups, drops_before_every_step],
    "04-head-then-everything": [probe_on_cached_features, freezes_and_steps_by_hand, _two_steps],
    "04-adapt-low-rank": [_LoRA, TwoSmallLinears, TheOtherFactorZero],
    "04-investigate-a-change": RIGHT_RECORDS,
    "04-find-a-rate": [_range_test, restores_the_state],
}
