"""A Monte Carlo test that draws resamples until it is sure: see `inference.sequential`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mixtura.fitting.listeners import BootstrapListener
from mixtura.inference.sequential import corridor, interval


@dataclass(frozen=True)
class Trial:
    """One likelihood-ratio test: n_components against one more; frozen.

    statistic         twice the log-likelihood that the larger mixture gains
    loglik, loglik_larger   of the two mixtures
    p_value           (1 + exceeded) / (1 + resamples)
    interval          exact 95 % confidence interval of the p-value that endless resampling gives
    resamples, exceeded   drawn, and with a statistic at least as large
    rejected          whether n_components are too few
    ended             "decided": another decision than that of endless resampling has at most the
                      probability `risk`; "undecided": the resamples ran out, and the p-value
                      itself was compared with the level; "interrupted"
    failed            resamples without a regular maximum, counted among the exceeded
    statistics        of the resamples, in the order drawn
    """

    n_components: int
    statistic: float
    loglik: float
    loglik_larger: float
    p_value: float
    interval: tuple[float, float]
    resamples: int
    exceeded: int
    rejected: bool
    ended: str
    failed: int = 0
    statistics: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Resampling:
    """When to stop and what to decide."""

    level: float
    risk: float
    most: int

    def test(
        self,
        n_components: int,
        logliks: tuple[float, float],
        statistics: Iterable[float],
        listener: BootstrapListener | None = None,
    ) -> Trial:
        """Walk along the resamples' statistics, which are drawn one by one where they are lazy.

        Infinite ones are those of resamples that failed. KeyboardInterrupt ends the walk there.
        """
        observed = 2 * (logliks[1] - logliks[0])
        drawn: list[float] = []
        exceeded = side = 0
        ended = "undecided"
        bounds = corridor(self.level, self.risk, self.most)
        try:
            if listener is not None:
                listener.began(n_components, observed)
            for value in statistics:
                drawn.append(value)
                exceeded += value >= observed
                if listener is not None:
                    listener.resampled(len(drawn), exceeded)
                side = bounds.side(len(drawn), exceeded)
                if side or len(drawn) == self.most:
                    break
        except KeyboardInterrupt:
            ended = "interrupted"
        p_value = (1 + exceeded) / (1 + len(drawn))
        return Trial(
            n_components=n_components,
            statistic=observed,
            loglik=logliks[0],
            loglik_larger=logliks[1],
            p_value=p_value,
            interval=interval(self.level, self.risk, len(drawn), exceeded),
            resamples=len(drawn),
            exceeded=exceeded,
            rejected=side < 0 or (side == 0 and p_value <= self.level),
            ended="decided" if side else ended,
            failed=drawn.count(float("inf")),
            statistics=tuple(drawn),
        )
