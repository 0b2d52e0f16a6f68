"""The module of PyTorch: our density, our gradient, and the maximum that EM finds."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from mixtura import BayesianGaussianMixture, GaussianMixture
from mixtura.records import Chunk

FOUR = ("full", "tied", "diag", "spherical")


@pytest.fixture
def torch() -> Any:
    """PyTorch in one thread: its threads and those of BLAS wait for each other."""
    found = pytest.importorskip("torch", reason="PyTorch is not installed")
    found.set_num_threads(1)
    return found


def fitted(kind: str, **settings: Any) -> tuple[GaussianMixture, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (60, 3)), rng.normal(5, 2, (40, 3))])
    return GaussianMixture(2, covariance_type=kind, random_state=0, **settings).fit(X), X


@pytest.mark.parametrize("kind", [*FOUR, "VEV", "UUU:1"])
def test_it_is_the_same_density(torch: Any, kind: str) -> None:
    ours, X = fitted(kind)
    module, rows = ours.to_torch(), torch.tensor(X)
    np.testing.assert_allclose(module(rows).detach(), ours.score_samples(X), rtol=1e-11)
    shares = torch.softmax(module.log_joint(rows), dim=1)
    np.testing.assert_allclose(shares.detach(), ours.predict_proba(X), atol=1e-11)
    np.testing.assert_allclose(module.means.detach(), ours.means_, rtol=1e-12)
    single = module.float()(rows.float()).detach()
    np.testing.assert_allclose(single, ours.score_samples(X), rtol=1e-5)


@pytest.mark.parametrize("kind", FOUR)
def test_its_gradient_is_that_of_our_solvers_away_from_the_start(torch: Any, kind: str) -> None:
    ours, X = fitted(kind)
    model, params = ours._fitted()
    chart: Any = model.chart(params)
    parts, rng = chart.components, np.random.default_rng(1)
    free, weights = rng.normal(0, 0.3, parts.size), np.array([0.3, 0.7])
    there = type(params)(weights, parts.params(free))
    summary = model.e_step(Chunk(X), there)
    stats: Any = summary.statistics
    scale = np.r_[np.broadcast_to(parts.mean_scale, (2, 3)).ravel(), parts.root_scale.ravel()]
    slope = parts.gradient(stats, there.components, model.prior) * scale

    module, cut = ours.to_torch(), params.components.means.size

    def split(values: np.ndarray) -> dict[str, np.ndarray]:
        """Free numbers as the module names them."""
        roots = values[cut:].reshape(parts.root_scale.shape)
        found = {"shifts": values[:cut].reshape(2, 3), "log_scales": roots}
        if kind in ("full", "tied"):
            rows, columns = np.tril_indices(3)
            found["log_scales"] = roots[:, rows == columns]
            found["below"] = roots[:, rows != columns]
        return found

    with torch.no_grad():
        module.logits.copy_(torch.tensor(np.log(weights)))
        for name, value in split(free / scale).items():
            getattr(module, name).copy_(torch.tensor(value))
    total = module(torch.tensor(X)).sum()
    total.backward()
    assert total.item() == pytest.approx(summary.loglik, rel=1e-12)
    covariances = model.family.form.dense(there.components.covariances, 2, 3)  # type: ignore[attr-defined]
    for value, expected in (
        (module.covariances, covariances),
        (module.means, there.components.means),
    ):
        found = np.broadcast_to(value.detach(), expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    for name, value in split(slope).items():
        np.testing.assert_allclose(getattr(module, name).grad, value, rtol=1e-9, atol=1e-9)
    # n_k - n pi_k, Jordan & Xu (1995).
    np.testing.assert_allclose(module.logits.grad, stats.counts - len(X) * weights, atol=1e-9)


def test_adam_reaches_the_maximum_of_em(torch: Any) -> None:
    best, X = fitted("full", tol=1e-12)
    rows = torch.tensor(X)
    module = GaussianMixture.from_parameters(
        [0.5, 0.5], [[1.0] * 3, [4.0] * 3], [np.cov(X.T)] * 2
    ).to_torch()
    for rate in (0.1, 0.01):
        adam = torch.optim.Adam(module.parameters(), lr=rate)
        for _ in range(150):
            adam.zero_grad()
            (-module(rows).mean()).backward()
            adam.step()
    assert module(rows).mean().item() == pytest.approx(best.score(X), abs=1e-6)
    order = np.argsort(best.means_[:, 0])
    np.testing.assert_allclose(module.means.detach(), best.means_[order], atol=1e-2)


def test_what_is_no_density_to_train_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    X = fitted("full")[1]
    with pytest.raises(ValueError, match="a posterior has no one density"):
        BayesianGaussianMixture(n_components=2, random_state=0).fit(X).to_torch()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="to_torch needs the package torch"):
        fitted("full")[0].to_torch()
