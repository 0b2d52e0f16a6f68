"""The exported contract catches what is planted, and passes what is right."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura.families.gaps import ColumnSums
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.registry import family
from mixtura.models.base import Model
from mixtura.records import Array, Chunk, Params, Statistics, Summary
from mixtura.testing import check_family, check_model

Z = np.random.default_rng(0).integers(2, size=120)
COUNTS = np.random.default_rng(1).poisson(np.array([[1.0, 10, 3], [6, 2, 3]])[Z]).astype(float)


class NotADensity(Poisson):
    def log_density(self, X: Any, params: PoissonParams) -> Array:
        return super().log_density(X, params) + 0.01


class WrongMStep(Poisson):
    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        return PoissonParams(super().maximize(stats, params, prior).rates * 1.02)


class WeightsIgnored(Poisson):
    def statistics(self, X: Any, resp: Array, params: Any) -> ColumnSums:
        return super().statistics(X, (resp > 0) * 0.5, params)


class SumsThatDoNotAdd(Poisson):
    def statistics(self, X: Any, resp: Array, params: Any) -> ColumnSums:
        found = super().statistics(X, resp, params)
        return replace(found, sums=found.sums**1.1)


class WrongScore(Poisson):
    def score(self, stats: ColumnSums, params: PoissonParams) -> dict[str, Array]:
        return {"rates": stats.sums / params.rates - 1.01 * stats.cells}


class WrongDraws(Poisson):
    def sample(self, labels: Any, params: PoissonParams, rng: Any) -> Array:
        return super().sample(labels, params, rng) + 1.0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (NotADensity, "add up to 1.01"),
        (WrongMStep, "m_step: an EM step lowers the objective"),
        (WeightsIgnored, "a weight of 2 is not the row twice"),
        (SumsThatDoNotAdd, "do not add"),
        (WrongScore, "score: along a drawn direction"),
        (WrongDraws, "sample: "),
    ],
)
def test_a_planted_fault_is_caught(wrong: type[Poisson], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_family(wrong(), COUNTS)


@pytest.mark.parametrize("name", ["poisson", "categorical", "full", "gamma"])
def test_the_house_passes(name: str) -> None:
    X = COUNTS + 1.0 if name in ("full", "gamma") else np.minimum(COUNTS, 2.0)
    if name == "full":
        X = X + np.random.default_rng(2).normal(size=X.shape)
    check_family(family(name), X if name != "poisson" else COUNTS)


@dataclass(frozen=True)
class Mean(Params):
    mean: Array


@dataclass(frozen=True)
class Total(Statistics):
    rows: Array
    total: Array


class Normal(Model):
    """N(mean, 1), nothing hidden."""

    shrink = 1.0

    def e_step(self, chunk: Chunk, params: Mean) -> Summary:
        w = np.ones(len(chunk.X)) if chunk.weight is None else chunk.weight
        loglik = -0.5 * float(w @ (chunk.X[:, 0] - params.mean) ** 2)
        return Summary(loglik, float(w.sum()), Total(w.sum(), w @ chunk.X[:, 0]))

    def m_step(self, summary: Summary, params: Mean) -> Mean:
        stats: Any = summary.statistics
        return Mean(np.asarray(self.shrink * stats.total / stats.rows))


class Shrunk(Normal):
    shrink = 0.9


def test_a_model_with_two_methods_is_checked_too() -> None:
    x = np.random.default_rng(3).normal(2.0, 1.0, size=40)
    check_model(Normal(), x, Mean(np.asarray(0.0)))
    with pytest.raises(AssertionError, match="where EM stops, a step of"):
        check_model(Shrunk(), x, Mean(np.asarray(0.0)))


def test_the_pages_own_families_pass() -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(np.where(rng.uniform(size=(400, 1)) < 0.3, [[2.0, 9.0]], [[6.0, 4.0]]))
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "poisson_family.py"))
    check_family(example["Counts"](), X)

    class Twice(example["Counts"]):  # type: ignore[misc]
        def log_density(self, X: Any, params: Any) -> Any:
            return 2.0 * super().log_density(X, params)

    with pytest.raises(AssertionError, match="add up to"):
        check_family(Twice(), X)
