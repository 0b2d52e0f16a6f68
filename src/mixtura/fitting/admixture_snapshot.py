"""Checkpoints of an admixture: where its climbs are, in one file that is replaced as they go."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.atomic import atomic
from mixtura.data.genotypes import Genotypes
from mixtura.fitting.journal_file import CheckpointError, refuse_unwritable
from mixtura.records import AnyArray, StrPath

# Seconds between two writings: each holds a few copies of P.
INTERVAL = 30.0
# Markers that are digested together.
_DIGESTED = 1 << 14


class Snapshot:
    """Arrays by name in a file, of the fit that `identity` names; another's is refused.

    What is `kept` is written at once, and where a climb is, `at`, every INTERVAL seconds, and when
    it is interrupted (`flush`).
    """

    def __init__(self, path: StrPath, identity: Mapping[str, Any]) -> None:
        refuse_unwritable(path)
        self.path, self.identity = Path(os.path.realpath(path)), json.dumps(identity)
        self.kept: dict[str, AnyArray] = {}
        self._at: dict[str, AnyArray] = {}
        self._written = time.monotonic()
        if self.path.exists():
            self._read(str(path))

    def _read(self, name: str) -> None:
        found, known = _parts(self.path, name)
        asked = json.loads(self.identity)
        if known != asked:
            what = next(key for key in asked if known.get(key) != asked[key])
            raise CheckpointError(
                f"{name}: this checkpoint is of {what}={known.get(what)!r}, not {asked[what]!r}: "
                "give another name, or delete it to begin anew"
            )
        for each, array in found.items():
            climb, _, rest = each.partition("/")
            (self.kept if climb != "at" else self._at)[each if climb != "at" else rest] = array

    def keep(self, prefix: str, arrays: Mapping[str, AnyArray]) -> None:
        """These for good; where the climb was is forgotten."""
        self.kept |= {f"{prefix}/{name}": array for name, array in arrays.items()}
        self._at = {}
        self._write()

    def held(self, prefix: str) -> dict[str, AnyArray]:
        """What was kept under a prefix; empty if nothing was."""
        start = f"{prefix}/"
        return {name[len(start) :]: a for name, a in self.kept.items() if name.startswith(start)}

    def resumed(self) -> dict[str, AnyArray]:
        """Where the climb was that was going on; empty if none was."""
        return self._at

    def at(self, arrays: Mapping[str, AnyArray]) -> None:
        """Where the climb is."""
        self._at = dict(arrays)
        if time.monotonic() - self._written >= INTERVAL:
            self.flush()

    def flush(self) -> None:
        """All that is known into the file."""
        if self.kept or self._at:
            self._write()

    def _write(self) -> None:
        every = self.kept | {f"at/{name}": array for name, array in self._at.items()}
        every["identity"] = np.array(self.identity)
        # Its declared type takes every name for `allow_pickle`.
        write: Any = np.savez
        with atomic(self.path) as part, part.open("wb") as file:
            write(file, **every)
        self._written = time.monotonic()


def _parts(path: Path, name: str) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """The arrays of a file, and which fit it is of."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {each: file[each] for each in file.files}
        # Those from before ploidy was written are of diploids, as most are.
        known: dict[str, Any] = {"ploidy": 2} | json.loads(str(found.pop("identity")))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        raise CheckpointError(
            f"{name}: this is not a checkpoint of an Admixture: give another name"
        ) from None
    return found, known


def snapshot_identity(path: StrPath) -> dict[str, Any]:
    """Which fit the file is of."""
    return _parts(Path(path), str(path))[1]


def digest(genotypes: Genotypes) -> str:
    """A fingerprint of all genotypes, and of who carries one copy where."""
    found = hashlib.blake2b(digest_size=16)
    for array in (genotypes.haploid, genotypes.single):
        if genotypes.haploid is not None and array is not None:
            found.update(np.ascontiguousarray(array).data)
    for start in range(0, genotypes.markers, _DIGESTED):
        found.update(np.ascontiguousarray(genotypes.codes[start : start + _DIGESTED]).data)
    return f"{genotypes.individuals}x{genotypes.markers} {found.hexdigest()}"
