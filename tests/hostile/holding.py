"""What must hold after an attack: its own score, everybody else's, and everything around it."""

from __future__ import annotations

import time

from course.judging.exercise import exercises_of
from tests.hostile.attacks import TIMEOUT, Attack
from tests.hostile.trial import REACHED, Machine, as_bytes, brief, full_marks, is_known, notebook, unharmed

NEXT = "02-list-trainable"
LONGEST_S = 120.0  # for one attacked exercise: what never ends takes longer, a busy machine does not


def wrongs(machine: Machine, attack: Attack, *, thorough: bool = True) -> list[str]:
    """What went wrong, a line each; none if the attack was held off.

    Thorough: every other exercise of its notebook and of the next learner's. Otherwise one of the next learner's, and
    one other of its notebook where the attack is not in the answer alone.
    """
    others = [exercise.id for exercise in exercises_of("02") if exercise.id != attack.exercise]
    if not thorough:
        others = others[:1] if attack.before or attack.after or not attack.spares_the_rest else []
    content = as_bytes(notebook({attack.exercise: attack.source}, before=attack.before, after=attack.after))
    before, started, sandbox = machine.surroundings(), time.monotonic(), machine.machine._sandbox.pid
    grade = machine.grade(content, attack.exercise)[attack.exercise]
    if grade.status == TIMEOUT and TIMEOUT not in attack.statuses:  # the machine was busy, or else it is so again
        grade = machine.grade(content, attack.exercise)[attack.exercise]
    found = []
    if (seconds := time.monotonic() - started) > LONGEST_S:
        found.append(f"it took {seconds:.0f} s")
    if grade.score != 0 or grade.status not in attack.statuses:
        found.append(f"it got {brief(grade)}; 0 and {' or '.join(attack.statuses)} were expected")
    text = repr((grade.failure, grade.printed, grade.outcomes))
    if REACHED in text.replace(repr(attack.source), ""):
        found.append(f"it reached what it must not: {brief(grade)}")
    if attack.says not in text:
        found.append(f"it did not come as far as saying {attack.says!r}: {brief(grade)}")
    grades = machine.grade(content, *others) if others else {}
    if attack.spares_the_rest:
        found += [
            f"{name} of the same notebook: {brief(other)}" for name, other in grades.items() if not full_marks(other)
        ]
    found += [f"{name}: {brief(other)}" for name, other in grades.items() if not is_known(other)]
    found += [f"it shows the secret of the {name}" for name in machine.leaks(grade, *grades.values())]
    found += unharmed(machine, *((attack.exercise, *others) if thorough else (NEXT,)))
    after = machine.surroundings()
    found += [f"{path} was changed" for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    if machine.machine._sandbox.pid != sandbox:
        found.append("the sandbox had to be started again")
    elif len(running := machine.processes()) > machine.running:
        found.append(f"processes live on: {[line[:200] for line in running.values()]}")
    return found
