"""What the project's documents say, read as a reader would follow it: commands, paths, links and anchors."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELLS = {"bash", "sh", "shell", "zsh", "console", "powershell", "pwsh", "bat"}
OPERATORS = {"&&", "||", "|", ";", "&"}
BEFORE_COMMANDS = {"sudo", "time", "do", "then", "else", "if", "while", "!"}
NO_COMMANDS = {"for", "done", "fi"}
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
# What a command in running text begins with. A lone `course` is the package.
FIRST_WORDS = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:(?:course|python3?|py|pip|pytest|torchrun|accelerate|jupyter|ruff|mypy|pre-commit|git|conda)"
    r" \S|pytest$|scripts/|\.ci/run|tests/\S+\.sh)"
)


class Said(NamedTuple):
    """A piece of a document, and the line that it begins on."""

    line: int
    text: str


class Command(NamedTuple):
    """The words of one command."""

    line: int
    words: list[str]

    def __str__(self) -> str:
        return shlex.join(self.words)


class Document:
    """A Markdown file, or its text."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self._text = path.read_text(encoding="utf-8") if text is None else text

    @cached_property
    def _tokens(self) -> list[tuple[int, Token]]:
        """Every token with its line, inline ones too."""
        found, line = [], 1
        for token in MarkdownIt("commonmark").enable("table").parse(self._text):
            line = token.map[0] + 1 if token.map else line
            found.append((line, token))
            found += [(line, child) for child in token.children or []]
        return found

    def blocks(self, *languages: str) -> list[Said]:
        """The contents of the fenced blocks in these languages."""
        fences = [(line, token) for line, token in self._tokens if token.type == "fence"]
        return [Said(line + 1, token.content) for line, token in fences if token.info.split(" ")[0] in languages]

    @property
    def inline_code(self) -> list[Said]:
        return [Said(line, token.content) for line, token in self._tokens if token.type == "code_inline"]

    @property
    def commands(self) -> list[Command]:
        """Those in blocks for a shell, and those in running text."""
        found = [command for block in self.blocks(*SHELLS) for command in in_shell(block.text, block.line)]
        for line, text in self.inline_code:
            if FIRST_WORDS.match(text):
                found += in_shell(text, line)
        return found

    @property
    def links(self) -> list[Said]:
        """Where links and pictures lead, in Markdown or HTML."""
        found = []
        for line, token in self._tokens:
            target = token.attrs.get("href", token.attrs.get("src"))
            if target is not None:
                found.append(Said(line, str(target)))
            if token.type in ("html_block", "html_inline"):
                found += [Said(line, target) for target in re.findall(r'\b(?:src|href)="([^"]+)"', token.content)]
        return found

    @property
    def anchors(self) -> set[str]:
        """What a link can end in after its #: headings as GitHub names them, and names given in HTML."""
        found: set[str] = set()
        seen: Counter[str] = Counter()
        for (_, token), (_, inline) in zip(self._tokens, self._tokens[1:], strict=False):
            if token.type == "heading_open":
                text = "".join(child.content for child in inline.children or [])
                name = slug(text)
                found.add(f"{name}-{seen[name]}" if seen[name] else name)
                seen[name] += 1
            if token.type in ("html_block", "html_inline"):
                found.update(re.findall(r'\b(?:id|name)="([^"]+)"', token.content))
        return found


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def in_shell(text: str, line: int = 1) -> Iterator[Command]:
    """The commands of a shell script, without comments, variables set before them, redirections and `sudo`.

    In a transcript (lines that begin with "$ ") what a command printed is no command.
    """
    is_transcript = re.search(r"^\$ ", text, re.MULTILINE)
    for offset, raw in _lines(text):
        if is_transcript and not raw.startswith("$ "):
            continue
        for words in _split(raw.removeprefix("$ ")):
            if words:
                yield Command(line + offset, words)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 0, continued ones as one, without comments."""
    begun: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines()):
        first, before = begun or (number, "")
        line = before + re.sub(r"(?:^|\s)#.*$", "", line)
        begun = (first, line[:-1]) if line.endswith(("\\", "`")) else None
        if begun is None:
            yield first, line
    if begun is not None:
        yield begun


def _split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line.replace("\\", "/"), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in OPERATORS:
            yield _without_prefix(words)
            words = []
        else:
            words.append(word)


def _without_prefix(words: list[str]) -> list[str]:
    while words and (ASSIGNMENT.fullmatch(words[0]) or words[0] in BEFORE_COMMANDS):
        words = words[1:]
    if words and words[0] in NO_COMMANDS:
        return []
    redirected = (place for place, word in enumerate(words) if re.fullmatch(r"[<>&]+", word))
    return words[: next(redirected, len(words))]
