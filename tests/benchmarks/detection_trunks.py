"""Chapter 06's experiment: the same small detector on a pretrained and on a random trunk, both frozen.

`python -m tests.benchmarks detection_trunks` measures what is missing, at three seeds, and writes the stored table
`course/data/assets/tables/detection_trunks.json`. Every run is kept under COURSE_HOME as soon as it is done; with seeds
as arguments only theirs are measured, so that several processes can share the work.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from course.data.scenes import Scenes
from course.detection import (
    OnMaps,
    Target,
    average_precision,
    collate,
    detect,
    detection_loss,
    load_detector,
    to_sample,
    train_levels,
    with_maps,
)
from course.experiments import Comparison, write_table
from course.runtime import home, seed_everything
from course.training import fit
from tests.benchmarks import Figure

TRAIN, TEST, EPOCHS, BATCH_SIZE, RATE = 240, 120, 7, 8, 3e-3
SEEDS = (0, 1, 2)
SETTINGS = {"pretrained": "default", "random": None}
COMMAND = "python -m tests.benchmarks detection_trunks"


@functools.lru_cache(maxsize=4)
def found_by(setting: str, seed: int) -> tuple[list[Target], list[Target]]:
    """(found, targets) on the test scenes, by a detector whose trunk stays as it is and whose rest was trained."""
    model = train_levels(load_detector(len(Scenes.classes), weights=SETTINGS[setting], seed=seed), 0)
    train = with_maps(model, Scenes("train", TRAIN, seed=seed, transform=to_sample))
    test = with_maps(model, Scenes("test", TEST, transform=to_sample))
    seed_everything(seed)
    loader = DataLoader(train, BATCH_SIZE, shuffle=True, collate_fn=collate)
    settings: dict[str, Any] = {"epochs": EPOCHS, "lr": RATE, "schedule": "cosine", "loss_fn": detection_loss}
    fit(OnMaps(model), loader, verbose=False, **settings)
    return detect(OnMaps(model), DataLoader(test, 25, collate_fn=collate))


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: AP50, and AP over overlaps from 0.5 to 0.95."""
    precision = average_precision(*found_by(setting, seed), Scenes.classes)
    return {"setting": setting, "seed": seed, "AP50": precision.ap50, "AP": precision.ap}


def measure(*seeds: str) -> Figure:
    for seed in map(int, seeds or SEEDS):
        for setting in SETTINGS:
            keep(setting, seed)
    found = read(kept_rows())
    complete = [seed for seed in SEEDS if all((setting, seed) in found for setting in SETTINGS)]
    comparison = Comparison([found[setting, seed] for setting in SETTINGS for seed in complete])
    notes = [f"seeds {complete}", comparison.table()]
    if tuple(complete) == SEEDS:
        notes.append(f"written to {write_table('detection_trunks', comparison.rows, command=COMMAND)}")
    ahead = comparison.paired("pretrained", "random")
    return Figure(ahead.low, "lower end of AP50 gained by pretraining", "above 0", tuple(notes))


def keep(setting: str, seed: int) -> None:
    """Measure a row and keep it, unless it is kept already."""
    if (setting, seed) not in read(kept_rows()):
        line = json.dumps(run(setting, seed))
        print(line, flush=True)
        kept_rows().parent.mkdir(parents=True, exist_ok=True)
        with kept_rows().open("a") as file:
            file.write(line + "\n")


def kept_rows() -> Path:
    return home() / "benchmarks" / "detection_trunks.jsonl"


def read(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows kept so far, by setting and seed."""
    lines = path.read_text().splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {(row["setting"], row["seed"]): row for row in rows}
