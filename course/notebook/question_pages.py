"""A question as text and as HTML: asked, recorded, revealed, explained. All of it is static and follows the theme."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from course.questions.question import LETTERS, Prediction, Quiz

PREDICT, RECALL = "Predict before you run", "Recall"

# Colour-blind readers can distinguish these, on white and on black; text keeps the theme's own colour.
NEUTRAL, RIGHT, WRONG = "#3b8ec2", "#009e73", "#d55e00"

# JupyterLab's own rules for tables, lists and forms are longer selectors: what must hold there too is !important.
STYLE = """<style>
.course-question {max-width: 760px; margin: 6px 0; padding: 0 0 0 12px; font-size: 14px; line-height: 1.5;
 font-family: var(--jp-ui-font-family, system-ui, sans-serif);
 color: var(--jp-content-font-color1, var(--vscode-foreground, inherit))}
.course-question fieldset {border: 0; margin: 0; padding: 0; min-width: 0}
.course-question legend {padding: 0; margin: 0 0 6px 0; font-size: 14px; color: inherit; width: auto; border: 0}
.course-question label {display: flex; gap: 10px; align-items: flex-start; padding: 3px 4px; margin: 0;
 border-radius: 3px; font-weight: 400}
.course-question fieldset:not([disabled]) label {cursor: pointer}
.course-question fieldset:not([disabled]) label:hover {background: rgba(128, 128, 128, .15)}
.course-question input[type=radio] {flex: none; margin: 4px 0 0 0; width: 15px; height: 15px; accent-color: #0072b2}
.course-question button {font: inherit; padding: 4px 14px; margin: 6px 0 4px 4px; border-radius: 3px; cursor: pointer;
 border: 1px solid #0072b2; background: #0072b2; color: #fff}
.course-question button[disabled] {opacity: .55; cursor: default}
.course-question :focus-visible {outline: 3px solid #3b8ec2; outline-offset: 2px}
.course-question .offline {margin: 4px 0 2px 4px}
</style>"""


def question_text(heading: str, question: str, choices: Sequence[str]) -> str:
    """The question and its options as plain text."""
    return "\n".join([f"{heading}: {question}", *(f"  {LETTERS[i]}. {choice}" for i, choice in enumerate(choices))])


def form(heading: str, question: str, choices: Sequence[str], *, call: str, button: str, name: str) -> str:
    """The question as a form of native radio buttons; `call` is what can be typed instead, such as 'quiz("02-x"'.

    It is disabled, and says what to do, until the page is connected to the kernel (see `bridge`).
    """
    radios = "".join(
        f'<div><label><input type="radio" name="{name}" value="{i}" required><span><b>{LETTERS[i]}.</b> '
        f"{prose(choice)}</span></label></div>"
        for i, choice in enumerate(choices)
    )
    legend = f"<b>{heading}</b><br>{prose(question)}"
    typed = f"<code>{html.escape(call)}, &quot;A&quot;)</code>"
    return (
        f'{STYLE}<form class="course-question"><fieldset disabled><legend>{legend}</legend>{radios}</fieldset>'
        f'<span data-course-button="{button}"></span>'
        f'<p class="offline">To answer, run this cell again, or write {typed} with your letter.</p></form>'
    )


def recorded(prediction: Prediction, question: str, chosen: int, note: str = "") -> str:
    """The question with the learner's prediction, and a note below it."""
    answer = f"<b>Your prediction: {LETTERS[chosen]}.</b> {prose(prediction.choices[chosen])}"
    answer += f"<br>{prose(note)}" if note else ""
    return _answered(PREDICT, question, prediction.choices, callout(NEUTRAL, answer), chosen)


def revealed(predicted: str, came_out: str, measured: str, because: str) -> str:
    """The prediction beside what came out."""
    lines = [f"<b>You predicted:</b> {prose(predicted)}", f"<b>What came out:</b> {prose(came_out)}"]
    lines += [f"<b>Measured:</b> {prose(measured)}", *([prose(because)] if because else [])]
    return f'{STYLE}<div class="course-question">{callout(NEUTRAL, "<br>".join(lines))}</div>'


def explained(quiz: Quiz, chosen: int) -> str:
    """The question with the learner's answer, and what is said about each option."""
    is_right = quiz.options[chosen].is_right
    verdict = "✓ Right." if is_right else f"✗ Not {LETTERS[chosen]}: the answer is {LETTERS[quiz.right]}."
    lines = [f"<b>{verdict}</b>"] + [
        f"{'✓' if answer.is_right else '✗'} <b>{LETTERS[i]}</b> {prose(answer.explanation)}"
        for i, answer in enumerate(quiz.options)
    ]
    page = callout(RIGHT if is_right else WRONG, "<br>".join(lines))
    return _answered(RECALL, quiz.question, quiz.choices, page, chosen)


def explained_text(quiz: Quiz, chosen: int) -> str:
    """The same as `explained`, as plain text."""
    lines = [question_text(RECALL, quiz.question, quiz.choices)]
    lines.append(f"You chose {LETTERS[chosen]}; the answer is {LETTERS[quiz.right]}.")
    lines += [f"  {LETTERS[i]}. {answer.explanation}" for i, answer in enumerate(quiz.options)]
    return "\n".join(lines)


def prose(text: str) -> str:
    """The text, escaped; `backticks` become code, and *asterisks* emphasis."""
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    # not the star of θ*, which follows a letter
    return re.sub(r"(?<![\w*])\*(\w[^*<>]*)\*(?![\w*])", r"<em>\1</em>", code)


def callout(colour: str, content: str) -> str:
    """HTML: the content, which is HTML too, with a border and a light background of this colour."""
    style = (
        f"border-left: 4px solid {colour}; background: {colour}1f; padding: 8px 12px; margin: 6px 0; border-radius: 3px"
    )
    return f'<div role="status" style="{style}; max-width: 736px; line-height: 1.5">{content}</div>'


def _answered(heading: str, question: str, choices: Sequence[str], below: str, chosen: int) -> str:
    options = "".join(
        f"<div>{'●' if i == chosen else '○'} {LETTERS[i]}. {prose(choice)}</div>" for i, choice in enumerate(choices)
    )
    return f'{STYLE}<div class="course-question"><b>{heading}</b><br>{prose(question)}{options}{below}</div>'
