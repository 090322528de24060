"""Mistakes of chapter 07."""

import random

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode, hflip, resized_crop, vflip

from course.applications import segmentation
from course.exercises.nb07_segment_scenes.investigate_a_change import BASELINE

VOID = 255


# miou


def ious(preds, masks, classes, ignore):
    valid = masks != ignore
    p, m = preds[valid], masks[valid]
    values = []
    for c in classes:
        union = ((p == c) | (m == c)).sum()
        values.append((((p == c) & (m == c)).sum() / union).item() if union else None)
    return values


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values)


def present(preds, masks, ignore):
    return torch.cat([preds[masks != ignore], masks[masks != ignore]]).unique().tolist()


def mean_over_pictures(preds, masks, ignore):
    pairs = zip(preds, masks, strict=True)
    return mean([mean(ious(p, m, present(p, m, ignore), ignore)) for p, m in pairs])


def pixel_accuracy(preds, masks, ignore):
    return (preds == masks)[masks != ignore].float().mean().item()


def absent_counts_zero(preds, masks, ignore):
    values = ious(preds, masks, range(int(max(present(preds, masks, ignore))) + 1), ignore)
    return sum(value or 0.0 for value in values) / len(values)


def absent_counts_one(preds, masks, ignore):
    values = ious(preds, masks, range(int(max(present(preds, masks, ignore))) + 1), ignore)
    return sum(1.0 if value is None else value for value in values) / len(values)


def void_as_a_class(preds, masks, ignore):
    return mean(ious(preds, masks, torch.cat([preds, masks]).unique().tolist(), -1))


def void_in_the_union(preds, masks, ignore):
    values = []
    for c in present(preds, masks, ignore):
        union = ((preds == c) | (masks == c)).sum()
        values.append((((preds == c) & (masks == c)).sum() / union).item())
    return mean(values)


def dice(preds, masks, ignore):
    return mean([2 * v / (1 + v) for v in ious(preds, masks, present(preds, masks, ignore), ignore)])


def recall(preds, masks, ignore):
    valid = masks != ignore
    p, m = preds[valid], masks[valid]
    return mean([(p[m == c] == c).float().mean().item() for c in m.unique().tolist()])


def all_classes_together(preds, masks, ignore):
    valid = masks != ignore
    p, m = preds[valid], masks[valid]
    both = sum(((p == c) & (m == c)).sum().item() for c in m.unique())
    either = sum(((p == c) | (m == c)).sum().item() for c in m.unique())
    return both / either


def without_background(preds, masks, ignore):
    return mean(ious(preds, masks, [c for c in present(preds, masks, ignore) if c], ignore))


def one_value_a_class(preds, masks, ignore):
    return torch.tensor(ious(preds, masks, present(preds, masks, ignore), ignore))


def miou_of_nothing(preds, masks, ignore):
    pass


def always_a_half(preds, masks, ignore):
    return 0.5


def always_perfect(preds, masks, ignore):
    return 1.0


def classes_of_the_masks_alone(preds, masks, ignore):
    return mean(ious(preds, masks, masks[masks != ignore].unique().tolist(), ignore))


def only_the_first_picture(preds, masks, ignore):
    return mean(ious(preds[:1], masks[:1], present(preds[:1], masks[:1], ignore), ignore))


def from_a_confusion_matrix(preds, masks, ignore):
    valid = masks != ignore
    n = 256
    matrix = torch.bincount(masks[valid] * n + preds[valid], minlength=n * n).view(n, n).double()
    both, either = matrix.diag(), matrix.sum(0) + matrix.sum(1) - matrix.diag()
    return (both / either)[either > 0].mean()


def with_sets_of_places(preds, masks, ignore):
    pixels = list(enumerate(zip(preds.flatten().tolist(), masks.flatten().tolist(), strict=True)))
    pixels = [(place, p, m) for place, (p, m) in pixels if m != ignore]
    values = []
    for c in {p for _, p, _ in pixels} | {m for _, _, m in pixels}:
        predicted, true = {i for i, p, _ in pixels if p == c}, {i for i, _, m in pixels if m == c}
        values.append(len(predicted & true) / len(predicted | true))
    return sum(values) / len(values)


# seg_loss


def sums(logits, masks):
    return F.cross_entropy(logits, masks, ignore_index=VOID, reduction="sum") / (masks != VOID).sum().clamp_min(1)


def both_outputs(loss, out, masks):
    return loss(out["out"], masks) + (0.5 * loss(out["aux"], masks) if "aux" in out else 0.0)


def void_as_background(out, masks):
    return both_outputs(F.cross_entropy, out, masks.where(masks != VOID, torch.zeros_like(masks)))


def void_as_the_last_class(out, masks):
    return both_outputs(F.cross_entropy, out, masks.clamp(max=out["out"].shape[1] - 1))


def nothing_ignored(out, masks):
    return both_outputs(F.cross_entropy, out, masks)


def diluted_by_void(out, masks):
    return both_outputs(lambda z, m: F.cross_entropy(z, m, ignore_index=VOID, reduction="none").mean(), out, masks)


def nan_for_all_void(out, masks):
    return both_outputs(lambda z, m: F.cross_entropy(z, m, ignore_index=VOID), out, masks)


def auxiliary_forgotten(out, masks):
    return sums(out["out"], masks)


def auxiliary_counts_whole(out, masks):
    return sums(out["out"], masks) + (sums(out["aux"], masks) if "aux" in out else 0.0)


def summed_over_pixels(out, masks):
    return both_outputs(lambda z, m: F.cross_entropy(z, m, ignore_index=VOID, reduction="sum"), out, masks)


def softmax_before(out, masks):
    return both_outputs(lambda z, m: sums(z.softmax(1), m), out, masks)


def cut_off(out, masks):
    return both_outputs(sums, {name: z.detach() for name, z in out.items()}, masks)


def a_number(out, masks):
    return both_outputs(sums, out, masks).item()


def no_graph_for_all_void(out, masks):
    return torch.tensor(0.0) if (masks == VOID).all() else both_outputs(sums, out, masks)


def loss_of_nothing(out, masks):
    pass


def always_zero(out, masks):
    return 0.0 * out["out"].sum()


def a_mean_a_picture(out, masks):
    return both_outputs(
        lambda z, m: torch.stack([sums(a[None], b[None]) for a, b in zip(z, m, strict=True)]).mean(), out, masks
    )


def by_the_labelled_pixels_alone(out, masks):
    labelled = masks != VOID
    total = 0.0 * out["out"].sum()
    for name, weight in (("out", 1.0), ("aux", 0.5)):
        if name in out and labelled.any():
            total = total + weight * F.cross_entropy(out[name].movedim(1, -1)[labelled], masks[labelled])
    return total


class AsAModule(nn.Module):
    def forward(self, out, masks):
        logs = {name: F.log_softmax(z.double(), 1) for name, z in out.items()}
        labelled = (masks != VOID).double()
        where = masks.clamp(max=out["out"].shape[1] - 1)[:, None]
        each = {name: -(log.gather(1, where)[:, 0] * labelled).sum() for name, log in logs.items()}
        return (each["out"] + 0.5 * each.get("aux", 0.0)) / labelled.sum().clamp_min(1)


def zero_times_the_logits(out, masks):
    return out["out"].sum() * 0 if (masks == VOID).all() else both_outputs(sums, out, masks)


def as_a_module(out, masks):
    return AsAModule()(out, masks)


# joint_transform


def drawn(image, seed):
    rng = random.Random(seed)
    full_height, full_width = image.shape[-2:]
    height, width = rng.randint(-(-full_height // 2), full_height), rng.randint(-(-full_width // 2), full_width)
    return rng.randint(0, full_height - height), rng.randint(0, full_width - width), height, width, rng.random() < 0.5


def move(x, window, size, mode):
    *where, flip = window
    x = resized_crop(x, *where, size, mode)
    return hflip(x) if flip else x


def moved(image, mask, for_image, for_mask, mode=InterpolationMode.NEAREST):
    size = list(image.shape[-2:])
    image = move(image, for_image, size, InterpolationMode.BILINEAR)
    return image, move(mask[None], for_mask, size, mode)[0]


def bilinear_mask(image, mask, seed):
    window = drawn(image, seed)
    image, mask = moved(image, mask.float(), window, window, InterpolationMode.BILINEAR)
    return image, mask.round().long()


def bilinear_floats(image, mask, seed):
    window = drawn(image, seed)
    return moved(image, mask.float(), window, window, InterpolationMode.BILINEAR)


def scaled_like_a_picture(image, mask, seed):
    window = drawn(image, seed)
    image, mask = moved(image, mask / 255, window, window)
    return image, mask.long()


def mask_left_behind(image, mask, seed):
    return moved(image, mask, drawn(image, seed), (0, 0, *image.shape[-2:], False))


def two_draws(image, mask, seed):
    return moved(image, mask, drawn(image, seed), drawn(image, seed + 1))


def flipped_apart(image, mask, seed):
    *window, flip = drawn(image, seed)
    return moved(image, mask, (*window, flip), (*window, random.Random(seed + 7).random() < 0.5))


def only_the_picture_flipped(image, mask, seed):
    *window, flip = drawn(image, seed)
    return moved(image, mask, (*window, flip), (*window, False))


def only_the_mask_flipped(image, mask, seed):
    *window, flip = drawn(image, seed)
    return moved(image, mask, (*window, False), (*window, flip))


def up_and_down(image, mask, seed):
    *window, flip = drawn(image, seed)
    image, mask = moved(image, mask, (*window, False), (*window, False))
    return (image.flip(-2), mask.flip(-2)) if flip else (image, mask)


def the_mask_upside_down(image, mask, seed):
    *window, flip = drawn(image, seed)
    image, mask = moved(image, mask, (*window, False), (*window, False))
    return (image, mask.flip(-2)) if flip else (image, mask)


def mask_of_zeros(image, mask, seed):
    image, mask = moved(image, mask, drawn(image, seed), drawn(image, seed))
    return image, torch.zeros_like(mask)


def normalised_on_the_way(image, mask, seed):
    image, mask = moved(image, mask, drawn(image, seed), drawn(image, seed))
    return (image - 0.5) / 0.2, mask


def never_flipped(image, mask, seed):
    *window, _ = drawn(image, seed)
    return moved(image, mask, (*window, False), (*window, False))


def upside_down(image, mask, seed):
    image, mask = moved(image, mask, drawn(image, seed), drawn(image, seed))
    return (vflip(image), vflip(mask[None])[0]) if seed % 2 else (image, mask)


def only_flipped(image, mask, seed):
    flip = random.Random(seed).random() < 0.5
    return (image.flip(-1), mask.flip(-1)) if flip else (image, mask)


def tiny_windows(image, mask, seed):
    rng = random.Random(seed)
    height, width = image.shape[-2:]
    sides = rng.randint(height // 8, height // 3), rng.randint(width // 8, width // 3)
    window = (rng.randint(0, height // 2), rng.randint(0, width // 2), *sides, rng.random() < 0.5)
    return moved(image, mask, window, window)


def always_half(image, mask, seed):
    rng = random.Random(seed)
    full_height, full_width = image.shape[-2:]
    height, width = full_height // 2, full_width // 2
    window = (rng.randint(0, full_height - height), rng.randint(0, full_width - width), height, width)
    window = (*window, rng.random() < 0.5)
    return moved(image, mask, window, window)


def always_top_left(image, mask, seed):
    _, _, height, width, flip = drawn(image, seed)
    return moved(image, mask, *[(0, 0, height, width, flip)] * 2)


def always_in_the_middle(image, mask, seed):
    _, _, height, width, flip = drawn(image, seed)
    window = ((image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2, height, width, flip)
    return moved(image, mask, window, window)


def full_width(image, mask, seed):
    top, _, height, _, flip = drawn(image, seed)
    window = (top, 0, height, image.shape[-1], flip)
    return moved(image, mask, window, window)


def seed_ignored(image, mask, seed):
    window = drawn(image, random.random())
    return moved(image, mask, window, window)


def the_same_for_every_seed(image, mask, seed):
    window = drawn(image, 3)
    return moved(image, mask, window, window)


def generator_not_seeded(image, mask, seed):
    rng = torch.Generator()
    height, width = (int(torch.randint(-(-side // 2), side + 1, (), generator=rng)) for side in mask.shape)
    top = int(torch.randint(mask.shape[0] - height + 1, (), generator=rng))
    left = int(torch.randint(mask.shape[1] - width + 1, (), generator=rng))
    window = (top, left, height, width, bool(torch.rand((), generator=rng) < 0.5))
    return moved(image, mask, window, window)


def as_it_was(image, mask, seed):
    return image, mask


def window_not_resized(image, mask, seed):
    top, left, height, width, _ = drawn(image, seed)
    rows, columns = slice(top, top + height), slice(left, left + width)
    return image[:, rows, columns], mask[rows, columns]


def channel_axis_left_on(image, mask, seed):
    window = drawn(image, seed)
    image, mask = moved(image, mask, window, window)
    return image, mask[None]


def only_the_picture(image, mask, seed):
    return move(image, drawn(image, seed), list(image.shape[-2:]), InterpolationMode.BILINEAR)


def transform_of_nothing(image, mask, seed):
    pass


def same_scale_for_both_sides(image, mask, seed):
    rng = random.Random(seed)
    scale = rng.uniform(0.5, 1)
    height, width = (round(scale * side) for side in image.shape[-2:])
    top, left = rng.randint(0, image.shape[-2] - height), rng.randint(0, image.shape[-1] - width)
    window = (top, left, height, width, rng.random() < 0.5)
    return moved(image, mask, window, window)


def transformed_by_the_library(image, mask, seed):
    return segmentation.joint_transform(image, mask, seed)


def with_tv_tensors(image, mask, seed):
    size = image.shape[-2:]
    ratio = size[1] / size[0]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        crop = v2.Compose(
            [v2.RandomResizedCrop(size, scale=(0.5, 1), ratio=(0.9 * ratio, 1.1 * ratio)), v2.RandomHorizontalFlip()]
        )
        image, mask = crop(tv_tensors.Image(image), tv_tensors.Mask(mask))
    return image.as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor)


def by_looking_up_places(image, mask, seed):
    top, left, height, width, flip = drawn(image, seed)
    rows = top + (torch.arange(image.shape[1]) * height) // image.shape[1]
    columns = left + (torch.arange(image.shape[2]) * width) // image.shape[2]
    columns = columns.flip(0) if flip else columns
    return image[:, rows][:, :, columns], mask[rows][:, columns]


class Moves:
    """A class that can be called, and a grid to sample from."""

    def __call__(self, image, mask, seed):
        top, left, height, width, flip = drawn(image, seed)
        y = (top + (torch.arange(image.shape[1]) + 0.5) * height / image.shape[1]) / image.shape[1] * 2 - 1
        x = (left + (torch.arange(image.shape[2]) + 0.5) * width / image.shape[2]) / image.shape[2] * 2 - 1
        x = x.flip(0) if flip else x
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]
        options = {"align_corners": False, "padding_mode": "border"}
        image = F.grid_sample(image[None], grid, "bilinear", **options)[0]
        return image, F.grid_sample(mask[None, None].float(), grid, "nearest", **options)[0, 0].long()


def with_a_grid(image, mask, seed):
    return Moves()(image, mask, seed)


# boundary_iou


def eroded(masks, width, *, edge=0.0):
    x = F.pad(masks[:, None].float(), (width,) * 4, value=edge)
    return -F.max_pool2d(-x, 2 * width + 1, stride=1)[:, 0] > 0


def dilated(masks, width):
    return F.max_pool2d(masks[:, None].float(), 2 * width + 1, stride=1, padding=width)[:, 0] > 0


def share(a, b):
    either = (a | b).sum().item()
    return (a & b).sum().item() / either if either else 1.0


def bands(masks, width):
    return masks & ~eroded(masks, width)


def whole_masks(preds, masks, width):
    return share(preds, masks)


def one_value_per_picture(preds, masks, width):
    values = [share(bands(p[None], width), bands(m[None], width)) for p, m in zip(preds, masks, strict=True)]
    return sum(values) / len(values)


def bands_on_both_sides(preds, masks, width):
    a, b = (dilated(x, width) & ~eroded(x, width) for x in (preds, masks))
    return share(a, b)


def bands_outside(preds, masks, width):
    return share(dilated(preds, width) & ~preds, dilated(masks, width) & ~masks)


def bands_too_narrow(preds, masks, width):
    a, b = (bands(x, width - 1) if width > 1 else torch.zeros_like(x) for x in (preds, masks))
    return share(a, b)


def bands_too_wide(preds, masks, width):
    return share(bands(preds, width + 1), bands(masks, width + 1))


def without_the_edge(preds, masks, width):
    a, b = (x & ~eroded(x, width, edge=1.0) for x in (preds, masks))
    return share(a, b)


def interiors(preds, masks, width):
    return share(eroded(preds, width), eroded(masks, width))


def dice_of_bands(preds, masks, width):
    value = share(bands(preds, width), bands(masks, width))
    return 2 * value / (1 + value)


def empty_counts_zero(preds, masks, width):
    a, b = bands(preds, width), bands(masks, width)
    return (a & b).sum().item() / max(1, (a | b).sum().item())


def nan_for_empty(preds, masks, width):
    a, b = bands(preds, width), bands(masks, width)
    return (a & b).sum() / (a | b).sum()


def borders_of_nothing(preds, masks, width):
    pass


def always_perfect_border(preds, masks, width):
    return 1.0


def by_scipy(preds, masks, width):
    from scipy.ndimage import binary_erosion

    square = [[[True] * (2 * width + 1)] * (2 * width + 1)]
    a, b = (x.numpy() & ~binary_erosion(x.numpy(), square, border_value=0) for x in (preds, masks))
    return 1.0 if not (a | b).any() else float((a & b).sum() / (a | b).sum())


def by_shifting(preds, masks, width):
    def band(x):
        height, wide = x.shape[-2:]
        padded = F.pad(x, (width,) * 4)
        interior = x.clone()
        for row in range(2 * width + 1):
            for column in range(2 * width + 1):
                interior &= padded[:, row : row + height, column : column + wide]
        return x ^ interior

    return torch.tensor(share(band(preds), band(masks)))


# investigation


def _record(**changes):
    better = [round(value + 0.03 + 0.01 * (i % 2), 3) for i, value in enumerate(BASELINE[:5])]
    return {
        "question": "does a wider head raise the mIoU on the validation scenes?",
        "expected": "better",
        "baseline": list(BASELINE[:5]),
        "changed": better,
        "concluded": "better",
        **changes,
    }


def no_question():
    return _record(question="?")


def three_seeds():
    return _record(baseline=list(BASELINE[:3]), changed=[value + 0.01 for value in BASELINE[:3]])


def in_per_cent():
    return _record(changed=[value * 100 for value in BASELINE[:5]])


def another_baseline():
    return _record(baseline=[value - 0.1 for value in BASELINE[:5]])


def nothing_changed():
    return _record(changed=list(BASELINE[:5]), concluded="cannot tell")


def concludes_from_the_means():
    noisy = [value + shift for value, shift in zip(BASELINE[:5], (0.1, -0.05, 0.06, -0.08, 0.0), strict=True)]
    return _record(changed=noisy)


def a_record_without_conclusion():
    record = _record()
    del record["concluded"]
    return record


def an_honest_record():
    return _record()


def it_got_worse():
    worse = [round(value - 0.04 - 0.01 * (i % 3), 3) for i, value in enumerate(BASELINE)]
    return _record(baseline=list(BASELINE), changed=worse, concluded="worse")


# swap_seg_head


def is_lraspp(model):
    return hasattr(model.classifier, "low_classifier")


def fresh(old, n):
    return nn.Conv2d(old.in_channels, n, 1)


def swap_lraspp(model, n):
    for name in ("low_classifier", "high_classifier"):
        setattr(model.classifier, name, fresh(getattr(model.classifier, name), n))


def heads_of(model):
    return [head for head in (model.classifier, model.aux_classifier) if head is not None]


def forgets_the_auxiliary(model, n):
    if is_lraspp(model):
        swap_lraspp(model, n)
    else:
        model.classifier[-1] = fresh(model.classifier[-1], n)
    return model


def only_the_last_layer(model, n):
    name, last = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d)][-1]
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, fresh(last, n))
    return model


def edits_the_attribute(model, n):
    for part in model.modules():
        if isinstance(part, nn.Conv2d) and part.out_channels == part.weight.shape[0] == 9:
            part.out_channels = n
    return model


def by_21_outputs(model, n):
    for name, part in list(model.named_modules()):
        if isinstance(part, nn.Conv2d) and part.out_channels == 21:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, fresh(part, n))
    return model


def the_two_with_21_outputs(model, n):
    first, second = (name for name, part in model.named_modules() if getattr(part, "out_channels", 0) == 21)
    for name in (first, second):
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, fresh(model.get_submodule(name), n))
    return model


def throws_the_auxiliary_away(model, n):
    forgets_the_auxiliary(model, n)
    if hasattr(model, "aux_classifier"):
        model.aux_classifier = None
    return model


def a_whole_new_head(model, n):
    if is_lraspp(model):
        swap_lraspp(model, n)
        return model
    model.classifier = DeepLabHead(12, n, [1, 2, 3]).eval()
    model.aux_classifier[-1] = fresh(model.aux_classifier[-1], n)
    return model


def background_on_top(model, n):
    return every_last_layer(model, n + 1)


def zeros(model, n):
    every_last_layer(model, n)
    for part in model.modules():
        if isinstance(part, nn.Conv2d) and part.out_channels == n:
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
    return model


def also_the_backbone(model, n):
    every_last_layer(model, n)
    for part in model.backbone.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return model


def swap_of_nothing(model, n):
    pass


def model_as_it_was(model, n):
    return model


def a_list_of_layers(model, n):
    return list(every_last_layer(model, n).children())


def every_last_layer(model, n):
    if is_lraspp(model):
        swap_lraspp(model, n)
    else:
        for head in heads_of(model):
            head[-1] = fresh(head[-1], n)
    return model


def by_its_number_of_outputs(model, n):
    """Every 1 x 1 convolution with a bias is a classifier in these models."""
    for name, part in list(model.named_modules()):
        if isinstance(part, nn.Conv2d) and part.bias is not None:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.Conv2d(part.in_channels, n, 1, bias=True))
    return model


class Swapped(nn.Module):
    """The old model inside, its last layers given new weights instead of being exchanged."""

    def __init__(self, model, n):
        super().__init__()
        self.model = model
        for part in model.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                part.out_channels = n
                part.weight = nn.Parameter(torch.randn(n, *part.weight.shape[1:]) / 10)
                part.bias = nn.Parameter(torch.zeros(n))

    def forward(self, x):
        return self.model(x)


def with_new_weights(model, n):
    return Swapped(model, n)


def relu_behind(model, n):
    if hasattr(model.classifier, "low_classifier"):
        return every_last_layer(model, n)
    for head in filter(None, (model.classifier, model.aux_classifier)):
        head[-1] = nn.Sequential(nn.Conv2d(head[-1].in_channels, n, 1), nn.ReLU())
    return model


WRONG = {
    "07-measure-overlap": {
        mean_over_pictures: "one mIoU per picture",
        pixel_accuracy: "pixel accuracy",
        absent_counts_zero: "counted as 0",
        absent_counts_one: "counted as 1",
        void_as_a_class: "one more class",
        void_in_the_union: "still in the union",
        dice: "Dice",
        recall: "recall",
        all_classes_together: "counted together",
        without_background: "background was left out",
        one_value_a_class: "one value per class",
        classes_of_the_masks_alone: "predicted but never true",
        miou_of_nothing: "returned None",
        always_a_half: "0.5",
        always_perfect: "1",
        only_the_first_picture: "5 pictures",
    },
    "07-write-loss": {
        void_as_background: "relabelled as background",
        void_as_the_last_class: "relabelled as the last class",
        nothing_ignored: "255",
        diluted_by_void: "dilute it",
        nan_for_all_void: "0 / 0",
        auxiliary_forgotten: "auxiliary output was forgotten",
        auxiliary_counts_whole: "take half",
        summed_over_pixels: "sum over pixels",
        softmax_before: "double softmax",
        cut_off: "cut the loss off",
        a_number: "plain float",
        no_graph_for_all_void: "a loss without a graph cannot be trained on",
        loss_of_nothing: "returned None",
        always_zero: "pixels void",
        a_mean_a_picture: "one mean per picture",
    },
    "07-transform-jointly": {
        bilinear_mask: "a third class that nobody drew",
        bilinear_floats: "names, not quantities",
        scaled_like_a_picture: "divided by 255",
        mask_left_behind: "the mask stayed as it was",
        two_draws: "draw once",
        flipped_apart: "flipped independently",
        only_the_picture_flipped: "the picture was flipped and the mask never",
        only_the_mask_flipped: "the mask was flipped and the picture never",
        up_and_down: "the wrong axis",
        the_mask_upside_down: "the mask was turned upside down",
        mask_of_zeros: "lost labels",
        normalised_on_the_way: "their colours stay as they are",
        never_flipped: "the flip is random as well",
        always_half: "size of the window is random",
        always_top_left: "position of the window is random",
        always_in_the_middle: "position of the window is random",
        full_width: "draw its height and its width",
        upside_down: "upside down",
        only_flipped: "size of the window is random",
        tiny_windows: "at least half",
        seed_ignored: "cannot be repeated",
        the_same_for_every_seed: "`seed` is ignored",
        generator_not_seeded: "`seed` is ignored",
        as_it_was: "nothing was transformed",
        window_not_resized: "share a batch",
        channel_axis_left_on: "take [0]",
        only_the_picture: "return image, mask",
        transform_of_nothing: "returned None",
        transformed_by_the_library: "write it yourself",
    },
    "07-compare-borders": {
        whole_masks: "the whole masks",
        one_value_per_picture: "one value per picture",
        bands_on_both_sides: "both sides",
        bands_outside: "outside the masks",
        bands_too_narrow: "too narrow",
        bands_too_wide: "too wide",
        without_the_edge: "the edge of the picture",
        interiors: "the interiors",
        dice_of_bands: "Dice",
        empty_counts_zero: "agree completely",
        nan_for_empty: "agree completely",
        borders_of_nothing: "returned None",
        always_perfect_border: "the IoU of two bands",
    },
    "07-investigate-a-change": {
        no_question: "without its question",
        three_seeds: "fewer than 5 seeds",
        in_per_cent: "between 0 and 1",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        concludes_from_the_means: "includes zero",
        a_record_without_conclusion: "no 'concluded'",
    },
    "07-swap-classifiers": {
        forgets_the_auxiliary: "auxiliary classifier was forgotten",
        only_the_last_layer: "both must have n",
        edits_the_attribute: "never reads",
        by_21_outputs: "looks for layers with 21 outputs; this model has 9",
        the_two_with_21_outputs: "looks for layers with 21 outputs; this model has 9",
        throws_the_auxiliary_away: "was removed",
        a_whole_new_head: "one new linear layer stands behind",
        background_on_top: "background is one of the n classes",
        zeros: "each channel varies",
        relu_behind: "a ReLU behind them",
        also_the_backbone: "one new linear layer stands behind",
        swap_of_nothing: "returned None",
        model_as_it_was: "one output per old class",
        a_list_of_layers: "return the model",
    },
}

RIGHT = {
    "07-measure-overlap": [from_a_confusion_matrix, with_sets_of_places],
    "07-write-loss": [by_the_labelled_pixels_alone, as_a_module, zero_times_the_logits],
    "07-transform-jointly": [same_scale_for_both_sides, with_tv_tensors, by_looking_up_places, with_a_grid],
    "07-compare-borders": [by_scipy, by_shifting],
    "07-investigate-a-change": [an_honest_record, it_got_worse],
    "07-swap-classifiers": [every_last_layer, by_its_number_of_outputs, with_new_weights],
}
