"""Finished cells of a search in a file: what is there is not fitted again.

A header that says which search this is, then a line for each cell as it ends, each led by its
checksum as in `mixtura.estimators.checkpoint`. Lines are only added, so a process may be killed at
any moment: what it left half written is left out. The grid is not part of the header, so a search
over more cells goes on from those of a smaller one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixtura.data.atomic import atomic, why_not_writable
from mixtura.data.rows import Rows
from mixtura.estimators.checkpoint import CheckpointError, checked, line_of
from mixtura.estimators.document import restore, to_document
from mixtura.estimators.finding import Found
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.trial import Point, Trial
from mixtura.store import StoreError, decode, encode
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-search", 1
Known = tuple[Point, int]


class CellJournal:
    """The cells of one search in a file, or, with path None, nowhere.

    A cell is known by its point and by the number of components of the mixture whose split it was
    also started from, 0 for none.
    """

    def __init__(self, path: str | Path | None, identity: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.known: dict[Known, Trial] = {}
        if self.path is None:
            return
        reason = why_not_writable(self.path)
        if reason is not None:
            raise CheckpointError(f"checkpoint {self.path}: cannot be written: {reason}")
        head = {"format": FORMAT, "version": VERSION, "mixtura": __version__}
        lines = self._lines(dict(identity))
        if not lines:
            with atomic(self.path) as part:
                part.write_bytes(line_of({**head, "identity": dict(identity)}))
            return
        for record in lines:
            self._learn(record)

    def add(self, trial: Trial, split: int, settings: Mapping[str, Any], rows: Rows) -> None:
        """Write down a cell that has ended, onto the disk."""
        self.known[trial.point, split] = trial
        if self.path is None:
            return
        record = {
            "point": list(trial.point),
            "split": split,
            "mixture": None if not trial.held else to_document(trial.mixture(settings, rows)),
            "flaw": trial.flaw,
            "certainty": trial.certainty,
            "heldout": [list(part) for part in trial.heldout],
            "seconds": trial.seconds,
        }
        with open(self.path, "ab") as file:
            file.write(line_of(encode(record)))
            file.flush()
            os.fsync(file.fileno())

    def _lines(self, identity: dict[str, Any]) -> list[dict[str, Any]]:
        """The records that are whole; what follows them is cut off."""
        assert self.path is not None
        if not self.path.exists():
            return []
        records, whole = [], 0
        with open(self.path, "r+b") as file:
            head = checked(file.readline())
            if head is None or head.get("format") != FORMAT:
                raise CheckpointError(
                    f"{self.path}: this is not the checkpoint of a search: give another name"
                )
            if (head.get("version"), head.get("identity")) != (VERSION, identity):
                raise CheckpointError(
                    f"{self.path}: this checkpoint is of other rows, settings or versions: give "
                    "another name, or delete it to begin anew"
                )
            whole = file.tell()
            while (record := checked(file.readline())) is not None:
                records.append(record)
                whole = file.tell()
            file.truncate(whole)
        return [head, *records]

    def _learn(self, record: dict[str, Any]) -> None:
        if "identity" in record:
            return
        try:
            stored = decode(record, "")
            document = stored["mixture"]
            found = None if document is None else _found(restore(document, GaussianMixture))
            trial = Trial(
                Point(*stored["point"]),
                found,
                stored["flaw"],
                stored["certainty"],
                tuple((part[0], part[1]) for part in stored["heldout"]),
                stored["seconds"],
            )
            self.known[trial.point, stored["split"]] = trial
        except (KeyError, TypeError, StoreError):
            raise CheckpointError(f"{self.path}: the checkpoint is damaged: delete it") from None


def _found(mixture: GaussianMixture) -> Found:
    assert mixture.fit_result_ is not None
    return Found(mixture._fitted()[1], mixture.fit_result_)
