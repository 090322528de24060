"""Stand-ins for data and text encoder of the full profile, as large as the real ones, in a folder to be COURSE_DATA."""

from __future__ import annotations

from pathlib import Path

import datasets

from course.data import huggingface
from tests.standin_models import distilbert
from tests.standins import BREEDS, any_entities, any_reviews, lay_out_pets, lay_out_repository

LAID_OUT = ("pets", "reviews", "entities", "encoder")  # of `course.zoo.full_profile.DOWNLOADS`
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
    lay_out_repository(root / "hub", "models", huggingface.ENCODER, distilbert(narrow=small))
    return root


def _sentences(count: int) -> list[str]:
    things = ("film", "evening", "story", "song", "ending", "actor", "joke")
    words = ("the", "a", "slow", "bright", "never", "quite", "Paris", "Lima", "with", "of", "long", "warm")
    return [
        " ".join(words[(index * step + step) % len(words)] for step in range(1, 4 + index % 17))
        + f" {things[index % len(things)]}{index}"
        for index in range(count)
    ]
