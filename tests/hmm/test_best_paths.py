"""The k likeliest paths, against all that there are in order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mixtura import HiddenMarkov, PoissonHMM
from mixtura.models.best_paths import best_paths

RNG = np.random.default_rng(4)


def in_order(b, initial, moves):
    """(log joint densities, paths) of all that are possible, the likeliest first."""
    found = []
    for path in product(range(len(initial)), repeat=len(b)):
        p = initial[path[0]] * np.exp(b[0, path[0]])
        for t in range(1, len(b)):
            into = moves[t] if moves.ndim == 3 else moves
            p *= into[path[t - 1], path[t]] * np.exp(b[t, path[t]])
        if p > 0:
            found.append((np.log(p), path))
    return sorted(found, reverse=True)


@pytest.mark.parametrize(("K", "T", "k"), [(2, 1, 3), (2, 5, 40), (3, 4, 7), (3, 5, 1), (1, 3, 2)])
def test_all_paths_in_order(K, T, k):
    b, initial = RNG.normal(size=(T, K)), RNG.dirichlet(np.ones(K))
    moves = RNG.dirichlet(np.ones(K), size=K)
    if K == 3:
        moves = RNG.dirichlet(np.ones(K), size=(T, K))
        moves[1:, 0, 1] = 0.0
    known = in_order(b, initial, moves)[:k]
    worth, states = best_paths(b, initial, moves, k)
    m = len(known)
    np.testing.assert_allclose(worth[:m], [value for value, _ in known], atol=1e-12)
    assert [tuple(path) for path in states[:m]] == [path for _, path in known]
    assert np.isneginf(worth[m:]).all()
    assert (states[m:] == -1).all()


def test_the_best_is_viterbis():
    state = np.repeat([0, 1, 0, 1], 12)
    # Other steps have paths that tie.
    X = np.random.default_rng(0).poisson(np.array([2, 6])[state])[:, None]
    hmm = PoissonHMM(2, random_state=0).fit(X, [20, 28])
    worth, paths = hmm.best_paths(X, 4, [20, 28])
    assert worth.shape == (2, 4)
    value, best = hmm.decode(X, [20, 28])
    assert worth[:, 0].sum() == pytest.approx(value)
    np.testing.assert_array_equal(paths[0], best)
    assert (np.diff(worth, axis=1) < 0).all()
    assert len({tuple(path[:20]) for path in paths}) == 4
    told = np.full(48, -1)
    told[3] = 1
    assert (hmm.best_paths(X, 3, states=told)[1][:, 3] == 1).all()


def test_what_is_refused():
    X = np.random.default_rng(0).normal(size=(40, 1))
    hmm = HiddenMarkov("diag", 2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="k must be a whole number"):
        hmm.best_paths(X, 0)
    semi = HiddenMarkov("diag", 2, durations="poisson", random_state=0).fit(X)
    with pytest.raises(ValueError, match="best_paths: not there where states last"):
        semi.best_paths(X, 2)
