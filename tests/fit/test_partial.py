"""Partial EM: in C as in NumPy, its gains bounds on those of the whole mixture, within a budget."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines import threads
from mixtura.engines.choose import open_sweep
from mixtura.engines.gaussian import compiled
from mixtura.engines.gaussian.refitting import swapped
from mixtura.engines.refits import ACROSS, ANY, FAR, LONGEST, Refits, Swap
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params
from mixtura.families.gaussian.scatter import wider
from mixtura.families.poisson import Poisson
from mixtura.fitting.budget import CALL, allowed_work, pass_work
from mixtura.fitting.budget import LEAST as FLOOR
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.moves import improve
from mixtura.fitting.partial import Partial
from mixtura.fitting.parting import asked, parted
from mixtura.fitting.race import Race
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem


def table(n: int = 600, d: int = 2, K: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    centres = 3.0 * rng.normal(size=(K, d))
    return centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))


def raced(X: np.ndarray, family: Family, engine: str, K: int = 5, allowed: float = 1e12) -> Race:
    ground = prepare(Rows(X), family, K, np.random.RandomState(0), engine=engine)
    opened = partial(open_sweep, ground.engine)
    return Race(ground.maker, opened, 1e-6, np.random.RandomState(1), allowed)


def standing(
    race: Race, steps: int = 30, name: str = "k-means++"
) -> tuple[MixtureParams, np.ndarray]:
    """A mixture some steps from a start, and its responsibilities on the sample."""
    maker = race.maker
    climb = race.further(maker.make(name, 0, np.random.RandomState(5)), None, steps)
    return climb.params, normalise(maker.model.log_joint(maker.rows.X, climb.params))[1]


@pytest.mark.parametrize("name", ["VVV", "EEE", "VVI", "VII", "VEE", "EVE"])
def test_the_kernel_does_what_numpy_does(name: str) -> None:
    X, family = table(), Gaussian(structure(name))
    fused, plain = raced(X, family, "compiled"), raced(X, family, "local")
    _, resp = standing(plain)
    sets: list[tuple[int, ...]] = [(0,), (1,), (2,), (3,), (4,), (0, 1), (2, 4)]
    here, there = (Partial(each.maker, resp, each, each.rng) for each in (fused, plain))
    told = np.array([(*parts, -1)[:2] for parts in sets])
    tries = asked(np.random.RandomState(2), np.arange(len(sets)) > 2, 6, here.places)
    assert {*tries[..., 0].ravel()} == {LONGEST, ACROSS, FAR, ANY}
    refits = Refits(here.shares, here.places, told, tries, 3, 7, 0.02)
    quick, slow = fused.refitted(refits), there._refitted(sets, refits)
    assert quick is not None
    assert plain.refitted(refits) is None
    np.testing.assert_array_equal(quick.held, slow.held)
    np.testing.assert_allclose(quick.values, slow.values, rtol=1e-7)
    for s in range(len(sets)):
        (one, here_sums), (other, there_sums) = quick.pairs.one(s), slow.pairs.one(s)
        order = np.argsort(one.weights), np.argsort(other.weights)
        counts = [each.statistics.counts for each in (here_sums, there_sums)]
        np.testing.assert_allclose(counts[0][order[0]], counts[1][order[1]], atol=1e-3)
        assert here_sums.loglik == pytest.approx(there_sums.loglik, rel=1e-7)
        np.testing.assert_allclose(one.weights[order[0]], other.weights[order[1]], atol=1e-6)
        means = [each.components.means[at] for each, at in zip((one, other), order, strict=True)]
        np.testing.assert_allclose(*means, atol=1e-5)


def test_trials_are_em_from_the_mixtures_that_swaps_make(monkeypatch: pytest.MonkeyPatch) -> None:
    race, plain = (
        raced(table(), Gaussian(structure("VVV")), name) for name in ("compiled", "local")
    )
    params, _ = standing(race)
    some = [params.components.means[at] for at in ([3, 1], [0])]
    spread = [params.components.covariances[at] for at in ([3, 1], [0])]
    form = structure("VVV").form
    pair, one = (
        MixtureParams(np.array(w), gaussian_params(m, s, form))
        for w, m, s in zip(([0.25, 0.75], [1.0]), some, spread, strict=True)
    )
    # Component 4 goes to its heir, the place of 2, then two take the places of 3 and 4.
    trials = [[Swap((4, 2), (2,), one), Swap((3,), (3, 4), pair)], [Swap((0,), (0,), one)]]
    new = swapped(params, trials[0])
    w = params.weights
    by_hand = [w[0], w[1], w[2] + w[4], 0.25 * w[3], 0.75 * w[3]]
    np.testing.assert_allclose(new.weights, by_hand, rtol=1e-12)
    places = [0, 1, 0, 3, 1]
    np.testing.assert_array_equal(new.components.means, params.components.means[places])
    np.testing.assert_allclose(new.components.covariances, params.components.covariances[places])
    ends = {}
    for workers in (1, 2):
        monkeypatch.setattr(threads, "workers", lambda count=workers: count)
        monkeypatch.setattr(compiled, "CHUNK_FLOPS", 0.0)
        found = race.tried(params, trials, 8)
        assert found is not None
        ends[workers] = [each for each in found if each is not None]
    for one_thread, two in zip(*ends.values(), strict=True):
        np.testing.assert_array_equal(one_thread.params.weights, two.params.weights)
        np.testing.assert_array_equal(one_thread.logliks, two.logliks)
    slow = plain.further(new, None, 8)
    assert ends[1][0].logliks == pytest.approx(slow.logliks[1:], rel=1e-10)
    np.testing.assert_allclose(
        ends[1][0].params.components.means, slow.params.components.means, atol=1e-8
    )
    assert plain.tried(params, trials, 8) is None


def test_gains_are_bounds_and_add() -> None:
    """By Jensen's inequality: see fitting/partial.py. With no row left out they hold exactly."""
    race = raced(table(), Gaussian(structure("full")), "local")
    maker, (params, resp) = race.maker, standing(race, 10, "random")
    look = Partial(maker, resp, race, race.rng)
    sets: list[tuple[int, ...]] = [(0, 1), (2, 3)]
    tries = asked(np.random.RandomState(2), np.ones(2, dtype=bool), 4, look.places)
    found = look._refitted(sets, Refits(look.shares, look.places, np.array(sets), tries, 4, 9, 0.0))
    weights, parts = params.weights.copy(), params.components
    means, spread = parts.means.copy(), parts.covariances.copy()
    first = normalise(maker.model.log_joint(maker.rows.X, params))[0].sum()
    promised = []
    for s, at in enumerate(map(list, sets)):
        pair = found.pairs.one(s)[0]
        promised.append(found.values[2, s] - found.values[0, s])
        weights[at] = weights[at].sum() * pair.weights
        means[at], spread[at] = pair.components.means, pair.components.covariances
        new = MixtureParams(weights, gaussian_params(means, spread, structure("full").form))
        after = normalise(maker.model.log_joint(maker.rows.X, new))[0].sum()
        # What a set was worth is taken after an M-step with the penalty, which may cost a little.
        assert after - first > sum(promised) - 0.1
    assert max(promised) > 1.0


def test_rows_are_parted_as_asked() -> None:
    Z = np.array([[0.0, 0.0], [1.0, 0.1], [4.0, 0.0], [5.0, 0.1]])
    mass = np.array([1.0, 1.0, 1.0, 1.0])

    def first(kind: int, uniform: float = 0.0, claim: float = 0.5) -> list[float]:
        return parted(Z, mass, np.array([kind, 0, uniform, claim, 0.0, 1.0]))[:, 0].tolist()

    assert first(LONGEST) in ([0, 0, 1, 1], [1, 1, 0, 0])
    assert first(ACROSS) == [0, 1, 0, 1]
    # The seed is the first row, and at least one row more than there are columns goes with it.
    assert first(ANY) == [1, 1, 1, 0]
    assert first(FAR, 0.99) == [0, 1, 1, 1]


def test_the_longest_axis_is_tried_once_in_each_frame() -> None:
    places, known = np.zeros((2, 7, 3)), np.arange(200) % 2 == 0
    tries = asked(np.random.RandomState(0), ~known, 5, places)
    kinds, frames = tries[..., 0], tries[..., 1]
    assert (kinds[~known, :2] == LONGEST).all()
    assert (frames[~known, :2] == [0, 1]).all()
    assert {*kinds[known].ravel(), *kinds[~known, 2:].ravel()} == {ACROSS, FAR, ANY}
    # A single try has nothing to repeat.
    single = asked(np.random.RandomState(0), known, 1, places)
    assert {*single[..., 0].ravel()} == {LONGEST, ACROSS, FAR, ANY}


@pytest.mark.parametrize("name", ["VVV", "EEE", "VVI", "VII"])
def test_widths_by_a_root_are_those_of_eigenvalues(name: str) -> None:
    race = raced(table(d=3), Gaussian(structure(name)), "local")
    params, _ = standing(race)
    prior = race.maker.model.prior
    least = float(prior.spread(params.components).min())
    assert wider(prior, params.components, 0.999 * least)
    assert not wider(prior, params.components, 1.001 * least)


def test_moves_serve_every_family() -> None:
    rng = np.random.default_rng(0)
    rates = np.array([1.0, 20.0, 60.0, 140.0, 280.0])
    X = rng.poisson(rates[rng.integers(5, size=500)])[:, None].astype(float)
    race = raced(X, Poisson(), "threads")
    maker = race.maker
    # Two components share the largest group, and one holds two of the others.
    start = maker.model.with_arrays(
        maker.base, {"weights": np.full(5, 0.2), "rates": np.r_[8.0, 60, 140, 278, 282][:, None]}
    )
    stuck = em(Problem(maker.model, open_sweep("local", maker.model, maker.rows), start, 1e-8, 300))
    freed, moves = improve(maker, stuck, race, np.random.RandomState(0))
    assert moves >= 1
    found = np.sort(freed.params.components.rates.ravel())
    np.testing.assert_allclose(found, rates, rtol=0.1, atol=0.5)


def test_a_search_keeps_to_its_budget() -> None:
    X = table(3000, 3, 12)
    race = raced(X, Gaussian(structure("full")), "compiled", 12, 2e8)
    race.run()
    each = pass_work(race.maker.model, race.maker.base, 3000)
    # What has begun is ended: a trial and its second chance, and a look.
    assert 1e8 < race.work < 2e8 + 60 * each + 10 * CALL
    model, base = race.maker.model, race.maker.base
    assert allowed_work(model, base, Rows(X)) == FLOOR
    long = Rows(np.zeros((2_000_000, 3)))
    # A log density takes 44 + 4 x 10 multiplications, but for the weights, which sum to 1.
    parameters = 12 * 10 - 1
    assert allowed_work(model, base, long) == pytest.approx(80 * 2e6 * (4 * parameters + 44 * 12))
