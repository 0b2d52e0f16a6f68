"""The rule that stops resampling: its risk is what it says, and the intervals are exact."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from mixtura.inference.montecarlo import Resampling
from mixtura.inference.sequential import corridor, interval

LEVEL, RISK = 0.05, 1e-3


def walked(p: float, n: int, level: float, risk: float) -> dict[tuple[int, int], float]:
    """How probable each end (resamples, count) is, step by step from the corridor alone."""
    bounds = corridor(level, risk, n)
    alive, ends = {0: 1.0}, {}
    for step in range(1, n + 1):
        after: dict[int, float] = {}
        for count, chance in alive.items():
            after[count] = after.get(count, 0.0) + chance * (1 - p)
            after[count + 1] = after.get(count + 1, 0.0) + chance * p
        alive = {}
        for count, chance in after.items():
            if bounds.side(step, count):
                ends[step, count] = chance
            else:
                alive[count] = chance
    return ends | {(n, count): chance for count, chance in alive.items()}


def test_another_decision_than_that_of_endless_resampling_has_the_stated_probability():
    bounds = corridor(LEVEL, RISK, 999)
    for p in (0.049, 0.051, 0.01, 0.2):
        wrong = 1 if p < LEVEL else -1
        ends = walked(p, 999, LEVEL, RISK)
        missed = sum(chance for (n, s), chance in ends.items() if bounds.side(n, s) == wrong)
        assert missed <= RISK
    # The risk is spent, not left lying: at the level itself half of it by 999 resamples.
    assert bounds.above.probability.sum() == pytest.approx(RISK / 2, rel=0.05)


def test_without_risk_the_interval_is_clopper_and_pearsons():
    for n, count in ((1, 0), (1, 1), (40, 0), (40, 3), (40, 40)):
        exact = binomtest(count, n).proportion_ci(0.95)
        assert interval(LEVEL, 0.0, n, count) == pytest.approx(exact, abs=1e-9)
    assert interval(LEVEL, RISK, 0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("p", [0.001, 0.02, 0.05, 0.11, 0.5, 0.9])
def test_the_interval_covers_with_at_least_its_probability(p):
    """Not by chance: the probabilities of all ends are added up."""
    ends = walked(p, 250, LEVEL, RISK)
    assert sum(ends.values()) == pytest.approx(1.0)
    covered = 0.0
    for (n, count), chance in ends.items():
        if chance > 1e-4:
            low, high = interval(LEVEL, RISK, n, count)
            covered += chance * (low <= p <= high)
        else:
            covered += chance
    assert covered >= 0.95


def test_paths_are_counted_once():
    """Without risk the ends are all counts, with binomial probabilities."""
    inside = corridor(0.3, 0.0, 6).inside
    expected = [comb(6, s) * 0.1**s * 0.9 ** (6 - s) for s in range(7)]
    assert [
        inside.where(inside.s == s).at(0.1, 0.3) for s in range(7)
    ] == pytest.approx(expected)  # fmt: skip


def test_a_test_stops_when_it_is_sure_and_says_how():
    rule = Resampling(LEVEL, RISK, 400)
    drawn = []

    def gains(value):
        while True:
            drawn.append(value)
            yield value

    rejected = rule.test(2, (-10.0, -5.0), gains(1.0))
    assert (rejected.rejected, rejected.ended, rejected.exceeded) == (True, "decided", 0)
    assert rejected.resamples == len(drawn) == 173
    assert rejected.p_value == 1 / 174
    kept = rule.test(2, (-10.0, -5.0), gains(float("inf")))
    assert (kept.rejected, kept.ended, kept.failed) == (False, "decided", kept.resamples)
    assert kept.resamples < 10
    mixed = rule.test(2, (-10.0, -5.0), iter(np.tile([11.0, *[1.0] * 19], 20)))
    assert (mixed.rejected, mixed.ended, mixed.resamples) == (False, "undecided", 400)
    assert mixed.p_value == 21 / 401
    assert mixed.interval[0] < LEVEL < mixed.interval[1]
