"""A fit of an admixture: starts raced on a sample of markers, the best climbed on all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Passes
from mixtura.engines.threads import single_blas
from mixtura.fitting.admixture_climb import AdmixtureClimb, AdmixtureSolver
from mixtura.fitting.admixture_snapshot import Snapshot, digest
from mixtura.fitting.admixture_starts import AdmixtureGround, spread_markers
from mixtura.models.admixture import AdmixtureParams
from mixtura.records import AnyArray, Array, StrPath
from mixtura.result import Certificate, Fit, Optimum, StartReport
from mixtura.solvers.clock import TIMED_OUT

# Starts of a race, from smoothed genotypes and by chance, and the steps of its rounds, after which
# half are dropped.
SMOOTHED, DRAWN = 5, 3
ROUNDS = (6, 12)
# Runners are on one way after a round where their shares differ by no more than this of an
# individual, on average, and their log-likelihoods per individual too: by less than half of it on
# simulated sets whose runners end alike, and by 30 times it where they end apart.
ONE_WAY = 0.01
# Genotypes, and markers at least, on which starts are raced.
SAMPLE, LEAST = 2_500_000, 5_000
# EM steps that bring the frequencies of markers outside the sample to the winner's shares.
JOINED = 2

# Of the end of a climb: log-likelihood, shares, and whether it was unfinished.
End = tuple[float, Array, bool]


@dataclass(frozen=True)
class AdmixtureTask:
    """What is fitted: K populations, from `n_init` races; labels are -1 where unknown.

    weights (markers,) or None: how often each marker counts.
    """

    K: int
    n_init: int
    solver: AdmixtureSolver
    labels: AnyArray | None = None
    weights: Array | None = None


@dataclass(frozen=True)
class _Runner:
    name: str
    Q: Array
    P: Array
    loglik: float = -math.inf
    taken: int = 0


def fit_admixture(
    genotypes: Genotypes, task: AdmixtureTask, seed: int, checkpoint: StrPath | None = None
) -> tuple[AdmixtureParams, Fit, list[Array]]:
    """Q, P of the highest end, populations by falling size, the account, and the Q of its optima.

    Those are of `Fit.landscape`, of each the highest end. A checkpoint holds the ends of climbs,
    and where one is: killed and begun anew, races are run again, and climbs go on. Once the
    solver's time has passed no race begins, but the first.
    """
    snapshot = (
        None if checkpoint is None else Snapshot(checkpoint, _identity(genotypes, task, seed))
    )
    with single_blas:
        search = _Search(genotypes, task, np.random.RandomState(seed), snapshot)
        try:
            for i in range(task.n_init):
                if i == 0 or not task.solver.clock.passed:
                    search.climb(i)
        except KeyboardInterrupt:
            if snapshot is not None:
                snapshot.flush()
            raise
    assert search.best is not None
    params, fit = search.account(search.best)
    return params, fit, modes_of(search.ends, fit.landscape)


def modes_of(ends: list[End], landscape: Iterable[Optimum]) -> list[Array]:
    """The shares of the highest of the ends that each optimum is made of.

    Converged ends and others are apart in a landscape, and may lie between each other.
    """
    falling = sorted(ends, key=lambda end: -end[0])
    left = {kind: iter([end for end in falling if end[2] == kind]) for kind in (False, True)}
    met = [list(islice(left[one.unfinished], sum(one.hits.values()))) for one in landscape]
    return [same[0][1] for same in met]


class _Search:
    """What all starts share, and the tally of what they did."""

    def __init__(
        self,
        genotypes: Genotypes,
        task: AdmixtureTask,
        rng: np.random.RandomState,
        snapshot: Snapshot | None,
    ) -> None:
        self.genotypes, self.task, self.rng, self.snapshot = genotypes, task, rng, snapshot
        n, M = genotypes.shape
        where = spread_markers(M, max(LEAST, SAMPLE // n))
        self.whole = len(where) == M
        self.sample = genotypes if self.whole else genotypes.thinned(where)
        weights = task.weights
        self.passes = Passes(genotypes, weights)
        sampled = weights if weights is None or self.whole else weights[where]
        self.tries = self.passes if self.whole else Passes(self.sample, sampled)
        self.ground = AdmixtureGround.of(self.sample, min(task.K, n))
        labels = task.labels
        self.fixed = None if labels is None else labels >= 0
        self.solver = replace(task.solver, fixed=self.fixed)
        self.reports: list[StartReport] = []
        self.ends: list[End] = []
        # Of the best all is kept.
        self.best: AdmixtureClimb | None = None

    def climb(self, index: int) -> None:
        """To the end of one race's winner, on all markers."""
        winner, name = self._race(), f"end{index}"
        known = {} if self.snapshot is None else self.snapshot.held(name)
        end = AdmixtureClimb.of(known) if known else self._whole(winner)
        if self.snapshot is not None and not known:
            self.snapshot.keep(name, end.arrays())
        steps, mean = winner.taken + end.iterations, end.trace[-1] / len(end.Q)
        # Where the clock ended a climb is no optimum; it counts if there is nothing better.
        higher = self.best is None or end.trace[-1] > self.best.trace[-1]
        cut = end.reason == TIMED_OUT and not higher
        if higher:
            self.best = end
        unfinished = not end.converged
        if not cut:
            self.ends.append((end.trace[-1], end.Q, unfinished))
        kept = "dropped" if cut else "kept"
        self.reports.append(StartReport(winner.name, steps, mean, kept, unfinished=unfinished))

    def _whole(self, winner: _Runner) -> AdmixtureClimb:
        """The climb on all markers."""
        Q, P = winner.Q, winner.P
        resumed = self.snapshot is not None and self.snapshot.resumed()
        if not (self.whole or resumed):
            P = np.repeat(_frequencies(self.genotypes)[:, None], self.task.K, axis=1)
            for _ in range(JOINED):
                P = self.passes.step(Q, P, em=True).P
        return self.solver(self.passes, Q, P, 0, self.snapshot)

    def _race(self) -> _Runner:
        """The start that is ahead after the rounds."""
        runners = self._starts()
        for steps in ROUNDS:
            runners = sorted((self._run(each, steps) for each in runners), key=_height)
            kept = runners[: (len(runners) + 1) // 2 if steps != ROUNDS[-1] else 1]
            kept = [each for i, each in enumerate(kept) if not _met(each, kept[:i])]
            for slow in runners:
                if all(slow is not each for each in kept):
                    mean = slow.loglik / len(slow.Q)
                    self.reports.append(StartReport(slow.name, slow.taken, mean, "dropped"))
            runners = kept
            if len(runners) == 1:
                break
        return runners[0]

    def _run(self, runner: _Runner, steps: int) -> _Runner:
        solver = replace(self.solver, tol=0.0, max_iter=steps)
        first = 0 if runner.taken else 5
        end = solver(self.tries, runner.Q, runner.P, first)
        return replace(
            runner, Q=end.Q, P=end.P, loglik=end.trace[-1], taken=runner.taken + end.iterations
        )

    def _starts(self) -> list[_Runner]:
        K, rng = self.task.K, self.rng
        made: list[_Runner] = []
        if K == 1:
            return [self._runner("mean", self.ground.drawn(1, rng))]
        for i in range(SMOOTHED):
            if made and self.solver.clock.passed:
                return made
            made.append(self._runner("smoothed", self.ground.smoothed(K, rng, half=i > 0)))
        made += [self._runner("random", self.ground.drawn(K, rng)) for _ in range(DRAWN)]
        return made

    def _runner(self, name: str, start: tuple[Array, Array]) -> _Runner:
        Q, P = start
        if self.task.labels is not None and self.fixed is not None:
            Q = np.where(self.fixed[:, None], np.eye(self.task.K)[self.task.labels], Q)
        return _Runner(name, Q, P)

    def account(self, best: AdmixtureClimb) -> tuple[AdmixtureParams, Fit]:
        """The parameters, populations by falling size unless labels name them, and the Fit."""
        Q, P = best.Q, best.P
        if self.task.labels is None:
            order = np.argsort(-Q.sum(axis=0), kind="stable")
            Q, P = Q[:, order], P[:, order]
        params = AdmixtureParams(Q, P)
        n = self.genotypes.individuals
        solver = self.task.solver
        return params, Fit(
            loglik=best.trace[-1],
            weight=float(n),
            trace=best.trace,
            penalised=False,
            passes=int(self.passes.passes),
            sample_passes=0 if self.whole else int(self.tries.passes),
            iterations=best.iterations,
            converged=best.converged,
            reason=best.reason,
            gradient_norm=best.gradient_norm,
            gap=best.gap,
            n_parameters=params.free(self.fixed),
            solver="em" if solver.em else "block relaxation, anderson",
            engine="compiled",
            starts=tuple(self.reports),
            sample_rows=0 if self.whole else self.sample.markers,
            rows=n,
            certificate=_certificate(best, params),
            params=params,
        )


def _identity(genotypes: Genotypes, task: AdmixtureTask, seed: int) -> dict[str, Any]:
    """Which fit a checkpoint is of."""
    solver, labels = task.solver, task.labels
    return {
        "ploidy": genotypes.ploidy,
        "genotypes": digest(genotypes),
        "n_populations": task.K,
        "n_init": task.n_init,
        "solver": "em" if solver.em else "auto",
        "tol": solver.tol,
        "max_iter": solver.max_iter,
        "y": None if labels is None else hashlib.blake2b(labels.tobytes()).hexdigest(),
        "random_state": seed,
    }


def _height(runner: _Runner) -> float:
    return -runner.loglik


def _met(runner: _Runner, ahead: list[_Runner]) -> bool:
    """Whether one of those ahead of it is on the same way."""
    return any(_apart(runner, other) <= ONE_WAY for other in ahead)


def _apart(runner: _Runner, other: _Runner) -> float:
    """The greater of the differences of mean shares and of mean log-likelihoods."""
    Q = other.Q[:, linear_sum_assignment(-(runner.Q.T @ other.Q))[1]]
    shares = 0.5 * np.abs(runner.Q - Q).sum(axis=1).mean()
    return float(max(shares, abs(runner.loglik - other.loglik) / len(Q)))


def _frequencies(genotypes: Genotypes) -> Array:
    """Of the first allele, at every marker; 1/2 where nobody is known."""
    found = genotypes.counted()
    frequencies = np.full(genotypes.markers, 0.5)
    known = genotypes.ploidy * found.known
    np.divide(found.first, known, out=frequencies, where=known > 0)
    return frequencies


def _certificate(best: AdmixtureClimb, params: AdmixtureParams) -> Certificate:
    """Shares of 0 and frequencies of 0 and 1 lie on the edge, whichever way the slope points."""
    if not best.converged:
        return Certificate("not converged", detail=best.reason)
    shares = int(np.count_nonzero(params.Q == 0.0))
    sure = int(np.count_nonzero((params.P == 0.0) | (params.P == 1.0)))
    if shares + sure == 0:
        return Certificate("not examined", detail="curvature is not looked at")
    return Certificate("boundary", detail=f"{shares:,} shares and {sure:,} frequencies are 0 or 1")
