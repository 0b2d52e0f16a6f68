"""The table of fused kernels: a row is all that an engine asks; without one threads run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from contract.cases import gaussian_case

from mixtura.data.rows import Rows
from mixtura.engines import local
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill, open_sweep, resolve
from mixtura.engines.gaussian.compiled import CompiledSweep
from mixtura.engines.kernels import KERNELS, Kernel
from mixtura.engines.sampling import draw
from mixtura.engines.threads import ThreadsSweep
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams

MODEL = Mixture(Poisson(), Flat())
PARAMS = MixtureParams(np.array([0.4, 0.6]), PoissonParams(np.array([[1.0], [9.0]])))


class Fused(ThreadsSweep):
    """Stands for a kernel: it is told from the plain sweep by its name alone."""

    engine = "compiled"


@dataclass(frozen=True)
class Numbered:
    """Draws in which a row is the number of its chunk."""

    model: Any
    params: Any
    key: Any
    columns = 1

    def fill(self, chunk: int, X: Any, labels: Any) -> None:
        X[:], labels[:] = chunk, chunk % 2


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel({"compiled": Fused}, local.fill, Numbered)
    monkeypatch.setitem(KERNELS, (Mixture, Poisson), kernel)


@pytest.mark.usefixtures("row")
def test_one_row_brings_a_family_its_sweep_answers_and_draws() -> None:
    X = np.random.default_rng(0).poisson(4.0, size=(100, 1)).astype(float)
    assert resolve("auto", MODEL) == "compiled"
    sweep = open_sweep("compiled", MODEL, Rows(X))
    assert type(sweep) is Fused
    assert sweep(PARAMS).loglik == pytest.approx(open_sweep("local", MODEL, Rows(X))(PARAMS).loglik)
    labels = np.empty(100, np.int64)
    fill("compiled", MODEL, X, PARAMS, RowOutputs(labels=labels))
    np.testing.assert_array_equal(labels, MODEL.log_joint(X, PARAMS).argmax(axis=1))
    rows, _ = draw(MODEL, 40_000, PARAMS, np.random.RandomState(0))
    np.testing.assert_array_equal(np.unique(rows), [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"'dense' has no kernel for 'poisson'.*'compiled'"):
        resolve("dense", MODEL)


def test_without_a_row_threads_run_and_the_model_draws() -> None:
    assert resolve("auto", MODEL) == "threads"
    rows, labels = draw(MODEL, 40_000, PARAMS, np.random.RandomState(0))
    assert rows.shape == (40_000, 1)
    # Six standard errors of a share.
    assert abs(labels.mean() - 0.6) < 6 * np.sqrt(0.24 / 40_000)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (MODEL, "'poisson'"),
        (Mixture(FactorAnalysers(FactorAnalytic(2)), Flat()), "'UUU:2'"),
    ],
)
@pytest.mark.parametrize("engine", ["compiled", "dense", "mixed"])
def test_a_refusal_calls_the_family_by_its_name(model: Mixture, named: str, engine: str) -> None:
    with pytest.raises(ValueError, match=f"engine='{engine}' has no kernel for {named}: use"):
        resolve(engine, model)


@dataclass(frozen=True)
class Rounded(Mixture):
    """A mixture whose M-step is not the kernel's."""

    def m_step(self, summary: Any, params: Any) -> MixtureParams:
        after = super().m_step(summary, params)
        return MixtureParams(np.full(3, 1 / 3), after.components)


def test_a_models_own_m_step_is_not_passed_over() -> None:
    case = gaussian_case("full")
    assert isinstance(case.model.family, Gaussian)
    own = Rounded(case.model.family, case.model.prior)
    assert resolve("auto", own) == "threads"
    with pytest.raises(ValueError, match="no kernel for Rounded"):
        resolve("compiled", own)
    sweep = CompiledSweep(case.model, Rows(case.X))
    after, _, _ = sweep.advance(own, case.params, sweep(case.params), 4)
    np.testing.assert_array_equal(after.weights, np.full(3, 1 / 3))
