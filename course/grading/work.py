"""What is handed to other processes and machines, as plain data. Without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from course.judging.dependencies import Plan

TRIES = 3  # of work that failed on our side


@dataclass(frozen=True)
class Attempt:
    """One exercise of a notebook: the answer's cell, and what is executed for it. Not attempted: an empty plan."""

    exercise: str
    points: float = 0.0
    source: str = ""
    plan: Plan = field(default_factory=Plan)
    problem: str = ""  # what keeps it from running, a syntax error say
    lacks: str = ""  # the Python that it needs, where this one is too old
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a notebook holds. `problem` says why it holds nothing that can be graded, now or, `lasting`, ever."""

    notebook: str = ""
    attempts: tuple[Attempt, ...] = ()
    problem: str = ""
    lasting: bool = False


@dataclass(frozen=True)
class Settings:
    """What a worker must know, as plain data that travels to other machines. The secret stays outside the sandbox."""

    secret: str
    level: str = "sandbox"
    hidden: tuple[tuple[str, str], ...] = ()  # (file name, source) of each file of hidden judges
    canary: tuple[tuple[str, bytes], ...] = ()  # (number, notebook) of each reference solution
    private: tuple[str, ...] = field(default=())  # folders that the sandbox must not show
