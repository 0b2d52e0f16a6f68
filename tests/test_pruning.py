"""Many components: a pruned pass is the plain pass, to rounding, whatever the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines import threads
from mixtura.engines.choose import open_sweep
from mixtura.engines.gaussian import pruning
from mixtura.engines.gaussian.pruning import Pruning, find_neighbours
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Summary

every_structure = pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
# Of a component's own count: what moments may differ by. The proof in near.h gives 2^-53 times
# weight over count, which is at most 1e3; the rest is the rounding of sums in another order.
SAME = 1e-12


def scattered(
    name: str, *, n: int = 6000, K: int = 60, d: int = 4, spread: float = 12.0, seed: int = 0
) -> tuple[Mixture, Array, MixtureParams]:
    """Clouds of several shapes and sizes, and parameters near them."""
    rng = np.random.default_rng(seed)
    form = structure(name).form
    centres = spread * rng.normal(size=(K, d))
    roots = np.tril(0.4 * rng.normal(size=(K, d, d)), -1) + np.eye(d)
    roots *= np.exp(0.4 * rng.normal(size=(K, 1, 1)))
    weights = rng.dirichlet(np.full(K, 3.0))
    labels = rng.choice(K, size=n, p=weights)
    X = centres[labels] + np.einsum("nij,nj->ni", roots[labels], rng.normal(size=(n, d)))
    full = roots @ roots.transpose(0, 2, 1)
    covariances = {
        "full": full,
        "tied": full.mean(axis=0),
        "diag": np.einsum("kjj->kj", full),
        "spherical": np.einsum("kjj->k", full) / d,
    }[name]
    means = centres + 0.1 * rng.normal(size=(K, d))
    params = MixtureParams(weights, gaussian_params(means, np.ascontiguousarray(covariances), form))
    return Mixture(Gaussian(structure(name)), no_prior(form, d)), X, params


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prune whether it pays or not."""
    monkeypatch.setattr(pruning, "_WORTH_TRYING", np.inf)
    monkeypatch.setattr(pruning, "_WORTH_KEEPING", np.inf)


def sweep_of(model: Mixture, rows: Rows, labels: Array | None = None) -> Any:
    """A sweep that prunes, and, with labels, already believes them."""
    sweep = open_sweep("compiled", model, rows)
    sweep.hides = False
    sweep.pruning = Pruning(rows, model.family.form.name)
    if labels is not None:
        sweep.pruning.labels, sweep.pruning.components = labels.astype(np.int32), 60
    return sweep


def assert_same(got: Summary, want: Summary) -> None:
    assert got.loglik == pytest.approx(want.loglik, rel=1e-13)
    a, b = got.statistics, want.statistics
    counts = b.counts
    np.testing.assert_allclose(a.counts, counts, rtol=SAME, atol=0)
    for got_sums, sums in ((a.first, b.first), (a.second, b.second)):
        rows = counts if len(sums) == len(counts) else counts.sum(keepdims=True)
        gap = np.abs(got_sums - sums).reshape(len(rows), -1).max(axis=1)
        scale = rows + np.abs(sums).reshape(len(rows), -1).max(axis=1)
        assert np.all(gap <= SAME * scale)


@pytest.mark.usefixtures("eager")
@every_structure
@pytest.mark.parametrize("spread", [12.0, 5.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_passes_along_a_climb_are_those_of_the_dense_engine(
    name: str, spread: float, dtype: Any
) -> None:
    model, X, params = scattered(name, spread=spread)
    weights = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(np.float64)
    X[weights == 0] = np.nan
    rows = Rows(X.astype(dtype), weights)
    sweep, dense = sweep_of(model, rows), open_sweep("dense", model, rows)
    for step in range(4):
        want = dense(params)
        assert_same(sweep(params), want)
        assert step == 0 or sweep.pruning.share < (0.2 if spread == 12.0 else 0.9)
        params = model.m_step(want, params)


@pytest.mark.usefixtures("eager")
@every_structure
@pytest.mark.parametrize("d", [1, 9, 16])
def test_any_number_of_columns(name: str, d: int) -> None:
    spread = 200.0 if d == 1 else 12.0
    model, X, params = scattered(name, K=40, n=2000, d=d, spread=spread)
    sweep, dense = sweep_of(model, Rows(X)), open_sweep("dense", model, Rows(X))
    for _ in range(2):
        assert_same(sweep(params), dense(params))
    assert sweep.pruning.share < 0.5


@pytest.mark.usefixtures("eager")
@every_structure
def test_wrong_guesses_cost_time_and_nothing_else(name: str) -> None:
    model, X, params = scattered(name)
    wrong = np.random.default_rng(2).integers(0, 60, size=len(X))
    sweep, dense = sweep_of(model, Rows(X), wrong), open_sweep("dense", model, Rows(X))
    assert_same(sweep(params), dense(params))
    assert sweep.pruning.share > 0.5
    right = model.log_joint(X, params).argmax(axis=1)
    np.testing.assert_array_equal(sweep.pruning.labels, right)


@pytest.mark.usefixtures("eager")
@every_structure
def test_far_outliers_duplicates_and_one_giant(name: str) -> None:
    model, X, params = scattered(name)
    X[:40] = 1e7 * np.random.default_rng(3).normal(size=(40, X.shape[1]))
    X[40:2000] = X[40]
    c = params.components
    covariances = c.covariances.copy()
    weights = np.full(60, 1e-4)
    weights[0] = 1 - weights[1:].sum()
    if name != "tied":
        covariances[0] = covariances[0] * 2000.0
        covariances[1:] = covariances[1:] * 1e-3
    giant = MixtureParams(weights, gaussian_params(c.means, covariances, model.family.form))
    sweep, dense = sweep_of(model, Rows(X)), open_sweep("dense", model, Rows(X))
    labels, near = np.zeros(len(X), np.int32), find_neighbours(giant, model.family.form.name)  # type: ignore[arg-type]
    total, _ = sweep.pruning._swept(giant, labels, near)
    want = dense(giant)
    assert total.loglik == pytest.approx(want.loglik, rel=1e-13)
    # What near.h proves, in the table's weight times each component's: what is skipped.
    atol = 2.0**-52 * giant.weights * len(X)
    gap = np.abs(total.statistics.counts - want.statistics.counts)
    assert np.all(gap <= atol + SAME * want.statistics.counts)
    assert_same(sweep(giant), want)


def test_a_component_that_its_weight_flatters_is_not_pruned() -> None:
    model, X, params = scattered("full")
    c = params.components
    means = c.means.copy()
    means[7] += 40.0
    form = model.family.form
    moved = MixtureParams(params.weights, gaussian_params(means, c.covariances, form))
    sweep, dense = sweep_of(model, Rows(X)), open_sweep("dense", model, Rows(X))
    sweep(moved)
    want = dense(moved)
    assert 0 < want.statistics.counts[7] < 1e-12
    got = sweep(moved)
    np.testing.assert_array_equal(got.statistics.counts, want.statistics.counts)


def test_components_without_weight_stay_without_rows() -> None:
    model, X, params = scattered("full")
    weights = params.weights.copy()
    weights[3] = 0.0
    params = MixtureParams(weights / weights.sum(), params.components)
    sweep, dense = sweep_of(model, Rows(X)), open_sweep("dense", model, Rows(X))
    for _ in range(2):
        got = sweep(params)
    assert_same(got, dense(params))
    assert got.statistics.counts[3] == 0.0


def test_a_radius_holds_for_every_row_within_it() -> None:
    """The bound of near.h itself, at rows drawn on the sphere of each radius."""
    model, _, params = scattered("full", K=40, spread=6.0)
    near = find_neighbours(params, "full")
    c, rng = params.components, np.random.default_rng(4)
    checked = 0
    for g in range(40):
        for t in range(near.length[g]):
            h, radius2 = near.index[g, t], near.radius2[g, t]
            if radius2 < 0:
                continue
            y = rng.normal(size=(200, 4))
            y *= np.sqrt(radius2) / np.linalg.norm(y, axis=1, keepdims=True)
            # The worst direction is that of the other component, seen from this one.
            toward = c.whiten[g] @ (c.means[h] - c.means[g])
            y[0] = np.sqrt(radius2) * toward / np.linalg.norm(toward)
            joint = model.log_joint(c.means[g] + y @ c.root[g].T, params)
            squared = 2 * (c.log_norm[h] + params.log_weights[h] - joint[:, h])
            share = joint[:, h] - joint[:, g] + np.log1p(squared)
            assert share.max() <= -53 * np.log(2) + params.log_weights[h]
            checked += 1
    assert checked > 200


def test_overlapping_components_are_left_to_the_plain_pass() -> None:
    model, X, params = scattered("full", spread=1.0)
    sweep, dense = sweep_of(model, Rows(X)), open_sweep("dense", model, Rows(X))
    for _ in range(3):
        assert sweep(params).loglik == dense(params).loglik
        assert sweep.pruning.share == 1.0
    assert sweep.pruning.resting > 0


def test_the_answer_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    model, X, params = scattered("full", n=20_000)
    monkeypatch.setattr(pruning, "_CHUNK_ROWS", (2048, 4096))
    answers = []
    for count in (1, 2, 4):
        monkeypatch.setattr(threads, "workers", lambda count=count: count)
        sweep = sweep_of(model, Rows(X))
        answers.append([sweep(params) for _ in range(3)])
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            assert a.loglik == b.loglik
            np.testing.assert_array_equal(a.statistics.second, b.statistics.second)


def test_a_fit_prunes_by_itself_and_dense_does_not() -> None:
    model, X, params = scattered("full", n=9000, K=40)
    start = {
        "weights_init": params.weights,
        "means_init": params.components.means,
        "precisions_init": np.linalg.inv(params.components.covariances),
    }
    fits = {
        engine: GaussianMixture(40, engine=engine, solver="em", max_iter=30, **start).fit(X)
        for engine in ("auto", "dense")
    }
    assert fits["auto"].fit_result_.engine == "compiled"
    assert fits["dense"].fit_result_.engine == "dense"
    np.testing.assert_allclose(fits["auto"].means_, fits["dense"].means_, rtol=0, atol=1e-9)
    assert fits["auto"].lower_bound_ == pytest.approx(fits["dense"].lower_bound_, abs=1e-10)
    sweep = open_sweep("compiled", model, Rows(X))
    sweep(params)
    sweep(params)
    assert sweep.pruning.share < 0.2  # type: ignore[attr-defined]


def test_lists_are_not_made_where_they_cost_more_than_they_save(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pruning.may_prune("full", 1_000_000, 8, 100)
    # A million pairs of components beside 17 million densities of 2 columns, which take less time.
    assert not pruning.may_prune("full", 17_000, 2, 1000)
    # Everything overlaps: one list in sixteen is enough to see it.
    model, X, params = scattered("full", spread=0.2)
    made: list[int] = []
    lists = pruning.pruned.neighbours

    def counted(*given: Any) -> None:
        made.append(given[6].stop - given[6].start)
        lists(*given)

    monkeypatch.setattr(pruning.pruned, "neighbours", counted)
    sweep = open_sweep("compiled", model, Rows(X))
    dense = open_sweep("dense", model, Rows(X))
    assert sweep(params).loglik == dense(params).loglik
    assert sum(made) == 4
