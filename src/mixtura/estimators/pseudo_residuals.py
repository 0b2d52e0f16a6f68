"""Pseudo-residuals of chains: how far each step lies from what those before it foretell."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtri_exp

from mixtura.data.refusal import row_at
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import chain_sweep
from mixtura.families.base import Family
from mixtura.families.given import Given
from mixtura.families.product import Product
from mixtura.families.tails import Tailed
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray, Array


def pseudo_residuals(model: HiddenMarkov, params: HiddenMarkovParams, rows: Sequences) -> Array:
    """Phi^-1 of P(x_t | steps before), (n,); nan of steps that nobody saw. ValueError where a step
    has no density that float64 holds, as has the whole sequence then.

    The law foretold is the states', weighed by how likely they are after the steps before; it is
    given the covariates of step t, where emissions hang on them, and of t - 1, where moves do.
    Zucchini, MacDonald & Langrock (2016), section 6.2.3.
    """
    seen = rows.seen
    kind, x, components = _described(model.family, rows.X[seen], params.components)
    if x.shape[1] != 1 and (isinstance(kind, Product) or not kind.conditional):
        raise ValueError(
            f"X has {x.shape[1]} columns that states describe, and pseudo-residuals are those of "
            "one: fit a model to it alone"
        )
    if not isinstance(kind, Tailed):
        raise ValueError(
            f"family {kind.name!r} does not tell its distribution function, of which "
            "pseudo-residuals are made: use another, or write log_sides(X, params) for your own"
        )
    ahead = chain_sweep(model, rows).foretold(params)[seen]
    tails = kind.log_sides(x, components)
    with np.errstate(divide="ignore"):
        if not kind.measure.startswith("a density"):
            half = kind.log_density(x, components) - np.log(2)
            middle = tails[0] + np.log1p(-np.exp(np.minimum(half - tails[0], 0.0)))
            tails = middle, np.logaddexp(tails[1], half)
        below, above = (logsumexp(np.log(ahead) + tail, axis=1) for tail in tails)
    found = np.full(rows.n, np.nan)
    found[seen] = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
    if len(lost := np.flatnonzero(np.isinf(found))):
        raise ValueError(
            f"X: {row_at(int(lost[0]))} has no density under any state that those before it allow, "
            "and nothing tells what comes after: look at its cells"
        )
    return found


def _described(kind: Family, X: AnyArray, components: Any) -> tuple[Family, AnyArray, Any]:
    """(the family, its columns, its parameters) without columns that transitions hang on."""
    if not isinstance(kind, Product):
        return kind, X, components
    own = [
        (block, part)
        for block, part in zip(kind.blocks, components.blocks, strict=True)
        if not isinstance(block.family, Given)
    ]
    if len(own) == 1:
        block, part = own[0]
        return block.family, X[:, list(block.columns)], part
    columns = [j for block, _ in own for j in block.columns]
    return kind, X[:, columns], components
