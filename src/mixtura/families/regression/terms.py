"""What a regression is made of: its terms, what they predict, and the sums over rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np

from mixtura.data.refusal import truth
from mixtura.families.base import Family
from mixtura.families.design import Design, natural
from mixtura.families.regression.records import Coefficients, Dispersed, RegressionStatistics
from mixtura.families.regression.responses import DISPERSIONS, RESPONSES, Dispersion, Response
from mixtura.families.regression.ties import tie
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Terms(Family):
    """The settings of a `Regression`, and what does not hang on how it is fitted."""

    response: str = "gaussian"
    target: int = -1
    covariates: tuple[int, ...] | None = None
    offset: int | None = None
    trials: int | None = None
    intercept: bool = True
    common: tuple[int, ...] = ()
    common_dispersion: bool = False
    design: Design | None = field(default=None, repr=False, compare=False)

    conditional = True
    names_columns = True

    def __post_init__(self) -> None:
        named = [self.target, *(self.covariates or ()), self.offset, self.trials, *self.common]
        strangers = [j for j in named if j is not None and not isinstance(j, Integral)]
        if strangers:
            raise ValueError(
                f"Regression: columns are given by their numbers, from 0, got {strangers[0]!r}; "
                "MixtureRegression takes names"
            )
        if self.response not in RESPONSES:
            raise ValueError(f"response must be one of {list(RESPONSES)}, got {self.response!r}")
        for name in ("intercept", "common_dispersion"):
            truth(name, getattr(self, name))
        if self.trials is not None and self.response != "binomial":
            raise ValueError(f"trials are for response='binomial', not {self.response!r}")
        if self.common_dispersion and self.response not in DISPERSIONS:
            raise ValueError(f"common_dispersion: a {self.response} response has no dispersion")

    @property
    def generalised(self) -> bool:  # type: ignore[override]
        return self.response != "gaussian" or bool(self.common)

    @property
    def measure(self) -> str:
        what = "a probability" if self.law.discrete else "a density"
        return f"{what} of column {self.target} given others"

    @property
    def simpler(self) -> str:  # type: ignore[override]
        free = self.dispersion is not None and not self.common_dispersion
        return "a common dispersion" if free else ""

    @property
    def law(self) -> Response:
        """What the response is given its linear predictor."""
        return RESPONSES[self.response]

    @property
    def dispersion(self) -> Dispersion | None:
        """How its dispersion hangs on deviances, where it has one."""
        return DISPERSIONS.get(self.response)

    @property
    def record(self) -> type[Coefficients]:  # type: ignore[override]
        return Coefficients if self.dispersion is None else Dispersed

    def columns(self, d: int) -> tuple[int, ...]:
        """The covariates of a table of d columns."""
        if self.covariates is not None:
            return self.covariates
        taken = {self.target % d, self.offset, self.trials}
        return tuple(j for j in range(d) if j not in taken)

    def described(self) -> dict[str, Any]:
        # What the design is stands in the table.
        return Family.described(replace(self, design=None))

    def answers(self, X: AnyArray) -> tuple[Array, Array, Array | float]:
        """(responses (n,), trials (n,), offsets (n,) or 0) of these rows."""
        y = np.asarray(X[:, self.target], dtype=np.float64)
        trials = np.ones_like(y) if self.trials is None else np.asarray(X[:, self.trials], float)
        return y, trials, 0.0 if self.offset is None else np.asarray(X[:, self.offset], float)

    def predictors(self, X: AnyArray, params: Coefficients) -> Array:
        """The linear predictors, (n, K)."""
        columns = self.columns(X.shape[1])
        eta = natural(X, columns, params.coefficients, self.intercept)
        return eta if self.offset is None else eta + np.asarray(X[:, [self.offset]], float)

    def phi(self, params: Coefficients) -> Array:
        """The dispersions (K,); 1 where there are none."""
        if isinstance(params, Dispersed):
            return params.dispersions
        return np.ones(len(params.coefficients))

    def expected(self, X: AnyArray, params: Coefficients) -> Array:
        """E(y | x, k) of each row, (n, K), in the response's units."""
        return self.law.mean(self.predictors(X, params), self.answers(X)[1][:, None])

    def log_density(self, X: AnyArray, params: Coefficients) -> Array:
        y, trials, _ = self.answers(X)
        eta = self.predictors(X, params)
        with np.errstate(over="ignore"):
            return self.law.log_density(y[:, None], eta, self.phi(params), trials[:, None])

    def log_sides(self, X: AnyArray, params: Coefficients) -> tuple[Array, Array]:
        """Logarithms of P(response <= that of the row | x, k) and P(> | x, k), (n, K) each."""
        y, trials, _ = self.answers(X)
        told = self.predictors(X, params), self.phi(params), trials[:, None]
        return self.law.log_sides(y[:, None], *told)

    def seen(self) -> Design:
        """The covariates of the table; ValueError where there was none."""
        if self.design is None:
            raise ValueError("Regression: this family has seen no table: fit it, or `settled` it")
        return self.design

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> RegressionStatistics:
        z, eta = self.seen().z(X), self.predictors(X, params)
        y, trials, _ = self.answers(X)
        with np.errstate(over="ignore", invalid="ignore"):
            s, w = self.law.slope(y[:, None], eta, trials[:, None])
            deviance = self.law.deviance(y[:, None], eta)
            # Zero times infinity is no row at all.
            s, w, deviance = (np.where(resp > 0, a, 0.0) * resp for a in (s, w, deviance))
        told = np.stack([(z * w[:, [k]]).T @ z for k in range(w.shape[1])])
        return RegressionStatistics(resp.sum(axis=0), s.T @ z, told, deviance.sum(axis=0))

    def tied(self, K: int) -> Array | None:
        """See `ties.tie`."""
        found = self.seen()
        return tie(found, tuple(found.columns.index(j) for j in self.common), K)

    def expected_information(self, params: Coefficients, shares: Array) -> Array:
        """What a row of the table tells of each component's coefficients of z, (K, q, q)."""
        found = self.seen()
        z, (y, trials, _) = found.z(found.rows), self.answers(found.rows)
        with np.errstate(over="ignore"):
            _, w = self.law.slope(y[:, None], self.predictors(found.rows, params), trials[:, None])
        w = w * found.shares[:, None] * shares / self.phi(params)
        return np.stack([(z * w[:, [k]]).T @ z for k in range(w.shape[1])])
