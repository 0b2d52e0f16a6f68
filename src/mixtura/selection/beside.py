"""What a search knows of cells beside their numbers: bounds and errors, of every fit in it.

Which interval a cell has hangs on the family (of a count more is known than of a number), so each
cell of the grid places bounds itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.door import column_names
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.interval_cells import doubt_unbounded, placed
from mixtura.estimators.intervals import refuse_settings
from mixtura.estimators.measured import refuse_both, widened, with_errors
from mixtura.estimators.tables_beside import beside_rows, present
from mixtura.families.base import Family
from mixtura.families.intervals import stranger
from mixtura.fitting.mixture_fit import Found
from mixtura.records import AnyArray, Array, Categories, Weights


@dataclass(frozen=True)
class BesideX:
    """As given to `fit` of a search, by name: "lower", "upper", "error"."""

    search: Any
    given: dict[str, Any]
    sample_weight: Weights

    def __call__(
        self, X: AnyArray, kinds: Sequence[Family], found: Categories
    ) -> tuple[AnyArray, dict[str, Array]]:
        """(X with numbers in cells of which only an interval is known, the tables beside it)."""
        columns = getattr(self.search, "feature_names_in_", None)
        present_rows = present(self.sample_weight)
        tables = {
            name: beside_rows(name, each, columns, present_rows, 0.0 if name == "error" else np.nan)
            for name, each in self.given.items()
        }
        names = column_names(columns, X.shape[1])
        if "error" in tables:
            with_errors(X, tables["error"], names)
            return X, tables
        kinds = [kind.for_table(names, found, X) for kind in kinds]
        ends = np.stack(list(tables.values()))
        some = np.asarray(~np.isnan(ends).all(axis=(0, 1)))
        # Where none does one of the grid's cells may.
        kind = next((kind for kind in kinds if not stranger(kind, some)), None)
        if kind is None:
            there = np.isfinite(ends).sum(axis=0)
            middle = np.where(np.isfinite(ends), ends, 0.0).sum(axis=0) / np.maximum(there, 1)
            return np.where(there > 0, middle, X), tables
        cells = placed(X, tables.get("lower"), tables.get("upper"), kind, names)
        doubt_unbounded(cells, kind, names, 1)
        return np.asarray(cells.x, dtype=X.dtype), tables


def beside_x(search: Any, given: Mapping[str, Any], sample_weight: Weights) -> BesideX | None:
    """What is given, None where nothing is; ValueError for settings that know no such rows."""
    asked = {name: each for name, each in given.items() if each is not None}
    if not asked:
        return None
    if "error" in asked:
        refuse_both(asked.get("lower"), asked.get("upper"))
    return BesideX(search, asked, sample_weight)


def refuse_source(search: Any, rows: Source, beside: BesideX | None) -> None:
    """ValueError for rows that do not lie in memory, and for settings that know none of this."""
    if beside is not None:
        refuse_settings(search, rows, ", ".join(beside.given))


def knowing(lanes: Sequence[Any], settings: Mapping[str, Any], rows: Source) -> list[Any]:
    """The lanes whose components know what is beside these rows; ValueError where none do."""
    found, why = [], []
    for lane in lanes:
        mixture = lane.unfitted(settings)
        try:
            if isinstance(rows, Rows):
                widened(mixture, mixture._family().filling(rows.X), rows)
            found.append(lane)
        except ValueError as error:
            why.append(error)
    if not found:
        raise why[0]
    return found


def plainly(found: Found) -> Found:
    """What was found, of the family of the rows themselves."""
    plain = getattr(found.family, "plain", found.family)
    return replace(found, family=plain, model=replace(found.model, family=plain))
