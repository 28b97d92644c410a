"""What a real layer adds to the budget of its filters: image border, scale axis and precision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import budget as budget_plot
from reports.readers.budgets import Budget, Layer, LayerPair
from reports.writing.markdown import bullets, code, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, percent, plural, share

TITLE_OF_FIGURE = (
    "What a layer loses at each pair of scales, on images of its network's size (σ in pixels)"
)
EXPLANATION = (
    "Inside a network three further sources of error appear. *Image border*: pixels outside the "
    "image count as zero. *End of the scale axis*: a scale convolution over more than one scale "
    "has no input above the largest. *Precision*: numbers are rounded. Here a layer with random "
    "coefficients is run in float32 on images of the network's size with its padding and measured "
    "at all positions whose rescaled position lies inside the image. The parts add up to the "
    "measured error as vectors; their squared norms are shown."
)


def write(published: Sequence[Budget]) -> Section:
    """Findings, figure and table; empty without a measurement."""
    layers = [(item.name, item.layer) for item in published if item.layer is not None]
    if not layers:
        return Section("")
    return section(
        "### In the network",
        EXPLANATION,
        bullets(findings(layers)),
        picture(
            "budget_layer",
            "Equivariance error of a layer of each published configuration by pair of scales, with "
            "sampling, truncation, image border, end of the scale axis and rounding",
            "Equivariance error of a layer on an image of its network's size, and its parts. "
            "Rounding in float32 is far below what is shown. Open triangle: smaller than shown.",
            partial(budget_plot.draw, budget_plot.of_layers(layers), TITLE_OF_FIGURE),
        ),
        _table(layers),
    )


def findings(layers: Sequence[tuple[str, Layer]]) -> list[str]:
    """Say in words which part is the largest, and what the smallest ones come to."""
    pairs = [(name, pair) for name, layer in layers for pair in layer.pairs]
    return [text for make in (_border, _ends, _precision) if (text := make(pairs))]


Pairs = Sequence[tuple[str, LayerPair]]


def _border(pairs: Pairs) -> str:
    border = [pair for _, pair in pairs if pair.limited_by == "border"]
    name, worst = max(pairs, key=lambda entry: entry[1].parts["border"])
    return (
        "Inside a network the image border is the largest part of the error in "
        f"{len(border)} of {plural(len(pairs), 'pair')}, and comes to "
        f"{percent(worst.parts['border'])} at most ({code(name)}, {worst.name})."
    )


def _ends(pairs: Pairs) -> str:
    cut = [(name, pair) for name, pair in pairs if pair.parts["scale_axis"] > 0]
    if not cut:
        return "No layer sums over several scales, so that the end of the scale axis costs nothing."
    name, worst = max(cut, key=lambda entry: entry[1].parts["scale_axis"])
    return (
        f"The end of the scale axis matters in {plural(len(cut), 'pair')} only, where a layer sums "
        "over several scales, but there it is the largest part: "
        f"{percent(worst.parts['scale_axis'])} ({code(name)}, {worst.name})."
        if worst.limited_by == "scale_axis"
        else f"The end of the scale axis costs {percent(worst.parts['scale_axis'])} at most "
        f"({code(name)}, {worst.name})."
    )


def _precision(pairs: Pairs) -> str:
    float32 = max(pair.parts["precision"] for _, pair in pairs)
    bfloat16 = max(pair.bfloat16 for _, pair in pairs)
    least = min(pair.total for _, pair in pairs)
    return (
        f"Rounding costs {percent(float32)} at most in float32 and {percent(bfloat16)} in "
        f"bfloat16, where the smallest error of all is {percent(least)}."
    )


def _table(layers: Sequence[tuple[str, Layer]]) -> str:
    rows = []
    for name, layer in layers:
        what = "lifting" if layer.scale_extent == 0 else f"scale extent {layer.scale_extent}"
        first = f"{code(name)}, {what}, image {layer.image_size} px, padding {layer.padding} px"
        for number, pair in enumerate(layer.pairs):
            shown = ("sampling", "truncation", "border", "scale_axis")
            rows.append(
                [
                    first if number == 0 else "",
                    pair.name,
                    share(pair.total),
                    *(share(pair.parts[part]) if pair.parts[part] else NOTHING for part in shown),
                    pair.limited_by.replace("_", " "),
                ]
            )
    header = (
        "Configuration | Scales, px | Error, %: | Sampling, %: | Truncation, %: | Border, %: "
        "| Scale axis, %: | Limited by"
    )
    return table(header, rows)
