"""The stored table of chapter 10's seven ways: complete, and one row measured again."""

import pytest

from course.training.experiments import stored_table
from tests.benchmarks import efficiency_table


@pytest.fixture(scope="module")
def table():
    return stored_table("efficiency_table")


def test_the_stored_table_has_every_way_at_every_seed(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    ways = [(setting, seed) for setting in efficiency_table.SETTINGS for seed in efficiency_table.SEEDS]
    assert sorted(found) == sorted(ways)
    assert table.command == "python -m tests.benchmarks efficiency_table"
    assert all(row["seconds"] > 0 and row["mib"] > 0 and row["ms_a_picture"] > 0 for row in table.rows)


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("cached features", 0)]
    again = efficiency_table.run("cached features", 0)
    # Two pictures of 205 may fall on the other side; seconds are the machine's.
    assert again["accuracy"] == pytest.approx(stored["accuracy"], abs=0.011)
    assert again["mib"] == pytest.approx(stored["mib"], rel=0.02)
