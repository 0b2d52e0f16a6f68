"""Checkpoints: a fit that was killed goes on where it was, to the identical answer.

The file is a header and one line for every sweep over all rows, with the summary that came of it
(see `mixtura.engines.journaled`), in the JSON of `mixtura.store`, as a `JournalFile`. The header
says which fit this is: settings, seed and a digest of the rows. Another fit is refused.
"""

from __future__ import annotations

import hashlib
import operator
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.engines.journaled import Journal, Journaled
from mixtura.fitting.journal_file import (
    CheckpointError,
    JournalFile,
    damaged,
    line_of,
)
from mixtura.records import Array, Params, StrPath, Summary
from mixtura.store import StoreError, decode_array, encode_array
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-checkpoint", 2
# Sweeps are written down at most this many seconds after they were made, or after the next one.
INTERVAL = 1.0
# How far the weights of a resumed climb may be from those written down: rounding on another
# machine, and far less than any other climb's.
NEAR = 1e-6
_DIGESTED_ROWS = 1 << 16


class Checkpoint:
    """The journal of one fit in a file; use it in a `with` block.

    identity says which fit this is: plain JSON values by name.
    """

    def __init__(self, path: StrPath, identity: Mapping[str, Any]) -> None:
        asked = dict(identity)
        head = {"format": FORMAT, "version": VERSION, "mixtura": __version__, "identity": asked}
        self.name = str(path)
        self._lines = JournalFile(
            path, head, lambda found: refuse_another(self.name, _identity(path, found), asked)
        )
        self._waiting: list[bytes] = []
        self._written = time.monotonic()
        # Sweeps that were given again.
        self.resumed = 0
        # Whether it was begun here, and no sweep is in the file.
        self.empty = self._lines.new

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._lines.close()

    def next(self, params: Params, like: Summary) -> Summary | None:
        """The summary of the next sweep, if it was written down; `like` is that of no rows."""
        record = self._lines.next()
        if record is None:
            return None
        summary, probe = _summary(self.name, record, like)
        here = _probe(params)
        if probe.shape != here.shape or not np.abs(probe - here).max() <= NEAR:
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
            self._lines.append(b"".join(self._waiting))
            self.empty = False
            self._waiting.clear()
        self._written = time.monotonic()


def journaled(
    open_sweep: Callable[[Any, Source], Sweep], rows: Source, journal: Journal
) -> Callable[[Any, Source], Sweep]:
    """`open_sweep`, its sweeps over all rows journaled."""

    def open_one(model: Any, source: Source) -> Sweep:
        sweep = open_sweep(model, source)
        return Journaled(sweep, model, journal) if source is rows else sweep

    return open_one


def _identity(path: StrPath, head: dict[str, Any] | None) -> dict[str, Any]:
    """Which fit it is, by the first record of a checkpoint."""
    if head is None or head.get("format") != FORMAT:
        raise CheckpointError(f"{path}: this is not a mixtura checkpoint: give another name")
    if head.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: this checkpoint was written by mixtura {head.get('mixtura')} in format "
            f"version {head.get('version')}; this one reads version {VERSION}: delete it to begin "
            "anew"
        )
    identity = head.get("identity")
    seed = identity.get("seed") if isinstance(identity, dict) else None
    if not isinstance(identity, dict) or type(seed) is not int or not 0 <= seed < 2**31:
        raise damaged(str(path))
    return identity


def digest(source: Source) -> str:
    """A fingerprint of all numbers and weights, in order; one pass."""
    parts = source.reduced(lambda part: [_digest(part)], operator.add)
    told = parts[0]
    if len(parts) > 1:
        told = hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()
    return f"{source.n}x{source.d} {source.dtype} {told}"


def _digest(part: Source) -> str:
    rows, weights = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
    for X, w, *_ in part.chunks(_DIGESTED_ROWS):
        rows.update(np.ascontiguousarray(X).data)
        if w is not None:
            weights.update(np.ascontiguousarray(w).data)
    return f"{rows.hexdigest()} {weights.hexdigest()}"


def digest_of(arrays: Mapping[str, Array]) -> str:
    """A fingerprint of named arrays; empty where there are none."""
    if not arrays:
        return ""
    found = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        found.update(f"{name}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def refuse_another(path: str, known: dict[str, Any], asked: dict[str, Any]) -> None:
    """CheckpointError where the fit that a checkpoint is of is not the one that is asked for."""
    # What was given as random_state does not matter beside the seed that came of it.
    for name in {**known, **asked}.keys() - {"random_state"}:
        if known.get(name) == asked.get(name):
            continue
        told = "random_state" if name == "seed" else name
        was, now = known.get(told), asked.get(told)
        if name in ("rows", "network"):
            what = "of other rows" if name == "rows" else "of another network"
        elif was == now:
            what = f"of another state of the same random_state, {now!r}"
        else:
            what = f"of {told}={was!r}, not {now!r}"
        raise CheckpointError(
            f"{path}: this checkpoint is {what}: give another name, or delete it to begin anew"
        )


def _probe(params: Params) -> Array:
    """What is compared to see that a climb is still the one written down."""
    arrays = params.arrays()
    if "weights" in arrays:
        return np.asarray(arrays["weights"], dtype=np.float64)
    every = np.concatenate([np.ravel(array) for array in arrays.values()])
    return np.asarray(every / (1.0 + np.abs(every)), dtype=np.float64)


def _record(params: Params, summary: Summary) -> dict[str, Any]:
    parts = summary.statistics.arrays()
    return {
        "at": encode_array(_probe(params)),
        "sums": encode_array(np.array([summary.loglik, summary.weight])),
        "statistics": {name: encode_array(array) for name, array in parts.items()},
    }


def _summary(name: str, record: dict[str, Any], like: Summary) -> tuple[Summary, Array]:
    """The summary in a record, of the kind and shapes of `like`; the weights it was taken at."""
    try:
        loglik, weight = decode_array(record["sums"], "sums").tolist()
        stored, shapes = dict(record["statistics"]), like.statistics.arrays()
        parts = {part: decode_array(stored[part], part) for part in shapes}
        probe = np.asarray(decode_array(record["at"], "at"), dtype=np.float64)
    except (KeyError, TypeError, ValueError, RecursionError, StoreError):
        raise damaged(name) from None
    if any(part.shape != shapes[key].shape for key, part in parts.items()):
        raise damaged(name)
    return Summary(loglik, weight, like.statistics.with_arrays(parts)), probe
