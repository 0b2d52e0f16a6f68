"""Float32 lanes: how near a pass in float32 is, and fits that use it far from the top only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines import native
from mixtura.engines.choose import open_sweep
from mixtura.engines.gaussian import mixed, passes
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

every_structure = pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
# Relative, of what is promised: log-likelihood, counts, and moments in whitened units.
PROMISED = 1e-5


def overlapping(
    name: str, n: int, d: int, K: int, offset: float = 0.0
) -> tuple[Mixture, Array, MixtureParams]:
    rng = np.random.default_rng(0)
    form = structure(name).form
    centres = offset + 1.5 * rng.normal(size=(K, d))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    mix = 0.3 * rng.normal(size=(K, d, d)) / np.sqrt(d) + np.eye(d)
    full = mix @ mix.transpose(0, 2, 1)
    covariances = {
        "full": full,
        "tied": full.mean(axis=0),
        "diag": np.einsum("kjj->kj", full),
        "spherical": np.einsum("kjj->k", full) / d,
    }[name]
    params = gaussian_params(centres + 0.1, np.ascontiguousarray(covariances), form)
    model = Mixture(Gaussian(structure(name)), no_prior(form, d))
    return model, X, MixtureParams(rng.dirichlet(np.full(K, 3.0)), params)


def both(X: Array, w: Array | None, params: MixtureParams, form: Any) -> list[Any]:
    c = params.components
    given = (X, w, params.log_weights, c.means, c.whiten, c.log_norm, form)
    return [passes.gaussian_pass(*given, single=single) for single in (True, False)]


@every_structure
@pytest.mark.parametrize(("d", "K"), [(1, 3), (2, 5), (7, 40), (16, 6), (17, 3), (40, 12)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_pass_in_float32_is_near(name: str, d: int, K: int, dtype: Any) -> None:
    _, X, params = overlapping(name, 4500, d, K, offset=1000.0)
    w = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(np.float64)
    X[w == 0] = np.nan
    (ll, count, first, second), want = both(X.astype(dtype), w, params, name)
    # Variant v2 is 1.2e-7 off, whose vectors are short.
    assert ll == pytest.approx(want[0], rel=2e-7)
    np.testing.assert_allclose(count, want[1], rtol=PROMISED, atol=1e-6)
    # Sums of deviations may cancel; what they are divided by does not.
    assert np.all(np.abs(first - want[2]) <= PROMISED * (want[1][:, None] + 1e-3))
    scale = np.abs(want[3]).max()
    assert np.all(np.abs(second - want[3]) <= PROMISED * scale)


# Only the kernels are imported where they run: the rest of mixtura would take longer than they do.
ONE_VARIANT = """
import sys
import numpy as np
from mixtura.engines import native
from mixtura.engines.gaussian import passes
given = np.load(sys.argv[1])
for name in sorted({key.split("-")[0] for key in given}):
    X, log_weights, means, whiten, log_norm = (given[f"{name}-{i}"] for i in range(5))
    form = name.rstrip("0123456789")
    got, want = (
        passes.gaussian_pass(X, None, log_weights, means, whiten, log_norm, form, single=single)
        for single in (True, False)
    )
    assert abs(got[0] / want[0] - 1) < 1e-6, (name, got[0], want[0])
    assert abs(got[3] - want[3]).max() < 1e-5 * abs(want[3]).max(), name
print(native.variant())
"""


@pytest.mark.parametrize("level", ["2", "3"])
def test_every_variant_of_this_machine(level: str, tmp_path: Path) -> None:
    arrays = {}
    for name, d in (("full", 5), ("full", 40), ("tied", 40), ("diag", 9)):
        _, X, params = overlapping(name, 700, d, 6)
        c = params.components
        given = (X, params.log_weights, c.means, c.whiten, c.log_norm)
        arrays |= {f"{name}{d}-{i}": array for i, array in enumerate(given)}
    np.savez(tmp_path / "given.npz", **arrays)
    done = subprocess.run(
        [sys.executable, "-c", ONE_VARIANT, str(tmp_path / "given.npz")],
        env=os.environ | {"MIXTURA_NATIVE_LEVEL": level},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() <= f"v{level}" or done.stdout.strip() == "plain"


@every_structure
def test_far_from_the_top_passes_are_in_float32_and_near_it_in_float64(name: str) -> None:
    model, X, params = overlapping(name, 20_000, 3, 3)
    single, exact = open_sweep("mixed", model, Rows(X)), open_sweep("compiled", model, Rows(X))
    used, last = [], None
    for _ in range(40):
        before = single.single_passes  # type: ignore[attr-defined]
        got, want = single(params), exact(params)
        differs = got.loglik != want.loglik
        assert got.loglik == pytest.approx(want.loglik, rel=1e-7)
        if last is not None and (want.loglik - last) / len(X) < 1e-6:
            assert not differs
        used.append(single.single_passes - before)  # type: ignore[attr-defined]
        last, params = want.loglik, model.m_step(want, params)
    assert sum(used) >= 3
    assert used[-1] == 0
    assert single.passes == exact.passes


@every_structure
def test_a_fit_ends_where_the_exact_one_does(name: str) -> None:
    _, X, _ = overlapping(name, 12_000, 3, 2)
    fits = [
        GaussianMixture(
            2, covariance_type=name, engine=engine, random_state=0, tol=1e-10, max_iter=5000
        ).fit(X)
        for engine in ("compiled", "mixed")
    ]
    assert fits[1].fit_result_.engine == "mixed"
    assert fits[1].converged_
    assert fits[1].lower_bound_ == pytest.approx(fits[0].lower_bound_, abs=1e-9)


def test_a_table_that_float32_cannot_hold_is_swept_in_float64() -> None:
    model, X, params = overlapping("full", 20_000, 2, 3)
    c = params.components
    # Two narrow clouds far apart: their rows differ from each other by less than float32 can say.
    means = np.array([[-1e7, 0.0], [1e7, 0.0], [1e7, 5.0]])
    params = MixtureParams(params.weights, gaussian_params(means, c.covariances, model.family.form))
    X = means[np.arange(len(X)) % 3] + np.random.default_rng(0).normal(size=X.shape)
    single, exact = open_sweep("mixed", model, Rows(X)), open_sweep("compiled", model, Rows(X))
    for _ in range(3):
        got = single(params)
        assert got.loglik == exact(params).loglik
        params = model.m_step(got, params)


@pytest.mark.skipif(native.variant() != "v4", reason="in other variants they do not part here")
def test_precisions_that_part_on_the_way_are_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    # Wide at first, in the end a ten-millionth as wide as they are apart: float32 cannot say where
    # in them a row lies, and is not asked but where that is allowed here.
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(20_000, 1)) + 1e-7 * rng.normal(size=(20_000, 2))
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.3, 0.3], [0.7, 0.7]]}
    start |= {"precisions_init": np.stack([np.eye(2)] * 2)}
    sharp = GaussianMixture(2, engine="mixed", reg_covar=0.0, **start).fit(X).fit_result_
    assert sharp.remark == ""
    monkeypatch.setattr(mixed, "_BLUR", np.inf)
    rough = GaussianMixture(2, engine="mixed", reg_covar=0.0, **start).fit(X).fit_result_
    assert "float32 parts from float64 by" in rough.remark
    assert "remark" in GaussianMixture(2, engine="mixed", reg_covar=0.0, **start).fit(X).summary()
    exact = GaussianMixture(2, reg_covar=0.0, **start).fit(X).fit_result_
    assert exact.remark == ""
    # The end is the same: near the top every pass is in float64.
    assert rough.loglik == pytest.approx(exact.loglik, rel=1e-9)


@pytest.mark.filterwarnings("ignore::mixtura.DegenerateWarning")
def test_a_line_in_the_table_ends_where_it_does_in_float64() -> None:
    # Rows of one value are all rounded alike: what float32 made up for was taken back, as a fall.
    rng, n = np.random.default_rng(6), 9000
    clouds = rng.normal(0, 1, (n, 2)), rng.normal(3, 1, (n, 2))
    line = np.c_[5 + 2e-8 * rng.normal(size=(n, 1)), rng.normal(4, 1, size=(n, 1))]
    X = np.concatenate([*clouds, line])
    exact, near = (
        GaussianMixture(2, engine=engine, random_state=6).fit(X).fit_result_
        for engine in ("compiled", "mixed")
    )
    assert near.loglik == pytest.approx(exact.loglik, abs=0.01)
    assert [one.outcome for one in near.starts] == [one.outcome for one in exact.starts]


def test_precisions_that_agree_are_not_spoken_of() -> None:
    _, X, _ = overlapping("full", 20_000, 3, 3)
    fit = GaussianMixture(3, engine="mixed", random_state=0).fit(X)
    assert fit.fit_result_.remark == ""
    assert "remark" not in fit.summary()


@every_structure
@pytest.mark.parametrize("d", [2, 9, 20])
def test_the_copy_of_the_rows_changes_nothing(
    name: str, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, X, params = overlapping(name, 9_000, d, 4, offset=1e6)
    w = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(np.float64)
    X[w == 0] = np.nan
    exact = open_sweep("dense", model, Rows(X, w))(params).statistics
    for most in (1 << 26, 0):
        monkeypatch.setattr(mixed, "_COPIED", most)
        sweep: Any = open_sweep("mixed", model, Rows(X, w))
        got = sweep._single(params).statistics
        assert (sweep.near is not None) == (most > 0)
        np.testing.assert_allclose(got.counts, exact.counts, rtol=PROMISED)  # type: ignore[attr-defined]
        scale = np.abs(exact.second).max()  # type: ignore[attr-defined]
        assert np.all(np.abs(got.second - exact.second) <= PROMISED * scale)  # type: ignore[attr-defined]
