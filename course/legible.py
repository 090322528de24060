"""Untrusted text made legible (sanitised): what a terminal or a browser would obey is dropped, or shown as a sign.

Cards, reports, exports and the command line all use these functions and no others, so the same text reads the same in
each of them. Make a text legible first and shorten it afterwards: half an escape sequence is no longer recognised.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)"  # titles, links: up to their end
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_CONTROL = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_FORMAT = [
    *(0x061C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF),  # marks of direction, line ends, invisible spaces
    *range(0x202A, 0x202F),  # embeddings and overrides of direction
    *range(0x2060, 0x2070),  # isolates of direction, invisible operators
    *range(0xFFF9, 0xFFFC),  # annotations
    *range(0xE0000, 0xE0080),  # invisible letters
]
_SIGNS: dict[int, int | str] = {
    **{code: sign for code, sign in _CONTROL.items() if chr(code) not in "\n\t"},
    **{code: f"[U+{code:04X}]" for code in _FORMAT},
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\N{REPLACEMENT CHARACTER}"),
}
_ODD = re.compile("[" + "".join(f"\\U{code:08x}" for code in _SIGNS) + "]")
# More than a few accents on one letter are there to paint over the lines around it.
_ACCENT = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_PILE = re.compile(f"({_ACCENT}{{4}}){_ACCENT}+")
_LONGEST = 120  # characters of a learner's name


def legible(text: str) -> str:
    """The text with terminal escapes dropped, control characters shown as signs, and marks that change the direction
    of reading spelled out. Line ends and tabs stay."""
    if text.isascii() and (text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable()):
        return text
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _PILE.sub(r"\1", _ODD.sub(lambda match: _sign(match[0]), text))


def one_line(text: str) -> str:
    """As `legible`, on one line, for a line of a terminal, a cell of a table or a name: white space becomes a space."""
    return " ".join(legible(text).split())


def _sign(char: str) -> str:
    sign = _SIGNS[ord(char)]
    return chr(sign) if isinstance(sign, int) else str(sign)


def shortened(text: str, limit: int) -> str:
    """The text, or where it is longer its beginning and end with a line between that says how much is left out."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit * 2 // 3], text[-(limit // 3) :]
    return f"{head}\n… {len(text) - len(head) - len(tail):,} characters left out …\n{tail}"


def presentable(text: str) -> str:
    """A learner's name on one line, composed (NFC), cut where it is very long.

    A name that had to be changed to be legible and one that is cut end in a digest, so that two of them stay two.
    """
    shown = unicodedata.normalize("NFC", one_line(text))
    if shown != unicodedata.normalize("NFC", " ".join(text.split())) or len(shown) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        shown = f"{shown[:_LONGEST]}…{digest}"
    return shown or "(no name)"
