"""A block model as plain text: its blocks, how they are joined, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.families.digits import percent
from mixtura.fitting.networks.auto import Choice
from mixtura.records import AnyArray, Array
from mixtura.report.digits import counted
from mixtura.report.page import plain
from mixtura.report.palette import colours
from mixtura.result import Fit

# More blocks than these have no room for a matrix; so many nodes of each are named.
MOST_MATRIX, NAMED, FAINTEST = 12, 6, 1e-4
HEADS = {"bernoulli": "chance of an edge", "poisson": "expected edges", "gaussian": "mean"}
RATIO = "edges, as a multiple of what degrees alone would give"


@dataclass(frozen=True)
class BlockView:
    """What reports and figures show of a fitted block model.

    labels and nodes (n,); weights (K,); matrix (K, K): theta, or multiples of what degrees would
    give, (K1, K2) of bipartite networks, whose sides have so many nodes; icl, description and
    profile are None where the model has none.
    """

    law: str
    corrected: bool
    directed: bool
    labels: AnyArray
    nodes: AnyArray
    weights: Array
    matrix: Array
    n_edges: int
    icl: float | None
    description: float | None
    profile: float | None
    path: tuple[Choice, ...]
    fit: Fit
    sides: tuple[int, int] | None = None

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of each side."""
        return self.matrix.shape if self.sides else (len(self.weights),)

    @property
    def ends(self) -> tuple[list[int], list[int]]:
        """Which blocks are the rows of the matrix, and which its columns."""
        K = len(self.weights)
        first = self.blocks[0] if self.sides else 0
        return list(range(first or K)), list(range(first, K))

    @property
    def head(self) -> str:
        """What the matrix holds, in words."""
        return RATIO if self.corrected else HEADS[self.law]

    @property
    def headline(self) -> str:
        """Blocks, nodes, edges and the law in one line."""
        kind = "degree-corrected" if self.corrected else self.law
        form = "directed" if self.directed else "bipartite" if self.sides else "undirected"
        blocks = _both(self.blocks, "block")
        nodes = _both(self.sides or (len(self.labels),), "node")
        return f"{blocks} in {nodes} with {counted(self.n_edges, 'edge')} ({kind}, {form})"


def _both(numbers: tuple[int, ...], what: str) -> str:
    *first, last = numbers
    return " and ".join([*(f"{number:,}" for number in first), counted(last, what)])


def to_text(view: BlockView, width: int) -> str:
    """The report in lines of at most `width` characters, without colour codes."""
    return plain(renderables(view), width)


def renderables(view: BlockView) -> list[RenderableType]:
    """The report as Rich renderables: headline, blocks, matrix, how the fit went."""
    facts = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _facts(view):
        facts.add_row(f"  {name}", value)
    parts: list[RenderableType] = [Text(view.headline, style="bold"), _blocks(view)]
    if len(view.weights) <= MOST_MATRIX:
        rows = " Rows are where edges begin." if view.directed else ""
        rows = " Rows are the first side's." if view.sides else rows
        caption = f"{view.head.capitalize()}, between blocks.{rows}"
        parts += [_matrix(view), Padding(Text(caption, style="dim"), (0, 0, 1, 2))]
    parts.append(facts)
    if view.fit.remark:
        parts.append(Padding(Text(f"Note: {view.fit.remark}."), (1, 0, 0, 2)))
    return parts


def _blocks(view: BlockView) -> Table:
    """Each block's share, nodes, and the names of some."""
    K = len(view.weights)
    sizes = np.bincount(view.labels, minlength=K)
    table = _table("block", "share", "nodes")
    table.add_column("among them", no_wrap=True, overflow="ellipsis")
    for k, colour in enumerate(colours(K)):
        members = view.nodes[view.labels == k]
        some = ", ".join(str(name) for name in members[:NAMED])
        more = ", ..." if len(members) > NAMED else ""
        label = Text(str(k), style=f"bold {colour}")
        table.add_row(label, percent(float(view.weights[k])), f"{sizes[k]:,}", some + more)
    return table


def _matrix(view: BlockView) -> Table:
    """The block matrix; what is next to nothing beside its largest entry is 0."""
    rows, columns = view.ends
    table = _table("", *(str(k) for k in columns))
    least = FAINTEST * float(np.abs(view.matrix).max())
    shades = colours(len(view.weights))
    for k, line in zip(rows, view.matrix, strict=True):
        cells = [f"{value:.2g}" if abs(value) >= least else "0" for value in line]
        table.add_row(Text(str(k), style=f"bold {shades[k]}"), *cells)
    return table


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True, min_width=len(head))
    return table


def _facts(view: BlockView) -> Iterator[tuple[str, str]]:
    fit = view.fit
    estimate = " (Bethe's estimate)" if fit.solver == "belief propagation" else ""
    yield ("bound" if fit.bound else "log-likelihood"), f"{fit.loglik:.3f} nats{estimate}"
    if view.profile is not None:
        yield "profile", f"{view.profile:.5f} nats (Karrer & Newman's L)"
    if view.icl is not None:
        yield "ICL", f"{view.icl:.3f} nats, the higher the better"
    if view.description is not None:
        yield "description", f"{view.description:.3f} nats, the lower the better"
    if view.path:
        yield "compared", _compared(view.path)
    if fit.verdict == "local maximum":
        yield "this point is", "a maximum: no node gains by going elsewhere"
    yield "ended", f"{fit.reason} after {counted(fit.iterations, 'step')}"
    yield "starts", _starts(fit)
    yield "solver, engine", f"{fit.solver}; {fit.engine}"


def _compared(path: tuple[Choice, ...]) -> str:
    """The criterion of each number of blocks, the best few."""
    sign = 1.0 if path[0].criterion == "icl" else -1.0
    best = sorted(path, key=lambda each: -sign * each.value)[:4]
    each = [
        f"{_number(one)}{' with degrees' if one.corrected else ''}: {one.value:.2f}" for one in best
    ]
    return f"{counted(len(path), 'model')} by {path[0].criterion}; best {', '.join(each)}"


def _number(choice: Choice) -> str:
    return " and ".join(str(K) for K in choice.sides or (choice.n_blocks,))


def _starts(fit: Fit) -> str:
    landscape = fit.landscape
    if not landscape:
        return "none"
    if len(fit.starts) == 1:
        return f"1: {fit.starts[0].name}"
    top = sum(landscape[0].hits.values())
    finished = sum(sum(one.hits.values()) for one in landscape)
    text = f"{finished}, which met {counted(len(landscape), 'end')}; {top} at the best of them"
    return f"{text}; {counted(fit.moves, 'move')} of blocks gained" if fit.moves else text
