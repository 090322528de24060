"""Questions that the learner answers in the notebook: `predict` before a result, `reveal` after it, `quiz` to recall.

What is asked and explained is data in `course.questions`. Answers are kept in the learner's own record, so a cell that
is run again shows the earlier answer; a `quiz` that is due (see `spaced_repetition`) asks again. When nobody watches
(see `runtime.is_live`) the questions are plain text, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from course.notebook import bridge, question_pages, record, spaced_repetition
from course.notebook.question_pages import PREDICT, RECALL
from course.questions.question import LETTERS, Prediction, Quiz, find_prediction, find_quiz
from course.runtime import can_answer

# SEEN: an outcome that was shown before anything was predicted.
PREDICTION, OUTCOME, SEEN, QUIZ = "prediction", "outcome", "seen", "quiz"
MEASURED = "measured: "  # how a line begins that differs between machines


def predict(id: str, answer: str | None = None, **values: object) -> None:
    """Ask for a prediction before the experiment is run, and remember it for `reveal`.

    `answer` is a letter, for typing what one could also choose: predict("02-buffers", "B"). A prediction can be changed
    until its outcome was shown. `values` fill the {names} in the question. Raises UnknownName for another id, and
    ValueError for a letter that no option has or a value that is missing.
    """
    prediction = find_prediction(id)
    question = _filled(prediction, values)
    text = question_pages.question_text(PREDICT, question, prediction.choices)
    if not can_answer():
        print(text)
        return

    def choose(chosen: int) -> tuple[str, str]:
        choice = prediction.choices[chosen]
        is_saved = record.append(PREDICTION, id=id, letter=LETTERS[chosen], choice=choice)
        return shown(chosen, "" if is_saved else "It could not be saved on this disk.")

    def shown(chosen: int, note: str = "") -> tuple[str, str]:
        line = f"Your prediction: {LETTERS[chosen]}. {prediction.choices[chosen]}"
        if not note and not _was_seen(id):
            other = LETTERS[(chosen + 1) % len(prediction.choices)]
            note = f'To change it before you see the result, write for example `predict("{id}", "{other}")`.'
        return question_pages.recorded(prediction, question, chosen, note), f"{text}\n{line}"

    chosen = _remembered(PREDICTION, id, prediction.choices)
    if answer is not None:
        bridge.show_page(*choose(_index_of(answer, prediction)))
    elif chosen is not None:
        bridge.show_page(*shown(chosen))
    else:
        call, name = f'predict("{id}"', f"course-{id}"
        form = question_pages.form(
            PREDICT, question, prediction.choices, call=call, button="Record my prediction", name=name
        )
        _ask(form, text, choose, name)


def reveal(id: str, measured: object = None, /, **values: object) -> None:
    """Show what was measured, which option of the prediction that makes true, and what the learner predicted.

    `measured` is the value by which the prediction is decided; if it is decided by several, pass them by name. The
    record notes once whether the prediction was right. Raises UnknownName for another id, and ValueError if the values
    are not those that this prediction needs.
    """
    prediction = find_prediction(id)
    result = {name: _plain(value) for name, value in values.items()} if values else _plain(measured)
    try:
        i, line = prediction.outcome(result), prediction.measured_text(result)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"reveal({id!r}) cannot decide on {result!r} ({error}); see {prediction.measured!r}"
        ) from error
    came_out = "none of the options" if i is None else f"{LETTERS[i]}. {prediction.choices[i]}"
    because = prediction.otherwise if i is None else prediction.options[i].because
    text = "\n".join(filter(None, [f"What came out: {came_out}", f"{MEASURED}{line}", because]))
    if not can_answer():
        print(text)
        return
    remembered = record.latest(PREDICTION, id)
    predicted = f"{remembered.get('letter')}. {remembered.get('choice')}" if remembered else "nothing"
    if not _was_seen(id):  # a prediction made after the outcome doesn't count
        if remembered:
            is_right = i is not None and remembered.get("letter") == LETTERS[i]
            record.append(OUTCOME, id=id, choice=remembered.get("choice"), outcome=came_out, right=is_right)
        else:
            record.append(SEEN, id=id)
    elif remembered and record.latest(SEEN, id):
        predicted += " (after you had seen the result)"
    bridge.show_page(question_pages.revealed(predicted, came_out, line, because), f"You predicted: {predicted}\n{text}")


def quiz(id: str, answer: str | None = None) -> None:
    """Ask a question with one right answer, and explain every option once the learner has chosen.

    `answer` is a letter, for typing what one could also choose: quiz("02-recall-accuracy", "D"). Raises UnknownName for
    another id, and ValueError for a letter that no option has.
    """
    question = find_quiz(id)
    text = question_pages.question_text(RECALL, question.question, question.choices)
    if not can_answer():
        print(f"{text}\nRun this cell in Jupyter to answer.")
        return

    def choose(chosen: int) -> tuple[str, str]:
        is_right = question.options[chosen].is_right
        record.append(QUIZ, id=id, letter=LETTERS[chosen], choice=question.choices[chosen], right=is_right)
        return shown(chosen)

    def shown(chosen: int) -> tuple[str, str]:
        return question_pages.explained(question, chosen), question_pages.explained_text(question, chosen)

    is_due = spaced_repetition.is_due(record.read(), QUIZ, id, datetime.now(UTC))
    chosen = None if is_due else _remembered(QUIZ, id, question.choices)
    if answer is not None:
        bridge.show_page(*choose(_index_of(answer, question)))
    elif chosen is not None:
        bridge.show_page(*shown(chosen))
    else:
        call, name = f'quiz("{id}"', f"course-{id}"
        form = question_pages.form(RECALL, question.question, question.choices, call=call, button="Answer", name=name)
        _ask(form, text, choose, name)


def _ask(form: str, text: str, choose: Callable[[int], tuple[str, str]], name: str) -> None:
    """Show the form; once it is answered, what `choose` returns for the index stands in its place."""
    page = bridge.Page(form, text, is_form=True)
    bridge.show_form(page, lambda values: bridge.Page(*choose(int(values[name]))), move_on=True)


def _filled(prediction: Prediction, values: dict[str, object]) -> str:
    try:
        return prediction.question.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"predict({prediction.id!r}) needs a value for {error}") from error


def _index_of(answer: str, question: Prediction | Quiz) -> int:
    letters = LETTERS[: len(question.choices)]
    letter = str(answer).strip().upper()
    if len(letter) != 1 or letter not in letters:
        raise ValueError(f"question {question.id!r} has no option {answer!r}; choose one of {', '.join(letters)}")
    return letters.index(letter)


def _was_seen(id: str) -> bool:
    """Whether the outcome of this prediction was shown before."""
    return any(event["kind"] in (OUTCOME, SEEN) and event.get("id") == id for event in record.read())


def _remembered(kind: str, id: str, choices: tuple[str, ...]) -> int | None:
    """The index of what was chosen before, unless that option is no longer offered."""
    choice = (record.latest(kind, id) or {}).get("choice")
    return choices.index(choice) if choice in choices else None


def _plain(value: object) -> object:
    """A tensor or an array of one element as a number, so that it can be formatted."""
    return value.item() if hasattr(value, "item") else value  # type: ignore[attr-defined]
