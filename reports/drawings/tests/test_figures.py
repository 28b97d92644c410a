"""Figures as files: valid, readable, and the same wherever they are drawn."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from reports.document.report import FIGURE_NAMES, Report
from reports.drawings import budget as budget_plot
from reports.drawings import results as plots
from reports.readers.budgets import budget
from reports.tests.synthetic import budgets
from reports.writing.figures import percent_axis, render
from reports.writing.wording import configuration


def _axes(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2], [1e-5, 0.3], label="σ → ∞")
    axes.set_title("a title")
    percent_axis(axes, "y")


def _larger(figure: Figure) -> None:
    figure.set_size_inches(8, 6)
    _axes(figure)


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_files_are_valid_and_say_nothing_of_the_clock(full: Report, name: str) -> None:
    svg = full.files[f"figures/{name}.svg"]
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<dc:date>" not in svg
    assert b"Matplotlib" not in svg
    with Image.open(io.BytesIO(full.files[f"figures/{name}.png"])) as image:
        image.load()
        assert image.format == "PNG"
        assert 800 <= image.width <= 2000
        assert "Software" not in image.info
        colours = image.convert("RGB").getcolors(maxcolors=2**24)
        assert colours is not None
        assert len(colours) > 20


def test_the_machines_own_settings_have_no_effect() -> None:
    with mpl.rc_context({"font.size": 30.0, "lines.linewidth": 9.0, "svg.hashsalt": "other"}):
        loud = render("x", _axes)
        assert mpl.rcParams["font.size"] == 30.0
    assert loud == render("x", _axes)
    assert loud != render("x", _larger)


def test_the_font_is_the_one_that_matplotlib_brings() -> None:
    font = font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    assert Path(font).is_relative_to(mpl.get_data_path())


def test_a_logarithmic_axis_is_numbered_in_percent() -> None:
    figure = Figure()
    axes = figure.subplots()
    percent_axis(axes, "x")
    axes.set_xlim(1e-6, 2.0)
    texts = [axes.xaxis.get_major_formatter()(10.0**power) for power in range(-6, 1)]
    assert texts == ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100"]


def test_a_budget_shows_every_pair_and_nothing_twice() -> None:
    groups = budget_plot.of_filters([budget(record) for record in budgets()[:4]])
    figure = Figure()
    budget_plot.draw(groups, "title", figure)
    shown = [row for group in groups for row in group.rows]
    labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert sorted(labels) == sorted(row.name for row in shown)
    names = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert names == [configuration(group.name) for group in groups]
    lines = [line for axes in figure.axes for line in axes.lines]
    assert len(lines) == sum(1 + len(row.values) for row in shown)  # the range, and all values


def test_methods_are_told_apart_by_colour_and_shape() -> None:
    looks = [(colour, marker) for colour, marker, _ in plots.STYLES.values()]
    assert len(set(looks)) == len(looks)
    assert len({marker for _, marker, _ in plots.STYLES.values()}) == len(looks)
