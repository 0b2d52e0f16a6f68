"""A search over mixtures as a figure: the criterion against the number of groups. Loads Matplotlib.

What is drawn is the distance from the best, linear near it and logarithmic far away: structures
that do not fit at all would otherwise flatten all that matters. Those that come nearest are in
colour, the others in grey.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mixtura.records import Array
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET, quiet
from mixtura.report.selection_text import BEST, LABELS, Selection

GREY = "#C4C4C4"
# Up to so many numbers of groups each has its tick.
TICKS = 15


def draw(selection: Selection) -> Figure:
    """Curves of the criterion over the number of groups, a line for each structure.

    Raises ValueError where no cell has a value.
    """
    order = selection.order()
    if not order:
        raise ValueError("there is nothing to draw: no mixture was found")
    best = selection.values[order[0]]
    worse = np.abs(selection.values - best)
    figure = blank(8.4, 4.8)
    ax = figure.subplots()
    quiet(ax, 9, 6)
    # In the order of each structure's own best.
    ranked = list(dict.fromkeys(i for i, _ in order))
    shades = dict(zip(ranked, colours(min(BEST, len(ranked))), strict=False))
    for place, i in reversed(list(enumerate(ranked))):
        colour = shades.get(i, GREY)
        ax.plot(
            selection.components,
            worse[i],
            color=colour,
            lw=2.2 if place == 0 else 1.4 if i in shades else 0.9,
            marker="o",
            ms=4 if i in shades else 2.5,
            zorder=4 + BEST - place if i in shades else 2,
            label=selection.names[i] if i in shades else None,
        )
    i, j = order[0]
    ax.plot(
        [selection.components[j]], [0.0], marker="o", ms=11, mfc="none", mec=shades[i], mew=1.8,
        zorder=12, clip_on=False,
    )  # fmt: skip
    _scale(ax, selection, worse)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc="outside right center", fontsize=9, frameon=False,
        labelcolor=INK, title="best first", title_fontsize=9, alignment="left",
    ).get_title().set_color(QUIET)  # fmt: skip
    heading = (
        f"{selection.names[i]} with {selection.components[j]} groups is best by "
        + (LABELS[selection.criterion])
    )
    headed(figure, heading, [_note(selection, len(ranked) > len(shades))])
    return figure


def _scale(ax: Axes, selection: Selection, worse: Array) -> None:
    """Linear up to the distance of the fifth best cell, logarithmic beyond."""
    steps = np.sort(worse[worse > 0])
    near = float(steps[min(BEST, len(steps)) - 1]) if len(steps) else 1.0
    ax.set_yscale("asinh", linear_width=near)
    far = float(steps[-1]) if len(steps) else 1.0
    ax.set_ylim(-0.25 * near, 1.15 * far)
    ticks = [0.0] + [
        m * 10.0**e for e in range(-4, 7) for m in (1, 3) if near / 4 < m * 10.0**e < far
    ]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ks = selection.components
    ax.set_xlim(ks[0] - 0.4, ks[-1] + 0.4)
    few = len(ks) <= TICKS
    ax.xaxis.set_major_locator(FixedLocator(ks) if few else MaxNLocator(10, integer=True))
    ax.set_xlabel("number of groups", **LABEL)
    side = "below" if selection.larger else "above"
    ax.set_ylabel(f"{LABELS[selection.criterion]} {side} the best", **LABEL)


def _note(selection: Selection, greys: bool) -> str:
    one, several = selection.noun
    said = [f"A line for each {one}; the ring is the best of all."]
    if greys:
        said.append(f"Grey: the other {several}.")
    if selection.pruned.any():
        said.append(f"Lines end where a {one} was left out: two numbers running were worse.")
    return " ".join(said)
