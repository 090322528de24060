"""Models for text: a pretrained encoder with a head, per text or per token; adapters; predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from course.applications.tokenization import (
    DEFAULT_ENCODER,
    MAX_LENGTH,
    TextDataset,
    model_folder,
    model_inputs,
    tokenize,
    tokenize_words,
)
from course.errors import ModelError, UnknownName
from course.models.factory import Origin
from course.models.freezing import evaluating
from course.models.heads import replace_head
from course.training.features import Features, extract_features

POOLINGS = ("mean", "first")
RECURRENT = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def load_encoder(name: str = DEFAULT_ENCODER, *, weights: str | None = "default") -> nn.Module:
    """A pretrained transformer in eval mode: token ids (B, L) -> `.last_hidden_state` (B, L, D), one vector per token.

    "minilm" is bundled: MiniLM-L6, six BERT layers of D = 384, no network needed. Any other name
    ("distilbert/distilbert-base-uncased", "google-bert/bert-base-uncased") is downloaded from the Hugging Face hub,
    as safetensors, without any code. With `weights` None the same architecture has random weights, drawn from torch's
    global generator.
    Raises WeightsMissing, WeightsCorrupt, NoNetwork, DownloadFailed, or UnknownName for another `weights`.
    """
    from transformers import AutoConfig, AutoModel

    if weights not in ("default", None):
        raise UnknownName.of("set of weights for an encoder", str(weights), ["default"])
    folder = model_folder(name)
    with _quiet():
        if weights is None:
            encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
        else:
            encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # a layer for BERT's own pretraining task, which no model here uses
    encoder.origin = Origin(name, "bundled" if name == DEFAULT_ENCODER else "transformers", weights)
    return encoder.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides transformers' progress bar and its report on unused layers, which a notebook would save in its outputs."""
    from transformers.utils import logging

    was_enabled, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if was_enabled:
            logging.enable_progress_bar()


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of each text's token vectors (B, L, D) -> (B, D), over the tokens that `mask` (B, L) marks with 1."""
    weight = mask[..., None].to(hidden.dtype)  # (B, L, 1)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


class TextClassifier(nn.Module):
    """An encoder, its token vectors pooled into one, and a head: `input_ids`, `attention_mask` (B, L) -> logits (B, C).

    `pooling` is "mean" (over the text's tokens) or "first" (the special token at the start). Without a mask, every id
    except padding counts. The head is drawn from `seed`. Raises UnknownName for another pooling.
    """

    def __init__(self, encoder: nn.Module, num_classes: int, *, pooling: str = "mean", seed: int = 0) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UnknownName.of("pooling", pooling, POOLINGS)
        self.encoder, self.pooling = encoder, pooling
        self.head = _head(encoder)
        replace_head(self, num_classes, seed=seed)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden, mask = _encode(self.encoder, input_ids, attention_mask)
        return self.head(hidden[:, 0] if self.pooling == "first" else mean_pool(hidden, mask))

    def extra_repr(self) -> str:
        return f"pooling={self.pooling!r}"


class TokenTagger(nn.Module):
    """An encoder and a head at every token: `input_ids`, `attention_mask` (B, L) -> logits (B, C, L)."""

    def __init__(self, encoder: nn.Module, num_classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = _head(encoder)
        replace_head(self, num_classes, seed=seed)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden, _ = _encode(self.encoder, input_ids, attention_mask)
        return self.head(hidden).transpose(1, 2)  # (B, L, C) -> (B, C, L), as cross-entropy wants it


def _head(encoder: Any) -> nn.Linear:
    return nn.utils.skip_init(nn.Linear, encoder.config.hidden_size, 1)


def _encode(encoder: Any, ids: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(hidden (B, L, D), mask (B, L)) of a batch of token ids."""
    if mask is None:
        mask = (ids != encoder.config.pad_token_id).long()
    return encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask


class RecurrentClassifier(nn.Module):
    """A recurrent network for comparison: word vectors, one recurrent layer over the tokens, a head on its last state.

    `cell` is "rnn", "lstm" or "gru". The word vectors are drawn at random and trained; or they are `vectors` (V, D),
    pretrained and frozen. Inputs are `input_ids` and `attention_mask` (B, L), the result is (B, C). Raises UnknownName
    for another cell.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        *,
        size: int = 64,
        cell: str = "gru",
        vectors: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        if cell not in RECURRENT:
            raise UnknownName.of("recurrent cell", cell, tuple(RECURRENT))
        if vectors is None:
            self.embedding = nn.Embedding(vocab_size, size, padding_idx=0)
        else:
            self.embedding = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        self.cell = cell
        self.recurrent: Any = RECURRENT[cell](self.embedding.embedding_dim, size, batch_first=True)
        self.head = nn.Linear(size, num_classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        lengths = attention_mask.sum(1).cpu()
        states = nn.utils.rnn.pack_padded_sequence(
            self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False
        )
        _, last = self.recurrent(states)  # the state after each text's own last token
        hidden = last[0] if self.cell == "lstm" else last  # an LSTM also returns its cell state
        return self.head(hidden[0])  # (B, size) -> (B, C)


def sentence_features(
    model: TextClassifier, data: TextDataset, *, batch_size: int = 64, cache: bool = True
) -> Features:
    """The pooled vectors (N, D) that are the head's input, each computed once and cached on disk."""
    ids = TensorDataset(data.inputs["input_ids"], data.labels)
    return extract_features(model, ids, batch_size=batch_size, cache=cache)


def add_peft_lora(model: nn.Module, *, rank: int = 8, alpha: int = 16, seed: int = 0) -> Any:
    """The model with low-rank adapters by peft: only adapters on queries and values, and the head, are trainable.

    `model` is a TextClassifier or TokenTagger and is changed in place; `.merge_and_unload()` of the result returns it
    with the adapters added to its weights. Chapter 04 writes such a layer by hand.
    Raises ModelError if no attention layer is found.
    """
    from peft import LoraConfig, get_peft_model

    names = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for chosen in (["query", "value"], ["q_lin", "v_lin"]):  # BERT's and RoBERTa's names, and DistilBERT's
        if set(chosen) <= names:
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=chosen, modules_to_save=["head"])
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return get_peft_model(model, config)  # type: ignore[arg-type]
    raise ModelError(f"no query and value layers found in {type(model).__name__}; its layers end in {sorted(names)}")


def predict_texts(model: nn.Module, tokenizer: Any, texts: Sequence[str], *, batch_size: int = 64) -> torch.Tensor:
    """Probabilities (N, C) of the classes of each text, in the order of the texts."""
    inputs = tokenize(tokenizer, texts)
    return torch.cat([F.softmax(logits, 1) for logits in _logits(model, inputs, batch_size)])


def predict_tags(
    model: nn.Module, tokenizer: Any, words: Sequence[Sequence[str]], *, batch_size: int = 64
) -> list[list[int]]:
    """The tag of each word: the prediction at its first token, and 0 ("O") for a word that was truncated."""
    batch = tokenize_words(tokenizer, words, MAX_LENGTH)
    rows = [row for logits in _logits(model, model_inputs(batch), batch_size) for row in logits.argmax(1).tolist()]
    tags = [[0] * len(sentence) for sentence in words]
    for index, row in enumerate(rows):
        for position, word in reversed(list(enumerate(batch.word_ids(index)))):  # so that the first token wins
            if word is not None:
                tags[index][word] = row[position]
    return tags


def _logits(model: nn.Module, inputs: dict[str, torch.Tensor], batch_size: int) -> Iterator[torch.Tensor]:
    device = next(model.parameters()).device
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(inputs["input_ids"]), batch_size):
            part = {name: column[start : start + batch_size].to(device) for name, column in inputs.items()}
            yield model(**part).float().cpu()
