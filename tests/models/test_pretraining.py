"""Views, the contrastive loss, the collapse score and masked words."""

import pytest
import torch

from course.models.pretraining import (
    GeneratedBatches,
    MaskedLanguageModel,
    augment,
    collapse_score,
    mask_tokens,
    nt_xent,
    small_encoder,
)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def test_the_encoder_gives_as_many_features_as_asked_for_at_any_picture_size():
    for size in (16, 32, 61):
        assert small_encoder(8, features=20)(torch.zeros(2, 3, size, size)).shape == (2, 20)


def test_batches_makes_each_batch_anew_and_knows_its_length(rng):
    loader = GeneratedBatches(lambda: torch.rand(3, generator=rng), 4)
    seen = [*loader, *loader]
    assert len(loader) == 4 and len(seen) == 8
    assert len({tuple(batch.tolist()) for batch in seen}) == 8


def test_a_view_without_any_change_allowed_is_the_picture_or_its_mirror_image(rng):
    pictures = torch.rand(20, 3, 8, 8, generator=rng)
    views = augment(pictures, rng, min_scale=1.0, max_angle=0.0, max_colour_shift=0.0)
    kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(pictures, views, strict=True)]
    mirrored = [torch.allclose(a.flip(-1), b, atol=1e-5) for a, b in zip(pictures, views, strict=True)]
    assert all(a or b for a, b in zip(kept, mirrored, strict=True))
    assert any(kept) and any(mirrored)


def test_views_are_random_and_decided_by_the_generator_alone():
    pictures = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    first, again, other = (augment(pictures, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.shape == pictures.shape


def test_the_contrastive_loss_of_hand_made_views_is_the_one_computed_by_hand():
    z = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 0.5]])  # two things, each twice in one direction
    e = torch.tensor(1 / 0.5).exp()
    expected = -(e / (e + 2)).log()  # one partner at cosine 1, two others at cosine 0
    assert nt_xent(z, 0.5) == pytest.approx(expected.item(), rel=1e-5)


def test_the_contrastive_loss_is_lower_when_partners_agree(rng):
    z = torch.randn(8, 16, generator=rng)
    assert nt_xent(torch.cat([z, z])) < nt_xent(torch.cat([z, z.roll(1, 0)]))


def test_the_collapse_score_is_0_for_a_constant_and_about_1_for_a_cloud_of_any_scale(rng):
    cloud = torch.randn(3000, 24, generator=rng)
    assert collapse_score(torch.ones(50, 24)) == pytest.approx(0, abs=1e-3)
    assert collapse_score(torch.ones(1, 24) + 0.01 * cloud) < 0.02
    assert collapse_score(cloud * 9) == pytest.approx(1, abs=0.02)


def test_masking_spares_special_tokens_and_divides_the_rest_80_10_10(rng):
    ids = torch.randint(4, 100, (200, 60), generator=rng)
    ids[:, 0], ids[:, 40:] = 1, 0
    special = {"ids": [0, 1, 2, 3], "mask": 3, "vocab_size": 100}
    inputs, labels = mask_tokens(ids, special, 0.2, rng)
    chosen = labels != -100
    assert not (chosen & (ids < 4)).any() and torch.equal(inputs[~chosen], ids[~chosen])
    assert torch.equal(labels[chosen], ids[chosen])
    assert chosen.sum() / (ids >= 4).sum() == pytest.approx(0.2, abs=0.03)
    assert (inputs[chosen] == 3).float().mean() == pytest.approx(0.8, abs=0.05)
    assert (inputs[chosen] == ids[chosen]).float().mean() == pytest.approx(0.1, abs=0.04)


def test_masked_words_scores_every_word_and_does_not_see_padding(rng):
    torch.manual_seed(0)
    model = MaskedLanguageModel(30, length=8).eval()
    ids = torch.randint(4, 30, (3, 8), generator=rng)
    ids[:, 5:] = 0
    scores = model(ids)
    assert scores.shape == (3, 30, 8)
    assert torch.allclose(scores[..., :5], model(ids[:, :5]), atol=1e-5)
