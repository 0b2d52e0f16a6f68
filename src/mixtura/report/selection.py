"""A search over mixtures as a figure: the criterion against the number of groups. Loads Matplotlib.

The structures that come nearest to the best are drawn in colour, the others in grey.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from mixtura.records import Array
from mixtura.report.figures import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET, quiet
from mixtura.report.selection_text import BEST, LABELS, Selection

GREY = "#C4C4C4"
# Up to so many numbers of groups each has its tick.
TICKS = 15
# Of the distance from the best to the worst value that many are kept in sight.
IN_SIGHT = 0.75


def draw(selection: Selection) -> Figure:
    """Curves of the criterion over the number of groups, a line for each structure.

    Raises ValueError where no cell has a value.
    """
    order = selection.order()
    if not order:
        raise ValueError("there is nothing to draw: no mixture was found")
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
            selection.values[i],
            color=colour,
            lw=2.2 if place == 0 else 1.4 if i in shades else 0.9,
            marker="o",
            ms=4 if i in shades else 2.5,
            zorder=4 + BEST - place if i in shades else 2,
            label=selection.names[i] if i in shades else None,
        )
    _mark_best(ax, selection, shades)
    _limits(ax, selection)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc="outside right center", fontsize=9, frameon=False,
        labelcolor=INK, title="best first", title_fontsize=9, alignment="left",
    ).get_title().set_color(QUIET)  # fmt: skip
    i, j = order[0]
    heading = (
        f"{selection.names[i]} with {selection.components[j]} groups is best by "
        + (LABELS[selection.criterion])
    )
    headed(figure, heading, [_note(selection, len(ranked) > len(shades))])
    return figure


def _mark_best(ax: Axes, selection: Selection, shades: dict[int, str]) -> None:
    i, j = selection.order()[0]
    ax.plot(
        [selection.components[j]],
        [selection.values[i, j]],
        marker="o",
        ms=11,
        mfc="none",
        mec=shades[i],
        mew=1.8,
        zorder=12,
    )


def _limits(ax: Axes, selection: Selection) -> None:
    """The interesting end in sight: the far worse values would flatten it."""
    known: Array = selection.values[~np.isnan(selection.values)]
    worse = -known if selection.larger else known
    best, edge = float(worse.min()), float(np.quantile(worse, IN_SIGHT))
    room = 0.06 * (edge - best) or 1.0
    low, high = best - room, edge + room
    ax.set_ylim((-high, -low) if selection.larger else (low, high))
    ks = selection.components
    ax.set_xlim(ks[0] - 0.4, ks[-1] + 0.4)
    locator = FixedLocator(ks) if len(ks) <= TICKS else MaxNLocator(10, integer=True)
    ax.xaxis.set_major_locator(locator)
    ax.set_xlabel("number of groups", **LABEL)
    ax.set_ylabel(selection.label, **LABEL)


def _note(selection: Selection, greys: bool) -> str:
    said = ["A line for each covariance structure; the ring is the best of all."]
    if greys:
        said.append("Grey: the other structures.")
    if selection.pruned.any():
        said.append("Lines end where a structure was left out: two numbers running were worse.")
    if len(selection.values.flat) > 4:
        said.append("Far worse values lie outside.")
    return " ".join(said)
