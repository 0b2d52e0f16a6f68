"""The hidden Markov model: the label of a step hangs on that of the step before."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from mixtura.coordinates import Fields
from mixtura.data.refusal import row_at
from mixtura.errors import FitError
from mixtura.families.returned import maximized
from mixtura.models.hidden_markov_params import (
    ChainStatistics,
    HiddenMarkovChart,
    HiddenMarkovParams,
    hidden_markov_chart,
)
from mixtura.models.known_states import as_known
from mixtura.models.mixture import Mixture
from mixtura.models.recursions import Recursion, in_logarithms
from mixtura.models.stationary import stationary_law, stationary_step
from mixtura.models.tied_rows import pooled
from mixtura.records import AnyArray, Array, Chunk, RandomNumbers, Summary
from mixtura.supports import Support

# Rows whose densities and sums are taken at once: what is worked out in between stays in the cache.
_PIECE = 4096
# A function and what it is called for -> answers in order: `map`, or that of a pool of threads.
Over = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
# The rows of a piece that were seen, and the family's look at them.
_Look = tuple[Any, Any]


@dataclass(frozen=True)
class HiddenMarkov(Mixture):
    """p(x_1..x_T) = sum over paths z of d(z_1) prod G(z_t-1, z_t) prod p(x_t | z_t)

    E-step  forward-backward: P(z_t | x) and P(z_t-1, z_t | x)
    M-step  d = expected first states / sequences;  G = expected moves / those out of the state;
            the components by the family, at responsibilities P(z_t | x)
    Chunks are whole sequences; a row of NaN alone is a step that nobody saw, and is summed over. A
    transition that is 0 stays 0, for the E-step expects none of it.

    sequences       how many there are for each step, the units of the initial law's coordinates
    initial_rows    (K,), transition_rows (K, K): rows of a Dirichlet prior less 1, in draws added
                    to what is expected; 0 is maximum likelihood
    held            what no M-step moves: "initial", "transitions", "components"
    barred          how many first states, and transitions, may not be, and are no parameters
    stationary      the initial law is the one that the transitions leave as it is; there is no
                    closed M-step then (`models/stationary.py`)
    tied            for each state the group, from 0, whose rows of transitions are one; none: all
                    are their own

    Reference: Baum, Petrie, Soules & Weiss (1970), Annals of Mathematical Statistics 41; Rabiner
    (1989), Proc. IEEE 77(2).
    """

    sequences: float = 1.0
    initial_rows: Array | float = 0.0
    transition_rows: Array | float = 0.0
    held: tuple[str, ...] = ()
    barred: tuple[int, int] = (0, 0)
    stationary: bool = False
    tied: tuple[int, ...] = ()

    def own(self, summary: Summary) -> Any:
        # Of starts, which take an M-step of the components alone, there are no others.
        stats = summary.statistics
        return stats.components if isinstance(stats, ChainStatistics) else stats

    def emissions(self, X: AnyArray, params: HiddenMarkovParams, over: Over = map) -> Array:
        """log p(x_t | k), (n, K): 0 for a step that nobody saw, -inf where there is none."""
        return self.looked(X, params, over)[0]

    def seen(self, x: Array) -> AnyArray:
        """Which rows are steps that somebody saw, (n,)."""
        return np.asarray(~np.isnan(x).all(axis=1))

    def looked(
        self, X: AnyArray, params: HiddenMarkovParams, over: Over = map
    ) -> tuple[Array, list[_Look]]:
        """(log densities, the family's looks at the rows that were seen, piece by piece)."""
        x = np.asarray(X, dtype=np.float64)
        found = np.zeros((len(x), len(params.initial)))

        def look(rows: slice) -> _Look:
            there = np.flatnonzero(self.seen(x[rows])) + rows.start
            where = rows if len(there) == rows.stop - rows.start else there
            with np.errstate(over="ignore", invalid="ignore"):
                seen = self.family.look(x[where], params.components)
                found[where] = seen.log_density
            return where, seen

        cuts = range(0, len(x), _PIECE)
        looks = list(over(look, [slice(i, min(i + _PIECE, len(x))) for i in cuts]))
        if np.isnan(found).any():
            self._refuse_no_number(x, found, params)
            found = np.where(np.isnan(found), -np.inf, found)
        return found, looks

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        return self.e_step_by(chunk, params, in_logarithms)

    def e_step_by(
        self, chunk: Chunk, params: HiddenMarkovParams, recursion: Recursion, over: Over = map
    ) -> Summary:
        """The same, forward and backward by `recursion`, `over` the pieces of a long chunk."""
        X, weight, _, ends, known = chunk
        # Without rows there is no sequence.
        ends = np.array([len(X)] * bool(len(X)), dtype=np.int64) if ends is None else ends
        starts = ends - np.diff(ends, prepend=0)
        many = None if weight is None else np.ascontiguousarray(weight[starts])
        log_density, looks = self.looked(X, params, over)
        log_density = as_known(log_density, known)
        loglik, posterior, moves = recursion(
            log_density, params.initial, params.transitions, ends, many
        )
        held = np.ones(len(ends), dtype=bool) if many is None else many > 0
        _refuse_impossible(chunk, np.isneginf(loglik) & held, log_density)
        if weight is not None:
            posterior *= weight[:, None]
        total = float((loglik if many is None else many[held] * loglik[held]).sum())
        steps = float(len(X) if weight is None else weight.sum())
        first = posterior[starts].sum(axis=0)
        parts = over(lambda each: each[1].statistics(posterior[each[0]]), looks)
        own = reduce(operator.add, parts) if looks else self._none(X, params)
        return Summary(total, steps, self.sums(own, first, moves))

    def sums(self, own: Any, first: Array, moves: Any) -> ChainStatistics:
        """The family's sums, expected first states, and what the recursion says of moves."""
        return ChainStatistics(own, first, moves)

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> HiddenMarkovParams:
        """A start whose states were stayed in with these probabilities (K,), before any barring."""
        return params

    def _none(self, X: AnyArray, params: HiddenMarkovParams) -> Any:
        """The family's sums over no rows."""
        nobody = np.zeros((0, len(params.initial)))
        return self.family.statistics(np.asarray(X[:0], np.float64), nobody, params.components)

    def m_step(self, summary: Summary, params: Any) -> HiddenMarkovParams:
        stats: Any = summary.statistics
        own = stats.components
        counts = self.family.counts(own)
        with_prior = self.prior.beside(own)
        components = maximized(self.family, with_prior, params.components, self.prior)
        firsts, moves = stats.starts + self.initial_rows, stats.moves + self.transition_rows
        if self.tied:
            groups = np.array(self.tied)
            moves = pooled(moves, groups)[groups]
        if self.stationary:
            transitions = stationary_step(firsts, moves, params.transitions)
            initial = stationary_law(transitions)
        else:
            transitions, initial = (
                _shares(moves, params.transitions),
                _shares(firsts, params.initial),
            )
        found = HiddenMarkovParams(counts / counts.sum(), components, initial, transitions)
        return replace(found, **{name: getattr(params, name) for name in self.held})

    def edged(self, params: Any, near: float) -> HiddenMarkovParams | None:
        # Those that are given stay as they are.
        return None if "components" in self.held else super().edged(params, near)  # type: ignore[return-value]

    def edges(self, params: Any) -> dict[str, Support]:
        # A transition that is 0 stays 0, and the weights are means of what the chain does.
        return {} if self.obstacle() else self.family.supports()

    def obstacle(self) -> str:
        if "components" in self.held:
            return "the parameters of the emissions are held where they are"
        if self.family.pinned is not None:
            return "some parameters of the emissions are held, by EM's steps alone"
        return Mixture.obstacle(self)

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> HiddenMarkovParams:
        arrays = {**params.arrays(), **given}
        weights, initial, transitions = (
            arrays.pop(name) for name in ("weights", "initial", "transitions")
        )
        if self.stationary:
            initial = stationary_law(transitions)
        return HiddenMarkovParams(weights, self.family.params(arrays), initial, transitions)

    # What else the chain has that moves.
    others: ClassVar[tuple[str, ...]] = ()

    def other_fields(self, params: HiddenMarkovParams) -> Fields:
        """Its free numbers around `params`."""
        return Fields({}, {})

    def moving(self) -> tuple[str, ...]:
        """The laws of the chain that move by themselves."""
        still = (*self.held, *(["initial"] if self.stationary else []))
        return tuple(name for name in ("initial", "transitions") if name not in still)

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        stats: Any = summary.statistics
        found = Mixture.score(self, summary, params)
        del found["weights"]
        initial = _over(stats.starts + self.initial_rows, params.initial)
        transitions = _over(stats.moves + self.transition_rows, params.transitions)
        return {"initial": initial, "transitions": transitions, **found}

    def chart(self, params: Any) -> HiddenMarkovChart:
        return hidden_markov_chart(self, params)

    def log_prior(self, params: Any) -> float:
        return Mixture.log_prior(self, params) + self._of_laws(params)

    def belief(self, params: Any) -> float:
        return self.log_prior(params) if self.prior.asked else self._of_laws(params)

    def _of_laws(self, params: HiddenMarkovParams) -> float:
        """The Dirichlet laws' part of the log-prior."""
        found = 0.0
        for rows, shares in (
            (self.initial_rows, params.initial),
            (self.transition_rows, params.transitions),
        ):
            some = (rows > np.zeros(())) & (shares > 0)
            found += float((np.broadcast_to(rows, shares.shape)[some] * np.log(shares[some])).sum())
        return found

    def n_parameters(self, params: Any) -> int:
        """Free parameters: K - 1 of the initial law, K (K - 1) transitions, and the family's.

        Those that may not be are none, nor is what is held, or hangs on others; those that were
        estimated as 0 are.
        """
        K, moving = len(params.initial), self.moving()
        first = K - 1 - self.barred[0] if "initial" in moving else 0
        rows = len(set(self.tied)) if self.tied else K
        moves = rows * (K - 1) - self.barred[1] if "transitions" in moving else 0
        held = "components" in self.held
        return first + moves + (0 if held else self.family.n_parameters(params.components))

    def e_step_with(self, chunk: Chunk, params: Any, respond: Any) -> Summary:
        raise NotImplementedError(
            "the responsibilities of a hidden Markov model hang on whole sequences: use "
            "solver='auto', 'em', 'squarem', 'anderson', 'lbfgs' or 'newton'"
        )

    def sample(self, n: int, params: Any, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        """One sequence of n steps, and its states."""
        states = drawn_path(n, params.initial, params.transitions, rng)
        return self.family.sample(states, params.components, rng), states


def _refuse_impossible(chunk: Chunk, which: AnyArray, log_density: Array) -> None:
    """FitError, naming the first of these sequences, where there are any."""
    if not which.any():
        return
    ends = np.array([len(chunk.X)]) if chunk.ends is None else chunk.ends
    s = int(np.argmax(which))
    first, before = (int(ends[s - 1]) if s else 0), chunk.where.start or 0
    nowhere = np.isneginf(log_density[first : ends[s]]).all(axis=1)
    if nowhere.any():
        row = before + first + int(np.argmax(nowhere))
        raise FitError(f"{row_at(row)} has no density under any state: look at its cells")
    told = chunk.known is not None and bool((chunk.known[first : ends[s]] >= 0).any())
    raise FitError(
        f"the sequence that begins at {row_at(before + first)} has no path of positive probability"
        f"{' through its known states' * told}: allow more transitions, or first states"
        f"{', or look at states' * told}"
    )


def drawn_path(n: int, initial: Array, transitions: Array, rng: RandomNumbers) -> AnyArray:
    """n states (n,) of a chain."""
    upto, first = np.cumsum(transitions, axis=1), np.cumsum(initial)
    uniform = rng.uniform(size=n)
    states = np.empty(n, dtype=np.int64)
    for t in range(n):
        law = first if t == 0 else upto[states[t - 1]]
        states[t] = np.searchsorted(law, uniform[t] * law[-1], side="right")
    return states


def _shares(counts: Array, before: Array) -> Array:
    """Rows of `counts` over their sums; a row that nothing was expected of stays as it was."""
    counts = np.where(before > 0, np.maximum(counts, 0.0), 0.0)
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1.0), before)


def _over(counts: Array, shares: Array) -> Array:
    return np.divide(counts, shares, out=np.zeros_like(counts), where=shares > 0)
