"""Files that grow line by line and that one fit at a time may write.

The lock is the operating system's (flock), on the file itself: it goes with the process that holds
it, so a killed one leaves none behind. Systems and file systems without it are trusted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from mixtura.data.temporary import synced, temporary

# What flock says where somebody else has the lock.
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class HeldElsewhere(Exception):
    """Another process, or another thread of this one, is writing the file."""


def open_locked(path: Path, first_line: Callable[[], bytes]) -> IO[bytes]:
    """The file, for reading and writing, locked until it is closed; begun where there is none.

    A new file appears with its first line or not at all. HeldElsewhere where somebody has it;
    OSError where it cannot be opened.
    """
    while True:
        if not path.exists():
            _begin(path, first_line())
        try:
            file = open(path, "r+b")  # noqa: SIM115
        except FileNotFoundError:
            continue  # whoever had it has come to the end and removed it
        try:
            _lock(file)
            if _still(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _begin(path: Path, line: bytes) -> None:
    """The file with that line, unless somebody is faster."""
    try:
        with temporary(path) as part:
            part.write_bytes(line)
            synced(part)
            try:
                # Unlike a replacement, a link leaves alone what somebody else has put there.
                os.link(part, path)
            except FileExistsError:
                return
            except OSError:  # a file system without links
                os.replace(part, path)
            synced(path.parent)
    except OSError as error:
        # The caller knows nothing of the temporary name.
        raise OSError(error.errno, error.strerror, str(path)) from None


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise HeldElsewhere(file.name) from None
        # A file system without locks.


def _still(path: Path, file: IO[bytes]) -> bool:
    """Whether the open file is the one of that name, and was not removed before it was locked."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
