"""Claim 7: known unequal weights make a false optimum, free ones do not; one component too many.

Xu, Hsu & Maleki (2018), Benefits of over-parameterization with EM, Advances in Neural Information
Processing Systems 31; Dwivedi and others (2020), Annals of Statistics 48. Population figures: no
row is drawn here, so nothing may fail by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pytest

import mixtura
from mixtura import Chunk, Model, Params, Statistics, Summary
from mixtura.records import Array
from mixtura.supports import Real, UnitInterval


@dataclass(frozen=True)
class Halves(Params):
    """share N(theta, 1) + (1 - share) N(-theta, 1)."""

    theta: Annotated[Array, Real()]
    share: Annotated[Array, UnitInterval()]


@dataclass(frozen=True)
class Turned(Statistics):
    """Rows, those of the first component, and the sum of all, the second's turned round."""

    rows: Array
    first: Array
    turned: Array


@dataclass(frozen=True)
class Mirrored(Model):
    """Means theta and -theta; whether the share is known."""

    known: bool

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        x, w = chunk.X[:, 0], chunk.weight
        first = np.log(params.share) - 0.5 * (x - params.theta) ** 2
        other = np.log1p(-params.share) - 0.5 * (x + params.theta) ** 2
        log_p = np.logaddexp(first, other)
        resp = np.exp(first - log_p)
        sums = Turned(w.sum(), w @ resp, w @ ((2.0 * resp - 1.0) * x))
        return Summary(float(w @ log_p), float(w.sum()), sums)

    def m_step(self, summary: Summary, params: Any) -> Halves:
        sums: Any = summary.statistics
        theta = sums.turned / sums.rows
        return replace(params, theta=theta) if self.known else Halves(theta, sums.first / sums.rows)


def population(share: float, theta: float) -> tuple[Array, Array]:
    """By the trapezoid rule, whose error is below rounding here."""
    x = np.linspace(-13.0, 13.0, 1301)
    density = share * np.exp(-0.5 * (x - theta) ** 2)
    density += (1 - share) * np.exp(-0.5 * (x + theta) ** 2)
    return x[:, None], density / density.sum()


def climbed(known: bool, begin: tuple[float, float], truth: tuple[float, float]) -> mixtura.Fit:
    X, w = population(*truth)
    start = Halves(*map(np.array, begin))
    return mixtura.fit(Mirrored(known), X, sample_weight=w, start=start, tol=1e-11)


def test_a_known_share_holds_em_where_a_free_one_does_not() -> None:
    truth = (0.7, 1.0)
    held, free = climbed(True, (-1.0, 0.7), truth), climbed(False, (-1.0, 0.7), truth)
    best = climbed(True, (1.0, 0.7), truth)
    assert float(best.params.theta) == pytest.approx(1.0, abs=1e-5)
    assert float(held.params.theta) == pytest.approx(-0.8885, abs=5e-5)
    assert best.loglik - held.loglik == pytest.approx(0.18036, abs=5e-6)
    assert (float(free.params.theta), float(free.params.share)) == pytest.approx(
        (-1, 0.3), abs=1e-4
    )
    assert free.loglik == pytest.approx(best.loglik, abs=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("steps", "told"), [(10, 1.0020), (100, 1.0030), (1000, 1.0006)])
def test_towards_one_gaussian_em_creeps(steps: int, told: float) -> None:
    X, w = population(0.5, 0.0)
    start = Halves(np.array(1.0), np.array(0.5))
    settings = {"solver": "em", "tol": 0.0, "max_iter": steps}
    found = mixtura.fit(Mirrored(True), X, sample_weight=w, start=start, **settings)
    assert float(found.params.theta) * np.sqrt(2 * steps) == pytest.approx(told, abs=5e-5)
