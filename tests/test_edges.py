"""An edge of the parameters from which the objective rises is no maximum: the climb goes on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logsumexp

from mixtura import fit
from mixtura.data.rows import Rows
from mixtura.engines.local import LocalSweep
from mixtura.families.base import Family
from mixtura.families.bernoulli import Bernoulli
from mixtura.families.categorical import Categorical
from mixtura.families.multinomial import Multinomial
from mixtura.families.poisson import Poisson
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.result import Certificate
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.examine import Examiner
from mixtura.solvers.problem import Problem
from tests.reference.test_latent_class import SURVEY, table

# About here ended two of 500 random starts on the survey.
SURVEYED = """
.149152 .224324 .626524 .066592 .933408 .747466 .252534 .640943 .259799 .099258
.933628 .066372 1e-12   .649974 .350026 .304599 .695401 .695679 .249880 .054441
.894092 .051818 .054090 .613641 .386359 1.0     0.0     .943699 .056301 1e-12"""


def ends(
    family: Family, rows: Rows, weights: list[float], cells: list[list[float]], most: int = 5000
) -> tuple[Climb, Climb, Certificate]:
    """(where EM stops, where the examination ends, its certificate)."""
    model = Mixture(family, Flat())
    (name,) = family.supports()
    start = MixtureParams(np.array(weights), family.params({name: np.array(cells)}))
    problem = Problem(model, LocalSweep(model, rows), start, 1e-10, most)
    stopped = em(problem)
    assert stopped.converged
    return stopped, *Examiner(problem, em).examined(stopped, lambda end: model.edge(end.params))


def test_the_surveys_edge_that_rises_is_left() -> None:
    rows = table(SURVEY)
    weights = [0.184422, 0.198617, 0.616961]
    cells = [[float(cell) for cell in line.split()] for line in SURVEYED.split("\n")[1:]]
    stopped, climb, certificate = ends(Categorical((3, 2, 2, 3)), rows, weights, cells)
    assert stopped.objective == pytest.approx(-2754.742963, abs=1e-3)
    # The slope in the cell, by hand: so much EM's next step multiplies it.
    p = stopped.params.components.probabilities
    at = rows.X.astype(int) + np.array([0, 3, 5, 7])
    joint = stopped.params.weights * p[:, at].prod(axis=2).T
    one = stopped.params.weights[1] * p[1][at[:, 1:]].prod(axis=1) * (rows.X[:, 0] == 2)
    share = rows.sample_weight @ (one / joint.sum(axis=1))
    held = rows.sample_weight @ (joint[:, 1] / joint.sum(axis=1))
    assert share / held == pytest.approx(1.0911, abs=2e-3)
    assert climb.objective == pytest.approx(-2754.545405, abs=1e-5)
    assert (climb.converged, certificate.verdict) == (True, "boundary")
    # Without steps left it is not called a maximum.
    _, climb, certificate = ends(
        Categorical((3, 2, 2, 3)), rows, weights, cells, stopped.iterations + 1
    )
    assert (climb.converged, certificate.verdict) == (False, "not converged")
    assert "on the edge from which the objective still rises" in climb.reason


def highest(law: Any, X: Array, free: int) -> float:
    """The maximum of two components by quasi-Newton from many starts; `law` has log p(x | k)."""
    rng = np.random.default_rng(0)

    def below(z: Array) -> float:
        return -float(logsumexp(law(z[1:].reshape(2, -1)) + log_softmax([0.0, z[0]]), axis=1).sum())

    tops = [minimize(below, rng.normal(size=1 + 2 * free), method="BFGS").fun for _ in range(12)]
    return -min(tops)


def bits(rng: np.random.Generator) -> Array:
    shares = np.array([[0.1, 0.8, 0.7, 0.2], [0.7, 0.15, 0.2, 0.85]])
    return np.asarray(rng.random((400, 4)) < shares[rng.integers(0, 2, 400)], dtype=float)


@pytest.mark.parametrize("planted", [0.0, 1.0])
def test_planted_certainties_are_left(planted: float) -> None:
    X = bits(np.random.default_rng(1))

    def law(z: Array) -> Array:
        p = np.clip(expit(z), 1e-300, None)
        return np.asarray(X @ np.log(p).T + (1 - X) @ np.log(np.clip(expit(-z), 1e-300, None)).T)

    # The last cell of a component is 0 or 1 where that is far from it.
    last = [planted, 0.8] if planted < 0.5 else [0.2, planted]
    cells = [[0.1, 0.8, 0.7, last[0]], [0.7, 0.2, 0.2, last[1]]]
    stopped, climb, _ = ends(Bernoulli(), Rows(X), [0.5, 0.5], cells)
    top = highest(law, X, 4)
    assert stopped.objective < top - 0.5
    assert climb.objective == pytest.approx(top, abs=1e-5)


@pytest.mark.parametrize("solver", ["auto", "squarem", "anderson", "lbfgs", "newton"])
@pytest.mark.parametrize("kind", ["categorical", "multinomial"])
def test_every_solver_leaves_a_start_of_zeros_without_a_warning(kind: str, solver: str) -> None:
    rng = np.random.default_rng(3)
    shares = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])[rng.integers(0, 2, 300)]
    family: Family = Multinomial()
    X = np.stack([rng.multinomial(9, p) for p in shares]).astype(float)
    zeros, inside = [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], [[0.5, 0.4, 0.1], [0.1, 0.4, 0.5]]
    if kind == "categorical":
        above = rng.random((300, 3, 1)) > shares.cumsum(axis=1)[:, None, :2]
        family, X = Categorical((3, 3, 3)), above.sum(axis=2).astype(float)
        zeros, inside = np.tile(zeros, 3).tolist(), np.tile(inside, 3).tolist()
    model = Mixture(family, Flat())

    def end(cells: list[list[float]]) -> float:
        start = MixtureParams(np.full(2, 0.5), family.params({"probabilities": np.array(cells)}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return fit(model, X, start=start, solver=solver, tol=1e-9).summary.loglik

    assert end(zeros) == pytest.approx(end(inside), abs=1e-4)


def test_planted_rates_and_weights_of_nothing_are_left() -> None:
    rng = np.random.default_rng(2)
    X = rng.poisson(np.array([[1.0, 6.0], [5.0, 0.4]])[rng.integers(0, 2, 300)]).astype(float)
    top = highest(lambda z: X @ z.T - np.exp(z).sum(axis=1), X, 2)
    top -= sum(np.log(np.arange(1, x + 1)).sum() for x in X.ravel())
    for weights, cells in [
        ([0.5, 0.5], [[1.0, 6.0], [5.0, 1e-200]]),
        ([1.0, 0.0], [[3.0, 3.0], [5.0, 0.4]]),
    ]:
        stopped, climb, certificate = ends(Poisson(), Rows(X), weights, cells)
        assert stopped.objective < top - 1
        assert climb.objective == pytest.approx(top, abs=1e-5)
        assert certificate.verdict == "interior maximum"
