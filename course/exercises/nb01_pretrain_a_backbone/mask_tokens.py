"""Words hidden to be predicted, 80:10:10, special tokens left alone."""

from __future__ import annotations

import math
from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "01-mask-tokens",
    answer="mask_tokens",
    call="mask_tokens(ids, special, p, rng)",
    title="Hide the words",
    withholds=("course.models.pretraining.mask_tokens",),
    hints=(
        "First choose the positions: a random number below p, and no special token. torch.isin finds special['ids'].",
        "labels is a copy of ids with -100 where nothing was chosen; inputs is another copy. Never write into ids.",
        "Draw a second random number r for each position: below 0.8 it becomes [MASK], from 0.8 to 0.9 a random word, "
        "above that it stays.",
    ),
    idea="chosen = (torch.rand(ids.shape, generator=rng) < p) & ~torch.isin(ids, torch.tensor(special['ids'])); "
    "labels = ids where chosen, else -100; one more torch.rand: [MASK] below 0.8, a random id below 0.9, else itself.",
)

WORDS = 200


@exercise.case
def padded_sentences(rng: torch.Generator) -> dict[str, Any]:
    return words_case(rng, 0.15)


def words_case(rng: torch.Generator, p: float, order: tuple[int, ...] = (0, 1, 2, 3)) -> dict[str, Any]:
    """Sentences [CLS] words [SEP] with much padding; `order` gives the ids of [PAD], [CLS], [SEP], [MASK]."""
    pad, first, last, mask = order
    ordinary = torch.tensor([number for number in range(WORDS) if number not in order])
    rows, length = 256, 80
    ids = ordinary[torch.randint(len(ordinary), (rows, length), generator=rng)]
    ends = torch.randint(20, length, (rows,), generator=rng)
    position = torch.arange(length)
    ids[position == ends[:, None]] = last
    ids[position > ends[:, None]] = pad
    ids[:, 0] = first
    return {
        "ids": ids,
        "special": {"ids": list(order), "pad": pad, "mask": mask, "vocab_size": WORDS},
        "p": p,
        "seeds": torch.randint(2**31, (2,), generator=rng).tolist(),
    }


@exercise.probe
def probe_mask_tokens(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    runs = []
    ids = case["ids"].clone()
    for seed in (case["seeds"][0], case["seeds"][0], case["seeds"][1]):
        given = case["ids"].clone()
        returned = answer(given, dict(case["special"]), case["p"], torch.Generator().manual_seed(seed))
        need(returned, (tuple, list), "the changed ids and the labels: `return inputs, labels`")
        if len(returned) != 2 or not all(isinstance(part, torch.Tensor) for part in returned):
            raise Unusable("your answer returned something else than two tensors; `return inputs, labels`")
        if any(part.shape != ids.shape for part in returned):
            raise Unusable(f"inputs and labels have the shape of ids, {tuple(ids.shape)}; yours have another")
        runs.append({"inputs": returned[0].clone(), "labels": returned[1].clone(), "given": given})
    return {"runs": runs}


@exercise.judge(padded_sentences, points=1)
def special_tokens_are_never_chosen(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Padding and the other special tokens are never changed and never have to be predicted."""
    ids, run = case["ids"], result["runs"][0]
    touched = (run["labels"] != -100) | (run["inputs"] != ids)
    for name, where in {
        "padding": ids == case["special"]["pad"],
        "[CLS] and [SEP]": torch.isin(ids, torch.tensor(case["special"]["ids"])),
    }.items():
        expect(
            not (touched & where).any(),
            tried=f"{len(ids)} sentences padded to {ids.shape[1]} tokens",
            got=f"{int((touched & where).sum())} of {int(where.sum())} positions of {name} changed or have a label "
            "other than -100",
            expected="0",
            because="a model that predicts padding learns that most of a sentence is padding; choose among words only"
            if name == "padding"
            else "special tokens say nothing about the sentence; choose among words only",
        )
    _expect_words_are_chosen(case, run)


def _expect_words_are_chosen(case: dict[str, Any], run: dict[str, Any]) -> None:
    """Raise Wrong unless these sentences came back with some of their words chosen: else nothing was left alone."""
    words = ~torch.isin(case["ids"], torch.tensor(case["special"]["ids"]))
    kept = float((run["inputs"] == case["ids"])[words].double().mean())
    chosen = float((run["labels"] != -100)[words].double().mean())
    expect(
        kept > 0.5 and chosen > case["p"] / 4,
        tried=f"p = {case['p']:g}: reading what came back for {int(words.sum())} words",
        got=f"{kept:.0%} of the words in their places, {chosen:.1%} of them with a label",
        expected=f"most of the words in their places, about {case['p']:.0%} of them with a label",
        because="special tokens are left alone, and some of the words are not",
    )


@exercise.judge(padded_sentences, points=1)
def labels_are_the_hidden_words(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A share p of the words is chosen; labels hold the original id there and -100 everywhere else."""
    ids, run = case["ids"], result["runs"][0]
    inputs, labels = run["inputs"], run["labels"]
    words = ~torch.isin(ids, torch.tensor(case["special"]["ids"]))
    chosen = (labels != -100) & words
    changed = (inputs != ids) & words
    lost = int((changed & (labels != ids)).sum())
    because = "a changed position needs its original id as label"
    if lost and torch.equal(labels[changed], inputs[changed]):
        because = (
            "these labels are the changed ids: were they changed before labels were copied? Copy the original ones"
        )
    elif lost and (labels[changed] == -100).all() and (labels == ids)[words & ~changed].double().mean() > 0.9:
        because = "the labels are reversed: -100 means 'ignore', and belongs where nothing was chosen"
    elif lost and (labels[changed] == -100).all():
        because = "no changed word has a label; -100 means 'ignore', and belongs where nothing was chosen"
    expect(
        not lost,
        tried="comparing the labels of changed words with the original ids",
        got=f"{lost} of {int(changed.sum())} differ",
        expected="0 differ",
        because=because,
    )
    other = labels[chosen & ~changed & (labels != ids)]
    expect(
        torch.equal(labels[chosen], ids[chosen]),
        tried="comparing the labels of chosen words with the original ids",
        got=f"{int((labels[chosen] != ids[chosen]).sum())} differ",
        expected="0 differ",
        because=f"where nothing was chosen the label is -100, and {int(other[0])} is the id of a word"
        if len(other) > 1 and (other == other[0]).all()
        else "the label is the id that was there before",
    )
    n = int(words.sum())
    share = int(chosen.sum()) / n
    expect(
        abs(share - case["p"]) < _six_sigma(case["p"], n),
        tried=f"p = {case['p']:g} on {n} words",
        got=f"{share:.1%} of the words have a label",
        expected=f"about {case['p']:.0%}",
        because="every word has a label; put -100 where nothing was chosen" if share > 0.99 else _share_because(share),
    )
    for dim, line in ((1, "sentence"), (0, "position")):
        _expect_independence(chosen.sum(dim), words.sum(dim), case["p"], line)


def _expect_independence(chosen: torch.Tensor, words: torch.Tensor, p: float, line: str) -> None:
    """Raise Wrong unless these counts of chosen words vary as those of independent draws do."""
    chosen, words = chosen[words >= 15].double(), words[words >= 15].double()
    spread = float(((chosen - p * words).pow(2) / (words * p * (1 - p))).mean())  # 1 in the mean of all draws
    allowed = 8 * math.sqrt(2 / len(words))
    expect(
        1 - 0.75 * allowed < spread < 1 + allowed,
        tried=f"counting the chosen words of each {line}",
        got=f"counts that vary {spread:.2g} times as much as those of independent draws",
        expected="about once as much",
        because="each word is chosen on its own: draw a random number for every position of every sentence, and "
        "compare it with p",
    )


def _share_because(share: float) -> str:
    return (
        "nothing was chosen"
        if share == 0
        else "each word is chosen with probability p, and the chosen ones have labels"
    )


@exercise.judge(padded_sentences, points=2)
def eighty_ten_ten(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of the chosen words, 80% become [MASK], 10% a random word, and 10% stay as they are."""
    ids, run = case["ids"], result["runs"][0]
    words = ~torch.isin(ids, torch.tensor(case["special"]["ids"]))
    chosen = (run["labels"] != -100) & words
    changed = (run["inputs"] != ids) & words
    lost = int((changed & ~chosen).sum())
    expect(
        not lost,
        tried="counting what became of the chosen words, those with a label",
        got=f"{lost} of the {int(changed.sum())} words that changed have no label",
        expected="a label for every chosen word",
        because="without their labels it can't be told which words were chosen",
    )
    inputs, n = run["inputs"][chosen], max(1, int(chosen.sum()))
    masked = (inputs == case["special"]["mask"]).sum().item() / n
    kept = (inputs == ids[chosen]).sum().item() / n
    other = 1 - masked - kept
    expect(
        abs(masked - 0.8) < _six_sigma(0.8, n)
        and abs(kept - 0.1) < _six_sigma(0.1, n)
        and abs(other - 0.1) < _six_sigma(0.1, n),
        tried=f"counting what became of the {n} words that have a label",
        got=f"{masked:.0%} [MASK], {other:.0%} another word, {kept:.0%} kept",
        expected="80% [MASK], 10% another word, 10% kept",
        because=_why_not_eighty_ten_ten(masked, other, kept),
    )
    replaced = inputs[(inputs != case["special"]["mask"]) & (inputs != ids[chosen])]
    expect(
        len(replaced.unique()) > 20,
        tried=f"looking at the {len(replaced)} random words",
        got=f"{len(replaced.unique())} different ones",
        expected="many different words",
        because="draw each random word anew from the whole vocabulary",
    )
    strange = int(((replaced < 0) | (replaced >= case["special"]["vocab_size"])).sum())
    expect(
        not strange,
        tried="looking at the random words",
        got=f"{strange} ids outside the vocabulary",
        expected=f"ids from 0 to {case['special']['vocab_size'] - 1}",
        because="an id outside the vocabulary has no embedding",
    )
    _expect_words_are_chosen(case, run)


def _why_not_eighty_ten_ten(masked: float, other: float, kept: float) -> str:
    """The misconception that these fractions of the chosen words show."""
    if kept > 0.5:
        return (
            "most of these words are as they were: a label says that a word was chosen, and only a tenth of those stay"
        )
    if masked > 0.97:
        return "every chosen word became [MASK]: the model would never have to predict anything at an ordinary word"
    if other < 0.001:
        return "no chosen word became a random one"
    if kept < 0.02:
        return "no chosen word was kept"
    if abs(other - 0.02) < 0.012 and masked < 0.9:
        return "a tenth of the remaining fifth is 2%: of the words that don't become [MASK], half become a random word"
    return "draw one more random number for each chosen word, and split at 0.8 and 0.9"


@exercise.judge(padded_sentences, points=1)
def only_the_generator_decides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """All randomness comes from the generator: one seed hides the same words, another seed others; ids is unchanged."""
    first, again, other = result["runs"]
    for run in result["runs"]:
        _expect_words_are_chosen(case, run)
    expect(
        torch.equal(first["given"], case["ids"]),
        tried="comparing `ids` before and after the call",
        got="changed",
        expected="as it was",
        because="ids was changed in place; write into a copy, ids.clone()",
    )
    same = torch.equal(first["inputs"], again["inputs"]) and torch.equal(first["labels"], again["labels"])
    expect(
        same,
        tried="two calls with generators of the same seed",
        got="different words",
        expected="the same words",
        because="draw with generator=rng everywhere; torch.rand without it uses the global generator",
    )
    expect(
        not (torch.equal(first["inputs"], other["inputs"]) and torch.equal(first["labels"], other["labels"])),
        tried="two calls with generators of different seeds",
        got="the same words",
        expected="different words",
        because="a fixed choice shows the model the same gaps in every epoch; draw with generator=rng",
    )


def _six_sigma(p: float, n: int) -> float:
    """Six standard deviations of a share of n draws: a right answer leaves them about twice in 10⁹ cases."""
    return 6 * math.sqrt(p * (1 - p) / max(1, n))
