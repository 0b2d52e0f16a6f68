"""What an experiment of the laboratory is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixtura.report.digits import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Is told how many of all pieces of work are done.
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Numbers:
    """A table: its caption, the names of its columns and its rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def text(self) -> str:
        """Right-aligned columns under their names."""
        cells = [self.columns, *(tuple(map(_cell, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in cells]
        return "\n".join([self.caption, *(f"  {line}" for line in lines)])


@dataclass(frozen=True)
class Findings:
    """tables, in order, and what draws their figure."""

    tables: tuple[Numbers, ...]
    figure: Callable[[], Figure]


@dataclass(frozen=True)
class Experiment:
    """title, theorem (what is known, with its source), and what runs it with a seed and a `Told`.

    `settings` are the sizes that `run` takes besides, and their defaults.
    """

    title: str
    theorem: str
    run: Callable[..., Findings]
    settings: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """An experiment and what it found; frozen."""

    name: str
    experiment: Experiment
    findings: Findings

    def summary(self) -> str:
        """The theorem and the tables as text."""
        parts = [self.experiment.title, self.experiment.theorem]
        return "\n\n".join(parts + [table.text() for table in self.findings.tables])

    def figure(self) -> Figure:
        """The figure."""
        return self.findings.figure()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return {
            "experiment": self.name,
            "title": self.experiment.title,
            "theorem": self.experiment.theorem,
            "tables": [
                {
                    "caption": table.caption,
                    "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
                }
                for table in self.findings.tables
            ],
        }

    def __repr__(self) -> str:
        return f"Report({self.name!r}, {counted(len(self.findings.tables), 'table')})"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
