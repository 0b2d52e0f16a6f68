"""The exported contract catches what is planted, and passes what is right."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, t

from mixtura.families.exponential import Exponential
from mixtura.families.gaps import ColumnSums
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.registry import FAMILIES, family
from mixtura.inference.one_column import OneColumn
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


class SlightlyWrongMStep(Poisson):
    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        return PoissonParams(super().maximize(stats, params, prior).rates * 1.001)


class WrongDraws(Poisson):
    def sample(self, labels: Any, params: PoissonParams, rng: Any) -> Array:
        return super().sample(labels, PoissonParams(params.rates * 1.03), rng)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (NotADensity, "add up to 1.01"),
        (WrongMStep, "m_step: "),
        (SlightlyWrongMStep, "m_step: where EM stops"),
        (WeightsIgnored, "a weight of 2 is not the row twice"),
        (SumsThatDoNotAdd, "do not add"),
        (WrongScore, "score: along a drawn direction"),
        (WrongDraws, "sample: "),
    ],
)
def test_a_planted_fault_is_caught(wrong: type[Poisson], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_family(wrong(), COUNTS)


@pytest.mark.parametrize("name", [*FAMILIES, "UUU:1", "EVE"])
def test_the_house_passes(name: str) -> None:
    rng = np.random.default_rng(2)
    real = rng.standard_t(4, size=(120, 3))
    rows = {
        "vonmises": rng.vonmises(1.0, 2.0, (120, 2)),
        "vonmisesfisher": real / np.linalg.norm(real, axis=1, keepdims=True),
        "exponential": abs(real),
        "gamma": abs(real),
        "lognormal": np.exp(real / 3),
        "bernoulli": np.minimum(COUNTS, 1.0),
        "categorical": np.minimum(COUNTS, 2.0),
        "multinomial": COUNTS,
        "negativebinomial": rng.negative_binomial(3, 0.3, (120, 2)).astype(float),
        "poisson": COUNTS,
    }.get(name, real)
    check_family(family(name), rows)


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


@pytest.mark.parametrize(
    ("name", "seed"),
    [("exponential", 1), ("exponential", 2), ("gamma", 0), ("gamma", 1), ("lognormal", 1)],
)
def test_mass_near_the_edge_of_a_support_is_found_in_any_unit(name: str, seed: int) -> None:
    X = np.random.default_rng(seed).gamma(0.5, 3.0, (200, 2))
    check_family(family(name), X * 1e-4 if seed else X)


def test_cells_that_are_missing_may_be_where_the_family_leaves_them_out() -> None:
    X = np.random.default_rng(1).gamma(0.5, 3.0, (200, 2))
    X[::7, 1] = X[3, 0] = np.nan
    check_family(family("exponential"), X)


class NotQuiteExponential(Exponential):
    """Wrong in the lowest hundredth alone, by a hundredth of the density there."""

    def log_density(self, X: Any, params: Any) -> Array:
        low = np.less(X, 0.01 * params.means[0]).sum(axis=1, keepdims=True)
        return super().log_density(X, params) - 0.01 * low


class Bare(Exponential):
    """As three methods alone have it: NaN below 0, and nothing refused."""

    least = -np.inf

    def log_density(self, X: Any, params: Any) -> Array:
        found = super().log_density(X, params)
        return np.where((X < 0.0).any(axis=1, keepdims=True), np.nan, found)


class MoreThanOne(Exponential):
    def refuse(self, X: Any, names: Any) -> None:
        if (X < -0.5).any():
            raise ValueError("x: above -0.5, please")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (NotQuiteExponential, "add up to 0.9999"),
        (Bare, r"not a number at x = -.*`least = 0.0`"),
        (MoreThanOne, "add up to 1.[1-9]"),
    ],
)
def test_faults_near_the_edge_are_caught(wrong: type[Exponential], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_family(wrong(), np.random.default_rng(1).gamma(1.0, 1.0, (300, 2)))


def test_a_density_between_two_ends_is_added_up() -> None:
    for law in (beta(0.5, 0.5, -1.0, 3.0), beta(2.0, 0.7), t(1.5, 1e3, 1e-2)):
        column = OneColumn.of(law.logpdf, law.rvs(100, random_state=0))
        assert column.mass() == pytest.approx(1.0, abs=1e-6)
        for p in (0.01, 0.5, 0.99):
            assert column.mass(law.ppf(p)) == pytest.approx(p, abs=1e-6)


class Open(Poisson):
    """As three methods alone have it: counts whose cells nothing refuses."""

    column_kind = "density"

    def log_density(self, X: Any, params: PoissonParams) -> Array:
        x = np.asarray(X)
        found = np.where(x == np.floor(x), 0.1, -np.inf)[:, :1]
        return np.asarray(found + super().log_density(np.floor(x), params))


class Transposed(Poisson):
    def log_density(self, X: Any, params: PoissonParams) -> Array:
        return super().log_density(X, params).T


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (Open(), AssertionError, "probabilities of open add up to 1.105"),
        (Transposed(), AssertionError, r"\(2, 120\): it must return .* \(120, 2\)"),
        (Poisson, TypeError, "family: an object of a class of families"),
        ("poisson", TypeError, "got 'poisson'"),
    ],
)
def test_commonest_mistakes_are_told(given: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        check_family(given, COUNTS)


def test_missing_cells_where_the_family_takes_none_are_named() -> None:
    class Whole(Poisson):
        allows_gaps = False

    rows = COUNTS.copy()
    rows[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"data\[3, 1\] is missing"):
        check_family(Whole(), rows)
