"""`score` goes forward alone; `score_samples`, which goes back too, knows the same number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import HiddenMarkov

RNG = np.random.default_rng(0)
STATES = np.repeat(RNG.integers(2, size=60), 5)
X = np.column_stack([5.0 * STATES + RNG.normal(size=300), RNG.normal(size=300)])
LENGTHS = [100, 1, 2, 197]

SETTINGS: dict[str, tuple[Any, np.ndarray, dict[str, Any]]] = {
    "full": ("full", X, {}),
    "counts": ("poisson", RNG.poisson(1 + 5 * STATES)[:, None], {}),
    "one way": ("diag", X, {"topology": "left-right", "lengths": [300]}),
    "durations": ("diag", X, {"durations": "poisson", "max_duration": 9}),
    "driven": ("normal", X, {"covariates": [1]}),
    "unseen": ("diag", np.where(np.arange(300)[:, None] % 7, X, np.nan), {}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_forward_alone(name: str) -> None:
    family, rows, asked = SETTINGS[name]
    settings = dict(asked)
    lengths = settings.pop("lengths", LENGTHS)
    hmm = HiddenMarkov(family, 2, max_iter=30, tol=1e-3, random_state=0, **settings)
    hmm.fit(rows, lengths)
    whole, posterior = hmm.score_samples(rows, lengths)
    assert hmm.score(rows, lengths) == pytest.approx(whole, rel=1e-12)
    assert posterior.max() <= 1.0
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0, atol=1e-12)
    criterion = -2 * whole + hmm.fit_result_.n_parameters * np.log(300)
    assert hmm.bic(rows, lengths) == pytest.approx(criterion, rel=1e-12)


def test_steps_that_scaled_numbers_do_not_hold() -> None:
    hmm = HiddenMarkov("diag", 2, random_state=0).fit(X, LENGTHS)
    far = X.copy()
    far[50] = 1e5
    assert hmm.score(far, LENGTHS) == pytest.approx(hmm.score_samples(far, LENGTHS)[0], rel=1e-12)
