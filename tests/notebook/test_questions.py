import nbformat
import pytest
from nbclient import NotebookClient

from course.notebook import questions, record

QUESTION = "What does <b>`freeze`</b> stop?"
OPTIONS = ["the gradients", "the buffers & <i>more</i>"]
REASONS = ["`requires_grad` is off.", "They move in train mode: 1 < 2."]


def parts(box):
    """Question, radio buttons, button and feedback of a question's box."""
    head, radios, row, feedback = box.children
    return head, radios, row.children[0], feedback


def quiz_box():
    return questions._quiz_box("q-1", QUESTION, OPTIONS, 0, REASONS)


def prediction_box():
    return questions._prediction_box("p-1", QUESTION, OPTIONS)


def run(source, home, live, monkeypatch):
    monkeypatch.setenv("COURSE_LIVE", "1" if live else "0")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in source])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells]


CELLS = [
    f"from course.notebook.questions import predict, quiz, reveal\npredict('p-1', {QUESTION!r}, {OPTIONS!r})",
    "reveal('p-1', 'the gradients, 0 of 98 buffers < all')",
    f"quiz('q-1', {QUESTION!r}, {OPTIONS!r}, answer='A', explain={REASONS!r})",
]


def test_static_questions_are_the_same_plain_text_whatever_is_recorded(home, monkeypatch):
    record.append("prediction", id="p-1", letter="B", choice=OPTIONS[1])
    record.append("quiz", id="q-1", letter="B", choice=OPTIONS[1], right=False)
    outputs = run(CELLS, home, False, monkeypatch)
    texts = [output.text for (output,) in outputs]
    assert texts == [
        f"Predict before you run: {QUESTION}\n  A. {OPTIONS[0]}\n  B. {OPTIONS[1]}\n",
        "What came out: the gradients, 0 of 98 buffers < all\n",
        f"Recall: {QUESTION}\n  A. {OPTIONS[0]}\n  B. {OPTIONS[1]}\nRun this cell in Jupyter to answer.\n",
    ]
    assert not any(reason in text for reason in REASONS for text in texts)


def test_live_questions_are_widgets_with_the_text_for_readers_of_a_saved_notebook(home, monkeypatch):
    record.append("prediction", id="p-1", letter="B", choice=OPTIONS[1])
    (predict,), (reveal,), (quiz,) = run(CELLS, home, True, monkeypatch)
    for output in (predict, quiz):
        assert "application/vnd.jupyter.widget-view+json" in output.data
        assert QUESTION in output.data["text/plain"]
    assert "<b>You predicted</b> B. the buffers &amp; &lt;i&gt;more&lt;/i&gt;" in reveal.data["text/html"]
    assert "0 of 98 buffers &lt; all" in reveal.data["text/html"]
    assert reveal.data["text/plain"].startswith("You predicted: B. the buffers & <i>more</i>\nWhat came out: the")


def test_a_revealed_outcome_is_remembered_once_with_whether_the_prediction_was_right(home, monkeypatch):
    record.append("prediction", id="p-1", letter="B", choice=OPTIONS[1])
    told = "from course.notebook.questions import reveal\nreveal('p-1', 'the gradients', option='A')"
    run(
        [
            told,
            "from course.notebook import record\nrecord.append('prediction', id='p-1', letter='A', choice='late')",
            told,
        ],
        home,
        True,
        monkeypatch,
    )
    (event,) = [event for event in record.read() if event["kind"] == "outcome"]
    assert (event["id"], event["choice"], event["outcome"], event["right"]) == (
        "p-1",
        OPTIONS[1],
        "the gradients",
        False,
    )


def test_an_outcome_without_a_prediction_or_an_option_or_a_watcher_is_not_remembered(home, monkeypatch):
    run(["from course.notebook.questions import reveal\nreveal('p-1', 'x', option='A')"], home, True, monkeypatch)
    record.append("prediction", id="p-1", letter="A", choice=OPTIONS[0])
    run(["from course.notebook.questions import reveal\nreveal('p-1', 'x', option='A')"], home, False, monkeypatch)
    run(["from course.notebook.questions import reveal\nreveal('p-1', 'x')"], home, True, monkeypatch)
    assert record.latest("outcome", "p-1") is None


@pytest.mark.parametrize("option", ["a", "AB", "1", "K"])
def test_an_option_that_is_no_letter_is_refused_even_when_static(home, option):
    with pytest.raises(ValueError, match="letter of the option"):
        questions.reveal("p-1", "x", option=option)


def test_a_question_whose_day_has_come_asks_afresh_and_one_before_its_day_shows_its_answer(home, monkeypatch):
    _, radios, button, _ = parts(quiz_box())
    radios.index = 0
    button.click()
    assert parts(quiz_box())[1].index == 0
    written = record.path().read_text()
    year = record.read()[0]["time"][:4]
    record.path().write_text(written.replace(f'"{year}-', f'"{int(year) - 1}-'))
    _, radios, button, feedback = parts(quiz_box())
    assert radios.index is None and button.disabled and feedback.value == ""
    radios.index = 1
    button.click()
    assert "✗ Not B" in feedback.value and parts(quiz_box())[1].index == 1


def test_a_terminal_gets_the_static_form_even_when_it_is_live(home, monkeypatch, capfd):
    monkeypatch.setenv("COURSE_LIVE", "1")
    questions.predict("p-1", QUESTION, OPTIONS)
    assert capfd.readouterr().out.startswith("Predict before you run")


def test_a_prediction_is_recorded_when_the_button_is_pressed_and_not_before(home):
    _, radios, button, feedback = parts(prediction_box())
    assert radios.index is None and button.disabled
    radios.index = 1
    assert not button.disabled and record.read() == []
    button.click()
    event = record.latest("prediction", "p-1")
    assert (event["letter"], event["choice"]) == ("B", OPTIONS[1])
    assert "<b>Your prediction</b> B." in feedback.value


def test_running_the_cell_again_shows_the_last_choice(home):
    for index in (1, 0):
        _, radios, button, _ = parts(prediction_box())
        radios.index = index
        button.click()
    _, radios, button, feedback = parts(prediction_box())
    assert radios.index == 0 and not button.disabled
    assert "A. the gradients" in feedback.value


def test_a_choice_that_is_no_longer_an_option_is_forgotten(home):
    record.append("prediction", id="p-1", letter="A", choice="an older wording")
    _, radios, button, feedback = parts(prediction_box())
    assert radios.index is None and button.disabled and feedback.value == ""


@pytest.mark.parametrize("index, right, verdict", [(0, True, "✓ Right."), (1, False, "✗ Not B: the answer is A.")])
def test_an_answer_is_judged_recorded_and_every_option_explained(home, index, right, verdict):
    _, radios, button, feedback = parts(quiz_box())
    radios.index = index
    button.click()
    assert record.latest("quiz", "q-1")["right"] is right
    assert verdict in feedback.value
    assert "<code>requires_grad</code> is off." in feedback.value and "1 &lt; 2" in feedback.value
    assert parts(quiz_box())[3].value == feedback.value, "shown again on the next run"


def test_one_explanation_belongs_to_the_right_option(home, monkeypatch):
    boxes = []
    monkeypatch.setattr(questions, "can_answer", lambda: True)
    monkeypatch.setattr(questions, "show_widget", lambda box, text: boxes.append(box))
    questions.quiz("q-1", QUESTION, OPTIONS, answer=OPTIONS[1], explain="Because.")
    _, radios, button, feedback = parts(boxes[0])
    radios.index = 1
    button.click()
    assert "✓ <b>B</b> Because." in feedback.value and "<b>A</b>" not in feedback.value


def test_whatever_an_author_writes_is_escaped(home):
    head, radios, _, feedback = parts(quiz_box())
    assert "What does &lt;b&gt;<code>freeze</code>&lt;/b&gt; stop?" in head.value
    # Labels of radio buttons are shown as text by both versions of ipywidgets: escaping would show "&amp;".
    assert radios.options[1][0] == "B.  the buffers & <i>more</i>"
    assert feedback.value == ""


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
    assert questions._as_html(text) == page


def test_a_disk_that_cannot_be_written_does_not_stop_a_prediction(tmp_path, monkeypatch, capfd):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    _, radios, button, feedback = parts(prediction_box())
    radios.index = 0
    button.click()
    assert "could not be saved" in feedback.value


@pytest.mark.parametrize(
    "options, answer, explain, message",
    [
        (["one"], "A", "", "1 options"),
        (["same", "same"], "A", "", "same option twice"),
        (OPTIONS, "C", "", "no option 'C'"),
        (OPTIONS, 2, "", "no option 2"),
        (OPTIONS, "AB", "", "no option 'AB'"),
        (OPTIONS, "A", ["only one"], "2 options but 1 explanations"),
    ],
)
def test_a_question_that_does_not_fit_together_is_refused_even_when_static(home, options, answer, explain, message):
    with pytest.raises(ValueError, match=message):
        questions.quiz("q-1", QUESTION, options, answer, explain)
