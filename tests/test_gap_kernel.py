"""Rows with missing cells in C: the sums and answers of the plain engine, group by group."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill, open_sweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


def mixture(name: str, d: int, K: int, *, gaps: bool = True) -> tuple[Mixture, MixtureParams]:
    """A model and K overlapping components, correlated where the structure can."""
    rng = np.random.default_rng(d + K)
    kind = Gaussian(structure(name), gaps=gaps)
    A = rng.normal(size=(K, d, d))
    dense, form = A @ np.swapaxes(A, 1, 2) + np.eye(d), kind.form
    covariances = dense.mean(axis=0) if form.shared else dense
    if not form.correlates:
        covariances = np.diagonal(dense, axis1=1, axis2=2).copy()
        covariances = covariances.mean(axis=1) if len(form.shape(K, d)) == 1 else covariances
    parts = gaussian_params(rng.normal(size=(K, d)), covariances, form)
    return Mixture(kind, no_prior(form, d)), MixtureParams(rng.dirichlet(np.ones(K)), parts)


def holed(n: int, d: int, seed: int = 0) -> Array:
    """Rows with gaps, a few of them without any cell."""
    rng = np.random.default_rng(seed)
    X = 2 * rng.normal(size=(n, d))
    X[rng.random((n, d)) < rng.choice([0.0, 0.1, 0.9], size=(n, 1))] = np.nan
    return X


SHAPES = [(400, 1, 2), (900, 3, 2), (3000, 8, 3), (300, 20, 4), (500, 5, 1)]


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["plain", "weighted", "single"])
def test_the_kernel_equals_the_plain_engine(
    name: str, shape: tuple[int, int, int], kind: str
) -> None:
    n, d, K = shape
    model, params = mixture(name, d, K)
    X = holed(n, d).astype(np.float32 if kind == "single" else np.float64)
    w = np.random.default_rng(1).integers(0, 3, n).astype(float) if kind == "weighted" else None
    plain, fused = (open_sweep(e, model, Rows(X, w))(params) for e in ("local", "compiled"))
    assert fused.loglik == pytest.approx(plain.loglik, rel=1e-11)
    assert fused.weight == plain.weight
    for field in ("counts", "first", "second"):
        one, other = (getattr(s.statistics, field) for s in (plain, fused))
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-9 * n)
    found = []
    for engine in ("local", "compiled"):
        out = RowOutputs(
            np.empty(n), np.empty((n, K)), np.empty(n, dtype=np.int64), np.empty((n, K))
        )
        fill(engine, model, X, params, out)
        found.append(out)
    for field in vars(out):
        np.testing.assert_allclose(*(getattr(one, field) for one in found), atol=1e-9)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_whole_rows_have_the_sums_of_the_pass_over_whole_rows(name: str) -> None:
    X = np.random.default_rng(2).normal(size=(2000, 4))
    (known, params), (plain, _) = mixture(name, 4, 3), mixture(name, 4, 3, gaps=False)
    one = open_sweep("compiled", known, Rows(X))(params)
    other = open_sweep("dense", plain, Rows(X))(params)
    assert one.loglik == pytest.approx(other.loglik, rel=1e-14)
    np.testing.assert_allclose(one.statistics.second, other.statistics.second, rtol=1e-12)


def test_nearly_singular_components_in_columns_of_any_units() -> None:
    """log-densities of the cells that are there, by SciPy's Cholesky factors in like units."""
    units = np.array([1e-9, 1.0, 1e9, 1e3])
    near = np.full((4, 4), 1 - 1e-6) + 1e-6 * np.eye(4)
    form = Gaussian(structure("full")).form
    rng = np.random.default_rng(3)
    Z = rng.multivariate_normal(np.zeros(4), near, size=50)
    Z[rng.random(Z.shape) < 0.4] = np.nan
    logs = []
    for unit in (np.ones(4), units):
        parts = gaussian_params(np.zeros((1, 4)), [near * np.outer(unit, unit)], form)
        model = Mixture(Gaussian(structure("full"), gaps=True), no_prior(form, 4))
        out = np.empty(50)
        fill("compiled", model, Z * unit, MixtureParams(np.ones(1), parts), RowOutputs(out))
        logs.append(out + np.where(np.isnan(Z), 0.0, np.log(unit)).sum(axis=1))
    np.testing.assert_allclose(logs[1], logs[0], atol=1e-6)


def test_sums_do_not_hang_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    model, params = mixture("full", 8, 3)
    rows = Rows(holed(150_000, 8))
    found = []
    for count in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        found.append(open_sweep("compiled", model, rows)(params))
    assert found[0].loglik == found[1].loglik
    np.testing.assert_array_equal(found[0].statistics.second, found[1].statistics.second)
