"""Spans: labels on tokens, spans out of tags, F1 over whole spans, and marked text that is safe and readable."""

import random

import pytest

from course.applications.spans import MarkedText, Span, align_labels, entity_f1, find_spans
from course.data.sentences import entities
from course.errors import DataError


def test_labels_stand_on_the_first_token_of_each_word():
    assert align_labels([None, 0, 0, 1, None, None], [3, 5]) == [-100, 3, -100, 5, -100, -100]
    assert align_labels([None, 0, 2, None], [1, 9, 1]) == [-100, 1, 1, -100]  # word 1 was empty
    assert align_labels([], []) == []


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("", []),
        ("B-PER I-PER O B-LOC", [Span(0, 2, "PER"), Span(3, 4, "LOC")]),
        ("B-PER B-PER", [Span(0, 1, "PER"), Span(1, 2, "PER")]),
        ("I-PER I-PER", [Span(0, 2, "PER")]),
        ("B-PER I-LOC", [Span(0, 1, "PER"), Span(1, 2, "LOC")]),
        ("B-PER O I-PER", [Span(0, 1, "PER"), Span(2, 3, "PER")]),
    ],
)
def test_spans_are_read_as_conlleval_reads_them(tags, spans):
    assert find_spans(tags.split()) == spans


def test_f1_counts_whole_spans_over_all_sentences():
    gold = [["B-PER", "I-PER", "O"], ["B-LOC"], ["B-LOC"]]
    assert entity_f1(gold, gold) == 1
    assert entity_f1([["B-PER", "O", "O"], ["B-LOC"], ["O"]], gold) == pytest.approx(2 / 5)
    assert entity_f1([["O"]], [["O"]]) == 0
    with pytest.raises(DataError, match="length"):
        entity_f1([["O"]], [["O", "O"]])


def test_f1_agrees_with_a_count_by_intervals():
    rng = random.Random(0)
    kinds = ["O", "B-A", "I-A", "B-B", "I-B"]
    for _ in range(200):
        gold, predicted = ([[rng.choice(kinds) for _ in range(6)] for _ in range(3)] for _ in range(2))

        def intervals(rows):
            found = set()
            for i, row in enumerate(rows):
                starts = [
                    j for j, tag in enumerate(row)
                    if tag[0] == "B" or (tag[0] == "I" and (j == 0 or row[j - 1][1:] != tag[1:]))
                ]  # fmt: skip
                for start in starts:
                    stop = start + 1
                    while stop < 6 and row[stop] == f"I-{row[start][2:]}":
                        stop += 1
                    found.add((i, start, stop, row[start][2:]))
            return found

        mine, true = intervals(predicted), intervals(gold)
        both = len(mine) + len(true)
        assert entity_f1(predicted, gold) == pytest.approx(2 * len(mine & true) / both if both else 0)


def test_marked_text_is_readable_as_text_and_escaped_as_html():
    marked = MarkedText([["Ada", "<b>", "in", "Oslo"]], [["B-PER", "I-PER", "O", "B-LOC"]])
    assert repr(marked) == "[Ada <b> PER] in [Oslo LOC]"
    page = marked._repr_html_()
    assert "<b>," not in page and "Ada &lt;b&gt;" in page
    assert page.count("<bdi") == 2
    assert 'dir="auto"' in page


def test_every_word_of_a_sentence_is_in_the_marked_text():
    drawn = entities("test", 50)
    marked = MarkedText(drawn.words, [[drawn.classes[tag] for tag in tags] for tags in drawn.tags])
    for line, words in zip(repr(marked).splitlines(), drawn.words, strict=True):
        assert [part.strip("[]") for part in line.split() if part not in ("PER]", "ORG]", "LOC]")] == words
