"""The law of first states: free, stationary (maximised with the transitions), or given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from test_known_chains import QUAKES

from mixtura import HiddenMarkov, Regression, load
from mixtura.engines.choose import open_sweep
from mixtura.estimators.chain_task import chain_task
from mixtura.fitting.hidden_markov_fit import prepared_chain
from mixtura.models.stationary import (
    closed_classes,
    first_slope,
    stationary_law,
    stationary_step,
)

DATA = Path(__file__).parents[1] / "reference" / "data"
RNG = np.random.default_rng(0)
G = RNG.dirichlet(np.ones(4), 4)
BARRED = np.array([[0.7, 0.3, 0, 0], [0, 0.5, 0.5, 0], [0.2, 0, 0, 0.8], [0, 0, 0.4, 0.6]])


@pytest.mark.parametrize("moves", [G, BARRED])
def test_the_law_is_left_as_it_is(moves):
    values, vectors = np.linalg.eig(moves.T)
    one = np.real(vectors[:, np.argmin(abs(values - 1))])
    np.testing.assert_allclose(stationary_law(moves), one / one.sum(), atol=1e-12)


@pytest.mark.parametrize("e", [1e-3, 1e-14, 1e-17, 1e-100, 1e-300])
def test_a_chain_that_hardly_moves_has_its_law(e):
    moves = np.array([[1 - e, e], [3 * e, 1 - 3 * e]])
    law = stationary_law(moves)
    np.testing.assert_allclose(law, [0.75, 0.25], rtol=1e-14)
    # log pi_0 = log 3e / (e + 3e): up by 1/4 for each log of a move, and down.
    slope = first_slope(np.array([1.0, 0.0]), moves, law)
    np.testing.assert_allclose(
        [e, 3 * e] * (slope - np.diag(slope)[:, None])[[0, 1], [1, 0]], [-0.25, 0.25], rtol=1e-9
    )


def test_sequences_that_never_switch():
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 0, 0, 8], 20) + rng.normal(size=80)
    model = HiddenMarkov("normal", 2, initial="stationary", random_state=0)
    model.fit(x[:, None], [20] * 4)
    np.testing.assert_allclose(model.initial_, [0.75, 0.25], atol=1e-3)


def test_the_slope_is_that_of_differences():
    starts = np.array([3.0, 0.5, 1.0, 2.0])
    law = stationary_law(G)
    slope = first_slope(starts, G, law)
    for _ in range(5):
        # Along rows that sum to 0, where G stays stochastic.
        step = 1e-6 * (lambda d: d - d.mean(axis=1, keepdims=True))(RNG.normal(size=(4, 4)))
        ends = [starts @ np.log(stationary_law(G + sign * step)) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2 == pytest.approx((slope * step).sum(), rel=1e-5)


def expected(starts, moves, found):
    law = stationary_law(found)
    some = moves > 0
    return starts @ np.log(law) + (moves[some] * np.log(found[some])).sum()


@pytest.mark.parametrize("weight", [0.1, 5.0, 60.0])
def test_the_step_is_a_maximum(weight):
    moves = RNG.uniform(1, 20, (3, 3))
    starts = weight * np.array([1.0, 0.2, 0.1])
    found = stationary_step(starts, moves, np.full((3, 3), 1 / 3))

    def below(free):
        odds = np.exp(np.column_stack([free.reshape(3, 2), np.zeros(3)]))
        return -expected(starts, moves, odds / odds.sum(axis=1, keepdims=True))

    other = minimize(below, np.zeros(6), method="Powell", options={"ftol": 1e-13, "xtol": 1e-10})
    assert expected(starts, moves, found) >= -other.fun - 1e-9
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_steps_keep_zeros_and_never_fall():
    moves = np.where(BARRED > 0, RNG.uniform(0, 3, (4, 4)), 0.0)
    found = stationary_step(np.ones(4), moves, BARRED)
    assert ((found > 0) == (BARRED > 0)).all()
    assert expected(np.ones(4), moves, found) > expected(np.ones(4), moves, BARRED)
    # Nothing expected: nothing moves.
    assert (stationary_step(np.zeros(4), np.zeros((4, 4)), BARRED) == BARRED).all()


def test_closed_classes_are_counted():
    assert [closed_classes(each) for each in (G, BARRED, np.triu(np.ones((3, 3))))] == [1, 1, 1]
    assert closed_classes(np.eye(3)) == 3
    assert closed_classes(np.array([[1, 1, 1], [0, 1, 0], [0, 0, 1]])) == 2


@pytest.mark.parametrize("solver", ["auto", "em", "lbfgs", "newton", "squarem"])
@pytest.mark.parametrize(("K", "loglik"), [(2, -342.3183), (3, -329.4603)])
def test_earthquakes(K, loglik, solver):
    # Zucchini, MacDonald & Langrock (2016), table 3.1: stationary chains.
    found = HiddenMarkov("poisson", K, initial="stationary", random_state=0, solver=solver)
    fit = found.fit(QUAKES).fit_result_
    assert fit.loglik == pytest.approx(loglik, abs=1e-4)
    assert fit.verdict == "interior maximum"
    assert fit.n_parameters == K * (K - 1) + K
    np.testing.assert_allclose(found.initial_ @ found.transitions_, found.initial_, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("initial", ["free", "stationary", "fixed"])
def test_the_chart_has_the_slope_of_differences(initial):
    first = [0.2, 0.8] if initial == "fixed" else None
    settings = {"initial": initial, "first_states": first, "random_state": 0, "max_iter": 2}
    fitted = HiddenMarkov("poisson", 2, **settings, tol=0.0).fit(QUAKES, [40, 67])
    rows = fitted._asked(QUAKES, [40, 67])
    task = chain_task(fitted, fitted.family_, rows)
    _, model = prepared_chain(rows, task, np.random.RandomState(0))
    params = fitted._fitted()[1]
    sweep, chart = open_sweep("compiled", model, rows), model.chart(params)
    assert chart.size == 4 + (initial == "free")
    slope = chart.gradient(sweep(params), params)
    for j, step in enumerate(1e-5 * np.eye(chart.size)):
        ends = [sweep(chart.params(sign * step)).loglik for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[j], rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(chart.coordinates(params), 0.0, atol=1e-12)


def column(name, j=0):
    return np.genfromtxt(DATA / f"{name}.csv", delimiter=",", skip_header=1).reshape(
        -1, 3 if name == "fedfunds" else 1
    )[:, j]


F, A, M = (column(name) for name in ("fedfunds", "areturns", "mumpspc"))


@pytest.mark.parametrize(
    ("family", "X", "loglik", "parameters"),
    [
        ("tied", F[:, None], -508.63592, 5),
        (Regression("gaussian", common_dispersion=True), np.c_[F[:-1], F[1:]], -264.71069, 7),
        (
            Regression("gaussian", common_dispersion=True),
            np.c_[F[3:-1], column("fedfunds", 1)[4:], column("fedfunds", 2)[4:], F[4:]],
            -229.25614,
            11,
        ),
        (Regression("gaussian"), np.c_[A[:-1], A[1:]], -745.7977, 8),
        (Regression("gaussian", intercept=False), np.c_[M[:-1], M[1:]], 131.7225, 6),
    ],
    ids=["constant", "lag", "lag and others", "variances", "through the origin"],
)
def test_switching_regressions(family, X, loglik, parameters):
    # Stata 14's manual of mswitch, as the tests of statsmodels 0.14 have it: the rate of federal
    # funds, and returns; Markov switching with a stationary first state.
    settings = {"initial": "stationary", "random_state": 0, "tol": 1e-9}
    fit = HiddenMarkov(family, 2, **settings).fit(X).fit_result_
    assert fit.loglik == pytest.approx(loglik, abs=5e-5)
    assert fit.n_parameters == parameters


@pytest.mark.parametrize("seed", range(5))
def test_three_regimes(seed):
    # statsmodels 0.14 has -182.27188 from given parameters, and -226.88581 from its own EM.
    X = np.c_[F[3:-1], column("fedfunds", 1)[4:], column("fedfunds", 2)[4:], F[4:]]
    kind = Regression("gaussian", common_dispersion=True)
    settings = {"initial": "stationary", "random_state": seed}
    fit = HiddenMarkov(kind, 3, **settings).fit(X).fit_result_
    assert fit.loglik > -182.27188 - 1e-4


def test_ten_rates_have_a_higher_top_than_published():
    # The last ten: statsmodels 0.14's tests have -7.8553370, where both states are nearly one. The
    # likelihood there is the same here, and both packages find 5.1274 from many starts.
    X = F[-10:, None]
    hmm = HiddenMarkov("tied", 2, initial="stationary", random_state=0, tol=1e-9).fit(X)
    assert hmm.fit_result_.loglik == pytest.approx(5.1274119, abs=1e-6)
    # A move of 1e-10 is about where one is taken for none.
    assert hmm.fit_result_.verdict in ("interior maximum", "boundary")
    stay, come = 0.4632730844384399, 0.45988715644964767
    hmm.transitions_ = np.array([[stay, 1 - stay], [come, 1 - come]])
    hmm.initial_ = np.array([come, 1 - stay]) / (come + 1 - stay)
    hmm.means_ = np.array([[0.37500836547898736], [0.3824200250884957]])
    hmm.covariances_ = np.array([[0.2817165847059599]])
    assert hmm.score(X) == pytest.approx(-7.855336950980284, abs=1e-9)


def test_a_given_law_stays(tmp_path):
    found = HiddenMarkov("poisson", 2, initial="fixed", first_states=[1, 3], random_state=0)
    found.fit(QUAKES)
    np.testing.assert_array_equal(found.initial_, [0.25, 0.75])
    assert found.fit_result_.n_parameters == 4
    assert found.fit_result_.verdict == "interior maximum"
    free = HiddenMarkov("poisson", 2, random_state=0).fit(QUAKES)
    assert found.fit_result_.loglik < free.fit_result_.loglik
    found.save(tmp_path / "m.json")
    assert load(tmp_path / "m.json").initial == "fixed"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initial": "fixed"}, "give it as first_states"),
        ({"initial": "stationary", "first_states": [1, 1]}, "first state follows the transitions"),
        ({"initial": "stationary", "transitions": np.eye(2)}, "2 sets of states are never left"),
        ({"initial": "free-ish"}, "The 'initial' parameter"),
    ],
)
def test_laws_that_are_none_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 2, **settings).fit(QUAKES)
