"""Grad-CAM against Captum, completeness, occlusion by hand, attention that sums to 1."""

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from course.applications.text_models import load_encoder
from course.applications.tokenization import load_tokenizer, tokenize
from course.errors import DataError, ModelError
from course.inspection.attribution import (
    attention_weights,
    fraction_inside_box,
    grad_cam,
    integrated_gradients,
    leave_one_word_out,
    occlusion,
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU()
    return nn.Sequential(*layers, nn.Dropout(0.5), nn.Flatten(), nn.Linear(5 * 64, 4)).train()


@pytest.fixture
def x():
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("target", [2, torch.tensor([0, 3, 1])])
def test_grad_cam_is_that_of_captum_and_leaves_the_model_as_it_was(network, x, frozen, target):
    network.requires_grad_(not frozen)
    found = grad_cam(network, network[2], x, target)
    assert found.shape == (3, 8, 8) and not found.requires_grad
    assert all(module.training and not module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    theirs = LayerGradCam(network.requires_grad_().eval(), network[2]).attribute(x, target, relu_attributions=True)
    assert torch.allclose(found, theirs[:, 0].detach(), atol=1e-6)


def test_grad_cam_of_a_linear_layer_says_what_it_needs(network, x):
    with pytest.raises(ModelError, match="use the last convolution"):
        grad_cam(network, network[6], x, 0)
    with pytest.raises(ModelError, match="runs once"):
        grad_cam(network, nn.Conv2d(1, 1, 1), x, 0)


def test_integrated_gradients_add_up_to_what_the_logit_gained(network, x):
    found = integrated_gradients(network, x, 1, baseline=0.2, steps=64)
    network.eval()
    with torch.no_grad():
        gained = (network(x) - network(torch.full_like(x, 0.2)))[:, 1]
    assert found.shape == (3, 8, 8)
    assert torch.allclose(found.sum((1, 2)), gained, atol=0.02)


def test_occlusion_of_a_mean_is_the_mean_of_what_was_covered():
    """The logit is the picture's sum, so covering a square with 0 costs its sum."""

    class Sum(nn.Module):
        def forward(self, x):
            return x.sum((1, 2, 3))[:, None]

    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = occlusion(Sum(), x, 0, window=2, stride=2)
    tiles = x.unfold(2, 2, 2).unfold(3, 2, 2).sum((1, 4, 5))
    assert torch.allclose(found, tiles.repeat_interleave(2, 1).repeat_interleave(2, 2), atol=1e-5)


def test_a_share_of_a_map_that_knows_nothing_is_the_share_of_the_area():
    assert fraction_inside_box(torch.ones(2, 3, 3), (0, 0, 5, 10), 10).tolist() == pytest.approx([0.5, 0.5])
    assert fraction_inside_box(torch.full((1, 4, 4), -1.0), (0, 0, 2, 2), 4).tolist() == [0]
    with pytest.raises(DataError, match="top, left"):
        fraction_inside_box(torch.ones(1, 2, 2), (0, 0, 5, 5), 4)


def test_attention_sums_to_one_and_the_encoder_computes_as_before():
    tokenizer, encoder = load_tokenizer(), load_encoder()
    inputs = tokenize(tokenizer, ["a short text", "a text that is somewhat longer"])
    before = encoder.config._attn_implementation
    with torch.no_grad():
        hidden = encoder(**inputs).last_hidden_state
    weights = attention_weights(encoder, inputs)
    layers, count, heads, length, other = weights.shape
    assert (layers, count, heads) == (6, 2, 12) and length == other == inputs["input_ids"].shape[1]
    assert torch.allclose(weights.sum(-1), torch.ones(6, 2, 12, length), atol=1e-5)
    assert not weights[:, 0, :, :, inputs["attention_mask"][0] == 0].any(), "nobody looks at padding"
    assert encoder.config._attn_implementation == before
    with torch.no_grad():
        assert torch.equal(encoder(**inputs).last_hidden_state, hidden)


def test_leaving_words_out_asks_for_every_text_once():
    asked = []

    def score(texts):
        asked.extend(texts)
        return torch.tensor([float(len(text)) for text in texts])

    assert leave_one_word_out(["a", "bcd", "ef"], score).tolist() == [2, 4, 3]
    assert asked == ["a bcd ef", "bcd ef", "a ef", "a bcd"]
