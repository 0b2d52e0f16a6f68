"""Mixtures whose weights hang on covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from scipy.special import log_softmax

from mixtura.coordinates import AroundLinear
from mixtura.families.design import Design, natural, newton, unit_free
from mixtura.families.endless import Endless, undetermined
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Chart, RandomNumbers, Statistics, Summary
from mixtura.supports import TINY, Real, Support

# One M-step changes log-ratios of weights by no more than this, as a root mean square.
REACH = 3.0
# Log-ratios begin no lower than at this share, and are scaled as if weights were no smaller.
LEAST_SHARE = 1e-8


@dataclass(frozen=True)
class ConcomitantParams(MixtureParams):
    """logits (K, q): log P(k | x) / P(0 | x), the intercept first; of component 0 they are 0.

    weights (K,) are the mean P(k | x) of the table, which no likelihood hangs on.
    """

    weights: Array
    logits: Annotated[Array, Real()]


@dataclass(frozen=True)
class ConcomitantStatistics(Statistics):
    """components, the family's; in the coordinates z of the concomitants slopes ((K - 1) q,) and
    information ((K - 1) q, (K - 1) q) of the logits at their current values."""

    components: Any
    slopes: Array
    information: Array


@dataclass(frozen=True)
class Concomitant(Mixture):
    """p(x) = sum_k P(k | c) p(x | k), log P(k | c) / P(0 | c) = a_k + c'b_k.

    design  the concomitant columns c, which the family does not model

    E-step  as in `Mixture`, with each row's own weights
    M-step  one step of Newton's method in the logits; the components by the family
    Reference: Dayton & Macready (1988), J. American Statistical Association 83; Grün & Leisch
    (2008), J. Statistical Software 28(4).
    """

    design: Design

    @property
    def generalised(self) -> bool:
        return True

    def log_weights(self, X: AnyArray, params: Any) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            logits = natural(X, self.design.columns, params.logits, intercept=True)
            return np.asarray(log_softmax(logits, axis=1))

    def own(self, summary: Summary) -> Any:
        # Of starts, which take an M-step of the components alone, there are no others.
        stats = summary.statistics
        return stats.components if isinstance(stats, ConcomitantStatistics) else stats

    def gathered(self, X: AnyArray, resp: Array, params: Any, own: Any) -> ConcomitantStatistics:
        z, w = self.design.z(np.asarray(X, dtype=np.float64)), resp.sum(axis=1)
        shares = np.exp(self.log_weights(X, params))[:, 1:]
        slopes = (resp[:, 1:] - w[:, None] * shares).T @ z
        return ConcomitantStatistics(own, slopes.ravel(), logit_information(z, shares, w))

    def m_step(self, summary: Summary, params: Any) -> ConcomitantParams:
        stats: Any = summary.statistics
        plain = Mixture.m_step(self, summary, params)
        step = newton(stats.information, stats.slopes).reshape(-1, self.design.size)
        size = float(np.sqrt((step**2).sum(axis=1).max(initial=0.0)))
        moved = step * min(1.0, REACH / max(size, TINY)) @ self.design.turn.T
        logits = params.logits.copy()
        logits[1:] += moved
        return ConcomitantParams(plain.weights, plain.components, logits)

    def first_step(
        self, X: AnyArray, sample_weight: Array | None, resp: Array, params: Any
    ) -> ConcomitantParams:
        plain = Mixture(self.family, self.prior)
        return self.even(plain.first_step(X, sample_weight, resp, params))

    def even(self, params: MixtureParams) -> ConcomitantParams:
        """The mixture whose weights are the same in every row."""
        logits = np.zeros((len(params.weights), self.design.size))
        logs = np.log(np.maximum(params.weights, LEAST_SHARE))
        logits[:, 0] = logs - logs[0]
        return ConcomitantParams(params.weights, params.components, logits)

    def edges(self, params: Any) -> dict[str, Support]:
        # The weights are means over the table: logits move them.
        return {name: each for name, each in super().edges(params).items() if name != "weights"}

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> ConcomitantParams:
        arrays = {**params.arrays(), **given}
        weights, logits = arrays.pop("weights"), arrays.pop("logits")
        return ConcomitantParams(weights, self.family.params(arrays), logits)

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        found = Mixture.score(self, summary, params)
        del found["weights"]
        return {"logits": self.slopes(summary), **found}

    def slopes(self, summary: Summary) -> Array:
        """The score of the logits, (K, q); 0 for component 0."""
        stats: Any = summary.statistics
        free = stats.slopes.reshape(-1, self.design.size) @ self.design.back.T
        return np.vstack([np.zeros((1, self.design.size)), free])

    def chart(self, params: Any) -> ConcomitantChart:
        z, w = self.design.z(self.design.rows), self.design.shares
        shares = np.exp(self.log_weights(self.design.rows, params))[:, 1:]
        free = unit_free(logit_information(z, np.maximum(shares, LEAST_SHARE), w))
        turned = np.kron(np.eye(shares.shape[1]), self.design.turn) @ free
        whole = np.vstack([np.zeros((self.design.size, turned.shape[1])), turned])
        logits = AroundLinear(Real(), params.logits, whole)
        parts = self.family.chart(params.components, params.weights)
        return ConcomitantChart(self, params.weights, logits, parts)

    def n_parameters(self, params: Any) -> int:
        """Free parameters: the logits of all components but one, and the family's."""
        logits = (len(params.weights) - 1) * self.design.size
        return logits + self.family.n_parameters(params.components)

    def endless(self, summary: Summary, params: Any) -> tuple[Endless, ...]:
        K, q = params.logits.shape
        stats: Any = summary.statistics
        told = stats.information.reshape(K - 1, q, K - 1, q)
        each = told[np.arange(K - 1), :, np.arange(K - 1), :] / summary.weight
        share = params.weights[1:] * (1.0 - params.weights[1:])
        found = undetermined(
            each / np.maximum(share, TINY)[:, None, None],
            1.0,
            params.logits[1:],
            self.design,
            (-1, *self.design.columns),
            params.weights[1:] * summary.weight >= 0.5,
        )
        mine = (replace(one, component=one.component + 1, of_weights=True) for one in found)
        return (*Mixture.endless(self, summary, params), *mine)

    def transported(self, summary: Summary, before: Any, after: Any) -> Summary:
        stats: Any = summary.statistics
        change = ((after.logits - before.logits)[1:] @ self.design.back).ravel()
        own = self.family.transported(stats.components, before.components, after.components)
        slopes = stats.slopes - stats.information @ change
        return replace(summary, statistics=ConcomitantStatistics(own, slopes, stats.information))

    def sample(self, n: int, params: Any, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        raise NotImplementedError(
            "the weights of this mixture hang on concomitants, and it does not say where these "
            "lie: draw rows for given ones"
        )


def logit_information(z: Array, shares: Array, w: Array) -> Array:
    """That of the logits: sum w (diag p - p p') x z z' over rows, p (n, K - 1) the shares."""
    K, q = shares.shape[1], z.shape[1]
    # Rows last, for NumPy is slow along few numbers.
    each = np.ascontiguousarray(shares.T)[:, None, :] * np.ascontiguousarray(z.T)
    each = each.reshape(K * q, len(z))
    weighed = each * w
    whole = -weighed @ each.T
    alone = (weighed @ z).reshape(K, q, q)
    blocks = whole.reshape(K, q, K, q)
    for k in range(K):
        blocks[k, :, k, :] += alone[k]
    return np.asarray(whole)


@dataclass(frozen=True)
class ConcomitantChart(Chart):
    """The logits' free numbers, then the components'; the mean weights stay as they are."""

    model: Concomitant
    weights: Array
    logits: AroundLinear
    components: Any

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return self._cut + int(self.components.size)

    @property
    def _cut(self) -> int:
        return int(self.logits.map.shape[1])

    @property
    def radius(self) -> Array:
        return np.concatenate([np.full(self._cut, 30.0), self.components.radius])

    def params(self, free: Array) -> ConcomitantParams:
        parts = self.components.params(free[self._cut :])
        return ConcomitantParams(self.weights, parts, self.logits.value(free[: self._cut]))

    def coordinates(self, params: ConcomitantParams) -> Array:
        own = self.components.coordinates(params.components)
        return np.concatenate([self.logits.free(params.logits), own])

    def gradient(self, summary: Summary, params: ConcomitantParams) -> Array:
        model = self.model
        own = self.components.gradient(model.own(summary), params.components, model.prior)
        return np.concatenate([self.logits.slope(params.logits, model.slopes(summary)), own])
