"""The best weights that a task, a size and a licence allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect
from course.zoo.published import UNSTATED, Budget, PublishedWeights

TASKS = ("classify", "detect", "segment")
LONGER = {"MIT": "MIT-Modern-Variant", "BSD-3-Clause": "BSD-3-Clause-Clear"}  # an allowed name -> another licence
CLOSED = ("CC-BY-NC-4.0", "AGPL-3.0")
QUESTIONS = 9

exercise = Exercise(
    "09-choose-weights",
    answer="weights_for",
    call="weights_for(task, budget, zoo)",
    title="Choose weights that you may use",
    hints=(
        "Write one condition per rule, and keep the entries that meet all of them. What does Python do if you compare "
        "`None` with a number?",
        "Compare whole names without regard to case: build the set of `licence.lower()` for the budget's licences, and "
        'look the entry\'s own licence up in it. "not stated" needs no rule of its own: it is a name like any other.',
        "`max(..., key=...)` compares tuples item by item, so `(entry.accuracy, -entry.mebibytes)` breaks ties in "
        "favour of the smaller file. `default=None` covers the case in which nothing fits.",
    ),
    idea="Keep the entries of the task whose size and accuracy are not None, whose size is at most the budget's, and "
    "whose licence in lower case is among the budget's licences in lower case; return the maximum by (accuracy, "
    "-mebibytes), or None.",
)


@exercise.case
def sizes_and_tasks(rng: torch.Generator) -> dict[str, Any]:
    """More accurate entries are for another task, too large, or of unknown size; the right one may fit exactly."""
    return zoo_case(rng, ("task", "size", "unknown size"), ("plain", "exact size", "tie"))


@exercise.case
def licences(rng: torch.Generator) -> dict[str, Any]:
    """More accurate entries are under other licences, some with similar names."""
    return zoo_case(rng, ("licence", "longer name", "part of a name", "size"), ("plain", "other case"))


@exercise.case
def unstated_licences(rng: torch.Generator) -> dict[str, Any]:
    """A licence that is not stated is accepted by some budgets and not by others."""
    return zoo_case(rng, ("unstated", "licence", "task"), ("plain", "unstated"))


@exercise.case
def nothing_fits(rng: torch.Generator) -> dict[str, Any]:
    """For some questions nothing fits; one entry that would has no published accuracy."""
    return zoo_case(rng, ("task", "size", "licence", "unknown accuracy"), ("plain", "nothing"))


def zoo_case(rng: torch.Generator, decoys: tuple[str, ...], kinds: tuple[str, ...]) -> dict[str, Any]:
    """Questions, each with a zoo in which every decoy breaks one rule; the right entries are of these kinds in turn."""
    return {"questions": [_question(rng, decoys, kinds[place % len(kinds)]) for place in range(QUESTIONS)]}


def _question(rng: torch.Generator, decoys: tuple[str, ...], kind: str) -> dict[str, Any]:
    def below(high: int) -> int:
        return int(torch.randint(high, (), generator=rng))

    names = torch.randperm(1000, generator=rng).tolist()
    task, budget = TASKS[below(3)], float(40 + below(160))
    plain = [*LONGER][below(2)]
    allowed = [plain, "Apache-2.0"]
    if "part of a name" in decoys:  # the allowed name contains the forbidden one
        allowed = [plain, "Apache-2.0", "Zlib-acknowledgement"]
    if kind == "unstated":
        allowed.append(UNSTATED)
    accuracy = 600 + below(100)  # thousandths

    def entry(**changes: Any) -> dict[str, Any]:
        size = float(5 + below(int(budget) - 6))
        facts: dict[str, Any] = {
            "task": task,
            "mebibytes": size,
            "accuracy": accuracy / 1000,
            "licence": allowed[below(2)],
        } | changes
        name = f"net{names.pop()}"
        made = PublishedWeights(
            name, "V1", "a zoo", facts["task"], 1000, facts["mebibytes"], facts["accuracy"], facts["licence"],
            f"https://zoo.example/{name}.pth", "",
        )  # fmt: skip
        return vars(made)

    broken: dict[str, Callable[[], dict[str, Any]]] = {
        "task": lambda: {"task": TASKS[(TASKS.index(task) + 1 + below(2)) % 3]},
        "size": lambda: {"mebibytes": budget + (0.5, 40.0)[below(2)]},
        "unknown size": lambda: {"mebibytes": None},
        "unknown accuracy": lambda: {"accuracy": None},
        "licence": lambda: {"licence": CLOSED[below(2)]},
        "longer name": lambda: {"licence": LONGER[plain]},
        "part of a name": lambda: {"licence": "Zlib"},
        "unstated": lambda: {"licence": UNSTATED},
    }
    skipped = {"unstated"} if kind == "unstated" else set()
    better = [{"accuracy": (accuracy + 20 + below(200)) / 1000} | broken[d]() for d in decoys if d not in skipped]
    worse = [{"accuracy": (accuracy - 10 - below(200)) / 1000} for _ in range(3)]
    right: dict[str, dict[str, Any]] = {
        "plain": {},
        "exact size": {"mebibytes": budget},
        "tie": {"mebibytes": 4.0},
        "other case": {"licence": allowed[below(2)].lower()},
        "unstated": {"licence": UNSTATED},
    }
    zoo = [entry(**changes) for changes in better]
    if kind != "nothing":
        zoo += [entry(**changes) for changes in [*worse, right[kind]]]
    if kind == "tie":
        zoo.append(entry(mebibytes=budget - 1))
    order = torch.randperm(len(zoo), generator=rng).tolist()
    return {"zoo": [zoo[i] for i in order], "task": task, "mebibytes": budget, "licences": allowed}


def best(question: dict[str, Any], reading: str = "") -> int:
    """The index of the right entry in the zoo, -1 if nothing fits; or what another `reading` of the rules chooses."""
    allowed, budget = question["licences"], question["mebibytes"]

    def may_use(licence: str) -> bool:
        if reading == "case":
            return licence in allowed
        if reading == "always unstated" and licence == UNSTATED:
            return True
        if reading == "never unstated" and licence == UNSTATED:
            return False
        if reading == "substring":
            return any(name in licence for name in allowed)
        if reading == "part":
            return any(licence.lower() in name.lower() for name in allowed)
        return reading == "licence" or licence.lower() in [name.lower() for name in allowed]

    def fits(entry: dict[str, Any]) -> bool:
        size = entry["mebibytes"]
        if size is None:
            is_small = reading in ("size", "unknown size")
        else:
            is_small = reading == "size" or (size < budget if reading == "strict" else size <= budget)
        is_known = entry["accuracy"] is not None or reading == "unknown accuracy"
        return (
            is_small
            and is_known
            and (reading == "task" or entry["task"] == question["task"])
            and may_use(entry["licence"])
        )

    def rank(place: int) -> tuple[float, float]:
        entry = question["zoo"][place]
        size = entry["mebibytes"] or 0.0
        return entry["accuracy"] or 0.0, size if reading == "larger" else -size

    return max((i for i, entry in enumerate(question["zoo"]) if fits(entry)), key=rank, default=-1)


READINGS = {  # another reading of the rules -> what it overlooks
    "task": "the task was not checked: this entry's head predicts something else",
    "size": "the size was not checked: this entry is larger than the budget, or its size is unknown",
    "strict": "an entry exactly as large as the budget still fits: use `<=`",
    "unknown size": "a size that isn't published (None) can't be shown to fit",
    "unknown accuracy": "an accuracy that isn't published (None) can't be compared; such an entry is never chosen",
    "licence": "the licence was not checked: you may not use this entry",
    "substring": "`in` between two strings finds parts of names, and a licence with a longer name is another licence",
    "part": "the entry's licence is only a part of an allowed name, so it is another licence",
    "case": "upper and lower case don't matter in the names of licences",
    "always unstated": 'this budget does not accept "not stated": without a licence you have no permission',
    "never unstated": 'this budget accepts "not stated" by name, so such an entry counts',
    "larger": "of two entries with the same accuracy, the smaller file wins",
}


@exercise.probe
def probe_weights_for(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    chosen = []
    for question in case["questions"]:
        zoo = [PublishedWeights(**entry) for entry in question["zoo"]]
        kept = list(zoo)
        returned = answer(question["task"], Budget(question["mebibytes"], tuple(question["licences"])), zoo)
        if returned is not None and not isinstance(returned, PublishedWeights):
            raise Unusable(f"your answer returned a {type(returned).__name__}; return one entry of the zoo, or None")
        if returned is not None and returned not in kept:
            raise Unusable("your answer returned an entry that is not in the zoo; return one of those you were given")
        chosen.append(-1 if returned is None else kept.index(returned))
    return {"chosen": torch.tensor(chosen)}


def judge_chosen(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every question has the most accurate entry that meets all rules, or none where none does."""
    questions, chosen = case["questions"], result["chosen"]
    expect(tuple(chosen.shape) == (len(questions),), tried="counting", got=chosen, expected="one entry per question")
    answers = chosen.tolist()
    for place, question in zip(answers, questions, strict=True):
        right = best(question)
        if place != right:
            raise Wrong(
                tried=f"the best to {question['task']} within {question['mebibytes']:g} MiB under "
                f"{' or '.join(question['licences'])}",
                got=_named(question, place),
                expected=_named(question, right),
                because=_reason(questions, answers) or _fact(question, place),
            )


def _reason(questions: list[dict[str, Any]], answers: list[int]) -> str:
    """What was overlooked, if one other reading of the rules gives all of these answers."""
    for reading, because in READINGS.items():
        if [best(question, reading) for question in questions] == answers:
            return because
    return ""


def _fact(question: dict[str, Any], place: int) -> str:
    """The first rule that this entry breaks, as a fact about the entry."""
    if place < 0:
        return "at least one entry meets all the rules"
    if not 0 <= place < len(question["zoo"]):
        return ""
    entry = question["zoo"][place]
    if entry["task"] != question["task"]:
        return "this entry is for another task"
    if entry["mebibytes"] is None:
        return "the size of this entry isn't published"
    if entry["accuracy"] is None:
        return "the accuracy of this entry isn't published"
    if entry["mebibytes"] > question["mebibytes"]:
        return "this entry is larger than the budget"
    if entry["licence"].lower() not in [name.lower() for name in question["licences"]]:
        return "the licence of this entry is not among those that the budget accepts"
    return (
        "this entry fits, but it isn't the best: a more accurate one fits as well, or an equally accurate smaller one"
    )


def _named(question: dict[str, Any], place: int) -> str:
    if not 0 <= place < len(question["zoo"]):
        return "None"
    entry = question["zoo"][place]
    size = "size unknown" if entry["mebibytes"] is None else f"{entry['mebibytes']:g} MiB"
    accuracy = "accuracy unknown" if entry["accuracy"] is None else f"accuracy {entry['accuracy']:.3f}"
    return f"{entry['name']} ({entry['task']}, {size}, {accuracy}, {entry['licence']})"


@exercise.judge(sizes_and_tasks, points=1)
def the_best_of_the_task_within_the_size(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The most accurate entry for the task whose published size is within the budget is chosen."""
    judge_chosen(case, result)


@exercise.judge(licences, points=2)
def the_licence_is_one_of_the_allowed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Licences are compared as whole names, in upper or lower case."""
    judge_chosen(case, result)


@exercise.judge(unstated_licences, points=1)
def an_unstated_licence_needs_the_budgets_consent(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A licence that is not stated counts only where the budget accepts it."""
    judge_chosen(case, result)


@exercise.judge(nothing_fits, points=1)
def none_where_nothing_fits(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Where nothing fits the answer is None."""
    judge_chosen(case, result)
