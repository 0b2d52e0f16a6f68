"""Leaving a local optimum from where one stands: give a component another place.

With ten components and more, fresh starts put two centres in one group and none in another again
and again; moving one component of a good mixture repairs just that. The component whose removal
costs least likelihood is taken out and either splits another or settles around a row drawn at
random; a short climb decides (random swap: Zhao, Hautamaki, Karkkainen & Franti 2012, Pattern
Recognition Letters 33; split: Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation 12).

A move is written as responsibilities whose M-step is the new mixture, so it serves any family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mixtura.data.moments import longest_axis
from mixtura.errors import FAILURES
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture import normalise
from mixtura.records import AnyArray, Array, Summary
from mixtura.solvers.climb import Climb

# EM steps of a trial, and of its second chance when it came within NEAR nats per row.
TRIAL, CHANCE, NEAR = 8, 24, 0.01
# A move must gain more than this, in nats per row.
GAIN = 1e-5
# Moves without gain, per component, before the mixture is left alone; fewer where independent
# starts already agree on it.
PATIENCE, AGREED = 3, 1
# Candidates for removal: those whose loss is among this many smallest.
LOSERS = 3

Worth = Callable[[Climb], float]


class ShortRuns(Protocol):
    """Short climbs on the sample; see `race.Race`."""

    def begun(self, resp: Array, params: Any, steps: int) -> Climb: ...

    def further(self, params: Any, summary: Summary | None, steps: int) -> Climb: ...


@dataclass(frozen=True)
class Standing:
    """The mixture to improve on, its worth per row, and what each row makes of it."""

    climb: Climb
    worth: float
    log_joint: Array
    resp: Array


def improve(
    maker: StartMaker,
    climb: Climb,
    runs: ShortRuns,
    worth: Worth,
    rng: np.random.RandomState,
    patience: int = PATIENCE,
) -> tuple[Climb, int]:
    """(a climb at least as good, moves accepted).

    Ends when `patience` moves per component in a row have gained nothing. Where every component is
    narrow none is tried: there is none whose width the others could be given, so the worth of a
    move would be that of made-up widths.
    """
    if len(maker.model.guard(climb.summary, climb.params)) == len(climb.params.weights):
        return climb, 0
    here, failures, accepted = _standing(maker, climb, worth(climb)), 0, 0
    K = here.resp.shape[1]
    while failures < patience * K:
        try:
            trial = runs.begun(_proposal(maker, here, rng), here.climb.params, TRIAL)
            value = worth(trial)
            if value > here.worth - NEAR:
                trial = runs.further(trial.params, trial.summary, CHANCE)
                value = worth(trial)
        except FAILURES:
            failures += 1
            continue
        if value > here.worth + GAIN:
            here, failures, accepted = _standing(maker, trial, value), 0, accepted + 1
        else:
            failures += 1
    return here.climb, accepted


def _standing(maker: StartMaker, climb: Climb, worth: float) -> Standing:
    log_joint = maker.model.log_joint(maker.rows.X.astype(np.float64), climb.params)
    return Standing(climb, worth, log_joint, normalise(log_joint)[1])


def _proposal(maker: StartMaker, here: Standing, rng: np.random.RandomState) -> Array:
    """The responsibilities (n, K) after one random move."""
    w = maker.weights
    # Removing component j costs -sum_i w_i log(1 - r_ij).
    loss = -(w @ np.log1p(-np.minimum(here.resp, 1 - 1e-12)))
    losers = np.argsort(loss)[: min(LOSERS, len(loss) - 1)]
    removed = int(rng.choice(losers))
    joint = here.log_joint.copy()
    joint[:, removed] = -np.inf
    resp = normalise(joint)[1]
    Z = maker.unit_free(int(rng.randint(len(maker.frames))))
    if rng.uniform() < 0.5:
        mass = w @ resp
        split = int(rng.choice(len(mass), p=mass / mass.sum()))
        side = _side(Z, w * resp[:, split], rng)
        resp[:, removed] = resp[:, split] * side
        resp[:, split] *= 1.0 - side
    else:
        settled = _around(Z, w, len(loss), rng)
        resp[settled] = 0.0
        resp[settled, removed] = 1.0
    return resp


def _side(Z: Array, mass: Array, rng: np.random.RandomState) -> Array:
    """1 for rows beyond a component's mean along its longest axis, or a random one; else 0."""
    centred = Z - mass @ Z / mass.sum()
    if rng.uniform() < 0.5:
        direction = longest_axis(centred, mass)
    else:
        direction = np.asarray(rng.standard_normal(Z.shape[1]))
    return np.asarray(centred @ direction > 0, dtype=np.float64)


def _around(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> AnyArray:
    """The rows nearest to one drawn at random, half a component's share of them."""
    centre = Z[rng.choice(len(Z), p=w / w.sum())]
    order = np.argsort(np.sum((Z - centre) ** 2, axis=1))
    within = int(np.searchsorted(np.cumsum(w[order]), w.sum() / (2 * K))) + 1
    return np.asarray(order[: max(within, Z.shape[1] + 1)])
