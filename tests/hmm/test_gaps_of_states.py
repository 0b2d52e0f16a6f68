"""Steps of which cells are missing: chains of Gaussian and other correlated states."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import mixtura
from mixtura import GMMHMM, Block, GaussianHMM, HiddenMarkov, Mixture, MixtureOf, Product, Student
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params
from mixtura.families.priors import Flat
from mixtura.models.hidden_markov import HiddenMarkov as Model
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import Array

nan = np.nan
MEANS = np.array([[0.0, 0.0, 0.0], [3.0, 3.0, 0.0]])
COVS = np.array(
    [[[1, 0.6, 0.2], [0.6, 1, 0.3], [0.2, 0.3, 1]], [[1, -0.5, 0], [-0.5, 1, 0], [0, 0, 0.5]]]
)
INITIAL, MOVES = np.array([0.7, 0.3]), np.array([[0.9, 0.1], [0.2, 0.8]])
# Murray (1977), discussion of Dempster, Laird & Rubin: maxima at correlations of 1/2 and -1/2.
MURRAY = np.array(
    [
        [1, 1, -1, -1, 2, 2, -2, -2, nan, nan, nan, nan],
        [1, -1, 1, -1, nan, nan, nan, nan, 2, 2, -2, -2],
    ]
).T


def drawn(n: int, missing: float = 0.2, seed: int = 0) -> tuple[Array, Array]:
    """(steps with gaps, some of them without any cell; their states)."""
    rng = np.random.default_rng(seed)
    z = np.zeros(n, dtype=int)
    for t in range(1, n):
        z[t] = rng.uniform() < MOVES[z[t - 1], 1]
    X = MEANS[z] + np.einsum("nij,nj->ni", np.linalg.cholesky(COVS)[z], rng.normal(size=(n, 3)))
    X[rng.uniform(size=X.shape) < missing] = nan
    X[::37] = nan
    return X, z


X, STATES = drawn(300)
LENGTHS = [100, 100, 100]


def by_hand(kind: str = "full", **settings: Any) -> GaussianHMM:
    hmm = GaussianHMM(2, kind, init_params="", **settings)
    hmm.startprob_, hmm.transmat_, hmm.means_ = INITIAL, MOVES, MEANS
    whole = COVS.mean(axis=0)
    hmm.covars_ = {"full": COVS, "tied": whole, "diag": [[1, 2, 3], [2, 1, 1]]}.get(kind, [1, 2])
    return hmm


def density(row: Array, mean: Array, cov: Array) -> float:
    seen = ~np.isnan(row)
    if not seen.any():
        return 1.0
    return float(multivariate_normal(mean[seen], cov[np.ix_(seen, seen)]).pdf(row[seen]))


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_all_paths_with_the_densities_of_the_cells_that_are_there(kind: str) -> None:
    rows = np.array([[0.3, nan, 1.0], [nan, 2.5, -0.4], [nan, nan, nan], [2.0, 1.0, nan]])
    hmm = by_hand(kind)
    total, posterior, ahead, best = 0.0, np.zeros((4, 2)), np.zeros(2), (0.0, ())
    upto = np.zeros((4, 2))
    for length in range(1, 5):
        for path in product(range(2), repeat=length):
            p = INITIAL[path[0]]
            for t, k in enumerate(path):
                p *= MOVES[path[t - 1], k] if t else 1.0
                p *= density(rows[t], MEANS[k], hmm.covars_[k])
            upto[length - 1, path[-1]] += p
            if length == 4:
                total, best = total + p, max(best, (p, path))
                posterior[np.arange(4), path] += p
                ahead += p * MOVES[path[-1]]
    loglik, states = hmm.score_samples(rows)
    assert loglik == pytest.approx(np.log(total), abs=1e-12)
    assert hmm.score(rows) == pytest.approx(np.log(total), abs=1e-12)
    np.testing.assert_allclose(states, posterior / total, atol=1e-12)
    np.testing.assert_allclose(hmm.predict_proba(rows), posterior / total, atol=1e-12)
    np.testing.assert_allclose(hmm.forecast(rows)[0, 0], ahead / total, atol=1e-12)
    np.testing.assert_allclose(hmm.filter(rows), upto / upto.sum(axis=1, keepdims=True), atol=1e-12)
    joint, path = hmm.decode(rows)
    assert joint == pytest.approx(np.log(best[0]), abs=1e-12)
    assert tuple(path) == best[1]


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_kernel_has_the_sums_of_the_plain_engine(kind: str, weighted: bool) -> None:
    form = structure(kind).form
    found = by_hand(kind)
    parts = gaussian_params(MEANS, np.asarray(found.covariances_, dtype=float), form)
    params = HiddenMarkovParams(INITIAL, parts, INITIAL, MOVES)
    model = Model(Gaussian(structure(kind), gaps=True), Flat())
    rows, _ = drawn(1500)
    w = np.repeat([2.0, 0.0, 1.0], 500) if weighted else None
    steps = Sequences(rows, w, np.array([500, 1000, 1500]))
    plain, fused = (open_sweep(name, model, steps)(params) for name in ("local", "compiled"))
    assert fused.loglik == pytest.approx(plain.loglik, rel=1e-12)
    arrays = plain.statistics.arrays()
    for name, array in fused.statistics.arrays().items():
        np.testing.assert_allclose(array, arrays[name], rtol=1e-9, atol=1e-9)


def test_sequences_that_nobody_saw_add_nothing() -> None:
    bare = np.full((9000, 3), nan)
    hmm = by_hand()
    both = hmm.score(np.concatenate([X, bare]), [300, 9000])
    assert both == pytest.approx(hmm.score(X), rel=1e-13)
    # In the second step they would count among the moves, as steps that nobody saw do.
    one, two = (by_hand(n_iter=1, tol=-np.inf) for _ in range(2))
    one.fit(X, [300])
    two.fit(np.concatenate([X, bare]), [300, 9000])
    np.testing.assert_allclose(two.covars_, one.covars_, rtol=1e-10)


def test_plain_steps_never_fall_and_their_end_is_a_maximum() -> None:
    hmm = by_hand(n_iter=400, tol=1e-11)
    hmm.fit(X, LENGTHS)
    assert (np.diff(hmm.monitor_.history) > -1e-9).all()
    step, top = 1e-3, hmm.score(X, LENGTHS)
    for name, i, j in [("means_", 0, 1), ("means_", 1, 0), ("covariances_", 1, 1)]:
        around = []
        for sign in (-1, 1):
            moved = np.array(getattr(hmm, name))
            moved[i, j] += sign * step
            near = by_hand()
            for own in ("initial_", "transitions_", "means_", "covariances_"):
                setattr(near, own, moved if own == name else getattr(hmm, own))
            if name == "covariances_":
                near.covariances_ = (moved + np.swapaxes(moved, 1, 2)) / 2
            around.append(near.score(X, LENGTHS))
        slope, bend = (around[1] - around[0]) / (2 * step), (sum(around) - 2 * top) / step**2
        assert abs(slope) < 1e-3
        assert bend < -1.0


def test_one_state_is_the_gaussian_with_gaps() -> None:
    hmm = HiddenMarkov("full", 1, tol=1e-10, random_state=0).fit(MURRAY)
    assert hmm.fit_result_.loglik == pytest.approx(-29.974286, abs=1e-6)
    assert hmm.score(MURRAY) == pytest.approx(-29.974286, abs=1e-6)
    assert hmm.fit_result_.verdict == "interior maximum"


@pytest.mark.parametrize("name", sorted(n for n in STRUCTURES if len(n) == 3))
def test_every_structure_finds_the_states(name: str) -> None:
    hmm = HiddenMarkov(name, 2, random_state=0, max_iter=60, tol=1e-4).fit(X)
    assert (hmm.predict(X) == STATES)[~np.isnan(X).all(axis=1)].mean() > 0.97


def test_planted_parameters_are_found(tmp_path: Path) -> None:
    rows, z = drawn(4000, seed=1)
    hmm = HiddenMarkov("full", 2, random_state=0).fit(rows)
    assert hmm.fit_result_.engine == "compiled"
    np.testing.assert_allclose(hmm.means_, MEANS, atol=0.1)
    np.testing.assert_allclose(hmm.covariances_, COVS, atol=0.12)
    np.testing.assert_allclose(hmm.transitions_, MOVES, atol=0.04)
    assert (hmm.predict(rows) == z).mean() > 0.97
    # What is kept is the model of whole rows, and files hold it.
    hmm.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.score(rows) == hmm.score(rows)
    assert again.family_.gaps is hmm.family_.gaps is False
    errors = hmm.standard_errors(rows)["means"]
    assert (errors > 0.01).all()
    assert (np.abs(hmm.means_ - MEANS) < 4 * errors).all()


def test_parts_and_partitions_have_the_answer_of_the_table() -> None:
    # A first part without gaps does not say that there are none.
    rows = np.where(np.isnan(X), MEANS[STATES], X)
    rows[100:] = X[100:]
    asked: dict[str, Any] = {"family": "full", "n_states": 2, "tol": 1e-9, "random_state": 0}
    whole = HiddenMarkov(**asked).fit(rows, LENGTHS)
    found = [HiddenMarkov(**asked).fit(lambda: iter(np.split(rows, 3)))]
    try:
        import dask.array as da
    except ModuleNotFoundError:
        pass
    else:
        apart = da.from_array(rows, chunks=(100, 3))
        found.append(HiddenMarkov(**asked).fit(apart, LENGTHS))
    for one in found:
        assert one.fit_result_.loglik == pytest.approx(whole.fit_result_.loglik, rel=1e-9)
        np.testing.assert_allclose(one.means_, whole.means_, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"family": Student("full", 8.0)},
        {"family": "UUU:1"},
        {"family": Product([Block("full", [0, 1]), Block("normal", [2])])},
        {"family": MixtureOf("full", 2)},
        {"family": "full", "durations": "poisson"},
    ],
    ids=["student", "factors", "product", "mixtures", "stays"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_states_and_laws_take_cells(settings: dict[str, Any]) -> None:
    hmm = HiddenMarkov(n_states=2, random_state=0, max_iter=60, tol=1e-3, **settings).fit(X)
    assert (hmm.predict(X) == STATES)[~np.isnan(X).all(axis=1)].mean() > 0.9
    assert (np.diff(hmm.fit_result_.trace) > -1e-6).all()


def test_states_that_are_mixtures_have_the_density_of_their_cells() -> None:
    hmm = GMMHMM(2, 2, covariance_type="full", init_params="")
    hmm.startprob_, hmm.transmat_ = INITIAL, MOVES
    hmm.weights_ = np.array([[0.4, 0.6], [0.5, 0.5]])
    hmm.means_ = np.array([MEANS, MEANS + 1.0])
    hmm.covars_ = np.array([COVS, COVS])
    row = np.array([0.5, nan, 1.0])
    own = [
        density(row, m, c) for m, c in zip(hmm.means_.reshape(4, 3), [*COVS, *COVS], strict=True)
    ]
    states = (hmm.weights_ * np.reshape(own, (2, 2))).sum(axis=1)
    assert hmm.score(row[None]) == pytest.approx(np.log(INITIAL @ states), abs=1e-12)


def test_what_fills_a_mixture_of_mixtures_is_its_parts() -> None:
    seen = X[~np.isnan(X).all(axis=1)]
    found = Mixture(MixtureOf("full", 2), 1, random_state=0, max_iter=100).fit(seen)
    shares, flat = found.shares_[0], found.covariances_[0]
    filled = found.impute(seen)
    assert not np.isnan(filled).any()
    i = int(np.flatnonzero(np.isnan(seen).any(axis=1))[0])
    row, there = seen[i], ~np.isnan(seen[i])
    weights = np.array([density(row, m, c) for m, c in zip(found.means_[0], flat, strict=True)])
    weights = shares * weights / (shares @ weights)
    each = []
    for m, c in zip(found.means_[0], flat, strict=True):
        slope = np.linalg.solve(c[np.ix_(there, there)], row[there] - m[there])
        each.append(m[~there] + c[np.ix_(~there, there)] @ slope)
    np.testing.assert_allclose(filled[i, ~there], weights @ np.array(each), atol=1e-10)
    draws = found.impute(seen, draws=400, random_state=0)
    np.testing.assert_allclose(draws[:, i].mean(axis=0), filled[i], atol=0.25)
    np.testing.assert_array_equal(draws[3][~np.isnan(seen)], seen[~np.isnan(seen)])


def test_families_that_cannot_say_so() -> None:
    with pytest.raises(ValueError, match=r"column 'x1' has a gap in row 2.*make the whole row NaN"):
        HiddenMarkov("multinomial", 2).fit([[1, 2], [2, 1], [nan, 1], [3, 1], [1, 1]])
