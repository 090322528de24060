"""Mistakes of chapter 03."""

import torch
from torch import nn
from torch.nn import functional

from course import models
from course.exercises.nb03_replace_the_head import investigate_head


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


def two_layers_for_one(model, num_classes):
    name, last = last_linear(model)
    return put(model, name, nn.Sequential(nn.Linear(last.in_features, 32), nn.ReLU(), nn.Linear(32, num_classes)))


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


def two_groups(model, lr, weight_decay, kind=torch.optim.SGD):
    head = models.find_head(model).module
    return kind(
        [{"params": [head.weight], "weight_decay": weight_decay}, {"params": [head.bias], "weight_decay": 0.0}], lr=lr
    )


def optimizer_before_the_swap(model, num_classes, lr, weight_decay):
    models.freeze(model)
    models.find_head(model).module.requires_grad_(True)
    optimizer = two_groups(model, lr, weight_decay)
    models.replace_head(model, num_classes)
    return model, optimizer


def optimizer_of_everything_before_the_swap(model, num_classes, lr, weight_decay):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay)
    models.freeze(model)
    return models.replace_head(model, num_classes), optimizer


def freezes_last(model, num_classes, lr, weight_decay):
    models.freeze(models.replace_head(model, num_classes))
    return model, two_groups(model, lr, weight_decay)


def forgets_to_freeze(model, num_classes, lr, weight_decay):
    models.replace_head(model, num_classes)
    return model, torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay)


def freezes_nothing_but_holds_the_head_alone(model, num_classes, lr, weight_decay):
    models.replace_head(model, num_classes)
    return model, two_groups(model, lr, weight_decay)


def forgets_to_replace(model, num_classes, lr, weight_decay):
    models.freeze(model)
    models.find_head(model).module.requires_grad_(True)
    return model, two_groups(model, lr, weight_decay)


def rate_of_zero(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return model, two_groups(model, 0.0, weight_decay)


def rate_of_his_own(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return model, two_groups(model, 0.01, weight_decay)


def climbs(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=lr, maximize=True)


def only_the_model(model, num_classes, lr, weight_decay):
    return models.replace_head(models.freeze(model), num_classes)


def the_wrong_way_round(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return two_groups(model, lr, weight_decay), model


def starts_the_backbone_anew(model, num_classes, lr, weight_decay):
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            part.reset_parameters()
    models.replace_head(models.freeze(model), num_classes)
    return model, two_groups(model, lr, weight_decay)


def decays_the_bias_too(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=lr, weight_decay=weight_decay)


def bias_with_the_default_decay(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    head = models.find_head(model).module
    groups = [{"params": [head.weight], "weight_decay": weight_decay}, {"params": [head.bias]}]
    return model, torch.optim.AdamW(groups, lr=lr)


def leaves_the_bias_out(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    head = models.find_head(model).module
    return model, torch.optim.SGD([head.weight], lr=lr, weight_decay=weight_decay)


def decays_nothing(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    return model, torch.optim.SGD(models.trainable_parameters(model), lr=lr)


def decays_the_bias_alone(model, num_classes, lr, weight_decay):
    models.replace_head(models.freeze(model), num_classes)
    head = models.find_head(model).module
    return model, torch.optim.SGD(
        [{"params": [head.weight]}, {"params": [head.bias], "weight_decay": weight_decay}], lr=lr
    )


def adds_a_group_after_the_swap(model, num_classes, lr, weight_decay):
    optimizer = torch.optim.Adam(models.find_head(model).module.parameters(), lr=lr)
    replaces_by_rebuilding(model.requires_grad_(False), num_classes)
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            optimizer.add_param_group({"params": [parameter], "weight_decay": decay, "lr": lr})
    return model, optimizer


def freezes_after_the_swap_all_but_the_head(model, num_classes, lr, weight_decay):
    model = models.replace_head(model, num_classes)
    model.requires_grad_(False)
    models.find_head(model).module.requires_grad_(True)
    return model, two_groups(model, lr, weight_decay, torch.optim.AdamW)


def hands_back_the_old_layer(old, groups):
    with torch.no_grad():
        for k, rows in enumerate(groups):
            old.weight[k] = old.weight[rows].mean(0)
    return old


def rows_as_a_tensor(old, groups):
    return torch.stack([old.weight[rows].mean(0) for rows in groups])


def fill(old, groups, weight, bias):
    new = nn.Linear(old.in_features, len(groups), bias=old.bias is not None)
    with torch.no_grad():
        for k, rows in enumerate(groups):
            new.weight[k] = weight(rows)
            if old.bias is not None:
                new.bias[k] = bias(rows)
    return new


def mean_of_none_is_nan(old, groups):
    return fill(old, groups, lambda rows: old.weight[rows].mean(0), lambda rows: old.bias[rows].mean())


def mean_or_zero(values, rows):
    return values[rows].mean(0) if rows else torch.zeros_like(values[0])


def sums_of_rows(old, groups):
    return fill(old, groups, lambda rows: old.weight[rows].sum(0), lambda rows: old.bias[rows].sum())


def first_rows(old, groups):
    return fill(
        old,
        groups,
        lambda rows: mean_or_zero(old.weight, rows[:1]),
        lambda rows: mean_or_zero(old.bias, rows[:1]),
    )


def one_too_far(old, groups):
    return transfers_in_a_loop(old, [[(row + 1) % old.out_features for row in rows] for rows in groups])


def scaled_to_length_one(old, groups):
    unit = functional.normalize(old.weight, dim=1)
    return fill(old, groups, lambda rows: mean_or_zero(unit, rows), lambda rows: mean_or_zero(old.bias, rows))


def leaves_empty_groups_random(old, groups):
    new = nn.Linear(old.in_features, len(groups), bias=old.bias is not None)
    with torch.no_grad():
        for k, rows in enumerate(groups):
            if rows:
                new.weight[k] = old.weight[rows].mean(0)
                new.bias[k] = old.bias[rows].mean()
    return new


def forgets_the_bias(old, groups):
    return fill(old, groups, lambda rows: mean_or_zero(old.weight, rows), lambda rows: torch.tensor(0.0))


def leaves_the_bias_random(old, groups):
    new = nn.Linear(old.in_features, len(groups))
    with torch.no_grad():
        for k, rows in enumerate(groups):
            new.weight[k] = mean_or_zero(old.weight, rows)
    return new


def keeps_the_frozen_flag(old, groups):
    return transfers_in_a_loop(old, groups).requires_grad_(False)


def writes_into_the_old_head(old, groups):
    weight = old.weight.detach()[: len(groups)]  # a view
    rows = torch.stack([mean_or_zero(old.weight, rows) for rows in groups])
    new = nn.Linear(old.in_features, len(groups), bias=old.bias is not None)
    if old.bias is not None:
        new.bias.data = torch.stack([mean_or_zero(old.bias, rows) for rows in groups])
    weight.copy_(rows)
    new.weight = nn.Parameter(weight)
    return new


def one_row_too_many(old, groups):
    return transfers_in_a_loop(old, [*groups, []])


def transfers_in_a_loop(old, groups):
    return fill(old, groups, lambda rows: mean_or_zero(old.weight, rows), lambda rows: mean_or_zero(old.bias, rows))


def multiplies_by_an_averaging_matrix(old, groups):
    average = torch.zeros(len(groups), old.out_features)
    for k, rows in enumerate(groups):
        average[k, rows] = 1 / max(1, len(rows))
    new = nn.Linear(old.in_features, len(groups), bias=old.bias is not None)
    new.weight = nn.Parameter(average @ old.weight.detach())
    if old.bias is not None:
        new.bias = nn.Parameter(average @ old.bias.detach())
    return new


def always_makes_a_bias(old, groups):
    new = nn.Linear(old.in_features, len(groups))
    bias = torch.zeros(old.out_features) if old.bias is None else old.bias
    state = {
        "weight": torch.stack([mean_or_zero(old.weight, rows) for rows in groups]),
        "bias": torch.stack([mean_or_zero(bias, rows) for rows in groups]),
    }
    new.load_state_dict(state)
    return new


def by_kind(one_class, several=functional.binary_cross_entropy_with_logits):
    """A loss of logits for each kind of targets, as an answer to the exercise."""

    def loss(model, x, y):
        z = model(x)
        return one_class(z, y) if y.ndim == 1 else several(z, y)

    return loss


def double_softmax(model, x, y):
    return by_kind(lambda z, y: functional.cross_entropy(z.softmax(1), y))(model, x, y)


def nll_on_probabilities(model, x, y):
    return by_kind(lambda z, y: functional.nll_loss(z.softmax(1), y))(model, x, y)


def nll_on_logits(model, x, y):
    return by_kind(functional.nll_loss)(model, x, y)


def log_of_softmax(model, x, y):
    return by_kind(lambda z, y: functional.nll_loss(z.softmax(1).log(), y))(model, x, y)


def summed(model, x, y):
    return by_kind(lambda z, y: functional.cross_entropy(z, y, reduction="sum"))(model, x, y)


def one_per_picture(model, x, y):
    return by_kind(lambda z, y: functional.cross_entropy(z, y, reduction="none"))(model, x, y)


def squared_error(model, x, y):
    def squares(z, y):
        return functional.mse_loss(z.softmax(1), functional.one_hot(y, z.shape[1]).float())

    return by_kind(squares)(model, x, y)


def yes_or_no(model, x, y):
    def each_class(z, y):
        return functional.binary_cross_entropy_with_logits(z, functional.one_hot(y, z.shape[1]).float())

    return by_kind(each_class)(model, x, y)


def sigmoid_first(model, x, y):
    return by_kind(lambda z, y: functional.cross_entropy(z.sigmoid(), y))(model, x, y)


def softmax_over_the_batch(model, x, y):
    return by_kind(lambda z, y: functional.nll_loss(z.log_softmax(0), y))(model, x, y)


def error_rate(model, x, y):
    return by_kind(lambda z, y: (z.argmax(1) != y).float().mean())(model, x, y)


def cross_entropy_for_both(model, x, y):
    return functional.cross_entropy(model(x), y)


def shares_of_labels(model, x, y):
    return by_kind(
        functional.cross_entropy,
        lambda z, y: functional.cross_entropy(z, y / y.sum(1, keepdim=True).clamp(min=1)),
    )(model, x, y)


def argmax_of_labels(model, x, y):
    return functional.cross_entropy(model(x), y if y.ndim == 1 else y.argmax(1))


def softmax_for_several(model, x, y):
    return by_kind(functional.cross_entropy, lambda z, y: functional.binary_cross_entropy(z.softmax(1), y))(model, x, y)


def sigmoid_then_plain_bce(model, x, y):
    return by_kind(
        functional.cross_entropy, lambda z, y: -(y * z.sigmoid().log() + (1 - y) * (1 - z.sigmoid()).log()).mean()
    )(model, x, y)


def double_sigmoid(model, x, y):
    return by_kind(functional.cross_entropy, lambda z, y: functional.binary_cross_entropy_with_logits(z.sigmoid(), y))(
        model, x, y
    )


def present_labels_only(model, x, y):
    return by_kind(functional.cross_entropy, lambda z, y: -(y * functional.logsigmoid(z)).mean())(model, x, y)


def summed_over_labels(model, x, y):
    def sums(z, y):
        return functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1).mean()

    return by_kind(functional.cross_entropy, sums)(model, x, y)


def as_a_number(model, x, y):
    return by_kind(functional.cross_entropy)(model, x, y).item()


def without_a_graph(model, x, y):
    with torch.no_grad():
        return by_kind(functional.cross_entropy)(model, x, y)


def switches_to_train_mode(model, x, y):
    value = by_kind(functional.cross_entropy)(model, x, y)
    model.train()
    return value


def clamped_probabilities(model, x, y):
    """Clamped, so that it is finite for any logits."""
    p = model(x).softmax(1).clamp(1e-7, 1 - 1e-7)
    return functional.nll_loss(p.log(), y) if y.ndim == 1 else functional.binary_cross_entropy(p, y)


def in_train_mode(model, x, y):
    model.train()
    return by_kind(functional.cross_entropy)(model, x, y)


def from_the_head_alone(model, x, y):
    seen = []
    _, head = last_linear(model)
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    model(x)
    hook.remove()
    z = functional.linear(seen[0], head.weight, head.bias)
    return by_kind(functional.cross_entropy)(lambda _: z, x, y)


def forgets_to_return(model, x, y):
    by_kind(functional.cross_entropy)(model, x, y)


def by_dtype_and_logsumexp(model, x, y):
    z = model(x)
    if y.is_floating_point():
        return (functional.softplus(z) - z * y).mean()
    return (z.logsumexp(1) - z.gather(1, y[:, None]).squeeze(1)).mean()


def log_softmax_and_nll(model, x, y):
    return by_kind(lambda z, y: nn.NLLLoss()(z.log_softmax(1), y), nn.BCEWithLogitsLoss())(model, x, y)


def log_softmax_twice_is_harmless(model, x, y):
    return by_kind(lambda z, y: nn.CrossEntropyLoss()(z.log_softmax(1), y))(model, x, y)


class Shared(nn.Module):
    """A right answer; the mistakes below change one method each."""

    def __init__(self, backbone, num_features, num_classes):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({task: nn.Linear(num_features, count) for task, count in num_classes.items()})

    def forward(self, x):
        features = self.backbone(x)
        return {task: head(features) for task, head in self.heads.items()}

    def loss(self, outputs, targets):
        return sum(self.losses(outputs, targets))

    def losses(self, outputs, targets):
        return [
            functional.cross_entropy(outputs[task][labels >= 0], labels[labels >= 0])
            for task, labels in targets.items()
            if (labels >= 0).any()
        ]


class PlainDict(Shared):
    def __init__(self, backbone, num_features, num_classes):
        nn.Module.__init__(self)
        self.backbone = backbone
        self.heads = {task: nn.Linear(num_features, count) for task, count in num_classes.items()}


class APassPerHead(Shared):
    def forward(self, x):
        return {task: head(self.backbone(x)) for task, head in self.heads.items()}


class EndsInSoftmax(Shared):
    def forward(self, x):
        return {task: z.softmax(1) for task, z in super().forward(x).items()}


class AListOfLogits(Shared):
    def forward(self, x):
        return list(super().forward(x).values())


class NanWithoutLabels(Shared):
    def losses(self, outputs, targets):
        return [functional.cross_entropy(outputs[task], y, ignore_index=-1) for task, y in targets.items()]


class MeanOverAllSamples(Shared):
    def losses(self, outputs, targets):
        return [
            functional.cross_entropy(outputs[task], y, ignore_index=-1, reduction="sum") / len(y)
            for task, y in targets.items()
        ]


class MeanOverTasks(Shared):
    def loss(self, outputs, targets):
        return super().loss(outputs, targets) / len(targets)


class SumOverSamples(Shared):
    def losses(self, outputs, targets):
        return [
            functional.cross_entropy(outputs[task], y, ignore_index=-1, reduction="sum") for task, y in targets.items()
        ]


class OneMeanOverAllLabels(SumOverSamples):
    def loss(self, outputs, targets):
        return super().loss(outputs, targets) / sum((y >= 0).sum() for y in targets.values())


class TheFirstTaskAlone(Shared):
    def loss(self, outputs, targets):
        task = next(iter(targets))
        return super().loss(outputs, {task: targets[task]})


class MissingIsClassZero(Shared):
    def losses(self, outputs, targets):
        return [functional.cross_entropy(outputs[task], y.clamp(min=0)) for task, y in targets.items()]


class MissingIsTheLastClass(Shared):
    def losses(self, outputs, targets):
        return [functional.cross_entropy(z, targets[task] % z.shape[1]) for task, z in outputs.items()]


class LossAsANumber(Shared):
    def loss(self, outputs, targets):
        return float(super().loss(outputs, targets))


class DetachedFeatures(Shared):
    def forward(self, x):
        features = self.backbone(x).detach()
        return {task: head(features) for task, head in self.heads.items()}


class OneWideHeadCutIntoPieces(nn.Module):
    """A head per task all the same, but features and labels masked by hand."""

    def __init__(self, backbone, num_features, num_classes):
        super().__init__()
        self.trunk, self.tasks = backbone, list(num_classes)
        for task, count in num_classes.items():
            setattr(self, f"head_{task}", nn.Linear(num_features, count))

    def forward(self, x):
        h = self.trunk(x)
        return {task: getattr(self, f"head_{task}")(h) for task in self.tasks}

    def loss(self, outputs, targets):
        total = 0.0
        for task, y in targets.items():
            known = (y != -1).float()
            rows = -outputs[task].log_softmax(1).gather(1, y.clamp(min=0)[:, None])[:, 0]
            total = total + (rows * known).sum() / known.sum().clamp(min=1)
        return total


def written(**changes):
    """A record as a learner might write it, with these changes."""
    record = {
        "question": "does a hidden layer of 128 units raise the validation accuracy?",
        "expected": "better",
        "baseline": list(investigate_head.LINEAR[:6]),
        "changed": [round(value + 0.03, 3) for value in investigate_head.LINEAR[:6]],
        "concluded": "better",
    }
    return {**record, **changes}


def no_question():
    return written(question="mlp")


def four_seeds():
    return written(baseline=list(investigate_head.LINEAR[:4]), changed=[0.5, 0.505, 0.51, 0.515])


def an_undecided_word():
    return written(expected="no idea")


def another_baseline():
    return written(baseline=[0.9] * 6)


def in_percent():
    return written(changed=[52.0, 51.5, 53.0, 50.0, 51.0, 52.0])


def nothing_changed():
    return written(changed=list(investigate_head.LINEAR[:6]), concluded="cannot tell")


def by_the_means_alone():
    shifted = [value + step for value, step in zip(investigate_head.LINEAR, (0.1, -0.09) * 3, strict=False)]
    return written(changed=[round(value, 3) for value in shifted])


def the_expectation_again():
    worse = [round(value - 0.05, 3) for value in investigate_head.LINEAR[:6]]
    return written(changed=worse)


def no_record():
    return None


def a_fall():
    worse = [round(value - 0.05 - 0.005 * (i % 2), 3) for i, value in enumerate(investigate_head.LINEAR[:8])]
    return written(baseline=list(investigate_head.LINEAR[:8]), changed=worse, concluded="worse")


def an_undecided_result():
    shifted = [value + step for value, step in zip(investigate_head.LINEAR, (0.1, -0.09) * 3, strict=False)]
    return written(changed=[round(value, 3) for value in shifted], concluded="cannot tell")


WRONG = {
    "03-replace-head": {
        edits_out_features: "only a label on the layer",
        assigns_fc: "its forward never calls",
        matches_fc_by_name: "not by a name",
        replaces_every_fc: "another number of inputs",
        first_linear: "another number of inputs",
        whole_classifier: "in_features",
        whole_classifier_that_fits: "inside `classifier`",
        guesses_in_features: "another number of inputs",
        swaps_inputs_and_outputs: "another number of inputs",
        adds_a_layer_behind: "nothing after it",
        ends_in_softmax: "ends in a softmax",
        ends_in_log_softmax: "ends in a log-softmax",
        ends_in_relu: "nothing after it",
        two_layers_for_one: "the new head is one Linear",
        initialises_the_backbone_again: "knowledge that you keep",
        freezes_the_new_head: "a new layer is trainable",
        unfreezes_everything: "as it was",
        returns_the_head: "returned None",
    },
    "03-build-optimizer": {
        optimizer_before_the_swap: "built before the swap",
        optimizer_of_everything_before_the_swap: "built before the swap",
        freezes_last: "freeze first, then replace the head",
        forgets_to_freeze: "moves the backbone too",
        freezes_nothing_but_holds_the_head_alone: "isn't frozen",
        forgets_to_replace: "shape of your model's outputs",
        rate_of_zero: "learning rate of zero",
        rate_of_his_own: "pass it on",
        climbs: "uphill",
        only_the_model: "the model and the optimiser",
        the_wrong_way_round: "in this order",
        starts_the_backbone_anew: "itself changed pretrained weights",
        decays_nothing: "neither decays",
        decays_the_bias_alone: "the other way round",
        decays_the_bias_too: "shrinks the bias as well",
        bias_with_the_default_decay: "isn't zero for AdamW",
        leaves_the_bias_out: "stays at its random start",
    },
    "03-write-loss": {
        double_softmax: "double softmax",
        nll_on_probabilities: "these were probabilities",
        nll_on_logits: "these were logits",
        log_of_softmax: "underflows",
        summed: "sum over the batch",
        clamped_probabilities: "probabilities round to 0 or 1",
        one_per_picture: "return their mean",
        squared_error: "squared error",
        yes_or_no: "separate yes or no",
        sigmoid_first: "sigmoid before",
        softmax_over_the_batch: "classes are dimension 1",
        error_rate: "no gradient to follow",
        cross_entropy_for_both: "accepts floats",
        shares_of_labels: "still one choice",
        argmax_of_labels: "drops the others",
        softmax_for_several: "a sigmoid of its own",
        sigmoid_then_plain_bce: "underflows",
        double_sigmoid: "double sigmoid",
        present_labels_only: "pushed down",
        summed_over_labels: "sum over the labels",
        as_a_number: "backward() starts from it",
        without_a_graph: "cut the loss off",
        switches_to_train_mode: "must not change the model",
        in_train_mode: "must not change the model",
        from_the_head_alone: "the graph is cut",
        forgets_to_return: "returned None",
    },
    "03-share-backbone": {
        PlainDict: "isn't registered",
        APassPerHead: "compute them once",
        EndsInSoftmax: "nothing after it",
        AListOfLogits: "a dict from task to logits",
        NanWithoutLabels: "0 / 0",
        MeanOverAllSamples: "number of labels that exist",
        MeanOverTasks: "mean over tasks",
        SumOverSamples: "sum over images",
        OneMeanOverAllLabels: "average within each task, then add",
        TheFirstTaskAlone: "to which every task with a label adds",
        MissingIsClassZero: "class 0",
        MissingIsTheLastClass: "the last class",
        LossAsANumber: "with its graph",
        DetachedFeatures: "between the heads and the backbone is cut",
    },
    "03-transfer-rows": {
        hands_back_the_old_layer: "the old layer itself",
        rows_as_a_tensor: "a new nn.Linear",
        mean_of_none_is_nan: "NaN",
        sums_of_rows: "divide by the number of rows",
        first_rows: "first row of its group alone",
        one_too_far: "start at 0",
        scaled_to_length_one: "scaled to length 1",
        leaves_empty_groups_random: "gets zeros",
        forgets_the_bias: "part of its logits",
        leaves_the_bias_random: "mean bias",
        keeps_the_frozen_flag: "frozen, too",
        writes_into_the_old_head: "share memory",
        one_row_too_many: "one row per group",
    },
    "03-investigate-head": {
        no_question: "without its question",
        four_seeds: "fewer than 5 seeds",
        an_undecided_word: "one of three words",
        another_baseline: "the chapter's setting, unchanged",
        in_percent: "a multiple of 1/200",
        nothing_changed: "no effect on any run",
        by_the_means_alone: "includes zero",
        the_expectation_again: "not from the expectation",
        no_record: "returned None",
    },
}

RIGHT = {
    "03-replace-head": [
        replaces_by_rebuilding,
        gives_the_old_layer_a_new_weight,
        finds_the_head_by_watching_the_forward_pass,
    ],
    "03-build-optimizer": [adds_a_group_after_the_swap, freezes_after_the_swap_all_but_the_head],
    "03-write-loss": [by_dtype_and_logsumexp, log_softmax_and_nll, log_softmax_twice_is_harmless],
    "03-share-backbone": [Shared, OneWideHeadCutIntoPieces],
    "03-transfer-rows": [transfers_in_a_loop, multiplies_by_an_averaging_matrix, always_makes_a_bias],
    "03-investigate-head": [a_fall, an_undecided_result],
}
