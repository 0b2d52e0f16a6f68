"""A block model as a figure: its network sorted by block, the block matrix, and small networks
drawn.

Loads Matplotlib.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.sparse import csr_array

from mixtura.data.networks.network import Network
from mixtura.records import Array
from mixtura.report.block_text import BlockView
from mixtura.report.chain_text import DARK
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.layout import spread
from mixtura.report.palette import colours, heat
from mixtura.report.panels import INK, QUIET

# Nodes that are drawn with their edges, and those of them with room for names.
MOST_DRAWN, MOST_NAMED = 150, 60
# Larger tables are drawn as the share of pairs with an edge in so many bins a side.
MOST_DOTS, BINS = 600, 250
# With more blocks the matrix has no room for numbers.
MOST_NUMBERED = 8
INCHES = 5.0


def draw_blocks(view: BlockView, network: Network) -> Figure:
    """The adjacency matrix sorted by block, the block matrix, and up to 150 nodes drawn.

    The network is the one that was fitted, its nodes in the order of the view's.
    """
    drawn = network.n <= MOST_DRAWN
    figure = blank(INCHES * (2 + drawn), INCHES + 0.9)
    axes = figure.subplots(1, 2 + drawn)
    _adjacency(axes[0], view, network)
    _matrix(axes[1], view)
    what = "are nodes"
    if view.sides:
        what = "are the first side's nodes and the other's"
    notes = [f"Left: rows and columns {what}, sorted by block; dark is joined."]
    if network.n > MOST_DOTS:
        notes = [
            f"Left: nodes sorted by block, in {BINS} bins a side; the darker, the more of the "
            "pairs in a bin are joined."
        ]
    if drawn:
        _drawing(axes[2], view, network)
        notes.append("Right: nodes that are joined lie close to each other.")
    headed(figure, view.headline, notes)
    return figure


def _adjacency(ax: Axes, view: BlockView, network: Network) -> None:
    """The matrix sorted by block, of bipartite networks the first side's rows to the other's."""
    order, first = np.argsort(view.labels, kind="stable"), network.first
    edges = csr_array(network.edges[order[: first or network.n]][:, order[first:]])
    n, m = edges.shape
    if network.n <= MOST_DOTS:
        strength = np.abs(edges.toarray())
        image = np.ma.masked_equal(strength, 0.0)
        most = float(np.quantile(strength[strength > 0], 0.98)) if edges.nnz else 1.0
        ax.imshow(image, cmap="Greys", vmin=-0.4 * most, vmax=most, interpolation="nearest")
    else:
        ax.imshow(
            _binned(edges), cmap="Greys", vmin=0.0, extent=(-0.5, m - 0.5, n - 0.5, -0.5),
            interpolation="nearest",
        )  # fmt: skip
    ax.set(xlim=(-0.5, m - 0.5), ylim=(n - 0.5, -0.5), aspect="auto" if first else "equal")
    _frame(ax)
    shades, sizes = (
        colours(len(view.weights)),
        np.bincount(view.labels, minlength=len(view.weights)),
    )
    rows, columns = view.ends
    for across, blocks in ((False, rows), (True, columns)):
        # Strips beside the matrix, as thick as a share of the other side.
        thick, start = 0.025 * (n if across else m), -0.5
        for k in blocks:
            corner = (start, -0.5 - 1.4 * thick) if across else (-0.5 - 1.4 * thick, start)
            size = (sizes[k], thick) if across else (thick, sizes[k])
            ax.add_patch(Rectangle(corner, *size, color=shades[k], lw=0, clip_on=False))
            if k != blocks[0]:
                (ax.axvline if across else ax.axhline)(start, color=QUIET, lw=0.5)
            start += sizes[k]
    words = ("to", "from") if view.directed else ("nodes by block", "")
    words = ("the other side's nodes", "the first side's") if view.sides else words
    ax.set_xlabel(words[0], **LABEL)
    ax.set_ylabel(words[1], **{**LABEL, "labelpad": 14})


def _binned(edges: csr_array) -> Array:
    """The share of pairs with an edge in each of BINS x BINS bins, its root: few edges show."""
    entries = edges.tocoo()
    bins = [np.linspace(0, size, BINS + 1) for size in edges.shape]
    counts, _, _ = np.histogram2d(entries.row, entries.col, bins=bins)
    return np.asarray(np.sqrt(counts / counts.max()))


def _frame(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(QUIET)
    ax.spines[:].set_linewidth(0.6)


def _matrix(ax: Axes, view: BlockView) -> None:
    """The block matrix as coloured squares, each as wide as the next, with their numbers."""
    (n, m), K = view.matrix.shape, len(view.weights)
    most = float(np.abs(view.matrix).max()) or 1.0
    for i in range(n):
        for j in range(m):
            value = float(view.matrix[i, j])
            share = min(abs(value) / most, 1.0)
            box: Any = {"facecolor": heat(share), "edgecolor": "white", "lw": 1.5}
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **box))
            if K <= MOST_NUMBERED:
                ink = "white" if share > DARK else INK
                text = f"{value:.2g}" if share > 1e-4 else "0"
                size = 12 - 0.6 * K
                ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=size)
    ax.set(xlim=(-0.5, m - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=9, labelbottom=False, labeltop=True)
    shades = colours(K)
    for axis, blocks in zip((ax.yaxis, ax.xaxis), view.ends, strict=True):
        axis.set_ticks(range(len(blocks)), [str(k) for k in blocks])
        for label, k in zip(axis.get_ticklabels(), blocks, strict=True):
            label.set(color=shades[k], fontweight="bold")
    ax.set_xlabel(view.head, **LABEL)


def _drawing(ax: Axes, view: BlockView, network: Network) -> None:
    n, shades = network.n, colours(len(view.weights))
    places = spread(network.edges + network.edges.T, view.labels)
    entries = network.edges.tocoo()
    kept = entries.row != entries.col if network.directed else entries.row < entries.col
    lines = np.stack([places[entries.row[kept]], places[entries.col[kept]]], axis=1)
    fade = float(np.clip(24.0 / max(len(lines), 1) ** 0.6, 0.12, 0.8))
    ax.add_collection(
        LineCollection(list(lines), colors=QUIET, linewidths=0.7, alpha=fade, zorder=1)
    )
    size = float(np.clip(9000.0 / n, 50.0, 230.0))
    paint = [shades[k] for k in view.labels]
    ax.scatter(
        places[:, 0], places[:, 1], s=size, c=paint, edgecolors="white", linewidths=0.8, zorder=2
    )
    names = [str(name) for name in view.nodes]
    if n <= MOST_NAMED and max(map(len, names)) <= 3:
        for (x, y), name in zip(places, names, strict=True):
            ax.text(
                x, y, name, ha="center", va="center_baseline", color="white", fontsize=6.5,
                fontweight="bold", zorder=3, parse_math=False,
            )  # fmt: skip
    ax.margins(0.06)
    ax.set_aspect("equal")
    ax.axis("off")
