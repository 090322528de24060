import pytest

from course import bars


def test_nobody_watching_means_the_same_iterable_and_no_output(monkeypatch, capfd):
    monkeypatch.setenv("COURSE_LIVE", "0")
    items = [1, 2, 3]
    assert bars.bar(items, "reading") is items
    assert capfd.readouterr() == ("", "")


def test_live_bar_yields_every_item_and_knows_the_total(monkeypatch):
    monkeypatch.setenv("COURSE_LIVE", "1")
    shown = bars.bar((n for n in range(5)), "reading", total=5)
    assert shown.total == 5
    assert shown.desc.startswith("reading")
    assert list(shown) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("delay_s, is_shown", [(60.0, False), (0.0, True)])
def test_live_bar_appears_only_when_the_work_takes_long(monkeypatch, capfd, delay_s, is_shown):
    monkeypatch.setenv("COURSE_LIVE", "1")
    monkeypatch.setattr(bars, "DELAY_S", delay_s)
    list(bars.bar(range(3), "reading pictures"))
    assert ("reading pictures" in capfd.readouterr().err) is is_shown
