"""Has speed been given back? `python -m benchmarks guard` fails and names what fell.

Only ratios are compared, each to something measured in the same process: to the machine's floor
(lower is better) or to scikit-learn (higher is better), of steps, whole fits and a whole search.
`expected.json` holds what was measured when a change last moved them and how far a ratio may stray:
machines differ, and so do days. A change that is meant to move one writes the new figure there.
Beside other work scikit-learn is slowed far more than we are: what is better than stored by as much
as it may stray is marked, for a fall could hide behind that.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import sklearn.mixture
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.default import CELLS, beside
from benchmarks.em_pass import make, per_pass
from benchmarks.floor import WORKLOADS, Machine
from benchmarks.limits import timed
from benchmarks.machine import measure
from benchmarks.select import beside_scikit_learn

EXPECTED = Path(__file__).with_name("expected.json")
FLOOR, PEER = "step / floor", "scikit-learn / ours"
SEARCH = "36 fits of scikit-learn / our 126 cells"
DEFAULT = "a default fit of scikit-learn / ours"
# EM steps timed of scikit-learn and of ours, as in em_pass.
STEPS = {"10000,2,5": (20, 200), "100000,10,10": (2, 30)}
TRIES = 3


@dataclass(frozen=True)
class Ratio:
    """What is expected of one workload, and by which factor it may be worse."""

    kind: str
    workload: str
    expected: float
    slack: float

    @property
    def name(self) -> str:
        return f"{self.kind} at {self.workload}"

    @property
    def limit(self) -> float:
        """The worst ratio that passes."""
        lower = self.kind == FLOOR
        return self.expected * self.slack if lower else self.expected / self.slack

    def gain(self, measured: float) -> float:
        """By which factor this is better than what is expected; below 1 it is worse."""
        return self.expected / measured if self.kind == FLOOR else measured / self.expected

    def holds(self, measured: float) -> bool:
        return self.gain(measured) >= 1 / self.slack

    def hides(self, measured: float) -> bool:
        """Whether it is so much better that it tells nothing of a fall."""
        return self.gain(measured) > self.slack


def stored() -> list[Ratio]:
    """The ratios of `expected.json`."""
    kinds = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return [
        Ratio(kind, workload, entry["ratio"], entry["slack"])
        for kind, entries in kinds.items()
        for workload, entry in entries.items()
    ]


def measured(ratio: Ratio, machine: Machine) -> float:
    """The same ratio, here and now."""
    if ratio.kind == SEARCH:
        return beside_scikit_learn(ratio.workload)
    if ratio.kind == DEFAULT:
        ours, theirs = beside(next(cell for cell in CELLS if cell.name == ratio.workload))
        return theirs.seconds / ours.seconds
    work = next(work for work in WORKLOADS if work.name == ratio.workload)
    if ratio.kind == FLOOR:
        return timed(work, machine).ratio
    X, start = make(work.n, work.d, work.K)
    theirs, ours = STEPS[ratio.workload]
    slow, _ = per_pass(sklearn.mixture.GaussianMixture, X, start, theirs)
    return slow / per_pass(mixtura.GaussianMixture, X, start, ours)[0]


def run(console: Console) -> None:
    """Print every ratio beside what is expected; exit with the names of those that fell."""
    machine, said = measure()
    console.print(said)
    table = Table(title="Ratios against those stored")
    for heading in ("ratio", "workload", "stored", "limit", "measured", ""):
        table.add_column(heading, justify="right", no_wrap=heading != "ratio")
    fell, hidden = [], 0
    for ratio in stored():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = measured(ratio, machine)
            # A busy moment is no fall: what fell is measured again.
            for _ in range(TRIES - 1):
                if not ratio.holds(best):
                    best = max(best, measured(ratio, machine), key=ratio.gain)
        if not ratio.holds(best):
            fell.append(ratio.name)
        hidden += ratio.hides(best)
        table.add_row(
            ratio.kind,
            ratio.workload,
            *(f"{value:.2f}" for value in (ratio.expected, ratio.limit, best)),
            "better" if ratio.hides(best) else "" if ratio.holds(best) else "fell",
        )
    console.print(table)
    if hidden:
        console.print(
            f"{hidden} are better than stored by more than they may stray, so that a fall could "
            "hide: measure where nothing else runs, or write the new figures down"
        )
    if fell:
        sys.exit(f"slower than stored in {EXPECTED.name}: {', '.join(fell)}")
