"""Mistakes of chapter 09."""

import numpy as np
import torch

from course.zoo.published import UNSTATED, PublishedWeights


def choose_with(task, budget, zoo, *, of_task=True, small=True, allowed=True, key=lambda entry: entry.accuracy):
    """A right choice, of which a mistake changes one part."""
    fits = [
        entry
        for entry in zoo
        if (not of_task or entry.task == task)
        and (not small or entry.mebibytes <= budget.mebibytes)
        and (not allowed or entry.licence in budget.licences)
    ]
    return max(fits, key=key, default=None)


def ignores_the_licence(task, budget, zoo):
    return choose_with(task, budget, zoo, allowed=False)


def ignores_the_size(task, budget, zoo):
    return choose_with(task, budget, zoo, small=False)


def ignores_the_task(task, budget, zoo):
    return choose_with(task, budget, zoo, of_task=False)


def forbids_only_non_commercial(task, budget, zoo):
    kept = [entry for entry in zoo if "NC" not in entry.licence]
    return choose_with(task, budget, kept, allowed=False)


def takes_silence_for_consent(task, budget, zoo):
    fits = [entry for entry in zoo if entry.licence == UNSTATED]
    ours = [entry for entry in zoo if entry.licence in budget.licences]
    return choose_with(task, budget, fits + ours, allowed=False)


def strictly_smaller(task, budget, zoo):
    return choose_with(task, budget, [entry for entry in zoo if entry.mebibytes < budget.mebibytes])


def the_smallest(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: -entry.mebibytes)


def the_largest(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: entry.mebibytes)


def the_worst(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: -entry.accuracy)


def the_first_that_fits(task, budget, zoo):
    return choose_with(task, budget, zoo, key=lambda entry: -zoo.index(entry))


def best_first_and_then_asks(task, budget, zoo):
    best = choose_with(task, budget, zoo, allowed=False)
    return best if best and best.licence in budget.licences else None


def raises_where_nothing_fits(task, budget, zoo):
    fits = [e for e in zoo if e.task == task and e.mebibytes <= budget.mebibytes and e.licence in budget.licences]
    return max(fits, key=lambda entry: entry.accuracy)


def the_nearest_miss(task, budget, zoo):
    return choose_with(task, budget, zoo) or choose_with(task, budget, zoo, small=False, allowed=False)


def a_name(task, budget, zoo):
    found = choose_with(task, budget, zoo)
    return found and found.name


def all_that_fit(task, budget, zoo):
    return [entry for entry in zoo if entry.licence in budget.licences]


def an_entry_of_its_own(task, budget, zoo):
    return PublishedWeights("resnet50", "V2", "torchvision", task, 1, 1.0, 0.9, budget.licences[0], "", "")


def always_the_first(task, budget, zoo):
    return zoo[0]


def gives_the_task_back(task, budget, zoo):
    return task


def chooses_nothing(task, budget, zoo):
    pass


def sorts_and_walks(task, budget, zoo):
    for entry in sorted(zoo, key=lambda entry: entry.accuracy, reverse=True):
        if entry.task != task or entry.mebibytes > budget.mebibytes:
            continue
        if entry.licence in set(budget.licences):
            return entry
    return None


class KeepsTheBest:
    def __new__(cls, task, budget, zoo):
        best = None
        for entry in zoo:
            fits = entry.task == task and not entry.mebibytes > budget.mebibytes and entry.licence in budget.licences
            if fits and (best is None or entry.accuracy > best.accuracy):
                best = entry
        return best


def carried(weight, kind):
    if kind == "Dense":
        return weight.T
    if kind == "DepthwiseConv2D":
        return weight.permute(2, 3, 0, 1).reshape(-1, 1, *weight.shape[:2])
    return weight.permute(3, 2, 0, 1)


def as_keras_keeps_it(weight, kind):
    return weight


def reshaped(weight, kind):
    return weight.reshape(carried(weight, kind).shape)


def inputs_first(weight, kind):
    right = carried(weight, kind)
    return right.transpose(0, 1) if kind == "Conv2D" else right


def transposed_as_if_plain_axes(weight, kind):
    return weight.permute(2, 3, 0, 1) if kind == "Conv2DTranspose" else carried(weight, kind)


def everything_a_plain_convolution(weight, kind):
    return weight.T if kind == "Dense" else weight.permute(3, 2, 0, 1)


def width_before_height(weight, kind):
    right = carried(weight, kind)
    return right if kind == "Dense" else right.transpose(-1, -2)


def reversed_axes(weight, kind):
    return weight.permute(*reversed(range(weight.ndim)))


def flipped(weight, kind):
    right = carried(weight, kind)
    return right if kind == "Dense" else right.flip(-1, -2)


def flips_transposed_ones(weight, kind):
    right = carried(weight, kind)
    return right.flip(-1, -2) if kind == "Conv2DTranspose" else right


def maps_before_inputs(weight, kind):
    if kind == "DepthwiseConv2D":
        return weight.permute(3, 2, 0, 1).reshape(-1, 1, *weight.shape[:2])
    return carried(weight, kind)


def depthwise_without_the_one(weight, kind):
    return weight.permute(2, 3, 0, 1) if kind == "DepthwiseConv2D" else carried(weight, kind)


def dense_as_it_is(weight, kind):
    return weight if kind == "Dense" else carried(weight, kind)


def zeros_of_the_shape(weight, kind):
    return torch.zeros_like(carried(weight, kind))


def whole_numbers(weight, kind):
    return carried(weight, kind).long()


def a_list(weight, kind):
    return carried(weight, kind).tolist()


def carries_nothing(weight, kind):
    carried(weight, kind)


def asks_numpy(weight, kind):
    array = weight.numpy().astype(np.float64)
    if kind == "Dense":
        return np.ascontiguousarray(array.T)
    if kind == "DepthwiseConv2D":
        height, width, inputs, each = array.shape
        return np.moveaxis(array, (0, 1), (2, 3)).reshape(inputs * each, 1, height, width)
    return np.moveaxis(np.swapaxes(array, 2, 3), (0, 1), (2, 3))


def fills_number_by_number(weight, kind):
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


WRONG = {
    "09-choose-weights": {
        ignores_the_licence: "licence was ignored",
        ignores_the_size: "larger than the budget",
        ignores_the_task: "another task",
        forbids_only_non_commercial: "licence",
        takes_silence_for_consent: "without one you have no permission",
        strictly_smaller: "as large as the budget is within it",
        the_smallest: "a more accurate one fits",
        the_largest: "a more accurate one fits",
        the_worst: "a more accurate one fits",
        the_first_that_fits: "a more accurate one fits",
        best_first_and_then_asks: "something does fit",
        raises_where_nothing_fits: "ValueError",
        the_nearest_miss: "nothing fits",
        a_name: "return one entry",
        all_that_fit: "return one entry",
        an_entry_of_its_own: "not in the zoo",
        always_the_first: "this entry",
        gives_the_task_back: "return one entry",
        chooses_nothing: "something does fit",
    },
    "09-carry-weights": {
        as_keras_keeps_it: "as Keras keeps it",
        reshaped: "`reshape` and `view`",
        inputs_first: "inputs and outputs changed places",
        transposed_as_if_plain_axes: "a transposed convolution is",
        everything_a_plain_convolution: "order of a plain convolution",
        width_before_height: "height and width changed places",
        reversed_axes: "height and width changed places",
        flipped: "nothing is flipped",
        flips_transposed_ones: "nothing is flipped",
        maps_before_inputs: "beside each other",
        depthwise_without_the_one: "the middle one is missing",
        dense_as_it_is: "as Keras keeps it",
        zeros_of_the_shape: "stand elsewhere",
        whole_numbers: "whole numbers",
        a_list: "the kernel as a tensor",
        carries_nothing: "returned None",
    },
    "09-compare-outputs": {
        in_train_mode: "train mode",
        mode_as_it_comes: "train mode",
        signed: "has a sign",
        mean_difference: "mean of the differences",
        summed: "sum of the differences",
        squared: "squared difference",
        exactly_equal: "rounding stays far below",
        a_generous_tolerance: "a changed weight does not",
        nan_is_not_larger: "is False for NaN",
        nan_replaced: "never the same",
        the_other_way_round: "the verdict comes first",
        always_channels_first: "INVALID_ARGUMENT",
        reshaped_to_the_layout: "in the layout that each wants",
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
    "09-choose-weights": [sorts_and_walks, KeepsTheBest],
    "09-carry-weights": [asks_numpy, fills_number_by_number],
    "09-compare-outputs": [asks_numpys_maximum, ComparesRowByRow],
}
