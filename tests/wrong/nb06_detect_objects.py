"""Mistakes of chapter 06."""

import math

import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

from course.exercises.nb06_detect_objects.investigate_a_setting import BASELINE


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


def dice(a, b):
    shared = sides(a, b).clamp(min=0).prod(2)
    return 2 * shared / (areas(a)[:, None] + areas(b)[None])


def read_as_width_and_height(a, b):
    return box_iou(*(torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) for boxes in (a, b)))


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


def generalised(a, b):
    hull = torch.maximum(a[:, None, 2:], b[None, :, 2:]) - torch.minimum(a[:, None, :2], b[None, :, :2])
    shared = sides(a, b).clamp(min=0).prod(2)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return shared / union - (hull.prod(2) - union) / hull.prod(2)


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


def suppress(boxes, scores, labels, threshold, *, descending=True):
    overlaps = box_iou(boxes, boxes) * (labels[:, None] == labels[None])
    kept = []
    for i in scores.argsort(descending=descending).tolist():
        if all(overlaps[i, j] <= threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def ascending(boxes, scores, labels, threshold):
    return suppress(boxes, scores, labels, threshold, descending=False)


def the_gone_still_suppress(boxes, scores, labels, threshold):
    overlaps = box_iou(boxes, boxes) * (labels[:, None] == labels[None])
    higher = scores[None] > scores[:, None]
    keep = ~((overlaps > threshold) & higher).any(1)
    order = scores.argsort(descending=True)
    return order[keep[order]]


def keeps_what_overlaps(boxes, scores, labels, threshold):
    overlaps = box_iou(boxes, boxes)
    kept = []
    for i in scores.argsort(descending=True).tolist():
        if all(overlaps[i, j] > threshold for j in kept if labels[i] == labels[j]):
            kept.append(i)
    return torch.tensor(kept)


def without_labels(boxes, scores, labels, threshold):
    return suppress(boxes, scores, torch.ones_like(labels), threshold)


def positions_in_the_sorted_list(boxes, scores, labels, threshold):
    order = scores.argsort(descending=True)
    return suppress(boxes[order], scores[order], labels[order], threshold)


def by_index(boxes, scores, labels, threshold):
    return suppress(boxes, scores, labels, threshold).sort().values


def a_mask(boxes, scores, labels, threshold):
    mask = torch.zeros(len(boxes), dtype=torch.bool)
    mask[suppress(boxes, scores, labels, threshold)] = True
    return mask


def the_boxes_themselves(boxes, scores, labels, threshold):
    return boxes[suppress(boxes, scores, labels, threshold)]


def the_scores_that_stay(boxes, scores, labels, threshold):
    return scores[suppress(boxes, scores, labels, threshold)]


def at_the_threshold_as_well(boxes, scores, labels, threshold):
    return suppress(boxes, scores, labels, threshold - 1e-6)


def all_of_them(boxes, scores, labels, threshold):
    return scores.argsort(descending=True)


def only_the_best(boxes, scores, labels, threshold):
    return scores.argmax().reshape(1)


def without_scores(boxes, scores, labels, threshold):
    return suppress(boxes, -torch.arange(len(boxes)).float(), labels, threshold)


def with_a_threshold_for_scores(boxes, scores, labels, threshold):
    kept = suppress(boxes, scores, labels, threshold)
    return kept[scores[kept] > 0.25]


def class_by_class(boxes, scores, labels, threshold):
    kept = [index for label in labels.unique() for index in _of_one_class(boxes, scores, labels == label, threshold)]
    return sorted(kept, key=lambda i: -float(scores[i]))


def _of_one_class(boxes, scores, chosen, threshold):
    order = [i for i in scores.argsort(descending=True).tolist() if chosen[i]]
    kept = []
    while order:
        first, *order = order
        kept.append(first)
        order = [i for i in order if box_iou(boxes[first][None], boxes[i][None]) <= threshold]
    return kept


def moved_apart_by_class(boxes, scores, labels, threshold):
    boxes = boxes + labels[:, None] * (boxes.max() + 1 if len(boxes) else 0)
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


def precision_and_recall(found, targets, threshold, *, once=True, order=None, only_free=True):
    taken, hits = set(), []
    for _, n, i in ranked(found) if order is None else order:
        truths = targets[n]["boxes"]
        overlaps = box_iou(found[n]["boxes"][i][None], truths)[0]
        if once and only_free:
            overlaps[[j for m, j in taken if m == n]] = -1
        best = int(overlaps.argmax()) if len(truths) else -1
        hit = best >= 0 and float(overlaps[best]) >= threshold and not (once and (n, best) in taken)
        if hit:
            taken.add((n, best))
        hits.append(hit)
    hits = torch.tensor(hits, dtype=torch.float64)
    objects = sum(len(part["boxes"]) for part in targets)
    right = hits.cumsum(0)
    return right / torch.arange(1, len(hits) + 1), right / max(1, objects), hits


def area(precision, recall, *, falling=True):
    if falling:
        precision = precision.flip(0).cummax(0).values.flip(0)
    return float((precision * torch.diff(recall, prepend=torch.zeros(1, dtype=torch.float64))).sum())


def average(found, targets, threshold, **options):
    precision, recall, _ = precision_and_recall(found, targets, threshold, **options)
    return area(precision, recall) if len(recall) else 0.0


def matched_twice(found, targets, threshold):
    return average(found, targets, threshold, once=False)


def as_in_pascal_voc(found, targets, threshold):
    return average(found, targets, threshold, only_free=False)


def sampled_at_101_recalls(found, targets, threshold):
    precision, recall, _ = precision_and_recall(found, targets, threshold)
    levels = torch.linspace(0, 1, 101, dtype=torch.float64)
    reached = [precision[recall >= level - 1e-9] for level in levels]
    return sum(float(part.max()) for part in reached if len(part)) / 101


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


def above_the_threshold(found, targets, threshold):
    return by_steps_of_recall(found, targets, threshold + 1e-6)


def always_one(*_):
    return 1.0


def by_steps_of_recall(found, targets, threshold):
    precision, recall, _ = precision_and_recall(found, targets, threshold)
    total, before = 0.0, 0.0
    for level in recall.unique().tolist():
        total += (level - before) * float(precision[recall >= level].max())
        before = level
    return total


def with_a_matrix_per_picture(found, targets, threshold):
    """Struck out columns: an object that is matched overlaps with nothing any more."""
    overlaps = [box_iou(f["boxes"].double(), t["boxes"].double()) for f, t in zip(found, targets, strict=True)]
    scores = torch.cat([part["scores"] for part in found])
    picture = [n for n, part in enumerate(found) for _ in part["scores"]]
    row = [i for part in found for i in range(len(part["scores"]))]
    right, total, best = [], 0.0, 0.0
    for k in scores.argsort(descending=True).tolist():
        values = overlaps[picture[k]][row[k]]
        right.append(bool(values.numel()) and float(values.max()) >= threshold)
        if right[-1]:
            overlaps[picture[k]][:, values.argmax()] = -1
    objects = sum(len(target["boxes"]) for target in targets)
    for k in range(len(right), 0, -1):
        best = max(best, sum(right[:k]) / k)
        total += best * right[k - 1] / max(1, objects)
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


def centres_and_sides(boxes):
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


class RightCoder:
    """By centres and sides; the wrong ones change a step of it."""

    limit = math.log(1000 / 16)

    def encode(self, boxes, anchors):
        (centre, side), (anchor_centre, anchor_side) = centres_and_sides(boxes), centres_and_sides(anchors)
        return torch.cat([(centre - anchor_centre) / anchor_side, (side / anchor_side).log()], 1)

    def decode(self, deltas, anchors):
        anchor_centre, anchor_side = centres_and_sides(anchors)
        centre = anchor_centre + deltas[:, :2] * anchor_side
        half = anchor_side * deltas[:, 2:].clamp(max=self.limit).exp() / 2
        return torch.cat([centre - half, centre + half], 1)


class CornersForCentres(RightCoder):
    def encode(self, boxes, anchors):
        right = super().encode(boxes, anchors)
        return torch.cat([(boxes[:, :2] - anchors[:, :2]) / centres_and_sides(anchors)[1], right[:, 2:]], 1)


class OffsetsInPixels(RightCoder):
    def encode(self, boxes, anchors):
        right = super().encode(boxes, anchors)
        return torch.cat([right[:, :2] * centres_and_sides(anchors)[1], right[:, 2:]], 1)


class DividedByTheBox(RightCoder):
    def encode(self, boxes, anchors):
        right = super().encode(boxes, anchors)
        sides = centres_and_sides(anchors)[1] / centres_and_sides(boxes)[1]
        return torch.cat([right[:, :2] * sides, right[:, 2:]], 1)


class RatiosWithoutLogarithm(RightCoder):
    def encode(self, boxes, anchors):
        right = super().encode(boxes, anchors)
        return torch.cat([right[:, :2], right[:, 2:].exp()], 1)


class RatiosUpsideDown(RightCoder):
    def encode(self, boxes, anchors):
        return super().encode(boxes, anchors) * torch.tensor([1.0, 1.0, -1.0, -1.0])


class FromTheBoxToTheAnchor(RightCoder):
    def encode(self, boxes, anchors):
        return super().encode(boxes, anchors) * torch.tensor([-1.0, -1.0, 1.0, 1.0])


class AnotherOrder(RightCoder):
    def encode(self, boxes, anchors):
        return super().encode(boxes, anchors)[:, [0, 2, 1, 3]]


class ReturnsCentreAndSides(RightCoder):
    def decode(self, deltas, anchors):
        return torch.cat(centres_and_sides(super().decode(deltas, anchors)), 1)


class CentreAsCorner(RightCoder):
    def decode(self, deltas, anchors):
        centre, side = centres_and_sides(super().decode(deltas, anchors))
        return torch.cat([centre, centre + side], 1)


class WithoutExp(RightCoder):
    def decode(self, deltas, anchors):
        anchor_centre, anchor_side = centres_and_sides(anchors)
        centre = anchor_centre + deltas[:, :2] * anchor_side
        half = anchor_side * (1 + deltas[:, 2:].clamp(max=self.limit)) / 2
        return torch.cat([centre - half, centre + half], 1)


class DecodedPixels(RightCoder):
    def decode(self, deltas, anchors):
        sides = centres_and_sides(anchors)[1]
        return super().decode(torch.cat([deltas[:, :2] / sides, deltas[:, 2:]], 1), anchors)


class WithoutLimit(RightCoder):
    limit = math.inf


class NoDecode:
    encode = RightCoder.encode


class ByColumns:
    """Coordinate by coordinate, with the last one found from the others."""

    def encode(self, boxes, anchors):
        x1, y1, x2, y2 = boxes.double().unbind(1)
        a1, b1, a2, b2 = anchors.double().unbind(1)
        width, height = a2 - a1, b2 - b1
        columns = [(x1 + x2 - a1 - a2) / 2 / width, (y1 + y2 - b1 - b2) / 2 / height]
        columns += [(x2 - x1).log() - width.log(), (y2 - y1).log() - height.log()]
        return torch.stack(columns, 1)

    def decode(self, deltas, anchors):
        a1, b1, a2, b2 = anchors.unbind(1)
        dx, dy, dw, dh = deltas.unbind(1)
        width = torch.exp(torch.minimum(dw, torch.tensor(math.log(62.5)))) * (a2 - a1)
        height = torch.exp(torch.minimum(dh, torch.tensor(math.log(62.5)))) * (b2 - b1)
        left = a1 + (a2 - a1) * (0.5 + dx) - width / 2
        top = b1 + (b2 - b1) * (0.5 + dy) - height / 2
        return torch.stack([left, top, left + width, top + height], 1)


def match(anchors, boxes, high, low, *, rescue="all", between=-2, zero=False, strict=(False, False)):
    if not len(boxes):
        return torch.full((len(anchors),), -1)
    overlaps = box_iou(anchors, boxes)
    best, index = overlaps.max(1)
    matched = torch.full((len(anchors),), between)
    matched[best <= low if strict[1] else best < low] = -1
    reached = best > high if strict[0] else best >= high
    matched[reached] = index[reached]
    if rescue == "all":
        rescued = ((overlaps == overlaps.amax(0)) & ((overlaps > 0) | zero)).any(1)
        matched[rescued] = index[rescued]
    elif rescue == "first":
        for j, i in enumerate(overlaps.argmax(0).tolist()):
            if overlaps[i, j] > 0:
                matched[i] = index[i]
    return matched


def no_anchor_for_the_small(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, rescue="none")


def one_of_several_equal(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, rescue="first")


def zero_is_the_best(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, zero=True)


def above_high(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, strict=(True, False))


def low_is_background(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, strict=(False, True))


def nothing_is_ignored(anchors, boxes, high, low):
    return match(anchors, boxes, high, low, between=-1)


def the_last_box_wins(anchors, boxes, high, low):
    matched = match(anchors, boxes, high, low)
    overlaps = box_iou(anchors, boxes)
    for j in range(len(boxes)):
        best = overlaps[:, j].max()
        matched[(overlaps[:, j] == best) & (best > 0)] = j
    return matched


def fails_without_boxes(anchors, boxes, high, low):
    if not len(boxes):
        return box_iou(anchors, boxes).argmax(1)
    return match(anchors, boxes, high, low)


def overlaps_for_numbers(anchors, boxes, high, low):
    return box_iou(anchors, boxes)


def object_by_object(anchors, boxes, high, low):
    numbers = []
    overlaps = box_iou(anchors, boxes)
    for row in overlaps.tolist():
        best = max(row, default=0.0)
        is_best = any(value > 0 and value == float(overlaps[:, j].max()) for j, value in enumerate(row))
        if row and (best >= high or is_best):
            numbers.append(row.index(best))
        else:
            numbers.append(-1 if best < low else -2)
    return numbers


def record(**changes):
    written = {
        "question": "does a longer training raise the AP50 on validation scenes?",
        "expected": "better",
        "baseline": list(BASELINE[:5]),
        "changed": [value + 0.05 + 0.002 * i for i, value in enumerate(BASELINE[:5])],
        "concluded": "better",
    }
    return {**written, **changes}


def no_question():
    return record(question="epochs")


def three_seeds():
    return record(baseline=list(BASELINE[:3]), changed=[0.5, 0.5, 0.5])


def in_per_cent():
    return record(changed=[50.0, 51.0, 52.0, 50.0, 49.0])


def another_baseline():
    return record(baseline=[0.05, *BASELINE[1:5]])


def nothing_changed():
    return record(changed=list(BASELINE[:5]))


def concludes_from_the_means():
    return record(changed=[value + (0.09, -0.06, 0.07, -0.08, 0.01)[i] for i, value in enumerate(BASELINE[:5])])


def a_record_without_conclusion():
    return {key: value for key, value in record().items() if key != "concluded"}


def an_honest_record():
    return record()


def it_got_worse():
    return record(
        changed=[round(value - 0.05 - 0.01 * i, 3) for i, value in enumerate(BASELINE[:5])], concluded="worse"
    )


WRONG = {
    "06-measure-overlap": {
        without_clamp: "not clamped",
        plus_one: "counts pixels",
        union_is_the_sum: "take it off once",
        over_the_smaller: "smaller box",
        dice: "Dice coefficient",
        read_as_width_and_height: "two corners, x1, y1, x2, y2",
        turned_round: "transposed",
        only_the_diagonal: "return (N, M)",
        best_of_each: "return (N, M)",
        changes_its_boxes: "write into new tensors",
        nothing_overlaps: "more than nothing",
        generalised: "share nothing: their IoU is 0",
        forgets_to_return: "returned None",
        gives_the_input_back: "boxes against",
    },
    "06-suppress-duplicates": {
        ascending: "ascending by default",
        the_gone_still_suppress: "boxes that have gone",
        keeps_what_overlaps: "the other way round",
        without_labels: "the labels were ignored",
        positions_in_the_sorted_list: "translate them back",
        by_index: "they come by index",
        a_mask: "mask.nonzero()",
        the_boxes_themselves: "return their indices",
        the_scores_that_stay: "return their indices",
        all_of_them: "nothing was suppressed",
        at_the_threshold_as_well: "exactly the threshold is not above it",
        only_the_best: "other objects in the picture",
        without_scores: "scores were ignored",
        with_a_threshold_for_scores: "scores only give the order",
        forgets_to_return: "returned None",
        gives_the_input_back: "return their indices",
    },
    "06-score-detections": {
        matched_twice: "matched twice",
        as_in_pascal_voc: "PASCAL VOC",
        sampled_at_101_recalls: "101 recalls",
        picture_by_picture_order: "in order of their scores",
        not_falling: "not made to fall",
        mean_over_pictures: "mean over pictures",
        of_what_was_found: "all objects that are there",
        only_precision: "precision of all boxes",
        only_recall: "recall of all boxes",
        any_overlap_will_do: "any overlap counted",
        always_one: "by falling score",
        above_the_threshold: "exactly the threshold is a match",
        forgets_to_return: "returned None",
        gives_the_input_back: "returned a list",
    },
    "06-swap-predictor": {
        background_forgotten: "background is a class too",
        one_less: "not one less",
        background_twice: "counted twice",
        only_the_scores: "`bbox_pred` need a new one",
        in_a_place_that_nobody_reads: "as wide as the old layer",
        edits_out_features: "as wide as the old layer",
        inputs_guessed: "read in_features",
        freezes_the_new_one: "a new layer is trainable",
        unfreezes_the_rest: "changes nothing about what is frozen",
        resets_the_box_head: "only its last layers",
        probabilities: "scores are logits",
        returns_the_predictor: "returned None",
        forgets_to_return: "return model",
        gives_the_input_back: "as wide as the old layer",
    },
    "06-encode-boxes": {
        CornersForCentres: "compare the centres",
        OffsetsInPixels: "in pixels",
        DividedByTheBox: "sides of the box",
        RatiosWithoutLogarithm: "take their logarithm",
        RatiosUpsideDown: "dw and dh have the wrong sign",
        FromTheBoxToTheAnchor: "dx and dy have the wrong sign",
        AnotherOrder: "the order is",
        ReturnsCentreAndSides: "return the corners",
        CentreAsCorner: "upper left corner",
        WithoutExp: "times exp(dw)",
        DecodedPixels: "dx and dy are relative",
        WithoutLimit: "not limited",
        NoDecode: "no method decode",
    },
    "06-match-anchors": {
        no_anchor_for_the_small: "give each its best anchor",
        one_of_several_equal: "only one was matched",
        zero_is_the_best: "an overlap of 0",
        the_last_box_wins: "belongs to the other",
        above_high: "exactly `high`",
        low_is_background: "exactly `low`",
        nothing_is_ignored: "ignored, number -2",
        fails_without_boxes: "argmax",
        overlaps_for_numbers: "one whole number per anchor",
        forgets_to_return: "returned None",
    },
    "06-investigate-a-setting": {
        no_question: "without its question",
        three_seeds: "fewer than 5 seeds",
        in_per_cent: "between 0 and 1",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        concludes_from_the_means: "includes zero",
        a_record_without_conclusion: "no 'concluded'",
    },
}

RIGHT = {
    "06-encode-boxes": [RightCoder, ByColumns],
    "06-match-anchors": [match, object_by_object],
    "06-investigate-a-setting": [an_honest_record, it_got_worse],
    "06-measure-overlap": [box_iou, by_loops, in_double_precision],
    "06-suppress-duplicates": [suppress, class_by_class, moved_apart_by_class],
    "06-score-detections": [by_steps_of_recall, with_a_matrix_per_picture],
    "06-swap-predictor": [swaps_both_layers, one_layer_for_both],
}
