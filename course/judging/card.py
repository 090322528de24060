"""A result as a card in a notebook: HTML that follows the light or dark theme, or plain text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape

from course import runtime
from course.judging.results import Outcome, Result

# Colours only for edges and marks, in Okabe and Ito's palette; all text has the notebook's own colour.
# JupyterLab styles lists, code and tables by longer selectors than these: what must hold there too is !important.
_STYLE = """<style>
.course-card {border: 1px solid rgba(128, 128, 128, .5); border-left: 6px solid #888; border-radius: 6px;
  padding: .6em 1em; margin: .4em 0; max-width: 56em; font-size: 14px; line-height: 1.45;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-content-font-color1, var(--vscode-foreground, inherit))}
.course-card.right {border-left-color: #009E73} .course-card.wrong {border-left-color: #D55E00}
.course-card h4 {margin: 0 0 .4em 0; font-size: 15px; color: inherit}
.course-card ul {margin: 0 !important; padding: 0 !important; list-style: none !important}
.course-card li {margin: .35em 0; padding-left: 1.4em; text-indent: -1.4em}
.course-card li > * {text-indent: 0}
.course-card small {white-space: nowrap}
.course-card .mark {display: inline-block; width: 1.4em; font-weight: 700}
.course-card .yes {color: #009E73} .course-card .no {color: #D55E00}
.course-card dl {margin: .15em 0 .3em 0; display: grid; grid-template-columns: max-content 1fr; gap: .1em .8em}
.course-card dt {opacity: .75; font-weight: 400} .course-card dd {margin: 0; min-width: 0}
.course-card code, .course-card pre {font-family: var(--jp-code-font-family, monospace); font-size: 13px; margin: 0;
  padding: 0 !important; white-space: pre-wrap; overflow-wrap: anywhere; background: transparent !important;
  color: inherit}
.course-card pre {max-height: 20em; overflow-y: auto; padding-left: 1.4em}
.course-card table {margin: 0; border-collapse: collapse; font-size: inherit; color: inherit}
.course-card tr {background: transparent !important}
.course-card td {padding: .15em 1.2em .15em 0 !important; text-align: left !important; border: 0}
.course-card .why {margin: .2em 0 .3em 0; font-weight: 600} .course-card p, .course-card details {margin: .4em 0}
</style>"""


def show(html: str, text: str) -> None:
    """Display the card in a notebook that a person watches; else print the text, the same on every machine."""
    text = _legible(text)
    if not runtime.can_answer():
        print(text)
        return
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)


def as_text(result: Result) -> str:
    """The result in plain text, a line for each judge and its reasons below it."""
    lines = [_headline(result)]
    if result.status != "not attempted":
        if message := _message(result):
            lines.append(f"  {message}")
        for outcome in result.outcomes:
            lines.append(f"  {_mark(outcome)} {outcome.claim} ({outcome.earned} of {_points(outcome.points)})")
            lines += [f"      {name}: {text}" for name, text in _details(outcome, result)]
    lines += [f"  note: {note}" for note in result.notes]
    if result.failure and result.failure.traceback:
        lines += ["  where it happened:", *("  " + line for line in result.failure.traceback.rstrip().splitlines())]
    if result.printed:
        lines += ["  your code printed:", *("    " + line for line in result.printed.splitlines())]
    if _is_wrong(result):
        lines.append(f"  stuck? Run {_ask(result)} in a cell of its own")
    return "\n".join(map(_legible, lines))


def as_html(result: Result) -> str:
    """The same as an HTML fragment; everything that comes from the answer is escaped."""
    look = "right" if result.passed else "wrong" if _is_wrong(result) else "open"
    body = [f'{_STYLE}<div class="course-card {look}" role="status"><h4>{_safe(_headline(result))}</h4>']
    if result.status != "not attempted":
        if message := _message(result):
            body.append(f'<div class="why">{_prose(message)}</div>')
        body.append("<ul>" + "".join(_judge_html(outcome, result) for outcome in result.outcomes) + "</ul>")
    body += [f"<p>{_prose(note)}</p>" for note in result.notes]
    if result.failure and result.failure.traceback:
        body.append(_folded("Where it happened", result.failure.traceback, open_=True))
    if result.printed:
        body.append(_folded("What your code printed", result.printed))
    if _is_wrong(result):
        body.append(f"<div>Stuck? Run <code>{_safe(_ask(result))}</code> in a cell of its own.</div>")
    return "".join(body) + "</div>"


def hints_as_html(title: str, steps: Sequence[tuple[str, str]]) -> str:
    """Hints, each a name and a text, the newest first; those before it are folded away below it."""
    (name, newest), *earlier = steps
    body = f"<h4>{_safe(f'{title}: {name}')}</h4><p>{_prose(newest)}</p>"
    if earlier:
        rest = "".join(f"<p><b>{_safe(name)}</b>: {_prose(text)}</p>" for name, text in earlier)
        body += f"<details><summary>The hints before it</summary>{rest}</details>"
    return f'{_STYLE}<div class="course-card open" role="status">{body}</div>'


def progress_as_html(rows: Sequence[Sequence[str]], notes: Sequence[str], parts: Mapping[str, Sequence[str]]) -> str:
    """A table with a row for each chapter, notes below it, and lists under their titles; an empty list is left out."""
    table = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    body = f"<table>{table}</table>" + "".join(f"<p>{_safe(note)}</p>" for note in notes)
    for title, lines in parts.items():
        if lines:
            items = "".join(f"<li>{_prose(line)}</li>" for line in lines)
            body += f"<details open><summary>{_safe(title)}</summary><ul>{items}</ul></details>"
    return f'{_STYLE}<div class="course-card open" role="status">{body}</div>'


def _is_wrong(result: Result) -> bool:
    return not result.passed and result.status != "not attempted"


def _headline(result: Result) -> str:
    if result.status == "not attempted":
        return f"○ {result.id}: not attempted yet ({_points(result.points)})"
    mark = "✓" if result.passed else "✗"
    return f"{mark} {result.id}: {result.score} of {_points(result.points)}"


def _message(result: Result) -> str:
    """Why nothing came back to be judged, if that is so; said once for all judges."""
    return result.failure.message if result.failure else ""


def _ask(result: Result) -> str:
    return f'hint("{result.id}")'


def _points(points: int) -> str:
    return f"{points} point" + ("s" if points != 1 else "")


def _mark(outcome: Outcome) -> str:
    return "✓" if outcome.passed else "✗"


def _details(outcome: Outcome, result: Result) -> list[tuple[str, str]]:
    """What to say below a judge that failed; a reason that stands above already is not said again."""
    if outcome.passed:
        return []
    because = "" if outcome.because == _message(result) else outcome.because
    told = {earlier.because for earlier in result.outcomes[: result.outcomes.index(outcome)]}
    because = "as above" if because and because in told else because
    rows = [("tried", outcome.tried), ("got", outcome.got), ("expected", outcome.expected), ("why", because)]
    return [(name, text) for name, text in rows if text]


def _judge_html(outcome: Outcome, result: Result) -> str:
    details = _details(outcome, result)
    rows = "".join(f"<dt>{name}</dt><dd>{_value(name, text)}</dd>" for name, text in details if name != "why")
    why = "".join(f'<div class="why">→ {_prose(text)}</div>' for name, text in details if name == "why")
    points = f"<small>({outcome.earned} of {_points(outcome.points)})</small>"
    mark = f'<span class="mark {"yes" if outcome.passed else "no"}">{_mark(outcome)}</span>'
    return f"<li>{mark}{_prose(outcome.claim)} {points}{f'<dl>{rows}</dl>' if rows else ''}{why}</li>"


def _value(name: str, text: str) -> str:
    """What was tried is a sentence; what came back is code, but where it marks its own code by backticks."""
    return _prose(text) if name == "tried" or "`" in text else f"<code>{_safe(text)}</code>"


def _folded(title: str, text: str, *, open_: bool = False) -> str:
    return f"<details{' open' if open_ else ''}><summary>{title}</summary><pre>{_safe(text)}</pre></details>"


def _safe(text: str) -> str:
    return escape(_legible(text))


def _prose(text: str) -> str:
    """Escaped, with `names` in backticks set as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _safe(text))


def _legible(text: str) -> str:
    """The text without what a terminal, or a browser, would obey or choke on: control characters, lone surrogates."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs") else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
