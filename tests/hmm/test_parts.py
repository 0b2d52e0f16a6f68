"""Sequences that are read part by part, one of them in memory: the fit of the whole table."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mixtura import GaussianHMM, HiddenMarkov, HiddenMarkovSearch

RNG = np.random.default_rng(2)
LENGTHS = RNG.integers(20, 60, size=40)
STATES = np.concatenate([np.repeat([0, 1], [n // 2, n - n // 2]) for n in LENGTHS])
X = RNG.poisson(np.array([2.0, 9.0])[STATES])[:, None].astype(float)
WALKS = np.split(X, np.cumsum(LENGTHS)[:-1])


def pairs():
    """Five walks at a time."""
    for i in range(0, len(WALKS), 5):
        some = WALKS[i : i + 5]
        yield np.concatenate(some), [len(each) for each in some]


@pytest.mark.parametrize("read", [lambda: iter(WALKS), pairs])
def test_parts_are_the_table(read):
    whole = HiddenMarkov("poisson", 2, random_state=0).fit(X, LENGTHS)
    parts = HiddenMarkov("poisson", 2, random_state=0).fit(read)
    assert parts.fit_result_.loglik == pytest.approx(parts.score(X, LENGTHS), abs=1e-8)
    np.testing.assert_allclose(parts.rates_, whole.rates_, rtol=1e-10)
    np.testing.assert_allclose(parts.transitions_, whole.transitions_, atol=1e-10)
    assert parts.fit_result_.verdict == "interior maximum"
    assert parts.fit_result_.rows == len(X)
    told = [fit.fit_result_ for fit in (whole, parts)]
    assert [fit.engine for fit in told] == ["compiled", "compiled"]
    assert told[0].passes == told[1].passes


def test_covariates_and_steps_nobody_saw_are_read_part_by_part():
    beside = np.column_stack([X, np.sin(np.arange(len(X)))])
    beside[::7, 0] = np.nan
    parts = np.split(beside, np.cumsum(LENGTHS)[[9, 19, 29]])
    sizes = np.split(LENGTHS, [10, 20, 30])
    for name in ("covariates", "initial_covariates"):
        chain = {name: [1], "tol": 1e-9, "random_state": 0}
        whole = HiddenMarkov("poisson", 2, **chain).fit(beside, LENGTHS)
        apart = HiddenMarkov("poisson", 2, **chain).fit(lambda: zip(parts, sizes, strict=True))
        assert apart.fit_result_.loglik == pytest.approx(whole.fit_result_.loglik, rel=1e-12)
        np.testing.assert_allclose(apart.transitions_, whole.transitions_, atol=1e-5)


def test_a_fit_of_parts_goes_on_from_its_checkpoint(tmp_path: Path):
    calls, path = [0], tmp_path / "chain.checkpoint"

    def interrupted():
        calls[0] += 1
        if calls[0] > 8:
            raise KeyboardInterrupt
        return iter(WALKS)

    with pytest.raises(KeyboardInterrupt):
        HiddenMarkov("poisson", 2, random_state=0).fit(interrupted, checkpoint=path)
    assert path.exists()
    found = HiddenMarkov("poisson", 2, random_state=0).fit(lambda: iter(WALKS), checkpoint=path)
    whole = HiddenMarkov("poisson", 2, random_state=0).fit(lambda: iter(WALKS))
    np.testing.assert_array_equal(found.rates_, whole.rates_)
    assert not path.exists()


def test_files_are_read_one_at_a_time(tmp_path: Path):
    # 24,000 steps in files: more than what starts are made of.
    rng, steps = np.random.default_rng(1), 300
    for i in range(80):
        state = np.cumsum(rng.uniform(size=steps) < 0.05) % 2
        np.save(
            tmp_path / f"{i:02}.npy",
            np.array([0.0, 4.0])[state, None] + rng.normal(size=(steps, 1)),
        )
    files = sorted(tmp_path.glob("*.npy"))
    opened: list[Path] = []

    def read():
        for path in files:
            opened.append(path)
            yield np.load(path)

    hmm = HiddenMarkov("diag", 2, random_state=0).fit(read)
    table = np.concatenate([np.load(path) for path in files])
    assert hmm.fit_result_.loglik == pytest.approx(hmm.score(table, [steps] * 80), abs=1e-6)
    np.testing.assert_allclose(hmm.means_[:, 0], [0.0, 4.0], atol=0.1)
    assert np.diag(hmm.transitions_) == pytest.approx([0.95, 0.95], abs=0.01)
    assert hmm.fit_result_.sample_rows <= 10_000 < hmm.fit_result_.rows == 24_000
    # Each pass reads every file again.
    assert len(opened) > 5 * len(files)


@pytest.mark.filterwarnings("ignore:the climb did not converge")
def test_laws_of_lengths_know_the_longest_of_all_parts():
    semi = HiddenMarkov("poisson", 2, durations="poisson", max_duration=500, max_iter=3)
    assert semi.fit(pairs).durations_.shape == (2, max(LENGTHS))


def test_weights_and_known_states_of_parts_are_those_of_the_table():
    weight = RNG.integers(0, 4, size=len(WALKS)).astype(float)
    weight[:5] = 0.0
    known = np.where(RNG.uniform(size=len(X)) < 0.1, 1 - STATES, -1)
    known[: LENGTHS[:8].sum()] = -1
    told = np.split(known, np.cumsum(LENGTHS)[:-1])

    def read():
        for i, (part, lengths) in enumerate(pairs()):
            own = slice(5 * i, 5 * i + 5)
            yield part, lengths, weight[own], np.concatenate(told[own])

    asked = HiddenMarkov("poisson", 2, random_state=0)
    whole = clone(asked).fit(X, LENGTHS, sample_weight=weight, states=known)
    parts = clone(asked).fit(read)
    assert parts.fit_result_.loglik == pytest.approx(whole.fit_result_.loglik, rel=1e-12)
    assert parts.fit_result_.weight == weight @ LENGTHS
    # Known states name the states.
    assert parts.rates_[0, 0] > parts.rates_[1, 0]
    np.testing.assert_allclose(parts.rates_, whole.rates_, rtol=1e-9)
    np.testing.assert_allclose(parts.initial_, whole.initial_, atol=1e-9)
    with pytest.raises(ValueError, match="sample_weight is 0 in all parts of X"):
        clone(asked).fit(lambda: ((part, lengths, 0 * w) for part, lengths, w, _ in read()))


def test_sequences_left_out_of_parts_are_those_left_out_of_the_table():
    asked = {"criterion": "heldout", "cv": 3, "random_state": 0}
    search = HiddenMarkovSearch(HiddenMarkov("poisson", max_iter=30), [1, 2], **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [clone(search).fit(*given).cv_results_ for given in ((X, LENGTHS), (pairs,))]
    assert (found[0]["heldout"] < 0).all()
    np.testing.assert_allclose(found[1]["heldout"], found[0]["heldout"], rtol=1e-6)


@pytest.mark.parametrize("which", [2, 3])
def test_weights_and_states_that_are_not_those_of_the_first_look_are_refused(which: int):
    looks = iter(range(99))

    def read():
        look = next(looks)
        for part, lengths in pairs():
            given = [part, lengths, np.ones(len(lengths)), np.full(len(part), -1)]
            given[which] = given[which] + (1.0 if which == 2 else 1) * (look > 3)
            yield tuple(given)

    with pytest.raises(ValueError, match=r"part 0 .* has other weights or known states"):
        HiddenMarkov("poisson", 2, random_state=0).fit(read)


def test_what_cannot_be_read_part_by_part_is_refused():
    for name, value in (("lengths", [3]), ("states", [0]), ("sample_weight", [1.0])):
        with pytest.raises(ValueError, match=f"{name} cannot be given for a callable"):
            HiddenMarkov("poisson", 2).fit(pairs, **{name: value})
    once = iter(WALKS)
    for given in (lambda: iter(()), lambda: once):
        with pytest.raises(ValueError, match="return a fresh iterator"):
            HiddenMarkov("poisson", 2).fit(given)
    with pytest.raises(ValueError, match=r"X, part 1 \(counted from 0\): "):
        HiddenMarkov("poisson", 2).fit(lambda: iter([WALKS[0], WALKS[1] - 50.0]))
    words = [pd.DataFrame({"c": list(each)}) for each in ("abab", "abzb")]
    for given, said in (
        (None, "X, called, returned NoneType: it must return a fresh iterator"),
        (WALKS[0], "X, called, returned a table: it must return a fresh iterator of such tables"),
        ([(WALKS[0], *[None] * 4)], r"X, part 0 .*: got a tuple of 5: give a table"),
        ([WALKS[0], WALKS[1][:0]], r"X, part 1 .*: it has no rows: leave it out"),
        (words, r"X, part 1 .* 'z' in row 2 .*, .*: let the first part hold every category"),
    ):
        kind = "categorical" if given is words else "poisson"
        with pytest.raises(ValueError, match=said):
            HiddenMarkov(kind, 2).fit(lambda given=given: given)
    with pytest.raises(ValueError, match=r"give HiddenMarkov\.fit a callable"):
        GaussianHMM(2).fit(pairs)
