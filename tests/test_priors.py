"""Conjugate priors: the M-step against numerical maxima, mclust's formulas, files and reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import invwishart, multivariate_normal

import mixtura
from mixtura import Dirichlet, EigenvalueRatio, GaussianMixture, NormalInverseWishart
from mixtura.data.rows import Rows
from mixtura.families.registry import family, under_prior
from mixtura.fitting.mixture_fit import surveyed
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Chunk, Summary

TYPES = ("full", "tied", "diag", "spherical")
RNG = np.random.default_rng(0)
X = np.vstack([RNG.normal([0, 0], [1, 2], (25, 2)), RNG.normal([4, 5], [2, 0.5], (15, 2))])
ASKED = (NormalInverseWishart((1.0, -1.0), 0.7, 6.0, 2.5), Dirichlet(3.0))


def posterior(kind: str, asked=ASKED):
    """A mixture under the priors, parameters, and the sums of one E-step."""
    rows = Rows(X)
    settled = under_prior(family(kind), asked).settled(
        surveyed(rows, 2, np.random.RandomState(0)), 2
    )
    model = Mixture(settled.family, settled.prior)
    resp = np.random.default_rng(1).dirichlet([0.6, 0.6], len(X))
    start = model.first_step(X, None, resp, MixtureParams(np.array([0.5, 0.5]), settled.base))
    return model, start, model.e_step(Chunk(X, None, slice(0, len(X))), start)


def expected(model, summary: Summary, params: MixtureParams, start: MixtureParams) -> float:
    """What an M-step maximises: the expected log-likelihood of rows and labels, and the prior."""
    resp = np.exp(model.log_joint(X, start))
    resp /= resp.sum(axis=1, keepdims=True)
    return float(np.sum(resp * model.log_joint(X, params))) + model.log_prior(params)


@pytest.mark.parametrize("kind", TYPES)
def test_the_m_step_is_the_numerical_maximum(kind):
    model, start, summary = posterior(kind)
    found = model.m_step(summary, start)
    form = model.family.form
    shape = form.shape(2, 2)

    def unpacked(free):
        logit, means, rest = free[0], free[1:5].reshape(2, 2), free[5:]
        w = np.array([1.0, np.exp(logit)]) / (1 + np.exp(logit))
        if form.correlates:
            L = np.zeros((2, 2, 2))
            L[:, [0, 1, 1], [0, 0, 1]] = rest.reshape(-1, 3) if len(rest) == 6 else rest
            L[:, [0, 1], [0, 1]] = np.exp(L[:, [0, 1], [0, 1]])
            cov = L @ L.swapaxes(1, 2)
            cov = cov[0] if len(shape) == 2 else cov
        else:
            cov = np.exp(rest).reshape(shape)
        return MixtureParams(w, model.family.params({"means": means, "covariances": cov}))

    size = {"full": 6, "tied": 3, "diag": 4, "spherical": 2}[kind]
    free = np.concatenate([[0.0], X.mean(axis=0), X.mean(axis=0), np.zeros(size)])
    best = minimize(lambda z: -expected(model, summary, unpacked(z), start), free, tol=1e-10)
    top = expected(model, summary, found, start)
    assert top >= -best.fun - 1e-8
    assert top == pytest.approx(-best.fun, abs=1e-5)
    assert np.allclose(unpacked(best.x).weights, found.weights, atol=1e-4)
    assert np.allclose(unpacked(best.x).components.means, found.components.means, atol=1e-3)


def test_log_prior_is_the_density_of_scipy():
    model, start, _ = posterior("full")
    other = replace(start, weights=np.array([0.3, 0.7]))
    other = replace(other, components=model.family.params({
        "means": np.array([[0.0, 1.0], [2.0, 2.0]]),
        "covariances": np.array([[[2.0, 0.3], [0.3, 1.0]], [[1.0, -0.2], [-0.2, 0.5]]]),
    }))  # fmt: skip

    def density(params):
        total = 2.0 * np.log(params.weights).sum()
        parts = params.components
        for mean, cov in zip(parts.means, parts.covariances, strict=True):
            total += multivariate_normal([1.0, -1.0], cov / 0.7).logpdf(mean)
            total += invwishart(6.0, 2.5 * np.eye(2)).logpdf(cov)
        return total

    gained = model.log_prior(other) - model.log_prior(start)
    assert gained == pytest.approx(density(other) - density(start), rel=1e-10)


@pytest.mark.parametrize("kind", TYPES)
def test_fraley_raftery_is_the_formula_of_mclust(kind):
    """`priorControl()` of R's mclust: scale var(X) / G^(2/d), dof d + 2, shrinkage 0.01."""
    model, start, summary = posterior(kind, (NormalInverseWishart(),))
    found = model.m_step(summary, start).components
    resp = np.exp(model.log_joint(X, start))
    resp /= resp.sum(axis=1, keepdims=True)
    n, d, kappa = resp.sum(axis=0), 2, 0.01
    whole = np.cov(X.T) / 2.0 ** (2 / d)
    if kind in ("diag", "spherical"):
        whole = np.eye(2) * np.trace(whole) / d
    scatters = []
    for k in range(2):
        mean = resp[:, k] @ X / n[k]
        off = mean - X.mean(axis=0)
        W = (X - mean).T @ ((X - mean) * resp[:, [k]])
        scatters.append(W + n[k] * kappa / (n[k] + kappa) * np.outer(off, off))
        assert found.means[k] == pytest.approx(
            (n[k] * mean + kappa * X.mean(axis=0)) / (n[k] + kappa)
        )
    if kind == "tied":
        wanted = (whole + sum(scatters)) / (n.sum() + (d + 2) + d + 1 + 2)
    elif kind == "full":
        wanted = [(whole + S) / (n[k] + (d + 2) + d + 2) for k, S in enumerate(scatters)]
    elif kind == "diag":
        wanted = [np.diag(whole + S) / (n[k] + (d + 2) + 3) for k, S in enumerate(scatters)]
    else:
        wanted = [
            (whole[0, 0] + np.trace(S)) / ((n[k] + 1) * d + (d + 2) + 2)
            for k, S in enumerate(scatters)
        ]
    assert np.allclose(found.covariances, wanted, rtol=1e-10)


@pytest.mark.parametrize("kind", TYPES)
def test_a_fit_ends_at_the_mode_where_a_component_has_one_row(kind):
    rows = np.vstack([X[:12], [[60.0, 70.0]]])
    fitted = GaussianMixture(
        2, covariance_type=kind, prior=["fraley-raftery", Dirichlet(1.5)], random_state=0
    ).fit(rows)
    assert fitted.converged_
    assert not fitted.fit_result_.floored
    assert fitted.weights_.min() == pytest.approx(1.5 / 14, abs=1e-3)
    assert "prior" in fitted.summary()
    assert "each weight's is worth 0.5 rows" in fitted.summary()


def test_dirichlet_alone_leaves_the_components_to_the_likelihood():
    plain = GaussianMixture(2, random_state=0).fit(X)
    flat = GaussianMixture(2, prior=Dirichlet(1.0), random_state=0).fit(X)
    assert flat.means_ == pytest.approx(plain.means_, rel=1e-3)
    pulled = GaussianMixture(2, prior=Dirichlet(1e6), random_state=0).fit(X)
    assert pulled.weights_ == pytest.approx([0.5, 0.5], abs=1e-4)


def test_files_keep_priors(tmp_path):
    asked = (NormalInverseWishart([0, 0], 0.5, scale=np.eye(2)), Dirichlet(2))
    fitted = GaussianMixture(2, prior=list(asked), random_state=0).fit(X)
    fitted.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert tuple(again.prior) == asked
    assert again.summary() == fitted.summary()
    named = GaussianMixture(2, prior="fraley-raftery", random_state=0).fit(X)
    named.save(tmp_path / "n.json")
    assert mixtura.load(tmp_path / "n.json").prior == "fraley-raftery"


def test_checkpoints_go_on_to_the_same_end(tmp_path):
    mixture = GaussianMixture(2, prior="fraley-raftery", random_state=0)
    plain = mixture.fit(X).means_
    assert np.array_equal(mixture.fit(X, checkpoint=tmp_path / "c").means_, plain)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prior": "fraley"}, "prior"),
        ({"prior": [Dirichlet(2), Dirichlet(3)]}, "of one kind"),
        ({"prior": ["raftery"]}, "is no prior"),
        ({"prior": Dirichlet(2), "covariance_type": "VEV"}, "'full', 'tied', 'diag'"),
        ({"prior": Dirichlet(2), "reg_covar": 1e-6}, "and this is 'full' with reg_covar=1e-06"),
        (
            {"prior": Dirichlet(2), "constraint": EigenvalueRatio(3)},
            r"and this is 'full' with constraint=EigenvalueRatio\(c=3",
        ),
        (
            {"constraint": EigenvalueRatio(3), "reg_covar": 1e-6},
            "and this is 'full' with reg_covar=1e-06",
        ),
        ({"prior": Dirichlet(2), "noise": True}, "with noise, trimming"),
        ({"prior": "fraley-raftery", "solver": "lbfgs"}, "EM's steps alone"),
        ({"prior": NormalInverseWishart(mean=[1, 2, 3])}, "mean must be 2 numbers"),
        ({"prior": NormalInverseWishart(dof=0.5)}, "needs more than 1"),
        ({"prior": NormalInverseWishart(scale=[[1, 2], [2, 1]])}, "positive definite"),
        ({"prior": NormalInverseWishart(scale=[[1, 2], [2, 1]])}, "got the least eigenvalue -1"),
        ({"prior": NormalInverseWishart(scale=[1, 2, 3, 4, 5])}, r"got shape \(5,\)"),
        ({"prior": NormalInverseWishart(scale=-1), "covariance_type": "diag"}, "above 0"),
        (
            {"prior": NormalInverseWishart(scale=[1, 2]), "covariance_type": "spherical"},
            "one number",
        ),
    ],
)
def test_what_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        GaussianMixture(2, **settings).fit(X)


def test_records_refuse_what_is_no_number():
    with pytest.raises(ValueError, match="at least 1"):
        Dirichlet(0.5)
    with pytest.raises(ValueError, match="scale must be True or False, got 'no'"):
        EigenvalueRatio(3, scale="no")
    with pytest.raises(ValueError, match="0 or more"):
        NormalInverseWishart(shrinkage=-1)
    with pytest.raises(ValueError, match="must be numbers"):
        NormalInverseWishart(scale="wide")
    with pytest.raises(ValueError, match="dof must be above d - 1, so above 0, got -1"):
        NormalInverseWishart(dof=-1)
    for nothing in ([], ()):
        with pytest.raises(ValueError, match="holds no prior: use None"):
            GaussianMixture(2, prior=nothing).fit(X)
    constant = np.column_stack([X, np.ones(len(X))])
    with pytest.raises(ValueError, match="no variance of its own"):
        GaussianMixture(2, prior="fraley-raftery").fit(constant)
    with pytest.raises(ValueError, match="partial_fit knows no prior"):
        GaussianMixture(2, prior="fraley-raftery").partial_fit(X)


def test_a_table_without_full_rank_is_told_before_any_step():
    rng = np.random.default_rng(0)
    for table in (
        np.eye(4)[rng.integers(0, 4, 60)],
        np.repeat(rng.normal(size=(2, 2)), 20, axis=0),
    ):
        with pytest.raises(ValueError, match="directions only"):
            GaussianMixture(2, prior="fraley-raftery", random_state=0).fit(table)
        given = GaussianMixture(2, prior=NormalInverseWishart(scale=1.0), random_state=0).fit(table)
        assert given.converged_
        assert np.linalg.eigvalsh(given.covariances_).min() > 1e-3


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_a_nearly_singular_table_is_climbed_to_the_top(covariance_type):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 3))
    rows[:30] += 4
    near = np.column_stack([rows, rows[:, 0] + 1e-6 * rng.normal(size=60)])
    # The prior goes with the units of the table, and so must its optimum: these are no near ones.
    apart = np.column_stack([rows, (near[:, 3] - rows[:, 0]) * 1e6])
    found, alike = (
        GaussianMixture(
            2, covariance_type=covariance_type, prior="fraley-raftery", random_state=0
        ).fit(each)
        for each in (near, apart)
    )
    assert found.converged_
    assert found.lower_bound_ == pytest.approx(alike.lower_bound_ + 6 * np.log(10), abs=1e-4)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_a_weight_of_two_is_the_row_twice_under_the_default_scale(name):
    # Its n - 1 is of what the weights sum to, as if each row stood there so often.
    rng = np.random.default_rng(4)
    rows = np.vstack([rng.normal(0, 1, (20, 2)), rng.normal(5, 1, (12, 2))])
    times = rng.integers(1, 4, 32)
    mixture = GaussianMixture(2, covariance_type=name, prior="fraley-raftery", random_state=0)
    weighed = mixture.fit(rows, sample_weight=times).score_samples(rows)
    np.testing.assert_allclose(
        mixture.fit(np.repeat(rows, times, axis=0)).score_samples(rows), weighed, rtol=1e-9
    )
    # Shares of one in all are weights of one each.
    once = mixture.fit(rows).score_samples(rows)
    with pytest.warns(mixtura.LightWeightsWarning):
        mixture.fit(rows, sample_weight=np.full(32, 1 / 32))
    shares = mixture.score_samples(rows)
    np.testing.assert_allclose(shares, once, rtol=1e-9)
