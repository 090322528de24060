"""Mistakes of chapter 06."""

import math

import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor


def sides(a, b):
    """(N, M, 2): width and height of what each pair shares, negative where they are apart."""
    return torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])


def areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def without_clamp(a, b):
    shared = sides(a, b).prod(2)
    return shared / (areas(a)[:, None] + areas(b)[None] - shared)


def plus_one(a, b):
    shared = (sides(a, b) + 1).clamp(min=0).prod(2)
    area = [(boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1) for boxes in (a, b)]
    return shared / (area[0][:, None] + area[1][None] - shared)


def union_is_the_sum(a, b):
    return sides(a, b).clamp(min=0).prod(2) / (areas(a)[:, None] + areas(b)[None])


def over_the_smaller(a, b):
    return sides(a, b).clamp(min=0).prod(2) / torch.minimum(areas(a)[:, None], areas(b)[None])


def turned_round(a, b):
    return box_iou(b, a)


def only_the_diagonal(a, b):
    n = min(len(a), len(b))
    return box_iou(a[:n], b[:n]).diagonal()


def best_of_each(a, b):
    return box_iou(a, b).amax(1)


def changes_its_boxes(a, b):
    result = box_iou(a, b)
    a[:, 2:] -= a[:, :2]
    return result


def nothing_overlaps(a, b):
    return torch.zeros(len(a), len(b))


def forgets_to_return(*_):
    pass


def gives_the_input_back(first, *_):
    return first


def box_iou(a, b):
    shared = sides(a, b).clamp(min=0).prod(2)
    return shared / (areas(a)[:, None] + areas(b)[None] - shared)


def by_loops(a, b):
    rows = []
    for x1, y1, x2, y2 in a.tolist():
        row = []
        for u1, v1, u2, v2 in b.tolist():
            shared = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
            row.append(shared / ((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared))
        rows.append(row)
    return torch.tensor(rows)


def in_double_precision(a, b):
    a, b = a.double(), b.double()
    lower = torch.stack([torch.max(a[:, None, i], b[None, :, i]) for i in (0, 1)])
    upper = torch.stack([torch.min(a[:, None, i], b[None, :, i]) for i in (2, 3)])
    shared = torch.relu(upper - lower).prod(0)
    return shared / (areas(a)[:, None] + areas(b)[None] - shared)


def suppress(boxes, scores, threshold, *, descending=True):
    overlaps = box_iou(boxes, boxes)
    kept = []
    for i in scores.argsort(descending=descending).tolist():
        if all(overlaps[i, j] <= threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def ascending(boxes, scores, threshold):
    return suppress(boxes, scores, threshold, descending=False)


def the_gone_go_on(boxes, scores, threshold):
    overlaps = box_iou(boxes, boxes)
    surer = scores[None] > scores[:, None]
    keep = ~((overlaps > threshold) & surer).any(1)
    order = scores.argsort(descending=True)
    return order[keep[order]]


def keeps_what_overlaps(boxes, scores, threshold):
    overlaps = box_iou(boxes, boxes)
    kept = []
    for i in scores.argsort(descending=True).tolist():
        if all(overlaps[i, j] > threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept)


def places_in_the_sorted_list(boxes, scores, threshold):
    order = scores.argsort(descending=True)
    return suppress(boxes[order], scores[order], threshold)


def by_index(boxes, scores, threshold):
    return suppress(boxes, scores, threshold).sort().values


def a_mask(boxes, scores, threshold):
    mask = torch.zeros(len(boxes), dtype=torch.bool)
    mask[suppress(boxes, scores, threshold)] = True
    return mask


def the_boxes_themselves(boxes, scores, threshold):
    return boxes[suppress(boxes, scores, threshold)]


def the_scores_that_stay(boxes, scores, threshold):
    return scores[suppress(boxes, scores, threshold)]


def all_of_them(boxes, scores, threshold):
    return scores.argsort(descending=True)


def only_the_best(boxes, scores, threshold):
    return scores.argmax().reshape(1)


def without_scores(boxes, scores, threshold):
    return suppress(boxes, -torch.arange(len(boxes)).float(), threshold)


def thins_a_shrinking_list(boxes, scores, threshold):
    order = scores.argsort(descending=True)
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(int(first))
        order = order[box_iou(boxes[first][None], boxes[order])[0] <= threshold]
    return kept


def marks_in_one_matrix(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices
    overlaps = box_iou(boxes[order], boxes[order])
    alive = torch.ones(len(order), dtype=torch.bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= overlaps[i, i + 1 :] <= threshold
    return order[alive]


def ranked(found):
    return sorted(
        ((float(s), n, i) for n, part in enumerate(found) for i, s in enumerate(part["scores"])), reverse=True
    )


def precision_and_recall(found, targets, threshold, *, once=True, order=None, iou=box_iou):
    taken, hits = set(), []
    for _, n, i in ranked(found) if order is None else order:
        truths = targets[n]["boxes"]
        overlaps = iou(found[n]["boxes"][i][None], truths)[0]
        best = int(overlaps.argmax()) if len(truths) else -1
        hit = best >= 0 and float(overlaps[best]) >= threshold and not (once and (n, best) in taken)
        if hit:
            taken.add((n, best))
        hits.append(hit)
    hits = torch.tensor(hits, dtype=torch.float64)
    things = sum(len(part["boxes"]) for part in targets)
    right = hits.cumsum(0)
    return right / torch.arange(1, len(hits) + 1), right / max(1, things), hits


def area(precision, recall, *, falling=True):
    if falling:
        precision = precision.flip(0).cummax(0).values.flip(0)
    return float((precision * torch.diff(recall, prepend=torch.zeros(1, dtype=torch.float64))).sum())


def average(found, targets, threshold, **options):
    precision, recall, _ = precision_and_recall(found, targets, threshold, **options)
    return area(precision, recall) if len(recall) else 0.0


def matched_twice(found, targets, threshold):
    return average(found, targets, threshold, once=False)


def picture_by_picture_order(found, targets, threshold):
    order = [(0, n, i) for n, part in enumerate(found) for i in range(len(part["scores"]))]
    return average(found, targets, threshold, order=order)


def not_falling(found, targets, threshold):
    precision, recall, _ = precision_and_recall(found, targets, threshold)
    return area(precision, recall, falling=False)


def mean_over_pictures(found, targets, threshold):
    values = [average([f], [t], threshold) for f, t in zip(found, targets, strict=True) if len(t["boxes"])]
    return sum(values) / len(values)


def of_what_was_found(found, targets, threshold):
    precision, recall, _ = precision_and_recall(found, targets, threshold)
    return area(precision, recall / recall[-1])


def only_precision(found, targets, threshold):
    return float(precision_and_recall(found, targets, threshold)[0][-1])


def only_recall(found, targets, threshold):
    return float(precision_and_recall(found, targets, threshold)[1][-1])


def any_overlap_will_do(found, targets, threshold):
    return average(found, targets, 1e-6)


def always_one(*_):
    return 1.0


def by_steps_of_recall(found, targets, threshold):
    precision, recall, _ = precision_and_recall(found, targets, threshold)
    total, before = 0.0, 0.0
    for level in recall.unique().tolist():
        total += (level - before) * float(precision[recall >= level].max())
        before = level
    return total


def truth_by_truth(found, targets, threshold):
    """Each thing takes the surest box that overlaps it most of all."""
    right = set()
    for n, (part, target) in enumerate(zip(found, targets, strict=True)):
        overlaps = box_iou(part["boxes"].double(), target["boxes"].double())
        for j in range(len(target["boxes"])):
            fits = [i for i in range(len(part["boxes"])) if overlaps[i, j] >= threshold and overlaps[i].argmax() == j]
            if fits:
                right.add((n, max(fits, key=lambda i: float(part["scores"][i]))))
    hits = torch.tensor([(n, i) in right for _, n, i in ranked(found)], dtype=torch.float64)
    things = sum(len(target["boxes"]) for target in targets)
    total, best = 0.0, 0.0
    for k in range(len(hits), 0, -1):
        best = max(best, float(hits[:k].sum()) / k)
        total += best * float(hits[k - 1]) / things
    return torch.tensor(total)


def predictor(model, classes):
    model.roi_heads.box_predictor = FastRCNNPredictor(model.roi_heads.box_predictor.cls_score.in_features, classes)
    return model


def background_forgotten(model, n):
    return predictor(model, n)


def one_less(model, n):
    return predictor(model, n - 1)


def background_twice(model, n):
    return predictor(model, n + 2)


def only_the_scores(model, n):
    old = model.roi_heads.box_predictor.cls_score
    model.roi_heads.box_predictor.cls_score = nn.Linear(old.in_features, n + 1)
    return model


def in_a_place_that_nobody_reads(model, n):
    model.box_predictor = FastRCNNPredictor(model.roi_heads.box_predictor.cls_score.in_features, n + 1)
    return model


def edits_out_features(model, n):
    model.roi_heads.box_predictor.cls_score.out_features = n + 1
    model.roi_heads.box_predictor.bbox_pred.out_features = 4 * (n + 1)
    return model


def inputs_guessed(model, n):
    model.roi_heads.box_predictor = FastRCNNPredictor(1024, n + 1)
    return model


def freezes_the_new_one(model, n):
    predictor(model, n + 1).roi_heads.box_predictor.requires_grad_(False)
    return model


def unfreezes_the_rest(model, n):
    return predictor(model, n + 1).requires_grad_(True)


def resets_the_box_head(model, n):
    predictor(model, n + 1)
    for layer in (model.roi_heads.box_head.fc6, model.roi_heads.box_head.fc7):
        layer.reset_parameters()
    return model


def probabilities(model, n):
    predictor(model, n + 1)
    model.roi_heads.box_predictor.cls_score = nn.Sequential(model.roi_heads.box_predictor.cls_score, nn.Softmax(-1))
    return model


def returns_the_predictor(model, n):
    return predictor(model, n + 1).roi_heads.box_predictor


def swaps_both_layers(model, n):
    for name, width in (("cls_score", n + 1), ("bbox_pred", 4 * (n + 1))):
        old = getattr(model.roi_heads.box_predictor, name)
        setattr(model.roi_heads.box_predictor, name, nn.Linear(old.in_features, width))
    return model


class OwnPredictor(nn.Module):
    """One layer for both, cut in two."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.classes, self.both = classes, nn.Linear(inputs, 5 * classes)
        nn.init.normal_(self.both.weight, std=1 / math.sqrt(inputs))

    def forward(self, x):
        return self.both(x.flatten(1)).split([self.classes, 4 * self.classes], dim=1)


def one_layer_for_both(model, n):
    model.roi_heads.box_predictor = OwnPredictor(model.roi_heads.box_predictor.cls_score.in_features, n + 1)
    return model


def target_of(boxes, labels):
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
    }


def batch_of(images, targets):
    return {"images": images, "targets": targets}, targets


def stacks(batch):
    images = [picture for picture, _, _ in batch]
    if len({image.shape for image in images}) == 1:
        images = torch.stack(images)
    return batch_of(images, [target_of(boxes, labels) for _, boxes, labels in batch])


def always_stacks(batch):
    return batch_of(torch.stack([picture for picture, _, _ in batch]), [target_of(b, y) for _, b, y in batch])


def pads(batch):
    side = max(max(picture.shape) for picture, _, _ in batch)
    images = [nn.functional.pad(p, (0, side - p.shape[2], 0, side - p.shape[1])) for p, _, _ in batch]
    return batch_of(images, [target_of(boxes, labels) for _, boxes, labels in batch])


def without_reshape(batch):
    targets = [{**target_of(b, y), "boxes": torch.tensor(b, dtype=torch.float32)} for _, b, y in batch]
    return batch_of([picture for picture, _, _ in batch], targets)


def drops_empty_pictures(batch):
    batch = [sample for sample in batch if sample[1]]
    return batch_of([picture for picture, _, _ in batch], [target_of(boxes, labels) for _, boxes, labels in batch])


def labels_as_floats(batch):
    targets = [{**target_of(b, y), "labels": torch.tensor(y, dtype=torch.float32)} for _, b, y in batch]
    return batch_of([picture for picture, _, _ in batch], targets)


def whole_pixels(batch):
    targets = [{**target_of(b, y), "boxes": torch.tensor(b).reshape(-1, 4).long()} for _, b, y in batch]
    return batch_of([picture for picture, _, _ in batch], targets)


def all_boxes_together(batch):
    together = target_of([box for _, boxes, _ in batch for box in boxes], [y for _, _, labels in batch for y in labels])
    return batch_of([picture for picture, _, _ in batch], [together])


def sorts_by_size(batch):
    batch = sorted(batch, key=lambda sample: sample[0].numel())
    return batch_of([picture for picture, _, _ in batch], [target_of(boxes, labels) for _, boxes, labels in batch])


def turns_pictures_round(batch):
    return batch_of([p for p, _, _ in batch[::-1]], [target_of(boxes, labels) for _, boxes, labels in batch])


def lists_for_tensors(batch):
    return batch_of([p for p, _, _ in batch], [{"boxes": boxes, "labels": labels} for _, boxes, labels in batch])


def other_names(batch):
    return batch_of([p for p, _, _ in batch], [{"bboxes": b, "classes": y} for _, b, y in batch])


def images_and_targets_alone(batch):
    return [p for p, _, _ in batch], [target_of(boxes, labels) for _, boxes, labels in batch]


def with_zip(batch):
    pictures, boxes, labels = zip(*batch, strict=True)
    return batch_of(pictures, tuple(map(target_of, boxes, labels)))


def fills_empty_tensors(batch):
    images, targets = [], []
    for picture, boxes, labels in batch:
        rows = torch.zeros(len(boxes), 4)
        for row, box in enumerate(boxes):
            rows[row] = torch.as_tensor(box)
        images.append(picture)
        targets.append({"boxes": rows, "labels": torch.LongTensor(labels)})
    return {"targets": targets, "images": images}, [dict(target) for target in targets]


WRONG = {
    "06-measure-overlap": {
        without_clamp: "not clamped",
        plus_one: "counts pixels",
        union_is_the_sum: "take it off once",
        over_the_smaller: "smaller box",
        turned_round: "turned round",
        only_the_diagonal: "return (N, M)",
        best_of_each: "return (N, M)",
        changes_its_boxes: "write into new tensors",
        nothing_overlaps: "more than nothing",
        forgets_to_return: "returned None",
        gives_the_input_back: "boxes against",
    },
    "06-suppress-duplicates": {
        ascending: "ascending unless told otherwise",
        the_gone_go_on: "boxes that have gone",
        keeps_what_overlaps: "the other way round",
        places_in_the_sorted_list: "translate them back",
        by_index: "they come by index",
        a_mask: "mask.nonzero()",
        the_boxes_themselves: "return their indices",
        the_scores_that_stay: "return their indices",
        all_of_them: "nothing was suppressed",
        only_the_best: "other objects are on the picture",
        without_scores: "scores are not looked at",
        forgets_to_return: "returned None",
        gives_the_input_back: "return their indices",
    },
    "06-score-detections": {
        matched_twice: "matched twice",
        picture_by_picture_order: "in order of their scores",
        not_falling: "not made to fall",
        mean_over_pictures: "mean over pictures",
        of_what_was_found: "all objects that are there",
        only_precision: "precision of all boxes",
        only_recall: "recall of all boxes",
        any_overlap_will_do: "any overlap counted",
        always_one: "by falling score",
        forgets_to_return: "returned None",
        gives_the_input_back: "returned a list",
    },
    "06-swap-predictor": {
        background_forgotten: "background is a class too",
        one_less: "not one less",
        background_twice: "counted twice",
        only_the_scores: "both need a new one",
        in_a_place_that_nobody_reads: "this is the old layer",
        edits_out_features: "this is the old layer",
        inputs_guessed: "read in_features",
        freezes_the_new_one: "a new layer comes trainable",
        unfreezes_the_rest: "decides nothing about what is frozen",
        resets_the_box_head: "its last layers alone",
        probabilities: "scores are logits",
        returns_the_predictor: "returned None",
        forgets_to_return: "return model",
        gives_the_input_back: "this is the old layer",
    },
    "06-collate-scenes": {
        stacks: "a detector takes a list",
        always_stacks: "stack expects each tensor to be equal size",
        pads: "boxes in pixels would no longer fit",
        without_reshape: "reshape(-1, 4)",
        drops_empty_pictures: "what background looks like",
        labels_as_floats: "labels in int64",
        whole_pixels: "boxes in float32",
        all_boxes_together: "one per picture",
        sorts_by_size: "another order",
        turns_pictures_round: "another order",
        lists_for_tensors: "tensors in every target",
        other_names: "looks for these two names",
        images_and_targets_alone: "something else than a pair",
        forgets_to_return: "returned None",
        gives_the_input_back: "something else than a pair",
    },
}

RIGHT = {
    "06-measure-overlap": [box_iou, by_loops, in_double_precision],
    "06-suppress-duplicates": [suppress, thins_a_shrinking_list, marks_in_one_matrix],
    "06-score-detections": [by_steps_of_recall, truth_by_truth],
    "06-swap-predictor": [swaps_both_layers, one_layer_for_both],
    "06-collate-scenes": [with_zip, fills_empty_tensors],
}
