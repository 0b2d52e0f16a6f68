"""A search that ends by the clock keeps what it has met, and says so."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from typer.testing import CliRunner

from mixtura import BayesianGaussianMixture, GaussianMixture, PoissonMixture
from mixtura.cli import app
from mixtura.fitting.race import Race
from mixtura.solvers import clock as clock_of_searches
from mixtura.solvers.clock import NEVER
from mixtura.solvers.registry import SOLVERS

TIMED = [name for name, entry in SOLVERS.items() if entry.timed and name not in ("nce", "moments")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves; every look at it takes a second."""
    now = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            now[0] += 1.0
            return now[0]

    monkeypatch.setattr(clock_of_searches, "time", Clock)
    return now


def overlapping(n: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(n, 2)), rng.normal(1.5, 1, size=(n, 2))])


@pytest.mark.parametrize("solver", TIMED)
def test_a_climb_ends_where_it_is(clock: list[float], solver: str) -> None:
    X = overlapping(1000)
    settings: dict[str, Any] = {"tol": 1e-14, "init_params": "kmeans", "engine": "local"}
    mixture = GaussianMixture(4, solver=solver, random_state=0, **settings)
    with pytest.warns(ConvergenceWarning, match="max_seconds had passed"):
        mixture.fit(X, max_seconds=4)
    fit = mixture.fit_result_
    assert not fit.converged
    assert fit.reason == "stopped: max_seconds had passed"
    assert fit.verdict == "not converged"
    assert fit.loglik == pytest.approx(mixture.score_samples(X).sum())
    assert fit.iterations < 12


def test_a_climb_of_many_components_ends_where_it_is(clock: list[float]) -> None:
    X = overlapping(1000)
    mixture = GaussianMixture(8, tol=1e-14, init_params="kmeans", random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_seconds had passed"):
        mixture.fit(X, max_seconds=12)
    fit = mixture.fit_result_
    assert fit.iterations > 0
    assert len(fit.trace) == fit.iterations + 1
    assert fit.trace[-1] > fit.trace[0]


def test_starts_are_counted(clock: list[float]) -> None:
    mixture = GaussianMixture(2, n_init=50, random_state=0).fit(overlapping(200), max_seconds=200)
    fit = mixture.fit_result_
    done = sum(start.outcome == "kept" for start in fit.starts)
    assert 0 < done < 50
    assert fit.converged
    assert f"max_seconds ended the search after {done} of 50 initialisations" in mixture.summary()


def test_a_race_ends_with_its_first_start(clock: list[float]) -> None:
    X = overlapping(200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = GaussianMixture(2, random_state=0).fit(X, max_seconds=1).fit_result_
    assert len(fit.starts) == 1
    assert fit.moves == 0


def test_with_time_enough_nothing_changes() -> None:
    X = overlapping(300)
    plain = GaussianMixture(3, random_state=0).fit(X)
    timed = GaussianMixture(3, random_state=0).fit(X, max_seconds=1e6)
    np.testing.assert_array_equal(plain.means_, timed.means_)
    assert plain.fit_result_ == timed.fit_result_


def test_it_takes_about_as_long() -> None:
    X = np.random.default_rng(0).normal(size=(40_000, 6))
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        GaussianMixture(30, n_init=1000, tol=1e-12, random_state=0).fit(X, max_seconds=0.5)
    # A step, a move and the sample may still be under way, on a busy machine.
    assert time.monotonic() - began < 20


def test_what_it_refuses(tmp_path: Path) -> None:
    X: Any = overlapping(50)
    for value in (0, -1, "1", np.nan, True, np.inf):
        with pytest.raises(ValueError, match="max_seconds must be a number above 0"):
            GaussianMixture(2).fit(X, max_seconds=value)
    with pytest.raises(ValueError, match="max_seconds and checkpoint"):
        GaussianMixture(2).fit(X, max_seconds=1, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="at maximum likelihood only"):
        BayesianGaussianMixture(n_components=2).fit(X, max_seconds=1)
    with pytest.raises(ValueError, match="'online' runs as long as its schedule"):
        GaussianMixture(2, solver="online").fit(X, max_seconds=1)
    assert PoissonMixture(2, random_state=0).fit(np.round(X**2), max_seconds=60).converged_
    assert Race.clock is NEVER
    assert not NEVER.passed


def test_the_command_speaks_its_own_words(tmp_path: Path) -> None:
    table, model = tmp_path / "t.csv", tmp_path / "m.json"
    np.savetxt(table, overlapping(200), delimiter=",", header="a,b", comments="")
    plain = ["fit", str(table), "--no-figure", "--out", str(model)]
    run = CliRunner().invoke
    done = run(app, [*plain, "--starts", "1000", "--max-seconds", "0.5"])
    assert done.exit_code == 0
    assert "of 1000 initialisations" in done.stdout
    late = run(app, [*plain, "-k", "4", "--max-seconds", "0.001", "--quiet"])
    assert "--max-seconds" in late.stderr
    refused = run(app, [*plain, "--max-seconds", "1", "--checkpoint", str(tmp_path / "c")])
    assert refused.exit_code == 2
    assert "--max-seconds cannot be kept with --checkpoint" in refused.stderr
    begun = run(app, [*plain, "--solver", "moments", "--starts", "2"])
    assert "leave out --starts" in begun.stderr
