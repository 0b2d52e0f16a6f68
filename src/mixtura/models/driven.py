"""The hidden Markov model whose transitions hang on covariates."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Annotated, Any, ClassVar

import numpy as np

from mixtura.coordinates import AroundLinear, Fields
from mixtura.data.column_positions import called
from mixtura.data.refusal import row_at
from mixtura.data.sequences import starts_of
from mixtura.families.design import Design, newton, unit_free
from mixtura.models.concomitant import REACH, logit_information
from mixtura.models.hidden_markov import HiddenMarkov, Over
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.records import AnyArray, Array, Chunk, RandomNumbers, Statistics, Summary
from mixtura.supports import TINY, Real

# Log-ratios begin no lower than at this probability.
LEAST = 1e-8
# Probabilities of moves that are worked out at once: so many stay in the cache.
_PIECE = 1 << 16
# (initial (K,), moves into each step (n, K, K), log densities (n, K), ends (S,)) ->
# (log-likelihoods (S,), P(state | whole sequence) (n, K), moves met into each step (n, K, K)).
DrivenRecursion = Callable[[Array, Array, Array, AnyArray], tuple[Array, Array, Array]]


@dataclass(frozen=True)
class DrivenParams(HiddenMarkovParams):
    """logits (K, K, q): log P(j | i, c) / P(i | i, c), the intercept first; 0 where j is i.

    transitions are the moves expected, on average over the steps.
    """

    logits: Annotated[Array, Real()]

    def states(self, order: AnyArray) -> DrivenParams:
        found = super().states(order)
        assert isinstance(found, DrivenParams)
        return replace(found, logits=self.logits[np.ix_(order, order)])


@dataclass(frozen=True)
class Moves(Statistics):
    """met (K, K) moves; in the coordinates z of the covariates slopes (K, K q) and information
    (K, K q, K q) of the logits of each row of transitions."""

    met: Array
    slopes: Array
    information: Array


@dataclass(frozen=True)
class DrivenStatistics(ChainStatistics):
    """slopes and information as in `Moves`."""

    slopes: Array
    information: Array


@dataclass(frozen=True)
class Driven(HiddenMarkov):
    """As `HiddenMarkov`, with transitions that are multinomial logits.

    log P(z_t = j | z_t-1 = i, c_t-1) / P(z_t = i | z_t-1 = i, c_t-1) = a_ij + c_t-1'b_ij

    What a step's row says of the covariates c drives the move to the next step.

    design   the columns c, which the family does not model
    allowed  (K, K), the transitions that there are

    M-step: one step of Newton's method in the logits of each state; all else as there.

    Reference: Diebold, Lee & Weinbach (1994), in Nonstationary time series analysis and
    cointegration; Visser & Speekenbrink (2010), J. Statistical Software 36(7).
    """

    design: Design | None = None
    allowed: AnyArray | None = None

    @property
    def generalised(self) -> bool:
        return True

    @property
    def _design(self) -> Design:
        assert self.design is not None
        return self.design

    @property
    def columns(self) -> tuple[int, ...]:
        """Where the covariates stand."""
        return self._design.columns

    def _there(self, K: int) -> AnyArray:
        return np.ones((K, K), dtype=bool) if self.allowed is None else self.allowed

    def _reference(self, K: int) -> AnyArray:
        """The state of each row that others are told beside: itself, or the first it goes to."""
        there = self._there(K)
        return np.where(np.diag(there), np.arange(K), there.argmax(axis=1))

    def seen(self, x: Array) -> AnyArray:
        return np.asarray(~np.isnan(np.delete(x, self.columns, axis=1)).all(axis=1))

    def moves(self, X: AnyArray, ends: AnyArray, params: Any, over: Over = map) -> Array:
        """P(state | the one before) into each row, (n, K, K); 1 where a sequence begins."""
        K = len(params.initial)
        refuse_gaps(X, ends, self.columns)
        found = np.empty((len(X), K, K))
        found[starts_of(ends)] = 1.0

        def fill(rows: AnyArray) -> None:
            x = np.asarray(X[rows - 1], dtype=np.float64)
            found[rows] = np.moveaxis(self._shares(x, params), 2, 0)

        for _ in over(fill, _pieces(ends, K)):
            pass
        return found

    def _shares(self, x: Array, params: DrivenParams) -> Array:
        """P(j | i, c) of rows, (K, K, n): the rows last, for NumPy is slow along few states."""
        K = len(params.initial)
        flat, own = params.logits.reshape(K * K, -1), x[:, list(self.columns)]
        logits = (flat[:, 1:] @ own.T + flat[:, :1]).reshape(K, K, -1)
        logits[~self._there(K)] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        found = np.exp(logits, out=logits)
        found /= found.sum(axis=1, keepdims=True)
        return np.asarray(found)

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> DrivenParams:
        K = len(params.initial)
        logs = np.log(np.maximum(params.transitions, LEAST))
        logits = np.zeros((K, K, self._design.size))
        beside = np.take_along_axis(logs, self._reference(K)[:, None], axis=1)
        logits[:, :, 0] = np.where(self._there(K), logs - beside, 0.0)
        own = {name: getattr(params, name) for name in ("weights", "components", "initial")}
        return DrivenParams(**own, transitions=params.transitions, logits=logits)

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        return self.e_step_driven(chunk, params, in_steps)

    def e_step_driven(
        self, chunk: Chunk, params: DrivenParams, recursion: DrivenRecursion, over: Over = map
    ) -> Summary:
        """The same, forward and backward by `recursion`, `over` the pieces of a long chunk."""
        X = np.asarray(chunk.X, dtype=np.float64)

        def along(b: Array, initial: Array, _: Array, ends: AnyArray, weight: Array | None) -> Any:
            moves = self.moves(X, ends, params, over)
            loglik, posterior, met = recursion(initial, moves, b, ends)
            if weight is not None:
                met *= np.repeat(weight, np.diff(ends, prepend=0))[:, None, None]
            return loglik, posterior, self._told(X, ends, moves, met, over)

        return self.e_step_by(chunk, params, along, over)

    def _told(self, X: Array, ends: AnyArray, moves: Array, met: Array, over: Over = map) -> Moves:
        """What the moves met into each step say of the logits at the `moves` that were expected."""
        K, nobody = moves.shape[1], np.zeros(0, dtype=np.int64)
        beside = np.arange(K), self._reference(K)

        def tell(rows: AnyArray) -> Moves:
            z = self._design.z(X[rows - 1])
            went, shares = (np.moveaxis(each[rows], 0, 2).copy() for each in (met, moves))
            out = went.sum(axis=1)
            apart = went - out[:, None] * shares
            apart[beside] = shares[beside] = 0.0
            slopes = (apart.reshape(K * K, -1) @ z).reshape(K, -1)
            each = [logit_information(z, own.T, w) for own, w in zip(shares, out, strict=True)]
            return Moves(went.sum(axis=2), slopes, np.stack(each))

        found: Moves = reduce(operator.add, over(tell, _pieces(ends, K) or [nobody]))
        return found

    def sums(self, own: Any, first: Array, moves: Any) -> DrivenStatistics:
        told: Moves = moves
        return DrivenStatistics(own, first, told.met, told.slopes, told.information)

    def m_step(self, summary: Summary, params: Any) -> DrivenParams:
        stats: Any = summary.statistics
        found = HiddenMarkov.m_step(self, summary, params)
        K, q = len(params.initial), self._design.size
        step = bounded(newton(stats.information, stats.slopes).reshape(K, K, q))
        logits = params.logits + step @ self._design.turn.T
        own = {name: getattr(found, name) for name in ("weights", "components", "initial")}
        return DrivenParams(**own, transitions=found.transitions, logits=logits)

    others: ClassVar[tuple[str, ...]] = ("logits",)

    def moving(self) -> tuple[str, ...]:
        return tuple(name for name in HiddenMarkov.moving(self) if name != "transitions")

    def other_fields(self, params: Any) -> Fields:
        K, design = len(params.initial), self._design
        shares = self._shares(design.rows, params)
        there, z = self._there(K), design.z(design.rows)
        # A state with one way on has no free number.
        columns = [np.zeros((params.logits.size, 0))]
        for i, reference in enumerate(self._reference(K)):
            free = np.flatnonzero(there[i] & (np.arange(K) != reference))
            if not len(free):
                continue
            own = np.maximum(shares[i, free], LEAST).T
            told = max(self.left(params)[i], LEAST) * logit_information(z, own, design.shares)
            turned = np.kron(np.eye(len(free)), design.turn) @ unit_free(told)
            whole = np.zeros((K, K, design.size, turned.shape[1]))
            whole[i, free] = turned.reshape(len(free), design.size, -1)
            columns.append(whole.reshape(params.logits.size, -1))
        around = AroundLinear(Real(), params.logits, np.hstack(columns))
        return Fields({"logits": around}, {"logits": np.ones(around.map.shape[1])})

    def left(self, params: Any) -> Array:
        """The share of the steps that its logits say the next of, of each state (K,)."""
        return params.weights  # type: ignore[no-any-return]

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        stats: Any = summary.statistics
        logits = stats.slopes.reshape(params.logits.shape) @ self._design.back.T
        return {**HiddenMarkov.score(self, summary, params), "logits": logits}

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> DrivenParams:
        arrays = {**params.arrays(), **given}
        logits = arrays.pop("logits")
        found = HiddenMarkov.with_arrays(self, params, arrays)
        return DrivenParams(
            found.weights, found.components, found.initial, found.transitions, logits
        )

    def n_parameters(self, params: Any) -> int:
        """Each free transition has an intercept, and a coefficient for each covariate."""
        free = int(self._there(len(params.initial)).sum()) - len(params.initial)
        return HiddenMarkov.n_parameters(self, params) + free * self._design.size

    def sample(self, n: int, params: Any, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        hanging = "transitions" if self.columns else "first states"
        raise NotImplementedError(
            f"the {hanging} of this model hang on covariates, and it does not say where these lie"
        )


def _pieces(ends: AnyArray, K: int) -> list[AnyArray]:
    """The rows that a move between K states leads into, some at a time."""
    n, size = int(ends[-1]) if len(ends) else 0, max(256, _PIECE // K**2)
    into = np.delete(np.arange(n), starts_of(ends))
    return [into[i : i + size] for i in range(0, len(into), size)]


def bounded(step: Array) -> Array:
    """Steps (states, K, q) of the logits of laws, none of which moves further than REACH."""
    # Where hardly a move is expected there is no bound to a step, nor to its square.
    step = np.clip(step, -1e100, 1e100)
    size = np.sqrt((step**2).sum(axis=2).max(axis=1, initial=0.0))
    return np.asarray(step * np.minimum(1.0, REACH / np.maximum(size, TINY))[:, None, None])


def refuse_gaps(
    X: AnyArray, ends: AnyArray, columns: Sequence[int], names: Sequence[str] = ()
) -> None:
    """ValueError where a covariate is missing in a row that is not the last of its sequence."""
    gaps = ~np.isfinite(np.asarray(X[:, list(columns)], dtype=np.float64))
    gaps[np.asarray(ends) - 1] = False
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        raise ValueError(
            f"covariates: column {called(columns[column], names)} is missing in {row_at(row)}, and "
            "the move to the next step hangs on it: fill it in, or end the sequence there"
        )


def in_steps(
    initial: Array, moves: Array, log_density: Array, ends: AnyArray
) -> tuple[Array, Array, Array]:
    """The plain `DrivenRecursion`: step after step, scaled."""
    loglik, met = np.empty(len(ends)), np.zeros(moves.shape)
    posterior = np.zeros(log_density.shape)
    top = log_density.max(axis=1, keepdims=True)
    b = np.exp(log_density - np.where(np.isfinite(top), top, 0.0))
    for s, (first, end) in enumerate(zip(starts_of(ends), ends, strict=True)):
        worth = np.empty(end - first)
        for t in range(first, end):
            ahead = initial if t == first else posterior[t - 1] @ moves[t]
            posterior[t] = ahead * b[t]
            worth[t - first] = total = posterior[t].sum()
            posterior[t] /= total if total > 0 else 1.0
        with np.errstate(divide="ignore"):
            loglik[s] = np.log(worth).sum() + top[first:end].sum()
        if np.isneginf(loglik[s]):
            posterior[first:end] = 0.0
            continue
        beta = np.ones(len(initial))
        for t in range(end - 1, first, -1):
            to = b[t] * beta / worth[t - first]
            met[t] = posterior[t - 1][:, None] * moves[t] * to
            beta = moves[t] @ to
            posterior[t - 1] *= beta
    return loglik, posterior, met
