"""The gamma family: extreme shapes, units, and collapse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats
from whole_fit import fitted

from mixtura.errors import Collapse
from mixtura.families.gamma import Gamma, GammaParams, GammaPrior, excess, shape_of

RNG = np.random.default_rng(0)
X = RNG.gamma(np.where(RNG.uniform(size=(400, 1)) < 0.5, [[2.0, 30.0]], [[20.0, 2.0]]))


@pytest.mark.parametrize("shape", [1e-9, 1e-3, 0.3, 2.0, 50.0, 9999.0, 10001.0, 1e7, 1e12])
def test_shapes_are_found_again(shape: float) -> None:
    found = shape_of(excess(np.array([shape])))
    assert found[0] == pytest.approx(shape, rel=1e-10)
    if shape < 1e4:
        other = optimize.brentq(
            lambda a: np.log(a) - special.digamma(a) - excess(np.array([shape]))[0],
            shape / 2,
            shape * 2,
            xtol=1e-300,
        )
        assert found[0] == pytest.approx(other, rel=1e-8)


def test_large_shapes_are_nearly_normal() -> None:
    params = GammaParams(np.array([[5.0]]), np.array([[1e10]]))
    x = 5.0 + 5e-5 * np.linspace(-3, 3, 7)
    found = Gamma().log_density(x[:, None], params)[:, 0]
    np.testing.assert_allclose(found, stats.norm(5.0, 5e-5).logpdf(x), atol=3e-4)


def test_shapes_do_not_hang_on_the_units() -> None:
    scale = np.array([1e-9, 1e12])
    one, two = fitted("gamma", X, 2), fitted("gamma", X * scale, 2)
    assert two.fit.loglik + len(X) * np.log(scale).sum() == pytest.approx(one.fit.loglik, abs=1e-3)
    np.testing.assert_allclose(
        np.sort(two.params.components.shapes, axis=0),
        np.sort(one.params.components.shapes, axis=0),
        rtol=1e-3,
    )


def test_equal_rows_are_a_spike_that_is_refused_and_found() -> None:
    target = np.array([0.5])
    strict, kept = GammaPrior(0.0, target, 1), GammaPrior(0.01, target, 1)
    family, x = Gamma(), np.repeat([2.0, 3.0], 3)[:, None]
    resp = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    sums = family.statistics(x, resp, None)
    with pytest.raises(Collapse, match="component 0 holds 3 rows"):
        family.maximize(sums, None, strict)
    params = family.maximize(sums, None, kept)
    assert np.isfinite(params.shapes).all()
    spikes = kept.narrow(params, sums.counts)
    assert [spike.component for spike in spikes] == [0, 1]
    sober = kept.sobered(params, sums.counts, [0, 1])
    assert kept.narrow(sober, sums.counts) == []


def test_a_fit_does_not_end_on_equal_rows() -> None:
    """Three rows of one value are a spike of the likelihood; the groups are what is asked for."""
    few = np.vstack([X[:60], np.full((3, 2), 7.0)])
    found = fitted("gamma", few, 2)
    assert not found.fit.floored
    assert (found.params.weights * len(few)).min() > 10


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="family='gamma' is for numbers above 0, and column 'y'"):
        Gamma().refuse(np.array([[1.0, 0.0]]), ["x", "y"])
    with pytest.raises(ValueError, match=r"column 1 .* holds one value only"):
        fitted("gamma", np.column_stack([X[:, 0], np.full(len(X), 3.0)]), 2)
