"""The hints of a card: a button while there are any, a line to type where nobody can press it."""

import pytest

from course.judging import hints
from course.judging.exercise import find_exercise
from course.judging.results import Outcome, Result
from course.notebook import bridge, record

ID = "02-freeze-backbone"
WRONG = Result(ID, "Freeze", "graded", (Outcome("a", "It is A.", 2, False),))
RIGHT = Result(ID, "Freeze", "graded", (Outcome("a", "It is A.", 2, True),))


@pytest.fixture
def live(home, monkeypatch):
    """A notebook with somebody at the keyboard: the forms that were shown, each with what answers it."""
    forms = []
    monkeypatch.setattr(hints, "can_answer", lambda: True)
    monkeypatch.setattr(bridge, "show_form", lambda page, on_submit: forms.append((page, on_submit)))
    return forms


def test_the_button_shows_one_hint_after_the_other_and_goes_after_the_last(live):
    exercise = find_exercise(ID)
    hints.show_result(WRONG, exercise)
    ((page, press),) = live
    assert page.is_form and 'data-course-button="Show a hint"' in page.html and f'hint("{ID}")' in page.text
    pages = [press({}) for _ in hints.steps_of(exercise)]
    assert [page.is_form for page in pages] == [True] * (len(pages) - 1) + [False]
    assert "Hint 1 of 3" in pages[0].html and "Hint 2 of 3" not in pages[0].html
    assert "The idea" in pages[-1].html and "data-course-button" not in pages[-1].html
    assert [event["step"] for event in record.read() if event["kind"] == "hint"] == list(range(1, len(pages) + 1))


def test_a_card_offers_no_hint_once_all_were_read_or_the_answer_is_right(live, home):
    exercise = find_exercise(ID)
    assert hints.offer_of(RIGHT, exercise) == ""
    for _ in hints.steps_of(exercise):
        assert hints.offer_of(WRONG, exercise)
        hints.take_hint(exercise)
    assert hints.offer_of(WRONG, exercise) == ""


def test_where_nobody_can_press_a_button_the_call_is_named(home, capsys):
    hints.show_result(WRONG, find_exercise(ID))
    assert capsys.readouterr().out.splitlines()[-1] == f'  for a hint, run hint("{ID}") in a cell of its own'
