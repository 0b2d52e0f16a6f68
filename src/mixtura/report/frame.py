"""What every figure has around its axes: a title, small print, a legend. Loads Matplotlib."""

from __future__ import annotations

import textwrap
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from mixtura.families.digits import percent
from mixtura.report.palette import NOISE_GREY, colours
from mixtura.report.panels import INK, QUIET
from mixtura.report.view import MixtureView

Place = Literal["outside right upper", "upper right"]

MOST_LEGEND = 24
FIGURE_SPACE = "\u2007"
# A "$" in a column's name is a dollar, not the start of a formula.
LABEL: dict[str, Any] = {"color": INK, "fontsize": 10, "labelpad": 6, "parse_math": False}


def blank(width: float, height: float) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def headed(figure: Figure, heading: str, notes: list[str]) -> None:
    """The title above, at the left, and what the marks mean in small print below."""
    inches = float(figure.get_figwidth())
    edge = 0.1 / inches
    text = textwrap.fill(" ".join(heading.split()), int(9.5 * inches))
    figure.suptitle(
        text, x=edge, ha="left", fontsize=13, fontweight="bold", color=INK, parse_math=False
    )
    small = textwrap.fill(" ".join(notes), int(17 * inches))
    figure.supxlabel(small, x=edge, ha="left", fontsize=8, color=QUIET)


def legend(figure: Figure, view: MixtureView, place: Place) -> None:
    """Each component's colour, number and weight, beside the axes, never over the data."""
    shades = colours(len(view.weights))
    shares = _columned([percent(float(w)) for w in view.weights])
    labels = [f"{share}   {view.name(k)}".rstrip(" ") for k, share in enumerate(shares)]
    handles = [Line2D([], [], ls="", marker="o", ms=7, mec="none", color=c) for c in shades]
    if len(labels) > MOST_LEGEND:
        handles = [*handles[:MOST_LEGEND], Line2D([], [], ls="")]
        labels = [*labels[:MOST_LEGEND], f"{len(shades) - MOST_LEGEND} more"]
    if view.grey:
        handles.append(Line2D([], [], ls="", marker="o", ms=7, mec="none", color=NOISE_GREY))
        labels.append(view.grey)
    made = figure.legend(
        handles, labels, loc=place, title=f"{view.noun}, weight", fontsize=9, title_fontsize=9,
        frameon=False, labelcolor=INK, handletextpad=0.4, alignment="left",
        ncols=1 if place.startswith("outside") else 1 + (len(labels) - 1) // 8,
    )  # fmt: skip
    made.get_title().set_color(QUIET)
    for text in made.get_texts():
        text.set_parse_math(False)


def _columned(shares: list[str]) -> list[str]:
    """Legend labels "k  share", aligned at the right with spaces as wide as a figure."""
    digits, widest = len(str(len(shares) - 1)), max(map(len, shares))
    return [
        f"{str(k).rjust(digits, FIGURE_SPACE)}   {share.rjust(widest, FIGURE_SPACE)}"
        for k, share in enumerate(shares)
    ]
