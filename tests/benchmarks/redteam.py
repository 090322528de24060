"""How many attacks on the grader get through: wrong answers that score, leak, harm others or go on."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.benchmarks import Figure
from tests.hostile.attacks import all_attacks
from tests.hostile.holding import wrongs
from tests.hostile.trial import Machine

FEWEST = 60


def measure() -> Figure:
    attacks = all_attacks()
    started, through = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), limit_s=1.0)
        try:
            for attack in attacks:
                if wrong := wrongs(machine, attack):
                    through.append(f"{attack.name}: {'; '.join(wrong)}"[:1000])
        finally:
            machine.close()
    if len(attacks) < FEWEST:
        raise SystemExit(f"redteam: only {len(attacks)} attacks were tried, {FEWEST} at least are needed")
    notes = (*through, f"redteam: {len(attacks)} attacks tried in {time.monotonic() - started:.0f} s")
    return Figure(len(through), "attacks got through", "0", notes)
