"""The ONNX graph, run by onnxruntime, against our own answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import BayesianGaussianMixture, GaussianMixture

onnxruntime = pytest.importorskip("onnxruntime")
KINDS = ("full", "tied", "diag", "spherical", "VEV", "EEI", "EII", "UUU:1", "posterior")


def table() -> np.ndarray:
    """Three columns in units of their own, one with a large offset; the last two rows far out."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (60, 3)), rng.normal(5, 2, (40, 3)), np.full((2, 3), 60.0)])
    return X * [1, 1e3, 1e-3] + [0, 1e6, 10]


def fitted(kind: str) -> Any:
    if kind == "posterior":
        return BayesianGaussianMixture(n_components=4, random_state=0).fit(table()[:-2])
    return GaussianMixture(2, covariance_type=kind, random_state=0).fit(table()[:-2])


def run(model: Any, X: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert [out.name for out in session.get_outputs()] == ["label", "probabilities", "log_density"]
    return session.run(None, {"X": X})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_we_do(kind: str, dtype: Any) -> None:
    ours, X = fitted(kind), table().astype(dtype)
    label, shares, log_density = run(ours.to_onnx(dtype=dtype), X)
    # What the numbers that were given say, in full.
    X = X.astype(np.float64)
    tol = 1e-12 if dtype == "float64" else 1e-5
    assert shares.dtype == log_density.dtype == np.dtype(dtype)
    np.testing.assert_allclose(log_density, ours.score_samples(X), rtol=tol)
    np.testing.assert_allclose(shares, ours.predict_proba(X), atol=tol)
    assert np.array_equal(label, ours.predict(X))


def test_a_row_beyond_float32_has_no_density_and_no_number_is_made_up() -> None:
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [1.0]], np.ones((2, 1, 1)))
    found = run(model.to_onnx(dtype="float32"), np.array([[1e30]], np.float32))
    assert found[2] == -np.inf
    assert np.isnan(found[1]).all()
    assert found[0] == -1


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_of_a_row_with_a_gap_the_label_is_nobody(kind: str) -> None:
    X = table()
    X[[3, 80], 1] = np.nan
    label, shares, log_density = run(fitted(kind).to_onnx(), X)
    gaps = np.isnan(X).any(axis=1)
    assert (label[gaps] == -1).all()
    assert np.isnan(log_density[gaps]).all()
    assert np.isnan(shares[gaps]).all()
    assert np.array_equal(label[~gaps], fitted(kind).predict(X[~gaps]))


def test_a_file_holds_the_model_and_the_names_of_columns(tmp_path: Path) -> None:
    import onnx

    model = GaussianMixture.from_parameters(
        [1.0], [[0.0, 1.0]], [np.eye(2)], feature_names=["a,b", "c"]
    )
    told = model.to_onnx(tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == told
    assert told.metadata_props[0].value == '["a,b", "c"]'


@pytest.mark.parametrize("unit", [1e-45, 1e45])
def test_scales_beyond_float32_are_refused(unit: float) -> None:
    model = GaussianMixture.from_parameters([1.0], [[unit]], [[[unit**2]]])
    with pytest.raises(ValueError, match=r"dtype='float32' does not hold .* dtype='float64'"):
        model.to_onnx(dtype="float32")
    model.to_onnx()


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="dtype must be 'float64' or 'float32', got 'half'"):
        model.to_onnx(dtype="half")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"to_onnx needs the package onnx: pip install 'mixtura"):
        model.to_onnx()
