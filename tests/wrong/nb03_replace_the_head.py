"""Mistakes of chapter 03."""

import torch
from torch import nn
from torch.nn import functional

from course import models


def last_linear(model):
    return [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1]


def put(model, name, layer):
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, layer)
    return model


def edits_out_features(model, num_classes):
    last_linear(model)[1].out_features = num_classes
    return model


def assigns_fc(model, num_classes):
    inputs = model.fc.in_features if hasattr(model, "fc") else 16
    model.fc = nn.Linear(inputs, num_classes)
    return model


def matches_fc_by_name(model, num_classes):
    for name, part in model.named_modules():
        if "fc" in name and isinstance(part, nn.Linear):
            return put(model, name, nn.Linear(part.in_features, num_classes))
    return model


def replaces_every_fc(model, num_classes):
    for name, part in list(model.named_modules()):
        if "fc" in name:
            inputs = part.in_features if isinstance(part, nn.Linear) else part.in_channels
            put(model, name, nn.Linear(inputs, num_classes))
    return model


def first_linear(model, num_classes):
    name, part = next((name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear))
    return put(model, name, nn.Linear(part.in_features, num_classes))


def whole_classifier(model, num_classes):
    name, part = last_linear(model)
    return put(model, name.split(".")[0], nn.Linear(part.in_features, num_classes))


def whole_classifier_that_fits(model, num_classes):
    name, _ = last_linear(model)
    block = model.get_submodule(name.split(".")[0])
    inputs = next(inner for inner in block.modules() if isinstance(inner, nn.Linear)).in_features
    return put(model, name.split(".")[0], nn.Linear(inputs, num_classes))


def guesses_in_features(model, num_classes):
    return put(model, last_linear(model)[0], nn.Linear(512, num_classes))


def swaps_inputs_and_outputs(model, num_classes):
    name, part = last_linear(model)
    return put(model, name, nn.Linear(num_classes, part.in_features))


def adds_a_layer_behind(model, num_classes):
    return nn.Sequential(model, nn.ReLU(), nn.Linear(5, num_classes))


def ends_in_softmax(model, num_classes):
    name, part = last_linear(model)
    return put(model, name, nn.Sequential(nn.Linear(part.in_features, num_classes), nn.Softmax(dim=1)))


def ends_in_log_softmax(model, num_classes):
    name, part = last_linear(model)
    return put(model, name, nn.Sequential(nn.Linear(part.in_features, num_classes), nn.LogSoftmax(dim=1)))


def ends_in_relu(model, num_classes):
    name, part = last_linear(model)
    return put(model, name, nn.Sequential(nn.Linear(part.in_features, num_classes), nn.ReLU()))


def initialises_the_backbone_again(model, num_classes):
    model = replaces_by_rebuilding(model, num_classes)
    for part in model.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return model


def freezes_the_new_head(model, num_classes):
    return replaces_by_rebuilding(model, num_classes).requires_grad_(False)


def unfreezes_everything(model, num_classes):
    return replaces_by_rebuilding(model, num_classes).requires_grad_(True)


def returns_the_head(model, num_classes):
    name, part = last_linear(model)
    put(model, name, nn.Linear(part.in_features, num_classes))


def replaces_by_rebuilding(model, num_classes):
    """Walks down the last children that have parameters."""
    parent = model
    while True:
        name, child = [(n, c) for n, c in parent.named_children() if list(c.parameters())][-1]
        if isinstance(child, nn.Linear):
            setattr(parent, name, nn.Linear(child.in_features, num_classes, device=child.weight.device))
            return model
        parent = child


def gives_the_old_layer_a_new_weight(model, num_classes):
    _, part = last_linear(model)
    part.weight = nn.Parameter(torch.randn(num_classes, part.in_features) * 0.01)
    part.bias = nn.Parameter(torch.zeros(num_classes))
    part.out_features = num_classes
    return model


def finds_the_head_by_watching_the_forward_pass(model, num_classes):
    order = []
    hooks = [
        part.register_forward_hook(lambda part, inputs, output: order.append(part))
        for part in model.modules()
        if isinstance(part, nn.Linear)
    ]
    training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 32, 32))
    model.train(training)
    for hook in hooks:
        hook.remove()
    (name,) = [name for name, part in model.named_modules() if part is order[-1]]
    return put(model, name, nn.Linear(order[-1].in_features, num_classes))


def optimizer_before_the_swap(model, num_classes):
    models.freeze(model)
    head = models.find_head(model).module.requires_grad_(True)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    models.replace_head(model, num_classes)
    return model, optimizer


def optimizer_of_everything_before_the_swap(model, num_classes):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    models.freeze(model)
    return models.replace_head(model, num_classes), optimizer


def freezes_last(model, num_classes):
    models.freeze(models.replace_head(model, num_classes))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def forgets_to_freeze(model, num_classes):
    models.replace_head(model, num_classes)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def forgets_to_replace(model, num_classes):
    models.freeze(model)
    return model, torch.optim.SGD(models.find_head(model).module.requires_grad_(True).parameters(), lr=0.1)


def rate_of_zero(model, num_classes):
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=0.0)


def climbs(model, num_classes):
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=0.1, maximize=True)


def only_the_model(model, num_classes):
    return models.replace_head(models.freeze(model), num_classes)


def the_wrong_way_round(model, num_classes):
    models.replace_head(models.freeze(model), num_classes)
    return torch.optim.SGD(models.trainable_parameters(model), lr=0.1), model


def starts_the_backbone_anew(model, num_classes):
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            part.reset_parameters()
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=0.1)


def adds_a_group_after_the_swap(model, num_classes):
    optimizer = torch.optim.Adam(models.find_head(model).module.parameters(), lr=0.01)
    replaces_by_rebuilding(model.requires_grad_(False), num_classes)
    optimizer.add_param_group({"params": [p for p in model.parameters() if p.requires_grad]})
    return model, optimizer


def gives_the_head_to_adamw(model, num_classes):
    model = models.replace_head(model, num_classes)
    return model, torch.optim.AdamW(models.find_head(model).module.parameters(), lr=0.01)


def a_view(weight, index):
    return weight.detach()[index]


def a_view_of_the_data(weight, index):
    return weight.data[index]


def a_view_with_its_graph(weight, index):
    return weight[index]


def cloned_but_attached(weight, index):
    return weight[index].clone()


def columns(weight, index):
    return weight.detach()[:, index].clone()


def by_mask(weight, index):
    mask = torch.zeros(len(weight), dtype=torch.bool)
    mask[index] = True
    return weight.detach()[mask].clone()


def one_too_far(weight, index):
    numbers = torch.arange(len(weight))[index]
    return weight.detach()[(numbers + 1) % len(weight)].clone()


def scaled_to_length_one(weight, index):
    return functional.normalize(weight.detach()[index], dim=1)


def averaged(weight, index):
    return weight.detach()[index].mean(0)


def a_list_of_rows(weight, index):
    return [row.detach().clone() for row in weight[index]]


def gathers_with_index_select(weight, index):
    numbers = torch.arange(weight.shape[0])[index]
    return torch.index_select(weight.detach(), 0, numbers)


def multiplies_by_a_selection(weight, index):
    return torch.stack([row.detach().clone() for row in weight[index].unbind(0)])


def double_softmax(model, x, y):
    return functional.cross_entropy(model(x).softmax(1), y)


def nll_on_probabilities(model, x, y):
    return functional.nll_loss(model(x).softmax(1), y)


def nll_on_logits(model, x, y):
    return functional.nll_loss(model(x), y)


def log_of_softmax(model, x, y):
    return functional.nll_loss(model(x).softmax(1).log(), y)


def summed(model, x, y):
    return functional.cross_entropy(model(x), y, reduction="sum")


def one_a_picture(model, x, y):
    return functional.cross_entropy(model(x), y, reduction="none")


def squared_error(model, x, y):
    z = model(x)
    return functional.mse_loss(z.softmax(1), functional.one_hot(y, z.shape[1]).float())


def yes_or_no(model, x, y):
    z = model(x)
    return functional.binary_cross_entropy_with_logits(z, functional.one_hot(y, z.shape[1]).float())


def sigmoid_first(model, x, y):
    return functional.cross_entropy(model(x).sigmoid(), y)


def softmax_over_the_batch(model, x, y):
    return functional.nll_loss(model(x).log_softmax(0), y)


def error_rate(model, x, y):
    return (model(x).argmax(1) != y).float().mean()


def as_a_number(model, x, y):
    return functional.cross_entropy(model(x), y).item()


def without_a_graph(model, x, y):
    with torch.no_grad():
        return functional.cross_entropy(model(x), y)


def switches_to_train_mode(model, x, y):
    z = model(x)
    model.train()
    return functional.cross_entropy(z, y)


def in_train_mode(model, x, y):
    model.train()
    return functional.cross_entropy(model(x), y)


def from_the_head_alone(model, x, y):
    seen = []
    _, head = last_linear(model)
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    model(x)
    hook.remove()
    return functional.cross_entropy(functional.linear(seen[0], head.weight, head.bias), y)


def forgets_to_return(model, x, y):
    functional.cross_entropy(model(x), y)


def by_logsumexp(model, x, y):
    z = model(x)
    return (z.logsumexp(1) - z.gather(1, y[:, None]).squeeze(1)).mean()


def log_softmax_and_nll(model, x, y):
    return nn.NLLLoss()(model(x).log_softmax(1), y)


def log_softmax_twice_is_harmless(model, x, y):
    return nn.CrossEntropyLoss()(model(x).log_softmax(1), y)


WRONG = {
    "03-replace-head": {
        edits_out_features: "a note on the layer",
        assigns_fc: "its forward never calls",
        matches_fc_by_name: "not by a name",
        replaces_every_fc: "another number of inputs",
        first_linear: "another number of inputs",
        whole_classifier: "in_features",
        whole_classifier_that_fits: "inside `classifier` too",
        guesses_in_features: "another number of inputs",
        swaps_inputs_and_outputs: "another number of inputs",
        adds_a_layer_behind: "nothing after it",
        ends_in_softmax: "ends in a softmax",
        ends_in_log_softmax: "ends in a log-softmax",
        ends_in_relu: "nothing after it",
        initialises_the_backbone_again: "knowledge that you keep",
        freezes_the_new_head: "a new layer comes trainable",
        unfreezes_everything: "as it was",
        returns_the_head: "returned None",
    },
    "03-build-optimizer": {
        optimizer_before_the_swap: "built before the swap",
        optimizer_of_everything_before_the_swap: "built before the swap",
        freezes_last: "freeze first, then replace the head",
        forgets_to_freeze: "moves the backbone too",
        forgets_to_replace: "shape of your model's outputs",
        rate_of_zero: "stayed as it was",
        climbs: "uphill",
        only_the_model: "the model and the optimiser",
        the_wrong_way_round: "in this order",
        starts_the_backbone_anew: "itself changed pretrained weights",
    },
    "03-transfer-rows": {
        a_view: "same memory",
        a_view_of_the_data: "same memory",
        a_view_with_its_graph: "same memory",
        cloned_but_attached: "Detach it as well",
        columns: "a column is a feature",
        by_mask: "another order",
        one_too_far: "start at 0",
        scaled_to_length_one: "as they are",
        averaged: "averaged into one",
        a_list_of_rows: "one tensor of rows",
    },
    "03-write-loss": {
        double_softmax: "double softmax",
        nll_on_probabilities: "these were probabilities",
        nll_on_logits: "these were logits",
        log_of_softmax: "underflows",
        summed: "sum over the batch",
        one_a_picture: "return their mean",
        squared_error: "squared error",
        yes_or_no: "separate yes or no",
        sigmoid_first: "sigmoid before",
        softmax_over_the_batch: "classes are dimension 1",
        error_rate: "no slope",
        as_a_number: "backward() starts from it",
        without_a_graph: "cut the loss off",
        switches_to_train_mode: "the mode is the caller's choice",
        in_train_mode: "the mode is the caller's choice",
        from_the_head_alone: "a graph that is cut",
        forgets_to_return: "returned None",
    },
}

RIGHT = {
    "03-replace-head": [
        replaces_by_rebuilding,
        gives_the_old_layer_a_new_weight,
        finds_the_head_by_watching_the_forward_pass,
    ],
    "03-build-optimizer": [adds_a_group_after_the_swap, gives_the_head_to_adamw],
    "03-transfer-rows": [gathers_with_index_select, multiplies_by_a_selection],
    "03-write-loss": [by_logsumexp, log_softmax_and_nll, log_softmax_twice_is_harmless],
}
