"""The least time a pass can take on a machine: its arithmetic, its reading and its exponentials.

A dense pass looks at every row for every component. With full covariances that is the triangle of
a product with the whitening matrix and the triangle of a scatter, d (d + 1) flops each, and a few
more per column: 2 d (d + 3) in all. With diagonal ones it is 8 d. Arithmetic and reading overlap,
so the longer of the two counts; the exponentials come on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["full", "diag"]


@dataclass(frozen=True)
class Machine:
    """What this machine can do with that many threads, per second."""

    threads: int
    flops: float
    exps: float
    bandwidth: float  # bytes read


@dataclass(frozen=True)
class Workload:
    """Rows, columns and components of one pass in float64."""

    n: int
    d: int
    K: int
    form: Form = "full"

    @property
    def name(self) -> str:
        return f"{self.n},{self.d},{self.K}" + ("" if self.form == "full" else f",{self.form}")

    @property
    def flops(self) -> float:
        """Of the quadratic forms and the scatter."""
        each = 2 * self.d * (self.d + 3) if self.form == "full" else 8 * self.d
        return float(self.n * self.K * each)

    @property
    def bytes(self) -> float:
        """Of the rows, read once."""
        return 8.0 * self.n * self.d

    @property
    def exps(self) -> float:
        return float(self.n * self.K)

    @property
    def promised(self) -> float:
        """The most that a pass may take, in floors: few columns leave little to overlap."""
        return 2.5 if self.d >= 8 else 5.0


def floor(work: Workload, machine: Machine) -> float:
    """Seconds of the fastest dense pass there could be."""
    arithmetic = work.flops / machine.flops
    reading = work.bytes / machine.bandwidth
    return max(arithmetic, reading) + work.exps / machine.exps


# The first ten are those of the promise; see docs/performance.md.
WORKLOADS = (
    Workload(300, 2, 3),
    Workload(10_000, 2, 5),
    Workload(1_000_000, 2, 8),
    Workload(100_000, 10, 10),
    Workload(1_000_000, 10, 10),
    Workload(200_000, 32, 16),
    Workload(100_000, 64, 32),
    Workload(1_000_000, 8, 100),
    Workload(50_000, 128, 8),
    Workload(2_000_000, 16, 32),
)
# Beside those: 8 n K d flops, and so more reading and exponentials for each of them.
DIAGONAL = (
    Workload(1_000_000, 2, 8, "diag"),
    Workload(500_000, 10, 10, "diag"),
    Workload(200_000, 32, 16, "diag"),
    Workload(50_000, 128, 8, "diag"),
)
