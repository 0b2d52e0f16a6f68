"""Noise-contrastive estimation: its criterion, what it estimates, and that it is no shortcut."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import gaussian_kde, multivariate_normal, multivariate_t, norm, uniform
from sklearn.neighbors import KernelDensity

import mixtura
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.errors import Collapse
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior, table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk
from mixtura.solvers.climb import Climb
from mixtura.solvers.contrast_noise import INFLATION
from mixtura.solvers.contrastive import Contrast, NoiseContrastive
from mixtura.solvers.lbfgs import lbfgs
from mixtura.solvers.problem import Problem

EXAMPLE = Path(__file__).parents[1] / "examples" / "self_contrastive.py"
every_type = pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])


def problem(
    name: str = "full", n: int = 300, d: int = 2, penalised: bool = False, seed: int = 0
) -> tuple[Mixture, Array, MixtureParams]:
    """A model, rows of two components of different widths 3 apart, and the truth."""
    rng = np.random.default_rng(seed)
    form = structure(name).form
    means = np.zeros((2, d))
    means[1, 0] = 3.0
    covariances = {
        "full": np.stack([np.eye(d) + 0.3, 0.5 * np.eye(d)]),
        "tied": np.eye(d) + 0.3,
        "diag": np.stack([np.linspace(1.0, 1.5, d), np.full(d, 0.6)]),
        "spherical": np.array([1.0, 0.6]),
    }[name]
    params = MixtureParams(np.array([0.6, 0.4]), gaussian_params(means, covariances, form))
    model = Mixture(Gaussian(structure(name)), no_prior(form, d))
    X, _ = model.sample(n, params, np.random.RandomState(rng.integers(2**31)))
    if penalised:
        model = Mixture(Gaussian(structure(name)), table_prior(form, table_moments(X, None)))
    return model, X, params


def sweep_of(model: Mixture, X: Array, w: Array | None = None, engine: str = "local") -> Any:
    return open_sweep(engine, model, Rows(X, w))


def climbed(
    model: Mixture,
    X: Array,
    start: MixtureParams,
    w: Array | None = None,
    tol: float = 1e-12,
    max_iter: int = 500,
    engine: str = "local",
    **options: Any,
) -> Climb:
    solver = NoiseContrastive(**options)
    sweep = sweep_of(model, X, w, engine)
    return solver(Problem(model, sweep, start, tol=tol, max_iter=max_iter))


def assert_same(one: MixtureParams, other: MixtureParams, atol: float) -> None:
    for name, value in one.arrays().items():
        np.testing.assert_allclose(other.arrays()[name], value, atol=atol, err_msg=name)


def log_p(model: Mixture, X: Array, params: MixtureParams) -> Array:
    return np.asarray(logsumexp(model.log_joint(X, params), axis=1))


# The criterion


@pytest.mark.parametrize("ratio", [0.5, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_criterion_is_the_classifiers_log_likelihood(ratio: float, weighted: bool) -> None:
    """Over several chunks, with rows of no weight among the others."""
    model, X, params = problem(n=10_000)
    w = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(float) if weighted else None
    heavy = np.ones(len(X)) if w is None else w
    contrast = NoiseContrastive(ratio=ratio).contrast(model, sweep_of(model, X, w))
    noise = contrast.noise.rows
    centre = np.average(X, axis=0, weights=heavy)
    q = multivariate_normal(centre, INFLATION * np.cov(X.T, ddof=0, aweights=heavy))
    found = contrast(params)

    p, p_noise = np.exp(log_p(model, X, params)), np.exp(log_p(model, noise.X, params))
    true = heavy @ np.log(p / (p + ratio * q.pdf(X)))
    false = np.log1p(-p_noise / (p_noise + ratio * q.pdf(noise.X)))
    assert found.loglik == pytest.approx(true + noise.sample_weight @ false, rel=1e-11)
    assert found.likelihood == pytest.approx(heavy @ np.log(p), rel=1e-12)
    assert found.weight == heavy.sum()
    assert noise.weight == pytest.approx(ratio * heavy.sum(), rel=1e-13)


@every_type
@pytest.mark.parametrize("penalised", [False, True])
def test_the_gradient_is_the_finite_difference(name: str, penalised: bool) -> None:
    """Away from the chart's centre and from any optimum, along every coordinate, to 1e-6."""
    model, X, start = problem(name, n=120, d=3, penalised=penalised)
    w = np.random.default_rng(2).uniform(0.5, 2.0, size=len(X))
    contrast = NoiseContrastive(ratio=2).contrast(model, sweep_of(model, X, w))
    chart = model.chart(start)
    free = 0.3 * np.random.default_rng(3).standard_normal(chart.size)

    def criterion(free: Array) -> float:
        params = chart.params(free)
        return contrast(params).loglik + model.log_prior(params)

    gradient = chart.gradient(contrast(chart.params(free)), chart.params(free))
    numeric, step = np.empty(chart.size), 1e-3
    for j, axis in enumerate(step * np.eye(chart.size)):
        # The five-point rule: its error is of order step^4, its rounding of order 1e-13 / step.
        values = [criterion(free + m * axis) for m in (-2, -1, 1, 2)]
        numeric[j] = np.dot(values, [1, -8, 8, -1]) / (12 * step)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


def test_rows_out_of_reach_of_every_component_do_not_break_the_criterion() -> None:
    """Noise out there is told for sure; a data row there makes the criterion minus infinity."""
    model, X, params = problem(n=50)
    far = np.vstack([X, [[1e200, 0.0]]])
    sweep, log_q = sweep_of(model, X), np.zeros(len(X))
    inside = Contrast(model, sweep, sweep_of(model, X), log_q, log_q)(params)
    noise = Contrast(model, sweep, sweep_of(model, far), log_q, np.zeros(len(far)))(params)
    assert math.isfinite(noise.loglik)
    for field in ("counts", "first", "second"):
        assert np.isfinite(getattr(noise.statistics, field)).all()
    assert noise.weight == inside.weight
    data = Contrast(model, sweep_of(model, far), sweep, np.zeros(len(far)), log_q)(params)
    assert data.loglik == -math.inf


# The climb


@every_type
@pytest.mark.parametrize("penalised", [False, True])
def test_it_ends_where_the_criterions_gradient_vanishes(name: str, penalised: bool) -> None:
    model, X, start = problem(name, penalised=penalised)
    climb = climbed(model, X, start)
    contrast = NoiseContrastive().contrast(model, sweep_of(model, X))
    gradient = model.chart(climb.params).gradient(contrast(climb.params), climb.params)
    assert np.abs(gradient).max() / len(X) < 1e-6
    assert climb.converged
    assert "contrastive criterion" in climb.reason
    assert 0 <= climb.gap <= 1e-12
    value = contrast(climb.params).loglik + model.log_prior(climb.params)
    assert value > contrast(start).loglik + model.log_prior(start) + 0.1
    # The prior is the likelihood's: without it the gradient is another.
    bare = climbed(model.unpenalised(), X, start)
    assert (climb.params.weights[0] != bare.params.weights[0]) == penalised


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_reported_is_the_likelihood(engine: str) -> None:
    model, X, start = problem()
    climb = climbed(model, X, start, engine=engine)
    summary = model.e_step(Chunk(X), climb.params)
    assert climb.summary.loglik == climb.logliks[-1] == pytest.approx(summary.loglik, rel=1e-13)
    assert climb.logliks[0] == pytest.approx(model.e_step(Chunk(X), start).loglik, rel=1e-13)
    np.testing.assert_allclose(climb.summary.statistics.counts, summary.statistics.counts)
    assert climb.objective == climb.summary.loglik
    assert not climb.stationary
    assert climb.gradient_norm > 0.01
    assert climb.ran == "nce"


@pytest.mark.parametrize("penalised", [False, True])
def test_steps_passes_and_history_are_accounted_for(penalised: bool) -> None:
    model, X, start = problem(penalised=penalised)
    told: list[tuple[int, float]] = []
    sweep = sweep_of(model, X)
    first = sweep(start).loglik + model.log_prior(start)
    climb = NoiseContrastive()(
        Problem(
            model,
            sweep,
            start,
            tol=1e-12,
            max_iter=500,
            history=[first - 5.0, first],
            on_step=lambda steps, gain: told.append((steps, gain)),
        )
    )
    assert [steps for steps, _ in told] == list(range(1, climb.iterations + 1))
    assert min(gain for _, gain in told) > -1e-12
    assert climb.earlier == (first - 5.0,)
    # One for `first`, one for every point met, one for the end.
    assert climb.iterations + 2 < sweep.passes <= 2 * climb.iterations + 4

    stopped = climbed(model, X, start, max_iter=2)
    assert (stopped.iterations, stopped.converged) == (2, False)
    assert "max_iter=2" in stopped.reason
    endless = climbed(model, X, start, tol=0.0)
    assert not endless.converged
    assert endless.reason.startswith("stopped: no step along the gradient")
    assert endless.objective == pytest.approx(climb.objective, abs=1e-4)


def test_without_steps_the_start_is_handed_back() -> None:
    model, X, start = problem()
    summary = model.e_step(Chunk(X), start)
    solver, sweep = NoiseContrastive(), sweep_of(model, X)
    climb = solver(Problem(model, sweep, start, tol=1e-6, max_iter=0, summary=summary))
    assert climb.params is start
    assert climb.summary is summary
    assert (climb.iterations, climb.converged) == (0, False)


def test_begun_at_the_top_it_stays_there() -> None:
    model, X, start = problem()
    top = climbed(model, X, start)
    again = climbed(model, X, top.params)
    assert again.converged
    assert_same(top.params, again.params, 1e-5)


def test_a_narrow_start_takes_several_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deviations that must grow 35 times lie outside the first chart's box."""
    model, X, params = problem()
    c, form = params.components, structure("full").form
    narrow = gaussian_params(c.means, 0.02**2 * np.stack([np.eye(2)] * 2), form)
    near, far = climbed(model, X, params), climbed(model, X, MixtureParams(params.weights, narrow))
    assert far.converged
    assert_same(near.params, far.params, 1e-5)
    monkeypatch.setattr("mixtura.solvers.contrastive.CHARTS", 1)
    cut = climbed(model, X, MixtureParams(params.weights, narrow))
    assert not cut.converged
    assert cut.reason == "stopped: the top was not reached in 1 charts"


def test_a_spike_is_refused_as_in_the_likelihood() -> None:
    """A component of one row: penalised it is kept at its floor, else it is a collapse."""
    model, X, _ = problem(penalised=True)
    means = np.stack([X.mean(axis=0), X[X[:, 1].argmin()]])
    covariances = np.stack([np.cov(X.T), 1e-6 * np.eye(2)])
    spike = gaussian_params(means, covariances, structure("full").form)
    start = MixtureParams(np.array([0.98, 0.02]), spike)
    with pytest.raises(Collapse, match="component 1 holds 1 rows"):
        climbed(model.unpenalised(), X, start)
    assert climbed(model, X, start).converged


@every_type
def test_engines_agree(name: str) -> None:
    model, X, start = problem(name, n=400)
    local, *others = (climbed(model, X, start, engine=engine) for engine in ENGINES)
    for other in others:
        assert_same(local.params, other.params, 1e-7)


# Weights, units, seeds


@every_type
def test_a_weight_is_copies_of_the_row(name: str) -> None:
    model, X, start = problem(name)
    w = np.random.default_rng(5).integers(0, 4, size=len(X))
    weighted = climbed(model, X, start, w.astype(float), ratio=2)
    copies = climbed(model, np.repeat(X, w, axis=0), start, ratio=2)
    assert_same(weighted.params, copies.params, 1e-6)
    assert weighted.objective == pytest.approx(copies.objective, rel=1e-9)


def test_a_row_of_no_weight_is_absent() -> None:
    """Even where neither the mixture nor the noise has a density."""
    model, X, start = problem()
    w = np.append(np.ones(len(X)), 0.0)
    with_it = climbed(model, np.vstack([X, [[1e200, -1e200]]]), start, w)
    assert_same(climbed(model, X, start).params, with_it.params, 1e-7)


@pytest.mark.parametrize("unit", [1 / 300, 1e9])
def test_the_unit_of_the_weights_does_not_matter(unit: float) -> None:
    """Small ones get as much noise as there are rows; large ones do not fill the memory."""
    model, X, start = problem()
    scaled = NoiseContrastive().contrast(model, sweep_of(model, X, np.full(len(X), unit)))
    assert len(scaled.noise.rows.X) == (len(X) if unit < 1 else 100_000)
    assert scaled.noise.rows.weight == pytest.approx(unit * len(X), rel=1e-12)
    if unit < 1:
        one = climbed(model, X, start)
        assert_same(one.params, climbed(model, X, start, np.full(len(X), unit)).params, 1e-6)


def test_units_of_the_columns_do_not_matter() -> None:
    model, X, start = problem()
    scale, shift = np.array([1e6, 1e-4]), np.array([-3.0, 1e3])
    c, form = start.components, structure("full").form
    there = gaussian_params(c.means * scale + shift, c.covariances * np.outer(scale, scale), form)
    plain = climbed(model, X, start)
    moved = climbed(model, X * scale + shift, MixtureParams(start.weights, there))
    back = (moved.params.components.means - shift) / scale
    np.testing.assert_allclose(back, plain.params.components.means, atol=1e-6)


def test_the_seed_is_the_noises() -> None:
    model, X, start = problem()
    one, same, other = (climbed(model, X, start, seed=seed) for seed in (1, 1, 2))
    assert_same(one.params, same.params, 0.0)
    assert np.abs(one.params.weights - other.params.weights).max() > 1e-4


# What it estimates


def test_with_more_noise_it_approaches_maximum_likelihood() -> None:
    """The mean squared distance, in the complete data's standard errors, falls as 1 / ratio.

    Seeds are fixed, so there is no false alarm; the factors met are 8.5 and 7.7.
    """
    model, X, start = problem(n=400)
    ml = lbfgs(Problem(model, sweep_of(model, X), start, tol=1e-14, max_iter=500))
    chart = model.chart(ml.params)
    distance = []
    for ratio in (1, 10, 100):
        ends = [climbed(model, X, ml.params, ratio=ratio, seed=seed).params for seed in range(6)]
        free = np.stack([chart.coordinates(end) for end in ends])
        distance.append(len(X) * np.mean(free**2))
    assert 4.0 < distance[0] / distance[1] < 20.0
    assert 4.0 < distance[1] / distance[2] < 20.0
    assert distance[2] < 0.05


def test_a_means_variance_is_what_theory_says() -> None:
    """One normal distribution: the estimates' spread over 200 tables against the formula.

    Gutmann & Hyvarinen (2012) for a normalised model: H^-1 (H - (1 + 1/nu) m m') H^-1 with
    H = E (1 - D) g g' and m = E (1 - D) g; m vanishes for the mean, by symmetry. A variance ratio
    of 200 has a relative standard error of at most 0.1, so the interval of four of them has a
    false-alarm rate below 1e-4. Maximum likelihood's variance, 1, lies outside.
    """
    form, n = structure("full").form, 1000
    model = Mixture(Gaussian(structure("full")), no_prior(form, 1))
    start = MixtureParams(np.ones(1), gaussian_params(np.zeros((1, 1)), np.ones((1, 1, 1)), form))
    rng, means = np.random.default_rng(8), []
    for seed in range(200):
        climb = climbed(model, rng.normal(size=(n, 1)), start, tol=1e-8, seed=seed)
        means.append(climb.params.components.means[0, 0])
    x = np.linspace(-12.0, 12.0, 4801)
    p, q = norm.pdf(x), norm(0, math.sqrt(INFLATION)).pdf(x)
    variance = 1.0 / np.sum(0.005 * p * q / (p + q) * x**2)
    assert 1.6 < variance < 2.0
    assert 0.6 < n * np.mean(np.square(means)) / variance < 1.4


@pytest.mark.parametrize(
    "noise",
    [
        multivariate_normal([1.0, 0.0], [[5.0, 0.5], [0.5, 2.0]]),
        multivariate_t([1.0, 0.0], [[4.0, 0.0], [0.0, 2.0]], df=4),
        mixtura.GaussianMixture.from_parameters(
            [0.5, 0.5], [[0, 0], [3, 0]], 2.0 * np.ones(2), covariance_type="spherical"
        ),
        KernelDensity(bandwidth=1.0).fit(problem(n=100)[1]),
    ],
    ids=["normal", "t", "mixture", "kernels"],
)
def test_any_noise_with_a_density_will_do(noise: Any) -> None:
    """The mixture's parameters are found to a few standard errors; seeds are fixed."""
    model, X, truth = problem(n=2000)
    climb = climbed(model, X, truth, noise=noise, ratio=5)
    free = model.chart(truth).coordinates(climb.params)
    assert climb.converged
    assert np.sqrt(len(X)) * np.abs(free).max() < 8.0
    ml = lbfgs(Problem(model, sweep_of(model, X), truth, tol=1e-12, max_iter=500))
    assert -0.01 < (climb.objective - ml.objective) / len(X) < 0


def test_a_column_alone_takes_a_univariate_distribution() -> None:
    model, X, start = problem(d=1)
    one = climbed(model, X, start, noise=norm(1.0, 2.0))
    other = climbed(model, X, start, noise=multivariate_normal(1.0, 4.0))
    assert_same(one.params, other.params, 1e-6)


# Refusals


class Flawed:
    """Draws ones and gives `value` as its log-density, but NaN for rows of `where`."""

    def __init__(self, value: float, per_row: int = 1, where: float = math.inf) -> None:
        self.value, self.per_row, self.where = value, per_row, where

    def logpdf(self, X: Array) -> Array:
        found = np.full((len(X), self.per_row), self.value)
        found[X[:, 0] == self.where] = np.nan
        return found

    def rvs(self, size: int, random_state: Any) -> Array:
        return np.ones((size, 2))


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (multivariate_normal(np.zeros(3)), r"shape \(300, 3\), not \(300, 2\)"),
        (norm(0, 1), r"shape \(300,\), not \(300, 2\)"),
        (Flawed(np.nan), "no finite log-density at 300 rows of X, row 0 .* the first"),
        (Flawed(np.inf), "no finite log-density"),
        (Flawed(0.0, where=1.0), "no finite log-density at 300 rows of those it drew"),
        (Flawed(0.0, per_row=2), "600 log-densities for 300 rows"),
    ],
    ids=["wide", "narrow", "nan", "infinite", "not its own", "two a row"],
)
def test_noise_that_does_not_fit_is_refused(noise: Any, message: str) -> None:
    model, X, start = problem()
    with pytest.raises(ValueError, match="noise .*" + message):
        climbed(model, X, start, noise=noise)


def test_noise_that_cannot_produce_a_row_is_refused() -> None:
    model, X, start = problem(d=1)
    lost = int(np.flatnonzero((X < 0) | (X > 5))[0])
    with pytest.raises(ValueError, match=f"no finite log-density at .*row {lost} .* the first"):
        climbed(model, X, start, noise=uniform(0, 5))


def test_missing_cells_are_refused() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="of which no cell is missing"):
        mixtura.GaussianMixture(2, solver="nce", random_state=0).fit(X)


def test_a_table_without_volume_needs_a_noise_of_its_own() -> None:
    model, X, start = problem()
    X[:, 1] = 1.0
    with pytest.raises(ValueError, match="covariance, which is singular: give a noise"):
        climbed(model, X, start)


@pytest.mark.parametrize(
    "options",
    [
        {"ratio": 0},
        {"ratio": math.inf},
        {"ratio": "two"},
        {"seed": -1},
        {"seed": 0.5},
        {"noise": 3},
        {"noise": gaussian_kde(np.arange(9.0))},
    ],
    ids=["ratio 0", "ratio inf", "ratio two", "seed -1", "seed .5", "noise 3", "noise kde"],
)
def test_settings_are_checked_at_once(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"^{name} must "):
        NoiseContrastive(**options)


@pytest.mark.parametrize("solver", ["nce", NoiseContrastive(ratio=2)], ids=["name", "object"])
def test_it_says_where_it_cannot_run(solver: Any) -> None:
    X = problem()[1]
    with pytest.raises(ValueError, match=r"solver='nce' cannot climb here: with a reg_covar"):
        mixtura.GaussianMixture(2, reg_covar=1e-3, solver=solver).fit(X)


def test_the_estimator_takes_it_by_name() -> None:
    X = problem()[1]
    fitted = mixtura.GaussianMixture(2, solver="nce", random_state=0).fit(X)
    result = fitted.fit_result_
    assert result is not None
    assert (result.solver, result.converged) == ("nce", True)
    assert result.mean_loglik == pytest.approx(fitted.score(X), rel=1e-12)
    best = mixtura.GaussianMixture(2, random_state=0).fit(X).score(X)
    assert best - 0.05 < fitted.score(X) < best


# Self-contrastive estimation: noise that is the mixture itself


def against_itself(model: Mixture, X: Array, params: MixtureParams, noise: Rows) -> Contrast:
    sweep, log_q = sweep_of(model, X), normalise(model.log_joint(noise.X, params))[0]
    own = normalise(model.log_joint(X, params))[0]
    return Contrast(model, sweep, sweep.over(noise), own, log_q)


@every_type
def test_against_itself_the_datas_part_is_half_an_em_pass(name: str) -> None:
    """Not in expectation but exactly, at any parameters: every row is halved."""
    model, X, params = problem(name, d=3)
    contrast = against_itself(model, X, params, Rows(X[::-1].copy()))
    value, halved = contrast.side(contrast.data, contrast.log_q, 1.0, params)
    whole = model.e_step(Chunk(X), params).statistics
    for field in ("counts", "first", "second"):
        expected = 0.5 * getattr(whole, field)
        np.testing.assert_allclose(getattr(halved.statistics, field), expected, rtol=1e-13)
    assert value == pytest.approx(-len(X) * math.log(2), rel=1e-13)


@pytest.mark.parametrize("seed", range(4))
@every_type
def test_against_itself_the_gradient_is_half_the_likelihoods(name: str, seed: int) -> None:
    """The noise's part is an integral that vanishes: in one dimension, to 1e-10 and better."""
    model, X, params = problem(name, n=50, d=1)
    chart = model.chart(params)
    there = chart.params(np.random.default_rng(seed).normal(size=chart.size) / 2)
    grid = np.linspace(-30.0, 30.0, 3001)[:, None]
    p = np.exp(log_p(model, grid, there))
    contrast = against_itself(model, X, there, Rows(grid, len(X) * 0.02 * p))
    here = model.chart(there)
    _, noise = contrast.side(contrast.noise, contrast.log_q_noise, -1.0, there)
    assert np.abs(here.gradient(noise, there)).max() / len(X) < 1e-10
    ml = here.gradient(model.e_step(Chunk(X), there), there)
    np.testing.assert_allclose(here.gradient(contrast(there), there), ml / 2, atol=1e-10 * len(X))
    assert np.abs(ml).max() > 1.0


def z_values(model: Mixture, params: MixtureParams, noise: Array) -> Array:
    """Of the mean of the noise's part in every coordinate, from 200 blocks of its rows."""
    chart, blocks = model.chart(params), []
    for rows in np.split(noise, 200):
        contrast = against_itself(model, rows, params, Rows(rows))
        _, part = contrast.side(contrast.noise, contrast.log_q_noise, -1.0, params)
        blocks.append(chart.gradient(part, params))
    found = np.stack(blocks)
    return np.asarray(found.mean(axis=0) / found.std(axis=0, ddof=1) * math.sqrt(len(found)))


@every_type
def test_drawn_from_itself_the_noises_part_is_noise(name: str) -> None:
    """Two dimensions, 40,000 rows. |z| > 5 in one of at most 11 coordinates: rate below 2e-5.

    The same rows moved by a twentieth of a standard deviation must fail.
    """
    model, noise, params = problem(name, n=40_000, seed=3)
    assert np.abs(z_values(model, params, noise)).max() < 5.0
    assert np.abs(z_values(model, params, noise + 0.05)).max() > 5.0


def test_the_example_shows_that_it_is_no_shortcut() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def number(pattern: str) -> float:
        found = re.search(pattern, said)
        assert found, said
        return float(found[1])

    points = re.findall(r"^ +\d +(\S+) +(\S+) +(\S+)$", said, re.M)
    assert len(points) == 5
    for ml, apart, noise in points:
        assert float(ml) > 0.1
        assert max(float(apart), float(noise)) < 1e-10
    rows = re.findall(r"^ *(start|ML steps|SC steps|search) +(\S+) +(\S+) ", said, re.M)
    value = {name: float(loglik) for name, loglik, _ in rows}
    slope = {name: float(size) for name, _, size in rows}
    assert value["SC steps"] == pytest.approx(value["ML steps"], abs=1e-6)
    assert value["SC steps"] > value["start"] + 0.1
    assert slope["SC steps"] < 1e-6 < slope["start"]
    assert value["search"] - value["SC steps"] > 0.4
    assert number(r"end within (\S+) of one another") < 1e-6
    assert number(r"(\S+) nats per row below the best") > 0.4


def test_a_table_of_few_values_is_no_place_to_collapse() -> None:
    X = (np.random.RandomState(0).rand(200, 3) > 0.5) * 1.0
    fitted = mixtura.GaussianMixture(3, solver="nce", random_state=0).fit(X)
    assert fitted.fit_result_.penalised
    assert np.linalg.eigvalsh(fitted.covariances_).min() > 1e-6
