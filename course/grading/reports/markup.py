"""Untrusted text as HTML: made legible, escaped, cut where it is long."""

from __future__ import annotations

import re
from functools import lru_cache

from markupsafe import Markup, escape

from course.legible import legible, one_line, shortened

MAX_MESSAGE = 2_000  # characters of one message, and of a traceback or printed output
MAX_TEXT = 6_000
_CODE = re.compile(r"`([^`\n]+)`")
_PART = re.compile(r"[^@._+-]*[@._+-]?")


def login(text: str) -> Markup:
    """A login or an e-mail address as HTML, escaped, on a narrow screen broken where its parts end."""
    return Markup("<wbr>").join(_PART.findall(one_line(text)))


def prose(text: str) -> Markup:
    """The text as HTML, escaped, with what stands in backticks set as code."""
    return _as_html(shortened(legible(text), MAX_MESSAGE))


@lru_cache(maxsize=2_000)  # claims, hints and advice stand on every page
def _as_html(text: str) -> Markup:
    parts = _CODE.split(text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )
