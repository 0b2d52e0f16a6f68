"""Checkpoints: killed at any moment, a fit goes on to the identical answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import CheckpointError, GaussianMixture
from mixtura.data import streamed
from mixtura.fitting import checkpoint
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.journal_file import first_record

ROWS = 12_000


def table(n: int = ROWS) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 3)) + 1.8 * rng.integers(0, 3, size=(n, 1))


def fitted(path: Path | None = None, X: Any = None, **settings: Any) -> GaussianMixture:
    mixture = GaussianMixture(3, **{"random_state": 0, "tol": 1e-9, **settings})
    return mixture.fit(table() if X is None else X, checkpoint=path)


def assert_identical(a: GaussianMixture, b: GaussianMixture) -> None:
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.fit_result_ == b.fit_result_


@pytest.fixture(autouse=True)
def every_sweep_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)


def test_a_checkpoint_changes_nothing_and_is_gone_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    assert_identical(fitted(path), fitted())
    assert not path.exists()


def test_fit_predict_takes_one_too(tmp_path: Path, stopped_after: Any) -> None:
    path, mixture = tmp_path / "run.checkpoint", GaussianMixture(3, random_state=0, tol=1e-9)
    stopped_after(5)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit_predict(table(), checkpoint=path)
    assert path.exists()
    stopped_after(10_000)
    labels = mixture.fit_predict(table(), checkpoint=path)
    assert not path.exists()
    np.testing.assert_array_equal(labels, fitted().predict(table()))


@pytest.mark.parametrize("solver", ["auto", "em", "lbfgs", "squarem", "anderson", "stochastic"])
def test_an_interrupted_fit_goes_on(solver: str, tmp_path: Path, stopped_after: Any) -> None:
    path = tmp_path / "run.checkpoint"
    settings: dict[str, Any] = {"solver": solver, "tol": 1e-6, "max_iter": 500}
    whole = fitted(**settings)
    stops, again = 0, None
    stopped_after(1)
    while again is None:
        try:
            again = fitted(path, **settings)
        except KeyboardInterrupt:
            stops += 1
            assert path.exists()
            stopped_after(11)
    assert stops > 0
    assert_identical(again, whole)


def test_what_is_written_is_not_swept_again(
    tmp_path: Path, stopped_after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.checkpoint"
    stopped_after(9)
    with pytest.raises(KeyboardInterrupt):
        fitted(path)
    given = []
    following = Checkpoint.next

    def noted(self: Checkpoint, *now: Any) -> Any:
        found = following(self, *now)
        given.append(found is not None)
        return found

    monkeypatch.setattr(Checkpoint, "next", noted)
    stopped_after(10_000)
    fitted(path)
    assert given[:9] == [True] * 9
    assert not any(given[9:])


def test_without_a_seed_the_stopped_fit_lends_its_own(tmp_path: Path, stopped_after: Any) -> None:
    path = tmp_path / "run.checkpoint"
    stopped_after(2)
    with pytest.raises(KeyboardInterrupt):
        fitted(path, random_state=None)
    seed = first_record(path)["identity"]["seed"]
    stopped_after(10_000)
    assert fitted(path, random_state=None).fit_result_.converged
    assert isinstance(seed, int)


def test_a_table_read_in_pieces(
    tmp_path: Path, stopped_after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "SMALL_BYTES", 0)
    np.save(tmp_path / "x.npy", table())
    path = tmp_path / "run.checkpoint"
    stopped_after(4)
    with pytest.raises(KeyboardInterrupt):
        fitted(path, tmp_path / "x.npy")
    stopped_after(10_000)
    # Where the rows lie does not matter to a checkpoint.
    assert_identical(fitted(path), fitted())


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_last_line_that_is_cut_short_is_left_out(
    cut: int, tmp_path: Path, stopped_after: Any
) -> None:
    path = tmp_path / "run.checkpoint"
    stopped_after(5)
    with pytest.raises(KeyboardInterrupt):
        fitted(path)
    path.write_bytes(path.read_bytes()[:-cut])
    stopped_after(10_000)
    assert_identical(fitted(path), fitted())


@pytest.fixture
def begun(tmp_path: Path, stopped_after: Any) -> Path:
    path = tmp_path / "run.checkpoint"
    stopped_after(3)
    with pytest.raises(KeyboardInterrupt):
        fitted(path)
    stopped_after(10_000)
    return path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tol": 1e-3}, "this checkpoint is of tol=1e-09, not 0.001"),
        ({"random_state": 1}, "this checkpoint is of random_state=0, not 1"),
        ({"n_init": 2}, "this checkpoint is of n_init=1, not 2"),
        ({"X": table() + 1e-9}, "this checkpoint is of other rows"),
        ({"means_init": np.eye(3)}, "this checkpoint is of given parameters="),
        (
            {"solver": mixtura.Stochastic(steps=9)},
            "this checkpoint is of solver='auto', not 'Stoch",
        ),
    ],
)
def test_another_fit_is_refused(begun: Path, settings: dict[str, Any], message: str) -> None:
    before = begun.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        fitted(begun, **settings)
    assert begun.read_bytes() == before


def test_what_is_no_checkpoint_is_refused_and_kept(tmp_path: Path) -> None:
    for text in (b"", b"my diary\n", b"{}\n"):
        (tmp_path / "file").write_bytes(text)
        with pytest.raises(CheckpointError, match="not a mixtura checkpoint"):
            fitted(tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == text
    with pytest.raises(CheckpointError, match="there is no folder"):
        fitted(tmp_path / "no" / "file")


def test_a_climb_that_does_not_follow_is_refused(begun: Path) -> None:
    head, first, *_ = begun.read_bytes().splitlines()
    record = json.loads(first[9:])
    record["at"]["data"][0] += 0.01
    begun.write_bytes(head + b"\n" + checkpoint.line_of(record))
    with pytest.raises(CheckpointError, match="does not follow from the settings"):
        fitted(begun)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_two_fits_do_not_share_a_checkpoint(begun: Path) -> None:
    known = first_record(begun)["identity"]
    with Checkpoint(begun, known), pytest.raises(CheckpointError, match="another fit is writing"):
        Checkpoint(begun, known)


# Imported once; each fit runs in a fork of it, which is killed.
KILLED = """
import os, signal, sys, time
import numpy as np
from mixtura import GaussianMixture
from mixtura.fitting import checkpoint
from mixtura.fitting.journal_file import first_record
checkpoint.INTERVAL = 0.0
folder, seed, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(3)
X = rng.normal(size=(12_000, 3)) + 1.8 * rng.integers(0, 3, size=(12_000, 1))
path, model = folder + "/run.checkpoint", folder + "/model.json"

def fit():
    GaussianMixture(3, random_state=0, tol=1e-9).fit(X, checkpoint=path).save(model)

began = time.monotonic()
fit()
took = time.monotonic() - began
whole = open(model).read()
delays = np.random.default_rng(seed)
done = killed = 0
while done < kills:
    child = os.fork()
    if child == 0:
        fit()
        os._exit(0)
    time.sleep(delays.uniform(0, took))
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    killed += ended != 0
    done += 1
    assert not os.path.exists(path) or "seed" in first_record(path)["identity"]
fit()
assert open(model).read() == whole, "another answer"
assert not os.path.exists(path)
print(killed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_killed_thirty_times_at_random_moments(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), "0", "30"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The others had come to their end before.
    assert int(done.stdout) >= 10
