"""How states follow each other, on the command line: first states, transitions, stays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.console import split_names
from mixtura.cli.grouped import Grouped

if TYPE_CHECKING:
    from mixtura.cli.chain_data import ToFit

Initial = StrEnum("Initial", ["free", "stationary"])
Durations = StrEnum("Durations", ["geometric", "poisson", "negativebinomial", "free"])
Topology = StrEnum(
    "Topology",
    [
        ("left_right", "left-right"),
        ("linear", "linear"),
        ("cyclic", "cyclic"),
        ("banded", "banded"),
    ],
)


@dataclass(frozen=True)
class Following(Grouped):
    """The laws of first states, of transitions and of how long states last."""

    initial: Annotated[
        Initial, typer.Option(help="The law of first states: estimated, or the transitions' own.")
    ] = Initial.free
    durations: Annotated[
        Durations | None,
        typer.Option(
            help="The law of how long states last; default geometric, as transitions say.",
            show_default=False,
        ),
    ] = None
    max_duration: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="INT",
            help="From there on a stay ends with one probability.",
            show_default=False,
        ),
    ] = None
    covariates: Annotated[
        str | None,
        options.columns("COLUMNS", "What transitions hang on, and states do not hold."),
    ] = None
    initial_covariates: Annotated[
        str | None, options.columns("COLUMNS", "What the first state of a sequence hangs on.")
    ] = None
    topology: Annotated[
        Topology | None,
        typer.Option(help="Which transitions there are; default all.", show_default=False),
    ] = None

    def settings(self, data: ToFit) -> dict[str, Any]:
        """The estimator's; ValueError in the command's words."""
        return {
            "initial": str(self.initial),
            "topology": None if self.topology is None else str(self.topology),
            "durations": self._lengths(),
            "max_duration": self.max_duration,
            **self._hanging(data),
        }

    def _hanging(self, data: ToFit) -> dict[str, list[str] | None]:
        """The columns that moves and first states hang on."""
        from mixtura.data.column_positions import positions

        if self.initial_covariates is not None and len(data.lengths) == 1:
            raise ValueError(
                "--initial-covariates: the table is one sequence, whose one first state tells of "
                "no covariate: name the column of sequences, --sequence"
            )
        asked = {"covariates": split_names(self.covariates)}
        asked["initial_covariates"] = split_names(self.initial_covariates)
        for name, columns in asked.items():
            if columns is not None:
                positions(columns, data.shown.rows.names, f"--{name.replace('_', '-')}")
        return asked

    def _lengths(self) -> str | None:
        """The name of the law of stays; ValueError where it lacks its end."""
        if self.durations == "free" and self.max_duration is None:
            raise ValueError("--durations free has a number for each length: give --max-duration")
        if self.durations is None and self.max_duration is not None:
            raise ValueError(
                "--max-duration is for --durations: give the law of how long states last"
            )
        return None if self.durations is None else str(self.durations)
