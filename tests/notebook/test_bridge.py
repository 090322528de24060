"""Forms reach the kernel that showed them, and what is stored of them is plain HTML."""

import sys
import types

import pytest

from course.notebook import bridge
from course.notebook.bridge import Page

FORM = Page("<form><fieldset disabled></fieldset></form>", "a form", is_form=True)


class Display:
    """Stands for IPython's display handle: what is shown last, and how often it changed."""

    shown: list[dict]

    def __init__(self):
        self.shown = []
        HANDLES.append(self)

    def display(self, data, *, raw):
        self.shown.append(data)

    update = display


HANDLES: list[Display] = []


@pytest.fixture(autouse=True)
def notebook(monkeypatch):
    """A kernel that has shown no form yet."""
    HANDLES.clear()
    bridge._forms.cache_clear()
    monkeypatch.setattr("IPython.display.DisplayHandle", Display)
    yield
    bridge._forms.cache_clear()


def submit(values, handle=-1):
    """What the page sends for a form."""
    html = HANDLES[handle].shown[0]["text/html"]
    key = html.split('data-course-form="')[1].split('"')[0]
    return bridge._forms()._submit({"form": key, "values": values})


def test_the_answer_takes_the_forms_place_and_holds_nothing_live():
    bridge.show_form(FORM, lambda values: Page(f"<b>{values['x']}</b>", "answered"))
    assert submit({"x": "1"}) == "<b>1</b>"
    first, last = HANDLES[0].shown
    assert "data-course-token" in first["text/html"]
    assert last == {"text/html": "<b>1</b>", "text/plain": "answered"}


def test_a_form_that_asks_again_stays_connected_and_an_answered_one_says_so():
    pages = [FORM, Page("<b>done</b>", "done")]
    bridge.show_form(FORM, lambda values: pages.pop(0), move_on=True)
    assert "data-course-form" in submit({}) and "data-course-move-on" in HANDLES[0].shown[1]["text/html"]
    assert submit({}) == "<b>done</b>"
    assert "answered before" in submit({})


def test_forms_of_one_kernel_share_a_token_and_have_keys_of_their_own():
    for text in ("one", "two"):
        bridge.show_form(FORM, lambda values, text=text: Page(text, text))
    assert submit({}, 0) == "one" and submit({}, 1) == "two"
    tokens = {handle.shown[0]["text/html"].split('data-course-token="')[1].split('"')[0] for handle in HANDLES}
    assert len(tokens) == 1


def test_an_answer_that_breaks_is_reported_in_its_place_and_escaped():
    def breaks(values):
        raise ValueError("<b>no</b>")

    bridge.show_form(FORM, breaks)
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in submit({})
    assert "run this cell again" in HANDLES[0].shown[-1]["text/html"]


def test_without_anywidget_a_form_is_shown_as_it_is_stored(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    bridge.show_form(FORM, lambda values: FORM)
    assert "<fieldset disabled>" in HANDLES[0].shown[0]["text/html"]


def test_in_colab_the_form_calls_the_kernel_from_its_own_output(monkeypatch):
    callbacks = {}
    output = types.ModuleType("google.colab.output")
    output.register_callback = callbacks.__setitem__
    package = types.ModuleType("google.colab")
    package.output = output
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    bridge.show_form(FORM, lambda values: Page("<b>yes</b>", "yes"))
    html = HANDLES[0].shown[0]["text/html"]
    assert "google.colab.kernel.invokeFunction" in html and "accessAllowed" in html
    key = html.split('data-course-form="')[1].split('"')[0]
    assert callbacks["course.submit"]({"form": key, "values": {}}).data == {"html": "<b>yes</b>"}
    assert HANDLES[0].shown[-1] == {"text/html": "<b>yes</b>", "text/plain": "yes"}
