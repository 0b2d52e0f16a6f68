"""Hidden Markov models whose maxima others have published."""

from __future__ import annotations

import csv
import gzip
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest

from mixtura import Block, GaussianHMM, HiddenMarkov, PoissonHMM, Product

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "hmm"
needs = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not here")

# Major earthquakes of each year, 1900 to 2006: Zucchini, MacDonald & Langrock (2016), Hidden Markov
# Models for Time Series, appendix.
QUAKES = np.fromstring(
    """13 14 8 10 16 26 32 27 18 32 36 24 22 23 22 18 25 21 21 14 8 11 14 23 18 17 19 20 22 19
    13 26 13 14 22 24 21 22 26 21 23 24 27 41 31 27 35 26 28 36 39 21 17 22 17 19 15 34 10 15
    22 18 15 20 15 22 19 16 30 27 29 23 20 16 21 21 25 16 18 15 18 14 10 15 8 15 6 11 8 7
    18 16 13 12 13 20 15 16 12 18 15 16 13 15 16 11 11""",
    sep=" ",
)[:, None]


@pytest.mark.parametrize(("K", "loglik"), [(2, -341.8787), (3, -328.5275)])
def test_earthquakes(K, loglik):
    # Zucchini, MacDonald & Langrock, table 3.1, with a free law of the first state.
    found = HiddenMarkov("poisson", K, random_state=0).fit(QUAKES)
    assert found.fit_result_.loglik == pytest.approx(loglik, abs=1e-4)
    assert found.fit_result_.verdict == "interior maximum"


def test_a_family_of_ones_own():
    example = Path(__file__).parents[2] / "examples" / "poisson_family.py"
    counts = runpy.run_path(str(example))["Counts"]
    found = HiddenMarkov(counts(), 2, random_state=0).fit(QUAKES)
    assert found.fit_result_.loglik == pytest.approx(-341.8787, abs=1e-4)


def speed():
    with open(REFERENCE / "speed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row["rt"]), float(row["corr"] == "cor")] for row in rows])


@needs
@pytest.mark.parametrize(
    ("K", "lengths", "loglik"),
    [(1, None, -305.330940), (2, None, -88.730584), (2, [168, 134, 137], -84.341714)],
)
def test_reaction_times(K, lengths, loglik):
    # depmixS4 (Visser & Speekenbrink 2010, J. Statistical Software 36), and its vignette.
    found = HiddenMarkov("full", K, random_state=0, tol=1e-9).fit(speed()[:, :1], lengths)
    assert found.fit_result_.loglik == pytest.approx(loglik, abs=2e-6)


@needs
def test_reaction_times_and_answers():
    # depmixS4's tests/test1speed.R: the likelihood at parameters that are given, then a maximum.
    kinds = Product([Block("normal", [0]), Block("categorical", [1])])
    X, lengths = speed(), [168, 134, 137]
    found = HiddenMarkov(kinds, 2, random_state=0, tol=1e-9).fit(X, lengths)
    assert found.fit_result_.loglik == pytest.approx(-296.107777, abs=1e-5)
    found.initial_, found.transitions_ = (
        np.array([0.0, 1.0]),
        np.array([[0.899, 0.101], [0.084, 0.916]]),
    )
    found.normal_means_ = np.array([[5.52], [6.39]])
    found.normal_variances_ = np.array([[0.202**2], [0.24**2]])
    found.categorical_probabilities_ = np.array([[0.472, 0.528], [0.098, 0.902]])
    assert found.score(X, lengths) == pytest.approx(-296.115107102, abs=1e-8)


@needs
@pytest.mark.parametrize(
    ("K", "loglik", "size"),
    [(1, -14943.7253, 4), (2, -13921.0909, 11), (3, -13557.2050, 20), (4, -13392.9323, 31)],
)
def test_self_rated_health(K, loglik, size):
    # LMest (Bartolucci, Pandolfi & Pennoni 2017, J. Statistical Software 81), 1,718 people seen
    # seven times, homogeneous transitions.
    with gzip.open(REFERENCE / "RLMSlong.csv.gz", "rt") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (int(row["id"]), int(row["time"])))
    X = np.array([[int(row["value"]) - 1] for row in rows])
    found = HiddenMarkov("categorical", K, random_state=0).fit(X, [7] * 1718)
    assert found.fit_result_.loglik == pytest.approx(loglik, abs=1e-4)
    assert found.fit_result_.n_parameters == size


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_fitted_one_goes_through_pickle(covariance_type):
    X = np.vstack([np.random.default_rng(0).normal(size=(60, 2)), np.full((40, 2), 5.0)])
    X[60:] += np.random.default_rng(1).normal(size=(40, 2))
    found = GaussianHMM(2, covariance_type=covariance_type, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    assert found.predict_proba(X).max() <= 1.0
    assert found.n_features == 2
    law = found.get_stationary_distribution()
    np.testing.assert_allclose(law @ found.transmat_, law, atol=1e-12)
    assert found.sample(5, random_state=0, currstate=1)[1][0] == 1


def test_what_is_set_by_hand_is_looked_at():
    hmm = GaussianHMM(2, covariance_type="diag")
    hmm.means_, hmm.covars_ = np.array([[0.0, 0.0], [5.0, 5.0]]), np.ones((2, 2))
    hmm.startprob_, hmm.transmat_ = np.array([0.5, 0.5]), np.full((2, 2), 0.5)
    X = np.zeros((4, 2))
    assert np.isfinite(hmm.score(X))
    for name, wrong, told in (
        ("startprob_", [5, 6], "startprob_"),
        ("transmat_", [[3, 1], [1, 0.9]], "transmat_"),
        ("transmat_", np.full((3, 3), 1 / 3), r"transmat_ is of shape \(3, 3\)"),
    ):
        kept = getattr(hmm, name)
        setattr(hmm, name, wrong)
        with pytest.raises(ValueError, match=told):
            hmm.score(X)
        setattr(hmm, name, kept)
    assert PoissonHMM(2, random_state=0).fit(QUAKES, [50.0, 57.0]).sample(3)[0].dtype == np.int64
