"""Answers that are nearly the same, and are so in a way that is rare in the class.

Compared is the syntax tree: comments, layout, docstrings, type hints and the names of variables, arguments and helper
functions are gone; operations, constants, attributes, names of the library and the order of everything stay. A tree
becomes a set of fingerprints (runs of nodes chosen by winnowing; Schleimer, Wilkerson and Aiken 2003, "Winnowing").

Two answers to a short exercise are often the same because there is only one way to write it. So a fingerprint weighs
as many bits as it is rare among the learners who answered (at most 4), nothing where the reference solution has it as
well, and a group is reported only when what it shares weighs MIN_BITS: a one-liner never does, nor does what most of
the class wrote.

What it shows: that answers share more than chance or the task explains. What it cannot show: who wrote it first, and
whether it was copied, worked out together with permission, or taken from the same page on the web. It does not see
through a rewrite by hand (a loop made a comprehension, statements in another order), and in a class of two or three
it sees only long answers. It is a reason to read both answers, never a verdict.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from course.judging.answers import parse

RUN, WINDOW = 7, 4  # nodes in a fingerprint; of so many neighbouring runs at least one becomes a fingerprint
MIN_BITS = 64.0
MAX_BITS_EACH = 4.0
MAX_SOURCE = 100_000  # characters; nobody writes a longer answer by hand
_NEIGHBOURS = 5
_SKIPPED = {"ctx", "annotation", "returns", "type_comment", "type_params", "lineno", "kind", "simple"}
_NAMING: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
}
_FIELDS = {
    cls: [name for name in reversed(cls._fields) if name not in _SKIPPED and name != _NAMING.get(cls)]
    for cls in vars(ast).values()
    if isinstance(cls, type) and issubclass(cls, ast.AST)
}
_FIELDS[ast.Constant] = []


@dataclass(frozen=True)
class Similar:
    """Learners whose answers to one exercise are nearly the same.

    `similarity` is that of the least similar neighbours in the group, 1 when all trees are equal; `bits` is how much
    what they share weighs.
    """

    exercise: str
    learners: tuple[str, ...]
    similarity: float
    bits: float

    @property
    def identical(self) -> bool:
        """True when the syntax trees differ in nothing but names."""
        return self.similarity == 1


@dataclass(frozen=True)
class _Form:
    """One normalised answer, its learners, and its fingerprints."""

    learners: list[str]
    prints: frozenset[int]


def similar_answers(
    answers: Iterable[tuple[str, str, str]],
    *,
    threshold: float = 0.8,
    references: Mapping[str, str] | None = None,
) -> list[Similar]:
    """Groups of nearly identical answers among (learner, exercise, source), the weightiest first.

    Two answers belong together when the weight of what they share is at least `threshold` of the weight of what either
    has. `references` are the solutions' sources by exercise id. Of several answers by one learner the last counts;
    cells that are no Python are left out.
    """
    by_exercise: dict[str, dict[str, str]] = defaultdict(dict)
    for learner, exercise, source in answers:
        by_exercise[exercise][learner] = source
    with _collector_paused():
        found = [
            group
            for exercise, sources in by_exercise.items()
            for group in _groups(exercise, sources, threshold, (references or {}).get(exercise, ""))
        ]
    return sorted(found, key=lambda group: (-group.bits, group.exercise, group.learners))


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Syntax trees have no cycles, but so many nodes that the collector would look for some thousands of times."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _groups(exercise: str, sources: Mapping[str, str], threshold: float, reference: str) -> Iterator[Similar]:
    forms = _forms(sources)
    common = Counter(mark for form in forms for mark in form.prints for _ in form.learners)
    number = sum(len(form.learners) for form in forms)
    weights = {mark: min(MAX_BITS_EACH, math.log2((number + 1) / count)) for mark, count in common.items()}
    weights |= dict.fromkeys(fingerprints(normalised(reference)), 0.0)
    total = [sum(weights[mark] for mark in form.prints) for form in forms]
    links = [(place, place, 1.0, total[place]) for place, form in enumerate(forms) if len(form.learners) > 1]
    for one, two in _candidates(forms, weights):
        shared = sum(weights[mark] for mark in forms[one].prints & forms[two].prints)
        either = total[one] + total[two] - shared
        if shared >= MIN_BITS and shared >= threshold * either:
            # Two trees with the same fingerprints may still differ, so that only equal ones are called so.
            links.append((one, two, min(shared / either, 0.99), shared))
    for places, similarity, bits in _joined([link for link in links if link[3] >= MIN_BITS]):
        learners = sorted(learner for place in places for learner in forms[place].learners)
        yield Similar(exercise, tuple(learners), similarity, bits)


def _forms(sources: Mapping[str, str]) -> list[_Form]:
    """The distinct normalised answers, ordered so that similar ones tend to be neighbours."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for learner, source in sources.items():
        by_source[source].append(learner)
    by_tree: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for source, learners in by_source.items():
        if nodes := normalised(source):
            by_tree[tuple(nodes)] += learners
    forms = [_Form(learners, frozenset(fingerprints(nodes))) for nodes, learners in by_tree.items()]
    return sorted(forms, key=lambda form: (sorted(form.prints)[:3], form.learners))


def _candidates(forms: list[_Form], weights: Mapping[int, float]) -> Iterator[tuple[int, int]]:
    """Pairs of forms worth comparing: neighbours in the lists of those that share a rare fingerprint.

    Their number grows with the number of answers, not with its square.
    """
    holders: dict[int, list[int]] = defaultdict(list)
    for place, form in enumerate(forms):
        for mark in form.prints:
            if weights[mark] > 1:  # what half of the class has brings nobody together
                holders[mark].append(place)
    shared: Counter[tuple[int, int]] = Counter()
    for places in holders.values():
        for offset in range(1, min(_NEIGHBOURS + 1, len(places))):
            shared.update(zip(places, places[offset:], strict=False))
    return (pair for pair, count in shared.items() if count * MAX_BITS_EACH >= MIN_BITS / 2)


def _joined(links: list[tuple[int, int, float, float]]) -> Iterator[tuple[list[int], float, float]]:
    """The places that links connect, with the lowest similarity and the lowest weight among those links."""
    leader: dict[int, int] = {}

    def lead(place: int) -> int:
        while leader.setdefault(place, place) != place:
            leader[place] = place = leader[leader[place]]
        return place

    for one, two, _, _ in links:
        leader[lead(one)] = lead(two)
    groups: dict[int, list[tuple[int, int, float, float]]] = defaultdict(list)
    for link in links:
        groups[lead(link[0])].append(link)
    for group in groups.values():
        places = sorted({place for link in group for place in link[:2]})
        yield places, min(link[2] for link in group), min(link[3] for link in group)


def normalised(source: str) -> list[str]:
    """The nodes of a cell's syntax tree in order, own names numbered as they appear; empty for a syntax error."""
    if len(source) > MAX_SOURCE:
        return []
    nodes, names, own = _flattened(parse(source))
    numbers: dict[str, str] = {}
    for place in names:
        if (name := nodes[place]) in own:
            nodes[place] = numbers.setdefault(name, f"name {len(numbers)}")
    return nodes


def fingerprints(nodes: Sequence[str]) -> set[int]:
    """The winnowed fingerprints of a list of nodes; a list shorter than a run has none."""
    codes = list(map(_code, nodes))
    runs = list(map(hash, zip(*(codes[start:] for start in range(RUN)), strict=False)))
    windows = [runs[start:] for start in range(min(WINDOW, len(runs)))]
    return set(map(min, *windows)) if len(windows) > 1 else set(runs)


@lru_cache(maxsize=20_000)
def _code(node: str) -> int:
    """A number for a node, the same in every process, which `hash` of a text is not.

    Own names are one here, so that an added variable does not change all that come after it.
    """
    return zlib.crc32(b"name" if node.startswith("name ") else node.encode("utf-8", "replace"))


def _flattened(tree: ast.AST) -> tuple[list[str], list[int], set[str]]:
    """Every node and plain value in order, the places of names, and the names that the cell itself makes: its
    variables, arguments, functions and classes. No recursion: trees may be deep."""
    nodes: list[str] = []
    names: list[int] = []
    own: set[str] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            node = [part for part in node if part is not None and not _says_nothing(part)]
            if len(node) != 1:
                nodes.append(str(len(node)))
            waiting += reversed(node)
            continue
        if not isinstance(node, ast.AST):
            nodes.append(str(node))
            continue
        if isinstance(node, ast.AnnAssign) and node.value:  # without its hint
            node = ast.Assign(targets=[node.target], value=node.value)
        kind = type(node)
        nodes.append(kind.__name__)
        if kind in _NAMING:
            name = getattr(node, _NAMING[kind]) or ""
            names.append(len(nodes))
            nodes.append(name)
            if not isinstance(getattr(node, "ctx", None), ast.Load):
                own.add(name)
        elif isinstance(node, ast.Constant):
            # Python refuses to write integers of many digits as decimals.
            nodes.append(hex(node.value)[:200] if type(node.value) is int else repr(node.value)[:200])
        waiting += [part for name in _FIELDS[kind] if (part := getattr(node, name, None)) is not None]
    return nodes, names, own


def _says_nothing(node: Any) -> bool:
    """A docstring or another bare constant, `...` among them, and a bare type hint."""
    kind = type(node)
    return (kind is ast.Expr and type(node.value) is ast.Constant) or (kind is ast.AnnAssign and node.value is None)
