"""How the rows of a set of components are split in two: the fresh pairs of partial EM."""

from __future__ import annotations

import numpy as np

from mixtura.data.moments import longest_axis
from mixtura.engines.refits import ACROSS, ANY, FAR, LONGEST
from mixtura.records import AnyArray, Array

# A new group claims a share of the set's rows between these, those nearest to one of them; what is
# worth most is often a group of few rows.
CLAIMS = 0.5, 0.03
# Of the pairs drawn at random so many are across a direction.
CUT = 0.2


def asked(rng: np.random.RandomState, fresh: AnyArray, tries: int, places: Array) -> Array:
    """What is to be tried, (sets, tries, 4 + q); see `Refits`.

    Of several tries the first of a `fresh` set (sets,) are across its longest axis in each frame.
    That says nothing new a second time, so all others are drawn at random.
    """
    frames, _, q = places.shape
    shape = len(fresh), tries
    kind = rng.randint(FAR, ANY + 1, size=shape)
    kind[rng.uniform(size=shape) < CUT] = ACROSS
    if tries <= frames:
        kind[rng.uniform(size=shape) < CUT] = LONGEST
    frame = rng.randint(frames, size=shape)
    if tries > frames:
        kind[fresh, :frames] = LONGEST
        frame[fresh, :frames] = range(frames)
    uniform = rng.uniform(size=shape)
    claim = CLAIMS[0] * (CLAIMS[1] / CLAIMS[0]) ** rng.uniform(size=shape)
    drawn = np.stack([kind, frame, uniform, claim], axis=2)
    return np.concatenate([drawn, rng.standard_normal((*shape, q))], axis=2)


def parted(Z: Array, mass: Array, asked: Array) -> Array:
    """The first responsibilities (n, 2) of rows at Z (n, q) of this mass, as one try asks."""
    kind, _, uniform, claim = asked[:4]
    centred = Z - mass @ Z / mass.sum()
    if kind in (LONGEST, ACROSS):
        direction = longest_axis(centred, mass) if kind == LONGEST else asked[4:]
        first = centred @ direction > 0
    else:
        chance = np.cumsum(mass * (np.sum(centred**2, axis=1) if kind == FAR else 1.0))
        at = min(int(np.searchsorted(chance, uniform * chance[-1], side="right")), len(Z) - 1)
        order = np.argsort(np.sum((Z - Z[at]) ** 2, axis=1), kind="stable")
        before = np.cumsum(mass[order]) - mass[order]
        first = np.zeros(len(Z), dtype=bool)
        first[order] = (before < claim * mass.sum()) | (np.arange(len(Z)) <= Z.shape[1])
    return np.stack([first, ~first], axis=1).astype(np.float64)
