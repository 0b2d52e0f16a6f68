"""What a family of one's own may get wrong without a word: each is named, by check and fit."""

from __future__ import annotations

import math
import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from mixtura import FitError, Mixture, Model, Params, Statistics
from mixtura.families.base import Family
from mixtura.records import AnyArray, Array, Chunk, RandomNumbers, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem
from mixtura.supports import UnitInterval
from mixtura.testing import check_family, check_model


@dataclass(frozen=True)
class Odds(Params):
    p: Annotated[Array, UnitInterval()]


@dataclass(frozen=True)
class Trials(Statistics):
    counts: Array
    failures: Array


class Geometric(Family):
    """p(x | k) = p (1 - p)^x, x = 0, 1, 2, ..."""

    record = Odds
    column_kind = "counts"

    def log_density(self, X: AnyArray, params: Odds) -> Array:
        return np.asarray(X @ np.log1p(-params.p).T + np.log(params.p).sum(axis=1))

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> Trials:
        return Trials(resp.sum(axis=0), np.asarray(resp.T @ X))

    def maximize(self, stats: Trials, params: Any, prior: Any) -> Odds:
        n = stats.counts[:, None]
        return Odds(n / (n + stats.failures))

    def score(self, stats: Trials, params: Odds) -> dict[str, Array]:
        return {"p": stats.counts[:, None] / params.p - stats.failures / (1 - params.p)}

    def information(self, params: Odds, shares: Array) -> dict[str, Array]:
        return {"p": shares[:, None] / params.p}

    def sample(self, labels: AnyArray, params: Odds, rng: RandomNumbers) -> Array:
        return rng.geometric(params.p[labels]) - 1.0

    def means(self, params: Odds) -> Array:
        return (1.0 - params.p) / params.p

    def variances(self, params: Odds) -> Array:
        return (1.0 - params.p) / params.p**2


class Wrong(Geometric):
    power: float = 1.0
    factor: float = 1.0

    def information(self, params: Odds, shares: Array) -> dict[str, Array]:
        return {"p": self.factor * shares[:, None] / params.p**self.power}


EXAMPLES = Path(__file__).parents[1] / "examples"
LAMPS = np.column_stack([np.random.default_rng(0).exponential(2.0, 60), np.arange(60) % 3 < 2])
X = np.random.default_rng(0).geometric([[0.2, 0.6]] * 120 + [[0.7, 0.3]] * 80) - 1.0


def test_the_right_one_is_right() -> None:
    check_family(Geometric(), X)
    fitted = Mixture(Geometric(), 2, random_state=0).fit(X)
    assert fitted.fit_result_.verdict == "interior maximum"


@pytest.mark.parametrize(("power", "factor"), [(1.0, 4.0), (1.0, 0.2), (3.0, 1.0), (-2.0, 1.0)])
def test_a_wrong_information_is_found(power: float, factor: float) -> None:
    family = Wrong()
    family.power, family.factor = power, factor
    with pytest.raises(AssertionError, match="information: in free number"):
        check_family(family, X)


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_step_part_of_the_way_is_found(part: float) -> None:
    def half(self: Any, stats: Any, params: Any, prior: Any) -> Any:
        p = Geometric.maximize(self, stats, params, prior).p
        return Odds(p if params is None else part * p + (1.0 - part) * params.p)

    with pytest.raises(AssertionError, match="maximize: from where it ends, a step of"):
        check_family(type("Half", (Geometric,), {"maximize": half})(), X)
    for name, rows, record, start in (
        ("censored", LAMPS, "Rate", 1.0),
        ("linkage", [[125, 18, 20, 34]], "Linkage", 0.5),
    ):
        kinds = runpy.run_path(str(EXAMPLES / f"{name}.py"))
        Right, Record = kinds["Censored" if name == "censored" else "LinkageModel"], kinds[record]
        check_model(Right(), rows, Record(np.array(start)))

        def damped(self: Any, summary: Any, params: Any, base: Any = Right) -> Any:
            one, two = (at.arrays() for at in (params, base.m_step(self, summary, params)))
            return params.with_arrays({key: (one[key] + two[key]) / 2 for key in one})

        Damped = type("Damped", (Right,), {"m_step": damped})
        with pytest.raises(AssertionError, match=r"d(oes|id) not maximise"):
            check_model(Damped(), rows, Record(np.array(start)))
        Damped.generalised = True  # type: ignore[attr-defined]
        check_model(Damped(), rows, Record(np.array(start)))


@dataclass(frozen=True)
class Places(Params):
    m: Array


@dataclass(frozen=True)
class Away(Statistics):
    counts: Array
    first: Array


@dataclass(frozen=True, eq=False)
class Near(Model):
    """Two Gaussians of one column and equal weights; sums are about the means that were."""

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        w = np.ones(len(chunk.X)) if chunk.weight is None else chunk.weight
        y = chunk.X - params.m
        joint = -0.5 * y**2 - 0.5 * np.log(8.0 * np.pi)
        log_p = np.logaddexp.reduce(joint, axis=1)
        resp = np.exp(joint - log_p[:, None]) * w[:, None]
        return Summary(float(w @ log_p), float(w.sum()), Away(resp.sum(axis=0), (resp * y).sum(0)))

    def m_step(self, summary: Summary, params: Any) -> Places:
        told: Any = summary.statistics
        return Places(params.m + told.first / told.counts)

    def transported(self, summary: Summary, before: Any, after: Any) -> Summary:
        told: Any = summary.statistics
        first = told.first + told.counts * (before.m - after.m)
        return replace(summary, statistics=replace(told, first=first))


def test_sums_about_the_parameters_are_no_step_half_the_way() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(60, 1)), rng.normal(3, 1, size=(60, 1))])
    check_model(Near(), rows, Places(np.array([-0.5, 4.0])))
    untold = type("Untold", (Near,), {"transported": Model.transported})
    with pytest.raises(AssertionError, match="write `transported`"):
        check_model(untold(), rows, Places(np.array([-0.5, 4.0])))


def test_a_start_is_looked_at() -> None:
    kinds = runpy.run_path(str(EXAMPLES / "censored.py"))
    for begun in (-1.0, np.nan, np.inf):
        wrong = {"start": lambda self, source, rng, begun=begun: kinds["Rate"](begun)}
        with pytest.raises(AssertionError, match="start"):
            check_model(type("Wrong", (kinds["Censored"],), wrong)(), LAMPS, kinds["Rate"](1.0))


def test_a_wrong_information_is_found_without_draws() -> None:
    class Undrawn(Wrong):
        factor = 0.2
        sample = Family.sample

    with pytest.raises(AssertionError, match="information: in free number"):
        check_family(Undrawn(), X)


def _factorials(self: Any, X: AnyArray, params: Odds) -> Array:
    for each in X.ravel():
        float(math.factorial(int(each)))
    return Geometric.log_density(self, X, params)


@pytest.mark.parametrize(
    ("method", "planted", "sentence"),
    [
        ("means", lambda self, p: 1.0 / p.p, "means: of component 0 in column 0 it says"),
        ("variances", lambda self, p: (1.0 - p.p) / p.p, "variances: of component 0 in column 0"),
        ("variances", lambda self, p: p.p[0], r"variances of Planted returned .*\(2,\)"),
        (
            "sample",
            lambda self, labels, p, rng: np.repeat(rng.geometric(p.p[labels]) - 1.0, 2, axis=0)[
                : len(labels)
            ],
            "draws that stand 1 rows apart are correlated",
        ),
        (
            "sample",
            lambda self, labels, p, rng: (
                rng.geometric(p.p[labels][:, :1], (len(labels), 1)) * np.ones((1, 2)) - 1.0
            ),
            "over draws densities nearby",
        ),
        (
            "sample",
            lambda self, labels, p, rng: np.random.default_rng(0).geometric(p.p[labels]) - 1.0,
            "from another `rng` come the same rows",
        ),
        (
            "sample",
            lambda self, labels, p, rng: np.random.geometric(p.p[labels]) - 1.0,
            "from the same `rng` come other rows",
        ),
        (
            "sample",
            lambda self, labels, p, rng: np.floor(
                np.log(_paired(rng, len(labels))) / np.log1p(-p.p[labels])
            ),
            "draws that stand 1 rows apart are correlated",
        ),
        ("sample", lambda self, labels, p, rng: rng.geometric(p.p[labels]) * 1.0, "by log_density"),
        ("log_density", _factorials, "log_density: OverflowError at x = 171 .*gammaln"),
    ],
)
def test_a_fault_of_what_reports_and_draws_say_is_found(
    method: str, planted: Any, sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_family(type("Planted", (Geometric,), {method: planted})(), X)


def _paired(rng: Any, n: int) -> Array:
    """Uniform numbers in two columns, below each row its complement."""
    u = rng.uniform(size=((n + 1) // 2, 2))
    return np.asarray(np.stack([u, 1.0 - u], axis=1).reshape(-1, 2)[:n])


def _without_gaps(self: Any, X: AnyArray, params: Odds) -> Array:
    return Geometric.log_density(self, np.nan_to_num(X), params)


@pytest.mark.parametrize(
    ("density", "sentence"),
    [
        (Geometric.log_density, r"with column 0 missing \(NaN\) it is not a number"),
        (_without_gaps, "of a row whose cells are all missing it is -"),
    ],
)
def test_gaps_are_left_out_where_a_family_says_so(density: Any, sentence: str) -> None:
    class Gappy(Geometric):
        allows_gaps = True
        log_density = density

    with pytest.raises(AssertionError, match=sentence):
        check_family(Gappy(), X)


def test_draws_and_units_of_a_model_are_looked_at() -> None:
    example = Path(__file__).parents[1] / "examples" / "censored.py"
    names = runpy.run_path(str(example))

    class Drawn(names["Censored"]):  # type: ignore[misc]
        scale = told = 1.0

        def sample(self, n: int, params: Any, rng: Any) -> Any:
            life = rng.exponential(self.scale / params.rate, size=n)
            return np.column_stack([np.minimum(life, 1.0), life <= 1.0]), life

        def information(self, params: Any) -> Any:
            return {"rate": np.asarray(self.told)}

    rows, start = Drawn().sample(80, names["Rate"](2.0), np.random.default_rng(0))[0], 1.0
    check_model(Drawn(), rows, names["Rate"](start))
    wrong, low = Drawn(), Drawn()
    wrong.scale, low.told = 1.3, 0.2
    with pytest.raises(AssertionError, match="sample: over draws densities nearby"):
        check_model(wrong, rows, names["Rate"](start))
    with pytest.raises(AssertionError, match="information: in free number 0 the scores of draws"):
        check_model(low, rows, names["Rate"](start))
    # Of all rows where it is to be of one.
    low.told = float(len(rows))
    for model in (low, type("Undrawn", (Drawn,), {"sample": Model.sample, "told": 80.0})()):
        with pytest.raises(
            AssertionError, match=r"in free number 0 near the top, .* tells 0\.0125"
        ):
            check_model(model, rows, names["Rate"](start))


def test_parameters_that_leave_their_support_are_not_reported() -> None:
    class Leaving(Geometric):
        def maximize(self, stats: Trials, params: Any, prior: Any) -> Odds:
            return Odds(super().maximize(stats, params, prior).p * 0 + 2.4)

        def log_density(self, X: AnyArray, params: Odds) -> Array:
            return np.zeros((len(X), len(params.p)))

        score = Family.score

    told = "M-step of family 'leaving' left what is admissible: 'p' should be in the range"
    with pytest.raises(ValueError, match=told):
        Mixture(Leaving(), 2, random_state=0).fit(X)


def test_a_density_that_is_no_number_is_named() -> None:
    class Holed(Geometric):
        def log_density(self, X: AnyArray, params: Odds) -> Array:
            found = super().log_density(X, params)
            found[X[:, 0] > 8] = np.nan
            return found

    with pytest.raises(FitError, match="log_density of family 'holed' is no number for"):
        Mixture(Holed(), 2, random_state=0).fit(X)
    with pytest.raises(AssertionError, match="log_density"):
        check_family(Holed(), X)


def test_a_solver_returns_a_climb() -> None:
    def nothing(problem: Problem) -> Any:
        return problem.params

    with pytest.raises(TypeError, match="solver 'nothing' returned MixtureParams: it returns a Cl"):
        Mixture("poisson", 2, solver=nothing).fit(X)


def test_the_smallest_solver_of_the_docs_climbs() -> None:
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    code = text[text.index("def plain(") :].split("```")[0]
    names: dict[str, Any] = {"Problem": Problem, "Climb": Climb, "Logbook": Logbook}
    exec(code, names)
    ours = Mixture("poisson", 2, solver=names["plain"], random_state=0).fit(X)
    assert ours.converged_
    assert ours.lower_bound_ == pytest.approx(
        Mixture("poisson", 2, solver="em", random_state=0).fit(X).lower_bound_, abs=1e-6
    )
