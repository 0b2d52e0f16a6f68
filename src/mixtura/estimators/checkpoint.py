"""Checkpoints: a fit that was killed goes on where it was, to the identical answer.

The file is a header and one line for every sweep over all rows, with the summary that came of it
(see `mixtura.engines.journaled`), in the JSON of `mixtura.store`, each line led by its checksum.
Lines are only ever added, so a process may die at any moment: a last line that is cut short is
left out. The header says which fit this is: settings, seed and a digest of the rows. Another fit
is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from mixtura.data.atomic import why_not_writable
from mixtura.data.locked import HeldElsewhere, open_locked
from mixtura.data.source import Source
from mixtura.families.gaussian_records import GaussianStatistics
from mixtura.records import Array, Params, Summary
from mixtura.store import StoreError, decode_array, encode_array
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-checkpoint", 1
# Sweeps are written down at most this many seconds after they were made, or after the next one.
INTERVAL = 1.0
# How far the weights of a resumed climb may be from those written down: rounding on another
# machine, and far less than any other climb's.
NEAR = 1e-6
_DIGESTED_ROWS = 1 << 16


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do."""


class Checkpoint:
    """The journal of one fit in a file; use it in a `with` block.

    identity says which fit this is: plain JSON values by name.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"checkpoint must be the name of a file, got {path!r}")
        # Where a link leads: the file is removed in the end, and not what names it.
        self.path, self.name = Path(os.path.realpath(path)), str(path)
        head = {"format": FORMAT, "version": VERSION, "mixtura": __version__}
        self._file: IO[bytes] = taken(path, lambda: line_of({**head, "identity": dict(identity)}))
        try:
            known = _identity(path, self._file.readline(1 << 20))
            _refuse_another(self.name, known, dict(identity))
        except BaseException:
            self._file.close()
            raise
        self._whole = self._file.tell()
        self._replaying = True
        self._waiting: list[bytes] = []
        self._written = time.monotonic()
        # Sweeps that were given again.
        self.resumed = 0

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.flush()
        self._file.close()

    def next(self, params: Params) -> Summary | None:
        """The summary of the next sweep, if it was written down."""
        if not self._replaying:
            return None
        record = checked(self._file.readline())
        if record is None:
            # The end, or what a killed process left half written.
            self._replaying = False
            self._file.truncate(self._whole)
            self._file.seek(self._whole)
            return None
        self._whole = self._file.tell()
        summary, probe = _summary(self.name, record)
        here = _probe(params)
        if probe.shape != here.shape or np.abs(probe - here).max() > NEAR:
            raise CheckpointError(
                f"{self.name}: from its sweep {self.resumed + 1} on this checkpoint does not "
                "follow from the settings and the rows: it was written by other versions of the "
                "libraries. Delete it to begin anew"
            )
        self.resumed += 1
        return summary

    def add(self, params: Params, summary: Summary) -> None:
        """Write a sweep down, together with others where they follow each other quickly."""
        self._waiting.append(line_of(_record(params, summary)))
        if time.monotonic() - self._written >= INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Everything so far into the file, and onto the disk."""
        if self._waiting:
            self._file.write(b"".join(self._waiting))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._waiting.clear()
        self._written = time.monotonic()

    def remove(self) -> None:
        """The fit is done: the checkpoint is not needed any more."""
        self._waiting.clear()
        self.path.unlink(missing_ok=True)


def taken(path: str | Path, first_line: Callable[[], bytes]) -> IO[bytes]:
    """The file of a checkpoint, begun where there is none, for this process alone until closed."""
    target = Path(os.path.realpath(path))
    reason = None if target.exists() else why_not_writable(target)
    if reason is not None:
        raise CheckpointError(f"checkpoint {path}: cannot be written: {reason}")
    try:
        return open_locked(target, first_line)
    except HeldElsewhere:
        raise CheckpointError(
            f"{path}: another fit is writing this checkpoint: wait for it, or give another name"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from None


def stored_identity(path: str | Path) -> dict[str, Any] | None:
    """Which fit a checkpoint is of; None where there is no file."""
    try:
        with open(path, "rb") as file:
            return _identity(path, file.readline(1 << 20))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None


def _identity(path: str | Path, line: bytes) -> dict[str, Any]:
    """Which fit it is, by the first line of a checkpoint."""
    head = checked(line)
    if head is None or head.get("format") != FORMAT:
        raise CheckpointError(f"{path}: this is not a mixtura checkpoint: give another name")
    if head.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: this checkpoint was written by mixtura {head.get('mixtura')} in format "
            f"version {head.get('version')}; this one reads version {VERSION}: delete it to begin "
            "anew"
        )
    identity = head.get("identity")
    assert isinstance(identity, dict)
    return identity


def digest(source: Source) -> str:
    """A fingerprint of all numbers and weights, in order; one pass."""
    rows, weights = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
    for X, w, *_ in source.chunks(_DIGESTED_ROWS):
        rows.update(np.ascontiguousarray(X).data)
        if w is not None:
            weights.update(np.ascontiguousarray(w).data)
    return f"{source.n}x{source.d} {source.dtype} {rows.hexdigest()} {weights.hexdigest()}"


def digest_of(arrays: Mapping[str, Array]) -> str:
    """A fingerprint of named arrays; empty where there are none."""
    if not arrays:
        return ""
    found = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        found.update(f"{name}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _refuse_another(path: str, known: dict[str, Any], asked: dict[str, Any]) -> None:
    for name in {**known, **asked}:
        was, now = known.get(name), asked.get(name)
        if was != now:
            what = "of other rows" if name == "rows" else f"of {name}={was!r}, not {now!r}"
            raise CheckpointError(
                f"{path}: this checkpoint is {what}: give another name, or delete it to begin anew"
            )


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record with its checksum, as one line."""
    text = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def checked(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where the line is not whole."""
    mark, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or mark != b"%08x" % zlib.crc32(text):
        return None
    record = json.loads(text)
    return record if isinstance(record, dict) else None


def _probe(params: Params) -> Array:
    """What is compared to see that a climb is still the one written down."""
    return np.asarray(params.arrays()["weights"], dtype=np.float64)


def _record(params: Params, summary: Summary) -> dict[str, Any]:
    parts = {f.name: getattr(summary.statistics, f.name) for f in fields(summary.statistics)}
    return {
        "at": encode_array(_probe(params)),
        "sums": encode_array(np.array([summary.loglik, summary.weight])),
        "components": {name: encode_array(array) for name, array in parts.items()},
    }


def _summary(path: str, record: dict[str, Any]) -> tuple[Summary, Array]:
    try:
        loglik, weight = decode_array(record["sums"], "sums").tolist()
        parts = {name: decode_array(part, name) for name, part in record["components"].items()}
        probe = np.asarray(decode_array(record["at"], "at"), dtype=np.float64)
        return Summary(loglik, weight, GaussianStatistics(**parts)), probe
    except (KeyError, TypeError, ValueError, StoreError):
        raise CheckpointError(f"{path}: the checkpoint is damaged: delete it") from None
