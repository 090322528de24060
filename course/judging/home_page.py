"""home.md: the page that `course lab` opens first, with what is open and due, and links into the notebooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from course.errors import SetupError
from course.files import replacing
from course.judging.outlines import Outline, read_outlines
from course.judging.overview import Chapter, Summary, in_days, summarise
from course.legible import one_line
from course.notebook import record

NAME = "home.md"
_MARKER = "<!-- Written by `course lab`, `course home` and `progress()`: keep notes in another file. -->\n"
_PAGES = {"glossary.md": "glossary", "topics.md": "index by topic"}


def write(folder: Path) -> Path:
    """The page, written to the learner's folder. Raises SetupError if another file has its name, or CannotWrite."""
    page = folder / NAME
    if page.exists() and not _is_ours(page):
        raise SetupError(f"{page} is not the course's page and stays as it is; rename it and run this command again")
    content = record.content()
    summary = summarise(read_outlines(), content.events, datetime.now(UTC))
    with replacing(page, durable=False) as unfinished:
        unfinished.write_text(_MARKER + as_markdown(summary, folder, content.complaint), encoding="utf-8")
    return page


def refresh(folder: Path) -> None:
    """Write the page again if the folder has one. Raises CannotWrite."""
    if _is_ours(folder / NAME):
        write(folder)


def as_markdown(summary: Summary, folder: Path, complaint: str = "") -> str:
    """The page's text. What comes from the record is escaped; links lead only to what the folder holds."""
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    parts = [
        "# Your course",
        _where_to_continue(summary, files),
        "Press **Shift+Enter** to run a cell and move to the next one. After a restart of the kernel, choose "
        "**Run → Run All Above Selected Cell** first. If a link opens a notebook at its top, click it once more.",
        *([_escaped(complaint)] if complaint else []),
        "## Due for recall today",
        _due(summary, files),
        "## Chapters",
        _table(summary, files),
        f"{summary.score} of {summary.points} points. This page shows how things stood on "
        f"{datetime.now():%d %B %Y at %H:%M}; `course home`, or `progress()` in a notebook, writes it again.",
    ]
    if pages := [f"[{title}]({name})" for name, title in _PAGES.items() if name in files]:
        parts.append(f"Look up a word or a topic: {' · '.join(pages)}")
    return "\n\n".join(parts) + "\n"


def _is_ours(page: Path) -> bool:
    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            return file.readline() == _MARKER
    except OSError:
        return False


def _where_to_continue(summary: Summary, files: set[str]) -> str:
    chapter = summary.next_chapter
    if chapter is None:
        return "Every exercise of every chapter is right."
    outline = chapter.outline
    title = _link(outline, outline.title, files)
    if not (chapter.score or chapter.predictions):
        return f"**{'Continue' if summary.score else 'Begin'} with {title}**."
    exercise = _link(outline, _short(chapter.open[0].id), files, chapter.open[0].id)
    return f"**Continue with {title}**: the next open exercise is {exercise}."


def _due(summary: Summary, files: set[str]) -> str:
    if not summary.due:
        return f"Nothing; the next repetition is due {in_days(summary.next_in)}." if summary.next_in else "Nothing."
    lines = []
    for item in summary.due:
        outline = summary.outline_of(item.id)
        link = _link(outline, item.id, files, item.id)
        what = f"answer {link} again" if item.kind == "quiz" else f"solve {link} again from the empty cell"
        lines.append(f"- {_escaped(outline.title)}: {what}")
    return "\n".join(lines)


def _table(summary: Summary, files: set[str]) -> str:
    head = "| Chapter | Points | Open exercises | Predictions right | Time |\n|---|---|---|---|---|"
    return "\n".join([head, *(_row(chapter, files) for chapter in summary.chapters)])


def _row(chapter: Chapter, files: set[str]) -> str:
    outline = chapter.outline
    exercises = ", ".join(_link(outline, _short(task.id), files, task.id) for task in chapter.open)
    cells = (
        _link(outline, outline.title, files),
        f"{chapter.score} of {outline.points}",
        exercises or "every exercise right",
        chapter.predicted or "none",
        f"{outline.minutes} min" if outline.minutes else "",
    )
    return f"| {' | '.join(cells)} |"


def _link(outline: Outline, text: str, files: set[str], id: str = "") -> str:
    """The text, as a link if the folder holds the chapter's notebook."""
    text = _escaped(text)
    return f"[{text}](<{outline.link(id)}>)" if outline.file in files else text


def _short(exercise_id: str) -> str:
    """What an exercise is called below its chapter: "replace head" for "03-replace-head"."""
    return exercise_id[3:].replace("-", " ")


def _escaped(text: str) -> str:
    """The text on one line, with every sign that Markdown, HTML or MathJax could obey as a character reference."""
    return re.sub(r"[!-+./:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", one_line(text))
