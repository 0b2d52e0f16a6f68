"""Climbs on a network in a file: a killed search goes on, to the identical answer.

Where a climb ends hangs on where it begins, on how far it may go and on the random numbers that it
is given. A line for each climb, in the order in which they ended, has a digest of these, the end
and where the random numbers stood then, so a search that is run again climbs only what is missing.
Of shares of nodes, which are large, only those of the highest ends are kept: a search asks seldom
for others', and then climbs there again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.belief import BeliefEnd
from mixtura.engines.blocks import BlockEnd
from mixtura.engines.holes import HolesEnd
from mixtura.engines.partition import PartitionEnd
from mixtura.errors import LikelihoodFell
from mixtura.fitting.checkpoint import digest_of, refuse_another
from mixtura.fitting.journal_file import (
    CheckpointError,
    JournalFile,
    damaged,
    line_of,
)
from mixtura.fitting.networks.search import Climber, End
from mixtura.fitting.networks.sides import Sizes
from mixtura.models.block_model import BlockParams, Edges
from mixtura.records import AnyArray, StrPath
from mixtura.store import StoreError, decode, encode
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-blocks-checkpoint", 2
# Ends are written down at most this many seconds after they were met; the first at once.
INTERVAL = 1.0
KINDS: dict[str, type[Any]] = {k.__name__: k for k in (BlockEnd, BeliefEnd, PartitionEnd, HolesEnd)}
LARGE = ("memberships", "params")


class _Light:
    """An end of which only the height was kept: asked for more, it is climbed again."""

    def __getattr__(self, name: str) -> Any:
        if name not in LARGE:
            raise AttributeError(name)
        vars(self).update(vars(self.__dict__["again"]()))
        return vars(self)[name]


LIGHT = {k.__name__: type(k.__name__, (_Light, k), {}) for k in (BlockEnd, BeliefEnd)}


class ClimbJournal:
    """The climbs of one fit in a file; use it in a `with` block.

    identity says which fit this is: plain JSON values by name. CheckpointError for a file that is
    another's, damaged, or in use.
    """

    def __init__(self, path: StrPath, identity: Mapping[str, Any]) -> None:
        self.name = str(path)
        asked = dict(identity)
        head = {"format": FORMAT, "version": VERSION, "mixtura": __version__, "identity": asked}
        self._lines = JournalFile(path, head, lambda found: self._accept(found, asked))
        self._known: dict[str, dict[str, Any]] = {}
        self._waiting: list[bytes] = []
        self._written, self._lock = -np.inf, threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False
        # The highest end of each number of blocks.
        self._highest: dict[int, float] = {}
        # Climbs that were given again.
        self.resumed = 0
        if self._lines.path.exists():
            while (record := self._lines.next()) is not None:
                self._known[str(record.get("key"))] = record

    def __enter__(self) -> ClimbJournal:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._flush()
            self._lines.close()
            self._closed = True

    def known(
        self, key: str, law: Edges, rng: np.random.Generator, again: Callable[[], End]
    ) -> End | str | None:
        """The end that was written down, None of a climb that fell, "" where there is none; the
        random numbers then go on from where they were. What was not kept of it comes from
        `again`."""
        record = self._known.get(key)
        if record is None:
            return ""
        try:
            rng.bit_generator.state = json.loads(record["rng"])
            found = (
                None if record["end"] is None else _restored(decode(record["end"], ""), law, again)
            )
        except (LookupError, TypeError, ValueError, RecursionError, StoreError, zlib.error):
            raise damaged(self.name) from None
        with self._lock:
            self.resumed += 1
        return found

    def add(self, key: str, end: End | None, rng: np.random.Generator) -> None:
        """Write an end down, together with others where they follow each other quickly."""
        told = None if end is None else encode(_told(end, self._is_high(end)))
        state = json.dumps(rng.bit_generator.state)
        line = line_of({"key": key, "end": told, "rng": state})
        with self._lock:
            if self._closed:
                # Of a search that failed, another thread was still climbing.
                return
            self._waiting.append(line)
            left = self._written + INTERVAL - time.monotonic()
            if left <= 0:
                self._flush()
            elif self._timer is None:
                # A climb after this one may be long.
                self._timer = threading.Timer(left, self._flush_late)
                self._timer.daemon = True
                self._timer.start()

    def _is_high(self, end: Any) -> bool:
        if not isinstance(end, BlockEnd | BeliefEnd):
            return True
        K = end.params.K
        with self._lock:
            high = end.bound > self._highest.get(K, -np.inf)
            if high:
                self._highest[K] = end.bound
        return high

    def _flush_late(self) -> None:
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._lines.append(b"".join(self._waiting))
            self._waiting.clear()
        self._written = time.monotonic()

    def _accept(self, found: dict[str, Any] | None, asked: dict[str, Any]) -> None:
        if found is None or found.get("format") != FORMAT or found.get("version") != VERSION:
            raise CheckpointError(
                f"{self.name}: this is not the checkpoint of a BlockModel: give another name"
            )
        refuse_another(self.name, dict(found.get("identity") or {}), asked)


@dataclass(frozen=True)
class Watched:
    """A climber whose ends are written down, and not climbed again."""

    climber: Climber
    law: Edges
    journal: ClimbJournal

    @property
    def network(self) -> Network:
        """The nodes and their pairs."""
        return self.climber.network

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> End:
        """The end that the journal knows, or that the climber finds."""
        key = self._key(start, blocks, rng, steps)
        before = deepcopy(rng)
        found = self.journal.known(
            key, self.law, rng, lambda: self.climber.climb(start, blocks, before, steps)
        )
        if isinstance(found, str):
            try:
                found = self.climber.climb(start, blocks, rng, steps)
            except LikelihoodFell:
                self.journal.add(key, None, rng)
                raise
            self.journal.add(key, found, rng)
        if found is None:
            raise LikelihoodFell(np.nan, np.nan)
        return found

    def height(self, bound: float) -> float:
        """The climber's."""
        return self.climber.height(bound)

    def _key(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None
    ) -> str:
        who = type(self.climber).__name__, getattr(self.climber, "aim", None), blocks, steps
        told = f"{who} {start.dtype} {json.dumps(rng.bit_generator.state)}"
        found = hashlib.blake2b(told.encode(), digest_size=16)
        found.update(np.ascontiguousarray(start).data)
        return found.hexdigest()


def opened(
    path: StrPath | None, network: Network, seed: int, settings: Mapping[str, Any]
) -> AbstractContextManager[ClimbJournal | None]:
    """The journal of a fit to this network, seed and settings (plain values); nothing without a
    path.
    """
    if path is None:
        return nullcontext()
    return ClimbJournal(path, {"network": _digest(network), "seed": seed, **settings})


def _digest(network: Network) -> str:
    arrays: dict[str, AnyArray] = {"loops": network.loops}
    for name, matrix in (("edges", network.edges), ("listed", network.listed)):
        parts = {"ptr": matrix.indptr, "idx": matrix.indices, "x": matrix.data}
        arrays |= {f"{name} {part}": array for part, array in parts.items()}
    form = network.complete, network.directed, network.first
    return f"{network.n} nodes {form} {digest_of(arrays)}"


def _told(end: Any, whole: bool) -> dict[str, Any]:
    kept = [each.name for each in fields(end) if whole or each.name not in LARGE]
    found = {name: getattr(end, name) for name in kept}
    params = found.get("params")
    if params is not None:
        names = [each.name for each in fields(params) if each.name != "law"]
        found["params"] = {name: _packed(getattr(params, name)) for name in names}
    found["trace"] = np.array(end.trace)
    return {"kind": type(end).__name__} | {name: _packed(part) for name, part in found.items()}


def _restored(told: dict[str, Any], law: Edges, again: Callable[[], End]) -> End:
    name = told.pop("kind")
    told = {part: _unpacked(value) for part, value in told.items()}
    told["trace"] = tuple(told["trace"].tolist())
    if name in LIGHT and not set(LARGE) <= set(told):
        light: Any = object.__new__(LIGHT[name])
        vars(light).update(told, again=again)
        found: End = light
        return found
    if "params" in told:
        parts = {part: _unpacked(value) for part, value in told["params"].items()}
        told["params"] = BlockParams(law, **parts)
    found = KINDS[name](**told)
    return found


def _packed(part: Any) -> Any:
    """An array as short text, other parts as they are."""
    if not isinstance(part, np.ndarray):
        return part
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(part).data)).decode()
    return {"packed": data, "dtype": part.dtype.str, "shape": list(part.shape)}


def _unpacked(part: Any) -> Any:
    if not isinstance(part, dict) or "packed" not in part:
        return part
    data = bytearray(zlib.decompress(base64.b64decode(part["packed"])))
    return np.frombuffer(data, part["dtype"]).reshape(part["shape"])
