"""SIGKILL of the command line at random moments; processes that share a checkpoint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import FAITHFUL, ROOT, environment, names, run
from sklearn.base import clone

from mixtura import CheckpointError, GaussianMixtureSearch
from mixtura.data import locked
from mixtura.data.locked import HeldElsewhere, open_locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork, no flock")


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


# All cases, 30 kills each: `python -m benchmarks killed`.
@pytest.mark.parametrize("case", ["auto, VEV", "in pieces, EVE", "select"])
def test_killed_and_called_again(case: str, tmp_path: Path) -> None:
    from benchmarks.killed import killed

    assert killed(case, 5, 1, tmp_path)["killed"] >= 2


def test_of_two_at_once_one_writes_and_the_other_says_so(folder: Path) -> None:
    arguments = ["fit", str(FAITHFUL), "--checkpoint", "run.checkpoint", "--no-figure", "--quiet"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "mixtura", *arguments, "--out", name],
            stderr=subprocess.PIPE, text=True, env=environment(),
        )
        for name in ("a.json", "b.json")
    ]  # fmt: skip
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    said = "error: run.checkpoint: another fit is writing this checkpoint"
    for stderr, code in ended:
        assert code == 0 or (code == 2 and stderr.startswith(said)), stderr
    written = names(folder)
    # Which of them did, or whether both did one after the other, is chance.
    assert set(written) <= {"a.json", "b.json"}
    assert len(written) == sum(code == 0 for _, code in ended) >= 1
    assert len({(folder / name).read_bytes() for name in written}) == 1


def test_a_search_holds_its_checkpoint(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    search = GaussianMixtureSearch([1], covariance_type="EII", random_state=0)
    path = tmp_path / "search"

    class Second:
        def tried(self, *_: object) -> None:
            with pytest.raises(CheckpointError, match="another fit is writing this checkpoint"):
                clone(search).fit(X, checkpoint=path)

    search.fit(X, checkpoint=path, listener=Second())
    assert clone(search).fit(X, checkpoint=path).best_score_ == search.best_score_


def test_a_lock_ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with open_locked(path, lambda: b"first\n") as file:
        assert file.readline() == b"first\n"
        with pytest.raises(HeldElsewhere):
            open_locked(path, lambda: b"second\n")
    with open_locked(path, lambda: b"second\n") as file:
        assert file.read() == b"first\n"
    assert [each.name for each in tmp_path.iterdir()] == ["journal"]


def test_a_file_that_was_removed_meanwhile_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock, removed = tmp_path / "journal", locked._lock, []

    def slow(file: object) -> None:
        if not removed:
            removed.append(True)
            path.unlink()
        lock(file)

    monkeypatch.setattr(locked, "_lock", slow)
    with open_locked(path, lambda: b"line\n") as file:
        assert file.readline() == b"line\n"
        assert path.read_bytes() == b"line\n"


def test_who_begins_second_leaves_the_first_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    locked._begin(path, b"first\n")
    locked._begin(path, b"second\n")
    assert path.read_bytes() == b"first\n"


@pytest.mark.parametrize("command", ["fit", "select"])
def test_a_link_to_a_checkpoint_stays(command: str, folder: Path) -> None:
    link = folder / "link"
    link.symlink_to(folder / "run.checkpoint")
    arguments = [command, FAITHFUL, "-k", "1", "--no-figure", "--quiet", "--out", "m.json"]
    assert run(*arguments, "--checkpoint", link).exit_code == 0
    assert names(folder) == ["link", "m.json"]


@pytest.mark.parametrize("name", ["no/run", "x" * 300])
def test_a_checkpoint_is_refused_before_the_table_is_read(name: str, folder: Path) -> None:
    for command in ("fit", "select"):
        done = run(command, "no-such-table.csv", "--checkpoint", name)
        assert done.exit_code == 2
        assert done.stderr.startswith(f"error: checkpoint {name}: cannot be written: ")
