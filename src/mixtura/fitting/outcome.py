"""Where a climb on all rows ended, and which of two ends is the better one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mixtura.records import Spike
from mixtura.result import Certificate
from mixtura.solvers.climb import Climb

# Nats for each row in components that only the penalty holds up by which an end with such must be
# worth more than a regular one: a row far out is, a plane through rounded numbers is not.
MERIT = 3.0


@dataclass(frozen=True)
class Outcome:
    """One finished climb on all rows; worth is its log-likelihood without the gain of spikes.

    remark is what the engine has to say of its passes, or why a higher end was left; spurious are
    components of few rows that are narrow for the table, where the climb was in a finer scale;
    paused are climbs that wait on their way, for others may be better than what only the penalty
    holds up; vacant are ends with components that have lost all their rows.
    """

    climb: Climb
    floored: tuple[Spike, ...]
    penalised: bool
    worth: float
    certificate: Certificate
    remark: str = ""
    spurious: tuple[Spike, ...] = ()
    paused: bool = False
    vacant: bool = False

    @property
    def spikes(self) -> tuple[Spike, ...]:
        """The components that may be nothing but a gain of the likelihood."""
        return self.floored or self.spurious


def better(new: Outcome, old: Outcome) -> bool:
    """Better beyond rounding, so that equal optima keep the order in which they were found.

    An end that has spikes must be far ahead of one that has none, but not of one with fewer
    components than were asked for: with few rows that may be a single group.
    """
    if new.spikes and not old.spikes and not old.vacant:
        return new.worth > old.worth + MERIT * sum(part.count for part in new.spikes)
    if old.spikes and not new.spikes and not new.vacant:
        return not better(old, new)
    margin = 1e-10 * (old.climb.summary.weight + abs(old.climb.summary.loglik))
    return new.worth > old.worth + margin


def among(bests: dict[bool, Outcome], end: Outcome) -> Outcome:
    """The best with one more end, where `bests` holds the best without spikes and that with some.

    How far an end with spikes must be ahead is said for two ends alone: one by one, the best
    regular end might be lost.
    """
    kind = bool(end.spikes)
    if kind not in bests or better(end, bests[kind]):
        bests[kind] = end
    regular, other = bests.get(False), bests.get(True)
    if regular is None or (other is not None and better(other, regular)):
        return bests[True]
    return regular


def beaten(paused: Outcome, best: Outcome | None, many: bool = False) -> bool:
    """Whether a climb that waits need not go on: after as many steps it was not far enough ahead.

    By `better`'s rule, of heights on the way in place of ends. With `many` components it must be
    ahead of a regular end itself: what only the penalty holds up climbs long, and hardly passes it.
    """
    if best is None or best.paused:
        return False
    climb = best.climb
    there = math.inf if many and not best.spikes else paused.climb.iterations
    met = climb.logliks[int(min(there, climb.iterations))]
    sober = met + best.worth - climb.summary.loglik
    ahead = 0.0 if best.spikes or best.vacant else MERIT * sum(part.count for part in paused.spikes)
    return paused.worth <= sober + ahead
