"""The same starts through every solver: what is counted, what is told, what is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixtura import Comparison, compare_solvers
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.errors import Collapse, LikelihoodFell
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.records import gaussian_params
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.starts import StartMaker
from mixtura.inference import recording
from mixtura.inference.agreement import difference
from mixtura.inference.compare import CLOSE, Ended, Mark, Run, _trail
from mixtura.inference.recording import Entry, Log
from mixtura.models.mixture_params import MixtureParams
from mixtura.report.panels import INK
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.online import Online
from mixtura.solvers.problem import Problem, SweepLike
from mixtura.solvers.registry import CLIMBERS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def compared(faithful: np.ndarray) -> Comparison:
    return compare_solvers(faithful, 3, n_starts=2, random_state=0)


def of(found: Comparison, solver: str, start: int = 1) -> Run:
    return next(run for run in found.runs if (run.solver, run.start) == (solver, start))


def test_every_solver_reaches_the_same_top(compared: Comparison) -> None:
    assert [(run.start, run.solver) for run in compared.runs] == [
        (start, solver) for start in (1, 2) for solver in CLIMBERS
    ]
    for run in compared.runs:
        assert run.converged, run
        assert run.verdict == "interior maximum"
        assert run.loglik == pytest.approx(-1119.213973, abs=1e-5)
        assert run.mean_loglik == pytest.approx(run.loglik / 272)
        assert 0 <= run.gap < 1e-9
        assert run.difference < 2e-3
        assert not run.failed
        assert not run.penalised


def test_the_best_of_a_start_is_the_measure_of_the_others(compared: Comparison) -> None:
    for start in (1, 2):
        runs = [run for run in compared.runs if run.start == start]
        assert min(run.gap for run in runs) == 0
        best = min(runs, key=lambda run: run.gap)
        assert best.difference < 1e-12
        for run in runs:
            assert run.gap == pytest.approx(best.mean_loglik - run.mean_loglik, abs=1e-13)


def test_a_trail_has_a_mark_for_every_pass(compared: Comparison) -> None:
    for run in compared.runs:
        *marks, last = run.trail
        assert [mark.passes for mark in marks] == list(range(1, run.passes + 1))
        assert last.passes == run.passes
        gaps = [mark.gap for mark in run.trail]
        assert gaps == sorted(gaps, reverse=True)
        assert gaps[-1] <= run.gap
        seconds = [mark.seconds for mark in run.trail]
        assert seconds == sorted(seconds)
        assert 0 < seconds[0] <= seconds[-1] == run.seconds
        before = [mark for mark in marks if mark.passes < run.passes_to_top]
        assert all(mark.gap > CLOSE for mark in before)
        assert marks[run.passes_to_top - 1].gap <= CLOSE


def test_accelerated_solvers_need_fewer_passes(compared: Comparison) -> None:
    for start in (1, 2):
        slow = of(compared, "em", start).passes_to_top
        assert of(compared, "squarem", start).passes_to_top < 0.6 * slow
        assert of(compared, "lbfgs", start).passes_to_top < 0.4 * slow
        assert of(compared, "auto", start).passes_to_top < 0.6 * slow


def test_the_starts_are_those_of_the_seed(compared: Comparison, faithful: np.ndarray) -> None:
    again = compare_solvers(faithful, 3, solvers=["em"], n_starts=2, random_state=0)
    other = compare_solvers(faithful, 3, solvers=["em"], n_starts=2, random_state=1)
    first = [of(compared, "em", start).trail[0].gap for start in (1, 2)]
    # The best known differs a little with the solvers that look for it.
    np.testing.assert_allclose([run.trail[0].gap for run in again.runs], first, rtol=1e-6)
    assert abs(other.runs[0].trail[0].gap / first[0] - 1) > 1e-3


def test_em_is_recorded_as_it_climbs(faithful: np.ndarray) -> None:
    """The logged objectives are those of an ordinary climb from the same parameters."""
    found = compare_solvers(faithful, 2, solvers=["em"], n_starts=1, random_state=4)
    rng = np.random.RandomState(np.random.RandomState(4).randint(2**31 - 1))
    ground = prepare(Rows(faithful), family("full"), 2, rng)
    params = ground.maker.make("k-means++", 0, rng)
    sweep = open_sweep("local", ground.model, Rows(faithful))
    sweep.stride = 1
    climb = em(Problem(ground.model.unpenalised(), sweep, params, tol=1e-10, max_iter=1000))
    run = found.runs[0]
    assert run.passes == sweep.passes == run.iterations + 1
    gaps = (climb.logliks[-1] - np.array(climb.logliks)) / 272
    np.testing.assert_allclose([mark.gap for mark in run.trail[:-1]], gaps, atol=1e-12)


def solver(function: Callable[[Any, SweepLike, Any], Climb | None], name: str) -> Any:
    """A solver that is EM after what `function` does with (model, sweep, params)."""

    def climb(problem: Problem) -> Climb:
        function(problem.model, problem.sweep, problem.params)
        return em(problem)

    climb.name = name  # type: ignore[attr-defined]
    return climb


def test_whatever_sweeps_is_counted(faithful: np.ndarray) -> None:
    counts: list[int] = []

    def busy(model: Any, sweep: SweepLike, params: Any) -> None:
        assert sweep.stride == 1
        summary = sweep(params)
        sweep.advance(model, params, summary, 5)
        sweep.folded(lambda chunk: model.e_step(chunk, params))
        sweep.over(Rows(faithful[:50]))(params)
        sweep.passes += 1
        counts.append(sweep.passes)

    found = compare_solvers(
        faithful, 2, solvers=["em", solver(busy, "busy")], n_starts=1, random_state=0
    )
    assert counts == [1 + 5 + 1 + 1]
    plain, more = found.runs
    assert more.passes == plain.passes + 8
    assert [mark.passes for mark in more.trail[:8]] == [1, 2, 3, 4, 5, 6, 7, 9]
    # What is summed in a folded pass is not taken for a likelihood.
    assert more.trail[6].gap == more.trail[5].gap
    assert more.passes_to_top <= plain.passes_to_top


def test_time_stands_still_while_the_log_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(recording, "perf_counter", lambda: now[0])

    def objective() -> float:
        now[0] += 5.0
        return -1.0

    log = Log()
    for _ in range(2):
        now[0] += 1.0
        log.note(objective)
    now[0] += 0.5
    assert log.entries == [Entry(1, 1.0, -1.0), Entry(2, 2.0, -1.0)]
    assert log.seconds == 2.5


def test_a_trial_above_the_top_is_not_on_the_trail(faithful: np.ndarray) -> None:
    class Summary:
        weight = 10.0

    class Ends:
        summary = Summary()

    met = (-50.0, math.nan, 900.0, -20.0, -30.0, -10.0)
    entries = tuple(Entry(i + 1, 0.0, value) for i, value in enumerate(met))
    trail = _trail(Ended(Run(1, "x"), Ends(), entries), -10.0)  # type: ignore[arg-type]
    assert [mark.gap for mark in trail] == [4, 4, 4, 1, 1, 0]
    assert _trail(Ended(Run(1, "x"), Ends(), entries[1:2]), 0.0) == (Mark(2, 0.0, math.inf),)  # type: ignore[arg-type]


def test_a_climb_that_collapses_is_repeated_with_the_penalty(faithful: np.ndarray) -> None:
    def fragile(model: Any, sweep: SweepLike, params: Any) -> None:
        if not model.penalised:
            sweep(params)
            raise Collapse(1, 2.0, 1e-9)

    solvers = ["em", solver(fragile, "fragile")]
    found = compare_solvers(faithful, 2, solvers=solvers, n_starts=1, random_state=0)
    plain, penalised = found.runs
    assert penalised.penalised
    assert not plain.penalised
    assert penalised.passes == 1 + penalised.iterations + 1
    assert penalised.trail[0].gap == math.inf > penalised.trail[1].gap
    # Its objective is another one, so it is measured against itself.
    assert (penalised.gap, penalised.difference) == (0, pytest.approx(0, abs=1e-12))
    assert penalised.loglik < plain.loglik
    assert "* with the penalty against collapse" in found.table()


def test_a_solver_that_fails_does_not_stop_the_others(faithful: np.ndarray) -> None:
    def falling(model: Any, sweep: SweepLike, params: Any) -> None:
        sweep(params)
        raise LikelihoodFell(2.0, 1.0)

    solvers = [solver(falling, "falling"), "em"]
    found = compare_solvers(faithful, 2, solvers=solvers, n_starts=2, random_state=0)
    first = found.runs[0]
    assert first.failed
    assert (first.passes, first.loglik, first.gap, first.trail) == (2, None, None, ())
    assert "fell from 2.0 to 1.0" in first.reason
    assert found.runs[1].converged
    assert re.search(r"falling +2 .* failed", found.table())
    # One sentence for both starts.
    assert found.table().count("fell from 2.0 to 1.0") == 1
    assert len(found.figure().axes) == 2


def test_a_solver_that_cannot_run_says_so(faithful: np.ndarray) -> None:
    X = np.column_stack([faithful, np.ones(len(faithful))])
    found = compare_solvers(X, 2, n_starts=1, random_state=0)
    assert not of(found, "em").failed
    assert of(found, "auto").ran == "em"
    for name in ("squarem", "anderson", "lbfgs", "newton"):
        run = of(found, name)
        assert run.failed
        assert run.passes == 0
        assert "cannot climb here: a column has no" in run.reason
    assert re.search(r"lbfgs +– .* did not run", found.table())


def test_a_start_that_fails_is_told_and_the_next_one_goes(
    faithful: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = StartMaker.make, []

    def once(self: StartMaker, *args: Any) -> MixtureParams:
        made.append(args)
        if len(made) == 1:
            raise Collapse(0, 1.0, 0.0)
        return make(self, *args)

    monkeypatch.setattr(StartMaker, "make", once)
    found = compare_solvers(faithful, 2, solvers=["em", "lbfgs"], n_starts=2, random_state=0)
    assert [run.failed for run in found.runs] == [True, True, False, False]
    assert all(run.reason.startswith("the start itself: ") for run in found.runs[:2])
    assert [ax.get_title("left") for ax in found.figure().axes] == ["start 2"]


def test_where_nothing_succeeds_there_is_no_figure(
    faithful: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> MixtureParams:
        raise Collapse(0, 1.0, 0.0)

    monkeypatch.setattr(StartMaker, "make", never)
    found = compare_solvers(faithful, 2, n_starts=2)
    assert all(run.failed for run in found.runs)
    assert "the start itself" in found.table()
    with pytest.raises(ValueError, match="nothing to draw"):
        found.figure()


def test_a_weight_is_copies_of_the_row(faithful: np.ndarray) -> None:
    weights = np.random.default_rng(3).integers(0, 3, size=len(faithful))
    settings: dict[str, Any] = {"solvers": ["em", "lbfgs"], "n_starts": 1, "random_state": 0}
    weighted = compare_solvers(faithful, 2, sample_weight=weights, **settings)
    copies = compare_solvers(np.repeat(faithful, weights, axis=0), 2, **settings)
    for one, other in zip(weighted.runs, copies.runs, strict=True):
        assert one.mean_loglik == pytest.approx(other.mean_loglik, abs=1e-9)
    assert weighted.weight == weights.sum() == copies.rows
    assert weighted.rows == np.count_nonzero(weights)


@pytest.mark.parametrize("covariance", ["diag", "full", "spherical", "tied"])
def test_every_covariance_type(faithful: np.ndarray, covariance: str) -> None:
    frame = pd.DataFrame(faithful, columns=["eruptions", "waiting"])
    found = compare_solvers(
        frame, 2, covariance_type=covariance, n_starts=1, random_state=0, init_params="kmeans"
    )
    assert all(run.converged and run.gap < 1e-8 for run in found.runs)
    assert found.covariance_type == covariance


def test_a_limit_of_steps_is_told(faithful: np.ndarray) -> None:
    found = compare_solvers(faithful, 3, solvers=["em", "auto"], max_iter=5, random_state=0)
    assert all(run.iterations == 5 and not run.converged for run in found.runs)
    table = found.table()
    assert "not converged" in table
    assert "em     stopped: max_iter=5 steps were taken" in table
    figure = found.figure()
    assert "Open dots: not converged." in " ".join(figure.get_supxlabel().split())
    assert all(dot.get_mfc() == "white" for ax in figure.axes for dot in dots(ax))


def test_a_solver_for_something_else_is_not_called_unfinished(faithful: np.ndarray) -> None:
    def elsewhere(problem: Problem) -> Climb:
        return replace(em(problem), stationary=False, ran="elsewhere")

    found = compare_solvers(faithful, 2, solvers=["em", elsewhere], n_starts=1, random_state=0)
    assert [run.verdict for run in found.runs] == ["interior maximum", "not a maximum"]
    table = found.table()
    assert "not a maximum" in table
    assert "not converged" not in table
    assert "elsewhere   ends by its own rule" in table


def test_the_record_is_frozen_and_plain(compared: Comparison) -> None:
    with pytest.raises(FrozenInstanceError):
        compared.runs[0].passes = 1  # type: ignore[misc]
    found = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert set(found) == {f.name for f in fields(Comparison)}
    assert found["runs"][0]["certificate"]["verdict"] == "interior maximum"
    assert found["runs"][0]["trail"][-1] == list(compared.runs[0].trail[-1])
    assert found["rows"] == 272
    assert (found["n_features"], found["n_components"]) == (2, 3)
    assert "Mark(" not in repr(compared)


def test_a_listener_hears_of_every_climb(faithful: np.ndarray) -> None:
    heard: list[tuple[int, str]] = []
    steps: list[int] = []

    class Ear:
        def began(self, start: int, solver: str) -> None:
            heard.append((start, solver))

        def stepped(self, iterations: int, gain: float) -> None:
            steps.append(iterations)

    found = compare_solvers(
        faithful, 2, solvers=["em", "lbfgs"], n_starts=2, random_state=0, listener=Ear()
    )
    assert heard == [(run.start, run.solver) for run in found.runs]
    assert len(steps) == sum(run.iterations for run in found.runs)


GOOD = np.random.default_rng(0).normal(size=(40, 2))
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "an unknown solver": (
        GOOD,
        {"solvers": ["em", "simplex"]},
        "one of .*, got 'simplex'",
    ),
    "one solver twice": (GOOD, {"solvers": ["em", "lbfgs", "em"]}, "'em' is there twice"),
    "a bare name": (GOOD, {"solvers": "em"}, "must be a sequence of names or solvers, got 'em'"),
    "no solver": (GOOD, {"solvers": []}, "must be a sequence"),
    "no solver at all": (GOOD, {"solvers": [3]}, "solvers must be a name or a callable, got 3"),
    "n < K": (GOOD[:3], {"n_components": 4}, "has only 3 rows: use at most 3 components"),
    "K > distinct": (np.repeat(GOOD[:2], 9, axis=0), {"n_components": 3}, "only 2 distinct rows"),
    "text": (pd.DataFrame({"a": [1.0, 2, 3], "b": list("xyz")}), {}, "could not convert|'x'"),
    "NaN": (np.where(GOOD > 1, np.nan, GOOD), {}, r"row 23 .*has no value in any column"),
    "one row": (GOOD[:1], {"n_components": 1}, "minimum of 2"),
    "a vector": (GOOD[:, 0], {}, "2D array"),
    "scales": (GOOD * 1e300, {}, "x1 has values of size 1e"),
    "integers": ((2**60 + np.arange(20)).reshape(10, 2), {}, r"beyond 2\*\*53"),
    "negative weights": (GOOD, {"sample_weight": -np.ones(40)}, "[Nn]egative"),
    "no weight": (GOOD, {"sample_weight": np.zeros(40)}, "zero"),
    "n_components": (GOOD, {"n_components": 0}, "'n_components' parameter of compare_solvers"),
    "n_starts": (GOOD, {"n_starts": 0}, "'n_starts' parameter of compare_solvers"),
    "init_params": (GOOD, {"init_params": "auto"}, "'init_params' parameter"),
    "covariance_type": (GOOD, {"covariance_type": "round"}, "'covariance_type' parameter"),
    "tol": (GOOD, {"tol": -1e-9}, "'tol' parameter"),
    "max_iter": (GOOD, {"max_iter": 0}, "'max_iter' parameter"),
    "engine": (GOOD, {"engine": "steam"}, "'engine' parameter"),
    "random_state": (GOOD, {"random_state": "dice"}, "'random_state' parameter"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    X, settings, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        compare_solvers(X, **{"n_components": 2, **settings})


def mixture(weights: Iterable[float], means: Any, covariances: Any) -> MixtureParams:
    full = structure("full").form
    parts = gaussian_params(np.array(means, float), np.array(covariances, float), full)
    return MixtureParams(np.array(weights), parts)


BASE = ([0.5, 0.3, 0.2], [[0, 0], [9, 0], [0, 9]], [np.diag([4, 1]), np.eye(2), 2 * np.eye(2)])


def test_numbers_of_components_mean_nothing() -> None:
    weights, means, covariances = BASE
    order = [2, 0, 1]
    shuffled = mixture(
        np.array(weights)[order], np.array(means)[order], np.array(covariances)[order]
    )
    assert difference(shuffled, mixture(*BASE), family("full")) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        (1, [[1, 0], [9, 0], [0, 9]], 0.5),  # half a standard deviation of the first
        (2, [np.diag([4, 1]), np.diag([1, 1.3]), 2 * np.eye(2)], 0.3),
        (0, [0.45, 0.35, 0.2], 0.05),
    ],
    ids=["mean", "variance", "weight"],
)
def test_the_largest_difference_has_no_units(part: int, value: Any, expected: float) -> None:
    moved = [*BASE]
    moved[part] = value
    kind = family("full")
    assert difference(mixture(*moved), mixture(*BASE), kind) == pytest.approx(expected)
    A = np.array([[3.0, 1.0], [-200.0, 70.0]])

    def mapped(parts: Any) -> MixtureParams:
        weights, means, covariances = parts
        return mixture(weights, np.array(means) @ A.T, [A @ c @ A.T for c in covariances])

    assert difference(mapped(moved), mapped(BASE), kind) == pytest.approx(expected)


def dots(ax: Any) -> list[Any]:
    return [line for line in ax.lines if line.get_marker() == "o"]


def curves(ax: Any) -> list[Any]:
    return [line for line in ax.lines if line.get_marker() != "o" and len(line.get_xdata()) > 2]


def test_the_figure(compared: Comparison) -> None:
    figure = compared.figure()
    assert [ax.get_title("left") for ax in figure.axes] == ["start 1", "start 2"]
    assert " ".join(figure.get_suptitle().split()) == compared.headline
    for start, ax in enumerate(figure.axes, 1):
        assert ax.get_yscale() == ax.get_xscale() == "log"
        assert len(curves(ax)) == len(dots(ax)) == len(CLIMBERS)
        for name, line, dot in zip(CLIMBERS, curves(ax), dots(ax), strict=True):
            run = of(compared, name, start)
            assert dot.get_xdata()[0] == run.passes
            assert (line.get_xdata()[0], line.get_ydata()[0]) == (1, run.trail[0].gap)
            assert min(line.get_ydata()) == pytest.approx(max(1e-10, run.trail[-1].gap))
            assert line.get_color() == dot.get_mfc()
            assert (line.get_color() == INK) == (name == "auto")
        low, high = ax.get_ylim()
        assert low < 1e-10 < max(run.trail[0].gap for run in compared.runs) < high
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label.split()[-1] for label in labels] == list(CLIMBERS)
    # The larger of two is the median on the safe side.
    em_passes = max(of(compared, "em", start).passes_to_top for start in (1, 2))
    assert str(em_passes) in labels[0]


def test_short_climbs_have_a_plain_axis_of_passes(faithful: np.ndarray) -> None:
    found = compare_solvers(faithful, 2, solvers=["em", "lbfgs"], n_starts=1, random_state=0)
    (ax,) = found.figure().axes
    assert ax.get_xscale() == "linear"
    assert ax.get_title("left") == ""
    assert "the same start" in found.headline


def test_many_starts_are_drawn_up_to_nine(faithful: np.ndarray) -> None:
    found = compare_solvers(faithful, 2, solvers=["em"], n_starts=11, random_state=0)
    figure = found.figure()
    assert len(figure.axes) == 9
    assert "9 of 11 starts drawn" in " ".join(figure.get_supxlabel().split())


def test_the_table_fits_the_page(compared: Comparison) -> None:
    table = compared.table()
    assert table.startswith("6 solvers from 2 starts: 3 groups in 272 rows of 2 columns\n")
    assert max(map(len, table.splitlines())) <= 100
    rows = [line for line in table.splitlines() if "interior maximum" in line]
    assert len(rows) == 12
    assert all("-4.114757" in row for row in rows)
    assert "auto   climbed by em" in table or "auto   start" in table
    assert max(map(len, compared.table(60).splitlines())) <= 60


COMMAND = re.compile(r"^mixtura compare (.+--starts 1 .+)$", re.M)


def shown(text: str) -> list[list[str]]:
    """The rows of a printed table, word by word."""
    lines = [line.split() for line in text.splitlines()]
    rows = [line[1:] if line and line[0] == "1" else line for line in lines]
    return [row for row in rows if row and row[0] in CLIMBERS and "maximum" in row]


def test_the_page_shows_what_its_commands_print() -> None:
    page = (ROOT / "docs" / "em-or-gradient.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S)
    commands = [line.split() for line in COMMAND.findall(page)]
    assert len(blocks) == len(commands) == 3
    for words, block in zip(commands, blocks, strict=True):
        X = np.loadtxt(ROOT / words[0], delimiter=",", skiprows=1)
        K = int(words[words.index("--components") + 1])
        if "--figure" in words:
            drawn = ROOT / words[words.index("--figure") + 1]
            assert 0 < drawn.stat().st_size < 150_000
            assert drawn.relative_to(ROOT / "docs").as_posix() in page
        found = compare_solvers(
            X, K, solvers=["em", "squarem", "lbfgs"], n_starts=1, random_state=0
        )
        told = {row[0]: row for row in shown(block)}
        assert set(told) == set(CLIMBERS)
        for run in found.runs:
            row = told[run.solver]
            assert float(row[4]) == pytest.approx(run.mean_loglik, abs=2e-6)
            # Rounding, which is the machine's, sets the length of a climb a little.
            for place, passes in ((1, run.passes), (2, run.passes_to_top)):
                assert int(row[place].replace(",", "")) == pytest.approx(passes, rel=0.5)


def test_plain_numbers_of_a_run() -> None:
    run = asdict(Run(1, "em"))
    assert run["loglik"] is None
    assert json.dumps(run)


def test_two_settings_of_one_solver_are_told_apart() -> None:
    found = compare_solvers(
        GOOD, 2, solvers=[Online(batch=10), Online(batch=20)], n_starts=1, random_state=0
    )
    assert [run.solver for run in found.runs] == ["online", "online 2"]


@pytest.mark.parametrize("kind", ["poisson", "bernoulli"])
def test_other_families_are_climbed_by_every_solver(kind: str) -> None:
    rng = np.random.default_rng(0)
    rates = np.array([[0.1, 0.9, 0.2], [0.8, 0.2, 0.9]])[rng.integers(2, size=300)]
    X = rng.poisson(9 * rates) if kind == "poisson" else rng.random(rates.shape) < rates
    found = compare_solvers(X.astype(float), 2, family=kind, n_starts=1, random_state=0)
    assert found.family == kind
    assert [run.solver for run in found.runs] == list(CLIMBERS)
    assert all(run.converged and run.difference < 1e-3 for run in found.runs)


def test_a_family_has_no_covariance_type() -> None:
    with pytest.raises(ValueError, match="shapes covariances, and family='poisson' has none"):
        compare_solvers(np.ones((9, 1)), 2, family="poisson", covariance_type="EII")
