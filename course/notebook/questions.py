"""Questions that the learner answers in the notebook: `predict` before a result, `reveal` after it, `quiz` to recall.

Answers are kept in the learner's own record, so a cell that is run again shows the earlier answer; a `quiz` that is due
(see `spaced_repetition`) asks again. When nobody watches (see `runtime.is_live`) the questions are plain text, the same
on every machine.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from course.notebook import record, spaced_repetition
from course.runtime import can_answer

LETTERS = "ABCDEFGHIJ"
PREDICTION, OUTCOME, QUIZ = "prediction", "outcome", "quiz"

# Colour-blind readers can distinguish these, on white and on black; text keeps the theme's own colour.
NEUTRAL, RIGHT, WRONG = "#3b8ec2", "#009e73", "#d55e00"

# ipywidgets gives an option one line of fixed height; a sentence needs more. Both of its versions use these names.
_CSS = """<style>
.course-question .widget-radio, .course-question .widget-radio-box {width: 100%; max-width: 100%; height: auto;}
.course-question .widget-radio-box {padding: 0; margin: 0;}
.course-question .widget-radio-box label {height: auto; min-height: 26px; width: 100%; line-height: 1.4;
 white-space: normal; display: flex; flex-direction: row; align-items: flex-start; font-size: 14px; cursor: pointer;}
.course-question .widget-radio-box label input {order: -1; flex: none; margin: 0 10px 0 0; position: static;}
.course-question .widget-html-content {line-height: 1.5; font-size: 14px;}
.course-question button:focus-visible, .course-question input:focus-visible {outline: 2px solid #3b8ec2;
 outline-offset: 2px;}
</style>"""


def predict(id: str, question: str, options: Sequence[str]) -> None:
    """Ask for a prediction before the experiment is run, and remember it for `reveal`.

    The prediction can be changed; no answer is marked right or wrong here. Text between backticks is shown as code.
    Raises ValueError if there are fewer than two options, or two equal ones.
    """
    _check_options(id, options)
    text = _as_text(f"Predict before you run: {question}", options)
    if can_answer():
        show_widget(_prediction_box(id, question, options), text)
    else:
        print(text)


def reveal(id: str, outcome: str, option: str = "") -> None:
    """Show what came out, and what the learner predicted under this id, if they did.

    `option` is the letter of the option that came out; with it, the record notes once whether the prediction was right.
    Leave it out if no option matches what came out. Raises ValueError if it is not a letter.
    """
    if option and option not in tuple(LETTERS):
        raise ValueError(f"reveal({id!r}) got option={option!r}; pass the letter of the option that came out")
    remembered = record.latest(PREDICTION, id) if can_answer() else None
    if remembered is None:
        print(f"What came out: {outcome}")
        return
    if option and record.latest(OUTCOME, id) is None:  # a prediction made after the outcome doesn't count
        letter, choice = remembered.get("letter"), remembered.get("choice")
        record.append(OUTCOME, id=id, choice=choice, outcome=outcome, right=letter == option)
    from IPython.display import display

    predicted = f"{remembered.get('letter')}. {remembered.get('choice')}"
    page = callout(NEUTRAL, f"<b>You predicted</b> {_as_html(predicted)}<br><b>What came out</b> {_as_html(outcome)}")
    text = f"You predicted: {predicted}\nWhat came out: {outcome}"
    display({"text/html": page, "text/plain": text}, raw=True)


def quiz(id: str, question: str, options: Sequence[str], answer: str | int, explain: str | Sequence[str]) -> None:
    """Ask a question with one right answer, and explain every option once the learner has chosen.

    `answer` is the right option: its text, its letter or its index. `explain` is one sentence for the right option, or
    a list with one for each. Raises ValueError if options, answer and explanations don't match.
    """
    _check_options(id, options)
    right = _index_of(id, options, answer)
    reasons = (
        [explain if i == right else "" for i in range(len(options))] if isinstance(explain, str) else list(explain)
    )
    if len(reasons) != len(options):
        raise ValueError(f"quiz {id!r} has {len(options)} options but {len(reasons)} explanations; pass one for each")
    text = _as_text(f"Recall: {question}", options) + "\nRun this cell in Jupyter to answer."
    if can_answer():
        show_widget(_quiz_box(id, question, options, right, reasons), text)
    else:
        print(text)


def _prediction_box(id: str, question: str, options: Sequence[str]) -> Any:
    def choose(i: int) -> str:
        saved = record.append(PREDICTION, id=id, letter=LETTERS[i], choice=options[i])
        return recorded(options[i], saved)

    def recorded(choice: str, saved: bool = True) -> str:
        letter = LETTERS[options.index(choice)]
        note = "You can change it until you run the next cell." if saved else "It could not be saved on this disk."
        return callout(NEUTRAL, f"<b>Your prediction</b> {letter}. {_as_html(choice)}<br>{note}")

    known = _remembered(PREDICTION, id)
    heading = ("Predict before you run", question)
    return _question_box(heading, options, known, "Record my prediction", choose, recorded)


def _quiz_box(id: str, question: str, options: Sequence[str], right: int, reasons: Sequence[str]) -> Any:
    def choose(i: int) -> str:
        record.append(QUIZ, id=id, letter=LETTERS[i], choice=options[i], right=i == right)
        return explained(options[i])

    def explained(choice: str) -> str:
        chosen = options.index(choice)
        verdict = "✓ Right." if chosen == right else f"✗ Not {LETTERS[chosen]}: the answer is {LETTERS[right]}."
        lines = [f"<b>{verdict}</b>"]
        for i, reason in enumerate(reasons):
            if reason:
                lines.append(f"{'✓' if i == right else '✗'} <b>{LETTERS[i]}</b> {_as_html(reason)}")
        return callout(RIGHT if chosen == right else WRONG, "<br>".join(lines))

    is_due = spaced_repetition.is_due(record.read(), QUIZ, id, datetime.now(UTC))
    known = None if is_due else _remembered(QUIZ, id)
    return _question_box(("Recall", question), options, known, "Answer", choose, explained)


def _remembered(kind: str, id: str) -> str | None:
    choice = (record.latest(kind, id) or {}).get("choice")
    return choice if isinstance(choice, str) else None


def _question_box(
    heading: tuple[str, str],
    options: Sequence[str],
    remembered: str | None,
    label: str,
    choose: Callable[[int], str],
    show_again: Callable[[str], str],
) -> Any:
    """Question, radio buttons, button and feedback: `choose` records an index and returns the feedback as HTML."""
    import ipywidgets

    title, question = heading
    known = remembered is not None and remembered in options
    # ipywidgets shows the labels of radio buttons as text, so they are not escaped here.
    radios = ipywidgets.RadioButtons(
        options=[(f"{LETTERS[i]}.  {option.replace('`', '')}", i) for i, option in enumerate(options)],
        index=list(options).index(str(remembered)) if known else None,
        layout=ipywidgets.Layout(width="auto", margin="2px 0 6px 0"),
    )
    button = ipywidgets.Button(
        description=label, button_style="primary", disabled=not known, layout=ipywidgets.Layout(width="auto")
    )
    feedback = ipywidgets.HTML(show_again(str(remembered)) if known else "")
    head = ipywidgets.HTML(f"{_CSS}<b>{title}</b><br>{_as_html(question)}")

    def enable(_: Any) -> None:
        button.disabled = radios.index is None

    def press(_: Any) -> None:
        if radios.index is not None:
            feedback.value = choose(radios.index)

    radios.observe(enable, names="index")
    button.on_click(press)
    # A button would stretch to the width of a VBox; in an HBox it keeps its own width.
    box = ipywidgets.VBox(
        [head, radios, ipywidgets.HBox([button]), feedback],
        layout=ipywidgets.Layout(max_width="760px", margin="6px 0", padding="0 0 0 12px"),
    )
    box.add_class("course-question")
    return box


def show_widget(widget: Any, text: str) -> None:
    """Show a widget; a saved notebook that is only read shows the text instead."""
    from IPython.display import display

    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display({"application/vnd.jupyter.widget-view+json": view, "text/plain": text}, raw=True)


def _check_options(id: str, options: Sequence[str]) -> None:
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"question {id!r} has {len(options)} options; it needs 2 to {len(LETTERS)}")
    if len(set(options)) != len(options):
        raise ValueError(f"question {id!r} has the same option twice")


def _index_of(id: str, options: Sequence[str], answer: str | int) -> int:
    letters = LETTERS[: len(options)]
    if isinstance(answer, int) and 0 <= answer < len(options):
        return answer
    if answer in options:
        return list(options).index(str(answer))
    if isinstance(answer, str) and len(answer) == 1 and answer in letters:
        return letters.index(answer)
    raise ValueError(f"quiz {id!r} has no option {answer!r}; the answer is an option, its letter or its index")


def _as_text(question: str, options: Sequence[str]) -> str:
    return "\n".join([question, *(f"  {LETTERS[i]}. {option}" for i, option in enumerate(options))])


def _as_html(text: str) -> str:
    """The text, escaped; `backticks` become code, and *asterisks* emphasis."""
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return re.sub(
        r"(?<![\w*])\*(\w[^*<>]*)\*(?![\w*])", r"<em>\1</em>", code
    )  # not the star of θ*, which follows a letter


def callout(colour: str, content: str) -> str:
    """HTML: the content, which is HTML too, with a border and a light background of this colour."""
    style = (
        f"border-left: 4px solid {colour}; background: {colour}1f; padding: 8px 12px; margin: 6px 0; border-radius: 3px"
    )
    return f'<div role="status" style="{style}; max-width: 736px; line-height: 1.5">{content}</div>'
