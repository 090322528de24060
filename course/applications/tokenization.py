"""Text as token ids: a pretrained tokenizer, and data sets of tokenized sentences or tagged words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from course.applications.spans import align_labels
from course.data.huggingface import encoder_folder
from course.data.sentences import TaggedTexts, Texts
from course.errors import DataError, EmptyData
from course.models.weights import minilm_folder

DEFAULT_ENCODER = "minilm"
MAX_LENGTH = 128  # tokens of one text; longer ones are truncated


def load_tokenizer(name: str = DEFAULT_ENCODER) -> Any:
    """The transformers tokenizer that belongs to an encoder: it turns text into the token ids that the encoder reads.

    "minilm" is bundled; any other name ("distilbert/distilbert-base-uncased") is downloaded from the Hugging Face hub.
    Raises WeightsMissing, WeightsCorrupt, NoNetwork, DownloadFailed.
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folder(name), local_files_only=True)


def model_folder(name: str) -> Path:
    """The folder with the weights and the tokenizer of an encoder: the bundled one's, or one from the hub."""
    return minilm_folder() if name == DEFAULT_ENCODER else encoder_folder(name)


def tokenize(tokenizer: Any, texts: Sequence[str], *, max_length: int = MAX_LENGTH) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, both (N, L) of int64: padded to the longest text, at most `max_length` tokens.

    The mask is 1 for tokens of the text and 0 for padding. An empty text consists of its two special tokens. Raises
    EmptyData without a text, DataError for anything but a list of strings.
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        kinds = {type(text).__name__ for text in texts if not isinstance(text, str)} or {"str"}
        raise DataError(f"texts are a list of strings, not {', '.join(sorted(kinds))}; for one text, pass [text]")
    return model_inputs(_run_tokenizer(tokenizer, [_without_surrogates(text) for text in texts], max_length))


def _run_tokenizer(tokenizer: Any, texts: Sequence[Any], max_length: int, **options: Any) -> Any:
    if not len(texts):
        raise EmptyData("there are no texts; pass a list with at least one")
    return tokenizer(
        texts, padding=True, truncation=True, max_length=max_length, return_tensors="pt", verbose=False, **options
    )


def model_inputs(batch: Any) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` of a tokenizer's output."""
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def _without_surrogates(text: str) -> str:
    """The text without lone surrogates, which are half characters and can't be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


class TextDataset(Dataset):
    """Tokenized sentences or tagged words: `[i]` is ({"input_ids": (L,), "attention_mask": (L,)}, label).

    The label is the text's class; for TaggedTexts it is a row (L,): each word's tag at its first token, -100 elsewhere.
    Raises EmptyData, or DataError where labels and texts, or tags and words, differ in number.
    """

    def __init__(self, tokenizer: Any, data: Texts | TaggedTexts, *, max_length: int = MAX_LENGTH) -> None:
        self.classes = data.classes
        if isinstance(data, Texts):
            if len(data.texts) != len(data.labels):
                raise DataError(
                    f"there are {len(data.texts)} texts but {len(data.labels)} labels; give one label per text"
                )
            self.inputs, self.labels = tokenize(tokenizer, data.texts, max_length=max_length), data.labels
        else:
            batch = tokenize_words(tokenizer, data.words, max_length)
            rows = [_aligned_labels(batch.word_ids(i), data, i) for i in range(len(data.words))]
            self.inputs, self.labels = model_inputs(batch), torch.tensor(rows)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {name: column[index] for name, column in self.inputs.items()}, self.labels[index]

    def loader(self, batch_size: int, *, seed: int | None = None) -> DataLoader:
        """A loader whose batches are as long as their longest text; shuffled by `seed`, or in order without one."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return DataLoader(self, batch_size, shuffle=seed is not None, generator=generator, collate_fn=_collate_trimmed)


def _collate_trimmed(samples: list[Any]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    inputs, labels = default_collate(samples)
    length = int(inputs["attention_mask"].sum(1).max())
    trimmed = {name: column[:, :length] for name, column in inputs.items()}
    return trimmed, labels[:, :length] if labels.ndim == 2 else labels


def tokenize_words(tokenizer: Any, words: Sequence[Sequence[str]], max_length: int = MAX_LENGTH) -> Any:
    """The tokenizer's output for sentences that are split into words; its `word_ids(i)` map tokens to words."""
    for sentence in words:
        if isinstance(sentence, str) or not all(isinstance(word, str) for word in sentence):
            raise DataError("tagged texts are lists of words, each word a string; split your text into words first")
    clean = [[_without_surrogates(word) for word in sentence] for sentence in words]
    return _run_tokenizer(tokenizer, clean, max_length, is_split_into_words=True)


def _aligned_labels(word_ids: list[int | None], data: TaggedTexts, index: int) -> list[int]:
    words, tags = data.words[index], data.tags[index]
    if len(words) != len(tags):
        raise DataError(f"sentence {index} has {len(words)} words but {len(tags)} tags; give one tag per word")
    return align_labels(word_ids, tags)
