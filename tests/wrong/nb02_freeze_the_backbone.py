"""Mistakes of chapter 02."""

import copy

import torch
from torch import nn


def typo_require_grad(module):
    for parameter in module.parameters():
        parameter.require_grad = False


def flag_on_the_module(module):
    module.requires_grad = False


def only_the_first_level(module):
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad_(False)


def only_the_convolutions(module):
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.requires_grad_(False)


def zeroed_instead_of_frozen(module):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.zero_()


def only_eval_mode(module):
    module.eval()


def freezes_a_copy(module):
    return copy.deepcopy(module).requires_grad_(False)


def without_the_layers_inside(module):
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad = False
    return module


def no_grad_around_a_walk(module):
    with torch.no_grad():
        for _ in module.parameters():
            pass


def gradients_cleared(module):
    for parameter in module.parameters():
        parameter.grad = None


def gradients_zeroed(module):
    for parameter in module.parameters():
        parameter.grad.zero_()


def only_the_weights_inside(module):
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not name.endswith("weight"))


def freezes_through_the_module(module):
    return module.requires_grad_(False).eval()


def freezes_with_apply(module):
    def off(part):
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, nn.Parameter(parameter.detach(), requires_grad=False))

    module.apply(off)


def eval_then_train(model):
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()
    model.train()


def just_train(model):
    model.train()


def nothing_at_all(model):
    pass


def just_eval(model):
    model.eval()


def backbone_by_name(model):
    model.train()
    for name, module in model.named_modules():
        if name.startswith(("backbone", "layer1")):
            module.eval()


def all_of_nothing(model):
    model.train()
    for module in model.modules():
        if all(not parameter.requires_grad for parameter in module.parameters()):
            module.eval()


def every_batchnorm_asleep(model):
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def all_dropout_asleep(model):
    sets_flags_with_a_hook(model.train())
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()


def direct_children_only(model):
    model.train()
    for module in model.children():
        if not any(parameter.requires_grad for parameter in module.parameters()):
            module.eval()


def sets_flags_with_a_hook(model):
    def visit(module):
        frozen = [not p.requires_grad for p in module.parameters()]
        module.training = not (frozen and all(frozen))
        for child in module.children():
            visit(child)

    visit(model)
    return model


def counts_buffers(model):
    return list(model.state_dict(keep_vars=True).values())


def values_of_the_state(model):
    return list(model.state_dict().values())


def trainable_of_the_state(model):
    return [value for value in model.state_dict().values() if value.requires_grad]


def data_of_the_trainable(model):
    return [p.data for p in model.parameters() if p.requires_grad]


def counts_buffers_beside_trainable(model):
    return [p for p in model.parameters() if p.requires_grad] + list(model.buffers())


def all_parameters(model):
    return list(model.parameters())


def copies(model):
    return [p.clone() for p in model.parameters() if p.requires_grad]


def names_instead(model):
    return [name for name, p in model.named_parameters() if p.requires_grad]


def only_weights(model):
    return [p for name, p in model.named_parameters() if p.requires_grad and name.endswith("weight")]


def each_layer_again(model):
    return [p for module in model.modules() for p in module.parameters() if p.requires_grad]


def those_with_a_gradient(model):
    return [p for p in model.parameters() if p.grad is not None]


def filters_lazily(model):
    return filter(lambda p: p.requires_grad, model.parameters())


def dropout_left_on(model, loader):
    with torch.no_grad():
        model.train()
        batches = [(model(x), y) for x, y in loader]
    return torch.cat([f for f, _ in batches]), torch.cat([y for _, y in batches])


def one_pass_in_train_mode(model, loader):
    features, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            features.append(model(x))
            labels.append(y)
    return torch.cat(features), torch.cat(labels)


def labels_from_a_second_pass(model, loader):
    model.eval()
    with torch.no_grad():
        features = torch.cat([model(x) for x, _ in loader])
    return features, torch.cat([y for _, y in loader])


def without_the_last_batch(model, loader):
    model.eval()
    with torch.no_grad():
        batches = [(model(x), y) for x, y in loader if len(x) == loader.batch_size]
    return torch.cat([f for f, _ in batches]), torch.cat([y for _, y in batches])


def labels_sorted(model, loader):
    features, labels = collects_with_a_hook(model, loader)
    return features, labels.sort().values


def graph_kept(model, loader):
    model.eval()
    batches = [(model(x), y) for x, y in loader]
    return torch.cat([f for f, _ in batches]), torch.cat([y for _, y in batches])


def only_the_last_batch(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            features, labels = model(x), y
    return features, labels


def returns_nothing(model, loader):
    model.eval()


def lists_of_batches(model, loader):
    model.eval()
    with torch.no_grad():
        batches = [(model(x), y) for x, y in loader]
    return [f for f, _ in batches], [y for _, y in batches]


def collects_with_a_hook(model, loader):
    kept, labels = [], []
    handle = model.register_forward_hook(lambda module, inputs, output: kept.append(output.detach().clone()))
    was_training = model.training
    model.eval()
    for x, y in loader:
        model(x)
        labels.extend(y.tolist())
    handle.remove()
    model.train(was_training)
    return torch.vstack(kept), torch.tensor(labels)


def _audit(model, groups):
    """The three lists by names: `groups` of an optimizer."""
    held = {id(p) for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    drifting = [
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if module.training and (own := list(module.parameters(recurse=False))) and not any(p.requires_grad for p in own)
        for buffer, _ in module.named_buffers(recurse=False)
    ]
    return {
        "drifting": drifting,
        "held": [name for name, p in named.items() if not p.requires_grad and id(p) in held],
        "missing": [name for name, p in named.items() if p.requires_grad and id(p) not in held],
    }


def audits_the_first_group(model, optimizer):
    return _audit(model, optimizer.param_groups[:1])


def audits_the_state(model, optimizer):
    held = {id(p) for p in optimizer.state}
    named = dict(model.named_parameters())
    return {
        **_audit(model, optimizer.param_groups),
        "held": [name for name, p in named.items() if not p.requires_grad and id(p) in held],
        "missing": [name for name, p in named.items() if p.requires_grad and id(p) not in held],
    }


def lists_all_that_is_held(model, optimizer):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    named = dict(model.named_parameters())
    return {
        **_audit(model, optimizer.param_groups),
        "held": [name for name, p in named.items() if id(p) in held],
        "missing": [name for name, p in named.items() if id(p) not in held],
    }


def lists_all_that_is_frozen(model, optimizer):
    named = dict(model.named_parameters())
    return {**_audit(model, optimizer.param_groups), "held": [n for n, p in named.items() if not p.requires_grad]}


def lists_layers_that_drift(model, optimizer):
    found = _audit(model, optimizer.param_groups)
    return {**found, "drifting": sorted({name.rpartition(".")[0] for name in found["drifting"]})}


def ignores_the_modes(model, optimizer):
    frozen = [
        name
        for name, module in model.named_modules()
        if (own := list(module.parameters(recurse=False))) and not any(p.requires_grad for p in own)
    ]
    names = [f"{name}.{buffer}" for name in frozen for buffer, _ in model.get_submodule(name).named_buffers()]
    return {**_audit(model, optimizer.param_groups), "drifting": names}


def ignores_the_flags(model, optimizer):
    names = [
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if module.training
        for buffer, _ in module.named_buffers(recurse=False)
    ]
    return {**_audit(model, optimizer.param_groups), "drifting": names}


def one_frozen_parameter_is_enough(model, optimizer):
    names = [
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if module.training and not all(p.requires_grad for p in module.parameters(recurse=False))
        for buffer, _ in module.named_buffers(recurse=False)
    ]
    return {**_audit(model, optimizer.param_groups), "drifting": names}


def asks_the_model_for_its_mode(model, optimizer):
    found = ignores_the_modes(model, optimizer)
    return found if model.training else {**found, "drifting": []}


def finds_nothing(model, optimizer):
    return {"drifting": [], "held": [], "missing": []}


def freezes_before_it_looks(model, optimizer):
    model.eval()
    return _audit(model, optimizer.param_groups)


def a_tuple_of_lists(model, optimizer):
    return tuple(_audit(model, optimizer.param_groups).values())


def without_a_key(model, optimizer):
    found = _audit(model, optimizer.param_groups)
    return {key: found[key] for key in ("drifting", "held")}


def parameters_instead_of_names(model, optimizer):
    held = [p for group in optimizer.param_groups for p in group["params"] if not p.requires_grad]
    return {**_audit(model, optimizer.param_groups), "held": held}


def audits_with_sets(model, optimizer):
    name_of = {id(p): name for name, p in model.named_parameters()}
    held = {name_of[id(p)] for group in optimizer.param_groups for p in group["params"]}
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    drifting = set()
    for name, _ in model.named_buffers():
        owner = model.get_submodule(name.rpartition(".")[0])
        if (
            owner.training
            and name.endswith(("mean", "var"))
            and not owner.weight.requires_grad | owner.bias.requires_grad
        ):
            drifting.add(name)
    return {"drifting": drifting, "held": held - trainable, "missing": trainable - held}


MEASURED = [0.58, 0.5867, 0.5733, 0.5333, 0.62]


def _record(**changes):
    changed = [round(value * 150 - 12) / 150 for value in MEASURED]
    written = {
        "question": "does train mode in every BatchNorm layer cost accuracy?",
        "expected": "worse",
        "baseline": MEASURED,
        "changed": [value + 2 / 150 * (i % 2) for i, value in enumerate(changed)],
        "concluded": "worse",
    }
    return {**written, **changes}


def too_few_seeds():
    return _record(baseline=MEASURED[:3], changed=[0.42, 0.44, 0.4])


def another_baseline():
    return _record(baseline=[round(value * 150 - 30) / 150 for value in MEASURED])


def per_cent_instead_of_shares():
    return _record(changed=[45.3, 46.0, 44.0, 48.0, 47.3])


def the_same_twice():
    return _record(changed=MEASURED, concluded="cannot tell")


def better_by_wish():
    return _record(concluded="better")


def cannot_tell_by_caution():
    return _record(concluded="cannot tell")


def a_longer_record():
    return _record(
        question="Is the backbone better off with the stem's BatchNorm in train mode?",
        expected="cannot tell",
        changed=[value + sign / 150 for value, sign in zip(MEASURED, (1, -1, 2, -2, 0), strict=True)],
        concluded="cannot tell",
    )


WRONG = {
    "02-freeze-backbone": {
        typo_require_grad: "typo",
        flag_on_the_module: "only sets an attribute on the module",
        only_the_first_level: "nothing was frozen",
        only_the_convolutions: "every one that module.parameters() gives",
        only_the_weights_inside: "every one that module.parameters() gives",
        zeroed_instead_of_frozen: "freezing keeps the values",
        only_eval_mode: "`.eval()` changes what dropout and BatchNorm do",
        freezes_a_copy: "the one that was passed in is not frozen",
        without_the_layers_inside: "those of the layers inside too",
        no_grad_around_a_walk: "A `torch.no_grad()` block changes no parameter",
        gradients_cleared: "clearing `.grad` forgets",
        gradients_zeroed: "clearing `.grad` forgets",
    },
    "02-set-train-mode": {
        eval_then_train: "must come after it",
        just_train: "frozen weights are not a frozen layer",
        nothing_at_all: "no module was put into train mode",
        just_eval: "the whole model is in eval mode",
        backbone_by_name: "the whole backbone was put into eval mode",
        all_of_nothing: "all() of nothing is True",
        all_dropout_asleep: "`head.3`: without parameters, and so not frozen",
        direct_children_only: "by their parameters, at any depth, and call eval()",
        every_batchnorm_asleep: "`backbone.stage2.1` went into eval mode though nothing in it is frozen",
    },
    "02-list-trainable": {
        counts_buffers: "buffers were counted",
        values_of_the_state: "state_dict() has the buffers among them",
        trainable_of_the_state: "of tensors from state_dict() it is False",
        those_with_a_gradient: "before the first step no `.grad` is there",
        data_of_the_trainable: "tensors that take no gradient",
        counts_buffers_beside_trainable: "buffers were counted",
        all_parameters: "frozen parameters are in the list",
        copies: "not copies",
        names_instead: "return the parameters themselves",
        only_weights: "missing",
        each_layer_again: "twice",
    },
    "02-cache-features": {
        dropout_left_on: "dropout",
        one_pass_in_train_mode: "in train mode the features differ each time",
        labels_from_a_second_pass: "same pass",
        graph_kept: "no_grad",
        only_the_last_batch: "11",
        without_the_last_batch: "every picture has one row of features and one label",
        labels_sorted: "at the same position belong to one picture",
        returns_nothing: "returned None",
        lists_of_batches: "torch.cat",
    },
    "02-audit-freeze": {
        audits_the_first_group: "only the first of the optimiser's groups",
        finds_nothing: "the list is empty. Read the mode of every module",
        audits_the_state: "read `param_groups`, since `optimizer.state`",
        lists_all_that_is_held: "those that require a gradient belong there",
        lists_all_that_is_frozen: "whether the optimiser holds it or not",
        lists_layers_that_drift: "list their buffers",
        ignores_the_modes: "in eval mode a forward pass changes no buffer",
        ignores_the_flags: "modules that still train are listed",
        one_frozen_parameter_is_enough: "only if none of its parameters requires a gradient",
        asks_the_model_for_its_mode: "'drifting'",
        freezes_before_it_looks: "repairs nothing",
        a_tuple_of_lists: "return a dict",
        without_a_key: "no 'missing'",
        parameters_instead_of_names: "other than names",
    },
    "02-investigate-batchnorm": {
        too_few_seeds: "fewer than 5 seeds",
        another_baseline: "the chapter's setting, unchanged",
        per_cent_instead_of_shares: "a multiple of 1/150",
        the_same_twice: "no effect on any run",
        better_by_wish: "interval of the differences",
        cannot_tell_by_caution: "interval",
    },
}

RIGHT = {
    "02-freeze-backbone": [freezes_through_the_module, freezes_with_apply],
    "02-set-train-mode": [sets_flags_with_a_hook],
    "02-list-trainable": [filters_lazily],
    "02-cache-features": [collects_with_a_hook],
    "02-audit-freeze": [audits_with_sets],
    "02-investigate-batchnorm": [a_longer_record],
}
