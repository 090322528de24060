"""The stored table of chapter 04: complete, and one row of it measured again."""

import pytest

from course.training.experiments import stored_table
from tests.benchmarks import fine_tuning


@pytest.fixture(scope="module")
def table():
    return stored_table("fine_tuning")


def test_the_stored_table_has_every_setting_at_every_seed_and_says_where_it_comes_from(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    assert sorted(found) == sorted((setting, seed) for setting in fine_tuning.SETTINGS for seed in fine_tuning.SEEDS)
    assert table.command == "python -m tests.benchmarks fine_tuning"
    assert table.commit
    assert table.machine


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("probe", 0)]
    again = fine_tuning.run("probe", 0)
    for style in ("fluent", "noto", "twemoji"):
        # Two pictures of 205 may fall on the other side where a machine rounds differently.
        assert again[style] == pytest.approx(stored[style], abs=0.011)
