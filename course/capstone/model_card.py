"""The model card of a hand-in: Markdown with five sections that its author must fill in; it is displayed escaped.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

MAX_CARD = 64 * 2**10  # bytes
MIN_SECTION_LENGTH = 30  # characters
TITLES = {
    "purpose": "What it is for",
    "data": "What it was trained on",
    "results": "How well it works",
    "limits": "Where it fails",
    "licences": "Licences",
}


@dataclass(frozen=True)
class ModelCard:
    """What a reader must know before using a model, a few sentences each; `TITLES` has the headings.

    `results` contains a measured figure with its interval; `limits` the pictures that the model gets wrong.
    """

    purpose: str = ""
    data: str = ""
    results: str = ""
    limits: str = ""
    licences: str = ""

    def gaps(self) -> list[str]:
        """One line for each section that is too short; none for a complete card."""
        texts = {name: " ".join(text.split()) for name, text in asdict(self).items()}
        lines = [
            f'"{TITLES[name]}" has {len(text)} characters; write a sentence or two, {MIN_SECTION_LENGTH} at least'
            for name, text in texts.items()
            if len(text) < MIN_SECTION_LENGTH
        ]
        if not lines and len(set(texts.values())) < len(texts):
            lines.append("several sections have the same text; each answers another question")
        if not lines and not re.search(r"\d", texts["results"]):
            lines.append(
                f'"{TITLES["results"]}" contains no figure; write the accuracy that you measured, and on which data'
            )
        return lines

    def markdown(self, title: str, facts: Mapping[str, str]) -> str:
        """The card as the text of a file; `facts` are lines that are generated, such as the architecture."""
        lines = [f"# {title}", "", *(f"- {name}: {fact}" for name, fact in facts.items()), ""]
        for name, text in asdict(self).items():
            lines += [f"## {TITLES[name]}", "", text.strip(), ""]
        return "\n".join(lines)


def read_card(text: str) -> ModelCard:
    """The sections of a card, whatever else it contains; missing ones are empty."""
    names = {_normalised(title): name for name, title in TITLES.items()}
    found: dict[str, list[str]] = {field.name: [] for field in fields(ModelCard)}
    section: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            section = found.get(names.get(_normalised(line), ""))
        elif section is not None:
            section.append(line)
    return ModelCard(**{name: "\n".join(lines).strip() for name, lines in found.items()})


def _normalised(title: str) -> str:
    return " ".join(title.strip("# :*_\t").lower().split())
