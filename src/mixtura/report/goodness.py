"""How well a mixture fits as a figure: quantiles beside their law. Loads Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from mixtura.inference.goodness import BAND, ComponentQQ
from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import BARS, INK, QUIET, quiet

MOST_PANELS = 12
AXES = {
    "normal": ("normal quantile", "(x - mean) / deviation"),
    "chi2": ("chi-squared quantile", "squared Mahalanobis distance"),
}


def draw(components: Sequence[ComponentQQ], uniform: Array | None, heading: str) -> Figure:
    """One panel for each component; before them, with one column, that of the whole mixture.

    uniform is (n,), in order: P(X <= x) of the rows. Raises ValueError where there is nothing to
    draw.
    """
    if not components:
        raise ValueError("there are no quantiles to draw: only Gaussian components have them")
    shown = components[: MOST_PANELS - (uniform is not None)]
    panels = len(shown) + (uniform is not None)
    across = min(panels, 4 if panels > 6 else 3)
    down = math.ceil(panels / across)
    figure = blank(max(3.0 * across + 0.4, 7.4), 3.0 * down + 0.8)
    axes = list(figure.subplots(down, across, squeeze=False).ravel())
    for ax in axes[panels:]:
        ax.set_axis_off()
    if uniform is not None:
        _whole(axes.pop(0), uniform)
    shades = colours(1 + max(each.component for each in components))
    for ax, each in zip(axes, shown, strict=False):
        _panel(ax, each, shades[each.component])
    notes = [f"On the line: as the mixture says. Band: {100 * BAND:g}% of its own draws, each."]
    if len(shown) < len(components):
        notes.append(f"{len(shown)} of {len(components)} components.")
    headed(figure, heading, notes)
    return figure


def _panel(ax: Axes, each: ComponentQQ, colour: str) -> None:
    quiet(ax, 8, 5)
    ax.fill_between(each.expected, each.low, each.high, color=BARS, lw=0, zorder=1)
    ends = [each.expected[0], each.expected[-1]]
    ax.plot(ends, ends, color=QUIET, lw=1.0, zorder=2)
    ax.plot(each.expected, each.observed, ls="", marker="o", ms=3, mec="none", mfc=colour, zorder=3)
    _named(ax, f"component {each.component}, {counted(round(each.rows), 'row')}", *AXES[each.law])


def _whole(ax: Axes, uniform: Array) -> None:
    quiet(ax, 8, 5)
    n = len(uniform)
    levels = (np.arange(n) + 0.5) / n
    law = beta(n * levels + 0.5, n * (1 - levels) + 0.5)
    low, high = law.ppf(0.5 - BAND / 2), law.ppf(0.5 + BAND / 2)
    ax.fill_between(levels, low, high, color=BARS, lw=0, zorder=1)
    ax.plot([0, 1], [0, 1], color=QUIET, lw=1.0, zorder=2)
    ax.plot(levels, uniform, color=INK, lw=1.4, zorder=3)
    _named(ax, "the whole mixture", "share of the rows", "P(X ≤ x)")


def _named(ax: Axes, title: str, across: str, up: str) -> None:
    style = {**LABEL, "fontsize": 8.5, "labelpad": 4}
    ax.set_title(title, fontsize=9.5, color=INK, loc="left")
    ax.set_xlabel(across, **style)
    ax.set_ylabel(up, **style)
