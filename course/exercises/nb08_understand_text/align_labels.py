"""Labels for tokens from tags of words: the first token of a word has its tag, all others -100."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

FIRST_TOKENS = "labels belong on the first token of each word"

exercise = Exercise(
    "08-align-labels",
    answer="align_labels",
    call="align_labels(word_ids, tags)",
    title="Labels for tokens",
    withholds=("course.applications.spans.align_labels",),
    hints=(
        "Go token by token. `word_ids[i]` is the index of the word that token i belongs to; None means none. Which "
        "tokens are the first of their word?",
        "A token continues a word if the token before it has the same word id. Two neighbouring words can have the "
        "same tag, so the tag can't tell you.",
        "Word 0 is a word: ask `word is None`, because `not word` is true for 0 as well.",
    ),
    idea="Remember the previous word id: None and repeated ids give -100, a new id gives tags[id].",
)

IGNORED, CLASSES = -100, 7
Pairs = list[tuple[dict[str, Any], torch.Tensor]]


@exercise.case
def split_words(rng: torch.Generator) -> dict[str, Any]:
    return sentences_case(rng)


def sentences_case(rng: torch.Generator, *, cut: bool = False) -> dict[str, Any]:
    """Sentences of words in 1 to 4 tokens, special tokens around them, padding behind; neighbours often share a tag.

    In the last one, and with `cut` in each, the last words have no token (the sentence was too long), nor has the third
    (it was empty).
    """
    sentences = []
    for number in range(4):
        words = int(torch.randint(6, 11, (), generator=rng))
        pieces = torch.randint(1, 5, (words,), generator=rng)
        pieces[0], pieces[-1] = 2, 3
        tags = torch.randint(CLASSES, (words,), generator=rng)
        tags[1::3] = tags[0 : len(tags[1::3]) * 3 : 3]
        ids = torch.repeat_interleave(torch.arange(words), pieces).tolist()
        if cut or number == 3:
            ids = [word for word in ids if word != 2 and word < words - 2]
            tags[2] = (tags[3] + 1) % CLASSES  # so that a tag counted from the words that have tokens is another one
        padding = int(torch.randint(1, 5, (), generator=rng))
        sentences.append({"word_ids": [None, *ids, None, *[None] * padding], "tags": tags.tolist()})
    return {"sentences": sentences}


@exercise.probe
def probe_align_labels(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for sentence in case["sentences"]:
        returned = answer(list(sentence["word_ids"]), list(sentence["tags"]))
        returned = need(returned, (list, tuple, torch.Tensor), "a list with one label per token")
        labels = returned.tolist() if isinstance(returned, torch.Tensor) else list(returned)
        if not all(isinstance(label, (int, torch.Tensor)) or hasattr(label, "__index__") for label in labels):
            raise Unusable("your answer returned labels that are not whole numbers; a label is a tag's number, or -100")
        rows.append(torch.tensor([int(label) for label in labels], dtype=torch.int64))
    return {"labels": rows}


def _reference(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return [
        IGNORED if word is None or (i and word_ids[i - 1] == word) else tags[word] for i, word in enumerate(word_ids)
    ]


def _kinds(word_ids: Sequence[int | None]) -> torch.Tensor:
    """What each token is: 0 special or padding, 1 the first of its word, 2 a further one."""
    return torch.tensor(
        [0 if word is None else 2 if i and word_ids[i - 1] == word else 1 for i, word in enumerate(word_ids)]
    )


def _one_after_the_other(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return [tags[i] if i < len(tags) else IGNORED for i, _ in enumerate(word_ids)]


def _in_order(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    rest = iter(tags)
    return [IGNORED if kind != 1 else next(rest) for kind in _kinds(word_ids).tolist()]


def _on_every_token(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return [IGNORED if word is None else tags[word] for word in word_ids]


def _last(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return _reference(word_ids[::-1], tags)[::-1]


def _shifted(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    row = _reference(word_ids, tags)
    return [*row[1:], IGNORED]


def _later(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return [IGNORED, *_reference(word_ids, tags)[:-1]]


def _next_word(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return _reference(word_ids, [*tags[1:], tags[0]])


def _word_before(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return _reference(word_ids, [tags[-1], *tags[:-1]])


def _without_word_0(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    return [IGNORED if not word else label for word, label in zip(word_ids, _reference(word_ids, tags), strict=True)]


def _by_tag(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    row = [None if word is None else tags[word] for word in word_ids]
    return [IGNORED if tag is None or (i and row[i - 1] == tag) else tag for i, tag in enumerate(row)]


MISTAKES: dict[str, Callable[[Sequence[int | None], Sequence[int]], list[int]]] = {
    "the labels are shifted by one token: too early, as if [CLS] were not there": _shifted,
    "the labels are shifted by one token: too late": _later,
    "the labels are shifted by one word: each word has the tag of the next": _next_word,
    "the labels are shifted by one word: each word has the tag of the one before": _word_before,
    "the tags were assigned in order, as if every token were a word: look up tags[word_ids[i]]": _one_after_the_other,
    "the tags were handed out in order to the words that have tokens: a word's tag is tags[its id]": _in_order,
    "every token of a word has its tag: a name of five subwords would count five times": _on_every_token,
    "the last token of each word has the tag; it belongs on the first": _last,
    "word 0 was treated as no word: `not word` is true for 0; ask `word is None`": _without_word_0,
    "a new word was recognised by its tag: two neighbours with the same tag are still two words": _by_tag,
}


@exercise.judge(split_words, points=2)
def first_tokens_have_the_tags(case: dict[str, Any], result: dict[str, Any]) -> None:
    """There is one label per token, and the first token of each word has the word's tag."""
    pairs = _pairs(case, result)
    for sentence, got in pairs:
        first = _kinds(sentence["word_ids"]) == 1
        expected = torch.tensor(_reference(**sentence))
        if not torch.equal(got[first], expected[first]):
            raise Wrong(
                tried=_tried(sentence),
                got=got.tolist(),
                expected=expected.tolist(),
                because=_because(pairs) or FIRST_TOKENS,
            )


@exercise.judge(split_words, points=1)
def further_tokens_are_ignored(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The further tokens of a word are -100, so that a long word counts as often as a short one."""
    _judge_ignored(
        case,
        result,
        2,
        "further tokens of words",
        "only -100 is left out of the loss; every other label is learned, here once per subword",
    )


@exercise.judge(split_words, points=1)
def special_tokens_are_ignored(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Special tokens and padding are -100, so that the loss leaves them out."""
    _judge_ignored(
        case,
        result,
        0,
        "special tokens and padding",
        "only -100 is left out of the loss; every other label is learned, and 0 is the class `O`",
    )


def _judge_ignored(case: dict[str, Any], result: dict[str, Any], kind: int, what: str, because: str) -> None:
    pairs = _pairs(case, result)
    for sentence, got in pairs:
        _expect_some_tags(sentence, got, pairs)
        there = _kinds(sentence["word_ids"]) == kind
        wrong = int((got[there] != IGNORED).sum())
        expect(
            not wrong,
            tried=_tried(sentence),
            got=f"{wrong} of {int(there.sum())} {what} have a label, {got[there].tolist()}",
            expected="-100 on each",
            because=_because(pairs) or because,
        )


def _expect_some_tags(sentence: dict[str, Any], got: torch.Tensor, pairs: Pairs) -> None:
    """Raise Wrong unless most first tokens have their tag: otherwise there is nothing to distinguish."""
    first = _kinds(sentence["word_ids"]) == 1
    expected = torch.tensor(_reference(**sentence))
    right = int((got[first] == expected[first]).sum())
    expect(
        2 * right > int(first.sum()),
        tried=_tried(sentence),
        got=f"{right} of {int(first.sum())} first tokens have the tag of their word",
        expected="all of them; ignored tokens are judged once most of these are right",
        because=_because(pairs) or FIRST_TOKENS,
    )


def _pairs(case: dict[str, Any], result: dict[str, Any]) -> Pairs:
    expect(
        len(result["labels"]) == len(case["sentences"]),
        tried="counting the sentences",
        got=len(result["labels"]),
        expected=len(case["sentences"]),
    )
    pairs = list(zip(case["sentences"], result["labels"], strict=True))
    for sentence, got in pairs:
        expect(
            len(got) == len(sentence["word_ids"]),
            tried=_tried(sentence),
            got=f"{len(got)} labels",
            expected=f"{len(sentence['word_ids'])} labels",
            because="one label per token, special tokens and padding included: the model predicts at every token",
        )
    return pairs


def _tried(sentence: dict[str, Any]) -> str:
    words = ", ".join(map(str, sentence["word_ids"]))
    return f"align_labels([{words}], {sentence['tags']})"


def _because(pairs: Pairs) -> str:
    """The mistake that gives the labels of every sentence, or nothing."""
    for because, wrong in MISTAKES.items():
        if all(got.tolist() == wrong(sentence["word_ids"], sentence["tags"]) for sentence, got in pairs):
            return because
    return ""
