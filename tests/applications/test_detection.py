"""The detector on a pretrained trunk: what learns, what stands still, what fit and the measures make of it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.detection import MeanAveragePrecision

from course.applications import detection
from course.applications.detection import (
    DetectorOnFeatureMaps,
    average_precision,
    backbone_stages,
    collate,
    detect,
    detection_loss,
    load_detector,
    measure_ap,
    precompute_feature_maps,
    replace_predictor,
    to_sample,
    train_last_stages,
)
from course.data.scenes import Scenes
from course.errors import EmptyData, ModelError, TrainingError
from course.models.freezing import set_train
from course.training.loop import evaluate, fit
from tests.benchmarks.transfer.detection import AP50

SCENES = Scenes("train", 6, size=64, seed=2, transform=to_sample)


@pytest.fixture
def model():
    return train_last_stages(load_detector(10, size=64), 0)


def loader(samples=SCENES, **options):
    return DataLoader(samples, batch_size=3, collate_fn=collate, **options)


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def moved(module, before):
    return [name for name, value in module.state_dict().items() if not torch.equal(value, before[name])]


def drawn_findings(seed, pictures=8):
    """Findings near the truth, in part of the wrong class, with doubles and false alarms."""
    rng = torch.Generator().manual_seed(seed)
    found, targets = [], []
    for _ in range(pictures):
        n = int(torch.randint(0, 4, (), generator=rng))
        corners = torch.rand(n, 2, generator=rng) * 60
        boxes = torch.cat([corners, corners + 20 + 20 * torch.rand(n, 2, generator=rng)], 1)
        labels = torch.randint(1, 4, (n,), generator=rng)
        near = torch.cat([boxes + torch.randn(n, 4, generator=rng) * 3 for _ in range(2)])
        wrong = torch.where(torch.rand(2 * n, generator=rng) < 0.3, 1, labels.repeat(2))
        found.append({"boxes": near, "labels": wrong, "scores": torch.rand(2 * n, generator=rng)})
        targets.append({"boxes": boxes, "labels": labels})
    return found, targets


def test_a_detector_has_as_many_scores_as_classes_and_background(model):
    assert model.roi_heads.box_predictor.cls_score.out_features == 11
    assert model.roi_heads.box_predictor.bbox_pred.out_features == 44


def test_in_train_mode_it_gives_losses_and_in_eval_mode_boxes(model):
    inputs, _ = collate([SCENES[0], SCENES[1]])
    assert set(model(**inputs)) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    found = model.eval()(inputs["images"])
    assert [set(one) for one in found] == [{"boxes", "labels", "scores"}] * 2


def test_the_trunk_is_pretrained_unless_asked_otherwise_and_the_rest_follows_the_seed():
    first, again, other, random = (
        load_detector(3, size=64),
        load_detector(3, size=64),
        load_detector(3, size=64, seed=1),
        load_detector(3, size=64, weights=None),
    )
    assert not moved(again, state(first))
    assert not moved(other.backbone.body, state(first.backbone.body))
    assert moved(other.roi_heads, state(first.roi_heads))
    assert moved(random.backbone.body, state(first.backbone.body))
    assert not moved(random.backbone.neck, state(first.backbone.neck))
    assert not moved(random.roi_heads, state(first.roi_heads))


def test_making_a_detector_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_detector(3, size=64, weights=None)
    assert torch.equal(torch.rand(3), expected)


def test_fit_trains_it_while_the_frozen_trunk_stands_still_buffers_included(model):
    trunk, rest = state(model.backbone.body), state(model.roi_heads)
    torch.manual_seed(0)
    history = fit(model, loader(), epochs=2, lr=3e-3, loss_fn=detection_loss, device="cpu", verbose=False)
    assert not moved(model.backbone.body, trunk)
    assert moved(model.roi_heads, rest)
    assert np.isfinite(history["train_loss"]).all()


def test_a_batch_that_is_too_large_for_memory_is_trained_in_parts(model, monkeypatch):
    original, sizes = model.forward, []

    def forward(images, targets=None):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return original(images, targets)

    monkeypatch.setattr(model, "forward", forward)
    fit(model, loader(), epochs=1, loss_fn=detection_loss, device="cpu", verbose=False)
    assert sizes[0] == 3
    assert set(sizes[1:]) == {1}


def test_on_kept_maps_losses_and_gradients_are_those_of_the_detector(model):
    gradients = []
    for network, samples in (
        (model, [*SCENES]),
        (DetectorOnFeatureMaps(model), precompute_feature_maps(model, SCENES)),
    ):
        set_train(network)
        network.zero_grad()
        torch.manual_seed(0)  # proposals are sampled
        if network is not model:
            for _ in samples:
                torch.empty(1).uniform_()  # torchvision draws one for each picture that it resizes
        inputs, targets = collate(samples)
        loss = detection_loss(network(**inputs), targets)
        loss.backward()
        gradients.append([loss, *(parameter.grad for parameter in DetectorOnFeatureMaps(model).parameters())])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_what_is_found_on_kept_maps_is_what_is_found_on_the_pictures(model):
    direct, targets = detect(model, loader(), device="cpu")
    kept, _ = detect(DetectorOnFeatureMaps(model), loader(precompute_feature_maps(model, SCENES)), device="cpu")
    assert len(direct) == len(targets) == len(SCENES)
    for one, other in zip(direct, kept, strict=True):
        assert torch.allclose(one["scores"], other["scores"], atol=1e-4)


def test_detecting_gives_every_module_its_mode_back(model):
    modes = [module.training for module in model.modules()]
    detect(model, loader(), device="cpu")
    assert [module.training for module in model.modules()] == modes


def test_levels_are_frozen_from_the_picture_up(model):
    names = [name for name, _ in backbone_stages(model)]
    assert names == ["stem", *(f"block {i}" for i in range(7))]
    train_last_stages(model, 2)
    frozen = [not any(p.requires_grad for p in level.parameters()) for _, level in backbone_stages(model)]
    assert frozen == [True] * 6 + [False] * 2
    assert [level.training for _, level in backbone_stages(model)][-2:] == [True, True]
    assert all(p.requires_grad for p in model.roi_heads.parameters())
    train_last_stages(model, 0)
    assert not any(p.requires_grad for p in model.backbone.body.parameters())


@pytest.mark.parametrize("count", [-1, 9])
def test_levels_that_are_not_there_are_refused(model, count):
    with pytest.raises(ModelError, match="0 to 8"):
        train_last_stages(model, count)


def small_torchvision_detector():
    """A detector with torchvision's own pyramid, as get_model makes it, with random weights."""
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

    return fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, min_size=64, max_size=64)


def test_torchvisions_own_detectors_are_swapped_frozen_and_trained_alike(monkeypatch):
    monkeypatch.setattr(detection, "load_backbone", lambda name, weights: small_torchvision_detector())
    model = load_detector(2, "fasterrcnn_mobilenet_v3_large_320_fpn")
    assert model.roi_heads.box_predictor.cls_score.out_features == 3
    train_last_stages(model, 1)
    levels = backbone_stages(model)
    assert not any(p.requires_grad for p in levels[0][1].parameters())
    before = state(levels[0][1])
    scenes = Scenes("train", 2, size=64, transform=lambda scene: to_sample(scene._replace(labels=scene.labels % 2 + 1)))
    fit(model, loader(scenes), epochs=1, loss_fn=detection_loss, device="cpu", verbose=False)
    assert not moved(levels[0][1], before)


def test_what_gives_no_boxes_is_refused():
    with pytest.raises(ModelError, match="is not a detector"):
        load_detector(3, "resnet18", weights=None)
    with pytest.raises(ModelError, match="box_predictor"):
        replace_predictor(nn.Linear(2, 2), 3)


@pytest.mark.parametrize("classes", [0, 2.0, "three"])
def test_an_impossible_number_of_classes_is_refused(model, classes):
    with pytest.raises(ModelError, match="whole number from 1"):
        replace_predictor(model, classes)


def test_a_swap_touches_the_predictor_alone(model):
    before = state(model)
    replace_predictor(model, 4)
    changed = {name for name, value in model.state_dict().items() if value.shape != before[name].shape}
    assert all(name.startswith("roi_heads.box_predictor") for name in changed)
    assert not [
        name for name in before if name not in changed and not torch.equal(before[name], model.state_dict()[name])
    ]
    assert model.training


def test_a_validation_loader_is_refused_with_the_remedy(model):
    with pytest.raises(TrainingError, match="measure_ap"):
        evaluate(model, loader(), loss_fn=detection_loss, device="cpu")


def test_a_batch_keeps_pictures_and_targets_as_lists():
    inputs, targets = collate([(torch.rand(3, 8, 9), {"boxes": torch.zeros(0, 4)}), (torch.rand(3, 5, 5), {})])
    assert [image.shape[1:] for image in inputs["images"]] == [(8, 9), (5, 5)]
    assert inputs["targets"] is targets


def test_pictures_without_things_can_be_trained_on(model):
    blank = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    samples = [(torch.rand(3, 64, 64), blank), SCENES[0]]
    history = fit(model, loader(samples), epochs=1, loss_fn=detection_loss, device="cpu", verbose=False)
    assert np.isfinite(history["train_loss"]).all()


def test_nothing_to_compute_maps_of_is_an_error(model):
    with pytest.raises(EmptyData):
        precompute_feature_maps(model, [])


def test_average_precision_is_that_of_torchmetrics():
    found, targets = drawn_findings(0)
    metric = MeanAveragePrecision(iou_thresholds=[0.5], class_metrics=True)
    metric.update(found, targets)
    expected = metric.compute()
    measured = average_precision(found, targets, ["a", "b", "c"])
    assert measured.ap50 == pytest.approx(float(expected["map"]), abs=1e-6)
    assert list(measured.by_class.values()) == pytest.approx(expected["map_per_class"].tolist(), abs=1e-6)
    assert 0 < measured.ap < measured.ap50
    assert "AP50" in str(measured)


def test_a_perfect_detector_has_a_precision_of_1_and_classes_without_things_are_left_out():
    targets = [target for _, target in SCENES]
    found = [{**target, "scores": torch.ones(len(target["labels"]))} for target in targets]
    measured = average_precision(found, targets, Scenes.classes)
    assert measured.ap50 == pytest.approx(1)
    present = {Scenes.classes[label - 1] for target in targets for label in target["labels"].tolist()}
    assert set(measured.by_class) == present


def test_targets_without_a_thing_cannot_be_measured():
    blank = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for targets in ([], [blank]):
        with pytest.raises(EmptyData):
            average_precision([{**blank, "scores": torch.zeros(0)}] * len(targets), targets, ["a"])


def test_measuring_a_model_gives_its_precision(model):
    measured = measure_ap(model, loader(), Scenes.classes, device="cpu")
    assert 0 <= measured.ap50 <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_fast_precision_of_the_benchmark_is_that_of_torchmetrics_also_with_repeats(seed):
    found, targets = drawn_findings(seed, 12)
    fast = AP50(found, targets, 3)
    rng = np.random.default_rng(seed)
    for scenes in (np.arange(12), rng.integers(0, 12, 12), rng.integers(0, 12, 30)):
        chosen = [found[i] for i in scenes], [targets[i] for i in scenes]
        assert fast(scenes) == pytest.approx(average_precision(*chosen, ["a", "b", "c"]).ap50, abs=1e-6)
