"""Finished cells of a search in a file: what is there is not fitted again.

A header that says which search this is, then a line for each cell as it ends, as a `JournalFile`.
The grid is not part of the header, so a search over more cells goes on from those of a smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.document import restore, to_document
from mixtura.fitting.journal_file import JournalFile, damaged, line_of
from mixtura.fitting.mixture_fit import Found
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import StrPath
from mixtura.selection.points import AnyPoint, Point
from mixtura.selection.search_file import search_file
from mixtura.selection.trial import Trial
from mixtura.store import StoreError, decode, encode

Known = tuple[AnyPoint, int]


class CellJournal:
    """The cells of one search in a file, or, with path None, nowhere; use it in a `with` block.

    A cell is known by its point and by the number of components of the mixture whose split it was
    also started from, 0 for none.
    """

    def __init__(
        self, path: StrPath | None, identity: Mapping[str, Any], kind: type[AnyPoint] = Point
    ) -> None:
        self.known: dict[Known, Trial] = {}
        self._kind = kind
        self._lines: JournalFile | None = None
        if path is None:
            return
        self.name = str(path)
        self._lines = search_file(path, identity)
        try:
            self._learn_all(self._lines)
        except BaseException:
            self._lines.close()
            raise

    def __enter__(self) -> CellJournal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()

    def add(self, trial: Trial, split: int, settings: Mapping[str, Any], rows: Source) -> None:
        """Write down a cell that has ended, onto the disk."""
        self.known[trial.point, split] = trial
        if self._lines is None:
            return
        record = {
            "point": list(trial.point),
            "split": split,
            "mixture": None if not trial.held else to_document(trial.mixture(settings, rows)),
            "params": None if not trial.held else _arrays(trial.found.params),
            "flaw": trial.flaw,
            "certainty": trial.certainty,
            "heldout": [list(part) for part in trial.heldout],
            "seconds": trial.seconds,
        }
        self._lines.append(line_of(encode(record)))

    def _learn_all(self, lines: JournalFile) -> None:
        if lines.path.exists():
            while (record := lines.next()) is not None:
                self._learn(record)

    def _learn(self, record: dict[str, Any]) -> None:
        try:
            stored = decode(record, "")
            document = stored["mixture"]
            mixture = None if document is None else restore(document, self._kind.estimator())
            found = None if mixture is None else _found(mixture, stored["params"])
            trial = Trial(
                self._kind(*stored["point"]),
                found,
                stored["flaw"],
                stored["certainty"],
                tuple((part[0], part[1]) for part in stored["heldout"]),
                stored["seconds"],
            )
            self.known[trial.point, stored["split"]] = trial
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, StoreError):
            raise damaged(self.name) from None


def _arrays(params: MixtureParams) -> dict[str, Any]:
    """All that the parameters hold: later cells begin there, to the last bit."""
    parts = params.components
    values = {f.name: getattr(parts, f.name) for f in fields(parts)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return {"weights": params.weights} | arrays


def _found(mixture: ClimbedMixture, arrays: dict[str, Any]) -> Found:
    assert mixture.fit_result_ is not None
    # An estimator keeps of each matrix and its factors what scikit-learn does, in its own type.
    model, params = mixture._fitted()
    parts: Any = params.components
    named = {name: value for name, value in arrays.items() if name != "weights"}
    params = MixtureParams(arrays["weights"], replace(parts, **named))
    threshold = mixture.__dict__.get("trim_threshold_")
    return Found(params, mixture.fit_result_, model.family, model, threshold)
