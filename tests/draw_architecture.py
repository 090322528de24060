"""Draws docs/architecture.svg: the folders of course/, and how many imports lead from each to the others.

python -m tests.draw_architecture

The folders and the imports are those that tests/test_layers.py reads from the code; nothing in the picture is written
by hand but the phrases of its table. A folder stands one row above the highest that it imports from, or just below
those that import it. An import that an arrow's neighbours already imply stands as text in its box.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from html import escape
from itertools import combinations, pairwise

from tests.conftest import ROOT
from tests.test_layers import FOLDERS, IMPORTS, LAYERS, MODULES

PICTURE = ROOT / "docs" / "architecture.svg"
LINE_LENGTH = 36  # characters of a box
BASE = ("errors", "legible", "files", "runtime")  # what nearly everything imports: one wide box, without arrows
MANY = 10  # imports that are drawn as an arrow of their own even if others imply it

WIDTH, BOX, ROW, MARGIN = 940, (236, 100), 150, 16  # pixels; the height of a row includes the arrows below it
# Light boxes with dark text on no background, and arrows of a middling grey: legible on white and on black.
INK, FAINT, LINE = "#1b2733", "#4d5b69", "#7d8894"
FILLS = {"library": "#cfe3f5", "judging": "#fbe3c4", "both": "#e4e6ea"}
GROUPS = {
    "library": ("data", "models", "zoo", "training", "inspection", "applications", "capstone"),
    "judging": ("judging", "exercises", "authoring", "grading"),
}
LEGEND = {"library": "what the notebooks use", "judging": "exercises and their grades", "both": "both"}

Edges = dict[tuple[str, str], int]


@dataclass
class Place:
    """Where a box, or the bend of an arrow that passes a row, has its centre and its top."""

    x: float
    y: float


def draw() -> str:
    """The picture as SVG."""
    edges = count_imports()
    folders = [folder for folder in FOLDERS if folder not in BASE]
    inner = {pair: count for pair, count in edges.items() if pair[1] not in BASE}
    rows = rows_of(folders, inner)
    arrows = {pair: count for pair, count in inner.items() if count >= MANY or not is_implied(pair, inner)}
    paths = {pair: passes(pair, rows) for pair in arrows}
    places = arrange(rows, paths)
    base_y = MARGIN + ROW * (max(rows.values()) + 1)
    parts = [arrow([places[name] for name in paths[pair]], count) for pair, count in arrows.items()]
    phrases = dict(line.split(maxsplit=1) for line in LAYERS.strip().splitlines())
    for folder in folders:
        left = [
            f"{other}\N{NO-BREAK SPACE}{inner[folder, other]}"
            for other in folders
            if (folder, other) in inner.keys() - arrows
        ]
        parts.append(box(folder, phrases[folder], left, places[folder]))
    parts += [base_box(edges, phrases, base_y), legend(base_y + 98)]
    return svg(parts, base_y + 114)


def count_imports() -> Edges:
    """(folder, folder that it imports from) -> how many of its modules' imports lead there."""
    pairs = ((module.split(".")[0], other.split(".")[0]) for module, others in IMPORTS.items() for other in others)
    counted = Counter(pair for pair in pairs if pair[0] != pair[1])
    return {pair: counted[pair] for pair in sorted(counted, key=lambda pair: [FOLDERS.index(name) for name in pair])}


def rows_of(folders: list[str], edges: Edges) -> dict[str, int]:
    """The row of each folder, counted from the bottom: as high as its importers allow, to keep arrows short."""
    low: dict[str, int] = {}
    for folder in folders:
        low[folder] = 1 + max((low[other] for one, other in edges if one == folder), default=-1)
    rows: dict[str, int] = {}
    for folder in reversed(folders):
        rows[folder] = min((rows[one] - 1 for one, other in edges if other == folder), default=low[folder])
    return rows


def is_implied(pair: tuple[str, str], edges: Edges) -> bool:
    """Whether other imports already lead from the one to the other."""
    start, end = pair
    waiting, seen = [other for one, other in edges if one == start and other != end], set()
    while waiting:
        folder = waiting.pop()
        if folder == end:
            return True
        if folder not in seen:
            seen.add(folder)
            waiting += [other for one, other in edges if one == folder]
    return False


def passes(pair: tuple[str, str], rows: dict[str, int]) -> list[str]:
    """The folder, a bend in each row between, and the other folder."""
    start, end = pair
    return [start, *(f"{start} {end} {row}" for row in range(rows[start] - 1, rows[end], -1)), end]


def arrange(rows: dict[str, int], paths: dict[tuple[str, str], list[str]]) -> dict[str, Place]:
    """The place of everything, with few crossings: rows are sorted by the mean of their neighbours' places.

    Sugiyama, Tagawa and Toda 1981: sweeps up and down, of which the best one counts.
    """
    everywhere = dict(rows) | {name: int(name.split()[2]) for path in paths.values() for name in path[1:-1]}
    lines = [line for path in paths.values() for line in pairwise(path)]
    near: dict[str, list[str]] = {name: [] for name in everywhere}
    for one, other in lines:
        near[one].append(other)
        near[other].append(one)
    top = max(everywhere.values())
    found: list[dict[str, float]] = []
    for names in (list(everywhere), list(reversed(everywhere))):
        levels = [[name for name in names if everywhere[name] == level] for level in range(top + 1)]
        x = {name: centre for level in levels for name, centre in spread(level).items()}
        for turn in range(16):
            for level in levels if turn % 2 else reversed(levels):
                level.sort(key=lambda name: sum(x[other] for other in near[name] or [name]) / len(near[name] or [name]))
                x |= spread(level)
            found.append(dict(x))
    best = min(found, key=lambda x: (crossings(lines, x, everywhere), length(lines, x)))
    return {name: Place(best[name], MARGIN + (top - row) * ROW) for name, row in everywhere.items()}


def crossings(lines: list[tuple[str, str]], x: dict[str, float], rows: dict[str, int]) -> int:
    """How many pairs of lines between the same two rows cross."""
    return sum(rows[a] == rows[c] and (x[a] - x[c]) * (x[b] - x[d]) < 0 for (a, b), (c, d) in combinations(lines, 2))


def length(lines: list[tuple[str, str]], x: dict[str, float]) -> float:
    return sum(abs(x[one] - x[other]) for one, other in lines)


def spread(level: list[str]) -> dict[str, float]:
    """The centres of what stands in a row, evenly; a bend takes less room than a box."""
    widths = [BOX[0] if " " not in name else 34 for name in level]
    gap = (WIDTH - sum(widths)) / (len(level) + 1)
    centres, at = {}, 0.0
    for name, width in zip(level, widths, strict=True):
        at += gap
        centres[name] = at + width / 2
        at += width
    return centres


def arrow(path: list[Place], count: int) -> str:
    """A line from a box down to another, past the bends between, as thick as it has imports, with their number."""
    first, last = path[0], path[-1]
    points = [(first.x, first.y + BOX[1])]
    for place in path[1:-1]:
        points += [(place.x, place.y), (place.x, place.y + BOX[1])]
    points.append((last.x, last.y - 7))
    line = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 == x1:
            line += f" L{x1:.0f} {y1:.0f}"
        else:
            half = (y0 + y1) / 2
            line += f" C{x0:.0f} {half:.0f} {x1:.0f} {half:.0f} {x1:.0f} {y1:.0f}"
    width = 1.2 + min(count, 40) / 12
    (x0, y0), (x1, y1) = points[-2:]
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return (
        f'<path d="{line}" fill="none" stroke="{LINE}" stroke-width="{width:.1f}" marker-end="url(#head)"/>'
        f'<rect x="{x - 13:.0f}" y="{y - 9:.0f}" width="26" height="18" rx="9" fill="#f6f7f9" stroke="{LINE}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" class="small middle">{count}</text>'
    )


def box(folder: str, phrase: str, also: list[str], place: Place) -> str:
    """A folder: its name, how many modules it has, what it is, and the imports that no arrow shows."""
    group = next((name for name, members in GROUPS.items() if folder in members), "both")
    modules = sum(module.split(".")[0] == folder for module in MODULES)
    left, top = place.x - BOX[0] / 2, place.y
    parts = [
        f'<rect x="{left:.0f}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="6" fill="{FILLS[group]}"/>',
        f'<text x="{left + 10:.0f}" y="{top + 21}" class="name">{folder}/</text>',
        f'<text x="{left + BOX[0] - 10:.0f}" y="{top + 21}" class="small end">{modules} modules</text>',
    ]
    lines = [("phrase", line) for line in textwrap.wrap(phrase.replace("`", ""), LINE_LENGTH - 2)]
    if also:
        lines += [("small", line) for line in textwrap.wrap(f"also {', '.join(also)}", LINE_LENGTH)]
    for number, (kind, line) in enumerate(lines):
        y = top + 40 + 16 * number
        parts.append(f'<text x="{left + 10:.0f}" y="{y}" class="{kind}">{escape(line)}</text>')
    return "".join(parts)


def base_box(edges: Edges, phrases: dict[str, str], top: float) -> str:
    """The wide box at the bottom: how many imports lead to each of its files."""
    height = 72
    column = (WIDTH - 2 * MARGIN) / len(BASE)
    lines = [
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="6" fill="{FILLS["both"]}"/>'
    ]
    for number, name in enumerate(BASE):
        count = sum(count for (_, other), count in edges.items() if other == name)
        x = MARGIN + 10 + number * column
        lines += [
            f'<text x="{x:.0f}" y="{top + 21}" class="name">{name}.py</text>',
            f'<text x="{x:.0f}" y="{top + 40}" class="phrase">{escape(phrases[name])}</text>',
            f'<text x="{x:.0f}" y="{top + 60}" class="small">imported {count} times</text>',
        ]
    return "".join(lines)


def legend(top: float) -> str:
    """What the colours mean."""
    parts = []
    for number, (group, text) in enumerate(LEGEND.items()):
        x, width = MARGIN + number * 230, len(text) * 6.6 + 16
        parts += [
            f'<rect x="{x}" y="{top - 12}" width="{width:.0f}" height="20" rx="4" fill="{FILLS[group]}"/>',
            f'<text x="{x + 8}" y="{top + 2}" class="small">{text}</text>',
        ]
    return "".join(parts)


def svg(parts: list[str], height: float) -> str:
    """The file: parts, styles, and a title that screen readers say."""
    title = "The folders of course/ in rows; each imports only from those below it. Numbers count the imports."
    style = (
        f"text{{font-family:system-ui,sans-serif;fill:{INK}}} .name{{font-size:15px;font-weight:600}} "
        f".phrase{{font-size:12.5px}} .small{{font-size:11.5px;fill:{FAINT}}} "
        ".middle{text-anchor:middle} .end{text-anchor:end}"
    )
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker>'
    )
    body = "\n".join(parts)
    return (
        f"<!-- Drawn by python -m tests.draw_architecture from the imports in course/; don't edit. -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n<defs>{head}</defs>\n{body}\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
