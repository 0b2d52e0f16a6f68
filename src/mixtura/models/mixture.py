"""The finite mixture: every row has its own hidden label, drawn independently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from mixtura.data.rows import Rows
from mixtura.errors import FitError
from mixtura.families.base import Family
from mixtura.families.collapse import doubtful, standings
from mixtura.families.domain import BadRow
from mixtura.families.endless import Endless
from mixtura.families.returned import maximized
from mixtura.models.base import Labelled, Respond
from mixtura.models.chart import mixture_chart
from mixtura.models.fixed import FixedWeights, free_chart
from mixtura.models.known_states import as_known
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.records import (
    AnyArray,
    Array,
    Chart,
    Chunk,
    Equation,
    RandomNumbers,
    Spike,
    Standing,
    Summary,
)
from mixtura.supports import Simplex, Support, edged

# Rows of smaller numbers have a density that is a number.
ORDINARY = 1e100
# Rows whose statistics are taken at once in `first_step`: their residuals stay in the cache.
_START_ROWS = 2048


@dataclass(frozen=True)
class Mixture(Labelled):
    """p(x) = sum_k pi_k p(x | k).

    E-step  r_ik = pi_k p(x_i | k) / p(x_i), computed from logarithms; of a row with memberships
            s_i (one at the component that is known) s_ik pi_k p(x_i | k) over their sum, which
            takes the place of p(x_i)
    M-step  pi_k = n_k / sum n_k; the components by the family
    Reference: Dempster, Laird & Rubin (1977), J. Royal Statistical Society B 39.
    """

    family: Family
    prior: Any
    fixed: FixedWeights | None = field(default=None, kw_only=True)

    @property
    def least_rows(self) -> int:
        return self.family.least_rows

    @property
    def generalised(self) -> bool:
        return self.family.generalised

    @property
    def monotone(self) -> bool:
        return bool(self.prior.monotone)

    @property
    def scored(self) -> bool:
        return self.family.scored

    @property
    def curved(self) -> bool:
        return self.family.curved

    @property
    def penalised(self) -> bool:
        return bool(self.prior.penalised)

    def unpenalised(self) -> Self:
        return replace(self, prior=self.prior.without_penalty())

    def guard(self, summary: Summary, params: MixtureParams) -> list[Spike]:
        counts = self.family.counts(self.own(summary))
        found = self.prior.narrow(params.components, counts, self.own(summary))
        given = self._given_shapes(len(counts))
        return [spike for spike in found if spike.component not in given]

    def _given_shapes(self, K: int) -> list[int]:
        """The components whose width somebody knows in advance."""
        pinned = self.family.pinned
        return [] if pinned is None else list(pinned.shapes(K))

    def vanishing(
        self, summary: Summary, params: MixtureParams, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        counts = self.family.counts(self.own(summary))
        return dict(self.prior.vanishing(params.components, counts, slowly=slowly))

    def constant(
        self, weight: float, params: MixtureParams
    ) -> dict[int, tuple[tuple[int, float], ...]]:
        return dict(self.prior.constant(params.components, weight * self.shares(params)))

    def finer(self, summary: Summary, params: MixtureParams) -> Self | None:
        stats = self.own(summary)
        prior = self.prior.finer(params.components, self.family.counts(stats), stats)
        return None if prior is None else replace(self, prior=prior)

    def as_fine_as(self, other: Any) -> Self:
        return replace(self, prior=other.prior)

    def doubtful(self, summary: Summary, params: MixtureParams) -> list[Spike]:
        counts = np.asarray(self.family.counts(self.own(summary)) * self.prior.count_scale)
        given = self._given_shapes(len(counts))
        found = doubtful(self.prior, params.components, counts)
        return [spike for spike in found if spike.component not in given]

    def standings(
        self, summary: Summary, params: MixtureParams, collapsed: Sequence[int] = ()
    ) -> tuple[Standing, ...]:
        counts = np.asarray(self.family.counts(self.own(summary)) * self.prior.count_scale)
        found = standings(self.prior, params.components, counts, collapsed)
        given = self._given_shapes(len(counts))
        return tuple(
            replace(each, held_up=False, verdict="regular") if each.component in given else each
            for each in found
        )

    def sobered(
        self, summary: Summary, params: MixtureParams, also: Sequence[int] = ()
    ) -> MixtureParams:
        narrow = {*also, *(spike.component for spike in self.guard(summary, params))}
        return self.widened(summary, params, sorted(narrow))

    def widened(
        self, summary: Summary, params: MixtureParams, narrow: Sequence[int]
    ) -> MixtureParams:
        parts = self.prior.smoothed(params.components)
        if narrow:
            parts = self.prior.sobered(parts, self.family.counts(self.own(summary)), [*narrow])
        return params if parts is params.components else replace(params, components=parts)

    def log_joint(self, X: AnyArray, params: MixtureParams) -> Array:
        """log pi_k + log p(x_i | k), shape (n, K)."""
        density = self.densities(self.family.log_density(X, params.components), X)
        return density + self.log_weights(X, params)

    def densities(self, log_density: Array, X: AnyArray) -> Array:
        """Those of all that a row may come from: of the components, (n, K), and what is beside."""
        return log_density

    def of_components(self, resp: Array) -> Array:
        """The responsibilities of the components alone, (n, K)."""
        return resp

    def shares(self, params: MixtureParams) -> Array:
        """The components' parts of all rows, (K,)."""
        return params.weights

    def log_weights(self, X: AnyArray, params: MixtureParams) -> Array:
        """log P(k) of each row, (K,) or (n, K)."""
        return params.log_weights

    def own(self, summary: Summary) -> Any:
        """The family's statistics in a summary."""
        return summary.statistics

    def counts(self, summary: Summary) -> Array:
        """The expected rows behind each of the weights."""
        return self.family.counts(self.own(summary))

    def gathered(self, X: AnyArray, resp: Array, params: MixtureParams, own: Any) -> Any:
        """A summary's statistics: the family's `own` and what else the M-step needs of the rows."""
        return own

    def e_step(self, chunk: Chunk, params: MixtureParams) -> Summary:
        return self.e_step_with(chunk, params, lambda joint: normalise(joint, params.weights))

    def e_step_with(self, chunk: Chunk, params: MixtureParams, respond: Respond) -> Summary:
        X, sample_weight, known = chunk.X, chunk.weight, chunk.known
        if sample_weight is not None and not sample_weight.all():
            # Left out, not multiplied by zero: far out, zero times infinity would be NaN.
            some = sample_weight > 0
            X, sample_weight = X[some], sample_weight[some]
            known = None if known is None else known[some]
        with np.errstate(over="ignore", invalid="ignore"):
            look = self.family.look(X, params.components)
            joint = self.densities(look.log_density, X) + self.log_weights(X, params)
            log_p, resp = respond(as_known(joint, known))
        if sample_weight is None:
            loglik, weight = float(log_p.sum()), float(len(X))
        else:
            loglik, weight = float(sample_weight @ log_p), float(sample_weight.sum())
            resp *= sample_weight[:, None]
        reached = np.isfinite(log_p)
        if reached.all():
            own = look.statistics(self.of_components(resp))
            return Summary(loglik, weight, self.gathered(X, resp, params, own))
        self._refuse_no_number(X, look.log_density, params)
        # No density anywhere: the log-likelihood says so, and no component moves for it.
        X, resp = X[reached], resp[reached]
        own = self.family.statistics(X, self.of_components(resp), params.components)
        return Summary(loglik, weight, self.gathered(X, resp, params, own))

    def _refuse_no_number(self, X: AnyArray, log_density: Array, params: Any) -> None:
        # Numbers of any size may overflow in between: those are far out, and no fault.
        ordinary = (np.abs(X) < ORDINARY).all(axis=1, keepdims=True)
        bad = np.argwhere(np.isnan(log_density) & ordinary)
        for name, array in params.components.arrays().items() if len(bad) else ():
            if np.isnan(array).any():
                raise FitError(
                    f"maximize of family {self.family.name!r} made NaN of {name!r}: a component "
                    "that has lost its rows (a count of 0) keeps what it had in `params`"
                )
        if len(bad):
            try:
                self.family.params(params.components.arrays())
            except ValueError as error:
                left = f"maximize of family {self.family.name!r} left what is admissible: {error}"
                raise FitError(left) from None
            raise FitError(
                f"log_density of family {self.family.name!r} is no number for "
                f"{len(np.unique(bad[:, 0]))} of the rows under component {bad[0, 1]}"
            )

    def m_step(self, summary: Summary, params: MixtureParams) -> MixtureParams:
        counts = self.counts(summary) + self.prior.weight_rows
        own = self.prior.beside(self.own(summary))
        components = maximized(self.family, own, params.components, self.prior)
        return MixtureParams(self.estimated(counts), components)

    def estimated(self, counts: Array) -> Array:
        """The weights of the M-step from the expected rows behind each."""
        return counts / counts.sum() if self.fixed is None else self.fixed.estimated(counts)

    def first_step(
        self, X: AnyArray, sample_weight: Array | None, resp: Array, params: MixtureParams
    ) -> MixtureParams:
        """The M-step from given responsibilities (n, K); `params` lends its units and shapes."""
        weighted = resp if sample_weight is None else resp * sample_weight[:, None]
        begun = self.family.start(X, weighted, params.components, self.prior)
        if begun is not None:
            return MixtureParams(self.estimated(weighted.sum(axis=0)), begun)
        total: Summary | None = None
        for first in range(0, len(X), _START_ROWS):
            rows = slice(first, first + _START_ROWS)
            x = np.asarray(X[rows], dtype=np.float64)
            stats = self.family.statistics(x, weighted[rows], params.components)
            part = Summary(np.nan, float(weighted[rows].sum()), stats)
            total = part if total is None else total + part
        assert total is not None
        return self.m_step(total, params)

    def by_moments(self, rows: Rows, params: MixtureParams) -> MixtureParams:
        if type(self) is not Mixture:
            return super().by_moments(rows, params)  # type: ignore[no-any-return]
        w = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
        X = np.asarray(rows.X[w > 0], dtype=np.float64)
        return MixtureParams(*self.family.by_moments(X, w[w > 0], len(params.weights)))

    def begun_at(self, params: MixtureParams) -> MixtureParams:
        components = self.prior.admitted(params.components)
        if self.family.pinned is not None:
            components = self.family.pinned.imposed(components)
        if components is not params.components:
            params = replace(params, components=components)
        return params if self.fixed is None else self.fixed.imposed(params)

    def foreign(self, X: AnyArray) -> str:
        try:
            self.family.refuse(X, [str(j) for j in range(X.shape[1])])
        except BadRow as bad:
            return bad.before
        return ""

    def endless(self, summary: Summary, params: MixtureParams) -> tuple[Endless, ...]:
        """Coefficients that run to infinity, or that the rows do not determine."""
        return self.family.endless(self.own(summary), params.components)

    def refuse_inadmissible(self, params: MixtureParams) -> None:
        try:
            self.family.refuse_inadmissible(params.components)
        except ValueError as error:
            told = f"the M-step of family {self.family.name!r} left what is admissible: {error}"
            raise ValueError(told) from None

    def edge(self, params: MixtureParams) -> str:
        return self.family.edge(params.components)

    def edged(self, params: MixtureParams, near: float) -> MixtureParams | None:
        family = self.family
        arrays = edged(family.supports(), params.components.arrays(), near)
        if arrays is None or family.pinned is not None:
            return None
        return replace(params, components=family.params(arrays))

    def edges(self, params: MixtureParams) -> dict[str, Support]:
        if self.obstacle():
            return {}
        weights: dict[str, Support] = {} if self.fixed is not None else {"weights": Simplex()}
        return {**weights, **self.family.supports()}

    @property
    def extrapolates(self) -> bool:
        return not self.obstacle()

    @property
    def examinable(self) -> str:
        return self.obstacle()

    def empty(self, summary: Summary, params: MixtureParams) -> tuple[int, ...]:
        rows = self.shares(params) * summary.weight * self.prior.count_scale
        return tuple(int(k) for k in np.flatnonzero(rows < 0.5))

    @property
    def held_columns(self) -> tuple[int, ...]:
        return tuple(self.prior.held_columns)

    @property
    def equations(self) -> tuple[Equation, ...]:
        return tuple(self.prior.equations)

    def with_arrays(self, params: MixtureParams, given: Mapping[str, Array]) -> MixtureParams:
        """`params` with the named arrays replaced."""
        arrays = {**params.arrays(), **given}
        return MixtureParams(arrays.pop("weights"), self.family.params(arrays))

    def score(self, summary: Summary, params: MixtureParams) -> dict[str, Array]:
        counts = self.counts(summary) + self.prior.weight_rows
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(counts > 0, counts / params.weights, 0.0)
        found = self.family.score(self.own(summary), params.components)
        for name, part in self.prior.score(params.components).items():
            found[name] = found[name] + part
        return {"weights": weights, **found}

    def obstacle(self) -> str:
        fixed = "" if self.fixed is None else self.fixed.obstacle()
        if self.fixed is not None and self.family.pinned is not None and self.family.pinned.whole:
            fixed = "fixed: no parameter is free"
        return fixed or self.family.obstacle(self.prior)

    def chart(self, params: MixtureParams) -> Chart:
        whole = mixture_chart(self.family, self.prior, params)
        pinned = self.family.pinned
        if self.fixed is None and pinned is None:
            return whole
        parts = None if pinned is None else pinned.free(whole.components)
        return free_chart(whole, whole.components.size, self.fixed is not None, parts)

    def refuse_collapse(self, summary: Summary, params: MixtureParams) -> None:
        self.prior.refuse_collapse(params.components, self.family.counts(self.own(summary)))

    def rounding(self, params: MixtureParams) -> float:
        return self.family.rounding(params.components)

    def coarseness(self, params: MixtureParams) -> float:
        return self.family.coarseness(params.components)

    def at_edge(self, summary: Summary, params: MixtureParams) -> bool:
        counts = self.family.counts(self.own(summary))
        rows = counts * self.prior.count_scale
        return bool(rows.min() < 1.0) or bool(self.guard(summary, params))

    def transported(self, summary: Summary, before: MixtureParams, after: MixtureParams) -> Summary:
        stats = self.family.transported(summary.statistics, before.components, after.components)
        return replace(summary, statistics=stats)

    def log_prior(self, params: MixtureParams) -> float:
        own, rows = float(self.prior.log_prior(params.components)), self.prior.weight_rows
        return own + rows * float(np.sum(params.log_weights)) if rows else own

    def belief(self, params: MixtureParams) -> float:
        return self.log_prior(params) if self.prior.asked else 0.0

    def n_parameters(self, params: MixtureParams) -> int:
        """Free parameters: K - 1 weights, fewer where some are known, and the family's."""
        weights = len(params.weights) - 1 if self.fixed is None else self.fixed.size
        return weights + self.family.n_parameters(params.components)

    def sample(self, n: int, params: MixtureParams, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        """n independent rows and their labels, in random order."""
        # Weights of a float32 fit sum to one in float32 only, which multinomial refuses.
        weights = np.asarray(params.weights, dtype=np.float64)
        counts = rng.multinomial(n, weights / weights.sum())
        labels = np.repeat(np.arange(len(weights)), counts)
        labels = rng.permutation(labels)
        return self.family.sample(labels, params.components, rng), labels

    def sample_given(
        self, X: AnyArray, params: MixtureParams, rng: RandomNumbers
    ) -> tuple[Array, AnyArray]:
        """A row and its label for each row of X, of which what is conditioned on stays."""
        shares = np.broadcast_to(np.exp(self.log_weights(X, params)), (len(X), len(params.weights)))
        upto = np.cumsum(shares, axis=1)
        labels = (rng.uniform(size=(len(X), 1)) * upto[:, -1:] > upto[:, :-1]).sum(axis=1)
        return self.family.sample_given(X, labels, params.components, rng), labels
