"""A picture with controls as HTML of its own: no kernel is needed, so a saved notebook reopens as it was."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from PIL import Image

# The ring has 3:1 on white and on black; text has the page's own colour.
STYLE = """<style>
.course-viewer {font: 14px/1.5 var(--jp-ui-font-family, system-ui, sans-serif);
 color: var(--jp-content-font-color1, var(--vscode-foreground, inherit))}
.course-viewer p, .course-viewer form {display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: center;
 margin: 4px 0}
.course-viewer label {display: inline-flex; gap: 8px; align-items: center}
.course-viewer input {accent-color: #0072b2; margin: 0}
.course-viewer input[type=range] {width: 240px}
.course-viewer :focus-visible {outline: 3px solid #0072b2; outline-offset: 3px; border-radius: 3px}
.course-viewer .layers {position: relative; line-height: 0}
.course-viewer .layers img {width: 100%; margin: 0; max-width: none}
.course-viewer .layers > * > *, .course-viewer .layers > * + * {position: absolute; inset: 0; width: 100%; height: 100%}
.course-viewer .pictures {display: flex; flex-wrap: wrap; gap: 8px}
</style>"""


def page(static: str, live: str, script: str) -> str:
    """HTML that is `static` where no scripts run, as in a notebook that isn't trusted; `live` everywhere else.

    `script` is JavaScript that gets the element around `live` as `root`.
    """
    # In a script, so that nothing of it is left where scripts are removed. The page may hold the script's text itself.
    content = json.dumps(STYLE + live).replace("<", "\\u003c")
    return (
        f'<div class="course-viewer">{static}</div><script>(() => {{'
        'const root = document.currentScript.parentNode.querySelector(".course-viewer:not([data-ready])");'
        f'root.dataset.ready = "true"; root.innerHTML = {content};\n'
        # JupyterLab's shortcuts would take the arrow keys, unless the element in focus has its own switch for that.
        'for (const input of root.querySelectorAll("input")) input.dataset.lmSuppressShortcuts = "true";'
        f"{script}}})()</script>"
    )


def png_address(pixels: np.ndarray) -> str:
    """(H, W, 3 or 4) uint8 as the `src` of an <img>."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
