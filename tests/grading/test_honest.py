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


def test_there_are_at_least_thirty_oddities():
    assert len({oddity.name for oddity in ODDITIES}) == len(ODDITIES) >= 30


@pytest.mark.parametrize("oddity", ODDITIES, ids=[oddity.name for oddity in ODDITIES])
def test_a_right_answer_keeps_full_marks(machine, oddity):
    assert losses(machine, oddity, thorough=False) == []
