import pytest

from course.notebook import progress_bars


def test_nobody_watching_means_the_same_iterable_and_no_output(monkeypatch, capfd):
    monkeypatch.setenv("COURSE_LIVE", "0")
    items = [1, 2, 3]
    assert progress_bars.progress_bar(items, "reading") is items
    assert capfd.readouterr() == ("", "")


def test_live_bar_yields_every_item_and_knows_the_total(monkeypatch):
    monkeypatch.setenv("COURSE_LIVE", "1")
    shown = progress_bars.progress_bar((n for n in range(5)), "reading", total=5)
    assert shown.total == 5
    assert shown.desc.startswith("reading")
    assert list(shown) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("delay_s, is_shown", [(60.0, False), (0.0, True)])
def test_live_bar_appears_only_when_the_work_takes_long(monkeypatch, capfd, delay_s, is_shown):
    monkeypatch.setenv("COURSE_LIVE", "1")
    monkeypatch.setattr(progress_bars, "DELAY_S", delay_s)
    list(progress_bars.progress_bar(range(3), "reading pictures"))
    assert ("reading pictures" in capfd.readouterr().err) is is_shown


@pytest.mark.parametrize("live, shown", [("1", True), ("0", False)])
def test_a_bar_of_bytes_goes_on_where_the_file_ends_and_hides_from_logs(monkeypatch, capfd, live, shown):
    monkeypatch.setenv("COURSE_LIVE", live)
    monkeypatch.setattr(progress_bars, "DELAY_S", 0.0)
    with progress_bars.download_bar(2_000_000, 1_000_000, "images.tar.gz") as bar:
        bar.update(1_000_000)
        assert bar.n == 2_000_000 or not shown
    err = capfd.readouterr().err
    assert ("images.tar.gz" in err and "1.00M/2.00M" in err) is shown
