"""The statistics of the benchmark `transfer_gain`, on metrics whose differences are known."""

import sys
import types

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import transfer_gain
from tests.benchmarks.transfer import classification
from tests.data.test_pictures import noise


def runs(ahead, spread=0.0, items=400):
    """Three seeds of a metric that is the mean of hits; `ahead` is how much more often the pretrained one is right."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        chance = rng.random(items)
        hits = {"pretrained": chance < 0.5 + ahead + spread * (seed - 1), "random": chance < 0.5}
        found.append((items, {kind: lambda at, right=right: float(right[at].mean()) for kind, right in hits.items()}))
    return found


def test_a_clear_gain_lies_inside_an_interval_above_zero():
    mean, low, high = transfer_gain.gain(runs(0.2), "pretrained", "random")
    assert low < mean < high
    assert low > 0.1
    assert mean == pytest.approx(0.2, abs=0.04)


def test_equal_models_have_no_gain_at_all_because_items_are_paired():
    assert transfer_gain.gain(runs(0.0), "pretrained", "random") == (0.0, 0.0, 0.0)


def test_seeds_that_disagree_widen_the_interval():
    narrow = transfer_gain.gain(runs(0.2), "pretrained", "random")
    wide = transfer_gain.gain(runs(0.2, spread=0.2), "pretrained", "random")
    assert wide[2] - wide[1] > 2 * (narrow[2] - narrow[1])
    assert wide[1] < 0.1


def test_the_line_has_means_and_intervals_and_works_without_a_baseline():
    line, low = transfer_gain.report("detection", runs(0.2))
    assert line.startswith("detection: pretrained 0.")
    assert "baseline" not in line
    assert low > 0


@pytest.mark.parametrize("ahead, code", [(0.2, 0), (0.0, 1)])
def test_a_missed_bar_is_the_exit_code_and_missing_applications_are_named(monkeypatch, capsys, ahead, code):
    module = types.ModuleType("tests.benchmarks.transfer.text")
    module.run = lambda seed: runs(ahead)[seed]
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(transfer_gain, "APPLICATIONS", ("nothing_yet", "text"))
    assert benchmarks.main(["transfer_gain"]) == code
    *_, note, last = capsys.readouterr().out.splitlines()
    assert note == "not there yet: nothing_yet"
    assert last.startswith("transfer_gain: ")
    assert last.endswith("(bar above 0)")


def test_an_unknown_application_is_refused():
    with pytest.raises(SystemExit, match="did you mean 'classification'"):
        transfer_gain.measure("classificatoin")


def test_folders_of_benchmarks_are_no_benchmarks(capsys):
    assert benchmarks.main(["transfer"]) == 2
    assert "transfer_gain" in capsys.readouterr().err


def test_hog_does_not_see_brightness_and_sees_direction():
    size = (classification.SIZE, classification.SIZE)
    picture = noise(size)
    features = classification.hog(picture)
    assert features.shape == (11 * 11 * 36,)
    np.testing.assert_allclose(features.reshape(-1, 36).__pow__(2).sum(1), 1, atol=1e-2)
    turned = classification.hog(picture.rotate(90))
    assert np.abs(features - turned).max() > 0.1
    stripes = np.zeros((*size, 3), np.uint8)
    stripes[:, ::8] = 255  # upright stripes: gradients point sideways, into the bins around 0 degrees
    blocks = classification.hog(Image.fromarray(stripes)).reshape(-1, 9, 4)  # bins, cells of a block
    assert blocks[:, [0, 8]].sum() == pytest.approx(blocks.sum())
