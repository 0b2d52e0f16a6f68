"""Starts for trimmed fits: mixtures of more components, one or two of them left out.

Rows that lie together beside the groups look like a group to every start. Where a share of the rows
may be left out, leaving out all of these may be worth most: so components that hold no more than
that share are left out in turn, and the trimmed likelihood decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import ceil

import numpy as np

from mixtura.errors import FAILURES
from mixtura.fitting.budget import allowed_work
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.prepared import Ground
from mixtura.fitting.race import Race
from mixtura.fitting.reported import reported
from mixtura.fitting.search import Search
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise

# Components left out at most, and how much more than the share to trim they may hold.
MOST, ROOM = 2, 1.2
# What such a start is called.
LARGER = "larger mixture"


def improved(search: Search, ground: Ground, more: Ground, best: Outcome) -> Outcome:
    """The best of an outcome and of climbs that begin without some of a larger mixture.

    `more` is the ground of that many components more.
    """
    before = best
    work = allowed_work(more.model, more.maker.base, search.rows)
    race = Race(more.maker, more.open_sweep, search.tol, search.rng, work, search.clock)
    try:
        larger = race.run()[0].params
    except FAILURES:
        return best
    finally:
        search.sample_passes += ceil(race.passes - 1e-6)
    for start in _starts(ground, more, larger):
        if search.late:
            search.cut = "max_seconds ended the search before all rows that lie together were tried"
            break
        try:
            other = search.climb(start)
        except FAILURES:
            continue
        if better(other, best):
            best = other
    if best is not before:
        ended = "collapsed" if best.floored else "kept"
        one = reported(LARGER, best.climb.iterations, best.climb, ended, search.model)
        search.reports.append(one)
    return best


def _starts(ground: Ground, more: Ground, larger: MixtureParams) -> Iterator[MixtureParams]:
    """The M-steps of the components that are left in, by their own rows alone."""
    maker = more.maker
    X, w = maker.rows.X.astype(np.float64), maker.weights
    joint = more.model.log_joint(X, larger)
    resp, K = normalise(joint)[1], joint.shape[1]
    for chosen in combinations(range(K), K - len(ground.maker.base.weights)):
        out = list(chosen)
        if larger.weights[out].sum() > ROOM * ground.trim:
            continue
        left = normalise(np.delete(joint, out, axis=1))[1]
        held = w * (1.0 - resp[:, out].sum(axis=1))
        try:
            yield ground.maker.model.first_step(X, held, left, ground.maker.base)
        except FAILURES:
            continue
