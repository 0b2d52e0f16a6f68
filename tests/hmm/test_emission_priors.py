"""hmmlearn's priors of emissions: its traces, and SciPy's maximum of the penalised objective."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

import mixtura
from mixtura import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
needs = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not here")
T = np.arange(40.0)
WAVES = np.stack(
    [3 * np.sin(0.9 * T * T) + np.where((T // 7) % 2, 4, 0), np.cos(1.7 * T * T) + 0.3 * (T % 3)], 1
)
COUNTS = np.abs(np.round(2 * WAVES + 4)).astype(int)
SYMBOLS = COUNTS[:, :1] % 3
LENGTHS = [25, 15]
PLAIN = {"init_params": "", "tol": -np.inf}


def begun(hmm, **given):
    hmm.startprob_, hmm.transmat_ = [0.6, 0.4], [[0.8, 0.2], [0.3, 0.7]]
    if hmm.n_components == 1:
        hmm.startprob_, hmm.transmat_ = [1.0], [[1.0]]
    for name, value in given.items():
        setattr(hmm, name, np.array(value))
    return hmm


def covars(kind: str, value: float, *shape: int):
    of_one = {
        "diag": np.full(2, value),
        "full": value * np.eye(2),
        "tied": value * np.eye(2),
        "spherical": np.array(value),
    }[kind]
    return np.tile(of_one, (*shape, *(1,) * of_one.ndim)) if shape else of_one


@needs
@pytest.mark.parametrize("kind", ["full", "diag", "tied", "spherical"])
def test_hmmlearns_default_prior_gives_its_numbers(kind):
    known = json.loads((REFERENCE / "hmmlearn_small.json").read_text())
    X = np.loadtxt(REFERENCE / "hmm" / "hmm_seq.csv", delimiter=",", skiprows=1)[:, :2]
    told, lengths = known["models"][kind], known["lengths"]
    hmm = GaussianHMM(3, kind, covars_prior=1e-2, covars_weight=1, n_iter=20, **PLAIN)
    hmm.startprob_, hmm.transmat_ = told["start"]["startprob"], told["start"]["transmat"]
    hmm.means_, hmm.covars_ = told["start"]["means"], told["start"]["covars"]
    hmm.fit(X, lengths)
    after = told["hmmlearn_default_priors_after_20"]
    assert hmm.score(X, lengths) == pytest.approx(after["loglik"], abs=1e-9)
    for name in ("means", "transmat", *(["covars"] if kind != "spherical" else [])):
        np.testing.assert_allclose(getattr(hmm, f"{name}_"), after[name], atol=1e-9)


# hmmlearn 0.3.3: log-likelihoods before each of six steps and after them.
TRACES = {
    "diag": [
        *(-165.47983230469143, -142.69130175352635, -142.68417490314863, -142.69326723757698),
        *(-142.69889516906528, -142.70242409682612, -142.70540665516972),
    ],
    "full": [
        *(-165.47983230469143, -141.2068464371485, -140.11106323454368, -138.82540198520684),
        *(-137.4517268894868, -136.52887682942554, -136.18644173224897),
    ],
    "tied": [
        *(-165.47983230469143, -141.45945629708157, -140.74347006906947, -139.93776573354333),
        *(-139.11748549913784, -138.51834853471573, -138.22052188929197),
    ],
    "spherical": [
        *(-165.47983230469143, -160.92223311228733, -160.32678325830864, -160.0233732857292),
        *(-159.79386364610224, -159.57876583542958, -159.3576006467117),
    ],
}


def gaussian(kind: str, **settings) -> GaussianHMM:
    within = kind in ("full", "tied")
    asked = {
        "means_prior": 1.0,
        "means_weight": 2.0,
        "covars_prior": 0.7 * np.eye(2) if within else 0.7,
        "covars_weight": 6.0,
        "startprob_prior": 1.5,
        "transmat_prior": 2.0,
    }
    hmm = GaussianHMM(2, kind, **{**asked, **PLAIN, **settings})
    shape = () if kind == "tied" else (2,)
    return begun(hmm, means_=[[0.0, 0.0], [4.0, 0.5]], covars_=covars(kind, 4.0, *shape))


@pytest.mark.parametrize("kind", TRACES)
def test_the_trace_of_a_gaussian_is_hmmlearns(kind):
    hmm = gaussian(kind, n_iter=6).fit(WAVES, LENGTHS)
    trace = [*hmm.monitor_.history, hmm.score(WAVES, LENGTHS)]
    np.testing.assert_allclose(trace, TRACES[kind], atol=1e-9, rtol=0)


def test_the_trace_of_symbols_is_hmmlearns():
    hmm = CategoricalHMM(2, emissionprob_prior=2.5, n_iter=6, **PLAIN)
    begun(hmm, emissionprob_=[[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    hmm.fit(SYMBOLS, LENGTHS)
    trace = [
        *(-53.70369230111784, -42.384469266655636, -42.33322221962866, -42.30001315994325),
        *(-42.27281558243308, -42.246884053825774, -42.2183451565974),
    ]
    ours = [*hmm.monitor_.history, hmm.score(SYMBOLS, LENGTHS)]
    np.testing.assert_allclose(ours, trace, atol=1e-9, rtol=0)


def test_the_step_of_one_poisson_state_is_hmmlearns():
    # Of more states hmmlearn divides by all steps, and not by those of the state.
    hmm = PoissonHMM(1, lambdas_prior=3.0, lambdas_weight=2.0, n_iter=2, **PLAIN)
    begun(hmm, lambdas_=[[3.0, 3.0]]).fit(COUNTS, LENGTHS)
    np.testing.assert_allclose(hmm.lambdas_, [[8.285714285714286, 4.619047619047619]], rtol=1e-12)


def best(worth, start):
    found = minimize(lambda free: -worth(free), start, method="BFGS", options={"gtol": 1e-7})
    return found.x


def spread_of(kind: str, free):
    """A covariance (2, 2) of free numbers."""
    if kind in ("full", "tied"):
        root = np.array([[np.exp(free[0]), 0.0], [free[1], np.exp(free[2])]])
        return root @ root.T
    return np.diag(np.exp(free[:2] if kind == "diag" else free[[0, 0]]))


def log_law(kind: str, S, rows: float, scatter, weight: float, off) -> float:
    B = scatter + weight * np.outer(off, off)
    if kind in ("full", "tied"):
        # Where it is a law, SciPy's: a normal law of the mean given S, an inverse Wishart of S.
        df = rows - 2 - 2
        normal = stats.multivariate_normal.logpdf(off, np.zeros(2), S / weight)
        return float(normal + stats.invwishart.logpdf(S, df, scatter))
    return float(-0.5 * rows * np.log(np.diag(S)).sum() - 0.5 * (np.diag(B) / np.diag(S)).sum())


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_one_number_fills_every_cell_of_a_prior_without_an_inverse(kind):
    # As at hmmlearn, whose step this is.
    hmm = gaussian(kind, n_iter=1, covars_prior=0.3, covars_weight=1.0, means_weight=0.0)
    posterior = hmm.predict_proba(WAVES, LENGTHS)
    hmm.fit(WAVES, LENGTHS)
    n = posterior.sum(axis=0)
    scatter = np.zeros((2, 2, 2))
    for k in range(2):
        off = WAVES - posterior[:, k] @ WAVES / n[k]
        scatter[k] = (posterior[:, k, None] * off).T @ off
    told = scatter.sum(axis=0) if kind == "tied" else scatter
    rows = n.sum() if kind == "tied" else n[:, None, None]
    right = np.broadcast_to((0.3 + told) / rows, hmm.covars_.shape)
    np.testing.assert_allclose(hmm.covars_, right, rtol=1e-9)
    found = GaussianHMM(2, kind, covars_prior=0.3, random_state=0).fit(WAVES, LENGTHS)
    near = 0.3 * (np.ones((2, 2)) + 1e-9 * np.eye(2))
    full = GaussianHMM(2, kind, covars_prior=near, random_state=0).fit(WAVES, LENGTHS)
    np.testing.assert_allclose(found.covars_, full.covars_, rtol=1e-6)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_a_gaussian_step_is_scipys_maximum(kind):
    weight = 9.0
    hmm = gaussian(kind, n_iter=1, covars_weight=weight)
    posterior = hmm.predict_proba(WAVES, LENGTHS)
    hmm.fit(WAVES, LENGTHS)
    rows = weight - (2 if kind == "full" else 1)
    for k in range(2):

        def worth(free, k=k):
            S, m = spread_of(kind, free[2:]), free[:2]
            own = posterior[:, k] @ stats.multivariate_normal.logpdf(WAVES, m, S)
            return own + log_law(kind, S, rows, 0.7 * np.eye(2), 2.0, m - 1.0)

        found = best(worth, np.r_[hmm.means_[k] + 0.3, np.zeros(3)])
        np.testing.assert_allclose(hmm.means_[k], found[:2], atol=1e-4)
        np.testing.assert_allclose(hmm.covars_[k], spread_of(kind, found[2:]), atol=1e-3)


def test_a_step_of_counts_is_scipys_maximum():
    hmm = begun(
        PoissonHMM(2, lambdas_prior=3.0, lambdas_weight=2.0, n_iter=1, **PLAIN),
        lambdas_=[[3.0, 3.0], [8.0, 4.0]],
    )
    posterior = hmm.predict_proba(COUNTS, LENGTHS)
    hmm.fit(COUNTS, LENGTHS)

    def worth(free):
        rates = np.exp(free.reshape(2, 2))
        own = stats.poisson.logpmf(COUNTS[:, None], rates).sum(axis=2)
        return (posterior * own).sum() + stats.gamma.logpdf(rates, 4.0, scale=1 / 2.0).sum()

    found = np.exp(best(worth, np.ones(4))).reshape(2, 2)
    np.testing.assert_allclose(hmm.lambdas_, found, rtol=1e-5)


@pytest.mark.parametrize("face", [CategoricalHMM, MultinomialHMM])
def test_a_step_of_symbols_is_scipys_maximum(face):
    X = SYMBOLS if face is CategoricalHMM else np.c_[COUNTS, COUNTS[::-1, 0]]
    hits = np.eye(3)[SYMBOLS[:, 0]] if face is CategoricalHMM else X
    prior = np.array([2.0, 1.5, 3.0])
    hmm = begun(
        face(2, emissionprob_prior=prior, n_iter=1, **PLAIN),
        emissionprob_=[[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]],
    )
    posterior = hmm.predict_proba(X, LENGTHS)
    hmm.fit(X, LENGTHS)

    def worth(free):
        logs = log_softmax(np.c_[free.reshape(2, 2), [0, 0]], axis=1)
        law = sum(stats.dirichlet.logpdf(np.exp(own), prior) for own in logs)
        return float((posterior.T @ hits * logs).sum() + law)

    found = log_softmax(np.c_[best(worth, np.zeros(4)).reshape(2, 2), [0, 0]], axis=1)
    np.testing.assert_allclose(hmm.emissionprob_, np.exp(found), atol=1e-5)


# hmmlearn 0.3.3, one step: weights and means; covariances there are about the means before.
SHARES = [[0.467007338648028, 0.5329926613519719], [0.4722129238328521, 0.5277870761671478]]
MEANS = [
    [[-0.9474010496705962, 0.5210246947270815], [2.0187469809412835, 0.3780474071619611]],
    [[2.211947940777291, 0.649327119634938], [5.092084082646556, 0.43605035392352604]],
]


@pytest.mark.parametrize("kind", ["full", "diag", "tied", "spherical"])
def test_parts_of_states_have_hmmlearns_priors(kind):
    within = kind in ("full", "tied")
    shape = (2,) if kind == "tied" else (2, 2)
    hmm = GMMHMM(
        2,
        2,
        covariance_type=kind,
        weights_prior=2.0,
        means_prior=1.0,
        means_weight=2.0,
        covars_prior=0.7 * np.eye(2) if within else 1.5,
        covars_weight=3.0 if within else 0.7,
        n_iter=1,
        **PLAIN,
    )
    before = np.array([[[-1.0, 0.0], [2.0, 0.5]], [[3.0, 0.5], [6.0, 0.0]]])
    shares = np.array([[0.5, 0.5], [0.4, 0.6]])
    begun(hmm, weights_=shares, means_=before, covars_=covars(kind, 2.0, *shape))
    posterior = hmm.predict_proba(WAVES, LENGTHS)
    hmm.fit(WAVES, LENGTHS)
    np.testing.assert_allclose(hmm.weights_, SHARES, atol=1e-9)
    np.testing.assert_allclose(hmm.means_, MEANS, atol=1e-9)
    for k in range(2):
        logs = np.log(shares[k]) + np.stack(
            [stats.multivariate_normal.logpdf(WAVES, m, 2 * np.eye(2)) for m in before[k]], axis=1
        )
        dealt = posterior[:, [k]] * np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        each = range(2) if kind != "tied" else [slice(None)]
        for which in each:
            worth = _of_part(kind, dealt, hmm.means_[k], which)
            found = spread_of(kind, best(worth, np.zeros(3)))
            own = hmm.covars_[k] if kind == "tied" else hmm.covars_[k][which]
            ours = own if within else np.diag(np.broadcast_to(own, 2))
            np.testing.assert_allclose(ours, found, atol=1e-3)


def _of_part(kind, dealt, means, which):
    """What a covariance of parts is worth, their means given: SciPy's laws of them."""
    some = [which] if isinstance(which, int) else [0, 1]

    def worth(free):
        S = spread_of(kind, free)
        found = sum(
            dealt[:, j] @ stats.multivariate_normal.logpdf(WAVES, means[j], S)
            + stats.multivariate_normal.logpdf(means[j], np.ones(2), S / 2.0)
            for j in some
        )
        if kind in ("full", "tied"):
            return found + stats.invwishart.logpdf(S, 3.0, 0.7 * np.eye(2))
        own = np.diag(S) if kind == "diag" else np.diag(S)[:1]
        return found + stats.invgamma.logpdf(own, 1.5, scale=0.7).sum()

    return worth


def test_a_search_climbs_the_posterior_and_files_keep_the_prior(tmp_path):
    plain = PoissonHMM(2, random_state=0).fit(COUNTS, LENGTHS)
    hmm = PoissonHMM(2, lambdas_prior=40.0, lambdas_weight=10.0, random_state=0)
    hmm.fit(COUNTS, LENGTHS)
    assert hmm.fit_result_.verdict == "interior maximum"
    assert np.ptp(hmm.lambdas_, axis=0)[0] < np.ptp(plain.lambdas_, axis=0)[0]
    hmm.save(tmp_path / "hmm.json")
    again = mixtura.load(tmp_path / "hmm.json")
    assert again.lambdas_prior == 40.0
    assert again.score(COUNTS) == hmm.score(COUNTS)
    whole = gaussian("diag", init_params="stmc", tol=1e-6).fit(WAVES, LENGTHS)
    assert whole.fit_result_.converged
    assert (
        GMMHMM(2, 2, weights_prior=3.0, covars_prior=1.0, covars_weight=0.5).fit(WAVES).converged_
    )


@pytest.mark.parametrize(
    ("hmm", "X", "said"),
    [
        (GaussianHMM(2, means_prior=[1.0, 2.0, 3.0]), WAVES, r"means_prior must be one number or"),
        (GaussianHMM(2, covars_prior=-1.0), WAVES, "covars_prior must be finite, 0 or more"),
        (
            GaussianHMM(2, "full", covars_prior=[[1.0, 2.0], [2.0, 1.0]]),
            WAVES,
            "covars_prior must be a symmetric matrix",
        ),
        (GaussianHMM(2, means_weight=-1.0), WAVES, "means_weight"),
        (PoissonHMM(2, lambdas_prior=[[1.0], [2.0]]), COUNTS, "which all states share"),
        (
            CategoricalHMM(2, emissionprob_prior=0.5),
            SYMBOLS,
            "emissionprob_prior must be finite, 1",
        ),
        (GMMHMM(2, covars_prior=-9.0), WAVES, "covars_prior=-9.0 is worth -15 rows"),
    ],
)
def test_priors_that_are_none_are_refused(hmm, X, said):
    with pytest.raises(ValueError, match=said):
        hmm.fit(X)


def test_states_that_a_prior_names_stay_where_it_names_them():
    prior = np.array([[60.0, 1.0], [1.0, 1.0]])
    hmm = PoissonHMM(2, transmat_prior=prior, random_state=0).fit(COUNTS)
    other = hmm.transmat_[::-1, ::-1]
    assert ((prior - 1.0) * np.log(hmm.transmat_ / other)).sum() > 0
