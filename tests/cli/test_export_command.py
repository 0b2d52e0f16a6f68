"""mixtura export: what is written answers as the model does."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from commands import run

from mixtura import GaussianMixture, Mixture


@pytest.fixture
def fitted(tmp_path: Path, faithful: np.ndarray) -> tuple[Path, GaussianMixture]:
    mixture = GaussianMixture(2, random_state=0).fit(faithful)
    mixture.save(tmp_path / "model.json")
    return tmp_path / "model.json", mixture


def test_an_estimator_of_scikit_learn(
    fitted: tuple[Path, GaussianMixture], faithful: np.ndarray
) -> None:
    model, mixture = fitted
    out = model.with_name("theirs.joblib")
    found = run("export", model, "--out", out)
    assert found.exit_code == 0, found.output
    np.testing.assert_allclose(
        joblib.load(out).score_samples(faithful), mixture.score_samples(faithful), rtol=1e-12
    )


@pytest.mark.parametrize("option", [[], ["--float32"]])
def test_a_graph(
    fitted: tuple[Path, GaussianMixture], faithful: np.ndarray, option: list[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model, mixture = fitted
    out = model.with_name("model.onnx")
    assert run("export", model, "-o", out, *option).exit_code == 0
    X = faithful.astype(np.float32 if option else np.float64)
    label, _, log_density = onnxruntime.InferenceSession(out).run(None, {"X": X})
    np.testing.assert_allclose(log_density, mixture.score_samples(faithful), rtol=1e-4)
    assert np.array_equal(label, mixture.predict(faithful))


def test_what_cannot_be_exported_is_refused_in_a_line(
    fitted: tuple[Path, GaussianMixture], tmp_path: Path
) -> None:
    model, _ = fitted
    counts = Mixture("poisson", 2, random_state=0).fit(np.arange(30).reshape(-1, 1))
    counts.save(tmp_path / "counts.json")
    for arguments, message in (
        ([model, "--out", "model.pkl"], "end it in .onnx or .joblib"),
        ([model, "--out", tmp_path / "a.joblib", "--float32"], "--float32 is for"),
        ([tmp_path / "counts.json", "--out", tmp_path / "a.onnx"], "only Gaussian mixtures"),
    ):
        found = run("export", *arguments)
        assert found.exit_code == 2
        assert message in " ".join(found.output.split())
