"""Forms after a restart of the kernel, a file that is uploaded, and the same in Notebook 7."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.authoring import METADATA
from tests.browser.jupyterlab import CHROMIUM, DRIVER, Notebook, browser, server, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"),
]

UPLOAD = """\
from course.notebook.bridge import Page, show_form
form = '<form data-course-submit="change"><fieldset disabled><input type="file" name="file"></fieldset></form>'
show_form(Page(form, "a form", is_form=True), lambda values: Page(f"<b>got {values['file']['name']}</b>", "got it"))"""
CELLS = ["from course import predict, quiz", "predict('00-names')", UPLOAD, "1 + 1"]
SETUP, QUESTION, FILE, LAST = range(4)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "notebooks"
    path.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata=METADATA), path / "one.ipynb")
    return path


def run_question(page):
    page.select(SETUP)
    for _ in (SETUP, QUESTION):
        page.run()
    wait(lambda: page.find(".course-connected"), "the form is connected")


def answer(page):
    page.find("fieldset input")[1].click()
    page.find(".course-question button")[0].click()
    wait(lambda: "Your prediction: B." in page.output(QUESTION), "the prediction is recorded")


def test_after_a_restart_of_the_kernel_a_form_says_what_to_do_and_works_again(folder, tmp_path):
    with server(folder, tmp_path) as address, browser() as driver:
        page = Notebook(driver, address, "one.ipynb")
        run_question(page)
        page.menu("Kernel", "Restart Kernel…")
        buttons = ".jp-Dialog button.jp-mod-accept"
        wait(lambda: not driver.find_element("css selector", buttons).click(), "the restart is confirmed")
        wait(lambda: "To answer, run this cell again" in page.output(QUESTION), "the form says what to do")
        assert page.find(".course-question button") == []
        run_question(page)
        answer(page)


@pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
def test_a_question_and_a_file_reach_the_kernel_in_jupyterlab_and_in_notebook_7(folder, tmp_path, app):
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"a picture")
    with server(folder, tmp_path) as address, browser() as driver:
        page = Notebook(driver, address, "one.ipynb", app=app)
        run_question(page)
        answer(page)
        assert page.active == FILE
        page.run()
        wait(lambda: page.find("input[type=file]")[0].is_enabled(), "the form is connected")
        page.find("input[type=file]")[0].send_keys(str(picture))
        wait(lambda: "got cat.png" in page.output(FILE), "the file has arrived")
