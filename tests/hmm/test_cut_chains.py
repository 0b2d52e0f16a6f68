"""One long sequence in lanes, forward vectors brought back by powers of two: as in logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.engines import lanes
from mixtura.engines.chain import RECURSION, in_lanes, likeliest
from mixtura.engines.chain_steps import TableSteps
from mixtura.engines.lanes import Lanes
from mixtura.models.recursions import filtered_in_logarithms, in_logarithms
from mixtura.records import Array

K, T = 5, 2_100


def moves_of(kind: str, rng: np.random.Generator) -> Array:
    moves = rng.dirichlet(np.ones(K), K)
    if kind == "slow":
        moves = 0.999 * np.eye(K) + 0.001 * moves
    if kind == "left-right":
        moves = np.triu(moves) + 1e3 * np.eye(K)
    if kind == "hardly any moves":
        # Emissions force several of these one after the other: 1e-50 to their number.
        moves = np.eye(K) + 1e-50
    return np.asarray(moves / moves.sum(axis=1, keepdims=True))


def emitted(kind: str, rng: np.random.Generator) -> Array:
    found = rng.normal(-2.0, 3.0, size=(T, K))
    # Steps that nobody saw, and states that emit nothing for a while.
    found[rng.uniform(size=T) < 0.1] = 0.0
    found[500:560] = 0.0
    if kind != "left-right":
        found[rng.uniform(size=(T, K)) < 0.05] = -np.inf
        found[~np.isfinite(found).any(axis=1)] = 0.0
    if kind == "hardly any moves":
        found = np.maximum(found, -30.0)
        for t in range(50, T, 400):
            found[t : t + 7] = -400.0
            found[np.arange(t, t + 7), np.arange(7) % K] = 0.0
    return found


@pytest.mark.parametrize("kind", ["any", "slow", "left-right", "hardly any moves"])
def test_a_long_sequence_in_lanes(monkeypatch, kind):
    monkeypatch.setattr(lanes, "_STEPS", 128)
    rng = np.random.default_rng(7)
    moves, table = moves_of(kind, rng), emitted(kind, rng)
    law = rng.dirichlet(np.ones(K)), moves
    ends = np.array([T])
    steps, cut = TableSteps(table), Lanes(ends)
    assert sum(len(part.pieces) - 1 for part in cut.cut) >= 16
    loglik, posterior, met = in_logarithms(table, *law, ends, None)
    scale = 1e-12 * T

    got, states, moved = RECURSION(table, *law, ends, None)
    assert got == pytest.approx(loglik, rel=1e-12)
    assert np.abs(states - posterior).max() < 1e-10
    assert np.abs(moved - met).max() < 1e2 * scale

    room = np.empty((T, K))
    found = in_lanes(steps, law, cut, posterior=room, back=False, sums=False)
    ahead, filtered = filtered_in_logarithms(table, *law)
    if found is None:
        assert kind == "hardly any moves"
    else:
        assert found.loglik[0] == pytest.approx(ahead, rel=1e-12)
        assert np.abs(room - filtered).max() < 1e-10

    worth, path = likeliest(steps, law, cut)
    with np.errstate(divide="ignore"):
        start, move = np.log(law[0]), np.log(law[1])
    own = start[path[0]] + table[np.arange(T), path].sum() + move[path[:-1], path[1:]].sum()
    assert worth[0] == pytest.approx(own, rel=1e-12)
    best = start + table[0]
    for t in range(1, T):
        best = (best[:, None] + move).max(axis=0) + table[t]
    assert worth[0] == pytest.approx(best.max(), rel=1e-12)
