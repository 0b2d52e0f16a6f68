"""How many states a hidden Markov model needs, in words: a line for each number tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from mixtura.report.page import plain

WIDTH = 100
LABELS = {"bic": "lowest BIC", "icl": "lowest ICL", "heldout": "highest held out"}


def states_text(results: Mapping[str, Any], best: int, criterion: str) -> str:
    """The table as plain text; `results` as of `HiddenMarkovSearch.cv_results_`."""
    shown = ["loglik", "n_parameters", "bic", "icl"]
    heads = ["log-likelihood", "parameters", "BIC", "ICL"]
    if not np.isnan(results["heldout"]).all():
        shown, heads = [*shown, "heldout"], [*heads, "held out per step"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("states", *heads, ""):
        table.add_column(head, justify="right" if head else "left", no_wrap=bool(head))
    for i, K in enumerate(results["n_states"]):
        cells = [_cell(name, float(results[name][i])) for name in shown]
        said = f"best: {LABELS[criterion]}" if i == best else str(results["flaw"][i])
        table.add_row(str(K), *cells, said)
    return plain([table], WIDTH)


def _cell(name: str, value: float) -> str:
    if np.isnan(value):
        return "–"
    return {"n_parameters": f"{value:.0f}", "heldout": f"{value:.4f}"}.get(name, f"{value:.2f}")
