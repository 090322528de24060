"""Files of the Hugging Face hub: found in a cache, their hashes checked, or downloaded; and the folders of encoders."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from course.data import downloads
from course.errors import DownloadFailed, NoNetwork
from course.files import DISK_FULL_ERRORS
from course.notebook.progress_bars import NotebookBar, is_watched
from course.runtime import can_answer


@dataclass(frozen=True)
class Repository:
    """The files to take from a repository of the hub: those that match `needed`, and `optional` ones if there are."""

    name: str
    kind: str  # "dataset" or "model"
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


ENCODER, CASED = "distilbert/distilbert-base-uncased", "distilbert/distilbert-base-cased"
BERT, ROBERTA, GPT2 = "google-bert/bert-base-uncased", "FacebookAI/roberta-base", "openai-community/gpt2"


def encoder_folder(name: str = ENCODER) -> Path:
    """The folder of a text encoder from the hub, tokenizer included, for transformers to load.

    Downloaded on first use, as safetensors only: no pickle and no code. Raises NoNetwork, DownloadFailed.
    """
    return snapshot(encoder_repository(name))


def encoder_repository(name: str) -> Repository:
    """The files of a text encoder on the hub: its configuration, its tokenizer and safetensors weights."""
    optional = ("tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")
    return Repository(name, "model", ("config.json", "tokenizer.json", "model.safetensors"), optional)


def snapshot(repository: Repository, *, fetch: bool = True) -> Path:
    """The folder with the repository's files, each checked against the hash that the hub's cache stores it under.

    Looked for in the hub/ of `downloads.folders()` and in Hugging Face's own cache, otherwise downloaded into
    `downloads.own_folder()`. Damaged files of ours are downloaded again; those of others are reported and not touched.
    With `fetch=False` FileNotFoundError is raised instead. Raises NoNetwork within seconds, DownloadFailed.
    """
    from huggingface_hub import constants

    for cache in [*(folder / "hub" for folder in downloads.folders()), Path(constants.HF_HUB_CACHE)]:
        for path in complete_snapshots(repository, cache):
            damaged = [file for file in files_of(repository, path) if not is_intact(file)]
            if not damaged:
                return path
            print(f"{damaged[0]} is damaged and not used")
    if not fetch:
        raise FileNotFoundError(repository.name)
    return fetch_snapshot(repository)


def complete_snapshots(repository: Repository, cache: Path) -> list[Path]:
    """The snapshots in a cache that have every needed file, the one that `main` points to first."""
    folder = cache / f"{repository.kind}s--{repository.name.replace('/', '--')}"
    main = folder / "refs" / "main"
    newest = main.read_text().strip() if main.is_file() else ""
    found = sorted(folder.glob("snapshots/*"), key=lambda path: path.name != newest)
    return [path for path in found if all(any(is_file(p) for p in path.glob(need)) for need in repository.needed)]


def files_of(repository: Repository, folder: Path) -> list[Path]:
    """The repository's files in a snapshot."""
    patterns = (*repository.needed, *repository.optional)
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if is_file(path)]


def is_file(path: Path) -> bool:
    """Whether there is a file that is not empty; a dangling link doesn't count."""
    return path.is_file() and path.stat().st_size > 0


def is_intact(path: Path) -> bool:
    """Whether a file in the hub's cache has the hash that is its name there; one with another kind of name passes."""
    blob = path.resolve()
    if re.fullmatch("[0-9a-f]{64}", blob.name):  # a large file: its sha256
        return downloads.file_hash(blob) == blob.name
    if re.fullmatch("[0-9a-f]{40}", blob.name):  # a small one: as git names it
        content = blob.read_bytes()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest() == blob.name
    return True


def fetch_snapshot(repository: Repository) -> Path:
    """Download the repository's files into `downloads.own_folder()`, and check their hashes."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    cache = downloads.own_folder() / "hub"
    endpoint, name = constants.ENDPOINT, repository.name
    # huggingface_hub retries for a minute before it reports that there is no network.
    if is_offline() or not downloads.is_reachable(endpoint):
        why = "HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set" if is_offline() else "no server answers at that address"
        raise NoNetwork(
            f"{name} could not be fetched from {endpoint} ({why}); check the network; {downloads.OFFLINE_HINT}"
        )
    print(f"fetching {name} from {endpoint} into {cache}")
    patterns = [*repository.needed, *repository.optional]
    bar = NotebookBar if can_answer() else None  # None: their own, in a terminal
    try:
        for _ in range(2):
            with own_bars_hidden():
                found = snapshot_download(
                    name, repo_type=repository.kind, cache_dir=cache, allow_patterns=patterns, tqdm_class=bar
                )
            path = Path(found)
            damaged = [file for file in files_of(repository, path) if not is_intact(file)]
            if not damaged and path in complete_snapshots(repository, cache):
                return path
            for file in damaged:
                file.resolve().unlink(missing_ok=True)  # two files of one content share a blob
                file.unlink(missing_ok=True)
    except HfHubHTTPError as error:
        raise DownloadFailed(f"{endpoint} refuses {name} ({first_line(error)}); {downloads.OFFLINE_HINT}") from error
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS | downloads.PERMISSION_ERRORS:
            raise downloads.cannot_store(cache, error) from error
        raise NoNetwork(f"{name} could not be fetched ({first_line(error)}); {downloads.OFFLINE_HINT}") from error
    raise DownloadFailed(
        f"the files that {endpoint} serves as {name} are incomplete or have wrong hashes; try another network; "
        f"{downloads.OFFLINE_HINT}"
    )


@contextmanager
def own_bars_hidden() -> Iterator[None]:
    """Hides Hugging Face's own progress bars in a notebook, where they are widgets, and where nobody watches."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hide = (can_answer() or not is_watched()) and not are_progress_bars_disabled()
    if hide:
        disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            enable_progress_bars()


def is_offline() -> bool:
    """Whether Hugging Face's libraries are set to stay offline."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or os.environ.get("HF_DATASETS_OFFLINE", "0") not in ("", "0")


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
