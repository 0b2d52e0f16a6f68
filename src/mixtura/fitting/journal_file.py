"""Journals in a file: a header and lines that are only ever added, each led by its checksum.

The file is begun when the first line is due, so that what is refused before leaves none. A process
may die at any moment: a last line that is cut short is left out. Where the disk is full the work
goes on without its journal.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mixtura.data.atomic import why_not_writable
from mixtura.data.locked import HeldElsewhere, open_locked
from mixtura.records import Seed, StrPath

_LONGEST_HEADER = 1 << 20


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do."""


class JournalFile:
    """The lines of one journal, for this process alone from when it is opened until it is closed.

    head is the first line's record where there is no file; `accept` is given that of an existing
    one and raises CheckpointError where it is another's.
    """

    def __init__(
        self,
        path: StrPath,
        head: Mapping[str, Any],
        accept: Callable[[dict[str, Any] | None], None],
    ) -> None:
        refuse_unwritable(path)
        self.path, self.name = Path(os.path.realpath(path)), str(path)
        self._head, self._accept = head, accept
        self._file: IO[bytes] | None = None
        self._reading, self._lost = True, False
        self._whole = 0
        self.new = not self.path.exists()
        if not self.new:
            self._opened()

    def next(self) -> dict[str, Any] | None:
        """The record of the next line; None at the end, where lines can be added."""
        if not self._reading:
            return None
        file = self._opened()
        record = checked(file.readline(), self.name)
        if record is None:
            # What a killed process left half written is cut off.
            self._reading = False
            file.truncate(self._whole)
            file.seek(self._whole)
            return None
        self._whole = file.tell()
        return record

    def append(self, lines: bytes) -> None:
        """Add whole lines, onto the disk; a warning where that fails, and from then on nothing."""
        if self._lost:
            return
        while self.next() is not None:
            pass
        file = self._opened()
        try:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            self._lost = True
            warnings.warn(
                f"{self.name}: the checkpoint cannot be written ({error.strerror or error}): the "
                "work goes on, and could be taken up again only from where it was before",
                stacklevel=2,
            )

    def close(self) -> None:
        """Let others have it."""
        if self._file is not None:
            with suppress(OSError):  # what did not fit before does not now
                self._file.close()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = _taken(self.path, self.name, lambda: line_of(self._head))
            try:
                self._accept(checked(self._file.readline(_LONGEST_HEADER), self.name))
            except BaseException:
                self._file.close()
                raise
            self._whole = self._file.tell()
        return self._file


def refuse_unwritable(path: StrPath) -> None:
    """CheckpointError, before any work, where there cannot be a checkpoint of that name."""
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"checkpoint must be the name of a file, got {path!r}")
    reason = None if os.path.isfile(path) else why_not_writable(os.fspath(path))
    if reason is not None:
        raise CheckpointError(f"checkpoint {path}: cannot be written: {reason}")


def removed(path: StrPath | None) -> None:
    """The work is done and safe: its checkpoint, if any, goes; a link that leads there stays."""
    if path is not None:
        Path(os.path.realpath(path)).unlink(missing_ok=True)


def first_record(path: StrPath) -> dict[str, Any] | None:
    """The record of the first line of a file; None where there is none, or no file."""
    try:
        with open(path, "rb") as file:
            return checked(file.readline(_LONGEST_HEADER), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None


def resumed_seed(
    path: StrPath,
    random_state: Seed,
    drawn: int,
    told: Callable[[Any], Mapping[str, Any]] | None = None,
) -> int:
    """The seed of a fit: with random_state=None that of its checkpoint, if there is one.

    CheckpointError where there cannot be one. `told` says of which fit a file is; default its first
    line.
    """
    refuse_unwritable(path)
    if random_state is not None or not os.path.exists(path):
        return drawn
    identity = told(path) if told else (first_record(path) or {}).get("identity")
    if not isinstance(identity, Mapping):
        return drawn
    known = identity.get("seed", identity.get("random_state"))
    return known if type(known) is int else drawn


def damaged(name: str) -> CheckpointError:
    """The error for a line that is whole and cannot have been written by mixtura."""
    return CheckpointError(f"{name}: the checkpoint is damaged: delete it")


def _taken(path: Path, name: str, first_line: Callable[[], bytes]) -> IO[bytes]:
    try:
        return open_locked(path, first_line)
    except HeldElsewhere:
        raise CheckpointError(
            f"{name}: another fit is writing this checkpoint: wait for it, or give another name"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be written ({error.strerror or error})") from None


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record with its checksum, as one line."""
    text = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def checked(line: bytes, name: str) -> dict[str, Any] | None:
    """The record of a line; None where the line is not whole; `name` is the file's."""
    mark, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or mark != b"%08x" % zlib.crc32(text):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise damaged(name) from None
    return record if isinstance(record, dict) else None
