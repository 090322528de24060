"""Predictions, outcomes and quizzes: asked, answered by a form or a letter, remembered; static when nobody watches."""

import nbformat
import pytest
from nbclient import NotebookClient

from course.errors import UnknownName
from course.notebook import bridge, question_pages, questions, record
from course.questions import question
from course.questions.question import Answer, Between, Option, Prediction, Quiz

PREDICTION = Prediction(
    "98-moved",
    "How many of the {count} <b>`buffers`</b> move?",
    (
        Option("none of them", Between(high=0.1), "The mode was *eval*."),
        Option("all & <i>more</i>", Between(0.9), "Frozen weights are not a frozen layer: 1 < 2."),
    ),
    measured="{value:.0%} of the buffers moved",
    otherwise="Some layers were in eval mode.",
)
SEVERAL = Prediction(
    "98-several",
    "Ahead with few labels, and with many?",
    (
        Option("with few only", {"few": Between(0.01), "many": Between(high=0.01)}, "Labels replace pretraining."),
        Option("it collapses", {"collapsed": True}, "Every picture has one embedding."),
    ),
    measured="{few:+.2f} and {many:+.2f}",
)
QUIZ = Quiz(
    "98-recall",
    "What stops <b>`freeze`</b>?",
    (Answer("the gradients", "`requires_grad` is off.", True), Answer("all & <i>more</i>", "They move: 1 < 2.")),
)
ASKED = "How many of the 98 <b>`buffers`</b> move?"


@pytest.fixture(autouse=True)
def chapter(home, monkeypatch):
    """A chapter with three questions, and a record that is empty."""
    monkeypatch.setattr(question, "_read_questions", lambda number: (PREDICTION, SEVERAL, QUIZ))


@pytest.fixture
def live(monkeypatch):
    """A notebook that somebody watches: what was shown, as (page, what a submitted form does or None)."""
    shown = []
    monkeypatch.setattr(questions, "can_answer", lambda: True)
    monkeypatch.setattr(bridge, "show_page", lambda page, text: shown.append((bridge.Page(page, text), None)))
    monkeypatch.setattr(bridge, "show_form", lambda page, submit, *, move_on: shown.append((page, submit)))
    return shown


def press(shown, index):
    """The page after the last form was submitted with this option chosen."""
    page, submit = shown[-1]
    name = page.html.split('name="')[1].split('"')[0]
    return submit({name: str(index)})


def test_static_questions_are_the_same_plain_text_whatever_is_recorded(capsys):
    record.append("prediction", id="98-moved", letter="B", choice=PREDICTION.choices[1])
    record.append("quiz", id="98-recall", letter="B", choice=QUIZ.choices[1], right=False)
    questions.predict("98-moved", count=98)
    questions.reveal("98-moved", 1.0)
    questions.quiz("98-recall")
    assert capsys.readouterr().out.splitlines() == [
        f"Predict before you run: {ASKED}",
        "  A. none of them",
        "  B. all & <i>more</i>",
        "What came out: B. all & <i>more</i>",
        "measured: 100% of the buffers moved",
        "Frozen weights are not a frozen layer: 1 < 2.",
        "Recall: What stops <b>`freeze`</b>?",
        "  A. the gradients",
        "  B. all & <i>more</i>",
        "Run this cell in Jupyter to answer.",
    ]


def test_the_measured_value_decides_and_an_outcome_that_nobody_offered_says_so(capsys):
    for value, came_out, because in (
        (0.0, "A. none of them", "The mode was *eval*."),
        (0.5, "none of the options", "Some layers were in eval mode."),
    ):
        questions.reveal("98-moved", value)
        assert capsys.readouterr().out.splitlines() == [
            f"What came out: {came_out}",
            f"measured: {value:.0%} of the buffers moved",
            because,
        ]


def test_several_measured_values_decide_by_name(capsys):
    questions.reveal("98-several", few=0.1, many=0.0, collapsed=False)
    assert "A. with few only" in capsys.readouterr().out
    questions.reveal("98-several", few=0.0, many=0.0, collapsed=True)
    assert "B. it collapses" in capsys.readouterr().out


def test_a_tensor_with_one_element_is_a_measured_value(capsys):
    import numpy as np
    import torch

    for value in (torch.tensor(0.95), np.float32(0.95), torch.tensor([0.95])):
        questions.reveal("98-moved", value)
        assert "measured: 95% of" in capsys.readouterr().out


@pytest.mark.parametrize("values", [{}, {"few": 0.1}])
def test_a_missing_measurement_is_an_error_that_names_what_is_needed(values):
    with pytest.raises(ValueError, match=r"98-several.*few"):
        questions.reveal("98-several", **values)


def test_a_form_has_native_radio_buttons_in_a_fieldset_with_a_legend(live):
    questions.predict("98-moved", count=98)
    page = live[-1][0].html
    assert page.count('type="radio" name="course-98-moved"') == 2
    assert (
        "<fieldset disabled><legend>" in page and "How many of the 98 &lt;b&gt;<code>buffers</code>&lt;/b&gt;" in page
    )
    assert "all &amp; &lt;i&gt;more&lt;/i&gt;" in page and "predict(&quot;98-moved&quot;, &quot;A&quot;)" in page


def test_a_form_holds_no_explanation(live):
    questions.predict("98-moved", count=98)
    questions.quiz("98-recall")
    for page, _ in live:
        assert not any(text in page.html + page.text for text in ("Frozen weights", "eval", "is off", "They move"))


def test_a_prediction_is_recorded_when_it_is_submitted_and_shown_again_later(live):
    questions.predict("98-moved", count=98)
    assert record.read() == []
    page = press(live, 1)
    event = record.latest("prediction", "98-moved")
    assert (event["letter"], event["choice"]) == ("B", PREDICTION.choices[1])
    assert not page.is_form and "Your prediction: B." in page.html and "<form" not in page.html
    questions.predict("98-moved", count=98)
    assert live[-1] == (bridge.Page(page.html, page.text), None)


def test_a_letter_answers_as_the_form_does(live):
    questions.predict("98-moved", "b", count=98)
    assert record.latest("prediction", "98-moved")["letter"] == "B"
    questions.predict("98-moved", "A", count=98)
    assert record.latest("prediction", "98-moved")["letter"] == "A"
    questions.quiz("98-recall", "A")
    assert record.latest("quiz", "98-recall")["right"] is True


@pytest.mark.parametrize("letter", ["C", "AB", "1", "", "none of them"])
def test_a_letter_that_no_option_has_is_refused(live, letter):
    with pytest.raises(ValueError, match="choose one of A, B"):
        questions.predict("98-moved", letter, count=98)
    with pytest.raises(ValueError, match="choose one of A, B"):
        questions.quiz("98-recall", letter)


def test_a_choice_that_is_no_longer_an_option_is_asked_again(live):
    record.append("prediction", id="98-moved", letter="A", choice="an older wording")
    questions.predict("98-moved", count=98)
    assert live[-1][0].is_form


def test_the_outcome_is_remembered_once_with_whether_the_prediction_was_right(live):
    record.append("prediction", id="98-moved", letter="A", choice=PREDICTION.choices[0])
    questions.reveal("98-moved", 1.0)
    record.append("prediction", id="98-moved", letter="B", choice=PREDICTION.choices[1])
    questions.reveal("98-moved", 1.0)
    (event,) = [event for event in record.read() if event["kind"] == "outcome"]
    assert (event["choice"], event["outcome"], event["right"]) == ("none of them", "B. all & <i>more</i>", False)
    assert "You predicted:</b> A. none of them" in live[0][0].html and "100% of the buffers" in live[0][0].html


def test_once_the_outcome_was_seen_nothing_invites_to_change_the_prediction(live):
    questions.predict("98-moved", "A", count=98)
    assert "To change it" in live[-1][0].html
    questions.reveal("98-moved", 1.0)
    questions.predict("98-moved", count=98)
    assert "To change it" not in live[-1][0].html


def test_a_prediction_made_after_the_outcome_was_seen_does_not_count(live):
    questions.reveal("98-moved", 1.0)
    assert "You predicted:</b> nothing" in live[-1][0].html
    questions.predict("98-moved", "B", count=98)
    assert "To change it" not in live[-1][0].html
    questions.reveal("98-moved", 1.0)
    assert "(after you had seen the result)" in live[-1][0].html
    assert record.latest("outcome", "98-moved") is None


def test_an_outcome_that_nobody_watches_is_not_remembered(live, monkeypatch):
    record.append("prediction", id="98-moved", letter="A", choice=PREDICTION.choices[0])
    monkeypatch.setattr(questions, "can_answer", lambda: False)
    questions.reveal("98-moved", 1.0)
    assert [event["kind"] for event in record.read()] == ["prediction"]


@pytest.mark.parametrize("index, right, verdict", [(0, True, "✓ Right."), (1, False, "✗ Not B: the answer is A.")])
def test_a_quiz_is_judged_recorded_and_every_option_explained(live, index, right, verdict):
    questions.quiz("98-recall")
    page = press(live, index)
    assert record.latest("quiz", "98-recall")["right"] is right
    assert verdict in page.html and "<code>requires_grad</code> is off." in page.html and "1 &lt; 2" in page.html
    assert "<form" not in page.html and "They move: 1 < 2." in page.text


def test_a_quiz_whose_day_has_come_asks_afresh_and_one_before_its_day_shows_its_answer(live):
    questions.quiz("98-recall", "A")
    questions.quiz("98-recall")
    assert not live[-1][0].is_form
    written = record.path().read_text()
    year = record.read()[0]["time"][:4]
    record.path().write_text(written.replace(f'"{year}-', f'"{int(year) - 1}-'))
    questions.quiz("98-recall")
    assert live[-1][0].is_form


def test_a_terminal_gets_the_static_form_even_when_it_is_live(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_LIVE", "1")
    questions.predict("98-moved", count=98)
    assert capsys.readouterr().out.startswith("Predict before you run")


def test_an_unknown_id_and_a_missing_value_are_named():
    with pytest.raises(UnknownName, match="98-moved"):
        questions.predict("98-move")
    with pytest.raises(UnknownName, match="98-recall"):
        questions.quiz("98-recal")
    with pytest.raises(ValueError, match="count"):
        questions.predict("98-moved")


def test_a_disk_that_cannot_be_written_does_not_stop_a_prediction(live, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    questions.predict("98-moved", count=98)
    assert "could not be saved" in press(live, 0).html


@pytest.mark.parametrize(
    "text, page",
    [
        ("in *train* mode", "in <em>train</em> mode"),
        ("left out *and named*", "left out <em>and named</em>"),
        ("θ* of one, θ* of the other", "θ* of one, θ* of the other"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("call `f(*args, *more)`", "call <code>f(*args, *more)</code>"),
    ],
)
def test_emphasis_is_shown_as_emphasis_and_other_asterisks_stay(text, page):
    assert question_pages.prose(text) == page


def test_a_live_notebook_stores_no_view_of_a_widget(monkeypatch):
    monkeypatch.setenv("COURSE_LIVE", "1")
    sources = ["from course import predict, quiz, reveal", "predict('00-names')", "quiz('00-recall-words')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    nbformat.validate(notebook)
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "text/plain"}
        assert "To answer, run this cell again" in output.data["text/html"]
