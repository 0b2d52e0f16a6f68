"""The cells of a search, round by round: all structures and priors with K components, then K + 1.

Every cell of a round can run at the same time. A cell with K components starts also from the best
split of the one with K - 1. A structure and prior leaves once its score has been below its own
best for PATIENCE rounds running: BIC and its kin have one broad peak in K, and where that lies no
other structure can change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mixtura.data.source import Source
from mixtura.fitting.listeners import GridListener
from mixtura.selection.cell_journal import CellJournal
from mixtura.selection.points import AnyPoint
from mixtura.selection.trial import Trial

# Rounds without a new best after which a structure leaves.
PATIENCE = 2


class Fitter(Protocol):
    """How cells are fitted: see `thorough` and `quick`."""

    def round(
        self, points: Sequence[tuple[AnyPoint, Trial | None]], done: Mapping[AnyPoint, Trial]
    ) -> Iterator[Trial]: ...

    def refitted(self, trial: Trial) -> Trial: ...


@dataclass
class Rounds:
    """The walk over the grid; `trials` holds what ended, what was pruned is not there.

    lanes   a point of each, with any number of components
    """

    rows: Source
    settings: dict[str, Any]
    fitter: Fitter
    components: Sequence[int]
    lanes: Sequence[AnyPoint]
    criterion: str
    prune: bool
    journal: CellJournal
    listener: GridListener | None = None
    trials: dict[AnyPoint, Trial] = field(default_factory=dict)

    def run(self) -> dict[AnyPoint, Trial]:
        """All rounds, or as many as any structure stays for."""
        live, total = list(self.lanes), len(self.lanes) * len(self.components)
        left_out = 0
        for K in sorted(self.components):
            for trial in self._round([lane._replace(n_components=K) for lane in live]):
                self.trials[trial.point] = trial
                if self.listener is not None:
                    self.listener.tried(len(self.trials) + left_out, total, trial)
            if self.prune:
                rest = sum(1 for other in self.components if other > K)
                staying = [lane for lane in live if not self._falling(lane)]
                left_out += rest * (len(live) - len(staying))
                live = staying
        return self.trials

    def _round(self, points: list[AnyPoint]) -> Iterator[Trial]:
        """The cells of one round as they end; those written down first."""
        waiting, done = [], {}
        for point in points:
            before = self._smaller(point)
            known = self.journal.known.get((point, _split(before)))
            if known is not None:
                done[point] = known
                yield known
            else:
                waiting.append((point, before))
        before_of = dict(waiting)
        for trial in self.fitter.round(waiting, done):
            self.journal.add(trial, _split(before_of[trial.point]), self.settings, self.rows)
            yield trial

    def _smaller(self, point: AnyPoint) -> Trial | None:
        """The same with one component less, if it is fit to be split."""
        trial = self.trials.get(point._replace(n_components=point.n_components - 1))
        return trial if trial is not None and trial.regular else None

    def _falling(self, lane: AnyPoint) -> bool:
        path = [trial for point, trial in self.trials.items() if point.lane == lane.lane]
        return falling([score(trial, self.criterion) for trial in path])


def _split(before: Trial | None) -> int:
    """The components of the mixture that a cell was also started from; 0 for none."""
    return 0 if before is None else before.point.n_components


def falling(scores: Sequence[float]) -> bool:
    """Whether the best of these scores is PATIENCE or more rounds ago."""
    return len(scores) - 1 - int(np.argmax(scores)) >= PATIENCE


def score(trial: Trial, criterion: str) -> float:
    """Larger is better; -inf where the mixture may not be chosen."""
    if not trial.regular:
        return -np.inf
    value = trial.measures()[criterion]
    return value if criterion == "heldout" else -value


class CellLines:
    """A line for every cell, on stdout."""

    def tried(self, done: int, total: int, trial: Trial) -> None:
        """One more cell has ended."""
        point, measures = trial.point, trial.measures()
        told = f"BIC {measures['bic']:.3f}" if trial.regular else trial.flaw
        print(f"[{done}/{total}] {point.label} {point.n_components}: {told}")
