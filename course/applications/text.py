"""Text with one pretrained encoder: tokens, pooling, sentence features, models that class texts or tag words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from course.applications.spans import align_labels
from course.data import huggingface
from course.data.sentences import TaggedTexts, Texts
from course.errors import DataError, EmptyData, ModelError, UnknownName
from course.models.factory import Origin
from course.models.freezing import evaluating
from course.models.heads import replace_head
from course.models.weights import minilm_folder
from course.training.features import Features, extract_features

DEFAULT_ENCODER = "minilm"
POOLINGS = ("mean", "first")
MAX_LENGTH = 128  # tokens of one text; what is longer is cut


def load_tokenizer(name: str = DEFAULT_ENCODER) -> Any:
    """The transformers tokenizer that belongs to an encoder: it turns text into the numbers that the encoder reads.

    "minilm" is bundled; any other name ("distilbert/distilbert-base-uncased") is fetched from the Hugging Face hub.
    Raises WeightsMissing, WeightsCorrupt, NoNetwork, DownloadFailed.
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(_folder(name), local_files_only=True)


def load_encoder(name: str = DEFAULT_ENCODER, *, weights: str | None = "default") -> nn.Module:
    """A pretrained transformer in eval mode: token ids (B, L) -> `.last_hidden_state` (B, L, D), a vector a token.

    "minilm" is bundled: MiniLM-L6, six BERT layers of D = 384, no network needed. Any other name
    ("distilbert/distilbert-base-uncased", "google-bert/bert-base-uncased") is fetched from the Hugging Face hub, as
    safetensors, without code of others. With `weights` None the same architecture has random weights, drawn from
    torch's global generator.
    Raises WeightsMissing, WeightsCorrupt, NoNetwork, DownloadFailed, or UnknownName for another `weights`.
    """
    from transformers import AutoConfig, AutoModel

    if weights not in ("default", None):
        raise UnknownName.of("set of weights for an encoder", str(weights), ["default"])
    folder = _folder(name)
    with _quiet():
        if weights is None:
            encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
        else:
            encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # a layer for BERT's own pretraining task, which no model here uses
    encoder.origin = Origin(name, "bundled" if name == DEFAULT_ENCODER else "transformers", weights)
    return encoder.eval()


def _folder(name: str) -> Path:
    return minilm_folder() if name == DEFAULT_ENCODER else huggingface.encoder_folder(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar and its report on layers left out, which would be kept in a notebook's outputs."""
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


def encode(tokenizer: Any, texts: Sequence[str], *, max_length: int = MAX_LENGTH) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, both (N, L) of int64: padded to the longest text, cut to `max_length` tokens.

    The mask is 1 where there is a token of the text and 0 where there is padding. An empty text is its two special
    tokens. Raises EmptyData without a text, DataError for anything but a list of strings.
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        kinds = {type(text).__name__ for text in texts if not isinstance(text, str)} or {"str"}
        raise DataError(f"texts are a list of strings, not {', '.join(sorted(kinds))}; for one text, pass [text]")
    return _columns(_tokenize(tokenizer, [_whole(text) for text in texts], max_length))


def _tokenize(tokenizer: Any, texts: Sequence[Any], max_length: int, **options: Any) -> Any:
    if not len(texts):
        raise EmptyData("there is not one text; give a list with at least one")
    return tokenizer(
        texts, padding=True, truncation=True, max_length=max_length, return_tensors="pt", verbose=False, **options
    )


def _columns(batch: Any) -> dict[str, torch.Tensor]:
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def _whole(text: str) -> str:
    """The text without half characters (lone surrogates), which no encoding can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


class TextData(Dataset):
    """Sentences or tagged words as tokens: `[i]` is ({"input_ids": (L,), "attention_mask": (L,)}, label).

    The label is the text's class; of TaggedTexts it is a row (L,): each word's tag at its first token, -100 elsewhere.
    Raises EmptyData, or DataError where labels and texts, or tags and words, differ in number.
    """

    def __init__(self, tokenizer: Any, data: Texts | TaggedTexts, *, max_length: int = MAX_LENGTH) -> None:
        self.classes = data.classes
        if isinstance(data, Texts):
            if len(data.texts) != len(data.labels):
                raise DataError(
                    f"there are {len(data.texts)} texts but {len(data.labels)} labels; give one label a text"
                )
            self.inputs, self.labels = encode(tokenizer, data.texts, max_length=max_length), data.labels
        else:
            batch = _tokenize_words(tokenizer, data.words, max_length)
            rows = [_aligned(batch.word_ids(i), data, i) for i in range(len(data.words))]
            self.inputs, self.labels = _columns(batch), torch.tensor(rows)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {name: column[index] for name, column in self.inputs.items()}, self.labels[index]

    def loader(self, batch_size: int, *, seed: int | None = None) -> DataLoader:
        """Batches, each as long as its longest text; in an order drawn from `seed`, or in the given one without."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return DataLoader(self, batch_size, shuffle=seed is not None, generator=generator, collate_fn=_trimmed)


def _trimmed(samples: list[Any]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    inputs, labels = default_collate(samples)
    length = int(inputs["attention_mask"].sum(1).max())
    trimmed = {name: column[:, :length] for name, column in inputs.items()}
    return trimmed, labels[:, :length] if labels.ndim == 2 else labels


def _tokenize_words(tokenizer: Any, words: Sequence[Sequence[str]], max_length: int) -> Any:
    for sentence in words:
        if isinstance(sentence, str) or not all(isinstance(word, str) for word in sentence):
            raise DataError("tagged texts are lists of words, each word a string; split your text into words first")
    whole = [[_whole(word) for word in sentence] for sentence in words]
    return _tokenize(tokenizer, whole, max_length, is_split_into_words=True)


def _aligned(word_ids: list[int | None], data: TaggedTexts, index: int) -> list[int]:
    words, tags = data.words[index], data.tags[index]
    if len(words) != len(tags):
        raise DataError(f"sentence {index} has {len(words)} words but {len(tags)} tags; give one tag a word")
    return align_labels(word_ids, tags)


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of each text's token vectors (B, L, D) -> (B, D), over the tokens that `mask` (B, L) marks with 1."""
    weight = mask[..., None].to(hidden.dtype)  # (B, L, 1)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


class TextClassifier(nn.Module):
    """An encoder, its token vectors pooled into one, and a head: `input_ids`, `attention_mask` (B, L) -> logits (B, C).

    `pooling` is "mean" (over the text's tokens) or "first" (the special token in front). Without a mask, every id but
    padding counts. The head is drawn from `seed`. Raises UnknownName for another pooling.
    """

    def __init__(self, encoder: nn.Module, num_classes: int, *, pooling: str = "mean", seed: int = 0) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UnknownName.of("pooling", pooling, POOLINGS)
        self.encoder, self.pooling = encoder, pooling
        self.head = _head(encoder)
        replace_head(self, num_classes, seed=seed)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden, mask = _read(self.encoder, input_ids, attention_mask)
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
        hidden, _ = _read(self.encoder, input_ids, attention_mask)
        return self.head(hidden).transpose(1, 2)  # (B, L, C) -> (B, C, L), as cross-entropy wants it


def _head(encoder: Any) -> nn.Linear:
    return nn.utils.skip_init(nn.Linear, encoder.config.hidden_size, 1)


def _read(encoder: Any, ids: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(hidden (B, L, D), mask (B, L)) of a batch of token ids."""
    if mask is None:
        mask = (ids != encoder.config.pad_token_id).long()
    return encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask


class RecurrentClassifier(nn.Module):
    """What one trained without pretraining: an embedding, a GRU over the tokens, and a head on its last state."""

    def __init__(self, vocab_size: int, num_classes: int, *, size: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, size, padding_idx=0)
        self.cells = nn.GRU(size, size, batch_first=True)
        self.head = nn.Linear(size, num_classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        lengths = attention_mask.sum(1).cpu()
        states = nn.utils.rnn.pack_padded_sequence(
            self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(self.cells(states)[1][0])  # the state after each text's own last token, (B, size)


def sentence_features(model: TextClassifier, data: TextData, *, batch_size: int = 64, cache: bool = True) -> Features:
    """The pooled vectors (N, D) that the head sees, each computed once and kept on disk."""
    ids = TensorDataset(data.inputs["input_ids"], data.labels)
    return extract_features(model, ids, batch_size=batch_size, cache=cache)


def with_lora(model: nn.Module, *, rank: int = 8, alpha: int = 16, seed: int = 0) -> Any:
    """The model under low-rank adapters by peft: factors beside queries and values learn, and the head; the rest rests.

    `model` is a TextClassifier or TokenTagger and is changed in place; `.merge_and_unload()` of what comes back
    gives it with the adapters added to its weights. Chapter 04 writes such a layer by hand.
    Raises ModelError where no attention is found.
    """
    from peft import LoraConfig, get_peft_model

    endings = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for chosen in (["query", "value"], ["q_lin", "v_lin"]):  # as BERT and RoBERTa, and as DistilBERT name them
        if set(chosen) <= endings:
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=chosen, modules_to_save=["head"])
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return get_peft_model(model, config)  # type: ignore[arg-type]
    raise ModelError(f"no query and value layers found in {type(model).__name__}; its layers end in {sorted(endings)}")


def predict_texts(model: nn.Module, tokenizer: Any, texts: Sequence[str], *, batch_size: int = 64) -> torch.Tensor:
    """Probabilities (N, C) of the classes of each text, in the order of the texts."""
    inputs = encode(tokenizer, texts)
    return torch.cat([F.softmax(logits, 1) for logits in _logits(model, inputs, batch_size)])


def predict_tags(
    model: nn.Module, tokenizer: Any, words: Sequence[Sequence[str]], *, batch_size: int = 64
) -> list[list[int]]:
    """The tag of each word: what the model says at its first token, and 0 ("O") for a word that was cut off."""
    batch = _tokenize_words(tokenizer, words, MAX_LENGTH)
    rows = [row for logits in _logits(model, _columns(batch), batch_size) for row in logits.argmax(1).tolist()]
    tags = [[0] * len(sentence) for sentence in words]
    for index, row in enumerate(rows):
        for place, word in reversed(list(enumerate(batch.word_ids(index)))):  # so that the first token has the say
            if word is not None:
                tags[index][word] = row[place]
    return tags


def _logits(model: nn.Module, inputs: dict[str, torch.Tensor], batch_size: int) -> Iterator[torch.Tensor]:
    device = next(model.parameters()).device
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(inputs["input_ids"]), batch_size):
            part = {name: column[start : start + batch_size].to(device) for name, column in inputs.items()}
            yield model(**part).float().cpu()
