"""When a component is called narrow: what the priors of all families judge a collapse by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.families.priors import Prior
from mixtura.records import Array, Spike, Standing

# More rows than this for each row in the table, in the mean, are no count.
MOST_COPIES = 2.0**20
# What a component that holds a row by itself counts, but for rounding.
ONE_ROW = 1 - 1e-6
# Below this share of the table's variance only rounding is left, however many rows a component has.
NUMERIC_SPREAD = 1e-14
# Sums about a component's own mean still tell scatter from the rounding of its rows down to here.
ROUNDED_SPREAD = 1e-26
# A component of few rows this narrow is one of the likelihood's spikes (methods: regular optima of
# the reference tables stay above 0.0076, spurious ones below 1e-4).
SPURIOUS_SPREAD = 1e-3
# A component of few rows narrower than this may be what some few rows always make (regular optima
# of the reference tables stay above 0.0076).
DOUBTFUL_SPREAD = 5e-3
# A narrowest variance that is penalty by more than this share has hardly any scatter of its own.
PENALTY_SHARE = 0.9
# A share of the smallest variance above which what was added is most of it.
MOST = 0.5
# Of many rows a variance without the penalty's share may be this small a part of the table's: a
# thin line. Below it they lie on one value, as rounded numbers do, but for the tails of others.
THIN_SPREAD = 1e-6
# The variance, as a share of the table's, that components get where they have none of their own,
# if no other can lend one: two groups this wide that make up a direction are six standard
# deviations apart. Nearer, six points in two columns are not found; farther, every pair of values
# in which a sum of columns is rounded outranks groups.
ORDINARY_SHARE = 0.3


def standings(
    prior: Prior, params: Any, counts: Array, collapsed: Iterable[int]
) -> tuple[Standing, ...]:
    """How sound each component is; `counts` (K,) are rows, `collapsed` those known to have."""
    parts = prior.parts(params)
    spreads = [each for each in (part.spread(own) for part, own in parts) if each is not None]
    spread = np.fmin.reduce([np.full(len(counts), np.nan), *spreads])
    upheld = np.any([part.upheld(own, counts) for part, own in parts], axis=0)
    fallen = np.any([part.fallen(own, counts) for part, own in parts], axis=0)
    collapsed = {*collapsed, *np.flatnonzero(fallen).tolist()}
    few = {spike.component for spike in doubtful(prior, params, counts)}
    found = []
    for k, rows in enumerate(counts.tolist()):
        least = None if np.isnan(spread[k]) else float(spread[k])
        verdict = "collapsed" if k in collapsed else "spurious" if k in few else "regular"
        found.append(Standing(k, rows, least, bool(upheld[k]) or k in collapsed, verdict))
    return tuple(found)


def doubtful(prior: Prior, params: Any, counts: Array) -> list[Spike]:
    """The components that may be what some few rows always make; `counts` (K,) are rows."""
    found = []
    for part, own in prior.parts(params):
        few = (counts >= ONE_ROW) & (counts < few_rows(part.width(own)))
        # Most looks find none.
        if part.common or not part.judges or not few.any():
            continue
        spread = part.spread(own)
        if spread is not None:
            found += spikes(few & (spread < DOUBTFUL_SPREAD), counts, spread)
    return narrowest(found)


def narrowest(found: Iterable[Spike]) -> list[Spike]:
    """Each component once, where it is narrowest."""
    least: dict[int, Spike] = {}
    for spike in found:
        k = spike.component
        least[k] = min(least.get(k, spike), spike, key=lambda each: each.spread)
    return [least[k] for k in sorted(least)]


def spikes(bad: NDArray[np.bool_], counts: Array, spread: Array) -> list[Spike]:
    """One for each component that is `bad`."""
    return [Spike(int(k), float(counts[k]), float(spread[k])) for k in np.flatnonzero(bad)]


def few_rows(d: int) -> int:
    """A component of fewer rows than this may be one of the likelihood's spikes."""
    return max(2 * (d + 1), 5)


def rows_per_weight(rows: int, weight: float) -> float:
    """How many rows stand behind a unit of weight, where `rows` have so much in all.

    A weight of 2 is the row twice. Weights of less than a row in the mean, or of more than a row
    can stand for, are shares in some unit: then every row counts as one.
    """
    return 1.0 if 1.0 <= weight / rows <= MOST_COPIES else rows / weight
