import re

import pytest

from course.notebook import progress_bars
from tests.live_notebook import run_live

CLEARED = {"output_type": "display_data", "data": {}, "metadata": {}}


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


# Every page that the bars draw, kept by the kernel itself: the notebook has only the last.
DRAWN = """
import threading, time
from course.notebook import progress_bars
from course.notebook.progress_bars import download_bar, progress_bar
progress_bars.DELAY_S, drawn = 0.0, []
send = progress_bars._Board._send
def keep(board, content):
    drawn.append((board, time.monotonic(), content))
    send(board, content)
progress_bars._Board._send = keep
"""
CELLS = {
    "drawn": DRAWN,
    "nested": """
for name in progress_bar(["a", "b"], "<runs>"):
    for i in progress_bar(range(4), f"epoch {name}"):
        time.sleep(0.25)
print("done")""",
    "pages": "print([content.get('text/html') for _, _, content in drawn])",
    "fails": """
kept = progress_bar(range(9), "kept")
for i in kept:
    time.sleep(0.25)
    if i == 3:
        raise ValueError""",
    "next": "for i in progress_bar(range(3), 'next'): time.sleep(0.25)",
    "boards": "print(len({id(board) for board, _, _ in drawn}), [c['text/plain'] for _, _, c in drawn if c][-3:])",
    "quick": "drawn.clear()\nfor i in progress_bar(range(1000), 'quick'): time.sleep(0.001)",
    "intervals": """
times = [t for _, t, _ in drawn[:-2]]
print(len(times) > 2, len(times) - 2 <= (times[-1] - times[0]) / 0.2)""",
    "threads": """
def work(name, seconds):
    for i in progress_bar(iter(range(10)), name):
        time.sleep(seconds / 10)
late = threading.Thread(target=work, args=("late", 4))
several = [threading.Thread(target=work, args=(name, 1.5)) for name in "ab"]
for thread in [late, *several]: thread.start()
for thread in several: thread.join()""",
    "outlived": "n = len(drawn)\nlate.join()\nprint(len(drawn) - n, max(str(page).count('<label') for page in drawn))",
    "download": """
with download_bar(2_000_000, 1_000_000, "images.tar.gz") as bar:
    for _ in range(2):
        time.sleep(0.5)
        bar.update(250_000)
print(drawn[-2][2]["text/plain"])""",
    "libraries": """
import course
course.setup("quick")
from huggingface_hub.utils import tqdm
for i in tqdm(range(3)): pass
from transformers.utils.logging import tqdm
for i in tqdm(range(3)): pass
import datasets
for i in datasets.utils.tqdm(range(3)): pass""",
}


@pytest.fixture(scope="module")
def outputs():
    return dict(zip(CELLS, run_live(*CELLS.values(), allow_errors=True), strict=True))


def test_bars_of_a_cell_are_lines_of_one_output_that_is_emptied_at_its_end(outputs):
    assert outputs["nested"][0] == CLEARED
    assert [output.output_type for output in outputs["nested"][1:]] == ["stream"]
    pages = outputs["pages"][0].text
    assert "&lt;runs&gt; <progress" in pages and "<runs>" not in pages
    assert re.search(r"min-height: 44px.*?<label.*?1 of 2.*?<label.*?epoch b.*?\d of 4, 00:0\d left</label>", pages)


def test_a_bar_goes_when_its_cell_fails_and_the_next_cell_has_an_output_of_its_own(outputs):
    assert outputs["fails"][0] == CLEARED and outputs["fails"][1].output_type == "error"
    assert outputs["next"] == [CLEARED]
    boards = outputs["boards"][0].text
    assert boards.startswith("3 ") and "next: " in boards and "kept" not in boards


def test_the_page_is_updated_five_times_a_second_at_most(outputs):
    assert outputs["intervals"][0].text == "True True\n"  # one more is a page that a busy machine showed late


def test_bars_of_several_threads_share_the_output_and_one_that_outlives_the_cell_is_silent(outputs):
    assert outputs["threads"] == [CLEARED]
    assert outputs["outlived"][0].text == "0 3\n"


def test_a_download_in_a_notebook_says_how_many_bytes_are_there(outputs):
    assert outputs["download"][1].text.startswith("images.tar.gz: 1.50M of 2.00M, 00:0")


def test_libraries_that_draw_bars_store_none_after_setup(outputs):
    (printed,) = outputs["libraries"]
    assert printed.name == "stdout" and printed.text.count("\n") == 2
