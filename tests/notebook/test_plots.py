import base64
import io
import math
import re
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from PIL import Image

from course.notebook import plots

HISTORY = SimpleNamespace(
    rows=[
        {"epoch": n, "train_loss": 2 / n, "val_loss": None if n == 2 else 3 / n, "train_accuracy": 0.1 * n}
        for n in (1, 2, 3)
    ]
)
COMPARISON = SimpleNamespace(
    rows=[
        {"setting": setting, "seed": seed, "accuracy": mean + 0.1 * seed, "seconds": 1.0}
        for setting, mean in (("probe", 0.5), ("LP-FT", 0.6))
        for seed in (0, 1, 2)
    ]
)


def picture(chart):
    return Image.open(io.BytesIO(plots.to_png(chart)))


def test_history_draws_what_was_measured_and_leaves_out_what_was_not():
    loss, accuracy = plots.plot_history(HISTORY).axes
    training, validation = loss.lines
    np.testing.assert_allclose(training.get_ydata(), [2, 1, 2 / 3])
    np.testing.assert_array_equal(validation.get_xdata(), [1, 3])
    assert [line.get_label() for line in accuracy.lines] == ["training"]


def test_history_without_accuracy_is_one_panel():
    chart = plots.plot_history(SimpleNamespace(rows=[{"epoch": 1, "train_loss": 1.0}]))
    assert [axes.get_title(loc="left") for axes in chart.axes] == ["loss"]


@pytest.mark.parametrize("draw", [plots.plot_history, plots.plot_comparison])
def test_nothing_to_draw_is_said(draw):
    with pytest.raises(ValueError, match="no row with"):
        draw(SimpleNamespace(rows=[]))


def test_comparison_draws_every_seed_and_the_t_interval_of_the_mean():
    (axes,) = plots.plot_comparison(COMPARISON).axes
    dots = [collection.get_offsets()[:, 0] for collection in axes.collections if len(collection.get_offsets()) == 3]
    np.testing.assert_allclose(dots[0], [0.5, 0.6, 0.7])
    mean, (low_cap, high_cap), _ = axes.containers[0].lines
    half = 4.302653 * 0.1 / math.sqrt(3)  # t(0.975, 2 degrees of freedom), from a printed table
    drawn = [float(line.get_xdata()[0]) for line in (mean, low_cap, high_cap)]
    assert drawn == pytest.approx([0.6, 0.6 - half, 0.6 + half], rel=1e-6)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["probe", "LP-FT"]


def test_comparison_of_one_seed_has_no_interval():
    (axes,) = plots.plot_comparison(SimpleNamespace(rows=COMPARISON.rows[:1])).axes
    assert axes.containers[0].has_xerr is False


def test_comparison_draws_the_metric_asked_for_and_names_the_others():
    assert plots.plot_comparison(COMPARISON, metric="seconds").axes[0].get_xlabel() == "seconds"
    with pytest.raises(ValueError, match="accuracy, seconds"):
        plots.plot_comparison(COMPARISON, metric="acuracy")


def test_curves_have_a_band_of_their_half_width():
    x = [3, 5, 10, 15]
    (axes,) = plots.plot_curves(
        x, {"scratch": ([1, 2, 3, 4], [0.5] * 4), "reference": ([1, 1, 1, 1], None)}, "n", "y"
    ).axes
    assert len(axes.lines) == 2
    (band,) = axes.collections
    assert band.get_paths()[0].get_extents().ymin == 0.5
    assert band.get_paths()[0].get_extents().ymax == 4.5
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["scratch", "reference"]


def test_lines_are_told_apart_without_their_colours():
    looks = [plots._line_style(i) for i in range(6)]
    for key in ("color", "marker", "linestyle"):
        assert len({str(look[key]) for look in looks}) == 6, key


def test_pictures_keep_their_pixels_whatever_they_come_as():
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[..., 0] = 255
    tensor = torch.tensor(red).permute(2, 0, 1) / 255
    grey = Image.new("L", (6, 4), 77)
    chart = plots.show_pictures(
        [Image.fromarray(red), tensor, red, grey, tensor[:1] * 2 - 0.5], list("abcde"), columns=2
    )
    shown = [axes.images[0].get_array() for axes in chart.axes if axes.images]
    assert len(shown) == 5
    for pixels in shown[:3]:
        np.testing.assert_array_equal(pixels, red)
    assert shown[3].shape == (4, 6, 3) and (shown[3] == 77).all()
    assert (shown[4] == 255).all(), "what lies outside [0, 1] is cut off"
    assert [axes.get_title() for axes in chart.axes[:5]] == list("abcde")


@pytest.mark.parametrize(
    "images, titles, message",
    [
        ([], None, "no pictures"),
        ([torch.zeros(3, 2, 2)], ["a", "b"], "1 pictures but 2 titles"),
        ([torch.zeros(2, 3, 4, 4)], None, r"\(2, 3, 4, 4\)"),
        ([torch.zeros(5, 4, 4)], None, r"\(5, 4, 4\)"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape(images, titles, message):
    with pytest.raises(ValueError, match=message):
        plots.show_pictures(images, titles)


def test_a_figure_is_not_blank_and_the_same_bytes_each_time():
    first, second = plots.plot_history(HISTORY), plots.plot_history(HISTORY)
    assert plots.to_png(first) == plots.to_png(second)
    low, high = picture(first).convert("L").getextrema()
    assert (low < 80) and high == 255


def test_a_sheet_of_many_colours_stays_small_enough_for_a_notebook():
    generator = torch.Generator().manual_seed(0)
    photographs = torch.rand(12, 3, 12, 12, generator=generator)
    smooth = torch.nn.functional.interpolate(photographs, size=96, mode="bicubic").clamp(0, 1)
    png = plots.to_png(plots.show_pictures(smooth))
    assert Image.open(io.BytesIO(png)).mode == "P", "many colours, so a palette"
    assert len(png) < 120_000


def test_a_thin_line_keeps_its_colour_among_many_colours():
    noise = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, size=200, mode="bicubic").clamp(0, 1)
    sheet = plots.show_pictures(smooth)
    sheet.axes[0].plot([20, 40], [20, 20], color=plots.COLOURS[0], linewidth=3)
    shown = picture(sheet)
    assert shown.mode == "P", "many colours, so a palette"
    wanted = tuple(bytes.fromhex(plots.COLOURS[0][1:]))
    assert wanted in {colour for _, colour in shown.convert("RGB").getcolors(256)}


def test_global_style_and_pyplots_figures_stay_as_they_are():
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    plots.to_png(plots.plot_comparison(COMPARISON))
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == figures


def test_show_outside_a_notebook_prints_the_alt_text_alone(capfd):
    plots.show(plots.plot_history(HISTORY), alt="Loss falls.")
    assert capfd.readouterr() == ("Loss falls.\n", "")


def test_show_closes_a_figure_of_pyplot_and_wants_its_description():
    figure = plt.figure()
    with pytest.raises(ValueError, match="alt="):
        plots.show(figure)
    plots.show(figure, alt="Nothing yet.")
    assert not plt.fignum_exists(figure.number)


def test_in_a_notebook_a_figure_appears_once_with_its_alt_text():
    source = """
import matplotlib.pyplot as plt
from course.notebook import plots
figure, axes = plt.subplots()
axes.plot([1, 2])
plots.show(figure, alt="A line.")
plots.show(plots.plot_curves([1, 2], {"a": ([1, 2], None)}, "x", "y"), alt="A curve.")
plots.plot_curves([1, 2], {"a": ([1, 2], None)}, "x", "y")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    nbformat.validate(notebook)
    outputs = notebook.cells[0].outputs
    alts = ["A line.", "A curve.", "Line chart: y by x for a."]
    assert [output.data["text/plain"] for output in outputs] == [f"Picture: {alt}" for alt in alts]
    found = [
        re.match('<img alt="([^"]*)" .*src="data:image/png;base64,([^"]*)">', o.data["text/html"]) for o in outputs
    ]
    assert [image[1] for image in found] == alts
    assert all(base64.b64decode(image[2]).startswith(b"\x89PNG") for image in found)
