"""Hints: shown one at a time, by `hint` or by the button on a card, up to the worked idea. Asking costs nothing."""

from __future__ import annotations

from course.errors import CourseError
from course.judging.card import as_html, hint_form, hints_as_html, hints_in_card, show
from course.judging.exercise import Exercise, find_exercise
from course.judging.results import Result
from course.notebook import bridge, record
from course.runtime import can_answer

Step = tuple[str, str]  # its name and its text


def hint(exercise_id: str) -> None:
    """Show the next hint, up to three and then the worked idea, above those that you had. Asking costs nothing."""
    try:
        exercise = find_exercise(exercise_id)
    except CourseError as error:
        print(error)
        return
    shown = take_hint(exercise)
    show(hints_as_html(exercise.id, shown), _as_text(shown))


def show_result(result: Result, exercise: Exercise) -> None:
    """Show the card of a check; while the answer is wrong and there are hints left, with a button for the next one."""
    offer, had = offer_of(result, exercise), steps_of(exercise)[: _seen(exercise)][::-1]
    below = hints_in_card(had, folded=True) if had and result.is_wrong else ""
    if not offer or not can_answer():
        show(as_html(result, below), f"{result}\n{offer}" if offer else str(result))
        return

    def answered(_: bridge.Values) -> bridge.Page:
        shown = take_hint(exercise)
        more = hint_form(exercise.id, next_label(exercise)) if offer_of(result, exercise) else ""
        return bridge.Page(as_html(result, hints_in_card(shown) + more), f"{result}\n{_as_text(shown)}", bool(more))

    form = hint_form(exercise.id, next_label(exercise))
    bridge.show_form(bridge.Page(as_html(result, below + form), f"{result}\n{offer}", is_form=True), answered)


def take_hint(exercise: Exercise) -> list[Step]:
    """The hints that the learner has had with the next one, which comes first; the record notes it."""
    steps, seen = steps_of(exercise), _seen(exercise)
    step = min(seen, len(steps) - 1)
    if seen < len(steps):
        record.append("hint", id=exercise.id, step=step + 1)
    return steps[step::-1]


def offer_of(result: Result, exercise: Exercise) -> str:
    """A line that says how to get a hint; empty if the answer needs none, or all of them were read."""
    if not result.is_wrong or _seen(exercise) >= len(steps_of(exercise)):
        return ""
    return f'  for a hint, run hint("{exercise.id}") in a cell of its own'


def next_label(exercise: Exercise) -> str:
    """What the button for the next hint says."""
    seen = _seen(exercise)
    if exercise.idea and seen == len(exercise.hints):
        return "Show the idea"
    return "Next hint" if seen else "Show a hint"


def steps_of(exercise: Exercise) -> list[Step]:
    """All hints of an exercise, and the worked idea if it has one."""
    steps = [(f"hint {number} of {len(exercise.hints)}", text) for number, text in enumerate(exercise.hints, 1)]
    return [*steps, ("the idea", exercise.idea)] if exercise.idea else steps


def _seen(exercise: Exercise) -> int:
    return sum(event.get("kind") == "hint" and event.get("id") == exercise.id for event in record.read())


def _as_text(steps: list[Step]) -> str:
    return "\n".join(f"{name}: {text}" for name, text in steps)
