"""The tables that notebooks show as stored: complete, with their source, and one row of each measured again."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pytest

from course.training.experiments import Comparison, stored_table


@dataclass(frozen=True)
class Table:
    """A stored table: the row to measure again, and how far each metric may lie from what is stored."""

    name: str
    setting: str
    metrics: dict[str, float]
    seed: int = 0

    @property
    def benchmark(self):
        return import_module(f"tests.benchmarks.{self.name}")

    def measure_again(self):
        return self.benchmark.run(self.setting, self.seed)


TWO_PICTURES = 0.011  # of 205, which may fall on the other side where a machine rounds differently
TWO_SENTENCES = 0.021  # of 100, likewise
STYLES = dict.fromkeys(("fluent", "noto", "twemoji"), TWO_PICTURES)
TWO_OF_150 = 0.0134
TABLES = [
    Table("frozen_modes", "eval mode", dict.fromkeys(("fluent", "noto", "twemoji"), TWO_OF_150)),
    Table("fine_tuning", "probe", STYLES),
    # Training samples proposals by their scores: where a machine rounds differently, other ones are drawn.
    Table("detection_trunks", "pretrained", {"AP50": 0.05}),
    # 200 steps of training carry what a machine rounds differently a little further.
    Table("segmenting", "pretrained, frozen", {"miou": 0.03, "pixel_accuracy": 0.01}),
    Table("text_models", "frozen, mean", dict.fromkeys(("accuracy", "plain", "negated", "pairs"), TWO_SENTENCES)),
    Table("text_entities", "frozen", {"F1": 0.02, "words": 0.01}),
    Table("classify_recipes", "head alone", {"validation": 0.041, "test": TWO_PICTURES}),
    Table("shortcut", "stamped tools", dict.fromkeys(("accuracy", "accuracy_stamped"), 0.03), seed=1),
    Table("under_shift", "fine-tuning", {"fluent": TWO_PICTURES, "shifted": TWO_PICTURES, "ece": 0.02}),
    Table("merging", "one start", dict.fromkeys(("fluent_half", "noto_half"), 0.03)),
    Table("efficiency_table", "float32", {"accuracy": TWO_PICTURES, "mib": 0.1}),
    Table("quantizers", "torch.ao dynamic (deprecated): Linear", {"size": 0.02, "error": 0.02}),
    # A fiftieth is one of the 50 validation drawings of a style; partners are sought six times among 50.
    Table("pretraining", "untrained", {"partners": 0.014, "same style, 15 labels": 0.041}),
    # 210 steps of pretraining carry it further still.
    Table("contrast_variants", "one style", {"partners": 0.05}),
    Table(
        "label_efficiency", "pixels", {"same style, 3 labels": TWO_PICTURES, "other styles, 15 labels": TWO_PICTURES}
    ),
]
every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@every_table
def test_a_stored_table_has_every_setting_at_every_seed_and_says_where_it_comes_from(table):
    stored = stored_table(table.name)
    found = [(row["setting"], row["seed"]) for row in stored.rows]
    expected = [(setting, seed) for setting in table.benchmark.SETTINGS for seed in table.benchmark.SEEDS]
    assert sorted(found) == sorted(expected)
    assert len(set(table.benchmark.SEEDS)) >= 3
    assert stored.command == f"python -m tests.benchmarks {table.name}"
    assert stored.commit
    assert stored.machine


@pytest.mark.slow
@every_table
def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    rows = stored_table(table.name).rows
    (stored,) = [row for row in rows if (row["setting"], row["seed"]) == (table.setting, table.seed)]
    again = table.measure_again()
    for metric, tolerance in table.metrics.items():
        assert again[metric] == pytest.approx(stored[metric], abs=tolerance), metric


def test_what_pretraining_gains_a_detector_lies_above_zero():
    assert Comparison(stored_table("detection_trunks").rows).paired("pretrained", "random", "AP50").low > 0


def test_sizes_and_times_are_positive():
    rows = stored_table("efficiency_table").rows
    assert all(row["mib"] > 0 and row["packed_mib"] > 0 and row["ms"] > 0 for row in rows)


def test_the_gain_of_pretraining_is_asked_for_by_index_with_repeats(monkeypatch):
    from tests.benchmarks.transfer import text

    monkeypatch.setattr(text, "trained", lambda model, data, seed: lambda texts: text.torch.zeros(len(texts)))
    monkeypatch.setattr(text, "classifier", lambda seed, weights="default": None)
    count, ways = text.run(0)
    assert count == text.TEST
    assert set(ways) == {"pretrained", "random", "baseline"}
    assert ways["pretrained"](np.arange(count)) == 0.5  # every text called negative, in balanced classes
    for way in ways.values():
        assert way(np.zeros(7, dtype=int)) in (0, 1)
