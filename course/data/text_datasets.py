"""Texts from the Hugging Face hub: film reviews (SST-2) and named entities in Wikipedia (WikiANN)."""

from __future__ import annotations

from typing import Any

import torch

from course.data.huggingface import Repository, snapshot
from course.data.sentences import SPLITS, TaggedTexts, Texts
from course.errors import DataError, UnknownName
from course.extras import needed_for

# SST-2's test split has no labels, so its validation split is used as the test split, as is usual.
REVIEWS = Repository("stanfordnlp/sst2", "dataset", ("data/train-*.parquet", "data/validation-*.parquet"))
ENTITIES = Repository("unimelb-nlp/wikiann", "dataset", ("en/train-*.parquet", "en/test-*.parquet"))


def reviews(split: str) -> Texts:
    """Sentences of film reviews, negative or positive: 67,349 for training, 872 (SST-2's validation split) for testing.

    Socher et al., "Recursive deep models for semantic compositionality" (2013). Many training samples are phrases of a
    few words, test samples are whole sentences. Lower case, tokens separated by spaces. Downloaded on first use (3 MB).
    Raises UnknownName for another split, NoNetwork, DownloadFailed.
    """
    rows = read_rows(REVIEWS, {"train": "data/train-*", "test": "data/validation-*"}, split)
    texts = [text.strip() for text in read_column(rows, "sentence")]
    return Texts(texts, torch.tensor(read_column(rows, "label")), class_names(rows, "label"))


def entities(split: str) -> TaggedTexts:
    """Sentences of the English Wikipedia with persons, organisations and places: 20,000 for training, 10,000 for tests.

    WikiANN: Rahimi, Li and Cohn, "Massively multilingual transfer for NER" (2019). The tags were derived from links by
    rules, not written by people. Downloaded on first use (a few MB).
    Raises UnknownName for another split, NoNetwork, DownloadFailed.
    """
    rows = read_rows(ENTITIES, {"train": "en/train-*", "test": "en/test-*"}, split)
    return TaggedTexts(read_column(rows, "tokens"), read_column(rows, "ner_tags"), class_names(rows, "ner_tags"))


def read_rows(repository: Repository, splits: dict[str, str], split: str) -> Any:
    """The rows of a split as a `datasets.Dataset` in memory, read from its parquet files."""
    if split not in SPLITS:
        raise UnknownName.of(f"split of {repository.name}", split, SPLITS)
    with needed_for("a text data set of the full profile"):
        from datasets import Dataset, concatenate_datasets
        from pyarrow import ArrowInvalid, parquet
    paths = sorted(snapshot(repository).glob(splits[split]))
    try:
        return concatenate_datasets([Dataset(parquet.read_table(path)) for path in paths])
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"{paths[0].parent} cannot be read ({error}); delete the folder and try again") from error


def read_column(rows: Any, name: str) -> list[Any]:
    """A column as a list; raises DataError if no column has that name."""
    if name not in rows.column_names:
        raise DataError(
            f"the parquet files have the columns {rows.column_names}, not {name!r}; copy the hub's files again"
        )
    return list(rows[name])


def class_names(rows: Any, name: str) -> tuple[str, ...]:
    """The class names of a column of labels, from the schema of the files."""
    feature = rows.features[name]
    names = getattr(getattr(feature, "feature", feature), "names", None)  # a list of classes, or one class
    if not names:
        raise DataError(f"the column {name!r} has no class names in its schema; copy the files again")
    return tuple(names)
