"""What a chapter says about another chapter's results, each with the stored numbers that it rests on."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from course.questions.question import Prediction, questions_of
from course.training.experiments import Comparison, Interval, stored_table

SOLUTIONS = Path(__file__).parents[1] / "solutions"
PARTS = ("fluent", "shifted")  # of chapter 04's test: in and out of distribution


@dataclass(frozen=True)
class Statement:
    """Words in a cell or a question, and whether the stored tables support them."""

    place: str
    words: str
    holds: Callable[[], bool]


def _table(name):
    return Comparison(stored_table(name).rows)


def _ahead(table, one, other, *metrics):
    return all(_table(table).paired(one, other, metric).low > 0 for metric in metrics)


def _cannot_be_told_apart(table, one, other, *metrics):
    differences = [_table(table).paired(one, other, metric) for metric in metrics]
    return all(difference.low < 0 < difference.high for difference in differences)


def _at_guessing(table, setting, *metrics):
    return all(_table(table).interval(setting, metric).mean < 0.2 for metric in metrics)


def _all_lose(*settings):
    table = _table("fine_tuning")
    lost = [np.subtract(table.values(name, "fluent"), table.values(name, "shifted")) for name in settings]
    return all(Interval.of(list(one)).low > 0 for one in lost)


def _claims(chapter, claim):
    """Whether the chapter's notebook tests this claim, in every run."""
    return any(f'claim("{claim}"' in text for text in _code(chapter))


def _code(chapter):
    for path in SOLUTIONS.glob(f"{chapter}_*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(cell["source"])


def _lead_of_contrast(labels):
    return _table("label_efficiency").paired("contrast", "scratch", f"other styles, {labels} labels")


STATEMENTS = [
    Statement(
        "after-stored-shift",
        "here it can't be told apart from plain fine-tuning",
        lambda: _cannot_be_told_apart("fine_tuning", "head first", "fine-tuning", *PARTS),
    ),
    Statement(
        "after-stored-shift", "All three lose accuracy.", lambda: _all_lose("probe", "fine-tuning", "head first")
    ),
    Statement(
        "structure-as-found",
        "Chapter 08 shows another side of it: an encoder that somebody else pretrained was far ahead of a recurrent "
        "network trained from scratch on the same few sentences.",
        lambda: _table("text_models").paired("fine-tuned", "GRU, random vectors", "accuracy").low > 0.2,
    ),
    Statement(
        "strategy",
        "In chapter 01 embeddings collapsed as soon as the negatives were left out",
        lambda: _claims("01", "with attraction alone they collapse"),
    ),
    Statement(
        "11-recall-few-labels",
        "The curves of chapter 01 showed this, from 3 to 15 labels per class.",
        lambda: _lead_of_contrast(3).low > 0 and _lead_of_contrast(15).mean < _lead_of_contrast(3).mean,
    ),
    Statement(
        "11-recall-few-labels",
        "the curves of chapter 01 approach each other",
        lambda: _lead_of_contrast(15).mean < _lead_of_contrast(3).mean,
    ),
    Statement("11-recall-few-labels", "Drawings benefited in chapter 01", lambda: _lead_of_contrast(3).low > 0),
    Statement(
        "11-recall-rate",
        "In chapter 04, a single well-chosen rate could not be told apart from rates by depth",
        lambda: _cannot_be_told_apart("fine_tuning", "rates by depth", "fine-tuning", *PARTS),
    ),
    Statement(
        "11-recall-rate",
        "one too high ended at guessing",
        lambda: _at_guessing("fine_tuning", "fine-tuning at 0.01", *PARTS),
    ),
    Statement(
        "11-recall-rate",
        "In chapter 04, a rate that suits a new head took the whole network down to guessing.",
        lambda: _at_guessing("fine_tuning", "fine-tuning at 0.01", *PARTS),
    ),
]

# Words of results; a sentence with one of them and another chapter's number is a statement, or one of these:
RESULT = re.compile(
    r"\b(show|showed|gains?|gained|told apart|ahead|behind|collapsed|took|better|worse|needed|found|pays|benefit\w*|"
    r"confirmed|approach|guessing|lost|loses)\b"
)
NO_RESULT = (  # beginnings of sentences that announce or explain
    "Chapter 01 measures how the gain depends on",
    "Chapter 03 looks at heads",
    "But the accuracy doesn't follow the loss",
    "Chapter 08 leaves images behind",
    "Chapter 11 looks ahead",
    "You know ways to do better",
    "Two places whose intervals overlap",
)


def _places() -> Iterator[tuple[str, str, str]]:
    """The chapter, the place and the text of every Markdown cell and every text of a question."""
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield path.name[:2], cell["id"], "".join(cell["source"])
        for question in questions_of(path.name[:2]):
            for text in _texts(question):
                yield path.name[:2], question.id, text


def _texts(question) -> Iterator[str]:
    yield question.question
    for option in question.options:
        yield option.text
        yield option.because if isinstance(question, Prediction) else option.explanation


def _text_of(place):
    return " ".join(_plain(text) for _, name, text in _places() if name == place)


def _plain(text):
    """The text on one line, without the targets of links."""
    return re.sub(r"\s+", " ", re.sub(r"\]\([^)]*\)", "", text).replace("[", ""))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: f"{statement.place}-{statement.words[:30]}")
def test_the_stored_numbers_support_the_statement(statement):
    assert statement.words in _text_of(statement.place)
    assert statement.holds()


def test_every_result_of_another_chapter_is_a_statement_of_this_list():
    missing = []
    for chapter, place, text in _places():
        for sentence in re.split(r"(?<=[.!?;|])\s+", _plain(text)):
            others = set(re.findall(r"[Cc]hapters? (\d\d)", sentence)) - {chapter}
            is_listed = any(one.place == place and one.words in sentence for one in STATEMENTS)
            if others and RESULT.search(sentence) and not is_listed and not sentence.startswith(NO_RESULT):
                missing.append(f"{place}: {sentence}")
    assert missing == []
