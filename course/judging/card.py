"""A result as a card in a notebook: HTML that follows the light or dark theme. As plain text it is its `str`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from course import runtime
from course.judging.results import Outcome, Result
from course.legible import legible
from course.notebook import bridge

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
.course-card .why {margin: .2em 0 .3em 0; font-weight: 600} .course-card p, .course-card details {margin: .4em 0}
.course-card .hints {border-top: 1px solid rgba(128, 128, 128, .5); margin-top: .6em}
.course-card .hints code {user-select: all}
.course-card button {font: inherit; padding: 3px 12px; margin: .4em 0 0 0; border-radius: 3px; cursor: pointer;
  border: 1px solid #0072b2; background: #0072b2; color: #fff}
.course-card :focus-visible {outline: 3px solid #3b8ec2; outline-offset: 2px}
</style>"""


def show(html: str, text: str) -> None:
    """Display the card in a notebook that a person watches; else print the text, the same on every machine."""
    text = legible(text)
    if not runtime.can_answer():
        print(text)
        return
    bridge.show_page(html, text)


def as_html(result: Result, below: str = "") -> str:
    """The same as an HTML fragment, with `below` at its end; everything that comes from the answer is escaped."""
    look = "right" if result.passed else "wrong" if result.is_wrong else "open"
    body = [f'{_STYLE}<div class="course-card {look}" role="status"><h4>{_safe(result.headline)}</h4>']
    if result.status != "not attempted":
        if message := result.message:
            body.append(f'<div class="why">{_prose(message)}</div>')
        body.append("<ul>" + "".join(_judge_html(outcome, result) for outcome in result.outcomes) + "</ul>")
    body += [f"<p>{_prose(note)}</p>" for note in result.notes]
    if result.failure and result.failure.traceback:
        body.append(_folded("Where it happened", result.failure.traceback, open_=True))
    if result.printed:
        body.append(_folded("What your code printed", result.printed))
    return "".join(body) + below + "</div>"


def hint_form(exercise_id: str, label: str) -> str:
    """A button for the next hint, and what to type where no kernel is there to answer it (see `notebook.bridge`)."""
    typed = f'<p class="offline">For a hint, run <code>hint("{_safe(exercise_id)}")</code> in a cell of its own.</p>'
    return f'<form><span data-course-button="{_safe(label)}"></span>{typed}</form>'


def hints_as_html(title: str, steps: Sequence[tuple[str, str]]) -> str:
    """A card with hints, each a name and a text, the newest first; those before it are folded away below it."""
    return f'{_STYLE}<div class="course-card open" role="status"><h4>{_safe(title)}</h4>{hints_in_card(steps)}</div>'


def hints_in_card(steps: Sequence[tuple[str, str]], *, folded: bool = False) -> str:
    """The hints alone, as a part of a card: the newest in view, or all of them folded away."""
    lines = [f"<p><b>{_safe(name.capitalize())}:</b> {_prose(text)}</p>" for name, text in steps]
    in_view = [] if folded else lines[:1]
    rest, title = lines[len(in_view) :], "Hints that you have had" if folded else "The hints before it"
    body = "".join(in_view)
    if rest:
        body += f"<details><summary>{title}</summary>{''.join(rest)}</details>"
    return f'<div class="hints">{body}</div>'


def _judge_html(outcome: Outcome, result: Result) -> str:
    details = result.details(outcome)
    rows = "".join(f"<dt>{name}</dt><dd>{_value(name, text)}</dd>" for name, text in details if name != "why")
    why = "".join(f'<div class="why">→ {_prose(text)}</div>' for name, text in details if name == "why")
    points = f"<small>({outcome.earned} of {outcome.worth})</small>"
    mark = f'<span class="mark {"yes" if outcome.passed else "no"}">{outcome.mark}</span>'
    return f"<li>{mark}{_prose(outcome.claim)} {points}{f'<dl>{rows}</dl>' if rows else ''}{why}</li>"


def _value(name: str, text: str) -> str:
    """What was tried is a sentence; what came back is code, but where it marks its own code by backticks."""
    return _prose(text) if name == "tried" or "`" in text else f"<code>{_safe(text)}</code>"


def _folded(title: str, text: str, *, open_: bool = False) -> str:
    return f"<details{' open' if open_ else ''}><summary>{title}</summary><pre>{_safe(text)}</pre></details>"


def _safe(text: str) -> str:
    return escape(legible(text))


def _prose(text: str) -> str:
    """Escaped, with `names` in backticks set as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _safe(text))
