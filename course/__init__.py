"""Pretrained models, learned by doing. Names load on first use: importing the course imports no torch."""

from __future__ import annotations

import importlib
from typing import Any

# name -> the module that holds it
_HOME = {
    "setup": "runtime",
    "fit": "training",
    "train_one_epoch": "training",
    "evaluate": "training",
    "History": "training",
    "compare": "experiments",
    "load_backbone": "models",
    "find_head": "models",
    "replace_head": "models",
    "freeze": "models",
    "unfreeze": "models",
    "param_groups": "models",
    "extract_features": "features",
    "check": "judging",
    "hint": "judging",
    "progress": "judging",
    "predict": "widgets",
    "quiz": "widgets",
    "reveal": "widgets",
    "claim": "claims",
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'course' has no attribute {name!r}")
    return getattr(importlib.import_module(f"course.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
