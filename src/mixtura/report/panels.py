"""What is drawn inside one pair of axes: histograms with densities, points with ellipses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from mixtura.families.portrait import Column, Lines
from mixtura.records import AnyArray, Array
from mixtura.report.palette import colours
from mixtura.report.view import MixtureView

INK, QUIET, HAIR, BARS = "#222222", "#6B6B6B", "#E4E4E4", "#D9DCE1"
COVERAGES = (0.5, 0.95)
FEWEST_BINS, MOST_BINS = 8, 80
# A spike of the density is cut off at this many times the tallest bar.
TALLEST_CURVE = 1.6
# Positive columns whose largest cell is so many medians get a logarithmic axis.
LONG_TAIL = 15.0
DASHED = (0, (3, 2))
# The axes reach beyond the data for an ellipse by at most this share of the data's range.
REACH = 0.25


@dataclass(frozen=True)
class Points:
    """The rows of a figure.

    X       all rows, (n, d), and their weights w (n,)
    shown   indices of the rows drawn as points
    paint   their colours, (len(shown), 3)
    left    how many rows have a gap
    """

    X: Array
    w: Array
    shown: AnyArray
    paint: Array
    left: int = 0

    def of(self, j: int) -> tuple[Array, Array]:
        """(cells, weights) of column j where a cell is there."""
        seen = ~np.isnan(self.X[:, j])
        return self.X[seen, j], self.w[seen]


def histogram(ax: Axes, view: MixtureView, points: Points, j: int) -> None:
    """Column j: weighted histogram of density one, the component curves and their sum."""
    column, (x, w) = view.column(j), points.of(j)
    if long_tailed(column, x):
        _logarithmic(ax, view, points, j)
        return
    low, high = reach(column, x)
    narrowest = np.inf if column.sds is None else float(column.sds.min())
    edges = bin_edges(x, w, narrowest, low, high)
    heights, _ = np.histogram(x, edges, weights=w)
    heights = heights / (w.sum() * np.diff(edges))
    ax.stairs(heights, edges, fill=True, color=BARS, lw=0, zorder=1)
    tallest = float(heights.max())
    ax.set_xlim(low, high)
    if column.curve is None:
        ax.set_ylim(0, 1.08 * tallest)
        return
    grid = curve_grid(column, low, high)
    curves = component_curves(view, j, grid)
    densities(ax, grid, curves)
    top = min(float(curves.sum(axis=0).max()), TALLEST_CURVE * tallest) if tallest > 0 else None
    ax.set_ylim(0, None if top is None else 1.08 * max(tallest, top))


def densities(ax: Axes, grid: Array, curves: Array) -> None:
    """Weighted densities (K, len(grid)), and their sum."""
    for curve, colour in zip(curves, colours(len(curves)), strict=True):
        # Without its tails, or the last colour would underline the whole axis.
        shown = np.where(curve > 1e-3 * curve.max(), curve, np.nan)
        ax.fill_between(grid, shown, color=colour, alpha=0.13, lw=0, zorder=2)
        ax.plot(grid, shown, color=colour, lw=1.7, zorder=3)
    if len(curves) > 1:
        ax.plot(grid, curves.sum(axis=0), color=INK, lw=1.2, ls=DASHED, zorder=4)


def long_tailed(column: Column, x: Array) -> bool:
    """Whether positive cells reach so far that all others would lie in the first bars."""
    return column.ends[0] == 0 < x.min() and float(x.max()) > LONG_TAIL * float(np.median(x))


def _logarithmic(ax: Axes, view: MixtureView, points: Points, j: int) -> None:
    """Column j on a logarithmic axis: densities of its natural logarithm."""
    column, (x, w) = view.column(j), points.of(j)
    logs = np.log(x)
    narrowest = np.inf
    if column.means is not None and column.sds is not None:
        narrowest = float((column.sds / column.means).min())
    edge = 0.03 * float(np.ptp(logs))
    low, high = float(logs.min()) - edge, float(logs.max()) + edge
    edges = bin_edges(logs, w, narrowest, low, high)
    heights, _ = np.histogram(logs, edges, weights=w)
    heights = heights / (w.sum() * np.diff(edges))
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.stairs(heights, np.exp(edges), fill=True, color=BARS, lw=0, zorder=1)
    tallest = float(heights.max())
    if column.curve is not None:
        grid = np.exp(np.linspace(low, high, 400))
        curves = component_curves(view, j, grid) * grid
        densities(ax, grid, curves)
        tallest = max(tallest, min(float(curves.sum(axis=0).max()), TALLEST_CURVE * tallest))
    ax.set_ylim(0, 1.08 * tallest)
    ax.set_xlim(np.exp(low), np.exp(high))


def regressions(ax: Axes, view: MixtureView, lines: Lines, points: Points) -> None:
    """The response over a covariate: points in mixed colours, and what components expect."""
    rows = points.X[points.shown]
    x, y = rows[:, lines.over], rows[:, lines.of]
    if lines.whole is not None:
        y = y / rows[:, lines.whole]
    size = float(np.clip(1800 / max(len(x), 1), 5, 20))
    ax.scatter(
        x, y, s=size, c=points.paint, alpha=0.8, linewidths=0, zorder=2, rasterized=len(x) > 1000
    )
    grid = np.linspace(x.min(), x.max(), 200)
    low, high = float(y.min()), float(y.max())
    room = 0.05 * (high - low) or 0.5
    for line, colour in zip(lines.curve(grid).T, colours(len(view.weights)), strict=True):
        ax.plot(grid, line, color=colour, lw=2.0, zorder=3)
    # A line may leave the data: the axes stay with these.
    ax.set_ylim(low - room, high + room)


def scatter(
    ax: Axes, view: MixtureView, points: Points, columns: tuple[int, int], marks: bool
) -> None:
    """Two columns: points in mixed colours, ellipses of COVERAGES, numbered centres if `marks`."""
    i, j = columns
    n = len(points.shown)
    weight = points.w[points.shown]
    size = float(np.clip(1800 / max(n, 1), 5, 20)) * (1.0 if marks else 0.55)
    # Area tells weight, within what can still be seen and does not cover the rest.
    area = size * np.clip(weight / weight.mean(), 0.2, 6.0) if n else size
    ax.scatter(
        points.X[points.shown, i],
        points.X[points.shown, j],
        s=area,
        c=points.paint if n else None,
        alpha=0.8 if n < 1000 else 0.55,
        linewidths=0,
        zorder=2,
        rasterized=n > 1000,
    )
    for k, colour in enumerate(colours(len(view.weights))):
        for coverage in COVERAGES:
            ax.add_patch(ellipse(view, k, i, j, coverage, colour))
        number(ax, k, colour, (float(view.means[k, i]), float(view.means[k, j])), boxed=marks)
    ax.set_xlim(*reach(view.column(i), points.of(i)[0]))
    ax.set_ylim(*reach(view.column(j), points.of(j)[0]))


def ellipse(view: MixtureView, k: int, i: int, j: int, coverage: float, colour: str) -> Ellipse:
    """The ellipse that holds `coverage` of component k's mass in columns i and j."""
    among = view.portrait.among
    assert among is not None
    values, vectors = np.linalg.eigh(among(np.array([i, j]))[k])
    radius = view.portrait.radius(k, coverage)
    width, height = 2 * radius * np.sqrt(np.maximum(values, 0.0))
    inner = coverage == COVERAGES[0]
    return Ellipse(
        (float(view.means[k, i]), float(view.means[k, j])),
        float(width),
        float(height),
        angle=float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))),
        facecolor=to_rgba(colour, 0.10) if inner else "none",
        edgecolor=colour,
        linewidth=1.5 if inner else 0.9,
        zorder=3,
    )


def number(ax: Axes, k: int, colour: str, at: tuple[float, float], boxed: bool) -> None:
    """The component's number at its centre: in a disc, or bare where panels are small."""
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontweight": "bold", "zorder": 5}
    if boxed:
        box = {"boxstyle": "circle,pad=0.22", "fc": "white", "ec": colour, "lw": 1.4}
        ax.text(*at, str(k), color=INK, fontsize=8.5, bbox=box, clip_on=True, **style)
    else:
        halo = [withStroke(linewidth=2, foreground="white")]
        ax.text(*at, str(k), color=INK, fontsize=7, path_effects=halo, clip_on=True, **style)


def rug(ax: Axes, points: Points, j: int) -> None:
    """The rows of column j as short strokes in mixed colours along the axis."""
    paint = [(r, g, b) for r, g, b in points.paint.tolist()]
    along = ax.get_xaxis_transform()  # data across, share of the panel's height upwards
    x = points.X[points.shown, j]
    ax.vlines(x, 0, 0.03, colors=paint, lw=0.8, alpha=0.8, zorder=5, transform=along)


def quiet(ax: Axes, size: float, ticks: int) -> None:
    """House style: hairline grid behind the data, two spines, about `ticks` small grey labels."""
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    ax.grid(True, color=HAIR, lw=0.6)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set(color="#9A9A9A", lw=0.8)
    ax.tick_params(colors=QUIET, labelsize=size, length=3, width=0.8)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
        formatter = ScalarFormatter(useMathText=True)
        formatter.set_powerlimits((-3, 4))
        axis.set_major_formatter(formatter)
        axis.get_offset_text().set(size=size, color=QUIET)


def reach(column: Column, x: Array) -> tuple[float, float]:
    """The limits of a column: all data, and the outer ellipses where they do not dominate."""
    low, high = float(x.min()), float(x.max())
    span = high - low
    means, sds = column.means, column.sds
    if means is None or sds is None:
        means, sds = np.array([low, high]), np.zeros(2)
    radius = np.sqrt(-2 * np.log1p(-COVERAGES[-1]))
    below, above = float((means - radius * sds).min()), float((means + radius * sds).max())
    if span <= 1e-12 * max(abs(low), abs(high)):  # one value: the components give the scale
        half = max(3 * float(sds.max()), 1e-9 * abs(low)) or 0.5
        return low - half, high + half
    low, high = max(min(low, below), low - REACH * span), min(max(high, above), high + REACH * span)
    least, most = column.ends
    return max(low - 0.03 * span, least), min(high + 0.03 * span, most)


def bin_edges(x: Array, w: Array, narrowest: float, low: float, high: float) -> Array:
    """Edges of equal bins over the data: Freedman-Diaconis, finer for narrow components.

    Rounded data get bins of a whole number of rounding steps, or bars would alternate.
    """
    first, last = float(x.min()), float(x.max())
    span = last - first
    if span <= 1e-12 * max(abs(first), abs(last)):
        middle, half = (low + high) / 2, (high - low) / 40
        return np.array([middle - half, middle + half])
    size = w.sum() ** 2 / max(float(w @ w), np.finfo(float).tiny)
    quarter, three = np.quantile(x, [0.25, 0.75])
    width = 2 * (three - quarter) * size ** (-1 / 3) or span / 20
    most = float(np.clip(2 * size**0.5, FEWEST_BINS, MOST_BINS))
    width = float(np.clip(min(width, 0.6 * narrowest), span / most, span / FEWEST_BINS))
    steps = np.diff(np.unique(x[:: max(1, len(x) // 20_000)]))
    step = float(steps.min()) if len(steps) else span
    if step >= width / 6:
        width = step * max(1, round(width / step))
        first, last = first - step / 2, last + step / 2
    count = max(1, int(np.ceil((last - first) / width - 1e-6)))
    return np.asarray(first + width * np.arange(count + 1))


def curve_grid(column: Column, low: float, high: float) -> Array:
    """Where curves are evaluated: evenly, and closely about every mean."""
    grid = np.linspace(low, high, 400)
    if column.means is not None and column.sds is not None:
        near = column.means[:, None] + column.sds[:, None] * np.linspace(-4, 4, 81)
        grid = np.concatenate([grid, near.ravel()])
    least, most = column.ends
    inside = (grid >= low) & (grid <= high) & (grid > least) & (grid < most)
    return np.unique(grid[inside])


def component_curves(view: MixtureView, j: int, grid: Array) -> Array:
    """Each component's weighted density or probability in column j, (K, len(grid)); (0, len(grid))
    of a family that does not tell it of one column alone."""
    curve = view.portrait.column(j).curve
    if curve is None:
        return np.empty((0, len(grid)))
    return np.asarray(view.weights[:, None] * curve(grid).T)
