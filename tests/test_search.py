"""How the search finds its way out of bad starts."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.frames import Affine
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.fitting.entrants import RACE
from mixtura.fitting.moves import improve
from mixtura.fitting.plainer import PLAIN
from mixtura.fitting.race import Race
from mixtura.fitting.sample import sample_rows
from mixtura.fitting.starts import STARTS, StartMaker
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.result import Optimum, chance_of_higher


def trapped(K: int = 6) -> tuple[StartMaker, MixtureParams, np.ndarray]:
    """K clouds on a line; a start with two centres in the first and one between the last two."""
    rng = np.random.default_rng(0)
    X = 12.0 * rng.integers(K, size=600)[:, None] + rng.normal(size=(600, 1))
    form = structure("full").form
    moments = table_moments(X, None)
    model = Mixture(Gaussian(structure("full")), table_prior(form, moments))
    centres = np.r_[-0.5, 0.5, 12.0 * np.arange(1, K - 2), 12.0 * K - 18.0][:, None]
    spread = np.ones((K, 1, 1))
    spread[-1] = 36.0
    start = MixtureParams(np.full(K, 1 / K), gaussian_params(centres, spread, form))
    frames = tuple(Affine(moments.mean, B) for B in form.frames(moments.covariance))

    def fewer(m: int) -> MixtureParams:
        units = gaussian_params(np.tile(moments.mean, (m, 1)), np.ones((m, 1, 1)), form)
        return MixtureParams(np.full(m, 1 / m), units)

    maker = StartMaker(model, Rows(X), start, frames, {}, fewer)
    return maker, start, X


def test_what_a_start_costs_counts_as_work() -> None:
    maker, _, X = trapped()
    race = Race(maker, partial(open_sweep, "local"), 1e-6, np.random.RandomState(0), np.inf)
    race.started()
    names = [name for name, _ in race.entrants.starts]
    before, price = race.work, X.size * len(maker.base.weights)
    race._split(names.index("kmeans"), "kmeans", 0)
    assert race.work == before  # made before: see `Race.splits`
    race.splits.clear()
    race._split(names.index("kmeans"), "kmeans", 0)
    assert race.work - before > 10 * price


def test_moves_leave_a_trap_where_em_stays() -> None:
    maker, start, X = trapped()
    race = Race(maker, partial(open_sweep, "local"), 1e-6, np.random.RandomState(0), np.inf)
    stuck = race.further(start, None, 500)
    freed, accepted = improve(maker, stuck, race, np.random.RandomState(0))
    truth = np.unique(np.round(X / 12.0)) * 12.0
    found = np.sort(freed.params.components.means.ravel())
    assert np.abs(np.sort(stuck.params.components.means.ravel()) - truth).max() > 3
    assert accepted >= 1
    np.testing.assert_allclose(found, truth, atol=0.5)
    assert freed.objective > stuck.objective + 100


def test_the_default_leaves_the_trap_of_three_gaussians() -> None:
    """Truth (-R, R, gR) with R = 4, g = 5: EM from (0, gR-1, gR+1) ends 5.1 nats per row short.

    Jin et al. (2016), Local maxima in the likelihood of Gaussian mixture models; the gap for
    known unit variances is R^2/3 - ln(2)/3.
    """
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=200) + c for c in (-4.0, 4.0, 20.0)])[:, None]
    for seed in range(20):
        found = GaussianMixture(3, random_state=seed).fit(X)
        np.testing.assert_allclose(np.sort(found.means_.ravel()), [-4, 4, 20], atol=0.5)


def test_two_starts_that_agree_against_most_others_do_not_end_the_search() -> None:
    # scikit-learn's best of ten starts; two of our eight used to end 28.5 nats below it, alike.
    rng = np.random.default_rng(0)
    d, n, K = int(rng.integers(1, 6)), int(rng.integers(60, 600)), int(rng.integers(1, 4))
    centres = rng.normal(size=(K, d)) * rng.choice([1, 2.0, 4])
    X = centres[rng.integers(K, size=n)]
    X = X + rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * rng.normal(size=(d, d)))
    X = X + rng.standard_t(2, size=X.shape)
    for seed in range(4):
        found = GaussianMixture(2, covariance_type="diag", random_state=seed).fit(X)
        assert found.score(X) * n == pytest.approx(-4791.9, abs=0.1)


def test_every_start_of_the_race_is_reported(iris: np.ndarray) -> None:
    fit = GaussianMixture(3, random_state=0).fit(iris).fit_result_
    assert [s.outcome for s in fit.starts].count("kept") == 1
    # Iris has 3.4 rows for each parameter, so that one is looked at beside the race.
    assert sorted(s.name for s in fit.starts) == sorted([PLAIN, *(name for name, _ in RACE)])
    assert fit.sample_passes > 0
    assert fit.passes >= fit.iterations + 1


def test_the_sample_merges_equal_rows_and_forgets_their_order() -> None:
    X = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [3.0, 3.0]])
    sample = sample_rows(Rows(X, np.array([1.0, 2.0, 0.5, 0.0])), 2, np.random.RandomState(0))
    np.testing.assert_array_equal(sample.X, [[0, 5], [1, 2]])
    np.testing.assert_array_equal(sample.sample_weight, [2.0, 1.5])


def test_a_large_table_is_sampled() -> None:
    X = np.random.default_rng(0).normal(size=(50_000, 2))
    sample = sample_rows(Rows(X), 3, np.random.RandomState(0))
    assert len(sample.X) == 20_000
    assert GaussianMixture(1, random_state=0).fit(X).fit_result_.sample_rows == 20_000


@pytest.mark.parametrize("name", sorted(STARTS))
def test_starts_are_responsibilities(name: str) -> None:
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((40, 3))
    resp = STARTS[name](Z, np.ones(40), 3, rng)
    assert resp.shape == (40, 3)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0)
    # With fewer distinct rows than components some stay empty, and none is invented.
    few = STARTS[name](Z[:2], np.ones(2), 3, rng)
    np.testing.assert_allclose(few.sum(axis=1), 1.0)


@pytest.mark.parametrize("seed", [0, 4, 13])
def test_the_default_solver_does_not_stumble_over_its_own_history(seed: int) -> None:
    """Penalised climbs on tiny tables, continued leg by leg: no false fall of the likelihood."""
    from mixtura import GaussianMixture

    X = np.random.RandomState(seed).randn(12, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for init in ("auto", "kmeans"):
            fit = GaussianMixture(4, random_state=0, init_params=init).fit(X).fit_result_
            assert np.isfinite(fit.loglik)


def landscape(*hits: int) -> list[Optimum]:
    return [Optimum(-float(rank), {"auto": many}, False) for rank, many in enumerate(hits)]


def test_the_chance_that_one_more_climb_ends_higher() -> None:
    # By hand: w / (n (n - 1)), and no more than that of n numbers that are all different.
    assert chance_of_higher(landscape(11)) == pytest.approx(1 / 110)
    assert chance_of_higher(landscape(4, 4, 2)) == pytest.approx(3 / 90)
    assert chance_of_higher(landscape(*[1] * 9)) == pytest.approx(1 / 10)
    assert chance_of_higher(landscape(7)) is None
    assert chance_of_higher([]) is None


def test_starts_go_on_until_one_more_hardly_ends_higher(faithful: np.ndarray) -> None:
    sure = GaussianMixture(2, n_init="auto", random_state=0).fit(faithful).fit_result_
    assert [sum(one.hits.values()) for one in sure.landscape] == [11]
    assert sure.chance_of_higher == pytest.approx(1 / 110)
    assert GaussianMixture(2, random_state=0).fit(faithful).fit_result_.chance_of_higher is None
    unsure = GaussianMixture(7, n_init="auto", random_state=0).fit(faithful).fit_result_
    climbs = sum(sum(one.hits.values()) for one in unsure.landscape)
    assert len(unsure.landscape) > 1
    assert unsure.chance_of_higher is not None
    assert unsure.chance_of_higher <= 0.01 or climbs >= 100
    with pytest.raises(ValueError, match="n_init"):
        GaussianMixture(2, n_init="many").fit(faithful)
