"""Robust fits on the command line: `--noise`, `--trim`, `--eigenvalue-ratio`, `--prior`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mixtura.cli.grouped import Grouped
from mixtura.cli.options import CURES


@dataclass(frozen=True)
class Robust(Grouped):
    """What keeps a fit from being led by some rows, or into a singularity."""

    noise: Annotated[
        bool,
        typer.Option(
            "--noise",
            help="Rows may belong to no group: noise, spread over the table's box.",
            rich_help_panel=CURES,
        ),
    ] = False
    noise_volume: Annotated[
        str | None,
        typer.Option(
            metavar="box|mclust|V",
            show_default="box",
            help="With --noise: the box of the columns, mclust's, or a volume in their units.",
            rich_help_panel=CURES,
        ),
    ] = None
    trim: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="SHARE",
            help="Leave out this share of the rows, the least dense; below 0.5.",
            rich_help_panel=CURES,
        ),
    ] = 0.0
    eigenvalue_ratio: Annotated[
        float | None,
        typer.Option(
            "--eigenvalue-ratio",
            min=1.0,
            metavar="C",
            help="At most so far apart may the groups' spreads be, in the table's units made even.",
            rich_help_panel=CURES,
        ),
    ] = None
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="fraley-raftery",
            help="A conjugate prior of Gaussian groups: that of R's mclust.",
            rich_help_panel=CURES,
        ),
    ] = None

    def settings(self, gaussian: bool) -> dict[str, Any]:
        """The estimator's, those that were asked for; ValueError where they do not agree."""
        trim, ratio = self.trim, self.eigenvalue_ratio
        if self.prior is not None:
            return _prior(self.prior, self.noise or bool(trim) or ratio is not None, gaussian)
        found = _noise(self.noise, self.noise_volume)
        if not trim < 0.5:
            raise ValueError(f"--trim {trim:g} is half of the rows or more: give a share below 0.5")
        if found and trim:
            raise ValueError(
                "--noise and --trim both leave rows out of the groups: use one of them"
            )
        for option, value in (("--trim", trim), ("--eigenvalue-ratio", ratio)):
            if value and not gaussian:
                raise ValueError(f"{option} {value:g} is for Gaussian groups: leave out --family")
        if trim:
            found["trim"] = trim
        if ratio is not None:
            from mixtura import EigenvalueRatio

            found["constraint"] = EigenvalueRatio(ratio)
        return found


def _prior(prior: str, others: bool, gaussian: bool) -> dict[str, Any]:
    """The setting of a prior; ValueError where it is none, or has no place."""
    if prior != "fraley-raftery":
        raise ValueError(f"--prior {prior}: write fraley-raftery, the one known by name")
    if others:
        raise ValueError("--prior goes without --noise, --trim and --eigenvalue-ratio: use one")
    if not gaussian:
        raise ValueError(f"--prior {prior} is for Gaussian groups: leave out --family")
    return {"prior": prior}


def _noise(noise: bool, volume: str | None) -> dict[str, Any]:
    """The setting of noise; ValueError for a volume without it, or that is none."""
    asked = _volume(volume)
    if noise:
        return {"noise": asked}
    if volume is not None:
        raise ValueError(f"--noise-volume {volume} is for --noise: add that, or leave it out")
    return {}


def _volume(volume: str | None) -> bool | str | float:
    """The estimator's word for a volume; ValueError where it is none."""
    if volume is None or volume == "box":
        return True
    if volume == "mclust":
        return "mclust"
    try:
        number = float(volume)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"--noise-volume {volume}: write box, mclust, or a number above 0")
    return number
