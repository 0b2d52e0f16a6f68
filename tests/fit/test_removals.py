"""What it costs to do without a component, and whether a search goes on."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from benchmarks.hard_tables import Cell
from mixtura import GaussianMixture
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params
from mixtura.fitting.hope import Hope
from mixtura.fitting.partial import Partial
from mixtura.fitting.removals import heirs_of, plain_removals, removals
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from tests.fit.test_partial import raced, standing, table


def test_the_cost_of_a_removal_is_a_bound() -> None:
    """By Jensen's inequality, as in fitting/partial.py; NumPy says what the whole mixture loses."""
    race = raced(table(), Gaussian(structure("full")), "local")
    maker, (params, resp) = race.maker, standing(race)
    log_joint = maker.model.log_joint(maker.rows.X, params)
    look = Partial(maker, resp, race, race.rng)
    total = normalise(log_joint)[0].sum()
    nearest = np.array([heirs[0] for heirs in heirs_of(look.shares, look.w)])
    pairs = {(min(j, k), max(j, k)): np.inf for j, k in enumerate(nearest.tolist())}
    plain = {each.freed: each.cost for each in plain_removals(look, nearest, pairs)}
    for removal in removals(look, log_joint, range(5)):
        kept, at = [k for k in range(5) if k != removal.freed], list(removal.heirs)
        weights, parts = params.weights.copy(), params.components
        weights[at] = weights[list(removal.parts)].sum() * removal.mixture.weights
        means, spread = parts.means.copy(), parts.covariances.copy()
        heirs = removal.mixture.components
        means[at], spread[at] = heirs.means, heirs.covariances
        form = structure("full").form
        new = MixtureParams(weights[kept], gaussian_params(means[kept], spread[kept], form))
        after = normalise(maker.model.log_joint(maker.rows.X, new))[0].sum()
        # Rows of which the set holds less than `partial.LEAST` are left out.
        assert total - after < removal.cost + 1.0
        assert removal.cost < plain[removal.freed] + 1.0
    assert max(plain.values()) > 100.0


@pytest.mark.parametrize("name", ["VVV", "EEE", "VVI", "VII"])
def test_removals_in_c_are_those_of_numpy(name: str) -> None:
    costs = []
    for engine in ("compiled", "local"):
        race = raced(table(d=3), Gaussian(structure(name)), engine)
        params, resp = standing(race)
        look = Partial(race.maker, resp, race, race.rng)
        found = removals(look, race.maker.model.log_joint(race.maker.rows.X, params), range(5))
        costs.append([[each.cost, *np.sort(each.mixture.weights)] for each in found])
    for one, other in zip(*costs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_hope_is_the_mean_of_a_beta_law() -> None:
    for gains in range(3):
        hope, rounds = Hope(), 0
        while hope.there:
            hope.note(0.01 * min(rounds, gains))
            rounds += 1
        chance = [stats.beta(1 + gains, 1 + r - gains).mean() for r in (rounds - 1, rounds)]
        assert chance[1] < 1 / 16 <= chance[0]
        # What is not notable is no gain.
        hope.note(0.01 * gains + 5e-4)
        assert hope.gains == gains


@pytest.mark.parametrize("seed", [101, 106, 109])
def test_a_search_goes_on_where_starts_disagree(seed: int) -> None:
    """With four rounds without gain as its end these seeds were 0.007 per row or more lower."""
    X = Cell("anisotropic", 2000, 2, 6, 2.0).table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert GaussianMixture(6, random_state=seed).fit(X).score(X) > -4.6083 - 1e-3
