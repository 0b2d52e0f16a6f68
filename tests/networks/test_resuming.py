"""Fits that are killed and begun again, fits that end by the clock, and what a fit's end is."""

from __future__ import annotations

import time

import numpy as np
import pytest
from known_networks import drawn, karate
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura.fitting.journal_file import CheckpointError
from mixtura.fitting.networks.journal import ClimbJournal
from mixtura.solvers.clock import TIMED_OUT


class Killed(Exception):
    """What stands for the end of a process."""


CASES = [
    {"n_blocks": 3},
    {"n_blocks": "auto", "max_blocks": 3},
    {"n_blocks": "auto", "degree_corrected": "auto"},
    {"n_blocks": 2, "degree_corrected": True},
    {"n_blocks": 2, "inference": "belief"},
    {"n_blocks": 2, "edges": "gaussian"},
]


def same(one, other):
    np.testing.assert_array_equal(one.memberships_, other.memberships_)
    np.testing.assert_array_equal(one.block_matrix_, other.block_matrix_)
    for name in ("icl_", "description_length_", "path_"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("starts", "trace", "moves", "passes"):
        assert getattr(one.fit_result_, name) == getattr(other.fit_result_, name)


def test_without_a_seed_that_of_the_file_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr("mixtura.estimators.block_model.removed", lambda path: None)
        plain = mixtura.BlockModel(3, n_init=4).fit(karate(), checkpoint=path)
        size = path.stat().st_size
        again = mixtura.BlockModel(3, n_init=4).fit(karate(), checkpoint=path)
    same(again, plain)
    assert path.stat().st_size == size


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_a_killed_fit_goes_on_to_the_same_answer(tmp_path, monkeypatch, settings):
    network = karate()
    if settings.get("n_blocks") == 2 and "degree_corrected" in settings:
        network[0, 5] = network[5, 0] = np.nan
    settings = {"n_init": 8, "random_state": 0, **settings}
    plain = mixtura.BlockModel(**settings).fit(network)
    path, add, made = tmp_path / "fit.checkpoint", ClimbJournal.add, []

    def dies(journal, key, end, rng):
        add(journal, key, end, rng)
        made.append(key)
        if len(made) == 20 or (settings.get("inference") and len(made) == 3):
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ClimbJournal, "add", dies)
        with pytest.raises(Killed):
            mixtura.BlockModel(**settings).fit(network, checkpoint=path)
    assert path.exists()
    before = len(made)
    with monkeypatch.context() as patched:
        patched.setattr(ClimbJournal, "add", lambda *told: made.append(told[1]) or add(*told))
        resumed = mixtura.BlockModel(**settings).fit(network, checkpoint=path)
    same(resumed, plain)
    assert not path.exists()
    # What was written down was not climbed again, but for what other threads were at.
    assert len(set(made[:before]) & set(made[before:])) <= 2


def test_a_line_that_was_cut_short_is_climbed_again(tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    monkeypatch.setattr("mixtura.estimators.block_model.removed", lambda path: None)
    plain = mixtura.BlockModel(2, n_init=8, random_state=0).fit(karate(), checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    same(mixtura.BlockModel(2, n_init=8, random_state=0).fit(karate(), checkpoint=path), plain)


def test_ends_are_small_and_soon_on_the_disk(tmp_path, monkeypatch):
    """The first at once, others within a second though no other follows; shares of the highest."""
    path, sizes, add = tmp_path / "fit.checkpoint", [], ClimbJournal.add

    def slow(journal, *told):
        add(journal, *told)
        sizes.append(path.stat().st_size)
        if len(sizes) == 2:
            time.sleep(0.3)
            sizes.append(path.stat().st_size)

    monkeypatch.setattr("mixtura.estimators.block_model.removed", lambda path: None)
    monkeypatch.setattr("mixtura.fitting.networks.journal.INTERVAL", 0.1)
    monkeypatch.setattr("mixtura.fitting.networks.search.ordered_map", map)
    monkeypatch.setattr(ClimbJournal, "add", slow)
    network = drawn("bernoulli", False, False, False)
    mixtura.BlockModel(3, n_init=40, random_state=0).fit(network, checkpoint=path)
    assert 0 < sizes[0] < sizes[2]
    lines = path.read_bytes().splitlines()[1:]
    whole = [line for line in lines if b"memberships" in line]
    assert 0 < len(whole) < len(lines) / 4


def test_what_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr("mixtura.estimators.block_model.removed", lambda path: None)
        mixtura.BlockModel(2, n_init=4, random_state=0).fit(karate(), checkpoint=path)
    for settings, network, words in (
        ({"n_blocks": 3}, karate(), "this checkpoint is of n_blocks=2, not 3"),
        ({}, drawn("bernoulli", False, False, False), "of another network"),
        ({"random_state": 1}, karate(), "random_state=0, not 1"),
    ):
        model = mixtura.BlockModel(**{"n_init": 4, "random_state": 0} | settings)
        with pytest.raises(CheckpointError, match=words):
            model.fit(network, checkpoint=path)
    path.write_text("else\n")
    with pytest.raises(CheckpointError, match="not the checkpoint of a BlockModel"):
        mixtura.BlockModel(2).fit(karate(), checkpoint=path)
    with pytest.raises(ValueError, match="max_seconds and checkpoint"):
        mixtura.BlockModel(2).fit(karate(), checkpoint=tmp_path / "no", max_seconds=1)
    for seconds in (0, -1, np.nan, "1"):
        with pytest.raises(ValueError, match="max_seconds"):
            mixtura.BlockModel(2).fit(karate(), max_seconds=seconds)


@pytest.mark.parametrize("settings", CASES[:5], ids=str)
def test_a_clock_ends_the_search_with_what_it_has(settings):
    with pytest.warns(ConvergenceWarning, match="^stopped: max_seconds had passed: .* give more"):
        model = mixtura.BlockModel(random_state=0, **settings).fit(karate(), max_seconds=1e-9)
    whole = mixtura.BlockModel(random_state=0, **settings).fit(karate(), max_seconds=1e6)
    fit, free = model.fit_result_, settings["n_blocks"] == "auto"
    assert "max_seconds ended the search early" in fit.remark
    assert (fit.converged, model.converged_, fit.reason) == (False, False, TIMED_OUT)
    # What ended is one climb: of a number of blocks that was given it is a maximum.
    assert ("number of blocks" in fit.remark) == free
    assert (fit.verdict == "not converged") == free
    assert whole.converged_
    assert "max_seconds" not in whole.fit_result_.remark
    if not free:
        assert model.fit_result_.passes < whole.fit_result_.passes
    assert model.memberships_.shape[1] == len(model.block_weights_)
    assert "max_seconds ended the search early" in model.summary()


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, "local maximum"),
        ({"degree_corrected": True}, "local maximum"),
        ({"inference": "belief"}, "not examined"),
        ({"max_iter": 1}, "not converged"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:not converged")
def test_what_kind_of_point_it_is(settings, verdict):
    model = mixtura.BlockModel(2, random_state=0, **settings).fit(karate())
    assert model.fit_result_.verdict == verdict
    assert ("no node gains by going elsewhere" in model.summary()) == (verdict == "local maximum")
