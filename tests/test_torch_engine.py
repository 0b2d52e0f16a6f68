"""engine="torch": the sums and answers of the other engines; tensors in, tensors out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture, Mixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.engines.gaussian import device

KINDS = ("full", "tied", "diag", "spherical", "VEV", "EEI")


@pytest.fixture
def torch() -> Any:
    """PyTorch in one thread: its threads and those of BLAS wait for each other."""
    found = pytest.importorskip("torch", reason="PyTorch is not installed")
    found.set_num_threads(1)
    return found


def table(n: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(0, 1, (n, 3)), rng.normal(9, 2, (n // 2, 3))])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_is_the_plain_sum_in_blocks_of_any_size(
    torch: Any, kind: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_BLOCK_NUMBERS", {"cpu": 600, "cuda": 600})
    X = table()
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float) if weighted else None
    rows = Rows(X, weights)
    model, params = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)._fitted()
    one, other = (open_sweep(engine, model, rows)(params) for engine in ("local", "torch"))
    assert other.loglik == pytest.approx(one.loglik, rel=1e-12)
    assert other.weight == one.weight
    for name, value in vars(one.statistics).items():
        np.testing.assert_allclose(
            getattr(other.statistics, name), value, rtol=1e-10, atol=1e-10 * len(X), err_msg=name
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_to_a_tensor_ends_where_others_do_and_answers_in_tensors(
    torch: Any, kind: str
) -> None:
    X = table()
    here = GaussianMixture(2, covariance_type=kind, engine="threads", random_state=0).fit(X)
    there = GaussianMixture(2, covariance_type=kind, engine="torch", random_state=0)
    rows = torch.tensor(X, requires_grad=True)
    labels = there.fit_predict(rows)
    assert there.fit_result_.engine == "torch"
    np.testing.assert_allclose(there.means_, here.means_, rtol=1e-10)
    np.testing.assert_allclose(there.covariances_, here.covariances_, rtol=1e-9, atol=1e-12)
    answers = {name: getattr(there, name) for name in ("predict", "predict_proba", "score_samples")}
    for name, answer in answers.items():
        found = answer(rows)
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), getattr(here, name)(X), rtol=1e-10, atol=1e-10)
    assert torch.equal(labels, there.predict(rows))
    assert there.score(rows) == pytest.approx(here.score(X), rel=1e-12)


def test_float32_and_short_tensors_and_weights_in_tensors(torch: Any) -> None:
    X, ones = table().astype(np.float32), np.ones(450)
    there = GaussianMixture(2, engine="torch", random_state=0)
    there.fit(torch.tensor(X), sample_weight=torch.tensor(ones))
    here = GaussianMixture(2, random_state=0).fit(X.astype(np.float64))
    assert there.means_.dtype == np.float32
    assert there.score(torch.tensor(X)) == pytest.approx(here.score(X), rel=1e-6)
    found = there.score_samples(torch.tensor(X))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), here.score_samples(X.astype(np.float64)), rtol=1e-4)
    half = torch.tensor(X).bfloat16()
    assert torch.equal(there.predict(half), there.predict(half.float()))


def test_a_component_of_no_weight_has_a_density(torch: Any) -> None:
    given = [1.0, 0.0], [[0.0], [3.0]], np.ones((2, 1, 1))
    here, there = (
        GaussianMixture.from_parameters(*given, engine=engine) for engine in ("local", "torch")
    )
    X = np.array([[0.5], [2.0]])
    for name in ("component_log_density", "score_samples", "predict_proba"):
        found, expected = getattr(there, name)(X), getattr(here, name)(X)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rows_without_density_are_as_elsewhere(torch: Any) -> None:
    X = np.vstack([table()[:5], np.full((1, 3), 1e200)])
    ours = GaussianMixture(2, random_state=0).fit(table())
    there = GaussianMixture.from_parameters(
        ours.weights_, ours.means_, ours.covariances_, engine="torch"
    )
    np.testing.assert_allclose(there.score_samples(X), ours.score_samples(X), rtol=1e-12)
    with pytest.raises(ValueError, match=r"row 5 .* lies so far"):
        there.predict(X)
    model, params = ours._fitted()
    assert open_sweep("torch", model, Rows(X))(params).loglik == -np.inf


def test_what_it_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="engine='torch' has no kernel for 'poisson'"):
        Mixture("poisson", 2, engine="torch").fit(np.arange(20).reshape(-1, 1))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="engine='torch' needs the package torch"):
        GaussianMixture(2, engine="torch").fit(table())


# SciPy reads its setting once, when it is imported.
DISPATCHED = """
import numpy as np, sklearn, torch
from sklearn.mixture import GaussianMixture as Theirs
from mixtura import GaussianHMM, GaussianMixture, Mixture, MixtureRegression, goodness_of_fit

torch.set_num_threads(1)
rng = np.random.default_rng(0)
X = torch.tensor(np.vstack([rng.normal(0, 1, (60, 2)), rng.normal(5, 1, (40, 2))]))
ours = GaussianMixture(2, random_state=0, tol=1e-12).fit(X)
begun = {name + "_init": torch.tensor(getattr(ours, name + "_"))
         for name in ("weights", "means", "precisions")}
with sklearn.config_context(array_api_dispatch=True):
    theirs = Theirs(2, init_params="random", reg_covar=0, tol=1e-12, max_iter=1000, **begun)
    theirs.fit(X)
    again = GaussianMixture(2, random_state=0, tol=1e-12)
    assert torch.equal(again.fit_predict(X), ours.predict(X))
    assert np.array_equal(again.means_, ours.means_)
    weighted = GaussianMixture(2, random_state=0).fit(X, sample_weight=torch.ones(100))
    for what in ("predict", "predict_proba", "score_samples"):
        told, expected = getattr(again, what)(X), getattr(theirs, what)(X)
        assert type(told) is type(expected) is torch.Tensor, what
        assert (told.dtype, told.device) == (expected.dtype, expected.device), what
        assert torch.allclose(told, expected, rtol=1e-6, atol=1e-6), what
    assert abs(again.score(X) - float(theirs.score(X))) < 1e-9
    assert again.partial_fit(X).score_samples(X.float()).dtype == torch.float32
    Mixture("normal", 2, random_state=0).fit(X)
    GaussianHMM(2, random_state=0).fit(X).predict(X)
    MixtureRegression(2, random_state=0).fit(X[:, :1], X[:, 1]).predict(X[:, :1])
    assert goodness_of_fit(ours, X, draws=1).own_rows
"""


def test_the_dispatch_of_scikit_learn_answers_in_tensors_as_its_own_does(torch: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DISPATCHED],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
