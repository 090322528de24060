"""The stored table of chapter 07: complete, and one row of it measured again."""

import pytest

from course.training.experiments import stored_table
from tests.benchmarks import segmenting


@pytest.fixture(scope="module")
def table():
    return stored_table("segmenting")


def test_the_stored_table_has_every_setting_at_every_seed_and_says_where_it_comes_from(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    assert sorted(found) == sorted((setting, seed) for setting in segmenting.SETTINGS for seed in segmenting.SEEDS)
    assert table.command == "python -m tests.benchmarks segmenting"
    assert table.commit
    assert table.machine


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("pretrained, frozen", 0)]
    again = segmenting.run("pretrained, frozen", 0)
    # 200 steps of training carry what a machine rounds differently a little further.
    assert again["miou"] == pytest.approx(stored["miou"], abs=0.03)
    assert again["pixel_accuracy"] == pytest.approx(stored["pixel_accuracy"], abs=0.01)
