"""A search over mixtures in words: a heat table of the criterion, and the best five."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.report.page import plain

WIDTH = 100
BEST = 5
MARKS = "¹²³⁴⁵"
PRUNED, REFUSED = "·", "–"
# Ranks beyond this share of the table have no colour.
COLOURED = 0.6
HOT, COLD = (0, 114, 178), (238, 243, 247)
LABELS = {
    "bic": "BIC",
    "icl": "ICL",
    "aic": "AIC",
    "aicc": "AICc",
    "heldout": "held-out log-likelihood per row",
    "slope": "slope heuristic",
}


@dataclass(frozen=True)
class Selection:
    """The criterion of every cell, in its own sign.

    values[i, j] is that of names[i] with components[j]: nan where there is none, and then
    pruned[i, j] says whether it was left out. larger says whether larger is better. noun is what
    the names are: one of them, and several. prior says what that of the best one is worth; untried
    which of those asked for were not tried, and why.
    """

    criterion: str
    larger: bool
    names: tuple[str, ...]
    components: tuple[int, ...]
    values: Array
    pruned: Array
    rows: int
    columns: int
    noun: tuple[str, str] = ("structure", "structures")
    prior: str = ""
    untried: str = ""

    @property
    def label(self) -> str:
        """The criterion's name and direction."""
        return f"{LABELS[self.criterion]}, {'larger' if self.larger else 'smaller'} is better"

    @property
    def headline(self) -> str:
        """One sentence: what was searched."""
        noun = self.noun[len(self.names) > 1]
        return (
            f"{len(self.names)} {noun} with {_range(self.components)} groups in "
            f"{counted(self.rows, 'row')} of {counted(self.columns, 'column')}"
        )

    def order(self) -> list[tuple[int, int]]:
        """The cells that have a value, the best first."""
        worse = -self.values if self.larger else self.values
        flat = np.argsort(np.where(np.isnan(worse), np.inf, worse), axis=None, kind="stable")
        found = int(np.count_nonzero(~np.isnan(worse)))
        places = [divmod(int(place), worse.shape[1]) for place in flat[:found]]
        return [(i, j) for i, j in places]


def _range(components: Sequence[int]) -> str:
    first, last = components[0], components[-1]
    if list(components) == list(range(first, last + 1)) and last > first:
        return f"{first} to {last}"
    return ", ".join(map(str, components))


def to_text(selection: Selection, width: int = WIDTH) -> str:
    """Plain text of at most `width` characters a line, without colour codes."""
    return plain(renderables(selection, width), width)


def renderables(selection: Selection, width: int = WIDTH) -> list[RenderableType]:
    """Headline, heat table in blocks as wide as there is room, the best five, what marks mean."""
    digits = _digits(selection)
    ranks = {place: rank for rank, place in enumerate(selection.order())}
    widest = max(len(_number(value, digits)) for value in selection.values.flat) + 1
    room = width - 4 - max(len(name) for name in selection.names)
    across = max(1, room // (widest + 2))
    parts: list[RenderableType] = [
        Text(selection.headline, style="bold"),
        Text(f"  {selection.label}"),
        *([Text(f"  prior of the best: {selection.prior}")] if selection.prior else []),
        *([Text(f"  {selection.untried}")] if selection.untried else []),
    ]
    numbers = range(len(selection.components))
    for first in range(0, len(numbers), across):
        parts.append(_heat(selection, ranks, digits, numbers[first : first + across]))
    return [
        *parts,
        _best(selection, digits),
        Padding(Text(_legend(selection), "dim"), (0, 0, 0, 2)),
    ]


def _heat(
    selection: Selection, ranks: dict[tuple[int, int], int], digits: int, shown: Sequence[int]
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, padding=(0, 1), header_style="bold")
    table.add_column("", no_wrap=True)
    for j in shown:
        table.add_column(f"{selection.components[j]} ", justify="right", no_wrap=True)
    for i, name in enumerate(selection.names):
        table.add_row(name, *(_cell(selection, ranks, digits, i, j) for j in shown))
    return table


def _cell(
    selection: Selection, ranks: dict[tuple[int, int], int], digits: int, i: int, j: int
) -> Text:
    rank = ranks.get((i, j))
    if rank is None:
        return Text(f"{PRUNED if selection.pruned[i, j] else REFUSED} ", style="dim")
    mark = MARKS[rank] if rank < BEST else " "
    return Text(_number(selection.values[i, j], digits) + mark, style=_shade(rank, len(ranks)))


def _shade(rank: int, count: int) -> str:
    """From saturated for the best to nothing for the worse part."""
    share = rank / max(1.0, COLOURED * count)
    if share >= 1:
        return ""
    mix = [
        round(hot + (cold - hot) * math.sqrt(share)) for hot, cold in zip(HOT, COLD, strict=True)
    ]
    ink = "bold white" if rank == 0 else "white" if share < 0.12 else "black"
    return f"{ink} on #{mix[0]:02x}{mix[1]:02x}{mix[2]:02x}"


def _best(selection: Selection, digits: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="bold")
    for heading, left in (("", True), (selection.noun[0], True), ("groups", False)):
        table.add_column(heading, justify="left" if left else "right")
    table.add_column(LABELS[selection.criterion], justify="right")
    table.add_column("from the best", justify="right")
    places = selection.order()[:BEST]
    for mark, (i, j) in zip(MARKS, places, strict=False):
        value, best = selection.values[i, j], selection.values[places[0]]
        table.add_row(
            mark,
            selection.names[i],
            str(selection.components[j]),
            _number(value, digits),
            f"{value - best:+.{digits}f}" if (i, j) != places[0] else "",
        )
    return table


def _legend(selection: Selection) -> str:
    shown = MARKS[: len(selection.order()[:BEST])]
    said = [f"¹ to {shown[-1]}: the best, in order" if len(shown) > 1 else "¹: the best"]
    if selection.pruned.any():
        said.append(f"{PRUNED} left out: two numbers of groups running were worse")
    if (np.isnan(selection.values) & (selection.pruned == 0)).any():
        said.append(f"{REFUSED} no mixture without a collapsed or empty group was found")
    return "; ".join(said)


def _digits(selection: Selection) -> int:
    """Enough decimals to tell the best five apart, from one to four."""
    values = sorted(abs(selection.values[place] - selection.values[selection.order()[0]])
                    for place in selection.order()[1:BEST])  # fmt: skip
    least = values[0] if values and values[0] > 0 else 1.0
    fewest = 4 if selection.criterion == "heldout" else 1
    return int(np.clip(math.ceil(-math.log10(least)), fewest, 5))


def _number(value: float, digits: int) -> str:
    return REFUSED if math.isnan(value) else f"{value:.{digits}f}"
