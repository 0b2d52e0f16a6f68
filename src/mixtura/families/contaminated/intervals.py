"""Contaminated normal components of one column, of some of whose rows only an interval is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from mixtura.families.contaminated.records import (
    ContaminatedParams,
    ContaminatedStatistics,
    gathered,
)
from mixtura.families.heavy.intervals import Ends, summed
from mixtura.families.truncated_normal import normal_within
from mixtura.records import Array


@dataclass(frozen=True)
class ContaminatedBetween:
    """Probabilities of intervals, and expected sums there: of two truncated normal laws."""

    rows: Ends
    params: ContaminatedParams

    @cached_property
    def known(self) -> list[tuple[tuple[Array, Array, Array], ...]]:
        """By component, of good rows and of bad ones: the share included, log P, and the first and
        second moments in standard units of good ones."""
        found = []
        own = zip(self.rows.lower, self.rows.upper, self.rows.width, strict=True)
        tails = zip(self.params.good_shares, self.params.inflations, strict=True)
        for ends, (share, eta) in zip(own, tails, strict=True):
            # Where all rows are good, bad ones have no density.
            with np.errstate(divide="ignore"):
                parts = (np.log(share), 1.0), (np.log1p(-share), np.sqrt(eta))
            both = []
            for log_share, wide in parts:
                log_p, first, second = normal_within(*(end / wide for end in ends))
                both.append((log_share + log_p, wide * first, wide**2 * second))
            found.append(tuple(both))
        return found

    @property
    def log_density(self) -> Array:
        """log P of each row's interval, (n, K)."""
        return self.rows.by_row([np.logaddexp(good[0], bad[0]) for good, bad in self.known])

    def statistics(self, resp: Array) -> ContaminatedStatistics:
        """The expected sums at these responsibilities."""
        form, by = self.params.gaussian.form, self.rows.shared(resp)
        weighed, outlying = [], []
        for r, (good, bad), eta in zip(by, self.known, self.params.inflations, strict=True):
            # Where an interval has no probability in logarithms it is further out than good rows.
            with np.errstate(invalid="ignore"):
                chance = expit(np.nan_to_num(bad[0] - good[0], nan=np.inf))
            parts = (r * (1.0 - chance), *good[1:]), (r * chance, *bad[1:])
            outlying.append(parts[1])
            both = zip(parts[0], (r * chance / eta, *bad[1:]), strict=True)
            w, one, two = map(np.concatenate, both)
            weighed.append((w, one, two))
        return gathered(by.sum(axis=1), summed(form, weighed), summed(form, outlying), form)
