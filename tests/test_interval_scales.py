"""Cells of which only an interval is known, in any unit: the fit is the same, but for the unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture, Mixture, StudentMixture

RNG = np.random.default_rng(1)
TWO = RNG.integers(0, 2, size=(120, 1))
REAL = RNG.normal(size=(120, 1)) + 5 * TWO
ABOVE_0 = RNG.gamma(4, np.where(TWO, 5.0, 0.5))
FAMILIES: dict[str, tuple[Any, Any]] = {
    "normal": (Mixture("normal", 2, random_state=0), REAL),
    "one full column": (GaussianMixture(2, random_state=0), REAL),
    "student": (StudentMixture(1, random_state=0), REAL),
    "contaminated": (Mixture("contaminated", 1, random_state=0), REAL),
    "exponential": (Mixture("exponential", 2, random_state=0), ABOVE_0),
    "gamma": (Mixture("gamma", 2, random_state=0), ABOVE_0),
    "lognormal": (Mixture("lognormal", 2, random_state=0), ABOVE_0),
}


@pytest.mark.parametrize("exponent", [-498, 398])  # 1e-150 and 1e120, of which none rounds.
@pytest.mark.parametrize("name", FAMILIES)
def test_a_unit_changes_nothing_but_the_unit(name: str, exponent: int) -> None:
    """log p of n exact numbers falls by n log(scale), that of an interval does not."""
    mixture, x = FAMILIES[name]
    scale = 2.0**exponent
    low, high = np.quantile(x, [0.2, 0.8])
    upper = np.where(x < low, low, np.nan)
    lower = np.where(x > high, high, np.nan)
    cut = np.floor(x * 4) / 4
    exact = int((np.isnan(upper) & np.isnan(lower)).sum())
    cases = ({"lower": lower, "upper": upper}, exact), ({"lower": cut, "upper": cut + 0.25}, 0)
    for told, n in cases:
        own = {side: each * scale for side, each in told.items()}
        here, there = (
            (fit.fit_result_.loglik, fit.predict_proba(rows, **ends))
            for rows, ends in ((x, told), (x * scale, own))
            for fit in [mixture.fit(rows, **ends)]
        )
        assert there[0] + n * np.log(scale) == pytest.approx(here[0], abs=1e-4)
        np.testing.assert_allclose(there[1], here[1], atol=2e-3)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_components_are_moved_beside_bounds(kind: str) -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 1, size=(60, 2)) for centre in (0, 4, 9)])
    below = X < 0
    known, upper = np.where(below, np.nan, X), np.where(below, 0.0, np.nan)
    mixture = GaussianMixture(3, covariance_type=kind, random_state=0).fit(known, upper=upper)
    np.testing.assert_allclose(np.sort(mixture.means_[:, 0]), [0, 4, 9], atol=0.6)
