"""A form in an output of Colab, whose page is stood in for by one with Colab's `google.colab.kernel`."""

import sys
import types

import pytest

from course.notebook import bridge, question_pages
from course.notebook.bridge import Page
from tests.browser.jupyterlab import CHROMIUM, DRIVER, browser, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"),
]

COLAB = """<!doctype html><script>
window.sent = [];
window.google = {colab: {kernel: {accessAllowed: %s, invokeFunction: async (name, args) => {
  sent.push([name, ...args]);
  return {data: {'application/json': {html: '<b id="answered">recorded</b>'}}};
}}}};
</script><body>%s</body>"""


@pytest.fixture
def form(monkeypatch):
    """The HTML of a question as Colab gets it."""
    shown = []
    package, output = types.ModuleType("google.colab"), types.ModuleType("google.colab.output")
    output.register_callback = lambda name, function: None
    package.output = output
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    handle = types.SimpleNamespace(display=lambda data, raw: shown.append(data["text/html"]))
    monkeypatch.setattr("IPython.display.DisplayHandle", lambda: handle)
    bridge._forms.cache_clear()
    page = question_pages.form("Recall", "Which?", ["this", "that"], call='quiz("02-x"', button="Answer", name="x")
    bridge.show_form(Page(page, "Which?", is_form=True), lambda values: Page("", ""))
    yield shown[0]
    bridge._forms.cache_clear()


@pytest.mark.parametrize("is_alive", [True, False])
def test_an_answer_reaches_the_kernel_and_a_saved_page_without_one_says_what_to_do(form, is_alive, tmp_path):
    path = tmp_path / "colab.html"
    path.write_text(COLAB % ("true" if is_alive else "false", form), encoding="utf-8")
    with browser() as driver:
        driver.get(path.as_uri())
        if not is_alive:
            assert driver.find_element("css selector", ".offline").is_displayed()
            assert driver.find_elements("css selector", "button") == []
            return
        wait(lambda: driver.find_element("css selector", "button").is_displayed(), "the form is connected")
        driver.find_elements("css selector", "input")[1].click()
        driver.find_element("css selector", "button").click()
        wait(lambda: driver.find_element("css selector", "#answered"), "the answer is shown")
        ((name, message),) = driver.execute_script("return window.sent")
        assert name == "course.submit" and message["values"] == {"x": "1"}
