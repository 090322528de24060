"""A claim is one line that says whether it holds, the same on every machine where it does."""

import numpy as np
import pytest
import torch

from course.notebook.claims import claim


@pytest.mark.parametrize("holds", [True, 1, np.float32(0.7) > np.float32(0.5), torch.tensor([0.7]) > 0.5])
def test_a_true_claim_is_printed_as_one_that_holds(holds, capsys):
    assert claim("frozen features beat chance", holds) is None
    assert capsys.readouterr().out == "holds: frozen features beat chance\n"


@pytest.mark.parametrize("holds", [False, np.float32(0.3) > np.float32(0.5), torch.tensor(0.3) > 0.5, float("nan") > 0])
def test_a_false_claim_is_printed_as_one_that_does_not(holds, capsys):
    claim("frozen features beat chance", holds)
    assert capsys.readouterr().out == "does not hold: frozen features beat chance\n"
