"""A mixture over its data, each column in axes of its own, whatever kind it is of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixtura.families.portrait import Kind
from mixtura.report import kinds, panels
from mixtura.report.frame import LABEL, blank, headed, legend
from mixtura.report.panels import Points
from mixtura.report.view import MixtureView, wrapped

# Width and height of axes in inches, where there are one, two, and more in a row.
SIZES = ((6.6, 4.2), (4.2, 3.4), (3.5, 2.9))
SCALES: dict[Kind, str] = {
    "density": "density",
    "counts": "share of rows",
    "levels": "share",
    "share": "share",
    "circle": "density",
}
# Kinds drawn as lines over a histogram.
LINES: frozenset[Kind] = frozenset({"density", "counts", "circle"})


def each_column(view: MixtureView, points: Points, heading: str, columns: Sequence[int]) -> Figure:
    """These columns, side by side; those that are one share each in common axes."""
    shown = list(_together(view, columns))
    across = len(shown) if len(shown) < 4 else 2 if len(shown) == 4 else 3
    down = math.ceil(len(shown) / across)
    width, height = SIZES[min(across, len(SIZES)) - 1]
    figure = blank(1.4 + across * width, 1.0 + down * height)
    if len(columns) < len(view.names):
        heading += f" (the {len(columns)} of {len(view.names)} in which groups differ most)"
    for place, (kind, own) in enumerate(shown):
        ax = figure.add_subplot(down, across, place + 1)
        panels.quiet(ax, 8, 5)
        _draw(ax, view, points, kind, own)
    headed(figure, heading, list(_notes(view, shown)))
    legend(figure, view, "outside right upper")
    return figure


def _notes(view: MixtureView, shown: Sequence[tuple[Kind, list[int]]]) -> Iterator[str]:
    """What the marks mean."""
    met = {kind for kind, _ in shown}
    if met & LINES:
        whole = ", dashed that of the whole mixture" if len(view.weights) > 1 else ""
        told = any(view.column(own[0]).curve for kind, own in shown if kind in LINES)
        lines = f"; lines: what each group adds{whole}" if told else ""
        yield f"Grey bars: the rows{lines}."
    if met - LINES:
        yield "Wide grey bars: all rows; coloured ones: within each group."
    if any(len(view.column(own[0]).levels) > kinds.MOST_LEVELS for _, own in shown):
        yield f"Of many categories the {kinds.MOST_LEVELS} likeliest."
    if "circle" in met:
        yield "Angles in radians."


def _together(view: MixtureView, columns: Sequence[int]) -> Iterator[tuple[Kind, list[int]]]:
    """(kind, columns) of each axes."""
    kinds_of = {j: view.column(j).kind for j in columns}
    of_shares = [j for j in columns if kinds_of[j] == "share"]
    for j in columns:
        if kinds_of[j] != "share":
            yield kinds_of[j], [j]
        elif j == of_shares[0]:
            yield "share", of_shares


def _draw(ax: Axes, view: MixtureView, points: Points, kind: Kind, columns: list[int]) -> None:
    label = {**LABEL, "fontsize": 9, "labelpad": 4}
    ax.set_ylabel(SCALES[kind], **label)
    if kind == "share":
        kinds.shares(ax, view, points, columns)
        return
    j = columns[0]
    one = {
        "density": panels.histogram,
        "counts": kinds.counts,
        "levels": kinds.levels,
        "circle": kinds.circle,
    }[kind]
    one(ax, view, points, j)
    if ax.get_xscale() == "log":
        ax.set_ylabel("density of the logarithm", **label)
    ax.set_xlabel(wrapped(view.names[j], 32, 2), **label)
