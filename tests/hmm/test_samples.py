"""Tables of many steps: what starts are raced on, and states that come late."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences

RNG = np.random.default_rng(0)


def switching(low: float, n: int) -> np.ndarray:
    """n draws of two states, 3 apart, that last 20 steps."""
    state = np.cumsum(RNG.uniform(size=n) < 0.05) % 2
    return low + 3.0 * state + RNG.normal(size=n)


LATE = np.concatenate([switching(0.0, 9000), switching(6.0, 9000)])[:, None]


@pytest.mark.parametrize("lengths", [None, [100] * 180])
def test_states_that_come_late_are_found(lengths):
    model = HiddenMarkov("normal", 4, random_state=0).fit(LATE, lengths)
    np.testing.assert_allclose(model.means_.ravel(), [0, 3, 6, 9], atol=0.15)


@pytest.mark.parametrize("topology", ["left-right", "linear"])
@pytest.mark.parametrize("seed", range(2))
def test_states_that_are_never_come_back_to(topology, seed):
    x = np.repeat([0.0, 3.0, 6.0], 5000) + RNG.normal(size=15_000)
    model = HiddenMarkov("normal", 3, topology=topology, random_state=seed).fit(x[:, None])
    np.testing.assert_allclose(model.means_.ravel(), [0, 3, 6], atol=0.1)
    np.testing.assert_allclose(model.initial_, [1, 0, 0])


def table(lengths: list[int]) -> Sequences:
    ends = np.cumsum(lengths)
    X = np.arange(float(ends[-1]))[:, None]
    return Sequences(X, None, ends, np.arange(ends[-1]) % 3)


@pytest.mark.parametrize("lengths", [[50_000], [100] * 500, [30_000, 1, 20, 7000], [1] * 20_000])
def test_a_sample_is_from_everywhere(lengths):
    rows = table(lengths)
    sample, cut = rows.spread(10_000, np.random.RandomState(0))
    assert cut == (max(lengths) > 625)
    assert 8000 < sample.n < 12_000
    x = sample.X.ravel()
    assert np.abs(np.quantile(x, [0.25, 0.5, 0.75]) / rows.n - [0.25, 0.5, 0.75]).max() < 0.06
    # No sequence of the sample has a gap, and known states go with their rows.
    joints = np.setdiff1d(np.arange(1, sample.n), sample.stops)
    assert (np.diff(x)[joints - 1] == 1).all()
    np.testing.assert_array_equal(sample.known, x % 3)
    whole, cut = rows.spread(10_000, np.random.RandomState(0), whole=True)
    assert not cut
    assert set(whole.X[whole.starts].ravel()) <= set(rows.starts)


def test_a_small_table_is_its_own_sample():
    rows = table([4000, 6000])
    assert rows.spread(10_000, np.random.RandomState(0)) == (rows, False)
