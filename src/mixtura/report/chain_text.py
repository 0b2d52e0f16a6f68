"""How states follow each other: the part of a report that hidden Markov models add."""

from __future__ import annotations

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.records import Array
from mixtura.report.palette import colours, heat
from mixtura.report.view import ChainView

# Of a share above this the colour is so dark that figures on it are white.
DARK = 0.5
CAPTION = (
    "begins: law of a sequence's first state. lasts: expected steps of a stay{how}. "
    "Rows are the state now, columns the next one{which}."
)


def chain_table(view: ChainView) -> RenderableType:
    """First states, how long states last, and the transition matrix, coloured by its shares."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    K = len(view.initial)
    for name in ("state", "begins", "lasts", *(f"to {k}" for k in range(K))):
        table.add_column(name, justify="right", no_wrap=True)
    for k, colour in enumerate(colours(K)):
        moves = [Text(f"{share:.3f}", style=_shade(float(share))) for share in view.transitions[k]]
        label = Text(str(k), style=f"bold {colour}")
        table.add_row(label, f"{view.initial[k]:.3f}", lasting(float(view.stays[k])), *moves)
    plain = view.durations is None
    how, which = (", 1 / (1 - P(stay))", "") if plain else ("", ", once a stay ends")
    caption = CAPTION.format(how=how, which=which)
    shown: list[RenderableType] = [table, Padding(Text(caption, style="dim"), (0, 0, 0, 2))]
    if view.logits is not None:
        shown.append(Padding(Text(_odds(view)), (1, 0, 0, 2)))
    return Group(*shown)


def _odds(view: ChainView) -> str:
    """The log-odds of each move beside staying, a line for each."""
    assert view.logits is not None
    lines: list[str] = []
    if view.covariates:
        plain = view.durations is None
        what = "staying" if plain else "one to the first other state"
        lines.append(f"Log-odds of a move, beside {what}, at the covariates of the step before it:")
        told = np.arange(len(view.weights)) if plain else (view.transitions > 0).argmax(axis=1)
        for i, j in np.argwhere(view.transitions > 0):
            if j != told[i]:
                lines.append(f"  {i} to {j}   {_line(view.logits[i, j], view.covariates)}")
    if view.first_logits is not None and len(view.weights) > 1:
        beside = view.begun[0]
        lines.append(f"Log-odds of a first state, beside {beside}, at the covariates of its step:")
        for k, odds in enumerate(view.first_logits):
            met = k in view.begun
            told = _line(odds, view.first_covariates) if met else "no sequence begins in it"
            lines += [f"  {k}   {told}"] * (k != beside)
    return "\n".join(lines)


def _line(coefficients: Array, names: tuple[str, ...]) -> str:
    """An intercept and what is added to it."""
    each = zip(coefficients[1:], names, strict=True)
    slopes = "".join(f" {'-' if b < 0 else '+'} {abs(b):.4g} {name}" for b, name in each)
    return f"{coefficients[0]:.4g}{slopes}"


def lasting(stay: float) -> str:
    """Expected steps of a stay, in words where it never ends."""
    return f"{stay:.3g}" if stay < float("inf") else "always"


def _shade(share: float) -> str:
    return f"{'white' if share > DARK else 'black'} on {heat(share)}"
