"""What is drawn of a column that is no density over numbers: counts, levels, shares, angles."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mixtura.records import Array
from mixtura.report.palette import colours
from mixtura.report.panels import BARS, DASHED, INK, Points, bin_edges, component_curves, densities
from mixtura.report.view import MixtureView, shorten, wrapped

# Counts over a wider range are drawn in bins, without a dot for each.
MOST_STEPS = 40
MOST_CURVE = 600
# Of more levels only the likeliest are drawn.
MOST_LEVELS = 10
LONGEST_LEVEL = 12
# The share of the axis between two levels that their bars take, and the rows' bar behind them.
TAKEN, BEHIND = 0.72, 0.9
BINS_AROUND = 36


def counts(ax: Axes, view: MixtureView, points: Points, j: int) -> None:
    """Column j: the shares of rows as bars, each component's probabilities, and their sum."""
    x, w = points.of(j)
    low, high = float(x.min()), float(x.max())
    few = high - low <= MOST_STEPS
    if few:
        edges, grid = np.arange(low, high + 2) - 0.5, np.arange(low, high + 1)
    else:
        sds = view.column(j).sds
        edges = bin_edges(x, w, np.inf if sds is None else float(sds.min()), low, high)
        grid = np.unique(np.linspace(low, high, MOST_CURVE).round())
    heights, _ = np.histogram(x, edges, weights=w)
    heights = heights / (w.sum() * np.diff(edges))
    gap = 0.06 if few else 0.0
    ax.bar(edges[:-1] + gap, heights, np.diff(edges) - 2 * gap, align="edge", color=BARS, lw=0)
    curves = component_curves(view, j, grid)
    for curve, colour in zip(curves, colours(len(curves)), strict=True):
        shown = np.where(curve > 1e-3 * curve.max(), curve, np.nan)
        ax.plot(grid, shown, color=colour, lw=1.4, marker="o" if few else "", ms=3.5, zorder=3)
    if len(curves) > 1:
        ax.plot(grid, curves.sum(axis=0), color=INK, lw=1.1, ls=DASHED, zorder=4)
    ax.set_xlim(edges[0] - 0.01 * (high - low), edges[-1] + 0.01 * (high - low))
    ax.set_ylim(0, 1.08 * float(max(heights.max(), curves.sum(axis=0).max())))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.grid(False, axis="x")


def levels(ax: Axes, view: MixtureView, points: Points, j: int) -> None:
    """Column j: the probability of each level within each component, before that of the rows."""
    column, (x, w) = view.column(j), points.of(j)
    assert column.curve is not None
    codes = np.arange(len(column.levels))
    within = column.curve(codes.astype(float)).T
    rows = np.bincount(x.astype(int), weights=w, minlength=len(codes))[: len(codes)] / w.sum()
    likeliest = np.argsort(-(view.weights @ within), kind="stable")[:MOST_LEVELS]
    # A code that nobody has, as 0 among 1 to 5, is no category.
    likeliest = likeliest[(rows + view.weights @ within)[likeliest] > 0]
    shown = np.sort(likeliest)
    _groups(ax, within[:, shown], rows[shown])
    _named(ax, [shorten(column.levels[code], LONGEST_LEVEL) for code in shown])


def shares(ax: Axes, view: MixtureView, points: Points, columns: list[int]) -> None:
    """Columns that are one share each, side by side: a profile of the components."""
    own = [view.column(j) for j in columns]
    within = np.stack([np.zeros(0) if c.means is None else c.means for c in own], axis=1)
    rows = [_share(points, j, c.whole) for j, c in zip(columns, own, strict=True)]
    _groups(ax, within, np.array(rows))
    _named(ax, [wrapped(column.name, 14, 2) for column in own])


def _share(points: Points, j: int, whole: tuple[int, ...]) -> float:
    """What share column j is, of ones or of the sum of the columns `whole`."""
    x, w = points.of(j)
    if not whole:
        return float(w @ x / w.sum())
    return float(points.w @ points.X[:, j] / (points.w @ points.X[:, list(whole)]).sum())


def _groups(ax: Axes, within: Array, rows: Array) -> None:
    """Bars of K components (K, places), side by side in every place, before one of the rows."""
    K, many = within.shape
    places = np.arange(many)
    ax.bar(places, rows, BEHIND, color=BARS, lw=0, zorder=1)
    width = TAKEN / K
    for k, colour in enumerate(colours(K)):
        at = places + (k - (K - 1) / 2) * width
        ax.bar(at, within[k], 0.9 * width, color=colour, lw=0, zorder=3)
    ax.set_xlim(-0.6, many - 0.4)
    ax.set_ylim(0, min(1.0, 1.08 * float(max(within.max(), rows.max()))))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    ax.grid(False, axis="x")


def _named(ax: Axes, names: list[str]) -> None:
    """Names instead of numbers below the places 0, 1, ..."""
    ax.xaxis.set_major_locator(FixedLocator(list(range(len(names)))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(names, parse_math=False)


def circle(ax: Axes, view: MixtureView, points: Points, j: int) -> None:
    """Column j: angles unrolled, from -pi or from 0 as the rows are; histogram and densities."""
    x, w = points.of(j)
    start = 0.0 if x.min() >= 0 else -np.pi
    edges = np.linspace(start, start + 2 * np.pi, BINS_AROUND + 1)
    heights, _ = np.histogram((x - start) % (2 * np.pi) + start, edges, weights=w)
    heights = heights / (w.sum() * np.diff(edges))
    ax.stairs(heights, edges, fill=True, color=BARS, lw=0, zorder=1)
    grid = np.linspace(start, start + 2 * np.pi, 720)
    curves = component_curves(view, j, grid)
    densities(ax, grid, curves)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1.08 * float(max(heights.max(), curves.sum(axis=0).max())))
    ax.grid(False, axis="x")
    ax.xaxis.set_major_locator(FixedLocator(list(start + np.pi / 2 * np.arange(5))))
    ax.xaxis.set_major_formatter(FuncFormatter(_angle))


def _angle(value: float, _: object) -> str:
    """Quarter turns in words: "−π/2", "0", "π"."""
    quarters = round(value / (np.pi / 2))
    sign = "\u2212" if quarters < 0 else ""
    word = {0: "0", 1: "π/2", 2: "π", 3: "3π/2", 4: "2π"}[abs(quarters)]
    return sign + word
