"""`progress`: how far you are, as a table in a notebook or as text in a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from course.errors import CourseError
from course.judging import home_page
from course.judging.card import show
from course.judging.outlines import read_outlines
from course.judging.overview import Chapter, Summary, in_days, summarise
from course.legible import legible
from course.notebook import record, spaced_repetition

# JupyterLab styles tables by longer selectors than these: what must hold there too is !important.
_STYLE = """<style>
.course-progress {max-width: 60em; margin: .4em 0; font-size: 14px; line-height: 1.45;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-content-font-color1, var(--vscode-foreground, inherit))}
.course-progress table {border-collapse: collapse; margin: 0 0 .6em 0; font-size: inherit; color: inherit}
.course-progress caption {text-align: left; font-weight: 700; padding: 0 0 .4em 0; color: inherit; caption-side: top}
.course-progress th, .course-progress td {text-align: left !important; vertical-align: top !important;
  padding: .2em 1.2em .2em 0 !important; border: 0; max-width: none !important}
.course-progress thead th {border-bottom: 1px solid rgba(128, 128, 128, .5)}
.course-progress tbody th {font-weight: 400}
.course-progress tr {background: transparent !important}
.course-progress td:nth-child(2), .course-progress td:nth-child(3) {white-space: nowrap}
.course-progress meter {width: 5em; margin-right: .5em}
.course-progress p {margin: .4em 0}
</style>"""
_COLUMNS = ("Chapter", "Exercises solved", "Points", "Predictions right", "Next")


def progress() -> None:
    """Show points per chapter, what is next, how your predictions came out, and what to repeat today."""
    content = record.content()
    summary = summarise(read_outlines(), content.events, datetime.now(UTC))
    notes = [_total(summary), *([content.complaint] if content.complaint else [])]
    parts = {"What you did not expect": _surprises(summary), "To repeat today": to_repeat(summary)}
    show(as_html(summary, notes, parts), as_text(summary, notes, parts))
    with suppress(CourseError):  # the page is a by-product here
        home_page.refresh(Path.cwd())


def as_text(summary: Summary, notes: Sequence[str], parts: dict[str, list[str]]) -> str:
    """A line for each chapter, aligned for a terminal, then the notes, and lists under their titles."""
    rows = [_text_row(chapter) for chapter in summary.chapters]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows] + [*map(legible, notes)]
    for title, items in parts.items():
        lines += [f"{title}:", *(f"  {legible(item)}" for item in items)] if items else []
    return "\n".join(lines)


def as_html(summary: Summary, notes: Sequence[str], parts: dict[str, list[str]]) -> str:
    """A table with a row for each chapter, links to what lies in the current folder, notes and lists below it."""
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    rows = "".join(map(_html_row, summary.chapters))
    table = f"<table><caption>Your progress</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    body = table + "".join(f"<p>{_prose(note)}</p>" for note in notes)
    for title, items in parts.items():
        if items:
            lines = "".join(f"<li>{_prose(item)}</li>" for item in items)
            body += f"<details open><summary>{_safe(title)}</summary><ul>{lines}</ul></details>"
    return f'{_STYLE}<div class="course-progress">{body}</div>'


def to_repeat(summary: Summary) -> list[str]:
    """What is due and what to do about it, a line for each; when the next one is, if nothing is."""
    if not summary.due:
        return [f"nothing; {summary.later} later, the next {in_days(summary.next_in)}"] if summary.next_in else []
    lines = []
    for item in summary.due:
        what = f"answer `{item.id}` again" if item.kind == "quiz" else f"solve `{item.id}` again from the empty cell"
        repetition = f"(repetition {item.box + 1} of {len(spaced_repetition.DAYS)})"
        lines.append(f"{summary.outline_of(item.id).title}: {what} {repetition}")
    if any(item.kind == "check" for item in summary.due):
        lines.append(
            "to begin an exercise again, replace your code by `raise NotImplementedError`, run its check, and solve it"
        )
    return lines


def _text_row(chapter: Chapter) -> tuple[str, ...]:
    bar = "█" * chapter.solved + "░" * len(chapter.open)
    predicted = (
        f"{chapter.predicted} {_noun(len(chapter.predictions), 'prediction')} right" if chapter.predicted else ""
    )
    rest = f"next: {chapter.open[0].id}" if chapter.open else "every exercise right"
    return chapter.outline.title, bar, f"{chapter.score} of {chapter.outline.points} points", predicted, rest


def _html_row(chapter: Chapter) -> str:
    outline, count = chapter.outline, len(chapter.outline.exercises)
    solved = f"{chapter.solved} of {count}"
    meter = f'<meter min="0" max="{count}" value="{chapter.solved}" aria-hidden="true"></meter>{solved}'
    following = _link(chapter, chapter.open[0].id, chapter.open[0].id) if chapter.open else "every exercise right"
    cells = (meter, f"{chapter.score} of {outline.points}", _safe(chapter.predicted) or "none yet", following)
    return (
        f'<tr><th scope="row">{_link(chapter, outline.title)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
    )


def _link(chapter: Chapter, text: str, id: str = "") -> str:
    """The text, as a link if the chapter's notebook lies in the folder that the kernel works in."""
    outline = chapter.outline
    if not outline.file or not Path(outline.file).is_file():
        return _safe(text)
    return f'<a href="{escape(outline.link(id))}">{_safe(text)}</a>'


def _total(summary: Summary) -> str:
    predicted = summary.predictions
    right = f"{sum(prediction.right for prediction in predicted)} of {_count(len(predicted), 'prediction')} right"
    recalled = f"{sum(summary.recalled.values())} of {_count(len(summary.recalled), 'recall question')} right"
    points = f"{summary.score} of {summary.points} points"
    return f"{points}; {_count(summary.hints, 'hint')} asked for; {right}; {recalled}"


def _surprises(summary: Summary) -> list[str]:
    return [
        f"{prediction.id}: you said “{prediction.choice}”; what came out: {prediction.outcome}"
        for prediction in summary.predictions
        if not prediction.right
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {_noun(number, noun)}"


def _noun(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"


def _safe(text: str) -> str:
    return escape(legible(text))


def _prose(text: str) -> str:
    """Escaped, with `names` in backticks set as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _safe(text))
