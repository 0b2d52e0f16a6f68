"""scikit-learn's `verbose` output, line for line."""

from __future__ import annotations

from time import perf_counter

from mixtura.solvers.climb import Climb


class Verbose:
    """Prints what scikit-learn prints at verbose=1 and, with times and gains, at verbose=2."""

    def __init__(self, level: int, interval: int) -> None:
        self.level, self.interval = level, interval
        self.began = self.last = perf_counter()
        self.printed = 0

    def stands(self, best: float, chance: float | None) -> None:
        """scikit-learn says nothing of it."""

    def started(self, index: int) -> None:
        self.began = self.last = perf_counter()
        self.printed = 0
        print(f"Initialization {index}")

    def stepped(self, iterations: int, gain: float) -> None:
        if iterations // self.interval <= self.printed // self.interval:
            return
        self.printed, now = iterations, perf_counter()
        if self.level == 1:
            print(f"  Iteration {iterations}")
        else:
            lapse = now - self.last
            print(f"  Iteration {iterations}\t time lapse {lapse:.5f}s\t ll change {gain:.5f}")
        self.last = now

    def ended(self, climb: Climb, mean_loglik: float) -> None:
        how = "converged" if climb.converged else "did not converge"
        if self.level == 1:
            print(f"Initialization {how}.")
        else:
            lapse = perf_counter() - self.began
            print(f"Initialization {how}. time lapse {lapse:.5f}s\t lower bound {mean_loglik:.5f}.")
