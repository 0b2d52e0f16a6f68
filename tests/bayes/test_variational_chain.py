"""Hidden Markov models by variational Bayes: hmmlearn's numbers, exact evidence, how many states.

`hmmlearn_variational.json`: hmmlearn 0.3.3's VariationalGaussianHMM, 12 steps from what `started`
sets. Its bound leaves out the constant n d / 2 log 2 pi.
"""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from evidence import log_rows
from scipy.special import gammaln, logsumexp
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import VariationalGaussianHMM
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.families.bayes.family import posterior_of
from mixtura.families.bayes.posteriors import GammaPosterior
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.posterior import PosteriorGaussian, gaussian_posterior
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.families.poisson import Poisson
from mixtura.fitting import hidden_markov_fit
from mixtura.models.variational_chain import VariationalChain
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

DATA = Path(__file__).parents[1] / "reference" / "data"
TIME = np.arange(40.0)
WAVES = np.stack(
    [3 * np.sin(0.9 * TIME**2) + 4.0 * ((TIME // 7) % 2), np.cos(1.7 * TIME**2) + 0.3 * (TIME % 3)],
    1,
)
SCALES = {"full": np.array([[2.0, 0.3], [0.3, 1.0]]), "diag": np.array([2.0, 1.0])}
SCALES |= {"spherical": np.array(1.5), "tied": SCALES["full"]}


def started(kind: str, **settings) -> VariationalGaussianHMM:
    hmm = VariationalGaussianHMM(
        2,
        kind,
        startprob_prior=0.7,
        transmat_prior=[[2.0, 0.5], [0.5, 2.0]],
        means_prior=[1.0, 0.2],
        beta_prior=0.5,
        dof_prior=3.0,
        scale_prior=SCALES[kind],
        init_params="",
        tol=-np.inf,
        **settings,
    )
    hmm.startprob_posterior_, hmm.transmat_posterior_ = [1.5, 1.2], [[12, 3], [4, 9]]
    hmm.means_posterior_, hmm.beta_posterior_ = [[0.0, 0.0], [4.0, 0.5]], [18.0, 17.0]
    hmm.dof_posterior_ = 20.0 if kind == "tied" else [20.0, 19.0]
    hmm.scale_posterior_ = 20.0 * (SCALES[kind] if kind == "tied" else np.array([SCALES[kind]] * 2))
    return hmm


@pytest.mark.parametrize("implementation", ["scaling", "log"])
@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_steps_and_bounds_are_those_of_hmmlearn(kind, implementation):
    known = json.loads((DATA / "hmmlearn_variational.json").read_text())[kind]
    hmm = started(kind, n_iter=12, implementation=implementation).fit(WAVES, [25, 15])
    ours = np.array(hmm.monitor_.history) + len(WAVES) * np.log(2 * np.pi)
    np.testing.assert_allclose(ours, known["bounds"], atol=1e-10)
    for part, name in (("startprob", "start"), ("transmat", "moves")):
        np.testing.assert_allclose(getattr(hmm, f"{part}_posterior_"), known[name], rtol=1e-9)
    for part in ("means", "beta", "dof", "scale"):
        np.testing.assert_allclose(getattr(hmm, f"{part}_posterior_"), known[part], rtol=1e-9)
    assert hmm.score(WAVES, [25, 15]) == pytest.approx(known["score"], abs=1e-9)


def test_with_one_state_the_bound_is_the_evidence():
    hmm = VariationalGaussianHMM(1, beta_prior=0.5, scale_prior=SCALES["full"], random_state=0)
    weight = [2.0, 1.0]
    hmm.fit(WAVES[:20], [8, 12], sample_weight=weight)
    prior = NormalWishart(
        structure("full").form, hmm.means_prior_[0], 0.5, 2.0, np.asarray(SCALES["full"])
    )
    twice = np.vstack([WAVES[:8], WAVES[:20]])
    assert hmm.elbo_ == pytest.approx(log_rows(twice, prior), abs=1e-9)


def chain(kind: str = "full") -> VariationalChain:
    form = structure(kind).form
    prior = NormalWishart(form, np.array([1.0, 0.2]), 0.5, 3.0, np.asarray(SCALES[kind]))
    rows = np.array([-0.3, 0.2]), np.array([[1.0, -0.5], [-0.2, 0.5]])
    return VariationalChain(PosteriorGaussian(structure(kind)), prior, 1.0, *rows)


def begun(model: VariationalChain, rows: Sequences):
    resp = np.random.default_rng(1).dirichlet(np.ones(2), size=rows.n)
    return model.begun(rows.X, None, resp, (resp[0], resp[:-1].T @ resp[1:]))


def log_dirichlet(counts: np.ndarray, prior: np.ndarray) -> float:
    """Of draws with the shares integrated out."""
    after = gammaln(prior + counts).sum() - gammaln((prior + counts).sum())
    return float(after - gammaln(prior).sum() + gammaln(prior.sum()))


def test_the_bound_lies_below_the_evidence_of_all_paths():
    model, X = chain(), WAVES[[0, 9, 17]]
    rows = Sequences(X)
    climb = em(Problem(model, open_sweep("compiled", model, rows), begun(model, rows), 1e-13, 2000))
    starts, moves = model.concentrations(2)
    found = []
    for path in product(range(2), repeat=3):
        z = np.array(path)
        counts = np.zeros((2, 2))
        np.add.at(counts, (z[:-1], z[1:]), 1.0)
        worth = [log_rows(X[z == k], model.prior) for k in range(2)]
        worth += [log_dirichlet(counts[k], moves[k]) for k in range(2)]
        found.append(sum(worth) + log_dirichlet(np.eye(2)[z[0]], starts))
    exact = float(logsumexp(found))
    assert exact - 2.0 < climb.objective < exact


@pytest.mark.parametrize("kind", sorted(SCALES))
def test_no_posterior_nearby_has_a_higher_bound(kind):
    model, rows = chain(kind), Sequences(WAVES, None, np.array([25, 40]))
    sweep = open_sweep("compiled", model, rows)
    top = em(Problem(model, sweep, begun(model, rows), 1e-13, 5000))
    q, rng = top.params, np.random.default_rng(0)

    def near(values: np.ndarray) -> np.ndarray:
        return values * np.exp(rng.normal(scale=0.02, size=values.shape))

    for _ in range(40):
        own = q.components
        free = near(own.freedom[:1]).repeat(2) if own.form.shared else near(own.freedom)
        other = gaussian_posterior(
            own.means + rng.normal(scale=0.02, size=own.means.shape),
            near(own.root),
            own.form,
            near(own.mean_precision),
            free,
        )
        for parts in (
            (near(q.starts), q.moves, own),
            (q.starts, near(q.moves), own),
            (q.starts, q.moves, other),
        ):
            there = model.assembled(*parts, q.weights)
            assert sweep(there).loglik + model.log_prior(there) < top.objective


@pytest.mark.parametrize("kind", sorted(SCALES))
def test_engines_weights_and_steps_agree(kind):
    model = chain(kind)
    rows = Sequences(WAVES, np.repeat([2.0, 1.0], [25, 15]), np.array([25, 40]))
    copies = Sequences(np.vstack([WAVES[:25], WAVES]), None, np.array([25, 50, 65]))
    q = begun(model, rows)
    found = [
        open_sweep(engine, model, each)(q)
        for engine, each in (("compiled", rows), ("threads", rows), ("compiled", copies))
    ]
    after = model.m_step(found[0], q).arrays()
    for one in found[1:]:
        assert one.loglik == pytest.approx(found[0].loglik, abs=1e-10)
        for name, array in model.m_step(one, q).arrays().items():
            np.testing.assert_allclose(array, after[name], rtol=1e-9, err_msg=name)
    # A fall raises.
    em(Problem(model, open_sweep("compiled", model, rows), q, 0.0, 200))


def test_a_long_chain_is_cut_as_others_are():
    # Laws that sum to less than 1 lose no more where lanes are cut.
    model, X = chain(), np.tile(WAVES, (70, 1))
    rows = Sequences(X)
    q = begun(model, rows)
    q = model.assembled(model.concentrations(2)[0], q.moves / 500.0, q.components, q.weights)
    assert q.transitions.sum(axis=1).max() < 0.96
    one, other = (open_sweep(engine, model, rows)(q) for engine in ("compiled", "local"))
    assert one.loglik == pytest.approx(other.loglik, rel=1e-11)
    np.testing.assert_allclose(one.statistics.moves, other.statistics.moves, rtol=1e-8)


def test_any_conjugate_family_may_be_a_state():
    rng = np.random.default_rng(2)
    X = rng.poisson(np.repeat([2.0, 9.0, 2.0], 20))[:, None].astype(float)
    family = posterior_of(Poisson())
    prior = family.prior_at(GammaPosterior(np.array([[1.0]]), np.array([[0.2]])))
    model = VariationalChain(family, prior, 1.0, -0.5, -0.5)
    rows = Sequences(X)
    top = em(Problem(model, open_sweep("compiled", model, rows), begun(model, rows), 1e-12, 500))
    # Of one state: counts under a gamma law of their rate, Gelman et al. (2013), section 2.6.
    alone = model.assembled(
        *(each[:1] for each in (np.array([1.5]), np.array([[60.0]]))), prior.prior(1), np.ones(1)
    )
    only = em(Problem(model, open_sweep("compiled", model, rows), alone, 1e-12, 20))
    total = X.sum()
    exact = gammaln(1 + total) + np.log(0.2) - (1 + total) * np.log(60.2) - gammaln(X + 1).sum()
    assert only.objective == pytest.approx(exact, abs=1e-9)
    assert top.objective > only.objective


def planted(seed: int, far: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    P = np.array([[0.95, 0.03, 0.02], [0.02, 0.95, 0.03], [0.03, 0.02, 0.95]])
    z = [0]
    for _ in range(599):
        z.append(int(rng.choice(3, p=P[z[-1]])))
    return rng.normal(size=(600, 2)) + far * np.array([[0, 0], [1, 0], [0, 1]])[z]


@pytest.mark.parametrize("kind", sorted(SCALES))
@pytest.mark.parametrize("far", [2.5, 6.0])
def test_three_planted_states_are_found_in_room_for_eight(kind, far, tmp_path):
    X = planted(4, far)
    hmm = VariationalGaussianHMM(8, kind, random_state=0).fit(X, [300, 300])
    assert hmm.n_components_ == 3
    assert hmm.held_.tolist() == [0, 1, 2]
    # The others are as before.
    np.testing.assert_allclose(hmm.beta_posterior_[3:], hmm.beta_prior_[3:], atol=0.5)
    np.testing.assert_allclose(hmm.transmat_posterior_[3:], hmm.transmat_prior_[3:], atol=0.5)
    assert hmm.startprob_posterior_.sum() == pytest.approx(1.0 + 2.0)
    assert hmm.transmat_posterior_.sum() == pytest.approx(8.0 + 598.0)
    assert (np.diff(hmm.monitor_.history) >= -1e-9 * abs(hmm.elbo_)).all()
    assert hmm.fit_result_.bound
    assert hmm.fit_result_.loglik == hmm.elbo_
    exact = VariationalGaussianHMM(
        3, kind, startprob_prior=1 / 8, transmat_prior=1 / 8, random_state=0
    ).fit(X, [300, 300])
    np.testing.assert_allclose(
        np.sort(hmm.means_[:3], axis=0), np.sort(exact.means_, axis=0), atol=0.05
    )
    text = hmm.summary()
    assert "3 states in 600 rows" in text
    assert "No rows are left" not in text
    hmm.save(tmp_path / "model.json")
    again = mixtura.load(tmp_path / "model.json")
    assert again.summary() == text
    assert again.elbo_ == hmm.elbo_
    assert (again.predict(X) == hmm.predict(X)).all()
    assert again.held_.tolist() == hmm.held_.tolist()
    assert hmm.sample(5, random_state=0)[0].shape == (5, 2)


def test_two_states_alike_are_made_one(monkeypatch):
    X = planted(7, 2.2)
    found = VariationalGaussianHMM(8, random_state=0).fit(X, [300, 300])
    monkeypatch.setattr(hidden_markov_fit, "merged", lambda search, outcome, rows: outcome)
    steps = VariationalGaussianHMM(8, random_state=0).fit(X, [300, 300])
    assert steps.n_components_ > found.n_components_ == 3
    assert found.fit_result_.moves == steps.n_components_ - 3
    assert found.elbo_ > steps.elbo_ + 2.0


def test_no_unit_decides():
    X = planted(7, 3.0)
    one = VariationalGaussianHMM(6, random_state=0).fit(X)
    other = VariationalGaussianHMM(6, random_state=0).fit(X * [1e-3, 1e4] + [5.0, -3.0])
    assert other.n_components_ == one.n_components_ == 3
    assert other.elbo_ + len(X) * np.log(10.0) == pytest.approx(one.elbo_, abs=1e-3)


def test_steps_that_nobody_saw_are_summed_over():
    X = planted(5, 4.0)
    X[100:110] = np.nan
    hmm = VariationalGaussianHMM(5, random_state=0).fit(X)
    assert hmm.n_components_ == 3
    assert (hmm.beta_posterior_ - hmm.beta_prior_).sum() == pytest.approx(590.0)


@pytest.mark.parametrize("when", [{"n_iter": 0}, {"max_seconds": 1e-6}], ids=str)
def test_a_search_that_is_cut_short_answers(when):
    told = {"max_seconds": when["max_seconds"]} if "max_seconds" in when else {}
    hmm = VariationalGaussianHMM(3, random_state=0, n_iter=when.get("n_iter", 1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        hmm.fit(planted(0, 3.0), **told)
    assert not hmm.converged_
    assert hmm.fit_result_.trace[-1] == hmm.elbo_
    assert len(hmm.fit_result_.trace) == hmm.n_iter_ + 1
    assert hmm.predict(WAVES).shape == (40,)


REFUSED = {
    "dof_prior must be above 1": {"dof_prior": 0.5},
    "startprob_prior must be finite and above 0": {"startprob_prior": 0.0},
    r"transmat_prior has shape \(2,\)": {"transmat_prior": [1.0, 2.0]},
    "means_prior must be one number or an array of shape": {"means_prior": [1.0, 2.0, 3.0]},
    "scale_prior": {"scale_prior": -np.eye(2)},
    "startprob_posterior_ is not: set it": {"init_params": ""},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_prior_is_refused(words):
    with pytest.raises(ValueError, match=words):
        VariationalGaussianHMM(2, **REFUSED[words]).fit(WAVES)


def test_what_a_posterior_has_not_is_said():
    with pytest.raises(ValueError, match="has no params: leave it out"):
        VariationalGaussianHMM(2, params="st")
    with pytest.raises(ValueError, match=r"constant in column .* scale_prior"):
        VariationalGaussianHMM(2).fit(WAVES * [1.0, 0.0])
    hmm = started("full", n_iter=3)
    hmm.dof_posterior_ = [20.0, 1.0]
    with pytest.raises(ValueError, match="dof_posterior_ must be above 1"):
        hmm.fit(WAVES)
    hmm = started("full", n_iter=3).fit(WAVES)
    for ask in (hmm.bic, hmm.aic, hmm.standard_errors):
        with pytest.raises(AttributeError, match="a posterior has"):
            ask(WAVES)
