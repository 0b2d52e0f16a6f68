"""Shares of ancestry as bars, K by K. Importing this module loads Matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mixtura.printable import printable
from mixtura.records import AnyArray, Array
from mixtura.report.frame import blank
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET

# Individuals up to so many have their names below the last panel.
MOST_NAMED = 120
# Names of groups up to so many lie level.
MOST_UPRIGHT = 8
# Inches: of a panel, of an individual, and how wide a figure is at least and at most.
HEIGHT, EACH, LEAST, MOST = 1.0, 0.11, 6.0, 16.0


def draw_ancestry(
    shares: Mapping[int | str, Array], names: Sequence[str] = (), groups: Sequence[str] = ()
) -> Figure:
    """A bar for each individual, stacked by population; a panel for each K, aligned across them.

    shares are arrays (n, K) by K, or by what is to stand beside them, with populations in one
    order, `Admixture.align`. Individuals come by their `groups` (n,), where there are any, else by
    the population that holds most of them in the first panel with the largest K, and there by its
    share.
    """
    panels = sorted(shares.items(), key=lambda panel: panel[1].shape[1])
    last = max(shares.values(), key=lambda Q: Q.shape[1])
    order = individuals_in_order(last, groups)
    n = len(last)
    width = float(np.clip(EACH * n, LEAST, MOST))
    named = bool(names) and n <= MOST_NAMED
    figure = blank(width, HEIGHT * len(shares) + 0.5 + (0.7 if named else 0.0))
    axes = list(figure.subplots(len(shares), 1, squeeze=False)[:, 0])
    palette = colours(last.shape[1])
    for ax, (name, Q) in zip(axes, panels, strict=True):
        _bars(ax, Q[order], palette)
        label = name if isinstance(name, str) else f"K = {name}"
        ax.set_ylabel(label, rotation=0, ha="right", va="center", color=INK, fontsize=9)
    for ax in axes[:-1]:
        ax.xaxis.set_major_locator(NullLocator())
    _below(axes[-1], [names[i] for i in order] if named else [], n)
    if groups:
        _grouped(axes, [groups[i] for i in order])
    return figure


def individuals_in_order(Q: Array, groups: Sequence[str] = ()) -> AnyArray:
    """By group, by the population with the largest share, and by that share, falling."""
    most = Q.argmax(axis=1)
    keys = [-Q.max(axis=1), most]
    if groups:
        keys.append(np.unique(list(groups), return_inverse=True)[1])
    return np.lexsort(keys)


def _bars(ax: Axes, Q: Array, palette: list[str]) -> None:
    n, K = Q.shape
    edges, floor = np.arange(n + 1) - 0.5, np.zeros(n)
    for k in range(K):
        top = floor + Q[:, k]
        ax.stairs(top, edges, baseline=floor, fill=True, color=palette[k], linewidth=0)
        floor = top
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)


def _below(ax: Axes, names: list[str], n: int) -> None:
    if names:
        ax.set_xticks(range(n), [printable(name) for name in names], rotation=90, fontsize=5.5)
        ax.tick_params(axis="x", length=0, pad=2, colors=QUIET)
    else:
        ax.xaxis.set_major_locator(NullLocator())
        ax.set_xlabel(f"{n:,} individuals", color=QUIET, fontsize=9)


def _grouped(axes: Sequence[Axes], groups: list[str]) -> None:
    """Lines between groups, and their names above the first panel."""
    starts = [0, *(i for i in range(1, len(groups)) if groups[i] != groups[i - 1])]
    ends = [*starts[1:], len(groups)]
    for ax in axes:
        for start in starts[1:]:
            ax.axvline(start - 0.5, color=INK, linewidth=0.8)
    few = len(starts) <= MOST_UPRIGHT
    for start, end in zip(starts, ends, strict=True):
        axes[0].text(
            (start + end - 1) / 2, 1.04, printable(groups[start]), va="bottom", color=INK,
            ha="center" if few else "left", rotation=0 if few else 35, fontsize=8 if few else 7,
        )  # fmt: skip
