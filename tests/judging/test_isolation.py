"""Nobody types while an answer is checked, and whatever asked for input before asks again afterwards."""

import builtins
import getpass
import sys

import pytest

from course.errors import NobodyTypes
from course.judging.isolation import nobody_types
from tests.live_notebook import live_kernel

ID = "02-freeze-backbone"


def test_input_is_refused_inside_and_as_before_outside_also_after_an_error():
    before = builtins.input, getpass.getpass, sys.stdin
    with pytest.raises(NobodyTypes, match="called input"), nobody_types():
        input()
    assert (builtins.input, getpass.getpass, sys.stdin) == before


def test_in_a_kernel_that_may_ask_an_answer_that_does_gets_a_card_and_the_next_cell_may_ask_again():
    with live_kernel() as page:
        page.run("from course import check\nask = input\nfrom getpass import getpass as secret")
        for call in ("input()", "ask('number? ')", "secret()"):
            received = page.run(f'def freeze(module):\n    return {call}\ncheck("{ID}")')
            (card,) = [message["data"] for message in received if message["type"] == "display_data"]
            assert "your code called input()" in card["text/html"]
            assert "which waits for somebody to type; take the value as an argument" in card["text/plain"]
        assert not page.was_asked()
        page.run("typed = ask('name? ')", answer="Ada")
        assert page.was_asked()
        assert "Ada" in str(page.run("print(typed)"))
