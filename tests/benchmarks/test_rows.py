"""Rows of an experiment are kept as each is done; the table is written when all seeds are there."""

import json

from course.training import experiments
from tests.benchmarks import _rows

SEEDS = (0, 1)


def test_an_interrupted_experiment_goes_on_and_writes_its_table_at_the_end(home, tmp_path, monkeypatch):
    monkeypatch.setattr(
        _rows,
        "write_table",
        lambda name, rows, command: experiments.write_table(name, rows, command=command, folder=tmp_path),
    )
    done = []

    def run(setting, seed):
        done.append((setting, seed))
        return {"setting": setting, "seed": seed, "score": seed + len(setting) / 10}

    comparison, notes = _rows.compare_kept("toy", run, ["a", "bb"], SEEDS, ["1"])
    assert done == [("a", 1), ("bb", 1)] and comparison.values("a") == [1.1]
    assert not list(tmp_path.glob("*.json")) and notes[0] == "seeds [1]"
    comparison, notes = _rows.compare_kept("toy", run, ["a", "bb"], SEEDS, [])
    assert done == [("a", 1), ("bb", 1), ("a", 0), ("bb", 0)]
    assert comparison.values("bb") == [0.2, 1.2]
    stored = json.loads((tmp_path / "toy.json").read_text())
    assert stored["command"] == "python -m tests.benchmarks toy" and len(stored["rows"]) == 4
