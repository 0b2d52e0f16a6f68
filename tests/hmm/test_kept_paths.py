"""One glitch in chains whose moves are barred loses no path: beside recursions in logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.engines import driven, stays
from mixtura.engines.native.driven import likeliest, smoothed
from mixtura.models.kept_paths import both_ways, forward
from mixtura.models.stay_laws import LAWS
from tests.hmm.pairs import in_pairs

FIRST = np.array([1.0, 0.0, 0.0])
STATES = np.r_[np.zeros(40, int), np.ones(10, int), np.full(10, 2), np.ones(10, int)]
# A row of state 0 in the first sequence is far out; its state cannot be come back to.
Z = np.random.default_rng(0).normal(size=140) + 10.0 * np.r_[STATES, STATES]
Z[5] = 60.0
B = -0.5 * (Z[:, None] - np.array([0.0, 10.0, 20.0])) ** 2 - 0.5 * np.log(2 * np.pi)
ENDS = np.array([70, 140])


@pytest.mark.parametrize("weight", [None, np.array([3.0, 2.0])])
def test_stays(weight):
    moves = np.array([[0.0, 1, 0], [0, 0, 1], [0, 1, 0]])
    rule = FIRST, moves, np.ascontiguousarray(LAWS["poisson"].leave(np.full((3, 1), 9.0), 30))
    found, told = stays.recursion(rule, B, ENDS, weight), in_pairs(rule, B, ENDS, weight)
    # The kernel alone loses it.
    alone = stays.stays(rule, B, ENDS).loglik
    assert alone[0] < found[0][0] - 100
    assert (found[0] >= stays._likeliest(rule, B, ENDS)[0] - 1e-9).all()
    for one, other in zip(found[:2], told[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    for name in ("met", "ended", "stayed"):
        one, other = getattr(found[2], name), getattr(told[2], name)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_moves_that_differ():
    moves = np.tile(np.array([[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0.1, 0.9]]), (140, 1, 1))
    asked = FIRST, moves, B, ENDS
    loglik, posterior, met = driven.recursion(*asked)
    assert smoothed(*asked)[0][0] < loglik[0] - 100
    assert (loglik >= likeliest(*asked)[0] - 1e-9).all()
    assert (posterior.argmax(axis=1)[:19] == 0).all()
    now = driven.filtered(*asked)
    for s, rows in enumerate((slice(0, 70), slice(70, 140))):
        told = both_ways(B[rows], FIRST, moves[rows])
        assert loglik[s] == pytest.approx(told[0], rel=1e-12)
        np.testing.assert_allclose(posterior[rows], told[1], atol=1e-9)
        np.testing.assert_allclose(met[rows], told[2], atol=1e-9)
        _, _, so_far, before = forward(B[rows], FIRST, moves[rows])
        np.testing.assert_allclose(now[1][rows], so_far, atol=1e-9)
        np.testing.assert_allclose(now[2][rows], before, atol=1e-9)
