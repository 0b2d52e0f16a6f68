"""States that last by a law of their own: every sequence of stays, the plain model, fits."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

import mixtura
from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences
from mixtura.engines.native.stays import longest, stays
from mixtura.engines.stays import StaySweep, recursion
from mixtura.families.normal import Normal
from mixtura.families.priors import Flat
from mixtura.models.semi_markov import SemiMarkov, SemiMarkovParams
from mixtura.models.stay_laws import LAWS, lengths_of, mean_lengths
from mixtura.models.stay_recursions import in_logarithms
from tests.hmm.pairs import in_pairs

RNG = np.random.default_rng(8)


def planted(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(steps (n, 1), states): stays of 1 + Poisson(14) and of 1 + Poisson(4) steps."""
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.poisson(np.tile([14, 4], n))
    state = np.repeat(np.tile([0, 1], n), lengths)[:n]
    return rng.normal(np.array([0.0, 2.0])[state])[:, None], state


X, STATE = planted(600)


def rule(K: int, D: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(K), K)
    np.fill_diagonal(moves, 0.0)
    leave = rng.uniform(0.1, 0.9, size=(K, D))
    leave[0, 0] = 0.0
    return rng.dirichlet(np.ones(K)), moves / moves.sum(axis=1)[:, None], leave


def segments(path):
    """(state, length) of each stay."""
    cuts = [0, *(t for t in range(1, len(path)) if path[t] != path[t - 1]), len(path)]
    return [(path[a], b - a) for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("law", "numbers", "pmf"),
    [
        ("poisson", [[1.7], [0.4], [3.0]], lambda k: stats.poisson([1.7, 0.4, 3.0][k], loc=1)),
        (
            "negativebinomial",
            [[2.0, 0.7], [0.5, 3.0], [4.0, 10.0]],
            lambda k: stats.nbinom([0.7, 3, 10][k], [0.7 / 2.7, 3 / 3.5, 10 / 14][k], loc=1),
        ),
        ("geometric", [[0.3], [0.6], [0.1]], lambda k: stats.geom([0.3, 0.6, 0.1][k])),
    ],
)
def test_every_sequence_of_stays_at_scipys_lengths(law, numbers, pmf):
    T, K = 5, 3
    initial, moves, _ = rule(K, 2)
    b = 2 * RNG.normal(size=(T, K))
    leave = LAWS[law].leave(np.array(numbers), T)
    total, posterior, best = 0.0, np.zeros((T, K)), (-1.0, ())
    laws = [pmf(k) for k in range(K)]
    ends = np.array([law.pmf(np.arange(1, T + 1)) for law in laws])
    beyond = np.array([law.sf(np.arange(T)) for law in laws])
    for path in product(range(K), repeat=T):
        p = initial[path[0]] * np.exp(b[np.arange(T), path].sum())
        whole = segments(path)
        for (k, u), (j, _) in pairwise(whole):
            p *= ends[k, u - 1] * moves[k, j]
        # The last stay is cut off: it lasts so long, or longer.
        p *= beyond[whole[-1][0], whole[-1][1] - 1]
        total += p
        posterior[np.arange(T), path] += p
        best = max(best, (p, path))
    found = stays((initial, moves, leave), b, np.array([T]))
    assert found.loglik[0] == pytest.approx(np.log(total), abs=1e-11)
    np.testing.assert_allclose(found.posterior, posterior / total, atol=1e-11)
    value, states = longest((initial, moves, leave), b, np.array([T]))
    assert value[0] == pytest.approx(np.log(best[0]), abs=1e-11)
    assert tuple(states) == best[1]


@pytest.mark.parametrize(("K", "D"), [(2, 3), (3, 2), (3, 9), (4, 40)])
def test_c_is_the_plain_chain_of_pairs(K, D):
    """Also the sums, of several sequences with weights, one shorter than the tail."""
    b, ends = 3 * RNG.normal(size=(60, K)), np.array([1, 3, 33, 60])
    b[40] = 0.0
    weight = np.array([2.0, 0.5, 1.0, 3.0])
    one = in_pairs(rule(K, D), b, ends, weight)
    for other in (each(rule(K, D), b, ends, weight) for each in (recursion, in_logarithms)):
        np.testing.assert_allclose(one[0], other[0], atol=1e-11)
        np.testing.assert_allclose(one[1], other[1], atol=1e-11)
        for name in ("met", "ended", "stayed"):
            np.testing.assert_allclose(getattr(one[2], name), getattr(other[2], name), atol=1e-10)


def test_what_was_seen_before_foretells_a_step():
    b, law = RNG.normal(size=(7, 3)), rule(3, 3)
    found = stays(law, b, np.array([7]), back=False)
    for t in range(1, 7):
        nobody = np.vstack([b[:t], np.zeros((1, 3))])
        ahead = stays(law, nobody, np.array([t + 1])).posterior[-1]
        np.testing.assert_allclose(found.ahead[t], ahead, atol=1e-12)


@pytest.mark.parametrize("most", [2, 700])
def test_geometric_lengths_are_the_plain_model(most):
    plain = HiddenMarkov("diag", 3, random_state=0).fit(X)
    semi = HiddenMarkov("diag", 3, durations="geometric", max_duration=most, random_state=0).fit(X)
    stay = np.diag(plain.transitions_)
    semi.stays_ = 1.0 - stay[:, None]
    semi.transitions_ = (plain.transitions_ - np.diag(stay)) / semi.stays_
    for name in ("initial_", "means_", "covariances_", "weights_"):
        setattr(semi, name, getattr(plain, name))
    rows = X.copy()
    rows[50:60] = np.nan
    lengths = [250, 1, 349]
    assert semi.score(rows, lengths) == pytest.approx(plain.score(rows, lengths), abs=1e-10)
    assert semi.decode(rows, lengths)[0] == pytest.approx(plain.decode(rows, lengths)[0], abs=1e-9)
    for name in ("predict_proba", "filter"):
        one, other = (getattr(each, name)(rows, lengths) for each in (semi, plain))
        np.testing.assert_allclose(one, other, atol=1e-10)
    for one, other in (
        (semi.forecast(rows, 4, lengths), plain.forecast(rows, 4, lengths)),
        (semi.pseudo_residuals(rows, lengths), plain.pseudo_residuals(rows, lengths)),
    ):
        np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("mean", [0.3, 8.0, 300.0])
def test_hazards_are_scipys_also_far_out(mean):
    u = np.arange(1, 2001)
    found = LAWS["poisson"].leave(np.array([[mean]]), 2000)[0]
    law = stats.poisson(mean, loc=1)
    near = law.sf(u - 1) > 1e-250
    exact = np.exp(law.logpmf(u) - law.logsf(u - 1))
    np.testing.assert_allclose(found[near], exact[near], rtol=1e-8)
    assert ((found >= 0) & (found <= 1)).all()
    wide = stats.nbinom(2.5, 2.5 / (2.5 + mean), loc=1)
    found = LAWS["negativebinomial"].leave(np.array([[mean, 2.5]]), 2000)[0]
    near = wide.sf(u - 1) > 1e-250
    exact = np.exp(wide.logpmf(u) - wide.logsf(u - 1))
    np.testing.assert_allclose(found[near], exact[near], rtol=1e-8)
    # Beyond, the ratio of neighbours stands for it.
    np.testing.assert_allclose(found[~near], 1 - 1 / (1 + 2.5 / mean), atol=0.01)


@pytest.mark.parametrize("law", ["poisson", "negativebinomial", "geometric"])
def test_laws_of_seen_lengths_are_at_their_top(law):
    """Against a grid around them, of stays of which one in five was cut off."""
    D, n = 80, 400
    drawn = 1 + RNG.negative_binomial(3, 3 / 13, size=n)
    cut = RNG.uniform(size=n) < 0.2
    ended, stayed = np.zeros((1, D)), np.zeros((1, D))
    for u, censored in zip(drawn, cut, strict=True):
        stayed[0, : u - 1] += 1
        ended[0, u - 1] += not censored
    kind = LAWS[law]
    at = kind.begun(np.array([5.0]), D)
    for _ in range(20):
        at = kind.maximised(ended, stayed, at)

    def value(numbers):
        leave = kind.leave(numbers, D)
        return float((ended * np.log(leave) + stayed * np.log1p(-leave))[ended + stayed > 0].sum())

    for change in (0.97, 1.03):
        for i in range(at.shape[1]):
            beside = at.copy()
            beside[0, i] *= change
            assert value(beside) < value(at)


def test_lengths_and_their_means():
    leave = LAWS["poisson"].leave(np.array([[4.0]]), 60)
    lengths = lengths_of(leave)
    assert lengths.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(lengths[0, :20], stats.poisson(4, loc=1).pmf(np.arange(1, 21)))
    assert mean_lengths(leave)[0] == pytest.approx(5.0)
    assert mean_lengths(np.full((1, 3), 0.1))[0] == pytest.approx(10.0)


def test_planted_lengths_are_found(tmp_path):
    hmm = HiddenMarkov("diag", 2, durations="poisson", max_duration=50, random_state=0).fit(X)
    np.testing.assert_allclose(hmm.stays_[:, 0], [14.0, 4.0], rtol=0.2)
    assert (np.diff(hmm.lower_bounds_) >= -1e-12).all()
    plain = HiddenMarkov("diag", 2, random_state=0).fit(X)
    assert hmm.bic(X) < plain.bic(X) - 10
    assert hmm.fit_result_.n_parameters == 1 + 0 + 2 + 4
    assert (hmm.predict(X) == STATE).mean() > (plain.predict(X) == STATE).mean()
    hmm.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.score(X) == hmm.score(X)
    np.testing.assert_array_equal(again.predict(X), hmm.predict(X))
    assert "once a stay ends" in again.summary()


def test_a_size_without_end_is_the_poisson_law():
    asked = {"max_duration": 40, "random_state": 0}
    wide = HiddenMarkov("diag", 2, durations="negativebinomial", **asked).fit(X).fit_result_
    plain = HiddenMarkov("diag", 2, durations="poisson", **asked).fit(X).fit_result_
    assert wide.verdict == "boundary"
    assert "Poisson" in wide.certificate.detail
    assert wide.loglik == pytest.approx(plain.loglik, abs=2e-3)
    assert plain.verdict == "interior maximum"


def test_known_states_are_counted_as_they_lasted():
    """Kaplan and Meier's hazards of the stays, of which the last was cut off."""
    hmm = HiddenMarkov("diag", 2, durations="free", max_duration=30, random_state=0)
    hmm.fit(X, states=STATE)
    whole = [(k, u) for k, u in segments(tuple(STATE))]
    for k in range(2):
        done = np.array([u for i, u in whole[:-1] if i == k])
        cut = np.array([u for i, u in whole[-1:] if i == k])
        for u in (5, 10, 14):
            at_risk = (done >= u).sum() + (cut > u).sum()
            if at_risk:
                known = (done == u).sum() / at_risk
                assert hmm.stays_[k, u - 1] == pytest.approx(known, abs=1e-9)


def test_drawn_stays_are_as_long_as_their_law():
    hmm = HiddenMarkov("diag", 2, durations="negativebinomial", random_state=0).fit(X)
    hmm.stays_ = np.array([[9.0, 3.0], [2.0, 1.0]])
    _, drawn = hmm.sample(60_000, random_state=0)
    for k, law in enumerate((stats.nbinom(3, 3 / 12, loc=1), stats.nbinom(1, 1 / 3, loc=1))):
        lengths = np.array([u for i, u in segments(tuple(drawn))[:-1] if i == k])
        assert lengths.mean() == pytest.approx(law.mean(), rel=0.05)
        assert lengths.var() == pytest.approx(law.var(), rel=0.15)


def test_weights_one_state_and_checkpoints(tmp_path):
    asked = {"durations": "poisson", "max_duration": 30, "random_state": 0}
    twice = HiddenMarkov("diag", 2, **asked).fit(X, [300, 300], sample_weight=[2, 1])
    copied = HiddenMarkov("diag", 2, **asked)
    copied.fit([X[:300], X[:300], X[300:]], checkpoint=tmp_path / "c")
    assert twice.fit_result_.loglik == pytest.approx(copied.fit_result_.loglik, abs=1e-3)
    alone = HiddenMarkov("diag", 1, **asked).fit(X)
    assert not hasattr(alone, "stays_")
    assert alone.score(X) == HiddenMarkov("diag", 1, random_state=0).fit(X).score(X)


def test_a_step_that_only_a_barred_state_could_emit():
    """Far out, where only a state that cannot be there has a density in plain numbers."""
    b = np.array([[0.0, -5.0], [-3000.0, 0.0], [0.0, -5.0]])
    leave = np.array([[0.0, 0.0], [0.5, 0.5]])
    law = np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), leave
    assert stays(law, b, np.array([3])).loglik[0] == pytest.approx(-3000.0)
    b[:, 0] = -np.inf
    assert np.isneginf(stays(law, b, np.array([3])).loglik[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initial": "stationary"}, "durations: a sequence's first stay begins with it"),
        ({"tied_rows": [0, 0]}, "with durations none of them may go on to another"),
        ({"durations": "free"}, "give max_duration"),
        ({"topology": "left-right"}, "state 1 is never left"),
        ({"max_duration": 1}, "max_duration"),
        ({"durations": "weibull"}, "durations"),
    ],
)
def test_what_does_not_go_together_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("diag", 2, **{"durations": "poisson", **settings}).fit(X)


@pytest.mark.parametrize(
    ("law", "numbers"),
    [
        ("poisson", [[5.0], [12.0]]),
        ("negativebinomial", [[5.0, 2.0], [12.0, 6.0]]),
        ("geometric", [[0.1], [0.3]]),
        ("free", [[0.1, 0.2, 0.3, 0.4, 0.5], [0.3, 0.2, 0.5, 0.1, 0.2]]),
    ],
)
def test_the_chart_has_the_slope_of_differences(law, numbers):
    most = 5 if law == "free" else 30
    components = HiddenMarkov("normal", 2, random_state=0).fit(X)._fitted()[1].components
    model = SemiMarkov(Normal(), Flat(), barred=(0, 2), law=law, longest=most)
    half = np.array([0.5, 0.5])
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    params = SemiMarkovParams(half, components, half, swap, np.array(numbers))
    sweep, chart = StaySweep(model, Sequences(X)), model.chart(params)
    assert chart.size == model.n_parameters(params)
    slope = chart.gradient(sweep(params), params)
    for j, step in enumerate(1e-5 * np.eye(chart.size)):
        ends = [sweep(chart.params(sign * step)).loglik for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[j], rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(chart.coordinates(params), 0.0, atol=1e-12)


def test_standard_errors_of_geometric_lengths_are_the_plain_models():
    asked = {"random_state": 0, "tol": 1e-9}
    semi = HiddenMarkov("diag", 2, durations="geometric", max_duration=5, **asked).fit(X)
    plain = HiddenMarkov("diag", 2, **asked).fit(X)
    assert semi.fit_result_.verdict == plain.fit_result_.verdict
    told, known = semi.standard_errors(X), plain.standard_errors(X)
    np.testing.assert_allclose(told["stays"][:, 0], np.diag(known["transitions"]), rtol=1e-3)
    np.testing.assert_allclose(told["means"], known["means"], rtol=1e-3)
