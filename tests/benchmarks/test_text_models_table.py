"""Chapter 08: its stored table is complete, a row of it is measured again, and what pretraining gains has its form."""

import numpy as np
import pytest

from course.training.experiments import stored_table
from tests.benchmarks import text_models


@pytest.fixture(scope="module")
def table():
    return stored_table("text_models")


def test_the_stored_table_has_every_setting_at_every_seed_and_says_where_it_comes_from(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    assert sorted(found) == sorted((setting, seed) for setting in text_models.SETTINGS for seed in text_models.SEEDS)
    assert table.command == "python -m tests.benchmarks text_models"
    assert table.commit
    assert table.machine


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("frozen, mean", 0)]
    again = text_models.run("frozen, mean", 0)
    for metric in ("accuracy", "plain", "negated"):
        # Two sentences of a hundred may fall on the other side where a machine rounds differently.
        assert again[metric] == pytest.approx(stored[metric], abs=0.021)


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
