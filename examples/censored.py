"""Right-censored lifetimes: exponential, where some lamps still burnt when one stopped looking.

A row is a time and whether the lamp had failed by then. What is hidden is when the others will: by
the law's lack of memory, 1/rate later on average. There is a closed form to compare with, the
number of failures over the time observed.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

import mixtura
from mixtura.supports import Positive


@dataclass(frozen=True)
class Rate(mixtura.Params):
    rate: Annotated[np.ndarray, Positive()]


@dataclass(frozen=True)
class Lives(mixtura.Statistics):
    lamps: np.ndarray
    failures: np.ndarray
    observed: np.ndarray


class Censored(mixtura.Model):
    """Rows are (time, 1 for a failure and 0 where the lamp still burnt)."""

    def e_step(self, chunk: mixtura.Chunk, params: Rate) -> mixtura.Summary:
        time, failed = chunk.X.T
        w = np.ones(len(time)) if chunk.weight is None else chunk.weight
        loglik = w @ (failed * np.log(params.rate) - params.rate * time)
        return mixtura.Summary(loglik, w.sum(), Lives(w.sum(), w @ failed, w @ time))

    def m_step(self, summary: mixtura.Summary, params: Rate) -> Rate:
        s = summary.statistics
        whole = s.observed + (s.lamps - s.failures) / params.rate
        return Rate(np.asarray(s.lamps / whole))

    def start(self, source, rng):
        return Rate(np.array(1.0))

    # With a score the gradient solvers climb too, and the fit says how steep it is where it ended;
    # with the information of a whole life, whether that is a maximum.
    def score(self, summary: mixtura.Summary, params: Rate) -> dict[str, np.ndarray]:
        s = summary.statistics
        return {"rate": s.failures / params.rate - s.observed}

    def information(self, params: Rate) -> dict[str, np.ndarray]:
        return {"rate": np.ones(())}


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    life, end = rng.exponential(2.0, size=500), rng.uniform(0.0, 4.0, size=500)
    X = np.column_stack([np.minimum(life, end), life <= end])
    for solver in ("em", "squarem", "lbfgs", "newton"):
        fit = mixtura.fit(Censored(), X, solver=solver)
        print(f"{solver:8} rate = {fit.params.rate:.6f}, {fit.verdict}, {fit.passes} passes")
    print(f"failures / time observed = {X[:, 1].sum() / X[:, 0].sum():.6f}")
