"""Syntax that a newer Python has, recognised by this one: so that a cell written for it is not taken for a mistake."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

NEWEST_KNOWN = (3, 14)
_STRING = re.compile(r"(?<![\w])([A-Za-z]{0,2})(\"\"\"|'''|\"|')")
_BRACKETS = r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]"
_PARAMETERS = re.compile(rf"^([ \t]*(?:async[ \t]+def|def|class)[ \t]+\w+)[ \t]*{_BRACKETS}", re.MULTILINE)
_ALIAS = re.compile(rf"^([ \t]*)type[ \t]+(\w+)[ \t]*(?:{_BRACKETS})?[ \t]*=", re.MULTILINE)
_EXCEPT = re.compile(r"^([ \t]*except\*?)[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+)[ \t]*:", re.MULTILINE)

_CONVERSION = re.compile(r"!\s*[rsa]\s*(?=[:}])")


def needed_version(source: str) -> str:
    """The Python that first accepts this source, "3.12" say, where it is a newer one; empty where nothing shows that.

    Newer syntax is taken out; what is left must be valid here.
    """
    try:
        reader = _Reader(source)
        text = reader.without_strings()
        versions = reader.versions | _versions_of(text)
        for pattern, replacement in _OLDER:
            text = pattern.sub(replacement, text)
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, IndexError):
        return ""
    needed = max(versions, default=0)
    return f"3.{needed}" if needed > sys.version_info.minor else ""


_OLDER: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_PARAMETERS, r"\1"),
    (_ALIAS, r"\1\2 ="),
    (_EXCEPT, r"\1 (\2):"),
)


def _versions_of(text: str) -> set[int]:
    parameters = [*_PARAMETERS.finditer(text), *_ALIAS.finditer(text)]
    found = {13 if "=" in (match[match.lastindex or 0] or "") else 12 for match in parameters}
    return found | ({14} if _EXCEPT.search(text) else set())


class _Reader:
    """Reads Python by the rules of 3.12 and later: an f-string may hold anything between its braces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.versions: set[int] = set()

    def without_strings(self) -> str:
        """The text with f-strings and t-strings as plain ones; raises IndexError where one does not end."""
        made = []
        while self.at < len(self.text):
            made.append(self._next())
        return "".join(made)

    def _next(self) -> str:
        """A string, a comment or a single character."""
        start = self.at
        if found := _STRING.match(self.text, start):
            self.at = found.end()
            return self._string(found[1], found[2], start)
        if self.text[start] == "#":
            end = self.text.find("\n", start)
            self.at = len(self.text) if end < 0 else end
            return ""
        self.at += 1
        return self.text[start]

    def _string(self, prefix: str, quote: str, start: int) -> str:
        kind = prefix.lower()
        braces = "f" in kind or "t" in kind
        if braces:
            self.versions.add(14 if "t" in kind else 12)
        while not self.text.startswith(quote, self.at):
            char = self.text[self.at]
            if char == "\n" and len(quote) == 1:
                raise IndexError
            if braces and char == "{" and self.text[self.at + 1] != "{":
                self._field()
                continue
            self.at += 2 if char == "\\" or (braces and char == "{") else 1
        self.at += len(quote)
        return "''" if braces else self.text[start : self.at]

    def _field(self) -> None:
        """What stands between braces; it must be an expression."""
        self.at += 1
        made: list[str] = []
        depth = 0
        while True:
            char = self.text[self.at]
            following = self.text[self.at + 1]
            if depth == 0 and (char in ":}" or (char == "!" and following != "=")):
                break
            depth += (char in "([{") - (char in ")]}")
            made.append(self._next())
            if made[-1] == "!":  # of !=
                made.append(self._next())
        expression = "".join(made).strip().removesuffix("=")
        if not expression:
            raise SyntaxError
        ast.parse(f"({expression}\n)", mode="eval")
        if char == "!":
            converted = _CONVERSION.match(self.text, self.at)
            if not converted:
                raise SyntaxError
            self.at = converted.end()
        if self.text[self.at] == ":":
            self._format()
        self.at += 1

    def _format(self) -> None:
        while self.text[self.at] != "}":
            if self.text[self.at] == "{":
                self._field()
            else:
                self.at += 1
