"""A fit that was killed goes on to the identical answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixtura
from mixtura.data.genotypes import from_dosages
from mixtura.engines.ancestry import Passes
from mixtura.fitting import admixture_fit, admixture_snapshot
from tests.ancestry.panels import balding_nichols


@pytest.fixture
def panel(monkeypatch):
    """Genotypes, with every step written and a race on some of the markers."""
    monkeypatch.setattr(admixture_snapshot, "INTERVAL", 0.0)
    monkeypatch.setattr(admixture_fit, "LEAST", 150)
    monkeypatch.setattr(admixture_fit, "SAMPLE", 150)
    return balding_nichols(30, 400, 3, seed=2)[0]


def killed_after(monkeypatch, full_passes, markers):
    """KeyboardInterrupt in the pass over all markers that comes after so many."""
    step, met = Passes.step, [0]

    def counted(self, *args, **kwargs):
        if self.genotypes.markers == markers:
            met[0] += 1
            if met[0] > full_passes:
                raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Passes, "step", counted)
    return met


@pytest.mark.parametrize("solver", ["auto", "em"])
def test_killed_and_resumed(panel, tmp_path, monkeypatch, solver):
    model = mixtura.Admixture(3, n_init=2, max_iter=25, tol=0, solver=solver, random_state=1)
    path = tmp_path / "fit.npz"
    with pytest.warns(UserWarning, match="did not converge"):
        model.fit(panel)
    whole, Q = model.fit_result_, model.Q_
    for after in (12, 30, 12):
        with monkeypatch.context() as patch:
            killed_after(patch, after, 400)
            with pytest.raises(KeyboardInterrupt):
                model.fit(panel, checkpoint=path)
        assert path.exists()
    with monkeypatch.context() as patch:
        met = killed_after(patch, 10**6, 400)
        with pytest.warns(UserWarning, match="did not converge"):
            model.fit(panel, checkpoint=path)
        again = model.fit_result_
        assert met[0] < whole.passes
    assert not path.exists()
    np.testing.assert_array_equal(model.Q_, Q)
    assert again.trace == whole.trace
    assert again.starts == whole.starts


@pytest.mark.parametrize("search", [False, True])
def test_without_a_seed_that_of_the_file_goes_on(panel, tmp_path, monkeypatch, search):
    kind = mixtura.AdmixtureSearch if search else mixtura.Admixture
    path, model = tmp_path / "file", kind(3, tol=1e-2)
    np.random.seed(5)
    whole = kind(3, tol=1e-2).fit(panel)
    np.random.seed(5)
    with monkeypatch.context() as patch:
        killed_after(patch, 12, 400)
        with pytest.raises(KeyboardInterrupt):
            model.fit(panel, checkpoint=path)
    np.random.seed(6)
    model.fit(panel, checkpoint=path)
    fits = [each.best_estimator_ if search else each for each in (model, whole)]
    np.testing.assert_array_equal(*[each.Q_ for each in fits])
    assert fits[0].fit_result_.trace == fits[1].fit_result_.trace


def test_another_fit_is_refused(panel, tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    with monkeypatch.context() as patch:
        killed_after(patch, 12, 400)
        with pytest.raises(KeyboardInterrupt):
            mixtura.Admixture(3, random_state=1).fit(panel, checkpoint=path)
    with pytest.raises(mixtura.CheckpointError, match="n_populations=3, not 2: give another name"):
        mixtura.Admixture(2, random_state=1).fit(panel, checkpoint=path)
    with pytest.raises(mixtura.CheckpointError, match="is of genotypes='30x400 "):
        mixtura.Admixture(3, random_state=1).fit(2 - panel, checkpoint=path)
    with pytest.raises(mixtura.CheckpointError, match="is of ploidy=2, not 4: give another name"):
        mixtura.Admixture(3, ploidy=4, random_state=1).fit(panel, checkpoint=path)
    men = np.arange(30, dtype=np.uint8) % 2
    single = replace(from_dosages(panel), haploid=np.ones(400, dtype=np.uint8), single=men)
    with pytest.raises(mixtura.CheckpointError, match="is of genotypes='30x400 "):
        mixtura.Admixture(3, random_state=1).fit(single, checkpoint=path)
    assert admixture_snapshot.digest(single) != admixture_snapshot.digest(
        replace(single, single=1 - men)
    )
    path.write_text("something else")
    with pytest.raises(mixtura.CheckpointError, match="not a checkpoint of an Admixture"):
        mixtura.Admixture(3, random_state=1).fit(panel, checkpoint=path)


def same(one, other):
    """Whether two searches found the same, to the last bit."""
    assert one.trials_ == other.trials_
    for K, fitted in one.admixtures_.items():
        again = other.admixtures_[K]
        np.testing.assert_array_equal(again.Q_, fitted.Q_)
        np.testing.assert_array_equal(again.P_, fitted.P_)
        assert len(again.modes_) == len(fitted.modes_) == len(fitted.fit_result_.landscape)
        for a, b in zip(again.modes_, fitted.modes_, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_search_that_was_killed_goes_on(panel, tmp_path, monkeypatch):
    """In a climb of the second: finished numbers are not fitted again."""
    monkeypatch.setattr(admixture_snapshot, "INTERVAL", 1e9)
    path = tmp_path / "search.ckpt"
    search = mixtura.AdmixtureSearch((1, 3), n_init=2, folds=2, tol=1e-2, random_state=1)
    whole = mixtura.AdmixtureSearch(**search.get_params()).fit(panel)
    with monkeypatch.context() as patch:
        met = killed_after(patch, 10**6, 400)
        mixtura.AdmixtureSearch(**search.get_params() | {"n_populations": 1}).fit(panel)
        one = met[0]
    with monkeypatch.context() as patch:
        killed_after(patch, one + 12, 400)
        with pytest.raises(KeyboardInterrupt):
            search.fit(panel, checkpoint=path)
    assert path.exists()
    assert (tmp_path / "search.ckpt.3").exists()
    with monkeypatch.context() as patch:
        met = killed_after(patch, 10**6, 400)
        search.fit(panel, checkpoint=path)
        third = met[0]
        same(search, whole)
        assert not (tmp_path / "search.ckpt.3").exists()
        search.fit(panel, checkpoint=path)
        assert met[0] == third
    same(search, whole)
    with pytest.raises(mixtura.CheckpointError, match="of other rows, settings or versions"):
        search.fit(2 - panel, checkpoint=path)
    with pytest.raises(mixtura.CheckpointError, match="of other rows, settings or versions"):
        search.fit(panel, np.arange(30) % 2, checkpoint=path)


def test_an_interruption_loses_no_step(panel, tmp_path, monkeypatch):
    """However rarely a climb writes down where it is."""
    monkeypatch.setattr(admixture_snapshot, "INTERVAL", 1e9)
    path = tmp_path / "fit.npz"
    model = mixtura.Admixture(3, random_state=1)
    with monkeypatch.context() as patch:
        killed_after(patch, 12, 400)
        with pytest.raises(KeyboardInterrupt):
            model.fit(panel, checkpoint=path)
    with np.load(path) as file:
        assert int(file["at/taken"]) >= 8


def test_the_clock_ends_a_search(panel, monkeypatch):
    """The first number is kept though its climb was cut, without an error; others are left out."""
    said = "max_seconds had passed: no error of n_populations 2; no fit of n_populations 3: raise"
    climb = "the climb did not converge"
    with pytest.warns(UserWarning, match=climb), pytest.warns(UserWarning, match=said):
        search = mixtura.AdmixtureSearch((2, 3), random_state=1).fit(panel, max_seconds=1e-3)
    assert search.left_out_ == [3]
    assert search.best_n_populations_ == 2
    assert search.trials_[0].cv is None
    assert sum(sum(mode.hits.values()) for mode in search.trials_[0].modes) == 1
    with pytest.raises(ValueError, match="max_seconds must be a number above 0"):
        mixtura.Admixture(2).fit(panel, max_seconds=0)
    with pytest.raises(ValueError, match="max_seconds and checkpoint: a fit that is taken up"):
        mixtura.Admixture(2).fit(panel, max_seconds=1, checkpoint="x")
