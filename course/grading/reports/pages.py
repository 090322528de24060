"""Templates to pages: one self-contained file each, everything escaped, nothing loaded from anywhere.

Each text that a template puts out is first made legible and then escaped, so no template can forget either. A
Content-Security-Policy lets a browser use the one style and the one script whose hashes it names, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from course.grading.reports.markup import MAX_MESSAGE, MAX_TEXT, login, prose
from course.grading.reports.status_texts import STATUS
from course.legible import legible, one_line, shortened


def render(template: str, *, script: bool = False, **values: Any) -> str:
    """The page as text. Only one with `script` may run the one script that there is."""
    return _environment().get_template(template).render(script=_asset("table.js") if script else "", **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("course.grading.reports"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "prose": prose,
        "number": number,
        "time": _time,
        "message": lambda text: shortened(legible(text), MAX_MESSAGE),
        "cut": lambda text: shortened(legible(text), MAX_TEXT),
        "name": _name,
        "login": lambda text: login(_name(text)),
        "sha256": _sha256,
    }
    environment.globals |= {"style": _asset("style.css"), "words": STATUS}
    return environment


def _finalized(value: Any) -> Any:
    return legible(value) if type(value) is str else value


@cache
def _asset(name: str) -> Markup:
    """A style or script of ours, to stand in a page as it is."""
    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8").strip())


def _sha256(text: str) -> Markup:
    return Markup("sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def number(value: float | None) -> str:
    """Points without needless decimals; a dash for none."""
    return "–" if value is None else f"{round(value, 2):g}"


def _name(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= 60 else f"{text[:40]}…{text[-17:]}"


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "at an unknown time"
