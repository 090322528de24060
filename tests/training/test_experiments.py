import json
import math

import pytest
import torch

from course.errors import EmptyData, UnknownName
from course.training.experiments import compare, stored_table, write_table
from course.training.intervals import Interval


def measured(setting, seed):
    return {"accuracy": setting + 0.1 * seed, "loss": 1.0}


def test_every_setting_runs_once_with_every_seed():
    runs = []
    compare(lambda setting, seed: runs.append((setting, seed)) or 0.0, {"a": 1, "b": 2}, seeds=(3, 4))
    assert sorted(runs) == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_the_interval_is_students():
    interval = Interval.of([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t(0.975, 2) from tables


def test_one_seed_alone_has_a_mean_and_an_infinite_interval():
    interval = Interval.of([0.5])
    assert math.isinf(interval.half_width) and str(interval) == "0.50" and not interval.excludes_zero


def test_a_paired_difference_cancels_what_the_seeds_share():
    result = compare(measured, {"low": 0.2, "high": 0.5})
    assert result.interval("high").half_width > 0.2
    difference = result.paired("high", "low")
    assert difference.mean == pytest.approx(0.3) and difference.half_width < 1e-9 and difference.excludes_zero


def test_the_table_is_plain_and_the_same_every_time():
    result = compare(measured, {"low": 0.2, "high": 0.5})
    assert (
        result.table()
        == "setting  accuracy     loss\nlow      0.30 ± 0.25  1.00 ± 0.00\nhigh     0.60 ± 0.25  1.00 ± 0.00"
    )
    assert "<td>high</td><td>0.60 ± 0.25</td>" in result._repr_html_()


def test_generators_are_seeded_before_every_run():
    result = compare(lambda setting, seed: torch.rand(()).item(), ["a", "b"])
    assert result.values("a") == result.values("b")
    assert len(set(result.values("a"))) == 3


def test_a_wrong_name_is_answered_with_the_nearest():
    result = compare(measured, {"frozen": 0.2})
    with pytest.raises(UnknownName, match="'frozen'"):
        result.interval("frozn")
    with pytest.raises(UnknownName, match="metric"):
        result.interval("frozen", "acuracy")


def test_nothing_to_compare_is_an_error():
    with pytest.raises(EmptyData):
        compare(measured, {})


def test_a_stored_table_says_where_it_comes_from(tmp_path, monkeypatch):
    path = write_table(
        "probe", [{"seed": 0, "accuracy": 0.5}], command="python -m tests.benchmarks probe", folder=tmp_path
    )
    assert set(json.loads(path.read_text("utf-8"))) == {"command", "commit", "machine", "rows"}
    monkeypatch.setattr("course.training.experiments.TABLES", tmp_path)
    table = stored_table("probe")
    assert table.rows == [{"seed": 0, "accuracy": 0.5}]
    assert "stored, not measured now: `python -m tests.benchmarks probe`" in repr(table)
    with pytest.raises(UnknownName, match="'probe'"):
        stored_table("prob")
