"""Files under a temporary name, beside the file that they become.

The name is drawn at random and created exclusively, so nobody can have put a link there, and
threads and processes that write one file do not meet. SIGTERM and SIGHUP, which would end the
process at once, remove what is there first; only SIGKILL and power loss leave a file behind.
"""

from __future__ import annotations

import os
import secrets
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
# Longer endings of names are no suffixes that a writer goes by.
_SUFFIX = 16
# Those that exist now, and the process that made them: a forked child must leave them alone.
_present: dict[Path, int] = {}


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """An empty new file beside `target`, removed in the end if it is still there.

    Its name ends like that of `target`, for writers that go by the suffix; nobody may read it who
    may not read `target`. OSError, naming `target`, where none can be made.
    """
    with _removed_on_signals():
        part = _made(target)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)
            _present.pop(part, None)


def _made(target: Path) -> Path:
    suffix = target.suffix if len(target.suffix) <= _SUFFIX else ""
    while True:
        part = target.with_name(f".part-{secrets.token_hex(6)}{suffix}")
        _present[part] = os.getpid()
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            del _present[part]
            if isinstance(error, FileExistsError):
                continue
            raise OSError(error.errno, error.strerror, str(target)) from None
        os.close(handle)
        give_mode(part, target, writable=True)
        return part


def give_mode(part: Path, target: Path, *, writable: bool = False) -> None:
    """Who may read and write `part` is as for `target`, if there is one."""
    with suppress(OSError):
        mode = stat.S_IMODE(target.stat().st_mode)
        os.chmod(part, mode | stat.S_IRUSR | stat.S_IWUSR if writable else mode)


def synced(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        # Some systems and file systems cannot do that for folders.
        if not folder:
            raise


@contextmanager
def _removed_on_signals() -> Iterator[None]:
    """Where nobody else handles them, the signals that end a process remove what is present."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can say what a signal does
        return
    ours = [each for each in _ENDING if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, _end)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _end(number: int, _: Any) -> None:
    """Remove what is present, then end as the signal would have ended the process."""
    for part, maker in list(_present.items()):
        if maker == os.getpid():
            with suppress(OSError):
                part.unlink(missing_ok=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
