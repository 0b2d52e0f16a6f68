"""`mixtura.fit`: users' own models, by every solver that can, from every source."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from mixtura.errors import LikelihoodFell
from mixtura.fitting.fit import fit
from mixtura.fitting.journal_file import CheckpointError
from mixtura.result import Fit
from mixtura.testing import check_model

EXAMPLES = Path(__file__).parents[1] / "examples"
THETA = 0.6268214980709


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture(scope="module")
def linkage() -> dict[str, Any]:
    return example("linkage")


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "auto"])
@pytest.mark.parametrize("engine", ["auto", "local", "threads"])
def test_dempster_laird_and_rubins_first_example(
    linkage: dict[str, Any], solver: str, engine: str
) -> None:
    start = linkage["Linkage"](np.array(0.5))
    found = fit(
        linkage["LinkageModel"](),
        [[125, 18, 20, 34]],
        start=start,
        solver=solver,
        engine=engine,
        tol=1e-13,
    )
    assert found.converged
    assert float(found.params.theta) == pytest.approx(THETA, abs=1e-6)
    assert found.summary.weight == 197
    assert found.n_parameters == 1


def test_what_a_model_lacks_is_said_in_one_sentence(linkage: dict[str, Any]) -> None:
    model, start = linkage["LinkageModel"](), linkage["Linkage"](np.array(0.5))
    with pytest.raises(ValueError, match=r"has no score: write score\(summary, params\)"):
        fit(model, [[125, 18, 20, 34]], start=start, solver="lbfgs")
    with pytest.raises(NotImplementedError, match=r"no responsibilities.*use solver='em'"):
        fit(model, [[125, 18, 20, 34]], start=start, solver="hard")
    with pytest.raises(ValueError, match=r"has no start\(source, rng\)"):
        fit(model, [[125, 18, 20, 34]])
    with pytest.raises(ValueError, match="has no kernel for"):
        fit(model, [[125, 18, 20, 34]], start=start, engine="compiled")
    with pytest.raises(ValueError, match="would climb the same way again and again"):
        fit(model, [[125, 18, 20, 34]], start=start, n_init=3)
    with pytest.raises(TypeError, match=r"model must be a mixtura\.Model, got int"):
        fit(3, [[1.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "answer", "sentence"),
    [
        ("e_step", None, r"e_step of Wrong returned None: it must return mixtura\.Summary"),
        ("m_step", "Linkage", "the M-step of Wrong left what is admissible: 'theta'"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_a_model_of_ones_own_returned_is_named(
    linkage: dict[str, Any], method: str, answer: Any, sentence: str
) -> None:
    given = linkage[answer](np.array(-1.5)) if isinstance(answer, str) else answer
    Wrong = type("Wrong", (linkage["LinkageModel"],), {method: lambda *_: given})
    start, rows = linkage["Linkage"](np.array(0.5)), [[125, 18, 20, 34]]
    with pytest.raises((TypeError, ValueError), match=sentence):
        fit(Wrong(), rows, start=start)
    with pytest.raises((TypeError, AssertionError), match="Wrong'>" if answer else "Summary"):
        check_model(Wrong if answer else Wrong(), rows, start)


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "lbfgs", "newton", "auto"])
def test_censored_lifetimes_reach_the_closed_form(solver: str, tmp_path: Path) -> None:
    module = example("censored")
    rng = np.random.default_rng(0)
    life, end = rng.exponential(2.0, size=300), rng.uniform(0.0, 4.0, size=300)
    X = np.column_stack([np.minimum(life, end), life <= end])
    right = X[:, 1].sum() / X[:, 0].sum()
    path = tmp_path / "lamps.csv"
    np.savetxt(path, X, delimiter=",", header="time,failed", comments="", fmt="%.17g")
    for data in (X, str(path), lambda: iter([X[:100], X[100:]])):
        found = fit(module["Censored"](), data, solver=solver, tol=1e-12)
        assert float(found.params.rate) == pytest.approx(right, rel=1e-5)
        assert found.verdict == "interior maximum"
    weighted = fit(module["Censored"](), X, sample_weight=np.full(300, 2.0), solver=solver)
    assert weighted.summary.weight == 600


def test_many_starts_are_reported() -> None:
    X = np.column_stack([np.arange(1.0, 9.0), np.ones(8)])
    found = fit(example("censored")["Censored"](), X, n_init=3)
    assert [start.outcome for start in found.starts] == ["kept"] * 3
    assert [one.hits for one in found.landscape] == [{"start": 3}]
    # One optimum, met n times: 1 / (n (n - 1)) is below 1 % from eleven on.
    found = fit(example("censored")["Censored"](), X, n_init="auto")
    assert len(found.starts) == 11
    assert found.chance_of_higher == pytest.approx(1 / 110)
    with pytest.raises(
        ValueError, match=r"n_init must be an integer, at least 1, or .auto., got .many."
    ):
        fit(example("censored")["Censored"](), X, n_init="many")


def test_steps_that_fall_are_an_error_and_no_convergence_a_warning(
    linkage: dict[str, Any],
) -> None:
    class Wrong(linkage["LinkageModel"]):  # type: ignore[misc]
        def m_step(self, summary: Any, params: Any) -> Any:
            return linkage["Linkage"](np.asarray(1.0 - super().m_step(summary, params).theta))

    start = linkage["Linkage"](np.array(0.6))
    with pytest.raises(LikelihoodFell):
        fit(Wrong(), [[125, 18, 20, 34]], start=start)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        found = fit(linkage["LinkageModel"](), [[125, 18, 20, 34]], start=start, max_iter=1)
    assert isinstance(found, Fit)
    assert not found.converged


@pytest.mark.parametrize("name", ["linkage", "censored", "poisson_family"])
def test_the_examples_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()
    assert name not in sys.modules


def test_the_page_shows_the_files_that_run() -> None:
    page = (EXAMPLES.parent / "docs" / "your-own-model.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- examples/(\w+)\.py -->\n```python\n(.*?)```\n", page, re.DOTALL)
    assert [name for name, _ in shown] == ["linkage", "censored", "poisson_family"]
    for name, text in shown:
        assert text == (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("solver", ["em", "squarem", "lbfgs"])
def test_a_stopped_fit_goes_on(
    solver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = example("censored")["Censored"]()
    rng = np.random.default_rng(0)
    life, end = rng.exponential(2.0, size=300), rng.uniform(0.0, 4.0, size=300)
    X = np.column_stack([np.minimum(life, end), life <= end])
    path, settings = tmp_path / "run.checkpoint", {"solver": solver, "tol": 1e-12}
    whole = fit(model, X, random_state=0, **settings)
    plain, passes = type(model).e_step, 0

    def stopping(self: Any, chunk: Any, params: Any) -> Any:
        nonlocal passes
        passes += len(chunk.X) > 0
        if passes == 4:
            raise KeyboardInterrupt
        return plain(self, chunk, params)

    with monkeypatch.context() as patched:
        patched.setattr(type(model), "e_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            fit(model, X, random_state=0, checkpoint=path, **settings)
    assert path.exists()
    with pytest.raises(CheckpointError, match="max_iter"):
        fit(model, X, random_state=0, checkpoint=path, max_iter=7, **settings)
    again = fit(model, X, random_state=0, checkpoint=path, **settings)
    assert not path.exists()
    assert float(again.params.rate) == float(whole.params.rate)
    assert again.trace == whole.trace
