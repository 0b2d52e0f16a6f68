"""How many components, in words: one line for each test, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.inference.montecarlo import Trial
from mixtura.report.digits import counted
from mixtura.report.page import plain

WIDTH = 100
HEADINGS = ("groups", "against", "2 × gain", "p-value", "95 % interval", "resamples", "verdict")
VERDICTS = {True: "too few", False: "not rejected"}


def to_text(
    trials: Sequence[Trial], headline: str, level: float, risk: float, width: int = WIDTH
) -> str:
    """The tests as plain text of at most `width` characters a line, without colour codes."""
    return plain(renderables(trials, headline, level, risk), width)


def renderables(
    trials: Sequence[Trial], headline: str, level: float, risk: float
) -> list[RenderableType]:
    """The tests as Rich renderables: headline, table, what it means."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in HEADINGS:
        left = heading == "verdict"
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    for trial in trials:
        low, high = trial.interval
        table.add_row(
            str(trial.n_components),
            str(trial.n_components + 1),
            f"{trial.statistic:.2f}",
            f"{trial.p_value:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{trial.resamples:,}",
            _verdict(trial),
        )
    notes = "\n".join(_notes(trials, level, risk))
    return [Text(headline, style="bold"), table, Padding(Text(notes, style="dim"), (0, 0, 0, 2))]


def _verdict(trial: Trial) -> str:
    if trial.ended == "interrupted":
        return "interrupted"
    said = VERDICTS[trial.rejected]
    return said if trial.ended == "decided" else f"{said} (unsure)"


def _notes(trials: Sequence[Trial], level: float, risk: float) -> list[str]:
    notes = [
        "2 × gain: twice what one more group adds to the log-likelihood. p-value: how often as "
        "much is gained in tables drawn from the smaller mixture, searched in the same way."
    ]
    if risk:
        notes.append(
            f"Resamples are drawn until endlessly many would decide otherwise at level {level:g} "
            f"with a probability of at most {risk:g} (Gandy 2009)."
        )
    if any(trial.ended == "undecided" for trial in trials) and risk:
        notes.append("Unsure: the resamples ran out first; the p-value itself was compared.")
    failed = sum(trial.failed for trial in trials)
    if failed:
        notes.append(
            f"{counted(failed, 'resample')} without a regular maximum: they count as more."
        )
    return notes
