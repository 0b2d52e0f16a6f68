"""The hidden Markov model whose first states hang on covariates too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from scipy.special import log_softmax

from mixtura.coordinates import AroundLinear, Fields
from mixtura.data.column_positions import called
from mixtura.data.refusal import row_at
from mixtura.data.sequences import Ordered, starts_of
from mixtura.families.design import Design, design, natural, newton, unit_free
from mixtura.models.concomitant import logit_information
from mixtura.models.driven import (
    LEAST,
    Driven,
    DrivenParams,
    DrivenRecursion,
    DrivenStatistics,
    bounded,
)
from mixtura.models.hidden_markov import Over
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray, Array, Chunk, Summary
from mixtura.supports import Real

# A state that fewer than one sequence of a million begins in is taken for one that none does.
UNBEGUN = 1e-6


def begun_in(initial: Array) -> AnyArray:
    """The states that sequences begin in, of such a law."""
    return np.flatnonzero(initial > UNBEGUN)


def reference(initial: Array) -> int:
    """The first of these: logits are told beside it."""
    return int(begun_in(initial)[0])


@dataclass(frozen=True)
class DrivenFirstParams(DrivenParams):
    """first_logits (K, q): log P(k | c) / P(r | c) of the first state, the intercept first.

    initial is the law expected, on average over the sequences; r is its `reference`.
    """

    first_logits: Annotated[Array, Real()]

    def states(self, order: AnyArray) -> DrivenFirstParams:
        found = super().states(order)
        assert isinstance(found, DrivenFirstParams)
        return replace(found, first_logits=self.first_logits[order]).at_reference()

    def at_reference(self) -> DrivenFirstParams:
        """The same law, its logits beside the reference."""
        logits = self.first_logits
        return replace(self, first_logits=logits - logits[reference(self.initial)])


@dataclass(frozen=True)
class DrivenFirstStatistics(DrivenStatistics):
    """first_slopes (K q,) and first_information (K q, K q) as those of a row of transitions."""

    first_slopes: Array
    first_information: Array


@dataclass(frozen=True)
class DrivenFirst(Driven):
    """As `Driven`, with a first state that is a multinomial logit of its step's covariates.

    log P(z_1 = k | c_1) / P(z_1 = r | c_1) = a_k + c_1'b_k, beside the `reference` r

    first    the columns, which the family does not model either
    begins   (K,), where a sequence may begin

    M-step: one step of Newton's method in these logits; all else as there. With "initial" held the
    law is that of the parameters, whatever the covariates.

    Reference: Bartolucci, Farcomeni & Pennoni (2013), Latent Markov Models for Longitudinal Data,
    section 5.3.
    """

    first: Design | None = None
    begins: AnyArray | None = None

    @property
    def first_columns(self) -> tuple[int, ...]:
        """Where the covariates of the first state stand."""
        return self._first.columns

    @property
    def _first(self) -> Design:
        assert self.first is not None
        return self.first

    def _may(self, K: int) -> AnyArray:
        return np.ones(K, dtype=bool) if self.begins is None else self.begins

    def seen(self, x: Array) -> AnyArray:
        given = [*self.columns, *self.first_columns]
        return np.asarray(~np.isnan(np.delete(x, given, axis=1)).all(axis=1))

    def first_law(self, X: AnyArray, ends: AnyArray, params: DrivenFirstParams) -> Array:
        """log P(first state) of each sequence, (S, K)."""
        K, starts = len(params.initial), starts_of(ends)
        if "initial" in self.held:
            with np.errstate(divide="ignore"):
                return np.tile(np.log(params.initial), (len(ends), 1))
        x = np.asarray(X, dtype=np.float64)[starts]
        refuse_first_gaps(x, starts, self.first_columns)
        logits = natural(x, self.first_columns, params.first_logits, intercept=True)
        return np.asarray(log_softmax(np.where(self._may(K), logits, -np.inf), axis=1))

    def told_first(
        self, X: AnyArray, ends: AnyArray, params: Any, log_density: Array
    ) -> tuple[Array, Array]:
        """(an even law, log densities (n, K) with what the first states' laws say beside it)."""
        K = len(params.initial)
        found = np.array(log_density)
        found[starts_of(ends)] += self.first_law(X, ends, params) + np.log(K)
        return np.full(K, 1.0 / K), found

    def e_step_driven(
        self, chunk: Chunk, params: Any, recursion: DrivenRecursion, over: Over = map
    ) -> Summary:
        told: list[tuple[Array, Array]] = []

        def along(initial: Array, moves: Array, b: Array, ends: AnyArray) -> Any:
            even, b = self.told_first(chunk.X, ends, params, b)
            found = recursion(even, moves, b, ends)
            told.append(self._told_of_first(chunk, ends, params, found[1]))
            return found

        return self._with_first(super().e_step_driven(chunk, params, along, over), told[0])

    def _with_first(self, summary: Summary, told: tuple[Array, Array]) -> Summary:
        """The sums, with what first states say of their logits."""
        own: Any = summary.statistics
        first = {"first_slopes": told[0], "first_information": told[1]}
        return replace(summary, statistics=self._sums(**own.__dict__, **first))

    def _told_of_first(
        self, chunk: Chunk, ends: AnyArray, params: DrivenFirstParams, posterior: Array
    ) -> tuple[Array, Array]:
        """What the first states say of their logits: slopes and information."""
        starts = starts_of(ends)
        met, shares = posterior[starts], np.exp(self.first_law(chunk.X, ends, params))
        out = met.sum(axis=1) * (1.0 if chunk.weight is None else chunk.weight[starts])
        z = self._first.z(np.asarray(chunk.X, dtype=np.float64)[starts])
        apart = (met - shares) * out[:, None]
        apart[:, reference(params.initial)] = shares[:, reference(params.initial)] = 0.0
        if "initial" in self.held:
            # Pieces of sequences begin where a covariate may be missing.
            z, apart = np.zeros_like(z), np.zeros_like(apart)
        return (apart.T @ z).ravel(), logit_information(z, shares, out)

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> DrivenFirstParams:
        found = super().lasting(params, stays)
        return self._params(**found.__dict__, first_logits=self._of_law(found.initial))

    def _of_law(self, initial: Array) -> Array:
        """Logits of one law for all sequences."""
        logs = np.log(np.maximum(initial, LEAST)) - np.log(initial[reference(initial)])
        logits = np.zeros((len(initial), self._first.size))
        logits[:, 0] = np.where(self._may(len(initial)), logs, 0.0)
        return logits

    def m_step(self, summary: Summary, params: Any) -> DrivenFirstParams:
        stats: Any = summary.statistics
        found = super().m_step(summary, params)
        step = newton(stats.first_information, stats.first_slopes)
        step = bounded(step.reshape(1, len(params.initial), -1))[0] @ self._first.turn.T
        logits = params.first_logits + step
        return self._params(**found.__dict__, first_logits=logits).at_reference()

    others: ClassVar[tuple[str, ...]] = ("logits", "first_logits")
    # What such a model has, and sums.
    _params: ClassVar[type[DrivenFirstParams]] = DrivenFirstParams
    _sums: ClassVar[type[DrivenFirstStatistics]] = DrivenFirstStatistics

    def moving(self) -> tuple[str, ...]:
        return tuple(name for name in super().moving() if name != "initial")

    def other_fields(self, params: Any) -> Fields:
        found, K, first = super().other_fields(params), len(params.initial), self._first
        # What a state hangs on that no sequence begins in, nothing tells.
        free = np.flatnonzero(self._may(K) & (params.initial > UNBEGUN))[1:]
        ends = np.arange(len(first.rows)) + 1
        shares = np.exp(replace(self, held=()).first_law(first.rows, ends, params))
        own = np.maximum(shares[:, free], LEAST)
        z = first.z(first.rows)
        # Of each step a sequence has but one first.
        told = self.sequences * logit_information(z, own, first.shares)
        turned = np.kron(np.eye(len(free)), first.turn) @ unit_free(told)
        whole = np.zeros((K, first.size, turned.shape[1]))
        whole[free] = turned.reshape(len(free), first.size, turned.shape[1])
        columns = whole.reshape(params.first_logits.size, turned.shape[1])
        around = AroundLinear(Real(), params.first_logits, columns)
        scales = np.ones(around.map.shape[1])
        return Fields(
            found.parts | {"first_logits": around}, found.scales | {"first_logits": scales}
        )

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        stats: Any = summary.statistics
        logits = stats.first_slopes.reshape(params.first_logits.shape) @ self._first.back.T
        return {**super().score(summary, params), "first_logits": logits}

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> DrivenFirstParams:
        found = super().with_arrays(params, given)
        logits = given.get("first_logits", params.first_logits)
        if "initial" in given and "first_logits" not in given:
            logits = self._of_law(given["initial"])
        return self._params(**found.__dict__, first_logits=logits)

    def n_parameters(self, params: Any) -> int:
        """Each state that a sequence may begin in, but one, has an intercept and coefficients."""
        free = int(self._may(len(params.initial)).sum()) - 1
        return super().n_parameters(params) + free * self._first.size


def refuse_first_gaps(
    x: Array, rows: AnyArray, columns: tuple[int, ...], names: Sequence[str] = ()
) -> None:
    """ValueError where a covariate of a first state is missing; `rows` are those of `x`."""
    gaps = ~np.isfinite(x[:, list(columns)])
    if gaps.any():
        i, column = np.argwhere(gaps)[0]
        raise ValueError(
            f"initial_covariates: column {called(columns[column], names)} is missing in "
            f"{row_at(rows[i])}, and the first state of its sequence hangs on it: fill it in, or "
            "leave the sequence out"
        )


def first_design(rows: Ordered, columns: tuple[int, ...], names: Sequence[str] = ()) -> Design:
    """That of the first rows of sequences; ValueError where one is missing, or says nothing new."""
    found = rows.begins()
    refuse_first_gaps(found.X, rows.starts, columns, names)
    return design(found, columns, True, "initial covariate", names)
