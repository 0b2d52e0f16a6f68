"""Merges of components as a figure: how the entropy falls. Loads Matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mixtura.inference.merging import Elbow
from mixtura.records import AnyArray, Array
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET, quiet


def draw(entropies: Array, merged_rows: Array, elbows: tuple[Elbow | None, Elbow | None]) -> Figure:
    """Entropy against the number of groups from 1 on, and against the rows merged from 0 on.

    entropies is (K,), for 1 to K groups; merged_rows (K,), for K to 1 groups. Raises ValueError
    where K is 1.
    """
    K = len(entropies)
    if K < 2:
        raise ValueError("there is nothing to draw: one component cannot be merged")
    figure = blank(9.0, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    numbers = np.arange(1.0, K + 1)
    _panel(left, numbers, entropies, elbows[0], np.arange(1, K + 1))
    _panel(right, merged_rows, entropies[::-1], elbows[1], np.arange(K, 0, -1))
    left.set_xlabel("number of groups", **LABEL)
    left.set_ylabel("entropy (nats)", **LABEL)
    left.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    right.set_xlabel("rows merged so far", **LABEL)
    made = counted(K, "component")
    found = "" if elbows[0] is None else f": an elbow at {counted(elbows[0].at + 1, 'group')}"
    notes = ["How unclear it is which group rows belong to, while components are merged."]
    if elbows[0] is not None:
        notes.append("Lines: the best two pieces. Filled: where they meet. Numbers: of groups.")
    headed(figure, f"{made} merged{found}", notes)
    return figure


def _panel(ax: Axes, x: Array, y: Array, bend: Elbow | None, numbers: AnyArray) -> None:
    quiet(ax, 9, 6)
    colour = colours(1)[0]
    if bend is not None:
        for where, line in zip((x[: bend.at + 1], x[bend.at :]), bend.fitted, strict=True):
            ax.plot(where, line, color=QUIET, lw=1.2, zorder=2)
    filled = np.arange(len(x)) == (-1 if bend is None else bend.at)
    for chosen, face in ((~filled, "white"), (filled, colour)):
        ax.plot(
            x[chosen], y[chosen], ls="", marker="o", ms=7, mfc=face, mec=colour, mew=1.6, zorder=3
        )
    for number, at, value in zip(numbers, x, y, strict=True):
        ax.annotate(
            str(number), (at, value), (0, 7), textcoords="offset points", ha="center",
            fontsize=8, color=INK,
        )  # fmt: skip
    ax.margins(x=0.06, y=0.12)
