"""The causes of a failure that a diagnosis may name, by identifier: the one list of them.

Identifiers are what programs compare: broken layers are named by one of them, and a verdict lists
those of its likely causes. Sentences are for readers, and carry the numbers of the case.
"""

from __future__ import annotations

from dataclasses import dataclass

CAUSES = {
    # Filters, in themselves or against their documentation
    "amplitude": "filters of the scales have gains of their own, or another power of σ",
    "axes": "the axes of scales and channels are confused",
    "digits": "numbers went through a type of fewer digits",
    "extent": "an output scale sums over more input scales than declared",
    "functions": "the functions of a filter have factors or weights of their own at each scale",
    "gain": "all answers have the same wrong factor",
    "mirrored": "filters are mirrored left to right",
    "neighbours": "other input scales are read than the documented ones",
    "nonlinear": "the answers are those of no fixed filters",
    "normalised": "each scale, or each function of it, is normalised by itself",
    "one_kernel": "one kernel is used at all scales",
    "order": "scales are in another order",
    "polynomials": "physicists' in place of probabilists' Hermite polynomials",
    "ratio": "the filters are of other widths than the scales say",
    "resized": "filters of one scale are those of another, resized as images",
    "rotated": "filters are turned by 90°",
    "shape": "the filters differ in shape, by none of the simple mistakes",
    "shift": "filters are off centre",
    "sign": "filters are of opposite sign",
    "subsampled": "pixels are dropped before the filters",
    "support": "supports are not in proportion to the scales",
    "transposed": "rows and columns are exchanged",
    "turned": "filters are turned by 180°: a convolution for a correlation",
    "unshared": "weights are not shared over scales",
    "upside_down": "filters are turned upside down",
    "widths": "relative widths of the functions are not used",
    # Bias
    "bias": "the bias is another than the documented one",
    "bias_missing": "the bias is not added",
    "bias_per_scale": "the bias differs from scale to scale",
    "bias_scaled": "the bias is added with a factor",
    # What stands in place of the maximum over scales
    "projection_axis": "a maximum over another axis than that of scales",
    "projection_beside": "the scale beside the largest response",
    "projection_magnitude": "the largest magnitude in place of the largest response",
    "projection_mean": "the mean, sum or minimum over scales",
    "projection_one_scale": "one scale for the whole image",
}


@dataclass(frozen=True)
class Cause:
    """What would explain a difference: its identifier, and how much it explains.

    name: one of `CAUSES`, or the name of the check whose failure says it all.
    says: the sentence; share: from 0 to 1, where it was fitted.
    """

    name: str
    says: str
    share: float | None = None

    def __str__(self) -> str:
        if self.share is None:
            return self.says
        return f"{self.says} (explains {100 * self.share:.0f} % of the difference)"
