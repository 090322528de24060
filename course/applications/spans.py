"""Named entities as spans: labels for tokens, spans from tags, F1 over spans, and text with coloured entities."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from course.errors import DataError

IGNORE_INDEX = -100  # cross-entropy's default: no loss at this position


class Span(NamedTuple):
    """The words from `start` up to, not including, `stop`; `kind` is "PER", "ORG", ..."""

    start: int
    stop: int
    kind: str


def align_labels(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    """One label per token from one tag per word: the tag at a word's first token, -100 at all other tokens.

    `word_ids` holds the index of each token's word, or None for a special token, as transformers' tokenizers give it.
    """
    before = [None, *word_ids]
    return [
        IGNORE_INDEX if word is None or word == previous else tags[word]
        for word, previous in zip(word_ids, before, strict=False)
    ]


def find_spans(tags: Sequence[str]) -> list[Span]:
    """The entities of one sentence, from its tags ("O", "B-PER", "I-PER", ...).

    A span begins at a B, or at an I that continues no span of its kind (as conlleval reads it), and continues over the
    I tags of its kind.
    """
    spans: list[Span] = []
    for position, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if prefix == "O":
            continue
        last = spans[-1] if spans else None
        if prefix == "I" and last and last.stop == position and last.kind == kind:
            spans[-1] = last._replace(stop=position + 1)
        else:
            spans.append(Span(position, position + 1, kind))
    return spans


def entity_f1(predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """F1 over the spans of all sentences, in [0, 1]; a span is correct if its start, its end and its kind are.

    Each sentence is a list of tags. F1 = 2 * correct / (predicted spans + gold spans), as in CoNLL-2003; 0 if there are
    no spans. Raises DataError if the lengths differ.
    """
    if [len(tags) for tags in predicted] != [len(tags) for tags in gold]:
        raise DataError("predicted and gold tags differ in length; give one tag per word for the same sentences")
    correct = total = 0
    for tags, gold_tags in zip(predicted, gold, strict=True):
        predicted_spans, gold_spans = set(find_spans(tags)), set(find_spans(gold_tags))
        correct += len(predicted_spans & gold_spans)
        total += len(predicted_spans) + len(gold_spans)
    return 2 * correct / total if total else 0.0


class MarkedText:
    """Sentences with their entities marked: coloured in a notebook, "[Anna Rossi PER]" as text."""

    def __init__(self, words: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> None:
        self._sentences = [(list(sentence), find_spans(row)) for sentence, row in zip(words, tags, strict=True)]
        self._kinds = sorted({span.kind for _, spans in self._sentences for span in spans})

    def __repr__(self) -> str:
        return "\n".join(" ".join(_marked(words, spans, _in_brackets)) for words, spans in self._sentences)

    def _repr_html_(self) -> str:
        lines = (" ".join(_marked(words, spans, self._in_colour)) for words, spans in self._sentences)
        return "".join(f'<p dir="auto" style="line-height:2.2;margin:0">{line}</p>' for line in lines)

    def _in_colour(self, text: str, kind: str | None) -> str:
        from course.notebook.plots import COLOURS

        if kind is None:
            return html.escape(text)
        colour = COLOURS[self._kinds.index(kind) % len(COLOURS)]
        return (
            f'<bdi style="border:2px solid {colour};border-radius:4px;padding:1px 4px">{html.escape(text)} '
            f'<b style="color:{colour};font-size:80%">{html.escape(kind)}</b></bdi>'
        )


def _in_brackets(text: str, kind: str | None) -> str:
    return text if kind is None else f"[{text} {kind}]"


def _marked(words: list[str], spans: list[Span], mark: Callable[[str, str | None], str]) -> list[str]:
    """The words outside any span, and the spans, in order, each formatted by `mark`."""
    parts, position = [], 0
    for span in spans:
        parts += [mark(word, None) for word in words[position : span.start]]
        parts.append(mark(" ".join(words[span.start : span.stop]), span.kind))
        position = span.stop
    return parts + [mark(word, None) for word in words[position:]]
