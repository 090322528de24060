"""How many right answers lose marks because they look odd."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.benchmarks import Figure
from tests.hostile.honest import ODDITIES, losses
from tests.hostile.trial import Machine

FEWEST = 120


def measure() -> Figure:
    started, lost = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        try:
            for oddity in ODDITIES:
                if found := losses(machine, oddity, thorough=False):
                    lost.append(f"{oddity.name}: {'; '.join(found)}"[:1000])
        finally:
            machine.close()
    if len(ODDITIES) < FEWEST:
        raise SystemExit(f"honest: only {len(ODDITIES)} notebooks were tried, {FEWEST} at least are needed")
    notes = (*lost, f"honest: {len(ODDITIES)} right notebooks tried in {time.monotonic() - started:.0f} s")
    return Figure(len(lost), "right notebooks lost marks", "0", notes)
