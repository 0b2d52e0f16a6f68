"""Rows and columns that a regression cannot have, each refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families.domain import refuse_cells
from mixtura.families.regression.terms import Terms
from mixtura.records import AnyArray


def refuse_columns(family: Terms, d: int) -> None:
    """ValueError unless the columns that are named are there, each once."""
    covariates = family.columns(d)
    named = [family.target % d, *covariates]
    named += [j for j in (family.offset, family.trials) if j is not None]
    beyond = [j for j in named if not 0 <= j < d]
    if beyond:
        raise ValueError(f"Regression: it names column {beyond[0]}, and the table has {d} columns")
    twice = [j for j in named if named.count(j) > 1]
    if twice:
        raise ValueError(
            f"Regression: column {twice[0]} (counted from 0) has two parts in it: a column is the "
            "response, a covariate, the offset or the trials"
        )
    if not covariates and not family.intercept:
        raise ValueError("Regression: without covariates and intercept nothing is left to estimate")
    strangers = [j for j in family.common if j not in covariates]
    if strangers:
        raise ValueError(f"Regression: common names column {strangers[0]}, which is no covariate")


def refuse_response(
    response: str,
    X: AnyArray,
    target: int,
    names: Sequence[str],
    trials: AnyArray | None,
    place: int | None,
) -> None:
    """ValueError, naming the column, unless the response can be one of this kind."""
    y = X[:, target]
    rule, bad = "", np.zeros(len(y), dtype=bool)
    if trials is not None and place is not None:
        few = (trials < 1) | (np.floor(trials) != trials)
        refuse_cells(X[:, [place]], few[:, None], [names[place]], "trials are counts of at least 1")
    if response == "poisson":
        rule, bad = "a poisson response is a count (0, 1, 2, ...)", (y < 0) | (np.floor(y) != y)
    elif response == "gamma":
        rule, bad = "a gamma response is a number above 0", ~(y > 0)
    elif response == "binomial":
        most = 1.0 if trials is None else trials
        rule = "a binomial response is 0 or 1, or with trials a count from 0 to them"
        bad = (y < 0) | (y > most) | (np.floor(y) != y)
    refuse_cells(X[:, [target]], bad[:, None], [names[target]], rule)
