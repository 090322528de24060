"""Hugging Face's hub: reviews (SST-2), named entities (WikiANN) and encoders, its own cache looked over by hashes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from course.data import downloads
from course.data.sentences import SPLITS, TaggedTexts, Texts
from course.errors import DataError, DownloadFailed, NoNetwork, SetupError, UnknownName
from course.notebook.progress_bars import is_watched


@dataclass(frozen=True)
class Repository:
    """What is taken from a repository of the hub: every file that fits one of `needed`, and of `more` what there is."""

    name: str
    kind: str  # "dataset" or "model"
    needed: tuple[str, ...]
    more: tuple[str, ...] = ()


# The tests of SST-2 have no labels; as everybody does, its validation split is the test.
REVIEWS = Repository("stanfordnlp/sst2", "dataset", ("data/train-*.parquet", "data/validation-*.parquet"))
ENTITIES = Repository("unimelb-nlp/wikiann", "dataset", ("en/train-*.parquet", "en/test-*.parquet"))
ENCODER = "distilbert/distilbert-base-uncased"
BERT, ROBERTA, GPT2 = "google-bert/bert-base-uncased", "FacebookAI/roberta-base", "openai-community/gpt2"


def reviews(split: str) -> Texts:
    """Sentences of film reviews, negative or positive: 67,349 to train on, 872 to test on (SST-2's validation split).

    Socher and others, Recursive deep models for semantic compositionality, 2013. Many training sentences are phrases
    of a few words, tests are whole sentences. Lower case, tokens apart. Fetched on first use (3 MB).
    Raises UnknownName for another split, NoNetwork, DownloadFailed.
    """
    rows = read_rows(REVIEWS, {"train": "data/train-*", "test": "data/validation-*"}, split)
    texts = [text.strip() for text in column(rows, "sentence")]
    return Texts(texts, torch.tensor(column(rows, "label")), class_names(rows, "label"))


def entities(split: str) -> TaggedTexts:
    """Sentences of the English Wikipedia with persons, organisations and places: 20,000 to train on, 10,000 to test on.

    WikiANN: Rahimi, Li and Cohn, Massively multilingual transfer for NER, 2019. The tags were made by rules from links,
    not by people. Fetched on first use (a few MB). Raises UnknownName for another split, NoNetwork, DownloadFailed.
    """
    rows = read_rows(ENTITIES, {"train": "en/train-*", "test": "en/test-*"}, split)
    return TaggedTexts(column(rows, "tokens"), column(rows, "ner_tags"), class_names(rows, "ner_tags"))


def encoder_folder(name: str = ENCODER) -> Path:
    """The folder of a text encoder from the hub, tokenizer included, for transformers to load; fetched on first use.

    Only safetensors are taken: no pickle, and no code. Raises NoNetwork, DownloadFailed.
    """
    return snapshot(encoder(name))


def encoder(name: str) -> Repository:
    """What `encoder_folder` takes from the hub."""
    more = ("tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")
    return Repository(name, "model", ("config.json", "tokenizer.json", "model.safetensors"), more)


def read_rows(repository: Repository, splits: dict[str, str], split: str) -> Any:
    """The rows of a split as a `datasets.Dataset` in memory, read from its parquet files."""
    if split not in SPLITS:
        raise UnknownName.of(f"split of {repository.name}", split, SPLITS)
    try:
        from datasets import Dataset, concatenate_datasets
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise SetupError('the package `datasets` is missing; run: python -m pip install "datasets>=3.0"') from error
    paths = sorted(snapshot(repository).glob(splits[split]))
    try:
        return concatenate_datasets([Dataset(parquet.read_table(path)) for path in paths])
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"{paths[0].parent} cannot be read ({error}); take the folder away and try again") from error


def column(rows: Any, name: str) -> list[Any]:
    """A column as a list; raises DataError if there is none of that name."""
    if name not in rows.column_names:
        raise DataError(f"the parquet files hold {rows.column_names}, no column {name!r}; copy the hub's files again")
    return list(rows[name])


def class_names(rows: Any, name: str) -> tuple[str, ...]:
    """The names of the classes that a column's numbers stand for, from the schema of the files."""
    feature = rows.features[name]
    names = getattr(getattr(feature, "feature", feature), "names", None)  # a list of classes, or one class
    if not names:
        raise DataError(f"the column {name!r} does not say which classes its numbers stand for; copy the files again")
    return tuple(names)


def snapshot(repository: Repository, *, fetch: bool = True) -> Path:
    """The folder with the repository's files, each found to have the hash that the hub's cache gives it.

    Looked for in the hub/ of `downloads.folders()` and in Hugging Face's own cache, else fetched into
    `downloads.own_folder()`; damaged files of ours are fetched again, those of others are left alone and named.
    With `fetch=False` FileNotFoundError is raised instead. Raises NoNetwork within seconds, DownloadFailed.
    """
    from huggingface_hub import constants

    for cache in [*(folder / "hub" for folder in downloads.folders()), Path(constants.HF_HUB_CACHE)]:
        for path in snapshots(repository, cache):
            damaged = [file for file in wanted(repository, path) if not is_intact(file)]
            if not damaged:
                return path
            print(f"{damaged[0]} is damaged and not used")
    if not fetch:
        raise FileNotFoundError(repository.name)
    return fetch_snapshot(repository)


def snapshots(repository: Repository, cache: Path) -> list[Path]:
    """The folders in a cache that hold all that is needed, the one that `main` stands for first."""
    folder = cache / f"{repository.kind}s--{repository.name.replace('/', '--')}"
    main = folder / "refs" / "main"
    newest = main.read_text().strip() if main.is_file() else ""
    found = sorted(folder.glob("snapshots/*"), key=lambda path: path.name != newest)
    return [path for path in found if all(any(is_file(p) for p in path.glob(need)) for need in repository.needed)]


def wanted(repository: Repository, folder: Path) -> list[Path]:
    """The repository's files in a snapshot."""
    patterns = (*repository.needed, *repository.more)
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if is_file(path)]


def is_file(path: Path) -> bool:
    """Whether there is a file, and it is not empty; a link that leads nowhere is none."""
    return path.is_file() and path.stat().st_size > 0


def is_intact(path: Path) -> bool:
    """Whether a file in the hub's cache has the hash that it is stored under; one that is stored under none passes."""
    blob = path.resolve()
    if re.fullmatch("[0-9a-f]{64}", blob.name):  # a large file: its sha256
        return downloads.file_hash(blob) == blob.name
    if re.fullmatch("[0-9a-f]{40}", blob.name):  # a small one: as git names it
        content = blob.read_bytes()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest() == blob.name
    return True


def fetch_snapshot(repository: Repository) -> Path:
    """Download the repository's files into `downloads.own_folder()`, and look over what came."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    cache = downloads.own_folder() / "hub"
    endpoint, name = constants.ENDPOINT, repository.name
    # Its own retries take a minute to say that there is no network.
    if is_offline() or not downloads.answers(endpoint):
        why = "HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set" if is_offline() else "nobody answers at that address"
        raise NoNetwork(f"{name} could not be fetched from {endpoint} ({why}); check the network; {downloads.QUICK}")
    print(f"fetching {name} from {endpoint} into {cache}")
    patterns = [*repository.needed, *repository.more]
    try:
        for _ in range(2):
            with quiet_unless_watched():
                found = snapshot_download(name, repo_type=repository.kind, cache_dir=cache, allow_patterns=patterns)
            path = Path(found)
            damaged = [file for file in wanted(repository, path) if not is_intact(file)]
            if not damaged and path in snapshots(repository, cache):
                return path
            for file in damaged:
                file.resolve().unlink(missing_ok=True)  # two files of one content share a blob
                file.unlink(missing_ok=True)
    except HfHubHTTPError as error:
        raise DownloadFailed(f"{endpoint} refuses {name} ({first_line(error)}); {downloads.QUICK}") from error
    except OSError as error:
        if error.errno in downloads.NO_ROOM | downloads.NOT_OURS:
            raise downloads.cannot_store(cache, error) from error
        raise NoNetwork(f"{name} could not be fetched ({first_line(error)}); {downloads.QUICK}") from error
    raise DownloadFailed(
        f"what {endpoint} serves as {name} is not whole, or not what its hashes say; try another network; "
        f"{downloads.QUICK}"
    )


@contextmanager
def quiet_unless_watched() -> Iterator[None]:
    """Hides Hugging Face's progress bars from logs."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hide = not is_watched() and not are_progress_bars_disabled()
    if hide:
        disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            enable_progress_bars()


def is_offline() -> bool:
    """Whether the user told Hugging Face's libraries to stay off the network."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or os.environ.get("HF_DATASETS_OFFLINE", "0") not in ("", "0")


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
