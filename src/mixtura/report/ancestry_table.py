"""Numbers of populations side by side: what `mixtura ancestry` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from mixtura.records import Array
from mixtura.report.page import plain

_WIDTH = 100
# Ends that are listed of a number's climbs.
_ENDS = 3


def ancestry_table(trials: Sequence[Any], individuals: int, best: int) -> str:
    """A line for each number of populations: likelihood, errors, and the ends of its climbs.

    trials are `selection.admixture_search.AdmixtureTrial`s; the line of `best` has a star.
    """
    validated = any(trial.cv is not None for trial in trials)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    headers = ["", "K", "log-likelihood", "CV error", "± s.e.", "ADMIXTURE's", "climbs ended at"]
    for header in headers if validated else [*headers[:3], "BIC", headers[-1]]:
        table.add_column(header, justify="left" if header == headers[-1] else "right")
    for trial in trials:
        cells = ["*" if trial.n_populations == best else "", str(trial.n_populations)]
        cells.append(f"{trial.loglik:.2f}")
        if not validated:
            cells.append(f"{trial.bic:.2f}")
        else:
            cv = trial.cv
            told = () if cv is None else (cv.error, cv.spread, cv.admixture)
            cells += [f"{each:.5f}" for each in told] or ["-"] * 3
        table.add_row(*map(Text, [*cells, _modes(trial, individuals)]))
    return plain([table], _WIDTH).rstrip("\n")


def mode_panels(trials: Sequence[Any], admixtures: Mapping[int, Any]) -> dict[int | str, Array]:
    """The shares at every end, by K, how many climbs met it, and how far it is below the best."""
    panels: dict[int | str, Array] = {}
    for trial in trials:
        one = admixtures[trial.n_populations]
        hits = [sum(mode.hits.values()) for mode in trial.modes]
        for mode, Q, met in zip(trial.modes, one.modes_, hits, strict=True):
            below = (mode.mean_loglik - trial.modes[0].mean_loglik) * len(Q)
            told = f"{met} of {sum(hits)}" + (f", {below:.1f}" if Q is not one.modes_[0] else "")
            panels[f"K = {trial.n_populations}\n{told}"] = Q
    return panels


def _modes(trial: Any, individuals: int) -> str:
    """How often each end was met: "the best 3x, -12.3 2x"."""
    told: list[str] = []
    for mode in trial.modes[:_ENDS]:
        below = (mode.mean_loglik - trial.modes[0].mean_loglik) * individuals
        hits = sum(mode.hits.values())
        told.append(f"the best {hits}x" if not told else f"{below:.1f} {hits}x")
    more = len(trial.modes) - _ENDS
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
