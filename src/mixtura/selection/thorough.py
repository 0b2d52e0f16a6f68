"""The cells of a search one by one, each with all that `GaussianMixture` would do for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib

from mixtura.data.source import Source
from mixtura.selection import trial as cells
from mixtura.selection.points import AnyPoint
from mixtura.selection.trial import Fold, Trial


@dataclass(frozen=True)
class Thorough:
    """Fits cells by joblib, `n_jobs` at a time."""

    rows: Source
    settings: Mapping[str, Any]
    folds: Sequence[Fold]
    n_jobs: int | None

    def round(
        self, points: Sequence[tuple[AnyPoint, Trial | None]], done: Mapping[AnyPoint, Trial]
    ) -> Iterator[Trial]:
        """The trials as they end; each cell is given beside the same with one component less."""
        work = (
            joblib.delayed(cells.tried)(self.rows, self.settings, point, before, self.folds)
            for point, before in points
        )
        pool = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")
        yield from pool(work)

    def refitted(self, trial: Trial) -> Trial:
        """The trial: nothing more is to be done."""
        return trial
