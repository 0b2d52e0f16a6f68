"""Known maxima of mixtures of regressions and of latent classes with a concomitant.

NOdata: mixtools (Benaglia et al. 2009, J. Statistical Software 32), `regmixEM`. The balance scale:
depmixS4 (Visser & Speekenbrink 2010, J. Statistical Software 36), whose page has -917.5 for three
classes and BIC 1969.2, 1941.6, 1950.4 for two, three and four.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mixtura

DATA = Path(__file__).parent / "data"
# Children who answered four items of the balance scale right (1) or wrong (0), by age in years.
BALANCE = """5 0000:1
6 0000:13 0100:2
7 0000:39 0001:1 0011:1 0101:3 0111:1 1101:1 1111:2
8 0000:45 0100:2 0101:2 0111:1 1011:1 1110:1 1111:9
9 0000:32 0001:2 0100:1 0101:6 0111:2 1000:1 1001:1 1101:4 1110:1 1111:37
10 0000:25 0001:1 0011:2 0100:2 0111:1 1000:1 1011:5 1101:2 1110:2 1111:51
11 0000:19 0001:2 0011:1 0100:3 0111:4 1001:3 1010:1 1011:3 1100:2 1101:4 1110:2 1111:35
12 0000:13 0001:2 0010:3 0011:1 0111:6 1000:1 1010:1 1011:1 1101:2 1111:46
13 0000:5 0001:1 0010:1 0101:3 0111:1 1000:1 1101:3 1110:1 1111:54
14 0000:3 0111:1 1000:1 1010:1 1011:2 1100:1 1101:1 1110:1 1111:64
15 0000:3 0111:1 1010:1 1011:2 1110:1 1111:64
16 0000:2 0111:1 1011:1 1101:1 1110:2 1111:47
17 0000:1 0010:1 1101:3 1111:29
18 0100:1 0111:1 1111:10
19 0000:1 1100:1 1111:1"""


def balance() -> tuple[np.ndarray, np.ndarray]:
    """(rows of four items and age, how many children each stands for)."""
    X, n = [], []
    for line in BALANCE.splitlines():
        age, *patterns = line.split()
        for pattern, count in (part.split(":") for part in patterns):
            X.append([*map(int, pattern), int(age)])
            n.append(int(count))
    return np.array(X, dtype=float), np.array(n, dtype=float)


@pytest.mark.parametrize("seed", range(3))
def test_two_lines_of_the_ethanol_engine(seed: int) -> None:
    X = np.loadtxt(DATA / "ethanol.csv", delimiter=",", skiprows=1)
    lines = mixtura.MixtureRegression(2, random_state=seed, tol=1e-10).fit(X[:, :1], X[:, 1])
    first, second = np.argsort(lines.intercept_)
    assert lines.fit_result_.loglik == pytest.approx(122.038356, abs=1e-6)
    assert lines.fit_result_.verdict == "interior maximum"
    assert lines.weights_[first] == pytest.approx(0.489724, abs=2e-6)
    np.testing.assert_allclose(lines.intercept_[[first, second]], [0.564986, 1.247081], atol=2e-6)
    np.testing.assert_allclose(lines.coef_[[first, second], 0], [0.085023, -0.083], atol=2e-6)
    widths = np.sqrt(lines.dispersion_[[first, second]])
    np.testing.assert_allclose(widths, [0.043313, 0.024141], atol=2e-6)


@pytest.mark.parametrize(("K", "bic"), [(2, 1969.2), (3, 1941.6), (4, 1950.4)])
def test_classes_of_the_balance_scale_by_age(K: int, bic: float) -> None:
    X, n = balance()
    classes = mixtura.Mixture("bernoulli", K, concomitants=[4], random_state=0, tol=1e-8)
    classes.fit(X, sample_weight=n)
    assert classes.bic(X, sample_weight=n) == pytest.approx(bic, abs=0.05)
    if K == 3:
        assert classes.fit_result_.loglik == pytest.approx(-917.5329, abs=5e-5)
    # Older children are in the class that answers right.
    right = np.argmax(classes.bernoulli_probabilities_.sum(axis=1))
    assert np.argmax(classes.concomitant_coef_[:, 0]) == right


# Deaths among patients of 22 centres without and with a beta blocker: Yusuf et al. (1985), Progress
# in Cardiovascular Diseases 27.
CONTROL = """3/39 14/116 11/93 127/1520 27/365 6/52 152/939 48/471 37/282 188/1921 52/583
47/266 16/293 45/883 31/147 38/213 12/122 6/154 3/134 40/218 43/364 39/674"""
TREATED = """3/38 7/114 5/69 102/1533 28/355 4/59 98/945 60/632 25/278 138/1916 64/873 45/263
9/291 57/858 25/154 33/207 28/251 8/151 6/174 32/209 27/391 22/680"""


@pytest.mark.parametrize("seed", range(2))
def test_centres_share_a_group_where_no_transition_leaves_it(seed: int) -> None:
    """The figures are flexmix's (Grün & Leisch 2008, J. Statistical Software 28): three groups of
    centres with intercepts of their own, one effect of treatment."""
    arms = [
        [[treated, *map(int, reversed(arm.split("/")))] for arm in text.split()]
        for treated, text in ((0, CONTROL), (1, TREATED))
    ]
    X = np.array([row for both in zip(*arms, strict=True) for row in both], dtype=float)
    kind = mixtura.Regression("binomial", covariates=(0,), trials=1, common=(0,))
    found = mixtura.HiddenMarkov(kind, 3, transitions=np.eye(3), random_state=seed, tol=1e-9)
    found.fit(X, lengths=[2] * 22)
    assert found.fit_result_.loglik == pytest.approx(-159.3605, abs=1e-4)
    assert found.fit_result_.n_parameters == 6
    np.testing.assert_allclose(found.coefficients_[:, 1], -0.25818, atol=1e-5)
    assert np.ptp(found.coefficients_[:, 0]) > 1.0
