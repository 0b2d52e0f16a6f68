"""A climb whose first guess is that the information is the identity."""

from __future__ import annotations

from collections import deque

import numpy as np

from mixtura.solvers.by_one import Changes, _direction, _shorter


def test_the_direction_is_that_of_the_inverse_hessian_that_bfgs_would_store() -> None:
    rng = np.random.RandomState(0)
    root = np.eye(6) + 0.3 * rng.standard_normal((6, 6))
    information, inverse = root @ root.T, np.eye(6)
    changes: Changes = deque(maxlen=10)
    for _ in range(4):
        step = rng.standard_normal(6)
        change = information @ step
        curved = float(step @ change)
        changes.append((step, change, curved))
        # Nocedal & Wright (2006), equation 6.17.
        turn = np.eye(6) - np.outer(step, change) / curved
        inverse = turn @ inverse @ turn.T + np.outer(step, step) / curved
    gradient = rng.standard_normal(6)
    np.testing.assert_allclose(_direction(gradient, changes), inverse @ gradient, atol=1e-12)
    assert (_direction(gradient, deque()) == gradient).all()


def test_a_step_that_is_too_long_ends_at_the_top_of_the_parabola() -> None:
    # g(t) = t - 2 t^2 rises by 1 at first, and falls by 1 in all up to t = 1; it is highest at 1/4.
    assert _shorter(1.0, 1.0, -1.0) == 0.25
    assert _shorter(1.0, 1.0, -np.inf) == _shorter(1.0, 1.0, -100.0) == 0.1
