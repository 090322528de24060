"""The picture of the folders is the one that their imports draw."""

import xml.etree.ElementTree as ElementTree

from tests import draw_architecture
from tests.draw_architecture import BASE, FOLDERS, count_imports, crossings, is_implied, passes, rows_of
from tests.test_layers import IMPORTS


def test_the_committed_picture_is_what_the_imports_draw_now():
    committed = draw_architecture.PICTURE.read_text(encoding="utf-8")
    assert committed == draw_architecture.draw(), "run python -m tests.draw_architecture, and commit what it draws"


def test_every_folder_and_every_import_between_two_folders_is_in_the_picture():
    texts = [
        "".join(node.itertext())
        for node in ElementTree.fromstring(draw_architecture.draw()).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {text.removesuffix("/").removesuffix(".py") for text in texts} >= set(FOLDERS)
    edges = count_imports()
    assert sum(edges.values()) == sum(
        one.split(".")[0] != other.split(".")[0] for one, others in IMPORTS.items() for other in others
    )
    arrows = [int(text) for text in texts if text.isdecimal()]
    also = " ".join(text for text in texts if "\N{NO-BREAK SPACE}" in text).replace(",", "").removeprefix("also ")
    beside = [int(word.split("\N{NO-BREAK SPACE}")[1]) for word in also.split(" ") if "\N{NO-BREAK SPACE}" in word]
    base = [int(text.split()[1]) for text in texts if text.startswith("imported ")]
    assert sum(arrows) + sum(beside) == sum(count for (_, other), count in edges.items() if other not in BASE)
    assert sum(base) == sum(count for (_, other), count in edges.items() if other in BASE)


def test_a_folder_stands_above_all_that_it_imports_from_and_an_arrow_bends_in_each_row_between():
    edges = {("b", "a"): 1, ("c", "b"): 1, ("d", "c"): 1, ("d", "a"): 1, ("e", "a"): 1}
    rows = rows_of(["a", "b", "c", "d", "e"], edges)
    assert rows == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 1}
    assert is_implied(("d", "a"), edges) and not is_implied(("e", "a"), edges)
    assert passes(("d", "a"), rows) == ["d", "d a 2", "d a 1", "a"]


def test_lines_that_cross_are_counted():
    x = {"a": 0.0, "b": 1.0, "c": 0.0, "d": 1.0}
    rows = {"a": 1, "b": 1, "c": 0, "d": 0}
    assert crossings([("a", "d"), ("b", "c")], x, rows) == 1
    assert crossings([("a", "c"), ("b", "d")], x, rows) == 0
