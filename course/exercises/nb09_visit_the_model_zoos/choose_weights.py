"""The best weights that a task, a size and a licence allow."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect
from course.zoo.published import UNSTATED, Budget, PublishedWeights

TASKS = ("classify", "detect", "segment")
FREE, CLOSED = ("BSD-3-Clause", "MIT", "Apache-2.0"), ("CC-BY-NC-4.0", "AGPL-3.0")

exercise = Exercise(
    "09-choose-weights",
    answer="weights_for",
    call="weights_for(task, budget, zoo)",
    title="Choose weights that you may use",
    hints=(
        "Four questions to each entry: is it for the task, is it small enough, may you use it, and how accurate is it?",
        "Make a list of the entries with `entry.task == task`, `entry.mebibytes <= budget.mebibytes` and "
        "`entry.licence in budget.licences`. A licence that nobody states is not in there, and that is right.",
        "`max(fits, key=lambda entry: entry.accuracy, default=None)` gives the best, and None where nothing fits.",
    ),
    idea="fits = [entry for entry in zoo if entry.task == task and entry.mebibytes <= budget.mebibytes and "
    "entry.licence in budget.licences]; return max(fits, key=lambda entry: entry.accuracy, default=None).",
)


@exercise.case
def sizes_and_tasks(rng: torch.Generator) -> dict[str, Any]:
    """Every licence is allowed; the most accurate entry is for another task, or too large."""
    return zoo_case(rng, lambda rng: (*FREE, *CLOSED, UNSTATED))


@exercise.case
def licences(rng: torch.Generator) -> dict[str, Any]:
    """The best of those that are small enough is under a licence that is not allowed."""
    return zoo_case(rng, lambda rng: FREE[: int(torch.randint(1, 4, (), generator=rng))])


@exercise.case
def nothing_fits(rng: torch.Generator) -> dict[str, Any]:
    """Some questions have no answer: all are too large, or under other licences; others have one."""
    case = zoo_case(rng, lambda rng: FREE)
    for place in torch.randperm(len(case["questions"]), generator=rng)[: len(case["questions"]) // 2].tolist():
        question = case["questions"][place]
        if place % 2:
            question["mebibytes"] = 0.5
        else:
            question["licences"] = ["MPL-2.0"]
    return case


def zoo_case(rng: torch.Generator, licences: Any, *, questions: int = 8) -> dict[str, Any]:
    """Zoos with a question each, `licences(rng)` allowed: ignoring task, size or licence chooses another entry.

    In every second one the right entry is exactly as large as the budget.
    """
    made: list[dict[str, Any]] = []
    while len(made) < questions:
        zoo = drawn_zoo(rng)
        allowed = list(licences(rng))
        for place in torch.randperm(len(zoo), generator=rng).tolist():
            task, budget = zoo[place]["task"], zoo[place]["mebibytes"]
            question = {"zoo": zoo, "task": task, "mebibytes": budget, "licences": allowed}
            right = best(question)
            ignored = ["the task", "the size"]
            if CLOSED[0] not in allowed:
                ignored.append("the licence")
            tempting = right >= 0 and all(best(question, without=what) != right for what in ignored)
            if tempting and (len(made) % 2 or zoo[right]["mebibytes"] == budget):
                made.append(question)
                break
    return {"questions": made}


def drawn_zoo(rng: torch.Generator) -> list[dict[str, Any]]:
    names = torch.randperm(1000, generator=rng)[:12].tolist()
    accuracies = (torch.randperm(400, generator=rng)[:12].double() / 1000 + 0.5).tolist()
    draws = torch.randint(1 << 30, (12, 3), generator=rng).tolist()
    kinds = (*FREE, *FREE, *CLOSED, UNSTATED)
    entries = []
    for name, accuracy, (first, second, third) in zip(names, accuracies, draws, strict=True):
        size, task, licence = 4 + first % 200, TASKS[second % 3], kinds[third % len(kinds)]
        address = f"https://zoo.example/net{name}.pth"
        entries.append(
            vars(
                PublishedWeights(
                    f"net{name}", "V1", "a zoo", task, size * 250_000, float(size), accuracy, licence, address, ""
                )
            )
        )
    if {entry["task"] for entry in entries} != set(TASKS):
        return drawn_zoo(rng)
    return entries


def best(question: dict[str, Any], *, without: str = "") -> int:
    """The place of the right entry in the zoo, -1 if nothing fits; `without` leaves one condition out."""
    fits = [
        place
        for place, entry in enumerate(question["zoo"])
        if (without == "the task" or entry["task"] == question["task"])
        and (without == "the size" or entry["mebibytes"] <= question["mebibytes"])
        and (without == "the licence" or entry["licence"] in question["licences"])
    ]
    return max(fits, key=lambda place: question["zoo"][place]["accuracy"], default=-1)


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
    """Raise Wrong unless every question has the most accurate entry of the task that fits, or none where none does."""
    questions, chosen = case["questions"], result["chosen"]
    expect(tuple(chosen.shape) == (len(questions),), tried="counting", got=chosen, expected="one entry a question")
    for place, question in zip(chosen.tolist(), questions, strict=True):
        right = best(question)
        if place != right:
            tried = (
                f"the best to {question['task']} within {question['mebibytes']:g} MiB under "
                f"{' or '.join(question['licences'])}"
            )
            raise Wrong(
                tried=tried,
                got=_named(question, place),
                expected=_named(question, right),
                because=_why(question, place),
            )


def _named(question: dict[str, Any], place: int) -> str:
    if not 0 <= place < len(question["zoo"]):
        return "None"
    entry = question["zoo"][place]
    facts = f"{entry['task']}, {entry['mebibytes']:g} MiB, accuracy {entry['accuracy']:.3f}, {entry['licence']}"
    return f"{entry['name']} ({facts})"


def _why(question: dict[str, Any], place: int) -> str:
    if place < 0:
        return "something does fit: an entry as large as the budget is within it"
    if best(question) < 0:
        return "nothing fits, and then the answer is None: the nearest miss is still too large, or not yours to use"
    entry = question["zoo"][place]
    if entry["task"] != question["task"]:
        return "this entry is for another task: its head gives something else than you ask for"
    if entry["mebibytes"] > question["mebibytes"]:
        return "this entry is larger than the budget: it doesn't fit where it is to run"
    if entry["licence"] == UNSTATED:
        return "nobody states a licence for this entry: without one you have no permission at all"
    if entry["licence"] not in question["licences"]:
        return "the licence was ignored: this entry is the best that fits, and you may not use it"
    return "this entry fits, and a more accurate one fits as well"


@exercise.judge(sizes_and_tasks, points=1)
def the_best_of_the_task_within_the_size(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of the entries for the task that are within the size, the most accurate one is chosen."""
    judge_chosen(case, result)


@exercise.judge(licences, points=2)
def the_licence_is_one_of_the_allowed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The licence is one of those allowed, though a more accurate entry is under another."""
    judge_chosen(case, result)


@exercise.judge(nothing_fits, points=1)
def none_where_nothing_fits(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Where nothing fits the answer is None, and where something does it is found."""
    judge_chosen(case, result)
