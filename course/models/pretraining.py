"""Pretraining from scratch: a small encoder, augmented views, a contrastive loss, masked language modelling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "GeneratedBatches",
    "MaskedLanguageModel",
    "augment",
    "collapse_score",
    "mask_tokens",
    "nt_xent",
    "small_encoder",
]


def small_encoder(width: int = 24, features: int = 128) -> nn.Sequential:
    """Four convolutions with BatchNorm, each with stride 2: pictures (B, 3, H, W) -> features (B, `features`)."""
    channels = [3, width, 2 * width, 4 * width, features]
    layers: list[nn.Module] = []
    for i in range(4):
        size = 5 if i == 0 else 3
        layers.append(nn.Conv2d(channels[i], channels[i + 1], size, stride=2, padding=size // 2, bias=False))
        layers += [nn.BatchNorm2d(channels[i + 1]), nn.ReLU()]
    encoder = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return encoder.to(memory_format=torch.channels_last)


class GeneratedBatches:
    """A loader of `steps` batches that are generated on the fly: each is what `make()` returns."""

    def __init__(self, make: Callable[[], Any], steps: int) -> None:
        self.make, self.steps = make, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return (self.make() for _ in range(self.steps))


def augment(
    pictures: torch.Tensor,
    rng: torch.Generator,
    *,
    min_scale: float = 0.6,
    max_angle: float = 0.3,
    max_colour_shift: float = 0.05,
) -> torch.Tensor:
    """A random view of each picture of (B, 3, H, W): cropped, rotated, mirrored, its colours shifted a little.

    The side of a crop is `min_scale` to 1 times the picture's, `max_angle` is in radians, and `max_colour_shift` is the
    largest change of a channel's factor and of its offset. `rng` is a CPU generator.
    """
    n = len(pictures)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return (torch.rand(n, *shape, generator=rng) * (high - low) + low).to(pictures.device)

    side, angle = uniform(min_scale, 1.0), uniform(-max_angle, max_angle)
    mirror = uniform(-1.0, 1.0).sign()
    shift = uniform(-1.0, 1.0, 2) * (1 - side)[:, None]
    rows = [
        torch.stack([side * mirror * angle.cos(), -side * angle.sin(), shift[:, 0]], 1),
        torch.stack([side * mirror * angle.sin(), side * angle.cos(), shift[:, 1]], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)  # (B, 2, 3) -> (B, H, W, 2)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    factor, offset = (uniform(-max_colour_shift, max_colour_shift, 3, 1, 1) for _ in range(2))
    return moved * (1 + factor) + offset


def nt_xent(z: torch.Tensor, temperature: float = 0.2) -> torch.Tensor:
    """The contrastive loss of z (2N, D), in which rows i and i + N are two views of one picture.

    Each row must identify its partner among the 2N - 1 others by cosine similarity.
    Chen et al., "A simple framework for contrastive learning of visual representations" (SimCLR, 2020), equation 1.
    """
    unit = F.normalize(z, dim=1)
    similarity = unit @ unit.T / temperature  # (2N, 2N)
    similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -math.inf)
    return F.cross_entropy(similarity, torch.arange(len(z), device=z.device).roll(len(z) // 2))


def collapse_score(z: torch.Tensor) -> float:
    """About 1 if the rows of z (N, D) point in all directions evenly, 0 if all point in the same direction.

    The mean standard deviation of the columns of the normalised rows, times sqrt(D).
    Chen and He, "Exploring simple Siamese representation learning" (2021), section 4.1.
    """
    unit = F.normalize(z.detach(), dim=1)
    return unit.std(0).mean().item() * math.sqrt(z.shape[1])


def mask_tokens(
    ids: torch.Tensor, special: Mapping[str, Any], p: float, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """(inputs, labels) for masked language modelling: each token of ids (B, L) is chosen with probability p.

    Of the chosen tokens 80 % become `special["mask"]`, 10 % a random id below `special["vocab_size"]`, 10 % don't
    change. Labels hold the original id where a token was chosen and -100 elsewhere; the ids in `special["ids"]` are
    never chosen.
    Devlin et al., "BERT" (2019), section 3.1.
    """
    maskable = ~torch.isin(ids, torch.tensor(special["ids"]))
    chosen = maskable & (torch.rand(ids.shape, generator=rng) < p)
    fate = torch.rand(ids.shape, generator=rng)
    random = torch.randint(special["vocab_size"], ids.shape, generator=rng)
    inputs = torch.where(chosen & (fate < 0.8), special["mask"], ids)
    inputs = torch.where(chosen & (fate >= 0.9), random, inputs)
    return inputs, torch.where(chosen, ids, -100)


class MaskedLanguageModel(nn.Module):
    """A transformer encoder of two layers: ids (B, L) -> logits over the vocabulary at each position (B, vocab, L).

    The id 0 is padding. The output layer shares its weights with the embedding: one vector per word, for both.
    """

    def __init__(self, vocab_size: int, length: int, size: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, size)
        self.position_embedding = nn.Parameter(torch.randn(length, size) * 0.1)
        layer = nn.TransformerEncoderLayer(size, 4, 2 * size, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(size)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        embedded = self.embedding(ids) + self.position_embedding[: ids.shape[1]]
        hidden = self.encoder(embedded, src_key_padding_mask=ids == 0)
        return (self.norm(hidden) @ self.embedding.weight.T).transpose(1, 2)  # (B, L, vocab) -> (B, vocab, L)
