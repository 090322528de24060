"""A picture of your own, uploaded or taken with the camera, and what a predictor predicts for it."""

from __future__ import annotations

import base64
import html
import io

from PIL import Image

from course.applications.predictor import Predictor
from course.data.picture_files import open_picture
from course.errors import CourseError
from course.legible import one_line
from course.notebook import bridge
from course.notebook.question_pages import NEUTRAL, WRONG, callout
from course.runtime import can_answer, environment

SHOWN_CLASSES = 5  # the most likely ones, with a bar each
THUMBNAIL_SIZE = 224  # pixels
_PLAIN = "border: 0; margin: 0; padding: 4px 0"
STATIC = "Run this cell in Jupyter or Colab to upload a picture, or to take one with the camera."
PHONES = "On a phone or a tablet the button offers the camera too. With a laptop's, take a picture and upload its file."
COLAB = "For the camera, run <code>try_out(predictor, camera=True)</code> in a cell of its own."

# What google.colab runs in the browser: the camera's picture as a data address, or the reason why there is none.
_CAMERA = """(async () => {
  const [box, video, button] = ['div', 'video', 'button'].map(kind => document.createElement(kind));
  button.textContent = 'Take the picture';
  box.append(video, document.createElement('br'), button);
  document.body.appendChild(box);
  try {
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
    video.srcObject = stream;
    video.style.maxWidth = '480px';
    await video.play();
    google.colab.output.setIframeHeight(document.documentElement.scrollHeight, true);
    await new Promise(resolve => button.onclick = resolve);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    stream.getTracks().forEach(track => track.stop());
    return canvas.toDataURL('image/jpeg', 0.9);
  } catch (error) { return 'error: ' + error.message; } finally { box.remove(); }
})()"""


def try_out(predictor: Predictor, *, camera: bool = False) -> None:
    """Show a button for uploading a picture, and below it the prediction: the label, and one bar per class.

    With `camera`, Colab asks for a picture from the camera at once. Elsewhere, use the button: a phone or a tablet
    offers its camera there. Pictures stay in this kernel's memory. When nobody watches (see `runtime.is_live`), one
    line says what would be shown.
    """
    if not can_answer():
        print(STATIC)
    elif camera and environment() == "Colab":
        _show_html(describe_camera(predictor))
    else:
        bridge.show_form(upload_page(), lambda values: answer_upload(predictor, values))


def upload_page(answer: str = "") -> bridge.Page:
    """The form that takes a picture, with the answer to the last one below it."""
    note = COLAB if environment() == "Colab" else PHONES
    form = (
        f'<form data-course-submit="change"><fieldset disabled style="{_PLAIN}"><label>Upload a picture: '
        '<input type="file" name="picture" accept="image/*"></label></fieldset>'
        f'<p class="offline">To upload a picture, run this cell again.</p></form><small>{note}</small>'
    )
    return bridge.Page(form + answer, STATIC, is_form=True)


def answer_upload(predictor: Predictor, values: bridge.Values) -> bridge.Page:
    """The form again, with the prediction for the picture that was chosen."""
    file = values.get("picture") or {}
    if not isinstance(file, dict) or not file.get("name"):  # the choice of a file was cancelled
        return upload_page()
    return upload_page(describe(predictor, file["name"], base64.b64decode(file["data"])))


def describe_camera(predictor: Predictor) -> str:
    """HTML: the prediction for a picture that Colab's camera takes now."""
    try:
        return describe(predictor, "the camera's picture", take_picture())
    except CourseError as error:
        return callout(WRONG, html.escape(str(error)))


def take_picture() -> bytes:
    """The bytes of a JPEG file from the camera, in Colab only; CourseError without a camera or permission."""
    from google.colab import output  # installed in Colab only

    address = str(output.eval_js(_CAMERA))
    if not address.startswith("data:image/jpeg;base64,"):
        raise CourseError(f"the camera gave no picture ({address[:200]}); allow it in the browser, or upload a picture")
    return base64.b64decode(address.partition(",")[2])


def describe(predictor: Predictor, name: str, content: bytes) -> str:
    """HTML: the picture, its label and one bar per class; or the reason why it can't be read."""
    name = one_line(name)
    try:
        picture = open_picture(io.BytesIO(content))
        predicted = predictor.predict([picture])
    except CourseError as error:
        return callout(WRONG, html.escape(str(error).replace("this file", name, 1)))
    probabilities = dict(zip(predictor.classes, predicted.probabilities[0].tolist(), strict=True))
    return callout(NEUTRAL, _thumbnail(picture, name) + bars(probabilities))


def bars(probabilities: dict[str, float]) -> str:
    """The most likely classes as HTML, each with its probability as a number and as a bar."""
    likely = sorted(probabilities, key=lambda name: -probabilities[name])[:SHOWN_CLASSES]
    rows = [f"<b>{html.escape(likely[0])}</b>"]
    for name in likely:
        percent = 100 * probabilities[name]
        bar = f'<div style="background: {NEUTRAL}; width: {percent:.1f}%; min-width: 1px; height: 0.8em"></div>'
        rows.append(
            f'<div role="img" aria-label="{html.escape(name)}: {percent:.0f} percent" '
            'style="display: flex; align-items: center; gap: 8px">'
            f'<span style="width: 9em">{html.escape(name)}</span><span style="width: 3em; text-align: right">'
            f'{percent:.0f} %</span><div style="flex: 1">{bar}</div></div>'
        )
    return "".join(rows)


def _show_html(page: str) -> None:
    from IPython.display import HTML, display

    display(HTML(page))


def _thumbnail(picture: Image.Image, name: str) -> str:
    small = picture.copy()
    small.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(name)}" src="data:image/jpeg;base64,{data}" style="display: block; margin: 4px 0">'
