"""mixtura lab: what the theorems on mixtures say, shown by experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mixtura.cli import options
from mixtura.cli.console import WIDEST, command, print_json, print_text, stdout
from mixtura.cli.options import AsJson, Seed
from mixtura.cli.outputs import drawn, refuse_no_figure
from mixtura.cli.working import Working


@command
def lab(
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="Which; without one they are listed."),
    ] = None,
    figure: Annotated[Path | None, options.figure("Draw it there.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Show what a theorem on mixtures says: tables and a figure, each in less than two minutes."""
    from mixtura import lab as laboratory

    if experiment is None:
        if figure is not None or seed:
            given = f"--seed {seed}" if figure is None else f"--figure {figure}"
            raise ValueError(
                f"{given}: of which experiment? Name it: {', '.join(laboratory.EXPERIMENTS)}"
            )
        _list(as_json)
        return
    laboratory.experiment(experiment)
    if figure is not None:
        refuse_no_figure(figure)
    with Working(experiment) as working:
        report = laboratory.run(experiment, seed=seed, told=working.counted)
        working.doing = "drawing"
        figure = drawn(figure, report.figure, few_colours=True)
    if as_json:
        print_json(report.to_dict() | {"files": {"figure": figure and str(figure)}})
        return
    print_text(_wrapped(report.summary()))
    if figure is not None:
        print_text(f"\nwrote {figure} (figure)")


def _list(as_json: bool) -> None:
    from mixtura import lab as laboratory

    titles = {name: laboratory.experiment(name).title for name in laboratory.EXPERIMENTS}
    if as_json:
        print_json(titles)
        return
    widest = max(map(len, titles))
    print_text("\n".join(f"{name:{widest}}  {title}" for name, title in titles.items()))
    print_text("\nmixtura lab NAME --figure FIG.png runs one")


def _wrapped(text: str) -> str:
    """Paragraphs as wide as reports are, tables as they are."""
    import textwrap

    width = min(stdout.width, WIDEST) if stdout.is_terminal else WIDEST
    lines = text.split("\n")
    return "\n".join(line if line.startswith(" ") else textwrap.fill(line, width) for line in lines)
