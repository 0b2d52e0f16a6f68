"""The certificate: verdicts where the truth is known, curvature against slower ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_iris

import mixtura
from mixtura import GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.local import LocalSweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers import certificate as certificates
from mixtura.solvers.certificate import bound_on_gap, certify
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import TIMED_OUT, Clock
from mixtura.solvers.curvature import Curvature, smallest_curvature
from mixtura.solvers.em import em
from mixtura.solvers.examine import Examiner
from mixtura.solvers.problem import Problem

every_type = pytest.mark.parametrize("covariance_type", ["diag", "full", "spherical", "tied"])


def two_clusters(d: int, apart: float = 4.0, n: int = 600) -> Array:
    rng = np.random.default_rng(d)
    X = rng.normal(size=(n, d))
    X[: n // 2] += apart / np.sqrt(d)
    return X


def equal_components(X: Array, covariance_type: str) -> tuple[Mixture, MixtureParams]:
    """Two components, each the whole table: a stationary point of every two-component fit."""
    form = structure(covariance_type).form
    moments = table_moments(X, None)
    covariance = form.repeat(form.restrict(moments.covariance), 2)
    parts = gaussian_params(np.tile(moments.mean, (2, 1)), covariance, form)
    model = Mixture(Gaussian(structure(covariance_type)), no_prior(form, X.shape[1]))
    return model, MixtureParams(np.full(2, 0.5), parts)


def climbed(X: Array, K: int, tol: float = 1e-12) -> tuple[Mixture, LocalSweep, Climb]:
    """EM from k-means-like halves of the first column."""
    model, _ = equal_components(X, "full")
    order = np.argsort(X[:, 0])
    resp = np.zeros((len(X), K))
    resp[order, np.arange(len(X)) * K // len(X)] = 1.0
    form = structure("full").form
    base = MixtureParams(
        np.full(K, 1 / K),
        gaussian_params(
            np.zeros((K, X.shape[1])), form.repeat(np.cov(X.T).reshape(X.shape[1], -1), K), form
        ),
    )
    sweep = LocalSweep(model, Rows(X))
    start = model.first_step(X, None, resp, base)
    return model, sweep, em(Problem(model, sweep, start, tol=tol, max_iter=20_000))


@every_type
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("solver", ["auto", "em", "lbfgs"])
def test_a_planted_saddle_is_left(covariance_type: str, d: int, solver: str) -> None:
    X = two_clusters(d)
    model, start = equal_components(X, covariance_type)
    form = structure(covariance_type).form
    inverse = start.components.covariances
    inverse = np.linalg.inv(inverse) if form.correlates else 1.0 / inverse
    settings = {"covariance_type": covariance_type, "solver": solver, "max_iter": 10_000}
    stuck = GaussianMixture(
        2,
        **settings,
        weights_init=start.weights,
        means_init=start.components.means,
        precisions_init=inverse,
    ).fit(X)
    free = GaussianMixture(2, **settings, random_state=0).fit(X)
    fit = stuck.fit_result_
    assert fit.certificate.saddles_left >= 1
    assert fit.verdict == "interior maximum"
    saddle = model.e_step(Chunk(X), start).loglik / len(X)
    assert fit.mean_loglik > saddle + 1e-3
    if covariance_type != "full" or d != 2:
        # There a lesser hill lies nearer: two crossing components instead of two clusters.
        assert fit.mean_loglik == pytest.approx(free.fit_result_.mean_loglik, abs=2e-6)


def test_ways_up_take_fewer_passes_over_a_long_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three components for two clusters: ridges are met, and left to the same height."""
    X = two_clusters(2)
    start = {
        "means_init": [[0.0, 0.0], [3.0, 3.0], [3.0, 3.0]],
        "precisions_init": [np.eye(2)] * 3,
        "weights_init": [0.5, 0.25, 0.25],
    }
    found = []
    for longest in (certificates.LONG, 0):
        monkeypatch.setattr(certificates, "LONG", longest)
        found.append(GaussianMixture(3, **start).fit(X).fit_result_)
    short, long = found
    assert short.certificate.saddles_left
    assert long.certificate.saddles_left
    assert long.mean_loglik == pytest.approx(short.mean_loglik, abs=1e-5)
    assert long.certificate.passes < 0.7 * short.certificate.passes


def test_equal_components_are_no_maximum() -> None:
    X = two_clusters(2)
    model, params = equal_components(X, "full")
    sweep = LocalSweep(model, Rows(X))
    climb = em(Problem(model, sweep, params, tol=1e-9, max_iter=50))
    certificate, _ = certify(model, sweep, climb, "", np.random.RandomState(0))
    assert climb.converged
    assert certificate.verdict in ("ridge", "saddle")


def dense_information(here: Charted) -> Array:
    """The observed information per row by central differences of the objective, slow and sure."""
    size, step = here.chart.size, 1e-3
    axes = step * np.eye(size)

    def value(free: Array) -> float:
        point = here.at(free)
        assert point is not None
        return point.value / point.summary.weight

    out = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            mixed = (
                value(axes[i] + axes[j])
                - value(axes[i] - axes[j])
                - value(axes[j] - axes[i])
                + value(-axes[i] - axes[j])
            )
            out[i, j] = out[j, i] = -mixed / (4 * step * step)
    return out


@pytest.mark.parametrize("apart", [2.0, 5.0])
def test_the_smallest_curvature_is_that_of_the_dense_hessian(apart: float) -> None:
    X = two_clusters(2, apart)
    model, sweep, climb = climbed(X, 2)
    here = Charted.around(model, sweep, climb.params, climb.summary)
    truth = np.linalg.eigvalsh(dense_information(here))
    seen = smallest_curvature(here, np.random.RandomState(0))
    assert seen.exact
    assert seen.smallest == pytest.approx(truth[0], rel=1e-3, abs=1e-5)
    assert truth[-1] <= 1 + 1e-3  # no more than the complete data's


def test_lanczos_finds_what_all_directions_find() -> None:
    X = load_iris().data
    model, sweep, climb = climbed(X, 3)
    here = Charted.around(model, sweep, climb.params, climb.summary)
    columns = np.stack(
        [
            (here.centre.gradient - point.gradient) / 1e-5
            for row in np.eye(here.chart.size)
            if (point := here.at(1e-5 * row)) is not None
        ]
    )
    truth = np.linalg.eigvalsh(0.5 * (columns + columns.T))
    seen = smallest_curvature(here, np.random.RandomState(0))
    assert not seen.exact
    assert seen.smallest >= truth[0] - 1e-6
    assert seen.smallest == pytest.approx(truth[0], rel=0.2)
    assert seen.error < 0.2 * seen.smallest


def test_one_minus_the_curvature_is_ems_rate_of_convergence() -> None:
    """Dempster, Laird & Rubin 1977: the gains shrink by the square of the slowest rate."""
    model, sweep, climb = climbed(two_clusters(2, 2.5), 2, tol=1e-9)
    here = Charted.around(model, sweep, climb.params, climb.summary)
    seen = smallest_curvature(here, np.random.RandomState(0))
    gains = np.diff(climb.logliks)[-40:-20]
    rate = (gains[-1] / gains[0]) ** (1 / (2 * (len(gains) - 1)))
    assert 1 - seen.smallest == pytest.approx(rate, abs=2e-3)


def test_the_bound_on_the_gap_holds_where_em_was_stopped_early() -> None:
    X = two_clusters(2, 2.5)
    top = climbed(X, 2, tol=1e-13)[2]
    for tol in (1e-3, 1e-4, 1e-5, 1e-6):
        model, sweep, climb = climbed(X, 2, tol=tol)
        certificate, _ = certify(model, sweep, climb, "", np.random.RandomState(0))
        truth = (top.objective - climb.objective) / climb.summary.weight
        assert bound_on_gap(climb, certificate) >= 0.5 * truth


def test_verdicts_without_an_examination() -> None:
    X = two_clusters(2)
    short = GaussianMixture(2, max_iter=1, init_params="kmeans", tol=1e-12)
    with pytest.warns(UserWarning, match=r"did not converge\..*\(stopped: max_iter=1 step"):
        assert short.fit(X).fit_result_.verdict == "not converged"
    absolute = GaussianMixture(2, reg_covar=1e-3, random_state=0).fit(X).fit_result_
    assert (absolute.verdict, absolute.certificate.curvature) == ("not examined", None)
    assert "reg_covar" in absolute.certificate.detail


def test_a_component_held_by_the_penalty_is_at_the_boundary() -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(200, 2)), np.tile([[30.0, 30.0]], (6, 1))])
    with pytest.warns(UserWarning, match="penalty"):
        fit = GaussianMixture(2, random_state=0).fit(X).fit_result_
    assert fit.verdict == "boundary"
    assert "penalty" in fit.certificate.detail


def test_the_report_says_what_point_was_reached() -> None:
    text = GaussianMixture(2, random_state=0).fit(two_clusters(2)).summary()
    assert "this point is" in text
    assert "a maximum" in text


def test_a_curvature_keeps_its_directions_orthonormal() -> None:
    model, sweep, climb = climbed(two_clusters(2), 2)
    seen: Curvature = smallest_curvature(
        Charted.around(model, sweep, climb.params, climb.summary), np.random.RandomState(0)
    )
    np.testing.assert_allclose(seen.flat.T @ seen.flat, np.eye(seen.flat.shape[1]), atol=1e-10)


@pytest.mark.filterwarnings("ignore:component . looks spurious")
def test_a_shoulder_is_no_maximum() -> None:
    # On this table EM slows down to a hundredth of the tolerance, and rises two nats after that.
    X = np.random.RandomState(44).randn(100, 3)
    start = GaussianMixture(4, init_params="k-means++", random_state=0, tol=1e-6).fit(X)
    further = GaussianMixture(
        4,
        solver="em",
        tol=0,
        max_iter=1000,
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=start.precisions_,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        further.fit(X)
    assert start.fit_result_.verdict == "interior maximum"
    assert further.fit_result_.loglik - start.fit_result_.loglik < 1e-3


def test_a_saddle_is_no_end_that_counts_as_converged() -> None:
    # No step is left to go on with.
    X = two_clusters(2)
    model, start = equal_components(X, "full")
    sweep = LocalSweep(model, Rows(X))
    problem = Problem(model, sweep, start, tol=1e-6, max_iter=50)
    climb = em(problem)
    assert climb.converged
    short = problem.replaced(max_iter=climb.iterations)
    ended, certificate = Examiner(short, em).examined(climb)
    assert certificate.verdict == "saddle"
    assert not ended.converged
    assert "saddle" in ended.reason


def test_the_clock_is_blamed_where_it_passed() -> None:
    # Its time is over once the climb has ended, at a saddle that steps are left to leave.
    X = two_clusters(2)
    model, start = equal_components(X, "full")
    sweep, clock = LocalSweep(model, Rows(X)), Clock(math.inf)
    problem = Problem(model, sweep, start, tol=1e-6, max_iter=500, clock=clock)
    climb = em(problem)
    clock.until = 0.0
    before = sweep.passes
    ended, certificate = Examiner(problem, em).examined(climb)
    assert (ended.converged, ended.reason) == (False, TIMED_OUT)
    assert certificate.verdict == "saddle"
    # The look at the point reached is all that was made.
    assert sweep.passes - before == certificate.passes < 20
    assert ended.params is climb.params


def test_a_saddle_below_a_singularity_only_is_told_of_when_asked() -> None:
    # From this saddle EM climbs onto one of the repeated rows.
    X = np.round(np.random.RandomState(2).randn(300, 2) * 1.5)
    fit = GaussianMixture(3, random_state=2).fit(X).fit_result_
    assert fit.converged
    assert fit.verdict != "saddle"


def test_an_end_that_only_the_penalty_holds_is_at_the_edge() -> None:
    X = np.random.RandomState(45).randn(20, 2)
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps it from collapsing"):
        fitted = GaussianMixture(3, random_state=45).fit(np.vstack([X, X[:6]]))
    fit = fitted.fit_result_
    assert (fit.penalised, fit.verdict) == (True, "boundary")
    assert "with the penalty against collapse" in " ".join(fitted.summary().split())


@pytest.mark.filterwarnings("ignore:Best performing:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("seed", "name", "solver", "K", "d"),
    [(89, "EVI", "squarem", 4, 2), (138, "EVI", "squarem", 4, 2), (131, "EEE", "auto", 3, 1)],
)
def test_what_is_left_is_what_is_said(seed: int, name: str, solver: str, K: int, d: int) -> None:
    # Equal volumes are a curve, on which the slope along a straight step said 0; on a ridge the
    # gap is an estimate that nothing bounds. Both claimed to be within tol and were not.
    rng = np.random.default_rng(seed)
    centres, mixing = rng.normal(size=(K, d)), np.eye(d) + 0.5 * rng.normal(size=(d, d))
    X = centres[rng.integers(K, size=300 if d == 1 else 200)]
    X = X + rng.normal(size=X.shape) @ mixing
    found = GaussianMixture(K, covariance_type=name, solver=solver, random_state=0).fit(X)
    further = GaussianMixture(
        K,
        covariance_type=name,
        solver="em",
        tol=0,
        max_iter=50,
        weights_init=found.weights_,
        means_init=found.means_,
        precisions_init=found.precisions_,
    ).fit(X)
    assert further.n_iter_ == 50
    assert found.converged_
    assert found.fit_result_.gap < found.tol
    assert further.score(X) - found.score(X) < 1.01 * found.fit_result_.gap + 1e-12
