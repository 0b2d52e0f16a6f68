"""Ctrl-C ends a fit with the best it has met, and says so; twice it ends the program."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from typer.testing import CliRunner

from mixtura import (
    BayesianGaussianMixture,
    GaussianHMM,
    GaussianMixture,
    HiddenMarkov,
    HiddenMarkovSearch,
    MixtureRegression,
    PoissonMixture,
    load,
)
from mixtura.cli import app
from mixtura.solvers import clock
from mixtura.solvers.clock import Clock
from mixtura.solvers.logbook import Logbook

Press = Callable[..., None]
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(300, 2)), RNG.normal(1.5, 1, size=(300, 2))])


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    """Ctrl-C after so many steps of EM, all starts together."""
    note = Logbook.note
    monkeypatch.setattr(Clock, "_last", -np.inf)
    monkeypatch.setattr(clock, "ONE", 0.0)

    def pressed(*after: int) -> None:
        steps = [0]

        def noted(self: Logbook, *args: Any, **kwargs: Any) -> None:
            note(self, *args, **kwargs)
            steps[0] += 1
            if steps[0] in after:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Logbook, "note", noted)

    yield pressed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _regression() -> Any:
    return MixtureRegression(2, n_init=50, tol=1e-12, random_state=0).fit(X[:, :1], X[:, 1])


FITS: dict[str, Callable[[], Any]] = {
    "gaussian": lambda: GaussianMixture(3, n_init=50, engine="local", random_state=0).fit(X),
    "poisson": lambda: PoissonMixture(2, n_init=50, random_state=0).fit(np.round(X**2)),
    "posterior": lambda: BayesianGaussianMixture(
        n_components=4, n_init=50, random_state=0, tol=1e-9
    ).fit(X),
    "regression": _regression,
    "chain": lambda: HiddenMarkov("diag", 3, n_init=50, random_state=0).fit(X),
    "parts": lambda: HiddenMarkov("diag", 3, n_init=50, random_state=0).fit(
        lambda: iter([X[:300], X[300:]])
    ),
    "face": lambda: GaussianHMM(3, n_init=50, random_state=0).fit(X),
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("after", [20, 300])
def test_the_best_so_far_is_kept(
    press: Press, name: str, after: int, capsys: pytest.CaptureFixture[str]
) -> None:
    press(after)
    with pytest.warns(ConvergenceWarning, match="interrupted in initialisation .* of 50"):
        found = FITS[name]()
    # The step that runs may be a long one.
    assert capsys.readouterr().err.strip() == clock.HEARD
    fit = found.fit_result_
    assert not fit.converged
    assert not getattr(found, "converged_", False)
    assert 0 < len(fit.starts) < 200
    if name in ("gaussian", "poisson"):
        rows = X if name == "gaussian" else np.round(X**2)
        assert fit.loglik == pytest.approx(found.score_samples(rows).sum(), rel=1e-12)
    if name == "chain":
        assert fit.loglik == pytest.approx(found.score(X), rel=1e-12)


def test_plain_steps_end_where_they_are(press: Press) -> None:
    hmm = GaussianHMM(2, init_params="", n_iter=500, tol=-1.0)
    hmm.startprob_, hmm.transmat_ = np.full(2, 0.5), np.full((2, 2), 0.5)
    hmm.means_, hmm.covars_ = X[:2], np.ones((2, 2))
    press(7)
    with pytest.warns(ConvergenceWarning, match="interrupted, with the best met by then, after 7"):
        hmm.fit(X)
    assert hmm.n_iter_ == 7


def test_twice_is_an_interrupt_and_changes_nothing(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = GaussianMixture(3, n_init=50, engine="local", random_state=0)
    press(20, 21)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X)
    assert not hasattr(mixture, "means_")
    # Also where the second one meets the next fit.
    monkeypatch.setattr(Clock, "_last", -np.inf)
    press(300)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        mixture.fit(X)
    press(1)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X)


def test_one_press_that_is_heard_twice_is_one(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "ONE", 60.0)
    press(20, 21)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        GaussianMixture(3, n_init=50, engine="local", random_state=0).fit(X)


def test_where_it_is_an_interrupt_at_once(press: Press, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    press(500)
    mixture = GaussianMixture(3, n_init=50, engine="local", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X, checkpoint=path)
    assert path.exists()
    press(20)
    with pytest.raises(KeyboardInterrupt):
        GaussianMixture(3, solver="stochastic", random_state=0).fit(X)
    press(20)
    with pytest.raises(KeyboardInterrupt):
        HiddenMarkovSearch(HiddenMarkov("diag"), [2, 3], random_state=0).fit(X)


def test_a_handler_of_the_program_stays(press: Press) -> None:
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        press(20)
        mixture = GaussianMixture(3, engine="local", random_state=0).fit(X)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard
    assert mixture.converged_


@pytest.mark.parametrize("command", ["fit", "hmm"])
def test_the_command_writes_it_and_leaves_by_130(
    press: Press, command: str, tmp_path: Path
) -> None:
    table, model = tmp_path / "t.csv", tmp_path / "m.json"
    np.savetxt(table, X, delimiter=",", header="a,b", comments="")
    asked = [command, str(table), "--no-figure", "--out", str(model), "--starts", "50"]
    press(40)
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 130
    assert "warning: stopped: interrupted in initialisation" in done.stderr
    assert "interrupted" in done.stdout
    assert not load(model).converged_


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every look takes a second."""
    now = count(1.0)

    class Fast:
        @staticmethod
        def monotonic() -> float:
            return next(now)

    monkeypatch.setattr(clock, "time", Fast)


@pytest.mark.usefixtures("fast")
def test_chains_and_regressions_end_by_the_clock(tmp_path: Path) -> None:
    rows, ended = X[:100], "max_seconds ended the search after"
    chain = HiddenMarkov("diag", 2, n_init=1000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert ended in chain.fit(rows, max_seconds=60).summary()
        face = GaussianHMM(2, n_init=1000, random_state=0).fit(rows, max_seconds=60)
        assert ended in face.fit_result_.remark
        lines = MixtureRegression(2, n_init=1000, random_state=0)
        assert ended in lines.fit(rows[:, :1], rows[:, 1], max_seconds=60).fit_result_.remark
    with pytest.warns(ConvergenceWarning, match="max_seconds had passed"):
        chain.fit(rows, max_seconds=1)
    with pytest.raises(ValueError, match="max_seconds and checkpoint"):
        chain.fit(X, max_seconds=1, checkpoint=tmp_path / "c")
    table = tmp_path / "t.csv"
    np.savetxt(table, rows, delimiter=",", header="a,b", comments="")
    asked = ["hmm", str(table), "--no-figure", "--out", str(tmp_path / "m.json")]
    done = CliRunner().invoke(app, [*asked, "--max-seconds", "1"])
    assert done.exit_code == 0
    assert "the fit stopped at --max-seconds" in done.stderr
    refused = CliRunner().invoke(app, [*asked, "--states", "1:3", "--max-seconds", "1"])
    assert "--max-seconds 1.0 is for one number of states" in refused.stderr
