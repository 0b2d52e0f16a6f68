"""The mixture in words and one table: what `summary()` and the command line print."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.families.digits import percent
from mixtura.inference import criteria
from mixtura.printable import printable_record
from mixtura.report import ends
from mixtura.report.chain_text import chain_table
from mixtura.report.digits import counted, total
from mixtura.report.page import plain
from mixtura.report.palette import colours
from mixtura.report.view import (
    LONGEST_NAME,
    ChainView,
    MixtureView,
    groups,
    listed,
    shorten,
    telling_columns,
    wrapped,
)
from mixtura.report.warnings_text import warnings
from mixtura.result import Fit, climbs

WIDTH = 100
# At most this many columns of the table are shown, and fewer where they do not fit.
MOST_COLUMNS = 6
HEADER_WIDTH = 18
# The headline names this many columns.
NAMED = 4
# A gap this small, relative to the log-likelihood per row, is rounding.
NO_MORE_THAN_ROUNDING = 1e-12

# What a certificate's verdicts are called in the report.
VERDICTS = {
    "interior maximum": "a maximum",
    "penalised maximum": "a maximum of the log-likelihood with its penalty against collapse",
    "ridge": "a ridge: flat in some direction",
    "saddle": "a saddle: it still rises in some direction",
    "boundary": "at the edge of what is possible",
    "not a maximum": "not a maximum of the likelihood, which this solver does not look for",
    "not converged": "not known: the fit did not converge to a top",
    "not examined": "not examined",
}


def to_text(view: MixtureView, width: int = WIDTH) -> str:
    """The report as plain text of at most `width` characters a line, without colour codes."""
    return plain(renderables(view, width), width)


def renderables(view: MixtureView, width: int = WIDTH) -> list[RenderableType]:
    """The report as Rich renderables, in order: headline, warnings, components, the fit.

    `width` is the width of the page they will be printed on; it decides how many columns fit.
    """
    view = printable_record(view)
    parts: list[RenderableType] = [Text(headline(view), style="bold")]
    found = warnings(view)
    if found:
        parts += ["", *(_warning(text) for text in found)]
    shown, cells = _fitting(view, width)
    parts += [_components(view, cells), _caption(view, shown)]
    if isinstance(view, ChainView):
        parts.append(chain_table(view))
    portrait = view.portrait
    words = portrait.words.replace("group", view.noun)
    shape = f"{portrait.name}: {words}" if words else portrait.name
    rows = [(portrait.label, shape), *_noise(view), *view.notes]
    if view.fit is not None:
        rows = [*_criteria(view.fit), *rows, *_climb(view.fit)]
    return [*parts, "", _block(rows)]


def headline(view: MixtureView) -> str:
    """One plain sentence: "2 groups in 272 rows of 2 columns (eruptions, waiting)"."""
    d = len(view.names)
    names = [shorten(name, LONGEST_NAME) for name in view.names[:NAMED]] + ["…"] * (d > NAMED)
    columns = f"{d} column{'s' if d > 1 else ''} ({', '.join(names)})"
    if view.fit is None:
        return f"{groups(view)} over {columns}; the parameters were given, not fitted"
    return f"{groups(view)} in {_rows(view.fit)} of {columns}"


def _rows(fit: Fit) -> str:
    """ "272 rows", or "400 rows (of total weight 558)" where the weights do not count rows."""
    if _weighted(fit):
        return f"{counted(fit.rows, 'row')} (of total weight {total(fit.weight)})"
    return f"{total(fit.weight)} row{'' if fit.weight == 1 else 's'}"


def _weighted(fit: Fit) -> bool:
    """Whether the weight is known not to be the number of rows, beyond rounding."""
    return fit.rows > 0 and not math.isclose(fit.weight, fit.rows, rel_tol=1e-9)


def _warning(text: str) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_row(Text("!", style="bold red"), Text(text))
    return row


def _fitting(view: MixtureView, width: int) -> tuple[list[int], list[tuple[str, tuple[str, ...]]]]:
    """(columns to show, their headers and cells): the most telling ones that fit the page."""
    cells = {}
    for j in telling_columns(view, MOST_COLUMNS):
        column = view.column(j)
        header = wrapped(column.name, HEADER_WIDTH)
        if column.header:
            header += f"\n{column.header}"
        cells[j] = (header, column.cells)
    widest = max(len(view.noun), *(len(view.label(k)) for k in range(len(view.weights))))
    room = width - len(f" {'':{widest}}    weight ")
    for count in range(len(cells), 0, -1):
        shown = telling_columns(view, count)
        used = sum(4 + max(map(len, [*cells[j][0].split("\n"), *cells[j][1]])) for j in shown)
        if used <= room or count == 1:
            return shown, [cells[j] for j in shown]
    return [], []


def _components(view: MixtureView, cells: list[tuple[str, tuple[str, ...]]]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(view.noun, justify="left" if view.called else "right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    for header, _ in cells:
        # As Text, so that brackets in a column's name are not read as markup.
        table.add_column(Text(header, justify="right"), justify="right", no_wrap=True)
    for k, colour in enumerate(colours(len(view.weights))):
        label = Text(view.label(k), style=f"bold {colour}")
        values = [Text(column[k]) for _, column in cells]
        table.add_row(label, percent(float(view.weights[k])), *values)
    return table


def _caption(view: MixtureView, shown: list[int]) -> RenderableType:
    text = " ".join(dict.fromkeys(c for j in shown if (c := view.column(j).caption)))
    text = text.replace("group", view.noun)
    hidden = [name for j, name in enumerate(view.names) if j not in shown]
    if hidden:
        most = f", those in which the {view.noun}s differ most" if len(view.weights) > 1 else ""
        text += (
            f" Shown are {counted(len(shown), 'column')}{most}; {len(hidden)} not shown: "
            f"{listed([shorten(name, LONGEST_NAME) for name in hidden])}."
        )
    return Padding(Text(text, style="dim"), (0, 0, 0, 2))


def _criteria(fit: Fit) -> list[tuple[str, str]]:
    p, loglik = fit.n_parameters, f"{fit.loglik:.2f}"
    if fit.bound:
        each = f"{fit.mean_loglik:.5g} per row"
        return [("bound", f"{loglik} in total, {each}; the log evidence is no lower")]
    minus_two = f"-2 × ({loglik})" if fit.loglik < 0 else f"-2 × {loglik}"
    bic, aic = criteria.bic(fit.loglik, p, fit.weight), criteria.aic(fit.loglik, p)
    n = total(fit.weight) + (" (total weight)" if _weighted(fit) else "")
    return [
        ("log-likelihood", f"{loglik} in total, {fit.mean_loglik:.5g} per row"),
        ("BIC", f"{bic:.2f} = {minus_two} + {p} parameters × ln {n}"),
        ("AIC", f"{aic:.2f} = {minus_two} + {p} parameters × 2; lower is better for both"),
    ]


def _noise(view: MixtureView) -> list[tuple[str, str]]:
    """How many rows are no group's, and how thinly they lie."""
    if view.noise is None:
        return []
    share, log_volume = view.noise
    rows = "" if view.fit is None else f", about {counted(round(share * view.fit.weight), 'row')}"
    told = f"spread evenly over a volume of {np.exp(log_volume):.4g} (density 1/V)"
    return [("noise", f"{percent(share)} of the rows{rows}, in no {view.noun}: {told}")]


def _climb(fit: Fit) -> list[tuple[str, str]]:
    """How the fit ended, what it cost, and what the starts met."""
    known = math.isfinite(fit.gap) and fit.verdict != "not a maximum"
    gap = f"about {fit.gap:.1e} per row" if known else "not known"
    if known and fit.gap <= NO_MORE_THAN_ROUNDING * (1 + abs(fit.mean_loglik)):
        gap = "no more than rounding"
    slope = f"{fit.gradient_norm:.1e}" if fit.gradient_norm >= 1e-6 else "below 1e-6"
    slope = slope if math.isfinite(fit.gradient_norm) else "not known"
    passes = f"{fit.passes:,} over all rows"
    if fit.sample_passes:
        passes += (
            f", {fit.sample_passes:,} more over {counted(fit.sample_rows, 'row')} for the starts"
        )
    penalty = "; with the penalty against collapse" if fit.penalised else ""
    rows = [
        ("ended", fit.reason + penalty),
        ("still to gain", f"{gap}; gradient norm {slope} (0 at an optimum)"),
        ("this point is", _verdict(fit)),
        ("passes", passes),
        ("solver, engine", f"{fit.solver}, {fit.engine}"),
        *([("remark", fit.remark)] if fit.remark else []),
    ]
    if fit.starts:
        rows.append(("starts", _starts(fit)))
    met, onward = ends.optima(fit), ends.further(fit)
    rows += [("optima met", met)] if met else []
    return [*rows, ("one more climb", onward)] if onward else rows


def _verdict(fit: Fit) -> str:
    """ "a maximum; ...", what the curvature says of the point reached."""
    certificate = fit.certificate
    text = VERDICTS.get(certificate.verdict, certificate.verdict)
    if certificate.verdict in ("boundary", "not examined") and certificate.detail:
        text += f": {certificate.detail}"
    elif certificate.verdict.endswith("maximum") and certificate.curvature is not None:
        share = percent(min(max(certificate.curvature, 0.0), 1.0))
        text += f"; in its flattest direction {share} of the information that labels would add"
    if certificate.saddles_left:
        count = counted(certificate.saddles_left, "saddle")
        text += f"; {count} met on the way and left"
    return text


def _starts(fit: Fit) -> str:
    """ "8 tried: 6 dropped early, 1 failed, 1 finished", and whether those finished agree."""
    count = Counter(start.outcome for start in fit.starts)
    said = [
        ("dropped", "dropped early"),
        ("failed", "failed"),
        ("collapsed", "collapsed"),
        ("kept", "finished"),
    ]
    met = ", ".join(f"{count[outcome]} {words}" for outcome, words in said if count[outcome])
    text = f"{len(fit.starts)} tried: {met}"
    if fit.moves:
        text += f"; {fit.moves} move{'s' * (fit.moves > 1)} of one group improved the best"
    own = fit.met
    if count["kept"] < 2 or own is None or own.unfinished:
        return text
    same = climbs([own])
    text += f"; {same} of {count['kept']} finished reached this same optimum"
    return text + (", so more starts may find a better one" if 2 * same < count["kept"] else "")


def _block(rows: list[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for key, value in rows:
        grid.add_row(key, Text(value))
    return Padding(grid, (0, 0, 0, 2))
