import numpy as np
import pytest
from scipy.stats import binom

from course.errors import DataError
from course.inspection.paired_test import mcnemar


def outcomes(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_the_p_value_is_that_of_a_fair_coin():
    test = mcnemar(*outcomes(50, 15, 5, 30))
    assert (test.only_a, test.only_b, test.n) == (15, 5, 100)
    assert test.p_value == pytest.approx(2 * binom.cdf(5, 20, 0.5))
    assert test.difference == pytest.approx(0.1)
    assert test.low < 0.1 < test.high


def test_swapping_the_models_turns_the_sign():
    a, b = outcomes(40, 12, 3, 20)
    one, other = mcnemar(a, b), mcnemar(b, a)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.multinomial(120, [0.5, 0.2, 0.1, 0.2], size=500)
    tests = [mcnemar(*outcomes(*draw)) for draw in draws]
    assert 0.92 <= np.mean([test.low <= 0.1 <= test.high for test in tests]) <= 0.98


def test_models_that_never_disagree_are_not_said_to_differ():
    test = mcnemar([True, False], [True, False])
    assert test.p_value == 1
    assert test.low < 0 < test.high


@pytest.mark.parametrize(("a", "b"), [([], []), ([1], [1, 0]), ([[1]], [[1]])])
def test_other_samples_are_refused(a, b):
    with pytest.raises(DataError, match="the same samples"):
        mcnemar(a, b)
