"""Files that appear whole or not at all, whoever else is in the folder."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture, load
from mixtura.data.atomic import NotWritten, atomic, why_not_writable
from mixtura.data.locked import open_locked

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_planted_link_has_no_victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    drawn = iter(["guessed", "other"])
    monkeypatch.setattr("mixtura.data.temporary.secrets.token_hex", lambda _: next(drawn))
    (tmp_path / ".part-guessed.json").symlink_to(victim)
    with atomic(tmp_path / "m.json") as part:
        assert part.name == ".part-other.json"
        part.write_text("whole")
    assert victim.read_text() == "precious"
    assert (tmp_path / "m.json").read_text() == "whole"


def test_names_are_drawn_anew(tmp_path: Path) -> None:
    with atomic(tmp_path / "a.csv") as one, atomic(tmp_path / "a.csv") as other:
        assert one != other
        assert one.suffix == other.suffix == ".csv"
        one.write_text("one")
        other.write_text("other")
    assert names(tmp_path) == ["a.csv"]


def test_threads_save_to_one_path(tmp_path: Path) -> None:
    mixture = GaussianMixture(1, random_state=0).fit(np.arange(20.0).reshape(10, 2) ** 2)
    path, failed = tmp_path / "m.json", []

    def save() -> None:
        try:
            for _ in range(10):
                mixture.save(path)
                load(path)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert failed == []
    assert names(tmp_path) == ["m.json"]


def test_file_and_folder_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def replaced(*names: Any) -> None:
        events.append("moved")
        replace(*names)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with atomic(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert events == ["file", "moved", "folder"]
    events.clear()
    open_locked(tmp_path / "journal", lambda: b"line\n").close()
    assert events == ["file", "folder"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
def test_a_file_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    with atomic(path) as part:
        part.write_text("new")
        assert stat.S_IMODE(part.stat().st_mode) == mode | 0o600
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


@posix
def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic(tmp_path / "a.txt"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_the_longest_names(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 250 + ".json")
    assert why_not_writable(longest) is None
    with atomic(longest) as part:
        part.write_text("whole")
    assert longest.read_text() == "whole"
    assert why_not_writable(tmp_path / ("x" * 251 + ".json")) == os.strerror(errno.ENAMETOOLONG)
    assert why_not_writable(longest / "below") == os.strerror(errno.ENOTDIR)
    assert "null" in str(why_not_writable("a\0b"))


def test_a_full_disk_is_told_with_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    told = r"a\.json: cannot be written \(No space left"
    with pytest.raises(NotWritten, match=told) as caught, atomic(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert (names(tmp_path), path.read_text()) == (["a.json"], "old")
    other = OSError(errno.ENOENT, "missing", "another file")
    with pytest.raises(OSError, match="another file"), atomic(path):
        raise other


# Ready once the file is there; a second one is being written inside the first. Python hears a
# signal between two steps: one that comes as a call begins waits until that call ends.
ENDED = """
import os, sys, time
from pathlib import Path
from mixtura.data.atomic import atomic
with atomic(sys.argv[1] + "/a.csv") as one, atomic(sys.argv[1] + "/b.csv"):
    one.write_text("half")
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


@posix
@pytest.mark.parametrize("ending", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_nothing(ending: str, tmp_path: Path) -> None:
    number = getattr(signal, ending)
    command = [sys.executable, "-c", ENDED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(names(tmp_path)) == 2
        process.send_signal(number)
        # As it would have ended without us.
        assert process.wait(60) == -number
    assert names(tmp_path) == []


@posix
def test_signals_are_the_callers_own(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with atomic(tmp_path / "a.txt"):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_files(tmp_path: Path) -> None:
    with atomic(tmp_path / "a.txt") as part:
        part.write_text("whole")
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    assert (tmp_path / "a.txt").read_text() == "whole"
