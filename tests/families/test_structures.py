"""The table of covariance structures: what letters say, what M-steps owe, who asks for names."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.families.gaussian.covariance import STRUCTURES, Structure, structure
from mixtura.families.gaussian.orientation import common_axes
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.records import Array

PACKAGE = Path(__file__).parents[2] / "src" / "mixtura"
FOURTEEN = [row.name for row in STRUCTURES.values() if row.name == row.letters]
K, d = 4, 3


def scattered(seed: int, form_of: Structure, close: float = 0.0) -> Array:
    """Scatters of K components in the form of a structure, near one another for `close` near 1."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(d, d))
    roots = [close * common + (1 - close) * rng.normal(size=(d, d)) for _ in range(K)]
    dense = np.stack([10 * (root @ root.T) + 0.1 * np.eye(d) for root in roots])
    if form_of.form.shared:
        return np.asarray(dense.sum(axis=0))
    return np.stack([form_of.form.restrict(matrix) for matrix in dense])


def unit(shape: Structure) -> GaussianParams:
    form = shape.form
    return gaussian_params(np.zeros((K, d)), form.repeat(form.restrict(np.eye(d)), K), form)


def m_step(shape: Structure, W: Array, rows: Array) -> Array:
    """Dense covariances after M-steps from the unit matrices, until they stay."""
    form, now = shape.form, unit(shape)
    for _ in range(5):
        scatter = form.whitened(now.whiten, W)
        cov = form.square(shape.roots(form, now, scatter, rows, no_prior(form, d)))
        now = gaussian_params(now.means, cov, form)
    return np.asarray(form.dense(now.covariances, K, d))


@pytest.mark.parametrize("name", FOURTEEN)
def test_covariances_share_what_the_letters_say(name: str) -> None:
    shape = structure(name)
    rows = np.array([5.0, 20.0, 50.0, 9.0])
    cov = m_step(shape, scattered(0, shape), rows)
    volumes = np.linalg.det(cov) ** (1 / d)
    values = np.linalg.eigvalsh(cov)
    shapes = values / volumes[:, None]
    commute = max(np.abs(a @ b - b @ a).max() / np.abs(a @ b).max() for a in cov for b in cov)
    diagonal = np.abs(cov * (1 - np.eye(d))).max() == 0
    volume, form, orientation = name
    assert (np.ptp(volumes) < 1e-9 * volumes.max()) == (volume == "E")
    assert (np.ptp(shapes, axis=1).max() < 1e-9) == (form == "I")
    if form != "I" and diagonal:
        along = np.diagonal(cov, axis1=1, axis2=2) / volumes[:, None]
        assert (np.ptp(along, axis=0).max() < 1e-9 * shapes.max()) == (form == "E")
    elif form != "I":
        assert (np.ptp(shapes, axis=0).max() < 1e-9 * shapes.max()) == (form == "E")
    assert diagonal == (orientation == "I")
    assert (commute < 1e-9) == (orientation in "IE")


@pytest.mark.parametrize("name", FOURTEEN)
@pytest.mark.parametrize("seed", range(3))
def test_an_m_step_is_a_maximum_among_covariances_of_its_structure(name: str, seed: int) -> None:
    shape = structure(name)
    rng = np.random.default_rng(seed)
    rows = rng.uniform(5, 50, size=K)
    W = scattered(seed, shape, close=0.5)
    if shape.form.name == "spherical":
        dense = W[:, None, None] * np.eye(d)
    elif shape.form.shared:
        dense = np.broadcast_to(W / K, (K, d, d))
    else:
        dense = shape.form.dense(W, K, d)

    def raised(cov: Array) -> float:
        logs = rows @ np.linalg.slogdet(cov)[1]
        return -0.5 * float(logs + np.einsum("kij,kji->", np.linalg.inv(cov), dense))

    best = m_step(shape, W, rows)
    top = raised(best)
    for size in (1e-3, 0.1):
        for _ in range(20):
            noise = size * rng.normal(size=(K, d, d))
            half = np.linalg.cholesky(best) @ (np.eye(d) + noise)
            near = half @ np.swapaxes(half, 1, 2)
            form = shape.form
            stored = (
                near.mean(axis=0) if form.shared else np.stack([form.restrict(m) for m in near])
            )
            other = shape.imposed(gaussian_params(np.zeros((K, d)), stored, form))
            assert raised(np.asarray(form.dense(other, K, d))) <= top + 1e-9 * abs(top)


@pytest.mark.parametrize("name", FOURTEEN)
def test_what_has_the_structure_is_left_alone(name: str) -> None:
    shape = structure(name)
    form = shape.form
    cov = m_step(shape, scattered(1, shape), np.array([5.0, 20.0, 50.0, 9.0]))
    stored = form.restrict(cov[0]) if form.shared else np.stack([form.restrict(m) for m in cov])
    again = shape.imposed(gaussian_params(np.zeros((K, d)), stored, form))
    np.testing.assert_allclose(again, stored, rtol=1e-9, atol=1e-9 * np.abs(stored).max())


@pytest.mark.parametrize("name", [row.name for row in STRUCTURES.values() if row.tangent])
def test_there_are_as_many_free_coordinates_as_parameters(name: str) -> None:
    shape = structure(name)
    assert shape.tangent is not None
    scale = np.sqrt(np.array([0.1, 0.2, 0.3, 0.4]))
    basis = shape.tangent(scale, shape.form.information(d)).toarray()
    assert basis.shape[1] == shape.n_parameters(K, d)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)


def test_common_axes_are_found_where_there_are_some() -> None:
    rng = np.random.default_rng(5)
    D = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    W = np.stack([(D * rng.uniform(0.1, 9.0, size=6)) @ D.T for _ in range(4)])
    for same_volume in (False, True):
        found = common_axes(W, np.ones(4), np.broadcast_to(np.eye(6), W.shape), same_volume)
        inside = found.T @ W @ found
        assert np.abs(inside * (1 - np.eye(6))).max() < 1e-9


@pytest.mark.parametrize("name", FOURTEEN)
def test_a_component_without_rows_keeps_its_covariance(name: str) -> None:
    shape = structure(name)
    form, now = shape.form, unit(shape)
    W = scattered(2, shape)
    rows = np.array([5.0, 0.0, 50.0, 9.0])
    if not form.shared:
        W[1] = 0.0
    cov = form.square(shape.roots(form, now, W, rows, no_prior(form, d)))
    dense = np.asarray(form.dense(cov, K, d))
    assert np.all(np.isfinite(dense))
    if not form.shared:
        np.testing.assert_allclose(dense[1], np.eye(d), atol=1e-12)


def test_nothing_but_the_table_asks_what_a_covariance_is_called() -> None:
    """No comparison names one of mclust's structures, or a covariance_type with a word.

    The forms of storage, which the compiled pass is written for, are another matter.
    """
    forms = {row.form.name for row in STRUCTURES.values()}
    names = {name for name in STRUCTURES if len(name) > 1} - forms
    asked = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "families" / "gaussian" / "covariance.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare | ast.Match):
                continue
            leaves = list(ast.walk(node))
            words = {leaf.value for leaf in leaves if isinstance(leaf, ast.Constant)}
            types = {getattr(leaf, "id", getattr(leaf, "attr", None)) for leaf in leaves}
            if words & names or ("covariance_type" in types and words & forms):
                asked.append(f"{path.name}:{node.lineno}")
    assert not asked


@pytest.mark.parametrize("name", ["E", "V"])
def test_names_for_one_column_are_refused_for_more(name: str, iris: Array) -> None:
    assert GaussianMixture(2, covariance_type=name, random_state=0).fit(iris[:, :1]).converged_
    with pytest.raises(ValueError, match=f"covariance_type='{name}' is for a table of 1 column"):
        GaussianMixture(2, covariance_type=name).fit(iris)


def test_given_covariances_must_share_what_the_type_shares(iris: Array) -> None:
    full = GaussianMixture(3, random_state=0).fit(iris)
    with pytest.raises(ValueError, match="precisions_init are not of covariance_type='EEV'"):
        GaussianMixture(3, covariance_type="EEV", precisions_init=full.precisions_).fit(iris)
    with pytest.raises(ValueError, match="covariances are not of covariance_type='VVE'"):
        GaussianMixture.from_parameters(
            full.weights_, full.means_, full.covariances_, covariance_type="VVE"
        )
    fitted = GaussianMixture(3, covariance_type="EEV", random_state=0).fit(iris)
    again = GaussianMixture(
        3,
        covariance_type="EEV",
        weights_init=fitted.weights_,
        means_init=fitted.means_,
        precisions_init=fitted.precisions_,
    ).fit(iris)
    left = fitted.tol * len(iris)
    assert again.fit_result_.loglik == pytest.approx(fitted.fit_result_.loglik, abs=left)


def test_solvers_that_need_free_coordinates_say_so(iris: Array) -> None:
    with pytest.raises(ValueError, match="covariance_type='VEV' has no simple free coordinates"):
        GaussianMixture(3, covariance_type="VEV", solver="lbfgs").fit(iris)
    fit = GaussianMixture(3, covariance_type="VEV", random_state=0).fit(iris).fit_result_
    assert fit.solver == "auto (em)"
    assert (fit.verdict, fit.certificate.detail) == (
        "not examined",
        "covariance_type='VEV' has no simple free coordinates",
    )


def test_lbfgs_climbs_where_structures_are_linear(iris: Array) -> None:
    for name in ("EII", "EEI", "VEI", "EVI", "EVV"):
        ends = [
            GaussianMixture(3, covariance_type=name, solver=solver, tol=1e-9, random_state=0)
            .fit(iris)
            .fit_result_
            for solver in ("em", "lbfgs")
        ]
        assert ends[0].loglik == pytest.approx(ends[1].loglik, abs=1e-5)
        assert {end.verdict for end in ends} == {"interior maximum"}


@pytest.mark.parametrize("name", FOURTEEN)
def test_a_constant_column_is_held_or_refused_in_one_sentence(name: str) -> None:
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(60, 2)), np.ones(60)]
    X[:30, :2] += 4.0
    mixture = GaussianMixture(2, covariance_type=name, random_state=0)
    if structure(name).ranked:
        with pytest.raises(ValueError, match="no variance of its own in column 2"):
            mixture.fit(X)
    else:
        mixture.fit(X)
        assert np.all(np.isfinite(mixture.covariances_))
