"""What every climb over one table shares."""

from __future__ import annotations

from dataclasses import dataclass

from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture import Mixture


@dataclass(frozen=True)
class Ground:
    """What every climb over one table shares: it depends on the table and on no solver.

    engine is the one that runs, survey the whole table's, maker makes the starts.
    """

    model: Mixture
    engine: str
    survey: Survey
    maker: StartMaker

    def open_sweep(self, model: Mixture, rows: Source) -> Sweep:
        """A sweep of the engine."""
        return open_sweep(self.engine, model, rows)
