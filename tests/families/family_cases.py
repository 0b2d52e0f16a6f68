"""A table and parameters for each family of the registry: what the contract is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from mixtura.data.rows import Rows
from mixtura.families.bernoulli import Bernoulli, BernoulliParams
from mixtura.families.categorical import Categorical, CategoricalParams
from mixtura.families.contaminated.family import Contaminated
from mixtura.families.contaminated.records import ContaminatedParams
from mixtura.families.design import design
from mixtura.families.exponential import Exponential, ExponentialParams
from mixtura.families.gamma import Gamma, GammaParams
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params
from mixtura.families.lognormal import LogNormal, LogNormalParams
from mixtura.families.mixed import MixtureOf
from mixtura.families.multinomial import Multinomial, MultinomialParams
from mixtura.families.negativebinomial import NegativeBinomial, NegativeBinomialParams
from mixtura.families.normal import Normal, NormalParams
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.regression.family import Regression
from mixtura.families.regression.records import Coefficients, Dispersed
from mixtura.families.student.family import Student
from mixtura.families.student.records import StudentParams
from mixtura.families.vonmises import VonMises, VonMisesParams
from mixtura.families.vonmisesfisher import VonMisesFisher, VonMisesFisherParams
from mixtura.records import Array


@dataclass(frozen=True)
class FamilyCase:
    """A family, two components of it, and what SciPy has for them.

    column(k, j)   SciPy's distribution of a column; `None` where `density` is given instead
    density(X, k)  SciPy's log-density of rows
    turns          whether cells are angles
    values         all that a cell may be, for discrete families; else the ends of its range
    given          rows of covariates that rows are drawn for again and again, for a density given
                   these
    hidden         whether rows hide more than their label: an M-step is then one of EM's own
    most           then the largest share of the complete information, 1 where no two numbers are
                   told together
    """

    name: str
    family: Any
    params: Any
    column: Callable[[int, int], Any] | None = None
    density: Callable[[Array, int], Array] | None = None
    values: tuple[float, ...] = ()
    discrete: bool = False
    turns: bool = False
    given: Array | None = None
    hidden: bool = False
    most: float = 1.06

    def rows(self, n: int, seed: int = 0) -> tuple[Array, Array]:
        """(rows, labels) of the family's own, from two components of different size."""
        rng = np.random.default_rng(seed)
        labels = (rng.uniform(size=n) < 0.6).astype(int)
        if self.given is not None:
            X = np.resize(self.given, (n, self.given.shape[1]))
            return self.family.sample_given(X, labels, self.params, rng), labels
        return self.family.sample(labels, self.params, rng), labels

    def log_density(self, X: Array) -> Array:
        """SciPy's, (n, 2)."""
        out = np.empty((len(X), 2))
        for k in range(2):
            if self.density is not None:
                out[:, k] = self.density(X, k)
                continue
            assert self.column is not None
            parts = [self.column(k, j) for j in range(X.shape[1])]
            out[:, k] = sum(
                part.logpmf(X[:, j]) if self.discrete else part.logpdf(X[:, j])
                for j, part in enumerate(parts)
            )
        return out


M = np.array([[2.0, 5.0], [9.0, 1.5]])
SHAPES = np.array([[0.7, 6.0], [15.0, 2.0]])
P = np.array([[0.1, 0.5, 0.9, 0.2], [0.8, 0.4, 0.1, 0.7]])
LEVELS = np.array([[0.2, 0.8, 0.5, 0.1, 0.4], [0.7, 0.3, 0.1, 0.6, 0.3]])
SHARES = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
ANGLES, KAPPAS = np.array([[0.5, 3.1], [-2.0, 1.0]]), np.array([[0.8, 6.0], [15.0, 2.0]])
UNITS = np.array([[0.6, 0.0, 0.8], [-0.28, 0.96, 0.0]])
MEANS, COV = (
    np.array([[0.0, 1.0], [3.0, 0.0]]),
    np.array([[[1, 0.3], [0.3, 2]], [[2, -1], [-1, 1]]]),
)
GOOD, WIDER = np.array([0.8, 0.9]), np.array([30.0, 100.0])
DEGREES = np.array([4.5, 12.0])
COUNTS = tuple(range(400))
# Of mixtures as components: the parts' weights, and two parts for each.
PARTS = np.array([[0.3, 0.7], [0.6, 0.4]])
PLACES = np.array([[[-4.0, 0.0], [3.0, 2.0]], [[0.0, 6.0], [5.0, -3.0]]])


def _mixed(X: Array, k: int) -> Array:
    parts = [stats.multivariate_normal(PLACES[k, m], COV[m]).pdf(X) for m in range(2)]
    return np.asarray(np.log(PARTS[k] @ parts))


def _contaminated(X: Array, k: int) -> Array:
    good = stats.multivariate_normal(MEANS[k], COV[k]).pdf(X)
    bad = stats.multivariate_normal(MEANS[k], WIDER[k] * COV[k]).pdf(X)
    return np.asarray(np.log(GOOD[k] * good + (1 - GOOD[k]) * bad))


# Columns: two covariates, trials, an offset, the response.
COVARIATES = np.column_stack(
    [
        np.random.default_rng(20).normal([50.0, -0.2], [4.0, 0.3], size=(200, 2)),
        np.random.default_rng(21).integers(1, 9, size=200),
        np.random.default_rng(22).normal(0.0, 0.3, size=200),
        np.ones(200),
    ]
)
LINES = np.array([[-3.0, 0.05, 0.6], [2.0, -0.02, -0.4]])
PHI = np.array([0.3, 0.8])


def _regression(name: str, response: str, **asked: Any) -> FamilyCase:
    """Two regressions to COVARIATES."""
    kind, rows = Regression(response, covariates=(0, 1), offset=3, **asked), Rows(COVARIATES)
    seen = replace(kind, design=design(rows, kind.columns(5), kind.intercept, "the regression's"))
    lines, phi = LINES[:, 1 - kind.intercept :], PHI
    if kind.common:
        lines = lines.copy()
        lines[:, -1] = 0.5
    if kind.common_dispersion:
        phi = np.full(2, 0.5)
    params = Coefficients(lines) if kind.dispersion is None else Dispersed(lines, phi)

    def density(X: Array, k: int) -> Array:
        x = np.column_stack([np.ones(len(X)), X[:, :2]])[:, 1 - kind.intercept :]
        eta, y = X[:, 3] + x @ lines[k], X[:, 4]
        if response == "gaussian":
            return np.asarray(stats.norm(eta, np.sqrt(phi[k])).logpdf(y))
        if response == "poisson":
            return np.asarray(stats.poisson(np.exp(eta)).logpmf(y))
        if response == "gamma":
            return np.asarray(stats.gamma(1 / phi[k], scale=phi[k] * np.exp(eta)).logpdf(y))
        return np.asarray(stats.binom(X[:, 2], 1 / (1 + np.exp(-eta))).logpmf(y))

    return FamilyCase(name, seen, params, None, density, given=COVARIATES)


def _code(k: int, j: int) -> Any:
    shares = (LEVELS[k, :2], LEVELS[k, 2:])[j]
    return stats.rv_discrete(values=(np.arange(len(shares)), shares))


CASES = {
    case.name: case
    for case in (
        FamilyCase(
            "bernoulli",
            Bernoulli(),
            BernoulliParams(P),
            lambda k, j: stats.bernoulli(P[k, j]),
            values=(0, 1),
            discrete=True,
        ),
        FamilyCase(
            "categorical",
            Categorical((2, 3)),
            CategoricalParams(LEVELS),
            _code,
            values=(0, 1, 2),
            discrete=True,
        ),
        FamilyCase(
            "contaminated",
            Contaminated(least_inflation=1.001),
            ContaminatedParams(gaussian_params(MEANS, COV, structure("full").form), GOOD, WIDER),
            None,
            _contaminated,
            hidden=True,
            # Bad rows tell of a covariance and its inflation together: [[1, r], [r, 1]], r^2 their
            # share.
            most=1 + 0.2**0.5,
        ),
        FamilyCase(
            "exponential",
            Exponential(),
            ExponentialParams(M),
            lambda k, j: stats.expon(scale=M[k, j]),
            values=(0.0, np.inf),
        ),
        FamilyCase(
            "gamma",
            Gamma(),
            GammaParams(M, SHAPES),
            lambda k, j: stats.gamma(SHAPES[k, j], scale=M[k, j] / SHAPES[k, j]),
            values=(0.0, np.inf),
        ),
        FamilyCase(
            "gaussian",
            Gaussian(structure("full")),
            gaussian_params(MEANS, COV, structure("full").form),
            lambda k, j: stats.norm(MEANS[k, j], np.sqrt(COV[k, j, j])),
            lambda X, k: stats.multivariate_normal(MEANS[k], COV[k]).logpdf(X),
        ),
        FamilyCase(
            "lognormal",
            LogNormal(),
            LogNormalParams(np.log(M), SHAPES / 9),
            lambda k, j: stats.lognorm(np.sqrt(SHAPES[k, j] / 9), scale=M[k, j]),
            values=(0.0, np.inf),
        ),
        FamilyCase(
            "mixtureof",
            MixtureOf("full", 2),
            MixtureOf("full", 2).params(
                {"shares": PARTS, "means": PLACES, "covariances": np.stack([COV, COV])}
            ),
            None,
            _mixed,
            hidden=True,
        ),
        FamilyCase(
            "normal",
            Normal(),
            NormalParams(M - 2.0, SHAPES / 9),
            lambda k, j: stats.norm(M[k, j] - 2.0, np.sqrt(SHAPES[k, j] / 9)),
            values=(-np.inf, np.inf),
        ),
        FamilyCase(
            "multinomial",
            Multinomial((12.0,)),
            MultinomialParams(SHARES),
            lambda k, j: stats.binom(12, SHARES[k, j]),
            lambda X, k: stats.multinomial(12, SHARES[k]).logpmf(X),
            discrete=True,
        ),
        FamilyCase(
            "negativebinomial",
            NegativeBinomial((400, 400)),
            NegativeBinomialParams(M, SHAPES),
            lambda k, j: stats.nbinom(SHAPES[k, j], SHAPES[k, j] / (SHAPES[k, j] + M[k, j])),
            values=COUNTS,
            discrete=True,
        ),
        FamilyCase(
            "poisson",
            Poisson(),
            PoissonParams(M),
            lambda k, j: stats.poisson(M[k, j]),
            values=COUNTS,
            discrete=True,
        ),
        FamilyCase(
            "student",
            Student(),
            StudentParams(gaussian_params(MEANS, COV, structure("full").form), DEGREES),
            lambda k, j: stats.t(DEGREES[k], MEANS[k, j], np.sqrt(COV[k, j, j])),
            lambda X, k: stats.multivariate_t(MEANS[k], COV[k], DEGREES[k]).logpdf(X),
            hidden=True,
        ),
        FamilyCase(
            "vonmises",
            VonMises(),
            VonMisesParams(ANGLES, KAPPAS),
            lambda k, j: stats.vonmises(KAPPAS[k, j], ANGLES[k, j]),
            values=(-np.pi, np.pi),
            turns=True,
        ),
        FamilyCase(
            "vonmisesfisher",
            VonMisesFisher(),
            VonMisesFisherParams(UNITS, np.array([3.0, 20.0])),
            None,
            lambda X, k: stats.vonmises_fisher(UNITS[k], (3.0, 20.0)[k]).logpdf(X),
        ),
        _regression("regression", "gaussian"),
        _regression("regression-poisson", "poisson"),
        _regression("regression-binomial", "binomial", trials=2),
        _regression("regression-gamma", "gamma", intercept=False),
        _regression("regression-common", "gaussian", common=(1,), common_dispersion=True),
        _regression("regression-gamma-common", "gamma", common=(1,), common_dispersion=True),
    )
}
