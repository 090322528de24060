"""The pretended GPU refuses what a GPU refuses, and the library's own code gets through on it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from course.applications import detection
from course.applications.predictor import Predictor
from course.data.emoji import Emoji
from course.data.scenes import Scenes
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze
from course.models.heads import find_head, replace_head
from course.runtime import choose_device
from course.training.features import extract_features
from course.training.loop import evaluate, fit
from tests.pretend_gpu import GPU, pretended_gpu


@pytest.fixture
def gpu():
    with pretended_gpu():
        yield "cuda"


def test_there_is_a_gpu_in_the_block_and_none_after_it():
    before = choose_device()
    with pretended_gpu():
        assert choose_device() == ("cuda", "a pretended GPU")
        left = torch.ones(2, device="cuda")
        assert left.device == GPU and left.is_cuda
    assert choose_device() == before
    assert left.device.type == "cpu" and (left + torch.ones(2)).tolist() == [2, 2]


def test_a_tensor_left_on_the_other_device_is_refused(gpu):
    model, x = nn.Linear(3, 2), torch.ones(4, 3, device=gpu)
    with pytest.raises(RuntimeError, match="at least two devices"):
        model(x)
    with pytest.raises(RuntimeError, match="at least two devices"):
        x += torch.ones(4, 3)
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.ones(4)[torch.zeros(1, dtype=torch.int64, device=gpu)]
    assert model.to(gpu)(x).device == GPU
    with pytest.raises(RuntimeError, match="at least two devices"):
        model(x.cpu())


def test_numpy_wants_the_cpu(gpu):
    x = torch.ones(2).to(gpu)
    for read in (torch.Tensor.numpy, np.asarray):
        with pytest.raises(TypeError, match=r"Use Tensor.cpu\(\)"):
            read(x)
    assert x.cpu().numpy().tolist() == x.tolist() == [1, 1]


def test_views_gradients_and_what_is_made_alike_are_where_their_tensor_is(gpu):
    model, x = nn.Linear(3, 2).to(gpu), torch.ones(4, 3, device=gpu)
    model(x).sum().backward()
    found = [x[0], x.T, x.detach(), x.new_zeros(2), torch.zeros_like(x), x.to(torch.float64), model.weight.grad]
    assert [tensor.device for tensor in found] == [GPU] * len(found)
    assert x[torch.tensor([0, 1])].device == GPU  # the GPU takes indices from the CPU
    assert (x * torch.tensor(2.0)).device == GPU  # and single numbers
    torch.optim.AdamW(model.parameters()).step()
    assert model.weight.device == GPU
    for back in (x.cpu(), x.to("cpu"), x.to(torch.zeros(1)), torch.zeros(2).copy_(x[0, :2])):
        assert back.device.type == "cpu"


def test_a_recurrent_network_takes_its_lengths_from_the_cpu(gpu):
    texts, lengths = torch.ones(2, 4, 3, device=gpu, requires_grad=True), torch.tensor([2, 4])
    packed = nn.utils.rnn.pack_padded_sequence(texts, lengths, batch_first=True, enforce_sorted=False)
    _, last = nn.GRU(3, 2, batch_first=True).to(gpu)(packed)
    last.sum().backward()
    assert (packed.data.device, packed.batch_sizes.device.type, texts.grad.device) == (GPU, "cpu", GPU)


def test_training_measuring_features_and_predicting_get_through(gpu):
    backbone = load_backbone("efficientnet_lite0")
    transform = image_transform(backbone, size=48)
    data = Emoji("test", per_class=2, size=48, transform=transform)
    features = extract_features(backbone.to(gpu), data, cache=False)
    model = replace_head(freeze(backbone), 10, seed=0)
    assert features.x.device.type == "cpu"
    head = find_head(model).module
    for learns, batches in ((head, features.dataset()), (model, data)):
        fit(learns, DataLoader(batches, 10), DataLoader(batches, 10), epochs=2, verbose=False)
        assert evaluate(learns, DataLoader(batches, 10))["samples"] == 20
    assert head.weight.device == GPU
    predictor = Predictor(model, Emoji.classes, transform)
    assert len(predictor.predict([Emoji("test", per_class=1, transform=lambda picture: picture)[0][0]])) == 1


def test_a_checkpoint_of_the_gpu_is_taken_up_on_the_cpu(gpu, tmp_path):
    data = DataLoader(list(zip(torch.rand(8, 3), torch.arange(8) % 2, strict=True)), 4)
    for device, epochs in (("cuda", 1), ("cpu", 2), ("cuda", 3)):
        model = nn.Linear(3, 2)
        history = fit(model, data, epochs=epochs, device=device, checkpoint=tmp_path / "run", verbose=False)
        assert len(history) == epochs and model.weight.device.type == device


def test_a_detector_trains_and_finds(gpu):
    scenes = Scenes("train", 4, transform=detection.to_sample)
    model = detection.train_last_stages(detection.load_detector(len(scenes.classes)), 0)
    loader = DataLoader(scenes, 2, collate_fn=detection.collate)
    fit(model, loader, epochs=1, loss_fn=detection.detection_loss, verbose=False)
    kept = DataLoader(detection.precompute_feature_maps(model, scenes), 2, collate_fn=detection.collate)
    fit(detection.DetectorOnFeatureMaps(model), kept, epochs=1, loss_fn=detection.detection_loss, verbose=False)
    found, _ = detection.detect(model, loader)
    assert len(found) == 4 and found[0]["boxes"].device.type == "cpu"
