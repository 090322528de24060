"""The stored signs of chapter 10: complete, and one row measured again."""

import pytest

from course.training.experiments import Comparison, stored_table
from tests.benchmarks import fine_tuning, ood_signs


@pytest.fixture(scope="module")
def table():
    return stored_table("ood_signs")


def test_the_stored_table_has_every_setting_at_five_seeds(table):
    found = [(row["setting"], row["seed"]) for row in table.rows]
    assert sorted(found) == sorted((setting, seed) for setting in ood_signs.SETTINGS for seed in ood_signs.SEEDS)
    assert len(ood_signs.SEEDS) == 5
    assert table.command == "python -m tests.benchmarks ood_signs"


def test_rows_that_chapter_04_has_stored_are_the_same(table):
    known = {(row["setting"], row["seed"]): row for row in stored_table("fine_tuning").rows}
    shared = [row for row in table.rows if (row["setting"], row["seed"]) in known]
    assert len(shared) == 9
    assert all(row == known[row["setting"], row["seed"]] for row in shared)


def test_every_sign_is_told_with_its_interval(table):
    lines = ood_signs.told(Comparison(table.rows))
    assert len(lines) == len(ood_signs.SIGNS)
    assert all("±" in line and line.endswith(("paper)", "open)")) for line in lines)


def test_a_stored_row_is_what_its_benchmark_measures_again(table):
    (stored,) = [row for row in table.rows if (row["setting"], row["seed"]) == ("probe", 3)]
    again = fine_tuning.run("probe", 3)
    for style in ("fluent", "noto", "twemoji"):
        assert again[style] == pytest.approx(stored[style], abs=0.011)  # two pictures of 205, where rounding differs
