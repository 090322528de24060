"""Stand-ins for all that the full profile downloads, as large as the real things, in a folder to be COURSE_DATA."""

from __future__ import annotations

from pathlib import Path

import datasets
import torch

from course.weights import minilm_folder
from tests.standins import BREEDS, any_entities, any_reviews, lay_out_pets, lay_out_repository

# What a notebook runs first, so that weights of the right shapes are there though none can be downloaded.
RANDOM_WEIGHTS = """\
import course.weights

for library in ("torchvision", "timm"):
    load = getattr(course.weights, f"_load_{library}")
    setattr(course.weights, f"_load_{library}", lambda name, weights, load=load: load(name, None))
"""
CATS, DOGS = 12, 25


def lay_out(root: Path, *, small: bool = False) -> Path:
    """`root` with pets, reviews, entities and a DistilBERT of random weights, with BERT's own tokenizer."""
    datasets.disable_progress_bars()
    breeds = tuple(f"Cat_{n}" for n in range(CATS)) + tuple(f"dog_{n}" for n in range(DOGS))
    if small:
        lay_out_pets(root, breeds=BREEDS)
    else:
        lay_out_pets(root, breeds=breeds, per_breed=100, side=500)
    share = 1000 if small else 1
    reviews = {"train": 67_349 // share, "validation": 872 // share + 1}
    entities = {"train": 20_000 // share, "test": 10_000 // share}
    name = "{}/{}-00000-of-00001.parquet"
    files = {name.format("data", split): any_reviews(*_sentences(count)) for split, count in reviews.items()}
    lay_out_repository(root / "hub", "datasets", "stanfordnlp/sst2", files)
    files = {name.format("en", split): any_entities(*_sentences(count)) for split, count in entities.items()}
    lay_out_repository(root / "hub", "datasets", "unimelb-nlp/wikiann", files)
    lay_out_repository(root / "hub", "models", "distilbert/distilbert-base-uncased", _distilbert(root, small=small))
    return root


def _sentences(count: int) -> list[str]:
    things = ("film", "evening", "story", "song", "ending", "actor", "joke")
    words = ("the", "a", "slow", "bright", "never", "quite", "Paris", "Lima", "with", "of", "long", "warm")
    return [
        " ".join(words[(index * step + step) % len(words)] for step in range(1, 4 + index % 17))
        + f" {things[index % len(things)]}{index}"
        for index in range(count)
    ]


def _distilbert(folder: Path, *, small: bool) -> dict[str, bytes]:
    """A DistilBERT's files: of random weights, with the vocabulary of the bundled MiniLM, which is BERT's."""
    from transformers import DistilBertConfig, DistilBertModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    sizes = {"dim": 24, "hidden_dim": 48, "n_layers": 2, "n_heads": 2} if small else {}
    with torch.random.fork_rng(devices=[]):
        model = DistilBertModel(DistilBertConfig(**sizes))
    model.save_pretrained(folder / "distilbert")
    bundled = minilm_folder()
    tokenizer = [bundled / name for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")]
    made = [folder / "distilbert" / name for name in ("config.json", "model.safetensors")]
    return {path.name: path.read_bytes() for path in [*made, *tokenizer] if path.exists()}
