"""Solvers side by side as a figure: what was left to gain after each pass. Loads Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median_high

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mixtura.inference.compare import CLOSE, Run
from mixtura.records import Array
from mixtura.report.comparison_text import NOTHING, solver_colours
from mixtura.report.frame import FIGURE_SPACE, LABEL, blank, headed
from mixtura.report.panels import INK, QUIET, quiet

# Panels in one row, and in all: more starts than that cannot be read.
ACROSS, MOST_PANELS = 3, 9
COMMA_SPACE = "\u2008"
# Gaps below this are rounding.
FINEST = 1e-12
# The axis of passes is logarithmic where the longest climb is this much longer than the shortest.
WIDE = 5.0
# Width of one panel where there are one, two or three in a row, and its height in one row and more.
WIDTHS, HEIGHTS = (5.4, 3.6, 2.7), (3.6, 2.5)
# Curves that run together show side by side: the first solver is drawn broadest, the last on top.
BROADEST, NARROWEST = 3.0, 1.3


def draw(runs: Sequence[Run], heading: str, tol: float) -> Figure:
    """Gap to the best end from the same start against passes, one panel for each start.

    `tol` is the tolerance of the climbs: below it gaps mean nothing, and there the axis ends.
    Raises ValueError if no solver got anywhere.
    """
    starts = [list(group) for _, group in groupby(runs, lambda run: run.start)]
    drawn = [group for group in starts if any(run.trail for run in group)][:MOST_PANELS]
    if not drawn:
        raise ValueError("there is nothing to draw: no solver got anywhere")
    across, down = min(len(drawn), ACROSS), math.ceil(len(drawn) / ACROSS)
    width, height = WIDTHS[across - 1], HEIGHTS[down > 1]
    figure = blank(2.4 + across * width, 1.1 + down * height)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    shades = {name: colour or INK for name, colour in solver_colours(runs).items()}
    floor = max(tol, FINEST)
    for ax in axes.flat:
        quiet(ax, 9, 6)
    _scale(axes[0, 0], [run for group in drawn for run in group], floor)
    for ax, group in zip(axes.flat, drawn, strict=False):
        _panel(ax, group, shades, floor)
        if len(starts) > 1:
            ax.set_title(f"start {group[0].start}", loc="left", fontsize=10, color=INK)
    for ax in axes.flat[len(drawn) :]:
        ax.remove()
    for place, ax in enumerate(axes.flat[: len(drawn)]):
        if place % across == 0:
            ax.set_ylabel("still to gain per row", **LABEL)
        if place + across >= len(drawn):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("passes over all rows", **LABEL)
    _legend(figure, runs, shades)
    headed(figure, heading, list(_notes(drawn, len(starts))))
    return figure


def _panel(ax: Axes, group: Sequence[Run], shades: dict[str, str], floor: float) -> None:
    """The curves from one start, each to a dot where the climb ended."""
    ax.axhline(CLOSE, color=QUIET, lw=0.8, ls=(0, (1, 2)), zorder=1)
    widths = dict(zip(shades, np.linspace(BROADEST, NARROWEST, len(shades)), strict=True))
    for run in group:
        if not run.trail:
            continue
        passes, gaps = _curve(run, floor)
        colour, width = shades[run.solver], widths[run.solver]
        style = (0, (4, 2)) if run.penalised else "-"
        ax.plot(passes, gaps, color=colour, lw=width, ls=style, solid_capstyle="round", zorder=3)
        ax.plot(
            passes[-1:],
            gaps[-1:],
            marker="o",
            ms=4.5 + width,
            mfc=colour if run.converged else "white",
            mec="white" if run.converged else colour,
            mew=1.0 if run.converged else 1.6,
            zorder=4,
            clip_on=False,
        )


def _curve(run: Run, floor: float) -> tuple[Array, Array]:
    """Passes and gaps where something changed, from the first pass with a known objective."""
    marks = np.array([(mark.passes, mark.gap) for mark in run.trail])
    marks = marks[np.isfinite(marks[:, 1])]
    passes, gaps = marks[:, 0], np.maximum(marks[:, 1], floor)
    keep = np.ones(len(gaps), dtype=bool)
    keep[1:-1] = (gaps[1:-1] != gaps[:-2]) | (gaps[1:-1] != gaps[2:])
    return passes[keep], gaps[keep]


def _scale(ax: Axes, runs: Sequence[Run], floor: float) -> None:
    """Logarithmic gaps down to the floor; logarithmic passes where climbs differ much in length."""
    met = [mark.gap for run in runs for mark in run.trail if math.isfinite(mark.gap)]
    ax.set_yscale("log")
    ax.set_ylim(floor / 1.6, 3.0 * max([*met, 10 * CLOSE]))
    ax.yaxis.set_major_locator(LogLocator(100.0, numticks=20))
    ax.yaxis.set_minor_locator(NullLocator())
    lengths = [run.passes for run in runs if run.trail]
    if max(lengths) > WIDE * min(lengths):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(
            LogLocator(10.0, (1.0, 2.0, 5.0) if max(lengths) < 300 else (1.0,))
        )
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.set_xlim(0.9, 1.25 * max(lengths))
    else:
        ax.set_xlim(0, 1.03 * max(lengths))


def _legend(figure: Figure, runs: Sequence[Run], shades: dict[str, str]) -> None:
    """Each solver's colour, name and passes to the top, beside the panels."""
    numbers = [_to_top([run for run in runs if run.solver == name]) for name in shades]
    widest = max(numbers, key=len)
    handles = [Line2D([], [], color=colour, lw=2.4) for colour in shades.values()]
    labels = [
        f"{_blank(widest[: len(widest) - len(number)])}{number}   {name}"
        for name, number in zip(shades, numbers, strict=True)
    ]
    starts = len({run.start for run in runs})
    title = f"passes to {CLOSE:.0e}".replace("e-0", "e-") + (" (median)" if starts > 1 else "")
    legend = figure.legend(
        handles, labels, loc="outside right center", title=title, fontsize=9, title_fontsize=9,
        frameon=False, labelcolor=INK, handlelength=1.4, handletextpad=0.7, alignment="left",
    )  # fmt: skip
    legend.get_title().set_color(QUIET)


def _blank(text: str) -> str:
    """Spaces as wide as these digits and commas."""
    return "".join(COMMA_SPACE if each == "," else FIGURE_SPACE for each in text)


def _to_top(runs: Sequence[Run]) -> str:
    """The median over the starts of the passes to the top; "–" where most did not get there."""
    passes = [math.inf if run.passes_to_top is None else run.passes_to_top for run in runs]
    middle = median_high(passes)
    return f"{middle:,}" if math.isfinite(middle) else NOTHING


def _notes(drawn: Sequence[Sequence[Run]], starts: int) -> Iterator[str]:
    runs = [run for group in drawn for run in group]
    yield (
        "The best log-likelihood met so far, against the best end from the same start. "
        "Dots: where climbs ended."
    )
    if any(run.trail and not run.converged for run in runs):
        yield "Open dots: not converged."
    if any(run.penalised for run in runs):
        yield "Dashed: with the penalty, after a climb that ran into a singularity."
    if len(drawn) < starts:
        yield f"{len(drawn)} of {starts:,} starts drawn."
