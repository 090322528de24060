import math

import pytest
from scipy.stats import binomtest

from course.errors import DataError
from course.inspection.class_report import class_report

TRUE, PREDICTED = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 2]


def test_rows_hold_precision_recall_f1_and_the_interval_of_the_recall():
    report = class_report(TRUE, PREDICTED, ["cat", "dog", "eel"])
    cat = report.rows[0]
    assert (cat.samples, cat.precision, cat.recall, cat.f1) == pytest.approx((3, 2 / 3, 2 / 3, 2 / 3))
    interval = binomtest(2, 3).proportion_ci(method="wilson")
    assert (cat.low, cat.high) == pytest.approx((interval.low, interval.high))
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_a_class_without_samples_has_no_part_in_the_means():
    report = class_report([0, 1], [0, 1], ["cat", "dog", "eel"])
    assert math.isnan(report.rows[2].recall)
    assert report.macro_f1 == 1


def test_names_are_escaped_on_the_page_and_aligned_as_text():
    report = class_report([0, 1], [0, 1], ["<b>", "dog"])
    assert "&lt;b&gt;" in report._repr_html_()
    assert repr(report).splitlines()[-1] == report.summary


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [([], [], "one of each"), ([0], [0, 1], "one of each"), ([0, 5], [0, 1], r"\[5\] are not indices")],
)
def test_what_cannot_be_counted_is_refused(true, predicted, message):
    with pytest.raises(DataError, match=message):
        class_report(true, predicted, ["cat", "dog"])
