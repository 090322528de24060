"""Right answers keep full marks, however odd they look."""

import pytest

from tests.hostile.honest import ODDITIES, losses
from tests.hostile.trial import Machine, needs_a_sandbox

pytestmark = needs_a_sandbox


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("honest"))
    yield machine
    machine.close()


# One oddity of each kind is in the fast tier.
KINDS = {
    "saved by another program": "saved by Colab: no ids, no metadata of ours, sources as lists",
    "an older format": "saved as nbformat 3",
    "cells in disorder": "an exercise's cell split in two",
    "an encoding": "UTF-16",
    "magics": "magics, shell lines, errors and experiments around",
    "noise": "prints, of many lines",
    "what other cells define": "helpers, imports and constants in other cells, behind it too",
    "newer syntax": "a walrus, a match statement and an f-string",
    "files": "files in its own folder, its home and a temporary one",
    "processes and threads": "a thread, a subprocess of Python and a pool of threads",
    "settings of torch": "torch's default dtype set at the top",
    "another kind of callable": "functools.partial",
    "what only a kernel has": "display",
    "magics around and within": "%%time above, and a line that begins with %",
    "prompts and indentation": "prompts of IPython",
    "built in steps": "a global name, bound two calls deep",
    "bound again below": "names that are bound again below",
    "a library that only annotates": "an annotation of a library that is not there",
}


def oddities():
    names = {oddity.name for oddity in ODDITIES}
    assert len(names) == len(ODDITIES) and set(KINDS.values()) <= names
    marks = dict.fromkeys(KINDS.values(), ())
    return [pytest.param(one, id=one.name, marks=marks.get(one.name, pytest.mark.slow)) for one in ODDITIES]


@pytest.mark.parametrize("oddity", oddities())
def test_a_right_answer_keeps_full_marks(machine, oddity):
    assert losses(machine, oddity, thorough=False) == []
