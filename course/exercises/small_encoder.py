"""A narrow text encoder under a head, with the module names of BERT, so that a check takes milliseconds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

VOCABULARY, WIDTH, LENGTH, CLASSES = 40, 16, 12, 3


class SmallClassifier(nn.Module):
    """`input_ids`, `attention_mask` (B, L) -> logits (B, 3), from the mean over the mask.

    As in a TextClassifier over a BERT: `encoder.embeddings`, `encoder.encoder.layer[i]` and `head`.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.encoder = _Encoder(layers)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden = self.encoder(input_ids, mask)
        weight = mask[..., None].to(hidden.dtype)
        return self.head((hidden * weight).sum(1) / weight.sum(1).clamp(min=1))


class _Encoder(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings()
        self.encoder = _Layers(layers)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.embeddings(input_ids)  # (B, L, D)
        padding = torch.zeros(attention_mask.shape).masked_fill(attention_mask == 0, -1e9)
        for layer in self.encoder.layer:
            hidden = layer(hidden, src_key_padding_mask=padding)
        return hidden


class _Embeddings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embeddings = nn.Embedding(LENGTH, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(input_ids.shape[1])
        return self.dropout(self.LayerNorm(self.word_embeddings(input_ids) + self.position_embeddings(positions)))


class _Layers(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        # Dropout of 0: what is dropped is drawn, and differs between machines.
        self.layer = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 2, 32, dropout=0.0, batch_first=True) for _ in range(layers)
        )


def build(layers: int, *, seed: int) -> SmallClassifier:
    """The model with weights drawn from `seed`, in train mode; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return SmallClassifier(layers)


def drawn_state(layers: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """A state dict with weights drawn from `rng`; biases and norms are not at their default values."""
    state = build(layers, seed=int(torch.randint(2**31, (), generator=rng))).state_dict()
    for value in state.values():
        if value.ndim == 1:
            value += 0.3 * torch.randn(value.shape, generator=rng)
    return state


def restore(layers: int, state: dict[str, torch.Tensor]) -> SmallClassifier:
    """A fresh model with this state, in train mode."""
    model = build(layers, seed=0)
    model.load_state_dict(state)
    return model


def batch(rng: torch.Generator, size: int = 6) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """({"input_ids", "attention_mask"} (B, L), labels (B,)): texts of 3 tokens or more, padded on the right."""
    lengths = torch.randint(3, LENGTH, (size,), generator=rng)
    lengths[0], lengths[1] = LENGTH, 3
    ids = torch.randint(1, VOCABULARY, (size, LENGTH), generator=rng)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}, torch.randint(CLASSES, (size,), generator=rng)


def layers_of(name: str) -> int:
    """How deep a parameter is: 0 in the embeddings, 1 in the first layer, ...; -1 in the head."""
    if name.startswith("encoder.embeddings."):
        return 0
    parts: Any = name.split(".")
    return int(parts[3]) + 1 if name.startswith("encoder.encoder.layer.") else -1
