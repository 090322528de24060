"""Mistakes of chapter 09."""

import numpy as np
import timm
import torch
from torch import nn

from course import load_backbone, models
from course.exercises.nb09_visit_the_model_zoos.investigate_budget import BASELINE
from course.zoo.published import UNSTATED, PublishedWeights
from tests.wrong.records import records


def meets(entry, task, budget, rules):
    """Whether an entry meets the rules; each of `rules` changes one of them."""
    licences = [licence.lower() for licence in budget.licences]
    size, stated = entry.mebibytes, entry.licence
    small = size is not None and size <= budget.mebibytes
    if "strict" in rules:
        small = size is not None and size < budget.mebibytes
    if "unknown size fits" in rules:
        small = size is None or size <= budget.mebibytes
    may = stated.lower() in licences
    if "parts of names" in rules:
        may = any(licence in stated for licence in budget.licences)
    if "part of an allowed name" in rules:
        may = any(stated.lower() in licence for licence in licences)
    if "case matters" in rules:
        may = stated in budget.licences
    if "never unstated" in rules:
        may = may and stated != UNSTATED
    if "always unstated" in rules:
        may = may or stated == UNSTATED
    return {
        "task": entry.task == task or "any task" in rules,
        "size": small or "any size" in rules,
        "licence": may or "any licence" in rules,
        "accuracy": entry.accuracy is not None or "unknown accuracy counts" in rules,
    }


def choose_with(task, budget, zoo, *rules, key=lambda entry: (entry.accuracy or 0, -(entry.mebibytes or 0))):
    """A right choice, of which a mistake changes one part."""
    return max((entry for entry in zoo if all(meets(entry, task, budget, rules).values())), key=key, default=None)


def ignores_the_licence(task, budget, zoo):
    return choose_with(task, budget, zoo, "any licence")


def ignores_the_size(task, budget, zoo):
    return choose_with(task, budget, zoo, "any size")


def ignores_the_task(task, budget, zoo):
    return choose_with(task, budget, zoo, "any task")


def finds_parts_of_names(task, budget, zoo):
    return choose_with(task, budget, zoo, "parts of names")


def finds_the_licence_in_an_allowed_name(task, budget, zoo):
    return choose_with(task, budget, zoo, "part of an allowed name")


def compares_upper_and_lower_case(task, budget, zoo):
    return choose_with(task, budget, zoo, "case matters")


def forbids_only_non_commercial(task, budget, zoo):
    kept = [entry for entry in zoo if "NC" not in entry.licence]
    return choose_with(task, budget, kept, "any licence")


def always_takes_silence_for_consent(task, budget, zoo):
    return choose_with(task, budget, zoo, "always unstated")


def never_takes_what_is_unstated(task, budget, zoo):
    return choose_with(task, budget, zoo, "never unstated")


def strictly_smaller(task, budget, zoo):
    return choose_with(task, budget, zoo, "strict")


def takes_an_unknown_size(task, budget, zoo):
    return choose_with(task, budget, zoo, "unknown size fits")


def takes_an_unknown_accuracy(task, budget, zoo):
    return choose_with(task, budget, zoo, "unknown accuracy counts")


def compares_none_with_a_number(task, budget, zoo):
    licences = {licence.lower() for licence in budget.licences}
    fits = [e for e in zoo if e.task == task and e.mebibytes <= budget.mebibytes and e.licence.lower() in licences]
    return max(fits, key=lambda entry: entry.accuracy, default=None)


def the_larger_of_two_equals(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: (entry.accuracy, entry.mebibytes))


def the_smallest(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: -entry.mebibytes)


def the_worst(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: -entry.accuracy)


def best_first_and_then_asks(task, budget, zoo):
    best = choose_with(task, budget, zoo, "any licence")
    return best if best and meets(best, task, budget, ())["licence"] else None


def raises_where_nothing_fits(task, budget, zoo):
    fits = [entry for entry in zoo if all(meets(entry, task, budget, ()).values())]
    return max(fits, key=lambda entry: (entry.accuracy, -entry.mebibytes))


def the_nearest_miss(task, budget, zoo):
    return choose_with(task, budget, zoo) or choose_with(task, budget, zoo, "any size")


def a_name(task, budget, zoo):
    found = choose_with(task, budget, zoo)
    return found and found.name


def all_that_fit(task, budget, zoo):
    return [entry for entry in zoo if entry.licence in budget.licences]


def an_entry_of_its_own(task, budget, zoo):
    return PublishedWeights("resnet50", "V2", "torchvision", task, 1, 1.0, 0.9, budget.licences[0], "", "")


def gives_the_task_back(task, budget, zoo):
    return task


def chooses_nothing(task, budget, zoo):
    pass


def sorts_and_walks(task, budget, zoo):
    known = [entry for entry in zoo if entry.accuracy is not None and entry.mebibytes is not None]
    for entry in sorted(known, key=lambda entry: (-entry.accuracy, entry.mebibytes)):
        if entry.task != task or entry.mebibytes > budget.mebibytes:
            continue
        if entry.licence.casefold() in {licence.casefold() for licence in budget.licences}:
            return entry
    return None


class KeepsTheBest:
    def __new__(cls, task, budget, zoo):
        best = None
        for entry in zoo:
            if entry.task != task or entry.accuracy is None or entry.mebibytes is None:
                continue
            if entry.mebibytes > budget.mebibytes:
                continue
            if not any(entry.licence.upper() == licence.upper() for licence in budget.licences):
                continue
            if (
                best is None
                or entry.accuracy > best.accuracy
                or (entry.accuracy == best.accuracy and entry.mebibytes < best.mebibytes)
            ):
                best = entry
        return best


def carried(weight, kind, flattened=None):
    if flattened:
        return weight.reshape(*flattened, -1).permute(3, 2, 0, 1).reshape(weight.shape[1], -1)
    if kind == "Dense":
        return weight.T
    if kind == "DepthwiseConv2D":
        return weight.permute(2, 3, 0, 1).reshape(-1, 1, *weight.shape[:2])
    return weight.permute(3, 2, 0, 1)


def as_keras_keeps_it(weight, kind, flattened=None):
    return weight


def reshaped(weight, kind, flattened=None):
    return weight.reshape(carried(weight, kind, flattened).shape)


def inputs_first(weight, kind, flattened=None):
    right = carried(weight, kind, flattened)
    return right.transpose(0, 1) if kind == "Conv2D" else right


def transposed_as_if_plain_axes(weight, kind, flattened=None):
    return weight.permute(2, 3, 0, 1) if kind == "Conv2DTranspose" else carried(weight, kind, flattened)


def everything_a_plain_convolution(weight, kind, flattened=None):
    return weight.T if kind == "Dense" else weight.permute(3, 2, 0, 1)


def width_before_height(weight, kind, flattened=None):
    right = carried(weight, kind, flattened)
    return right if kind == "Dense" else right.transpose(-1, -2)


def reversed_axes(weight, kind, flattened=None):
    return weight.permute(*reversed(range(weight.ndim)))


def flipped(weight, kind, flattened=None):
    right = carried(weight, kind, flattened)
    return right if kind == "Dense" else right.flip(-1, -2)


def flips_transposed_ones(weight, kind, flattened=None):
    right = carried(weight, kind, flattened)
    return right.flip(-1, -2) if kind == "Conv2DTranspose" else right


def maps_before_inputs(weight, kind, flattened=None):
    if kind == "DepthwiseConv2D":
        return weight.permute(3, 2, 0, 1).reshape(-1, 1, *weight.shape[:2])
    return carried(weight, kind, flattened)


def depthwise_without_the_one(weight, kind, flattened=None):
    return weight.permute(2, 3, 0, 1) if kind == "DepthwiseConv2D" else carried(weight, kind, flattened)


def dense_as_it_is(weight, kind, flattened=None):
    return weight if kind == "Dense" else carried(weight, kind, flattened)


def zeros_of_the_shape(weight, kind, flattened=None):
    return torch.zeros_like(carried(weight, kind, flattened))


def whole_numbers(weight, kind, flattened=None):
    return carried(weight, kind, flattened).long()


def a_list(weight, kind, flattened=None):
    return carried(weight, kind, flattened).tolist()


def carries_nothing(weight, kind, flattened=None):
    carried(weight, kind, flattened)


def counts_flattened_inputs_as_keras_does(weight, kind, flattened=None):
    return carried(weight, kind)


def swaps_height_and_width_behind_a_flatten(weight, kind, flattened=None):
    if flattened:
        return weight.reshape(*flattened, -1).permute(3, 2, 1, 0).reshape(weight.shape[1], -1)
    return carried(weight, kind)


def asks_numpy(weight, kind, flattened=None):
    array = weight.numpy().astype(np.float64)
    if flattened:
        order = np.arange(len(array)).reshape(flattened).transpose(2, 0, 1).ravel()
        return array[order].T
    if kind == "Dense":
        return np.ascontiguousarray(array.T)
    if kind == "DepthwiseConv2D":
        height, width, inputs, each = array.shape
        return np.moveaxis(array, (0, 1), (2, 3)).reshape(inputs * each, 1, height, width)
    return np.moveaxis(np.swapaxes(array, 2, 3), (0, 1), (2, 3))


def fills_number_by_number(weight, kind, flattened=None):
    if flattened:
        height, width, channels = flattened
        rows = [
            weight[(h * width + w) * channels + c] for c in range(channels) for h in range(height) for w in range(width)
        ]
        return torch.stack(rows, 1)
    if kind == "Dense":
        return torch.stack(list(weight.unbind(1)))
    first, second = weight.shape[2:]
    if kind == "DepthwiseConv2D":
        return torch.stack([weight[:, :, i, m][None] for i in range(first) for m in range(second)])
    return torch.stack([torch.stack([weight[:, :, i, o] for i in range(first)]) for o in range(second)])


def compare_with(model, session, x, *, train=False, layout=True, name=True, measure=None, judge=None):
    """A right comparison, of which a mistake changes one part."""
    model.train(train)
    wanted = session.get_inputs()[0]
    feed = x.permute(0, 2, 3, 1) if layout and wanted.shape[-1] == 3 else x
    with torch.no_grad():
        ours = model(x)
    theirs = torch.from_numpy(session.run(None, {wanted.name if name else "pictures": feed.numpy()})[0])
    difference = (measure or (lambda d: d.abs().max()))(ours - theirs).item()
    return (judge or (lambda d: d <= 1e-4))(difference), difference


def in_train_mode(model, session, x):
    return compare_with(model, session, x, train=True)


def mode_as_it_comes(model, session, x):
    wanted = session.get_inputs()[0]
    feed = x.permute(0, 2, 3, 1) if wanted.shape[-1] == 3 else x
    with torch.no_grad():
        ours = model(x)
    difference = (ours - torch.from_numpy(session.run(None, {wanted.name: feed.numpy()})[0])).abs().max().item()
    return difference <= 1e-4, difference


def signed(model, session, x):
    return compare_with(model, session, x, measure=lambda d: -d.min())


def mean_difference(model, session, x):
    return compare_with(model, session, x, measure=lambda d: d.abs().mean())


def summed(model, session, x):
    return compare_with(model, session, x, measure=lambda d: d.abs().sum())


def squared(model, session, x):
    return compare_with(model, session, x, measure=lambda d: d.square().max())


def exactly_equal(model, session, x):
    return compare_with(model, session, x, judge=lambda d: d == 0)


def a_generous_tolerance(model, session, x):
    return compare_with(model, session, x, judge=lambda d: d <= 0.1)


def nan_is_not_larger(model, session, x):
    return compare_with(model, session, x, judge=lambda d: not d > 1e-4)


def nan_replaced(model, session, x):
    return compare_with(model, session, x, measure=lambda d: d.nan_to_num(0).abs().max())


def the_other_way_round(model, session, x):
    return compare_with(model, session, x)[::-1]


def always_channels_first(model, session, x):
    return compare_with(model, session, x, layout=False)


def reshaped_to_the_layout(model, session, x):
    wanted = session.get_inputs()[0]
    feed = x.reshape(len(x), *wanted.shape[1:])
    with torch.no_grad():
        ours = model.eval()(x)
    difference = (ours - torch.from_numpy(session.run(None, {wanted.name: feed.numpy()})[0])).abs().max().item()
    return difference <= 1e-4, difference


def always_called_pictures(model, session, x):
    return compare_with(model, session, x, name=False)


def compares_labels(model, session, x):
    wanted = session.get_inputs()[0]
    feed = x.permute(0, 2, 3, 1) if wanted.shape[-1] == 3 else x
    with torch.no_grad():
        ours = model.eval()(x).argmax(1)
    theirs = session.run(None, {wanted.name: feed.numpy()})[0].argmax(1)
    return bool((ours.numpy() == theirs).all()), float((ours.numpy() != theirs).mean())


def compares_probabilities(model, session, x):
    wanted = session.get_inputs()[0]
    feed = x.permute(0, 2, 3, 1) if wanted.shape[-1] == 3 else x
    with torch.no_grad():
        ours = model.eval()(x).softmax(1)
    theirs = torch.from_numpy(session.run(None, {wanted.name: feed.numpy()})[0]).softmax(1)
    difference = (ours - theirs).abs().max().item()
    return difference <= 1e-4, difference


def only_a_verdict(model, session, x):
    return compare_with(model, session, x)[0]


def always_the_same(model, session, x):
    return True, 0.0


def a_whole_tensor(model, session, x):
    same, _ = compare_with(model, session, x)
    return same, x


def gives_pictures_back(model, session, x):
    return x


def compares_nothing(model, session, x):
    compare_with(model, session, x)


def asks_numpys_maximum(model, session, x):
    was_training = model.training
    model.eval()
    (wanted,) = session.get_inputs()
    array = x.numpy()
    if wanted.shape[1] != 3:
        array = np.ascontiguousarray(np.moveaxis(array, 1, -1))
    with torch.inference_mode():
        ours = model(x).numpy().astype(np.float64)
    (theirs,) = session.run([session.get_outputs()[0].name], {wanted.name: array})
    model.train(was_training)
    difference = np.abs(ours - theirs).max()
    return bool(difference < 1e-4), difference


class ComparesRowByRow:
    def __new__(cls, model, session, x):
        model.eval()
        wanted, worst, same = session.get_inputs()[0], torch.zeros(()), True
        for picture in x:
            feed = picture[None] if wanted.shape[1] == 3 else picture[None].permute(0, 2, 3, 1)
            theirs = torch.as_tensor(session.run(None, {wanted.name: feed.numpy()})[0])
            ours = model(picture[None]).detach()
            same = same and torch.allclose(ours, theirs, rtol=0, atol=1e-4)
            worst = torch.maximum(worst, (ours - theirs).abs().max())
        return torch.tensor(same), worst


def headless(model):
    model.classifier = nn.Identity()
    return model


def trained_head(features, labels, steps=100, lr=0.01):
    head = nn.Linear(features.shape[1], int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(features), labels).backward()
        optimizer.step()
    return head


def adapt_with(pictures, labels, *, weights="default", train_mode=False, steps=100, lr=0.01, labels_of=None):
    """A right adaptation, of which a mistake changes one part."""
    model = headless(load_backbone(weights=weights).requires_grad_(False)).train(train_mode)
    with torch.no_grad():
        features = model(pictures)
    model.classifier = trained_head(features, labels if labels_of is None else labels_of(labels), steps, lr)
    return model


def adapts_random_weights(pictures, labels):
    return adapt_with(pictures, labels, weights=None)


def adapts_in_train_mode(pictures, labels):
    return adapt_with(pictures, labels, train_mode=True)


def hardly_trains(pictures, labels):
    return adapt_with(pictures, labels, steps=1, lr=1e-5)


def trains_on_one_class(pictures, labels):
    return adapt_with(pictures, labels, labels_of=lambda labels: torch.full_like(labels, int(labels.max())))


def trains_everything(pictures, labels):
    model = load_backbone(num_classes=int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(pictures), labels).backward()
        optimizer.step()
    return model


def keeps_the_old_head(pictures, labels):
    return load_backbone()


def returns_the_head_alone(pictures, labels):
    model = headless(load_backbone())
    with torch.no_grad():
        return trained_head(model(pictures), labels)


def returns_logits(pictures, labels):
    return torch.zeros(len(pictures), 3)


def adapts_nothing(pictures, labels):
    pass


def freezes_and_runs_the_whole_model(pictures, labels):
    model = models.replace_head(models.freeze(load_backbone()), int(labels.max()) + 1)
    optimizer = torch.optim.SGD(models.trainable_parameters(model), lr=0.1, momentum=0.9)
    model.eval()
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(pictures), labels).backward()
        optimizer.step()
    return model


def builds_with_timm_and_puts_parts_together(pictures, labels):
    backbone = timm.create_model("efficientnet_lite0", num_classes=0)
    published = load_backbone().state_dict()
    backbone.load_state_dict({name: published[name] for name in backbone.state_dict()})
    backbone.eval()
    with torch.inference_mode():
        features = backbone(pictures)
    scaled = features.clone()
    return nn.Sequential(
        backbone,
        nn.LayerNorm(1280, elementwise_affine=False),
        trained_head(nn.functional.layer_norm(scaled, (1280,)), labels, steps=60),
    )


WRONG_RECORDS, RIGHT_RECORDS = records(BASELINE, 100, "does a weaker regularisation raise the validation accuracy?")


WRONG = {
    "09-adapt-model": {
        adapts_random_weights: "nothing of the published file is left",
        adapts_in_train_mode: "BatchNorm was in train mode",
        hardly_trains: "does the loss fall?",
        trains_on_one_class: "the same class for every unseen picture",
        trains_everything: "were trained or replaced",
        keeps_the_old_head: "one logit per class",
        returns_the_head_alone: "RuntimeError",
        returns_logits: "the model",
        adapts_nothing: "returned None",
    },
    "09-choose-weights": {
        ignores_the_licence: "licence was not checked",
        ignores_the_size: "size was not checked",
        ignores_the_task: "task was not checked",
        finds_parts_of_names: "a longer name is another licence",
        finds_the_licence_in_an_allowed_name: "only a part of an allowed name",
        compares_upper_and_lower_case: "upper and lower case",
        forbids_only_non_commercial: "not among those that the budget accepts",
        always_takes_silence_for_consent: "you have no permission",
        never_takes_what_is_unstated: "by name, so such an entry counts",
        strictly_smaller: "use `<=`",
        takes_an_unknown_size: "can't be shown to fit",
        takes_an_unknown_accuracy: "such an entry is never chosen",
        compares_none_with_a_number: "TypeError",
        the_larger_of_two_equals: "the smaller file wins",
        the_smallest: "isn't the best",
        the_worst: "isn't the best",
        best_first_and_then_asks: "at least one entry meets all the rules",
        raises_where_nothing_fits: "ValueError",
        the_nearest_miss: "larger than the budget",
        a_name: "return one entry",
        all_that_fit: "return one entry",
        an_entry_of_its_own: "not in the zoo",
        gives_the_task_back: "return one entry",
        chooses_nothing: "at least one entry meets all the rules",
    },
    "09-investigate-budget": WRONG_RECORDS,
    "09-carry-weights": {
        as_keras_keeps_it: "still has its axes in Keras's order",
        reshaped: "`reshape` and `view`",
        inputs_first: "inputs and outputs are swapped",
        transposed_as_if_plain_axes: "a transposed convolution is",
        everything_a_plain_convolution: "order of a plain convolution",
        width_before_height: "height and width are swapped",
        reversed_axes: "height and width are swapped",
        flipped: "nothing is flipped",
        flips_transposed_ones: "nothing is flipped",
        maps_before_inputs: "next to each other",
        depthwise_without_the_one: "the shape has to be",
        dense_as_it_is: "still has its axes in Keras's order",
        zeros_of_the_shape: "these are other values",
        whole_numbers: "returned integers",
        a_list: "the kernel as a tensor",
        carries_nothing: "returned None",
        counts_flattened_inputs_as_keras_does: "still counted in the order (h, w, c)",
        swaps_height_and_width_behind_a_flatten: "height and width are swapped",
    },
    "09-compare-outputs": {
        in_train_mode: "train mode",
        mode_as_it_comes: "train mode",
        signed: "have a sign",
        mean_difference: "mean of the differences",
        summed: "sum of the differences",
        squared: "squared difference",
        exactly_equal: "and nothing above it",
        a_generous_tolerance: "and nothing above it",
        nan_is_not_larger: "is False for NaN",
        nan_replaced: "never the same",
        the_other_way_round: "the verdict comes first",
        always_channels_first: "INVALID_ARGUMENT",
        reshaped_to_the_layout: "in the layout that each of them expects",
        always_called_pictures: "pictures",
        compares_labels: "the two models' logits",
        compares_probabilities: "the two models' logits",
        only_a_verdict: "return same, difference",
        always_the_same: "the two models' logits",
        a_whole_tensor: "one number",
        gives_pictures_back: "return same, difference",
        compares_nothing: "returned None",
    },
}

RIGHT = {
    "09-investigate-budget": RIGHT_RECORDS,
    "09-adapt-model": [freezes_and_runs_the_whole_model, builds_with_timm_and_puts_parts_together],
    "09-choose-weights": [sorts_and_walks, KeepsTheBest],
    "09-carry-weights": [asks_numpy, fills_number_by_number],
    "09-compare-outputs": [asks_numpys_maximum, ComparesRowByRow],
}
