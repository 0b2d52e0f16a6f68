"""Which transitions there are, by name, and rows of transitions that are one."""

from __future__ import annotations

import numpy as np
import pytest

import mixtura
from mixtura import HiddenMarkov, HiddenMarkovSearch
from mixtura.estimators.chain_laws import TOPOLOGIES

RNG = np.random.default_rng(11)
RUNS = np.repeat([0, 1, 2, 0, 1, 2, 0, 1, 2], RNG.integers(10, 20, size=9))
COUNTS = RNG.poisson(np.array([2.0, 7.0, 15.0])[RUNS])[:, None]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("left-right", [[1, 1, 1], [0, 1, 1], [0, 0, 1]]),
        ("linear", [[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
        ("cyclic", [[1, 1, 0], [0, 1, 1], [1, 0, 1]]),
        ("banded", [[1, 1, 0], [1, 1, 1], [0, 1, 1]]),
    ],
)
def test_names_stand_for_zeros_that_stay(name, there, tmp_path):
    np.testing.assert_array_equal(TOPOLOGIES[name](3), there)
    hmm = HiddenMarkov("poisson", 3, topology=name, random_state=0).fit(COUNTS)
    assert ((hmm.transitions_ == 0) | (np.array(there) > 0)).all()
    forward = name in ("left-right", "linear")
    assert not forward or hmm.initial_.tolist() == [1.0, 0.0, 0.0]
    asked = hmm.fit_result_.n_parameters
    assert asked == 3 + int(np.sum(there)) - 3 + (0 if forward else 2)
    hmm.save(tmp_path / "m.json")
    assert mixtura.load(tmp_path / "m.json").topology == name


def test_a_cycle_is_found():
    hmm = HiddenMarkov("poisson", 3, topology="cyclic", random_state=0).fit(COUNTS)
    order = np.argsort(hmm.rates_[:, 0])
    place = np.argsort(order)
    assert (place[hmm.predict(COUNTS)] == RUNS).mean() > 0.9


def test_tied_rows_are_pooled_moves(tmp_path):
    """Where all states are known, the M-step is counting: rows of one label together."""
    hmm = HiddenMarkov("poisson", 3, tied_rows=["a", "b", "b"], random_state=0)
    hmm.fit(COUNTS, states=RUNS)
    moves = np.zeros((3, 3))
    np.add.at(moves, (RUNS[:-1], RUNS[1:]), 1.0)
    pooled = moves[1] + moves[2]
    np.testing.assert_allclose(hmm.transitions_[1], pooled / pooled.sum(), atol=1e-6)
    np.testing.assert_array_equal(hmm.transitions_[1], hmm.transitions_[2])
    np.testing.assert_allclose(hmm.transitions_[0], moves[0] / moves[0].sum(), atol=1e-6)
    hmm.save(tmp_path / "m.json")
    assert mixtura.load(tmp_path / "m.json").score(COUNTS) == hmm.score(COUNTS)


@pytest.mark.parametrize("solver", ["em", "lbfgs", "newton"])
def test_every_solver_ends_at_one_top_of_tied_rows(solver):
    hmm = HiddenMarkov("poisson", 3, tied_rows=[0, 1, 1], solver=solver, tol=1e-9, random_state=0)
    fit = hmm.fit(COUNTS).fit_result_
    assert fit.verdict == "interior maximum"
    np.testing.assert_array_equal(hmm.transitions_[1], hmm.transitions_[2])
    assert fit.n_parameters == 3 + 2 + 2 * 2
    best = HiddenMarkov("poisson", 3, tied_rows=[0, 1, 1], random_state=0).fit(COUNTS)
    assert fit.loglik == pytest.approx(best.fit_result_.loglik, abs=1e-3)
    free = HiddenMarkov("poisson", 3, random_state=0).fit(COUNTS)
    assert fit.loglik < free.fit_result_.loglik


def test_standard_errors_of_tied_rows_are_one():
    hmm = HiddenMarkov("poisson", 2, tied_rows=[0, 0], random_state=0, tol=1e-9).fit(COUNTS)
    told = hmm.standard_errors(COUNTS)["transitions"]
    np.testing.assert_allclose(told[0], told[1])
    # Rows all alike are a mixture, whose weights have a binomial error at least.
    assert (told[0] > np.sqrt(np.prod(hmm.transitions_[0]) / len(COUNTS))).all()


def test_starts_until_one_more_hardly_helps():
    hmm = HiddenMarkov("poisson", 3, n_init="auto", random_state=0).fit(COUNTS)
    chance = hmm.fit_result_.chance_of_higher
    assert chance is not None
    assert chance <= 0.01
    search = HiddenMarkovSearch(HiddenMarkov("poisson", n_init="auto"), [2, 3, 4], random_state=0)
    assert search.fit(COUNTS).best_params_ == {"n_states": 3}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"topology": "banded", "transitions": np.ones((3, 3))}, "leave one of them out"),
        ({"tied_rows": [0, 1]}, "a label for each of the 3 states"),
        ({"tied_rows": [0, 0, 1], "topology": "left-right"}, r"states \[0, 1\] have one row"),
        ({"tied_rows": [0, 0, 1], "initial": "stationary"}, "rows cannot be tied"),
        ({"n_init": "many"}, "n_init"),
    ],
)
def test_what_contradicts_itself_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 3, **settings).fit(COUNTS)


def test_blocks_that_none_leaves_are_a_mixture_of_chains():
    blocks = np.kron(np.eye(2), np.ones((2, 2)))
    paces = [np.tile([2, 12], 30), np.repeat([2, 12, 2, 12, 2, 12], 10)]
    people = [RNG.poisson(paces[i % 2])[:, None] for i in range(20)]
    whole = HiddenMarkov("poisson", 4, transitions=blocks, random_state=0).fit(people)
    weights = whole.initial_.reshape(2, 2).sum(axis=1)
    np.testing.assert_allclose(weights, 0.5, atol=1e-6)
    told = []
    for g, own in enumerate((slice(0, 2), slice(2, 4))):
        part = HiddenMarkov("poisson", 2, random_state=0).fit(people)
        part.initial_ = whole.initial_[own] / weights[g]
        part.transitions_, part.rates_ = whole.transitions_[own, own], whole.rates_[own]
        told.append([part.score(x) for x in people])
    known = np.logaddexp(
        *(np.log(w) + np.array(each) for w, each in zip(weights, told, strict=True))
    )
    assert whole.score(people) == pytest.approx(known.sum(), abs=1e-8)
    # One law between groups, one first state in each, and within each two transitions and rates.
    assert whole.fit_result_.n_parameters == 3 + 4 + 4
