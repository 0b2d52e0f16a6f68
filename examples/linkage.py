"""Genetic linkage (Rao 1973; the first example of Dempster, Laird & Rubin 1977): one's own model.

197 animals fall into four classes with probabilities 1/2 + t/4, (1 - t)/4, (1 - t)/4 and t/4. The
first class hides two, of probabilities 1/2 and t/4: with the split known, t would be a proportion.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

import mixtura
from mixtura.supports import UnitInterval


@dataclass(frozen=True)
class Linkage(mixtura.Params):
    theta: Annotated[np.ndarray, UnitInterval()]


@dataclass(frozen=True)
class Split(mixtura.Statistics):
    linked: np.ndarray
    unlinked: np.ndarray


class LinkageModel(mixtura.Model):
    """Rows are tables of counts in the four classes."""

    def e_step(self, chunk: mixtura.Chunk, params: Linkage) -> mixtura.Summary:
        times = np.ones(len(chunk.X)) if chunk.weight is None else chunk.weight
        n, t = times @ chunk.X, params.theta
        p = np.array([0.5 + t / 4, (1 - t) / 4, (1 - t) / 4, t / 4])
        hidden = n[0] * (t / 4) / p[0]
        return mixtura.Summary(n @ np.log(p), n.sum(), Split(hidden + n[3], n[1] + n[2]))

    def m_step(self, summary: mixtura.Summary, params: Linkage) -> Linkage:
        s = summary.statistics
        return Linkage(np.asarray(s.linked / (s.linked + s.unlinked)))


if __name__ == "__main__":
    counts = [[125, 18, 20, 34]]
    for solver in ("em", "squarem", "anderson"):
        fit = mixtura.fit(LinkageModel(), counts, start=Linkage(np.array(0.5)), solver=solver)
        print(f"{solver:9} theta = {fit.params.theta:.7f} after {fit.passes} passes")
