"""A hidden Markov model over its sequences as a figure. Importing this module loads Matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mixtura.printable import printable_record
from mixtura.records import AnyArray, Array
from mixtura.report.chain_text import DARK, lasting
from mixtura.report.frame import LABEL, blank, headed, legend
from mixtura.report.palette import colours, heat, rgb
from mixtura.report.panels import INK, QUIET, quiet
from mixtura.report.view import ChainView, groups, shorten, telling_columns, wrapped

# So many steps are drawn, of sequences from the first on, and so many columns.
MOST_STEPS, MOST_SEQUENCES, MOST_COLUMNS = 800, 8, 3
# With more states the matrix has no room for numbers.
MOST_NUMBERED = 10


def draw_chain(
    view: ChainView,
    X: AnyArray,
    lengths: AnyArray,
    certainty: Array,
    time: tuple[str, AnyArray] | None = None,
) -> Figure:
    """The first sequences in the colours of their states, the transitions, and the stays.

    X (n, d) in the table's units, its cells NaN where nobody saw them; lengths (S,) of its
    sequences; certainty (n, K), P(state | sequence). Drawn are the columns in which states differ
    most, and below them P(state) step by step. time is what steps are called, (n,), and its name;
    default their numbers, from 0.
    """
    view = printable_record(view)
    shown, starts = _shown(lengths)
    columns = telling_columns(view, MOST_COLUMNS, view.own)
    figure = blank(9.0, 4.6 + 1.5 * len(columns))
    heights = [*[1.5] * len(columns), 0.8, 2.6]
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[1.0, 1.3])
    first: Axes | None = None
    for row, j in enumerate(columns):
        ax = figure.add_subplot(grid[row, :], sharex=first)
        first = first or ax
        _series(ax, view, j, np.asarray(X, float)[:shown, j], certainty[:shown], starts)
        ax.tick_params(labelbottom=False)
    below = figure.add_subplot(grid[len(columns), :], sharex=first)
    _probabilities(below, certainty[:shown], starts)
    _named_steps(below, time, shown)
    figure.align_ylabels()
    _matrix(figure.add_subplot(grid[-1, 0]), view)
    _stays(figure.add_subplot(grid[-1, 1]), view)
    headed(figure, _heading(view), _notes(view, shown, len(starts), lengths, len(columns)))
    legend(figure, view, "outside right upper")
    return figure


def _shown(lengths: AnyArray) -> tuple[int, list[int]]:
    """How many steps are drawn, and where their sequences begin."""
    stops = np.cumsum(lengths)
    many = int(np.searchsorted(stops, MOST_STEPS, side="right"))
    many = min(max(many, 1), MOST_SEQUENCES)
    return min(int(stops[many - 1]), MOST_STEPS), [0, *stops[: many - 1].tolist()]


def _series(
    ax: Axes, view: ChainView, j: int, x: Array, certainty: Array, starts: list[int]
) -> None:
    """One column over the steps, in the states' mixed colours, and what its state expects."""
    quiet(ax, 8.5, 5)
    t, column, K = np.arange(len(x)), view.column(j), len(view.weights)
    size = float(np.clip(2200 / len(x), 4, 26))
    if not column.levels:
        along = [np.insert(each, starts[1:], np.nan) for each in (t.astype(float), x)]
        ax.plot(*along, color="#C9CCD2", lw=0.8, zorder=1)
    paint = np.clip(certainty @ rgb(K), 0.0, 1.0)
    ax.scatter(t, x, s=size, c=paint, lw=0, zorder=3)
    if column.means is not None and column.kind != "circle":
        likeliest = certainty.argmax(axis=1)
        for k, colour in enumerate(colours(K)):
            level = np.where(likeliest == k, column.means[k], np.nan)
            ax.step(t, level, where="mid", color=colour, lw=1.4, alpha=0.75, zorder=2)
    if column.levels:
        ax.yaxis.set_major_locator(FixedLocator(range(len(column.levels))))
        ax.set_yticklabels([shorten(level, 14) for level in column.levels], parse_math=False)
    ax.set_ylabel(wrapped(view.names[j], 20, 3), **{**LABEL, "fontsize": 9})
    _borders(ax, starts, len(x))


def _probabilities(ax: Axes, certainty: Array, starts: list[int]) -> None:
    """P(state) of each step, stacked: a full height of one colour is certainty."""
    quiet(ax, 8.5, 2)
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    edges = np.arange(len(certainty) + 1) - 0.5
    top = np.zeros(len(certainty))
    for k, colour in enumerate(colours(certainty.shape[1])):
        below, top = top, top + certainty[:, k]
        ax.stairs(top, edges, baseline=below, fill=True, color=colour, lw=0)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 1])
    ax.set_ylabel("P(state)", **{**LABEL, "fontsize": 9})
    _borders(ax, starts, len(certainty))


def _named_steps(ax: Axes, time: tuple[str, AnyArray] | None, shown: int) -> None:
    name, values = ("step", np.arange(shown)) if time is None else time

    def told(place: float, _: int) -> str:
        return str(values[round(place)]) if 0 <= round(place) < shown else ""

    ax.xaxis.set_major_formatter(FuncFormatter(told))
    ax.set_xlabel(shorten(name, 70), **{**LABEL, "fontsize": 9, "labelpad": 2})


def _borders(ax: Axes, starts: list[int], n: int) -> None:
    for start in starts[1:]:
        ax.axvline(start - 0.5, color=QUIET, lw=0.8, zorder=4)
    ax.set_xlim(-0.5 - 0.005 * n, n - 0.5 + 0.005 * n)


def _matrix(ax: Axes, view: ChainView) -> None:
    """P(next state | state) as coloured squares with their numbers."""
    K = len(view.initial)
    for i in range(K):
        for j in range(K):
            share = float(view.transitions[i, j])
            box: Any = {"facecolor": heat(share), "edgecolor": "white", "lw": 1.5}
            ax.add_patch(_square(j, i, **box))
            if K <= MOST_NUMBERED:
                ink = "white" if share > DARK else INK
                text = "0" if share == 0 else f"{share:.2f}" if share >= 0.005 else "<.01"
                ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=10 - 0.4 * K)
    ax.set(xlim=(-0.5, K - 0.5), ylim=(K - 0.5, -0.5), aspect="equal")
    ax.tick_params(length=0, colors=QUIET, labelsize=9 if K <= MOST_NUMBERED else 7)
    ax.tick_params(labelbottom=False, labeltop=True)
    ax.xaxis.set_label_position("top")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(range(K)))
    ax.spines[:].set_visible(False)
    given = "state now" if view.durations is None else "state now, once a stay ends"
    ax.set_xlabel(f"P(next state | {given}): next", **{**LABEL, "fontsize": 9})
    ax.set_ylabel("now", **{**LABEL, "fontsize": 9})
    _coloured(ax, K, both=True)


def _square(x: int, y: int, **how: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1, 1, **how)


def _stays(ax: Axes, view: ChainView) -> None:
    """Expected steps of a stay, a bar for each state, on a logarithmic axis where they differ."""
    quiet(ax, 8.5, 5)
    K, stays = len(view.stays), view.stays
    finite = stays[np.isfinite(stays)]
    longest = float(finite.max()) if len(finite) else 1.0
    drawn = np.where(np.isfinite(stays), stays, 1.15 * longest)
    ax.barh(range(K), drawn, color=colours(K), height=0.62)
    for k in range(K):
        ax.annotate(
            lasting(float(stays[k])), (drawn[k], k), (4, 0), textcoords="offset points",
            va="center", fontsize=9, color=INK,
        )  # fmt: skip
    ax.set_ylim(K - 0.5, -0.5)
    ax.set_xlim(0, 1.18 * float(drawn.max()))
    ax.grid(False, axis="y")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(FixedLocator(range(K)))
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("state", **{**LABEL, "fontsize": 9})
    ax.set_xlabel("expected steps of a stay", **{**LABEL, "fontsize": 9, "labelpad": 2})
    _coloured(ax, K)


def _coloured(ax: Axes, K: int, both: bool = False) -> None:
    """The numbers of states on the axes, in their colours."""
    for axis in (ax.xaxis, ax.yaxis) if both else (ax.yaxis,):
        axis.set_ticklabels([str(k) for k in range(K)])
        for label, colour in zip(axis.get_ticklabels(), colours(K), strict=True):
            label.set(color=colour, fontweight="bold")


def _heading(view: ChainView) -> str:
    names = [shorten(view.names[j], 24) for j in view.own]
    return f"{groups(view)} of {', '.join(names) if len(names) < 5 else f'{len(names)} columns'}"


def _notes(view: ChainView, shown: int, drawn: int, lengths: AnyArray, columns: int) -> list[str]:
    notes = [
        "Points have the colour of their state, mixed where it is not certain; bars through them "
        "are what the likeliest state expects."
    ]
    n = int(np.sum(lengths))
    if shown < n:
        of = f"{shown:,} of {n:,} steps"
        if len(lengths) > 1:
            of += f", {drawn:,} of {len(lengths):,} sequences"
        notes.append(f"Drawn are the first {of}.")
    elif len(lengths) > 1:
        notes.append("Vertical lines: where a sequence ends.")
    if columns < len(view.own):
        notes.append(f"The {columns} of {len(view.own)} columns in which states differ most.")
    return notes
