"""A solver's settings outlive a file: every solver, every setting."""

from __future__ import annotations

import re
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

import mixtura
from mixtura import GaussianMixture
from mixtura.solvers.registry import SOLVERS

X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [5.0]], 30, axis=0)
# For every setting of every solver a value that is not its default.
CHANGED: dict[str, dict[str, Any]] = {
    "stochastic": {"steps": 7, "seed": 3},
    "annealed": {"first": 0.25, "factor": 1.7, "steps": 3, "push": 0.02, "seed": 5},
    "online": {
        "epochs": 2, "batch": 20, "delay": 4.5, "power": 0.75, "averaged": False, "seed": 2**32 - 1,
    },
    "nce": {"ratio": 2.5, "seed": 4, "noise": multivariate_normal([2.0, 2.0], 9.0)},
    "truncated": {"keep": 2, "search": 9},
}  # fmt: skip


def kept(mixture: GaussianMixture, folder: Path) -> Any:
    mixture.save(folder / "m.json")
    return mixtura.load(folder / "m.json").solver


def with_solver(solver: Any) -> GaussianMixture:
    return GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)], solver=solver)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_by_name_and_as_it_is(name: str, tmp_path: Path) -> None:
    assert kept(with_solver(name), tmp_path) == name
    assert kept(with_solver(SOLVERS[name].solver), tmp_path) == name


def test_no_setting_is_missing_here() -> None:
    for name, entry in SOLVERS.items():
        found = {field.name for field in fields(entry.solver)} if is_dataclass(entry.solver) else {}
        assert set(CHANGED.get(name, {})) == set(found), name


@pytest.mark.parametrize("name", CHANGED)
def test_every_setting_of_every_solver(name: str, tmp_path: Path) -> None:
    kind: Any = type(SOLVERS[name].solver)
    for setting, value in CHANGED[name].items():
        if setting == "noise":
            continue
        given = kind(**{setting: value})
        assert kept(with_solver(given), tmp_path) == given != kind()


def test_the_noise_that_rows_are_told_from(tmp_path: Path) -> None:
    noise = CHANGED["nce"]["noise"]
    found = kept(with_solver(mixtura.NoiseContrastive(noise, ratio=2.0)), tmp_path)
    assert found.ratio == 2.0
    np.testing.assert_array_equal(found.noise.logpdf(X), noise.logpdf(X))
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = kept(with_solver(mixtura.NoiseContrastive(mixture)), tmp_path)
    np.testing.assert_array_equal(found.noise.score_samples(X), mixture.score_samples(X))


@pytest.mark.parametrize("singular", [False, True])
def test_noise_may_be_singular(singular: bool, tmp_path: Path) -> None:
    cov = np.ones((2, 2)) if singular else np.eye(2)
    noise = multivariate_normal([1.0, 2.0], cov, allow_singular=singular)
    found = kept(with_solver(mixtura.NoiseContrastive(noise)), tmp_path).noise
    assert found.allow_singular is singular
    line = np.array([[1.0, 2.0], [3.0, 4.0], [3.0, 5.0]])
    np.testing.assert_array_equal(found.logpdf(line), noise.logpdf(line))


def test_noise_of_earlier_files_is_read(tmp_path: Path) -> None:
    noise = CHANGED["nce"]["noise"]
    with_solver(mixtura.NoiseContrastive(noise)).save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text()
    earlier = re.sub(r',\s*"singular": false', "", text)
    assert earlier != text
    (tmp_path / "m.json").write_text(earlier)
    found = mixtura.load(tmp_path / "m.json").solver.noise
    np.testing.assert_array_equal(found.logpdf(X), noise.logpdf(X))


def test_the_same_settings_make_the_same_fit(tmp_path: Path) -> None:
    settings = mixtura.Online(epochs=2, batch=20, power=0.75)
    first = GaussianMixture(2, random_state=0, solver=settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first.fit(X)
        first.save(tmp_path / "m.json")
        again = mixtura.load(tmp_path / "m.json").fit(X)
    np.testing.assert_array_equal(again.means_, first.means_)


def test_what_a_file_cannot_hold_is_said(tmp_path: Path) -> None:
    def em(problem: Any) -> Any:
        return SOLVERS["em"].solver(problem)

    with pytest.warns(UserWarning, match="the solver em of your own cannot be kept .* 'auto'"):
        assert kept(with_solver(em), tmp_path) == "auto"
    with pytest.warns(UserWarning, match="the noise of the solver, .* cannot be kept"):
        found = kept(with_solver(mixtura.NoiseContrastive(multivariate_t([0.0, 0.0]))), tmp_path)
    assert found == mixtura.NoiseContrastive()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"truncated"', '"truncat"'),
        lambda text: text.replace('"keep": 2', '"keep": 0'),
        lambda text: text.replace('"keep": 2', '"kept": 2'),
    ],
)
def test_a_damaged_solver_is_refused(change: Any, tmp_path: Path) -> None:
    with_solver(mixtura.Truncated(keep=2)).save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text()
    assert change(text) != text
    (tmp_path / "m.json").write_text(change(text))
    with pytest.raises(mixtura.StoreError, match=r"m\.json: the model file is damaged: its solver"):
        mixtura.load(tmp_path / "m.json")
