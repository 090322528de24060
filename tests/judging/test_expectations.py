"""Judges tell right from wrong, and say it in one readable line."""

import pytest
import torch

from course.judging.expectations import (
    MAX_SHOWN,
    Unusable,
    Wrong,
    expect,
    expect_close,
    expect_equal,
    need,
    show,
)
from course.judging.wire import Other

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1, 1),
        (1.0, 1),
        (INF, INF),
        (NAN, NAN),
        ([1, {"a": "x"}], [1, {"a": "x"}]),
        ((1, 2), [1, 2]),
        (torch.tensor(2), 2),
        (2, torch.tensor(2.0)),
        (True, torch.tensor(True)),
        (torch.ones(2, dtype=torch.float64), torch.ones(2)),
        (torch.tensor([NAN]), torch.tensor([NAN])),
    ],
)
def test_equal_values_are_accepted(got, expected):
    expect_equal(got, expected, tried="x")
    expect_close(got, expected, tried="x")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1, 2),
        (INF, 1.0),
        (1.0, INF),
        (-INF, INF),
        (NAN, 1.0),
        (1.0, NAN),
        (True, 1),
        ("1", 1),
        (None, 0),
        (2**999, 1.5),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (Other("generator", "<generator>"), [1]),
        (torch.ones(2, 1), torch.ones(2)),
        (torch.ones(2, dtype=torch.int64), torch.ones(2)),
        (torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.bool)),
        (torch.tensor([INF]), torch.tensor([1.0])),
        ([1.0], torch.ones(1)),
    ],
)
def test_different_values_are_wrong(got, expected):
    with pytest.raises(Wrong):
        expect_equal(got, expected, tried="x")
    with pytest.raises(Wrong):
        expect_close(got, expected, tried="x")


def test_large_whole_numbers_are_told_apart():
    with pytest.raises(Wrong):
        expect_equal(torch.tensor([2**53 + 1]), torch.tensor([2**53]), tried="x")


def test_close_allows_a_tolerance_and_equal_does_not():
    expect_close(1.00001, 1.0, tried="x")
    with pytest.raises(Wrong):
        expect_equal(1.00001, 1.0, tried="x")


def test_the_misconception_that_explains_the_value_is_named():
    with pytest.raises(Wrong) as caught:
        expect_close(4.0, 2.0, tried="the mean of two", mistakes={"a difference": 0.0, "a sum instead of a mean": 4.0})
    assert caught.value.because == "a sum instead of a mean"
    assert str(caught.value) == "the mean of two: got 4, expected 2 (a sum instead of a mean)"


def test_expect_raises_only_when_it_does_not_hold():
    expect(True, tried="x", got=1, expected=1)
    with pytest.raises(Wrong, match="x: got 1, expected 2"):
        expect(False, tried="x", got=1, expected=2)


def test_a_missing_return_is_named():
    assert need([1], list, "a list") == [1]
    with pytest.raises(Unusable, match=r"returned None; return a list .*`return` missing"):
        need(None, list, "a list")
    with pytest.raises(Unusable, match="returned a generator; return a list"):
        need((x for x in [1]), list, "a list")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.333333"),
        ("plain", "plain"),
        ([1.0, "a", [True]], "[1, a, [True]]"),
        (torch.tensor(0.5), "0.5"),
        (torch.tensor([[1, 2], [3, 4]]), "tensor [[1, 2], [3, 4]]"),
        (torch.zeros(5, 4), "a tensor of shape (5, 4), float32"),
        (Other("generator", "<generator>"), "<generator> (a generator)"),
    ],
)
def test_a_value_is_shown_in_one_short_line(value, text):
    assert show(value) == text


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), {"a": "x" * 10_000}, [["x" * 90] * 12] * 12])
def test_a_long_value_is_cut(value):
    assert len(show(value)) <= MAX_SHOWN + 1


def test_large_tensors_of_one_shape_are_told_apart_by_the_number_that_differs_most():
    expected = torch.zeros(4, 5)
    got = expected.clone()
    got[1, 2], got[3, 4] = 0.5, 2.0
    with pytest.raises(Wrong) as caught:
        expect_close(got, expected, tried="x", because="no mistake that is known", mistakes={"all ones": expected + 1})
    assert caught.value.got == "a tensor of shape (4, 5), float32: 2 of 20 numbers differ, the one at [3, 4] most: 2"
    assert (caught.value.expected, caught.value.because) == ("0 at [3, 4]", "no mistake that is known")
    got[0, 0] = torch.nan
    with pytest.raises(Wrong, match=r"at \[0, 0\] most: nan"):
        expect_close(got, expected, tried="x")
