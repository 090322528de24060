"""One session with a small notebook: questions, a picture, a wrong answer, a hint; saved, closed and opened again."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.authoring import METADATA, setup_source
from tests.browser.jupyterlab import CHROMIUM, DRIVER, Notebook, browser, server, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"),
]

WRONG = "# exercise: 02-freeze-backbone\ndef freeze(module):\n    module.requires_grad = False"
CELLS = {
    "parameters": 'PROFILE = "quick"\nSEED = 0',
    "setup": setup_source(),
    "question": 'predict("00-names")',
    "picture": (
        "from course.notebook.plots import Chart, show\nchart = Chart(3, 2, '')\nchart.subplots().plot([1, 2])\n"
        "show(chart, alt='A line from 1 to 2.')"
    ),
    "outcome": 'reveal("00-names", 0.17)',
    "exercise": WRONG,
    "check": 'check("02-freeze-backbone")',
    "recall": 'quiz("00-recall-words")',
    "unanswered": 'predict("00-contract")',
    "last": "progress()",
}
NUMBER = {name: index for index, name in enumerate(CELLS)}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """The page after each cell was run and answered, and what was noted on the way."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("notebooks")
    cells = [new_code_cell(source) for source in CELLS.values()]
    nbformat.write(new_notebook(cells=[*cells, new_markdown_cell("The end.")], metadata=METADATA), folder / "one.ipynb")
    with server(folder, home) as address, browser() as driver:
        yield address, driver, folder, _work_through(Notebook(driver, address, "one.ipynb"))


def _work_through(page):
    noted = {}
    page.select(0)
    for _ in range(NUMBER["question"] + 1):
        page.run()
    wait(lambda: page.find(".course-connected"), "the form is connected")
    page.find("fieldset input")[0].click()
    page.press("\ue015")  # arrow down
    noted["checked"] = page.driver.execute_script("return document.querySelector('fieldset input:checked').value")
    noted["active in the form"] = page.active
    noted["ring"] = page.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    noted["legend"] = page.find("fieldset legend")[0].text
    page.press("\ue007")  # Enter submits a form, and the focus moves on
    wait(lambda: "Your prediction" in page.output(NUMBER["question"]), "the prediction is recorded")
    wait(lambda: page.active == NUMBER["picture"], "the next cell is active")
    for _ in ("picture", "outcome", "exercise", "check"):
        page.run()
    wait(lambda: page.output_area(NUMBER["check"]).find_element("css selector", "button").is_displayed(), "a button")
    page.output_area(NUMBER["check"]).find_element("css selector", "button").click()
    wait(lambda: "Hint 1 of" in page.output(NUMBER["check"]), "the hint is shown")
    page.select(NUMBER["recall"])
    page.run()
    wait(lambda: page.output_area(NUMBER["recall"]).find_elements("css selector", ".course-connected"), "connected")
    page.output_area(NUMBER["recall"]).find_elements("css selector", "input")[2].click()
    page.output_area(NUMBER["recall"]).find_element("css selector", "button").click()
    wait(lambda: "Right." in page.output(NUMBER["recall"]), "the answer is explained")
    for _ in ("unanswered", "last"):
        page.run()
    page.save()
    return noted


def test_arrow_keys_choose_an_option_and_stay_inside_the_form(session):
    noted = session[3]
    assert (noted["checked"], noted["active in the form"]) == ("1", NUMBER["question"])
    assert noted["ring"] == "solid" and noted["legend"].startswith("Predict before you run")


def test_alt_text_reaches_the_page(session):
    _, driver, _, _ = session
    alts = driver.execute_script("return [...document.querySelectorAll('.jp-Notebook img')].map(image => image.alt)")
    assert "A line from 1 to 2." in alts


def test_progress_is_a_table_whose_columns_have_names(session):
    _, driver, _, _ = session
    assert driver.execute_script("return document.querySelectorAll('.jp-Notebook table th[scope]').length") > 3


def test_what_is_saved_holds_no_widget(session):
    _, _, folder, _ = session
    notebook = nbformat.read(folder / "one.ipynb", as_version=4)
    kinds = {kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert kinds == {"text/html", "text/plain"} and "widgets" not in notebook.metadata


def test_reopened_it_shows_the_same_answers_and_nothing_is_broken(session, tmp_path):
    _, _, folder, _ = session
    # Another home folder, as on another computer: JupyterLab doesn't trust the notebook there.
    with server(folder, tmp_path) as address, browser() as driver:
        page = Notebook(driver, address, "one.ipynb")
        # JupyterLab draws a cell's output after the cell, on a busy machine a while after.
        wait(lambda: "Your prediction: B." in page.output(NUMBER["question"]), "the prediction is shown")
        wait(lambda: "Right." in page.output(NUMBER["recall"]), "the last answer is shown")
        wait(lambda: "To answer, run this cell again" in page.output(NUMBER["unanswered"]), "the form says what to do")
        assert page.broken() == []
        assert "You predicted: B." in page.output(NUMBER["outcome"])
        assert "Hint 1 of" in page.output(NUMBER["check"])
        assert page.find(".course-card button, .course-question button") == []
