"""Forms in a notebook's output that reach the kernel, and leave nothing live in the saved notebook.

A form is plain HTML, so what is stored is plain HTML too: reopened, it says which cell to run, and nothing in it is
broken. One widget without a view connects all forms of a kernel to it (bridge.js); where there is none, as in a front
end without anywidget's extension, a form stays as it is stored. Colab calls the kernel from the form's own output.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from course.runtime import environment

Values = dict[str, Any]
_CALLBACK = "course.submit"


@dataclass(frozen=True)
class Page:
    """What is shown: HTML, the same as plain text, and whether it holds a form for another answer."""

    html: str
    text: str
    is_form: bool = False


def show_page(html: str, text: str) -> None:
    """Show HTML in the notebook; `text` stands for it elsewhere."""
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)


def show_form(page: Page, on_submit: Callable[[Values], Page], *, move_on: bool = False) -> None:
    """Show a form; the page that `on_submit` returns for its values takes its place.

    The values are texts by the names of the form's fields; a file is a dict with its "name" and its "data" in base64.
    Elements with the class `offline` are shown only while no kernel is connected; a fieldset is disabled until one is,
    and an empty <span data-course-button="Answer"> gets its button then. With `move_on` the next cell is selected after
    the answer, as after Shift+Enter.
    """
    from IPython.display import DisplayHandle

    forms, key = _forms(), uuid.uuid4().hex
    show = _Shown(DisplayHandle(), forms, key, on_submit, move_on)
    forms.shown[key] = show
    show.display(page)


@dataclass
class _Shown:
    """A form that was displayed, and what is done with its values."""

    handle: Any
    forms: _Forms
    key: str
    on_submit: Callable[[Values], Page]
    move_on: bool

    def display(self, page: Page) -> None:
        self.handle.display(self._data(page), raw=True)

    def submit(self, values: Values) -> Page:
        page = self.on_submit(values)
        self.handle.update(self._data(page), raw=True)
        if not page.is_form:
            del self.forms.shown[self.key]
        return page

    def _data(self, page: Page) -> dict[str, str]:
        return {"text/html": self.forms.connected(page, self.key, self.move_on), "text/plain": page.text}


class _Forms:
    """The forms of this kernel, by key. Their `token` tells them from those that another kernel left in the page."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self.shown: dict[str, _Shown] = {}
        self.in_colab = environment() == "Colab"
        if self.in_colab:
            from google.colab import output

            output.register_callback(_CALLBACK, self._called)
        else:
            self.widget = _widget(self.token, self._received)

    def connected(self, page: Page, key: str, move_on: bool) -> str:
        """The page's HTML; a form with what connects it to this kernel."""
        if not page.is_form:
            return page.html
        moves = " data-course-move-on" if move_on else ""
        attributes = f'data-course-token="{self.token}" data-course-form="{key}"{moves}'
        html = f"<div {attributes}>{page.html}</div>"
        return html + self._script() if self.in_colab else html

    def _script(self) -> str:
        """What connects a form in Colab, where each output is a page of its own."""
        return (
            f'<script type="module">{_javascript()}\n'
            "if (google.colab.kernel.accessAllowed) {\n"
            f"  const forms = connectForms({json.dumps(self.token)}, async (message) => {{\n"
            f"    const call = google.colab.kernel.invokeFunction({json.dumps(_CALLBACK)}, [message], {{}});\n"
            "    const page = (await call).data['application/json'];\n"
            "    document.querySelector(`[data-course-form='${message.form}']`).outerHTML = page.html;\n"
            "    forms.answered(message.form);\n"
            "  });\n"
            "}</script>"
        )

    def _received(self, widget: Any, message: Any, buffers: Any) -> None:
        self._submit(message)
        widget.send({"form": message["form"]})

    def _called(self, message: Any) -> Any:
        from IPython.display import JSON

        return JSON({"html": self._submit(message)})

    def _submit(self, message: Any) -> str:
        """The HTML that takes the form's place: of what was submitted, or of why it could not be."""
        shown = self.shown.get(message["form"])
        if shown is None:
            return "<div>This was answered before: run the cell again.</div>"
        try:
            page = shown.submit(message["values"])
        except Exception as error:
            page = Page(f"<div>{escape(f'{type(error).__name__}: {error}')}; run this cell again.</div>", str(error))
            shown.handle.update({"text/html": page.html, "text/plain": page.text}, raw=True)
        return self.connected(page, shown.key, shown.move_on)


@functools.cache
def _forms() -> _Forms:
    return _Forms()


def _widget(token: str, on_message: Callable[[Any, Any, Any], None]) -> Any:
    """A widget without a view, whose front end connects the forms with this token; None without anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class Bridge(anywidget.AnyWidget):
        _esm = _javascript()
        token = traitlets.Unicode().tag(sync=True)

    bridge = Bridge(token=token)
    bridge.on_msg(on_message)
    return bridge


def _javascript() -> str:
    return importlib.resources.files(__package__).joinpath("bridge.js").read_text(encoding="utf-8")
