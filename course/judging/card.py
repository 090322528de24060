"""A result as a card in a notebook: HTML that follows the light or dark theme, or plain text."""

from __future__ import annotations

from html import escape

from course.judging.verdict import Outcome, Result

_STYLE = """<style>
.course-card {border: 1px solid currentColor; border-left-width: 6px; border-radius: 6px; padding: .6em 1em;
  margin: .4em 0; max-width: 56em; color: var(--jp-content-font-color1, inherit); font-size: 14px; line-height: 1.45}
.course-card.right {border-color: #009E73} .course-card.wrong {border-color: #D55E00}
.course-card.open {border-color: #888}
.course-card h4 {margin: 0 0 .4em 0; font-size: 15px} .course-card ul {margin: 0; padding: 0; list-style: none}
.course-card li {margin: .35em 0} .course-card dl {margin: .15em 0 .3em 1.8em; display: grid;
  grid-template-columns: max-content 1fr; gap: .1em .8em} .course-card dt {opacity: .7} .course-card dd {margin: 0}
.course-card code, .course-card pre {font-family: var(--jp-code-font-family, monospace); font-size: 13px;
  white-space: pre-wrap; background: transparent; color: inherit}
.course-card .why {margin: .2em 0 .3em 1.8em; font-weight: 600}
</style>"""


def as_text(result: Result) -> str:
    """The result in plain text, a line for each judge and its reasons below it."""
    lines = [_headline(result)]
    if result.status == "not attempted":
        return lines[0]
    for outcome in result.outcomes:
        lines.append(f"  {_mark(outcome)} {outcome.claim} ({outcome.earned} of {_points(outcome.points)})")
        lines += [f"      {name}: {text}" for name, text in _details(outcome)]
    lines += [f"  note: {note}" for note in result.notes]
    if result.failure and result.failure.traceback:
        lines += ["  where it happened:", *("  " + line for line in result.failure.traceback.rstrip().splitlines())]
    if result.printed:
        lines += ["  your code printed:", *("    " + line for line in result.printed.splitlines())]
    if not result.passed:
        lines.append(f'  stuck? hint("{result.id}")')
    return "\n".join(lines)


def as_html(result: Result) -> str:
    """The same as an HTML fragment; everything that comes from the answer is escaped."""
    look = "right" if result.passed else "open" if result.status == "not attempted" else "wrong"
    body = [f'{_STYLE}<div class="course-card {look}" role="status"><h4>{escape(_headline(result))}</h4>']
    if result.status != "not attempted":
        body.append("<ul>" + "".join(map(_judge_html, result.outcomes)) + "</ul>")
        body += [f"<p>{escape(note)}</p>" for note in result.notes]
        if result.failure and result.failure.traceback:
            body.append(_folded("Where it happened", result.failure.traceback, open_=True))
        if result.printed:
            body.append(_folded("What your code printed", result.printed))
        if not result.passed:
            body.append(f"<div>Stuck? <code>hint({escape(repr(result.id))})</code></div>")
    return "".join(body) + "</div>"


def _headline(result: Result) -> str:
    if result.status == "not attempted":
        return f"○ {result.id}: not attempted yet ({_points(result.points)})"
    mark = "✓" if result.passed else "✗"
    return f"{mark} {result.id}: {result.score} of {_points(result.points)}"


def _points(points: int) -> str:
    return f"{points} point" + ("s" if points != 1 else "")


def _mark(outcome: Outcome) -> str:
    return "✓" if outcome.passed else "✗"


def _details(outcome: Outcome) -> list[tuple[str, str]]:
    if outcome.passed:
        return []
    rows = [("tried", outcome.tried), ("got", outcome.got), ("expected", outcome.expected), ("why", outcome.because)]
    return [(name, text) for name, text in rows if text]


def _judge_html(outcome: Outcome) -> str:
    rows = [row for row in _details(outcome) if row[0] != "why"]
    details = "".join(f"<dt>{name}</dt><dd><code>{escape(text)}</code></dd>" for name, text in rows)
    why = f'<div class="why">→ {escape(outcome.because)}</div>' if outcome.because and not outcome.passed else ""
    points = f"<small>({outcome.earned} of {_points(outcome.points)})</small>"
    return f"<li>{_mark(outcome)} {escape(outcome.claim)} {points}{f'<dl>{details}</dl>' if details else ''}{why}</li>"


def _folded(title: str, text: str, *, open_: bool = False) -> str:
    return f"<details{' open' if open_ else ''}><summary>{title}</summary><pre>{escape(text)}</pre></details>"
