import copy

import pytest
import timm
import torch
from torch import nn

from course.errors import ModelError
from course.models.backbones import load_backbone
from course.models.freezing import set_train, trainable_parameters
from course.models.lora import LoRALinear, add_lora, merge_lora

BASES = [
    lambda: nn.Linear(6, 5),
    lambda: nn.Linear(6, 5, bias=False),
    lambda: nn.Conv2d(6, 5, 1),
    lambda: nn.Conv2d(6, 5, 1, stride=2),
]


def inputs_of(base):
    torch.manual_seed(1)
    return torch.randn(4, 6, 8, 8) if isinstance(base, nn.Conv2d) else torch.randn(4, 6)


@pytest.mark.parametrize("make", BASES)
def test_lora_starts_as_its_base_learns_with_both_factors_and_merges_exactly(make):
    torch.manual_seed(0)
    base = make()
    x, expected = inputs_of(base), base(inputs_of(base))
    weight = base.weight.detach().clone()
    layer = LoRALinear(base, 2, 6)
    assert torch.equal(layer(x), expected)
    optimizer = torch.optim.SGD(trainable_parameters(layer), lr=0.1)
    start = [layer.down.weight.detach().clone(), layer.up.weight.detach().clone()]
    for _ in range(2):
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()
    assert not torch.equal(layer.down.weight, start[0])
    assert not torch.equal(layer.up.weight, start[1])
    assert torch.equal(base.weight, weight)
    learned = layer(x)
    assert not torch.allclose(learned, expected, atol=1e-3)
    torch.testing.assert_close(layer.merged()(x), learned)


def test_the_update_is_scaled_by_alpha_over_rank():
    layer = LoRALinear(nn.Linear(2, 2), 4, 12)
    nn.init.ones_(layer.up.weight)
    x = torch.ones(1, 2)
    torch.testing.assert_close(layer(x) - layer.base(x), 3 * layer.up(layer.down(x)))


@pytest.mark.parametrize(
    "make", [lambda: timm.create_model("vit_tiny_patch16_224", depth=2, img_size=32), load_backbone]
)
def test_a_model_with_factors_says_the_same_learns_little_and_merges_back(make):
    torch.manual_seed(0)
    model = make().eval()
    structure, x = repr(model), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(x)
        assert add_lora(model, rank=2) is model
        torch.testing.assert_close(model(x), expected)
        for module in model.modules():
            if isinstance(module, LoRALinear):
                nn.init.normal_(module.up.weight, std=0.01)
        learned = model(x)
        assert not torch.allclose(learned, expected, atol=1e-3)
        merge_lora(model)
        torch.testing.assert_close(model(x), learned, atol=1e-4, rtol=1e-4)
    assert repr(model) == structure


def test_only_the_head_and_the_factors_move():
    model = timm.create_model("vit_tiny_patch16_224", depth=1, img_size=32, num_classes=4)
    add_lora(model)
    before = copy.deepcopy(model.state_dict())
    set_train(model)
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=0.1)
    for _ in range(2):
        model(torch.randn(2, 3, 32, 32)).square().mean().backward()
        optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    factors = {name for name in before if ".up." in name or ".down." in name}
    assert moved == factors | {"head.weight", "head.bias"}
    assert factors


@pytest.mark.parametrize("match", ["qkv", lambda name, layer: layer.out_features == 3 * layer.in_features])
def test_match_chooses_the_layers(match):
    model = add_lora(timm.create_model("vit_tiny_patch16_224", depth=2, img_size=32), match=match)
    adapted = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    assert adapted == ["blocks.0.attn.qkv", "blocks.1.attn.qkv"]


def test_factors_follow_the_seed_and_differ_between_layers():
    def downs(seed):
        model = add_lora(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)), seed=seed)
        return [layer.down.weight for layer in model if isinstance(layer, LoRALinear)]

    first, again, other = downs(0), downs(0), downs(9)
    assert len(first) == 2
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_impossible_factors_are_refused():
    with pytest.raises(ModelError, match="rank=0"):
        LoRALinear(nn.Linear(2, 2), 0)
    with pytest.raises(ModelError, match="1 x 1 convolutions, not Conv2d"):
        LoRALinear(nn.Conv2d(3, 3, 3))
    with pytest.raises(ModelError, match="match='nothing'"):
        add_lora(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), match="nothing")
    model = add_lora(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    with pytest.raises(ModelError, match="merge_lora"):
        add_lora(model)
