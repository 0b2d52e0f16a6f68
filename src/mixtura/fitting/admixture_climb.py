"""The climb of an admixture likelihood: blocks by Newton's method, the whole by Anderson's."""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from mixtura.engines.ancestry import Passed, Passes, em_shares, newton_shares
from mixtura.fitting.admixture_snapshot import Snapshot
from mixtura.records import AnyArray, Array
from mixtura.solvers.clock import NEVER, Clock
from mixtura.solvers.convergence import ROUNDING, Ascent

# EM steps before the first of Newton's, which overshoots far from the top.
FIRST = 5
# Steps that Anderson's acceleration combines: each holds a copy of P.
ORDER = 4
# Shares of Newton's step in Q that are tried before EM's is taken, which cannot lower anything.
TRIED = (1.0, 0.5, 0.25)


@dataclass(frozen=True)
class AdmixtureClimb:
    """Where a climb ended; trace, gap, ... as in `Fit`, of (Q, P)."""

    Q: Array
    P: Array
    trace: tuple[float, ...]
    converged: bool
    reason: str
    gap: float
    gradient_norm: float
    iterations: int

    def arrays(self) -> dict[str, AnyArray]:
        """Its parts, for a snapshot."""
        told = (self.converged, self.reason, self.gap, self.gradient_norm, self.iterations)
        return {
            "Q": self.Q,
            "P": self.P,
            "trace": np.array(self.trace),
            "told": np.array(json.dumps(told)),
        }

    @classmethod
    def of(cls, arrays: dict[str, AnyArray]) -> AdmixtureClimb:
        """The climb of these parts."""
        trace = tuple(map(float, arrays["trace"]))
        return cls(arrays["Q"], arrays["P"], trace, *json.loads(str(arrays["told"])))


@dataclass
class _Trail:
    """The last points that steps led to, and the steps in Q: what is combined."""

    ends: deque[tuple[Array, Array]] = field(default_factory=lambda: deque(maxlen=ORDER + 1))
    steps: deque[Array] = field(default_factory=lambda: deque(maxlen=ORDER + 1))
    stretches: deque[float] = field(default_factory=lambda: deque(maxlen=2 * ORDER))
    last: Array | None = None

    def add(self, Q: Array, to: Array, P: Array) -> None:
        """A step led from Q to (to, P)."""
        step = to - Q
        if self.last is not None and self.steps:
            lost = float(np.linalg.norm(step - self.steps[-1]))
            self.stretches.append(float(np.linalg.norm(Q - self.last)) / max(lost, 1e-300))
        self.last = Q
        self.ends.append((to, P))
        self.steps.append(step)

    def proposal(self) -> tuple[Array, Array] | None:
        """The combination of the ends whose steps would cancel (Anderson 1965, J. ACM 12)."""
        if len(self.steps) < 2:
            return None
        steps = [step.ravel() for step in self.steps]
        changes = np.column_stack([b - a for a, b in pairwise(steps)])
        gamma = np.linalg.lstsq(changes, steps[-1], rcond=1e-10)[0]
        # As weights of the ends, which sum to one.
        weights = np.diff(np.concatenate([[0.0], gamma, [1.0]]))
        Q = np.zeros_like(self.ends[-1][0])
        P = np.zeros_like(self.ends[-1][1])
        for weight, (q, p) in zip(weights, self.ends, strict=True):
            Q += weight * q
            P += weight * p
        return onto_simplex(Q), np.clip(P, 0.0, 1.0, out=P)

    def arrays(self) -> dict[str, AnyArray]:
        """Its parts, for a snapshot."""
        found: dict[str, AnyArray] = {"stretches": np.array(self.stretches)}
        if self.last is not None:
            found["last"] = self.last
        for i, ((to, P), step) in enumerate(zip(self.ends, self.steps, strict=True)):
            found |= {f"to{i}": to, f"P{i}": P, f"step{i}": step}
        return found

    @classmethod
    def of(cls, arrays: dict[str, AnyArray]) -> _Trail:
        """The trail of these parts."""
        trail = cls(last=arrays.get("last"))
        trail.stretches.extend(map(float, arrays["stretches"]))
        for i in range(sum(name.startswith("step") for name in arrays)):
            trail.ends.append((arrays[f"to{i}"], arrays[f"P{i}"]))
            trail.steps.append(arrays[f"step{i}"])
        return trail

    def forget(self) -> None:
        """Begin anew from the last end."""
        for queue in (self.ends, self.steps):
            while len(queue) > 1:
                queue.popleft()


@dataclass(frozen=True)
class AdmixtureSolver:
    """How a climb moves and when it ends.

    tol       it ends when the estimated gain still to come, per individual, is at most this
    max_iter  steps at most
    em        EM alone (FRAPPE: Tang, Peng, Wang & Risch 2005, Genetic Epidemiology 28), instead of
              block relaxation (ADMIXTURE: Alexander, Novembre & Lange 2009, Genome Research 19)
    fixed     (n,) individuals whose Q stays as given
    clock     ends it wherever it is
    """

    tol: float
    max_iter: int
    em: bool = False
    fixed: AnyArray | None = None
    clock: Clock = NEVER

    def __call__(
        self,
        passes: Passes,
        Q: Array,
        P: Array,
        first: int = FIRST,
        snapshot: Snapshot | None = None,
    ) -> AdmixtureClimb:
        """Climb from (Q, P); every step takes a pass over the genotypes, rarely more.

        A snapshot is told where the climb is, and one that knows is gone on from.
        """
        found = {} if snapshot is None else snapshot.resumed()
        ascent, trail, taken = Ascent(len(Q), True), _Trail(), 0
        if found:
            Q, P, taken = found["Q"], found["P"], int(found["taken"])
            trail = _Trail.of(found)
            ascent.extend([float(value) for value in found["values"]])
            passed = passes.step(Q, P, em=self.em)
        else:
            for _ in range(0 if self.em else first):
                passed = passes.step(Q, P, em=True)
                Q, P = self._kept(Q, em_shares(Q, passed)), passed.P
            passed = passes.step(Q, P, em=self.em)
            ascent.add(passed.improved)
        reason, gap, slope, late = "", math.inf, math.inf, False
        while True:
            to = self._kept(Q, (em_shares if self.em else newton_shares)(Q, passed))
            trail.add(Q, to, passed.P)
            slope = max(0.0, float(np.sum(passed.slope * (to - Q)))) / len(Q)
            moved = (passed.improved - passed.loglik) / len(Q)
            gap = (0.5 * slope + max(0.0, moved)) * max(1.0, *trail.stretches, 1.0)
            if len(trail.stretches) > 1 or slope == 0.0:
                reason = self._why(gap, ascent)
            if reason or (late := self.clock.passed) or taken == self.max_iter:
                break
            Q, P, passed = self._step(passes, Q, to, passed, trail)
            ascent.add(passed.improved)
            taken += 1
            if snapshot is not None:
                here = {"Q": Q, "P": P, "taken": np.array(taken), "values": np.array(ascent.values)}
                snapshot.at(here | trail.arrays())
        limit = self.clock.why if late else f"stopped: max_iter={self.max_iter} steps were taken"
        norm = math.sqrt(slope)
        values = tuple(ascent.values)
        return AdmixtureClimb(Q, passed.P, values, bool(reason), reason or limit, gap, norm, taken)

    def _kept(self, Q: Array, to: Array) -> Array:
        return to if self.fixed is None else np.where(self.fixed[:, None], Q, to)

    def _why(self, gap: float, ascent: Ascent) -> str:
        if self.tol > 0 and gap <= max(self.tol, ascent.rounding):
            return (
                f"converged: the estimated gain still to come, {gap:.2g} per individual, is below "
                f"{self.tol:.2g}"
            )
        return ""

    def _step(
        self, passes: Passes, Q: Array, to: Array, passed: Passed, trail: _Trail
    ) -> tuple[Array, Array, Passed]:
        """The next point: of those proposed the first that does not lower the likelihood."""
        if self.em:
            return to, passed.P, passes.step(to, passed.P, em=True)
        least = passed.improved - ROUNDING * abs(passed.improved)
        leap = trail.proposal()
        if leap is not None:
            Q_leap, P_leap = self._kept(Q, leap[0]), leap[1]
            found = passes.step(Q_leap, P_leap)
            if found.improved >= least:
                return Q_leap, P_leap, found
            trail.forget()
        for share in TRIED:
            nearer = Q + share * (to - Q)
            found = passes.step(nearer, passed.P)
            if found.improved >= least:
                return nearer, passed.P, found
        trail.forget()
        nearer = self._kept(Q, em_shares(Q, passed))
        return nearer, passed.P, passes.step(nearer, passed.P)


def onto_simplex(Q: Array) -> Array:
    """The nearest shares to each row (Duchi et al. 2008, ICML, figure 1)."""
    falling = -np.sort(-Q, axis=1)
    excess = np.cumsum(falling, axis=1) - 1.0
    rank = np.arange(1, Q.shape[1] + 1)
    kept = np.maximum((falling * rank > excess).sum(axis=1), 1)
    over = excess[np.arange(len(Q)), kept - 1] / kept
    return np.asarray(np.maximum(Q - over[:, None], 0.0))
