"""A mixture over its data as a figure. Importing this module loads Matplotlib; nothing else does.

Figures are made with the object-oriented interface: no display, no global state.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import IO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mixtura.data.atomic import atomic
from mixtura.families.portrait import Lines
from mixtura.printable import printable_record
from mixtura.records import Array
from mixtura.report import panels
from mixtura.report.by_column import each_column
from mixtura.report.frame import LABEL, blank, headed, legend
from mixtura.report.palette import NOISE_GREY, rgb
from mixtura.report.panels import COVERAGES, Points
from mixtura.report.view import MixtureView, groups, shorten, telling_columns, wrapped

MOST_POINTS = 4000
MOST_COLUMNS = 6
# Rows are drawn as strokes below a histogram up to this many.
MOST_STROKES = 1000
DPI = 200
# File formats by suffix, with the metadata that would make two equal figures differ.
FORMATS: dict[str, dict[str, None]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def draw(
    view: MixtureView,
    X: ArrayLike,
    *,
    responsibilities: ArrayLike,
    sample_weight: ArrayLike | None = None,
    left_out: ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """The mixture drawn over the rows it describes.

    X is (n, d) in the table's units, responsibilities (n, K), with noise (n, K + 1),
    sample_weight (n,) or None for equal weights; left_out (n,) says which rows are left out or
    outliers, which are grey, None that nothing tells; title defaults to the number of groups and
    the columns' names. One column of numbers gives a histogram with the densities. Of Gaussians two
    give a scatter with ellipses, more a matrix of pairs; points have the colours of the components
    mixed by responsibility, noise is grey, and of many rows only 4000 are drawn. Of other families
    each column has axes of its own: histogram and densities, shares of counts and their
    probabilities, probabilities of categories. Of many columns the six are drawn in which the
    components differ most.

    A panel shows the rows that have its cells.

    Raises ValueError if the arrays do not fit the mixture, values are infinite, a column has none,
    no row of two Gaussian columns has both, or no row has weight.
    """
    view = printable_record(view)
    view = replace(view, left_out=left_out is not None)
    if left_out is not None:
        # As a column of noise is: what is in no group.
        grey = np.asarray(left_out, bool)[:, None]
        responsibilities = np.hstack([np.where(grey, 0.0, responsibilities), grey])
    rows, resp, w, left = _checked(view, X, responsibilities, sample_weight)
    points = replace(_points(rows, resp, w, len(view.weights)), left=left)
    heading = title or f"{groups(view)} in {_names(view)}"
    with _quiet_about_glyphs():
        if view.portrait.lines is not None:
            return _regression(view, view.portrait.lines, points, title)
        if len(view.names) == 1 and view.column(0).kind == "density":
            return _one(view, points, heading)
        if view.portrait.among is None:
            return each_column(view, points, heading, telling_columns(view, MOST_COLUMNS))
        if len(view.names) == 2:
            return _two(view, points, heading)
        return _pairs(view, points, heading)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, few_colours: bool = False) -> None:
    """Write `figure` to `path` as PNG, SVG or PDF, by the suffix; all of the file or none of it.

    A PNG of `few_colours` has at most 64 of them, which makes a file of lines a third as long.

    Raises ValueError for any other suffix and FileNotFoundError if the folder does not exist.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise ValueError(f"cannot tell a figure's format from {target.name!r}: use {known}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(target.parent)!r} to put {target.name!r} in")
    with atomic(target) as part, open(part, "wb") as file, _quiet_about_glyphs():
        if few_colours and suffix == ".png":
            _save_few_colours(figure, file)
        else:
            figure.savefig(file, format=suffix[1:], dpi=DPI, metadata=FORMATS[suffix])


def _save_few_colours(figure: Figure, file: IO[bytes]) -> None:
    # Matplotlib itself needs Pillow.
    from PIL import Image

    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=DPI)
    few = Image.open(whole).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True, dpi=(DPI, DPI))


@contextmanager
def _quiet_about_glyphs() -> Iterator[None]:
    """Without Matplotlib's warning for each character that its font lacks: boxes say the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def _checked(
    view: MixtureView, X: ArrayLike, responsibilities: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Array, Array, Array, int]:
    """(rows, responsibilities, weights) of the rows that count, and how many of them have gaps."""
    rows, resp = np.asarray(X, float), np.asarray(responsibilities, float)
    K, d = len(view.weights), len(view.names)
    if rows.ndim != 2 or rows.shape[1] != d:
        raise ValueError(f"X has shape {rows.shape}, but the mixture has {d} columns")
    shape = len(rows), K + bool(view.grey)
    if resp.shape != shape:
        raise ValueError(f"responsibilities have shape {resp.shape}, not {shape}")
    w = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight, float)
    if w.shape != (len(rows),):
        raise ValueError(f"sample_weight has shape {w.shape}, not {(len(rows),)}")
    counted, left = w > 0, 0
    if view.portrait.among is not None:
        whole = ~np.isnan(rows).any(axis=1)
        left = int((counted & ~whole).sum())
        # Of two columns the one panel takes both; of more each panel takes what it can.
        if d == 2 and counted.any() and not (counted & whole).any():
            raise ValueError("X has a missing value in every row: this figure is of whole rows")
        counted = counted & whole if d == 2 else counted
    kept = rows[counted]
    if np.isinf(kept).any():
        raise ValueError("X has infinite values: a figure needs numbers only")
    if not counted.any():
        raise ValueError("there is no row to draw: X is empty or every weight is zero")
    bare = np.flatnonzero(np.isnan(kept).all(axis=0))
    if len(bare):
        raise ValueError(f"X has no value in column {view.names[bare[0]]!r}: leave the column out")
    return kept, resp[counted], w[counted], left


def _points(rows: Array, resp: Array, w: Array, K: int) -> Points:
    """A fixed sample of the rows (all of a small table) in the components' mixed colours.

    Noise is grey.
    """
    shown = np.arange(len(rows))
    if len(rows) > MOST_POINTS:
        # A seeded draw: every so-manyth row would follow a rhythm in the table's order.
        shown = np.sort(np.random.default_rng(0).choice(len(rows), MOST_POINTS, replace=False))
    palette = np.vstack([rgb(K), NOISE_GREY])[: resp.shape[1]]
    paint = np.clip(resp[shown] @ palette, 0.0, 1.0)
    return Points(rows, w, shown, paint)


def _one(view: MixtureView, points: Points, heading: str) -> Figure:
    figure = blank(8.0, 4.6)
    ax = figure.add_subplot()
    panels.quiet(ax, 9, 6)
    panels.histogram(ax, view, points, 0)
    ax.grid(False, axis="x")
    stroked = len(points.X) <= MOST_STROKES
    if stroked:
        panels.rug(ax, points, 0)
    ax.set_xlabel(shorten(view.names[0], 70), **LABEL)
    logarithmic = ax.get_xscale() == "log"
    ax.set_ylabel("density of the logarithm" if logarithmic else "density", **LABEL)
    notes = ["Bars and strokes: the rows." if stroked else "Bars: the rows."]
    if len(view.weights) > 1:
        notes.append("Dashed line: the whole mixture.")
    headed(figure, heading, notes)
    legend(figure, view, "outside right upper")
    return figure


def _two(view: MixtureView, points: Points, heading: str) -> Figure:
    figure = blank(8.0, 5.6)
    ax = figure.add_subplot()
    panels.quiet(ax, 9, 6)
    panels.scatter(ax, view, points, (0, 1), marks=True)
    ax.set_xlabel(shorten(view.names[0], 70), **LABEL)
    ax.set_ylabel(shorten(view.names[1], 50), **LABEL)
    headed(figure, heading, _notes(view, points))
    legend(figure, view, "outside right upper")
    return figure


def _regression(view: MixtureView, lines: Lines, points: Points, title: str | None) -> Figure:
    """The response over the main covariate, with a line for each component."""
    figure = blank(8.0, 5.2)
    ax = figure.add_subplot()
    panels.quiet(ax, 9, 6)
    panels.regressions(ax, view, lines, points)
    over, name = shorten(view.names[lines.over], 50), shorten(view.names[lines.of], 50)
    ax.set_xlabel(over, **LABEL)
    ax.set_ylabel(name if lines.whole is None else f"share of {name}", **LABEL)
    notes = ["Lines: what each group expects."]
    if len(view.names) > 2:
        notes[0] = "Lines: what each group expects, all other columns being at their means."
    if len(view.weights) > 1:
        notes.append("Points between groups have mixed colours.")
    headed(figure, title or f"{name} by {over} in {groups(view)}", notes)
    legend(figure, view, "outside right upper")
    return figure


def _pairs(view: MixtureView, points: Points, heading: str) -> Figure:
    """Lower triangle of pairs, histograms on the diagonal, the legend in the empty corner."""
    columns = telling_columns(view, MOST_COLUMNS)
    m, d = len(columns), len(view.names)
    notes = _notes(view, points)
    if m < d:
        heading += f" (the {m} of {d} in which groups differ most)"
    side, ticks = (2.1, 4) if m > 4 else (2.5, 5)
    figure = blank(side * m + 0.4, side * m + 0.6)
    grid = figure.add_gridspec(m, m)
    for row in range(m):
        ax = figure.add_subplot(grid[row, row])
        panels.quiet(ax, 7, ticks)
        panels.histogram(ax, view, points, columns[row])
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        _edge_labels(ax, view, columns, row, row)
    for left, row in combinations(range(m), 2):
        ax = figure.add_subplot(grid[row, left])
        panels.quiet(ax, 7, ticks)
        panels.scatter(ax, view, points, (columns[left], columns[row]), marks=False)
        _edge_labels(ax, view, columns, row, left)
    figure.align_labels()
    headed(figure, heading, notes)
    legend(figure, view, "upper right")
    return figure


def _edge_labels(ax: Axes, view: MixtureView, columns: list[int], row: int, left: int) -> None:
    """Names and numbers on the outer panels of the matrix only."""
    style = {**LABEL, "fontsize": 8.5, "labelpad": 4}
    if row == len(columns) - 1:
        ax.set_xlabel(wrapped(view.names[columns[left]], 22, 3), **style)
    else:
        ax.tick_params(labelbottom=False)
        ax.xaxis.get_offset_text().set_visible(False)
    if left == 0:
        ax.set_ylabel(wrapped(view.names[columns[row]], 22, 3), **style)
    else:
        ax.tick_params(labelleft=False)
        ax.yaxis.get_offset_text().set_visible(False)


def _notes(view: MixtureView, points: Points) -> list[str]:
    """What ellipses and colours mean, and how many rows are left out."""
    inner, outer = (f"{100 * c:g}%" for c in COVERAGES)
    whose = "the good rows of " * view.portrait.good_alone
    if len(view.weights) == 1:
        notes = [f"Ellipses: the regions that hold {inner} and {outer} of {whose}the group."]
    else:
        notes = [
            f"Ellipses: the regions that hold {inner} and {outer} of {whose}each group.",
            "Points between groups have mixed colours.",
        ]
    shown, n = len(points.shown), len(points.X)
    if shown < n:
        notes.append(f"{shown:,} of {n:,} rows drawn, chosen at random.")
    if points.left:
        gaps = f"Rows that miss cells ({points.left:,}) are in the panels whose cells they have."
        if len(view.names) == 2:
            gaps = f"Without {points.left:,} more of which a cell is missing."
        notes.append(gaps)
    return notes


def _names(view: MixtureView) -> str:
    names = [shorten(name, 24) for name in view.names]
    if len(names) > 4:
        return f"{len(names)} columns"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
