"""Solvers side by side, in words: one table, and what cannot be said in a number below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.inference.compare import Run
from mixtura.report.page import plain
from mixtura.report.palette import colours
from mixtura.solvers.convergence import ROUNDING

WIDTH = 100
NOTHING = "–"
TO_TOP = "to 1e-8"
HEADINGS = (
    "start", "solver", "passes", TO_TOP, "seconds", "log-lik.\nper row", "gap", "differs", "ended"
)  # fmt: skip
PENALISED = (
    "* with the penalty against collapse: the climb at maximum likelihood ran into a singularity"
)
ELSEWHERE = "ends by its own rule, which is not about the likelihood's maximum"
LEFT = ("solver", "ended")
MEANINGS = [
    ("passes", "over all rows; those of line searches and looks at the curvature count too"),
    (TO_TOP, "passes until the gap was at most 1e-8"),
    ("gap", "log-likelihood per row that is missing to the best end from the same start"),
    (
        "differs",
        "the largest difference from that end: means in standard deviations, variances as a "
        "share of theirs, weights; groups matched",
    ),
]


def to_text(runs: Sequence[Run], headline: str, width: int = WIDTH) -> str:
    """The comparison as plain text of at most `width` characters a line, without colour codes."""
    return plain(renderables(runs, headline), width)


def renderables(runs: Sequence[Run], headline: str) -> list[RenderableType]:
    """The comparison as Rich renderables: headline, table, notes, what the columns mean."""
    parts: list[RenderableType] = [Text(headline, style="bold"), _table(runs)]
    notes = _notes(runs)
    if notes:
        parts += [_block(notes), ""]
    return [*parts, _block(MEANINGS, "dim")]


def _table(runs: Sequence[Run]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in HEADINGS:
        left = heading in LEFT
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    shades = solver_colours(runs)
    for i, run in enumerate(runs):
        first = i == 0 or runs[i - 1].start != run.start
        if first and i:
            table.add_section()
        table.add_row(
            str(run.start) if first else "",
            Text(run.solver, style=f"bold {shades[run.solver]}".rstrip()),
            *_numbers(run),
            _ended(run),
        )
    return table


def _numbers(run: Run) -> tuple[str, ...]:
    if run.mean_loglik is None or run.gap is None or run.difference is None:
        return (f"{run.passes:,}" if run.passes else NOTHING, *[NOTHING] * 5)
    return (
        f"{run.passes:,}",
        NOTHING if run.passes_to_top is None else f"{run.passes_to_top:,}",
        f"{run.seconds:.2g}" if run.seconds < 100 else f"{run.seconds:,.0f}",
        f"{run.mean_loglik:.6f}",
        small(run.gap, ROUNDING * (1 + abs(run.mean_loglik))),
        small(run.difference, 0.0),
    )


def small(value: float, rounding: float) -> str:
    """A gap or difference in few characters: "0", "3e-09", "0.0012"."""
    if value <= rounding:
        return "0"
    if value < 1e-3:
        return f"{value:.0e}"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _ended(run: Run) -> str:
    if run.failed:
        return "failed" if run.passes else "did not run"
    return f"{run.verdict} *" if run.penalised else run.verdict


def _notes(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(solver, sentence), each said once with the starts it is true of."""
    said: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        if run.penalised:
            said.setdefault((run.solver, PENALISED), []).append(run.start)
        if run.verdict == "not a maximum":
            said.setdefault((run.solver, ELSEWHERE), []).append(run.start)
        if run.failed or not run.converged:
            said.setdefault((run.solver, run.reason), []).append(run.start)
        elif run.ran != run.solver:
            said.setdefault((run.solver, f"climbed by {run.ran}"), []).append(run.start)
    starts = len({run.start for run in runs})
    return [
        (solver, sentence if len(where) == starts else f"{_from(where)}: {sentence}")
        for (solver, sentence), where in said.items()
    ]


def _from(starts: list[int]) -> str:
    return f"start{'s' * (len(starts) > 1)} {', '.join(map(str, starts))}"


def _block(rows: list[tuple[str, str]], style: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(style=style)
    for key, value in rows:
        grid.add_row(key, Text(value))
    return Padding(grid, (0, 0, 0, 2))


def solver_colours(runs: Sequence[Run]) -> dict[str, str]:
    """Each solver's colour, the same in text and in figures; empty (that of text) for "auto"."""
    names = list(dict.fromkeys(run.solver for run in runs))
    painted = [name for name in names if name != "auto"]
    shades = dict(zip(painted, colours(len(painted)), strict=True))
    return {name: shades.get(name, "") for name in names}
