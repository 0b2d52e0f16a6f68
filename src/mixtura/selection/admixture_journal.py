"""Finished numbers of populations in a file: what is there is not fitted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mixtura.estimators.admixture import Admixture
from mixtura.estimators.admixture_document import admixture_document
from mixtura.fitting.admixture_folds import CrossValidation
from mixtura.fitting.journal_file import JournalFile, damaged, line_of
from mixtura.records import StrPath
from mixtura.selection.search_file import search_file
from mixtura.store import StoreError, decode, encode


class AdmixtureJournal:
    """Fits and errors by number of populations, in a file or, with path None, nowhere.

    A line holds a fit, or the error of one; where the climbs of the number that comes are is in a
    file of its own beside it (`climbing`).
    """

    def __init__(self, path: StrPath | None, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.fits: dict[int, Admixture] = {}
        self.errors: dict[int, CrossValidation] = {}
        self._lines: JournalFile | None = None
        if path is None:
            return
        self._lines = search_file(path, identity)
        try:
            while self._lines.path.exists() and (record := self._lines.next()) is not None:
                self._learn(record)
            # Begun now, so that an interruption can name it.
            self._lines.append(b"")
        except BaseException:
            self._lines.close()
            raise

    def __enter__(self) -> AdmixtureJournal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()

    def climbing(self, K: int) -> str | None:
        """The checkpoint of the fit of K populations."""
        return None if self.path is None else f"{self.path}.{K}"

    def add_fit(self, K: int, fitted: Admixture) -> None:
        """A fit has ended."""
        self._write(K, {"fit": admixture_document(fitted), "modes": fitted.modes_})

    def add_error(self, K: int, found: CrossValidation) -> None:
        """A cross-validation has ended."""
        self._write(K, {"error": asdict(found)})

    def _write(self, K: int, record: dict[str, Any]) -> None:
        if self._lines is not None:
            self._lines.append(line_of(encode({"n_populations": K} | record)))

    def _learn(self, record: dict[str, Any]) -> None:
        try:
            stored = decode(record, "")
            K = stored["n_populations"]
            if "fit" in stored:
                fitted = Admixture.restored(stored["fit"])
                fitted.modes_ = stored["modes"]
                self.fits[K] = fitted
            else:
                error = stored["error"]
                self.errors[K] = CrossValidation(**error | {"folds": tuple(error["folds"])})
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, StoreError):
            raise damaged(str(self.path)) from None
