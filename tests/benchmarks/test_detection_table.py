"""The stored table of chapter 06: complete, its claim true, and one row of it measured again."""

import pytest

from course.training.experiments import Comparison, stored_table
from tests.benchmarks import detection_trunks


@pytest.fixture(scope="module")
def table():
    return stored_table("detection_trunks")


def test_the_stored_table_has_every_setting_at_every_seed_and_says_where_it_comes_from(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    expected = [(setting, seed) for setting in detection_trunks.SETTINGS for seed in detection_trunks.SEEDS]
    assert sorted(found) == sorted(expected)
    assert table.command == "python -m tests.benchmarks detection_trunks"
    assert table.commit
    assert table.machine


def test_the_interval_of_what_pretraining_gains_lies_above_zero(table):
    assert Comparison(table.rows).paired("pretrained", "random", "AP50").low > 0


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("pretrained", 0)]
    again = detection_trunks.run("pretrained", 0)
    # Training samples proposals by their scores: where a machine rounds differently, other ones are drawn.
    assert again["AP50"] == pytest.approx(stored["AP50"], abs=0.05)
