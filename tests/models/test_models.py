import copy

import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision.models import get_model

from course.errors import HeadNotFound, ModelError
from course.models.backbones import categories, image_transform, load_backbone
from course.models.freezing import freeze, is_frozen, set_train, trainable_parameters, unfreeze
from course.models.heads import find_head, replace_head
from course.models.parameter_groups import param_groups, stages

# library, name, the head's name, the number of stages, head included
ARCHITECTURES = [
    ("torchvision", "resnet18", "fc", 6),
    ("torchvision", "resnet101", "fc", 6),
    ("torchvision", "vgg11", "classifier.6", 8),
    ("torchvision", "vgg16_bn", "classifier.6", 8),
    ("torchvision", "efficientnet_b0", "classifier.1", 10),
    ("torchvision", "mobilenet_v2", "classifier.1", 20),
    ("torchvision", "mobilenet_v3_small", "classifier.3", 15),
    ("torchvision", "convnext_tiny", "classifier.2", 9),
    ("torchvision", "vit_b_16", "heads.head", 14),
    ("torchvision", "swin_t", "head", 9),
    ("torchvision", "squeezenet1_1", "classifier.1", 10),
    ("torchvision", "densenet121", "classifier", 9),
    ("timm", "resnet18", "fc", 6),
    ("timm", "efficientnet_lite0", "classifier", 10),
    ("timm", "vit_tiny_patch16_224", "head", 14),
    ("timm", "convnext_atto", "head.fc", 6),
    ("timm", "swin_tiny_patch4_window7_224", "head.fc", 6),
    ("timm", "mobilenetv3_small_050", "classifier", 9),
]
every_architecture = pytest.mark.parametrize(
    ("library", "name", "head", "depth"), ARCHITECTURES, ids=[f"{row[0]}-{row[1]}" for row in ARCHITECTURES]
)


def random_model(library, name, device="meta"):
    with torch.device(device):
        return get_model(name, weights=None) if library == "torchvision" else timm.create_model(name)


def tiny_net(seed=0):
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    return nn.ModuleDict({"features": features, "pool": nn.AdaptiveAvgPool2d(1), "answer": nn.Linear(4, 5)})


def forward(net, x):
    return net["answer"](net["pool"](net["features"](x)).flatten(1))


@pytest.fixture(scope="module")
def lite0():
    return load_backbone()


def top_classes(model, picture, k):
    with torch.inference_mode():
        scores = model(image_transform(model)(picture)[None])[0]
    return [categories(model)[index] for index in scores.topk(k).indices]


def test_the_bundled_model_knows_a_chinese_palace_and_a_flower(lite0):
    china, flower = (Image.fromarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower"))
    assert top_classes(lite0, china, 1) == ["palace"]
    assert top_classes(lite0, flower, 1) == ["daisy"]  # the nearest to a dahlia among ImageNet's classes


def test_the_bundled_model_comes_in_eval_mode_and_channels_last(lite0):
    assert not any(module.training for module in lite0.modules())
    assert lite0.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)


def test_random_weights_come_from_the_global_generator():
    torch.manual_seed(5)
    first = load_backbone("efficientnet_lite0", weights=None)
    torch.manual_seed(5)
    again, other = load_backbone("efficientnet_lite0", weights=None), load_backbone("efficientnet_lite0", weights=None)
    assert torch.equal(first.conv_stem.weight, again.conv_stem.weight)
    assert not torch.equal(first.conv_stem.weight, other.conv_stem.weight)


@pytest.mark.parametrize("name", ["timm/mobilenetv3_small_050", "convnext_atto", "squeezenet1_1"])
def test_any_name_of_timm_and_torchvision_loads_with_a_head_of_ones_own(name):
    model = load_backbone(name, weights=None, num_classes=3)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_the_bundled_transform_crops_to_224_and_scales_to_minus_one_and_one(lite0):
    white = image_transform(lite0)(Image.new("RGB", (300, 400), "white"))
    assert white.shape == (3, 224, 224)
    assert white.min() == white.max() == 1
    assert image_transform(lite0)(Image.new("RGB", (300, 400))).max() == -1


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "vit_b_16", "convnext_atto"])
def test_a_square_picture_of_the_size_asked_for_keeps_every_pixel(name):
    with torch.device("meta"):
        model = load_backbone(name, weights=None)
    picture = Image.fromarray(load_sample_image("china.jpg")).resize((96, 96))
    transformed = image_transform(model, size=96)(picture)
    assert transformed.shape == (3, 96, 96)
    red = torch.tensor(list(picture.getchannel(0).tobytes()), dtype=torch.float32).view(96, 96)
    correlation = torch.corrcoef(torch.stack([red.flatten(), transformed[0].flatten()]))[0, 1]
    assert correlation > 0.9999  # a normalisation is linear; a resampled or cropped picture is not


def test_a_transform_says_all_it_does_and_nothing_of_where_it_lives(lite0):
    texts = {repr(image_transform(lite0, size=size)) for size in (None, None, 96)}
    assert len(texts) == 2
    assert not any(" at 0x" in text for text in texts)
    assert "0.5" in texts.pop()


def test_torchvision_models_take_the_transform_of_their_own_weights():
    with torch.device("meta"):
        model = load_backbone("efficientnet_b1", weights=None)
    assert "crop_size=[240]" in repr(image_transform(model))
    assert len(categories(model)) == 1000


def test_a_model_from_elsewhere_has_no_known_transform():
    with pytest.raises(ModelError, match="does not come from load_backbone"):
        image_transform(get_model("squeezenet1_1", weights=None))


@every_architecture
def test_the_head_is_found_by_structure(library, name, head, depth):
    model = random_model(library, name)
    found = find_head(model)
    assert found.name == head
    assert found.module is model.get_submodule(head)
    assert found.module.weight.shape[:2] == (1000, found.in_features)


@every_architecture
def test_a_new_head_is_the_only_thing_that_changes(library, name, head, depth):
    model = random_model(library, name)
    before = dict(model.named_parameters())
    assert replace_head(model, 7) is model
    after = dict(model.named_parameters())
    assert list(after) == list(before)
    changed = {key for key in after if after[key] is not before[key]}
    assert changed == {f"{head}.weight", f"{head}.bias"}
    assert model.get_submodule(head).weight.shape[0] == 7


@every_architecture
def test_stages_run_from_the_input_to_the_head_and_hold_every_parameter_once(library, name, head, depth):
    model = random_model(library, name)
    found = stages(model)
    assert len(found) == depth
    held = [parameter for _, stage in found for parameter in stage.parameters()]
    assert len(held) == len(set(held))
    assert set(held) == set(model.parameters())
    assert next(model.parameters()) in set(found[0][1].parameters())
    assert found[-1] == (head, model.get_submodule(head))
    assert not any("norm" in stage_name.split(" to ")[0] for stage_name, _ in found)


@every_architecture
def test_param_groups_are_disjoint_complete_and_monotone_in_depth(library, name, head, depth):
    model = random_model(library, name)
    groups = param_groups(model, 0.1, decay=0.5, weight_decay=0.01)
    torch.optim.SGD(groups)  # refuses a parameter that is there twice
    assert {parameter for group in groups for parameter in group["params"]} == set(model.parameters())
    assert [group["lr"] for group in groups] == [0.1 * 0.5**depth for depth in range(depth)]
    assert groups[0]["params"] == list(model.get_submodule(head).parameters())
    assert {group["weight_decay"] for group in groups} == {0.01}


def test_frozen_stages_are_in_no_group_but_count_as_depth():
    model = random_model("torchvision", "resnet18")
    freeze(model.layer4)
    names_and_rates = [(group["name"], group["lr"]) for group in param_groups(model, 1.0, decay=0.5)]
    assert names_and_rates[:2] == [("fc", 1.0), ("layer3", 0.25)]


def test_a_tied_weight_is_in_one_group_the_one_nearest_the_head():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    groups = param_groups(model, 1.0)
    torch.optim.SGD(groups)
    assert any(parameter is model[0].weight for parameter in groups[0]["params"])


def test_a_text_encoder_has_its_layers_as_stages():
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=11, hidden_size=8, num_hidden_layers=5, num_attention_heads=2, intermediate_size=16, num_labels=3
    )
    names = [name for name, _ in stages(BertForSequenceClassification(config))]
    assert names == ["bert.embeddings", *(f"bert.encoder.layer.{i}" for i in range(5)), "bert.pooler", "classifier"]


@pytest.mark.parametrize("name", ["vgg11", "squeezenet1_1"])
def test_convolutions_between_two_poolings_are_one_stage(name):
    model = random_model("torchvision", name)
    first = dict(stages(model))["features.6 to features.8" if name == "vgg11" else "features.0"]
    assert sum(isinstance(module, nn.Conv2d) for module in first.modules()) == (2 if name == "vgg11" else 1)


def test_a_model_that_ends_in_another_layer_is_refused_with_the_candidates():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    with pytest.raises(
        HeadNotFound, match=r"the last layer of Sequential, '2', is LayerNorm.*pass head= one of \['0', '1"
    ):
        find_head(model)
    assert find_head(model, head="1").in_features == 4
    with pytest.raises(HeadNotFound, match="'fc', is missing"):
        find_head(model, head="fc")
    with pytest.raises(HeadNotFound, match="is Conv2d, not a Linear"):
        find_head(nn.Sequential(nn.Conv2d(3, 8, 3)))


def test_a_model_without_layers_has_no_head():
    with pytest.raises(HeadNotFound):
        find_head(nn.ReLU())
    with pytest.raises(HeadNotFound):
        find_head(nn.Linear(2, 2))  # nothing holds it, so nothing could hold its replacement


def test_two_heads_are_not_taken_for_one():
    model = random_model("timm", "deit_tiny_distilled_patch16_224")
    with pytest.raises(HeadNotFound, match=r"2 heads; pass head= one of \['head', 'head_dist'\]"):
        find_head(model)
    assert find_head(model, head="head").name == "head"


def test_a_new_head_follows_its_seed_and_leaves_the_global_generator_alone():
    first, again, other = (replace_head(tiny_net(), 3, seed=seed)["answer"] for seed in (1, 1, 2))
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)
    assert not torch.equal(first.weight, other.weight)
    net, state = tiny_net(), torch.get_rng_state()
    replace_head(net, 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_new_head_keeps_precision_mode_and_bias_and_is_trainable():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5, bias=False)).double().eval()
    head = replace_head(freeze(model), 2)[1]
    assert head.weight.dtype == torch.float64
    assert not head.training
    assert head.bias is None
    assert trainable_parameters(model) == [head.weight]
    assert 0 < head.weight.abs().max() <= 0.5  # 1 / sqrt(4), as torch would draw it


def test_the_one_by_one_head_of_squeezenet_is_replaced_by_another():
    model = replace_head(get_model("squeezenet1_1", weights=None), 3).eval()
    assert isinstance(find_head(model).module, nn.Conv2d)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    assert model.num_classes == 3


@pytest.mark.parametrize("num_classes", [0, -1, 2.5, "ten"])
def test_an_impossible_number_of_classes_is_refused(num_classes):
    with pytest.raises(ModelError, match="positive whole number"):
        replace_head(tiny_net(), num_classes)


def test_freezing_keeps_parameters_and_buffers_still_through_a_training_step():
    net = tiny_net()
    assert freeze(net["features"]) is net["features"]
    before = copy.deepcopy(net.state_dict())
    set_train(net)
    optimizer = torch.optim.SGD(trainable_parameters(net), lr=0.1, weight_decay=0.1)
    forward(net, torch.randn(8, 3, 6, 6) * 9 + 4).square().mean().backward()
    optimizer.step()
    moved = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"answer.weight", "answer.bias"}


def test_plain_train_mode_moves_the_buffers_that_set_train_keeps_still():
    net = tiny_net()
    freeze(net["features"])
    before = net["features"][1].running_mean.clone()
    net.train()
    forward(net, torch.randn(8, 3, 6, 6) + 4)
    assert not torch.equal(net["features"][1].running_mean, before)


def test_set_train_trains_the_rest_and_freezes_dropout_with_its_block():
    net = tiny_net()
    freeze(net["features"])
    assert set_train(net.eval()) is net
    assert net.training
    assert net["answer"].training
    assert not net["features"][3].training
    unfreeze(net["features"])
    set_train(net)
    assert all(module.training for module in net.modules())


def test_freezing_drops_gradients_that_an_optimizer_could_still_apply():
    net = tiny_net()
    forward(net, torch.ones(2, 3, 4, 4)).sum().backward()
    freeze(net)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_is_frozen_is_about_parameters():
    net = tiny_net()
    assert not is_frozen(net)
    assert is_frozen(freeze(net))
    assert not is_frozen(nn.ReLU())
    net["answer"].bias.requires_grad = True
    assert not is_frozen(net)
    assert trainable_parameters(net) == [net["answer"].bias]
    assert len(trainable_parameters(unfreeze(net))) == 6
