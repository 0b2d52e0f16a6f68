"""Merges of components, in words: one line for each."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.inference.merging import Merge
from mixtura.report.digits import total
from mixtura.report.page import plain

WIDTH = 100
HEADINGS = ("groups", "merged", "entropy", "drop", "rows", "")
Suggested = tuple[int | None, int | None]


def to_text(
    steps: Sequence[Merge], entropy: float, suggested: Suggested, headline: str, width: int = WIDTH
) -> str:
    """The merges as plain text of at most `width` characters a line, without colour codes."""
    return plain(renderables(steps, entropy, suggested, headline), width)


def renderables(
    steps: Sequence[Merge], entropy: float, suggested: Suggested, headline: str
) -> list[RenderableType]:
    """The merges as Rich renderables: headline, table, what it means."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in HEADINGS:
        left = heading in ("merged", "")
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    K = len(steps) + 1
    table.add_row(str(K), "", f"{entropy:.2f}", "", "", _mark(K, suggested))
    for step in steps:
        table.add_row(
            str(step.groups),
            f"{_group(step.first)} with {_group(step.second)}",
            f"{step.entropy:.2f}",
            f"{step.drop:.2f}",
            total(step.rows),
            _mark(step.groups, suggested),
        )
    notes = (
        "entropy: how unclear it is which group the rows belong to, in nats; 0 is none. The pair "
        "is merged that lowers it most (Baudry et al. 2010).\n"
        "rows: those of the two groups. suggested: where a line of two pieces fits the entropy "
        "best; all groups where there is next to none."
    )
    return [Text(headline, style="bold"), table, Padding(Text(notes, style="dim"), (0, 0, 0, 2))]


def _group(components: tuple[int, ...]) -> str:
    return "+".join(map(str, components))


def _mark(groups: int, suggested: Suggested) -> str:
    by_number, by_rows = (groups == each for each in suggested)
    if by_number:
        return "suggested"
    return "suggested by rows merged" if by_rows else ""
