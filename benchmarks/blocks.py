"""Block models of large networks: seconds and memory on 10,000 to 1,000,000 edges.

Ten blocks are given. Each in a process of its own. Half of the edges lie within a planted block;
the agreement with the planted blocks is told beside (normalised mutual information).
"""

from __future__ import annotations

import subprocess
import sys

from rich.console import Console
from rich.table import Table

SIZES = ((1_000, 10_000), (10_000, 100_000), (100_000, 1_000_000))
PROGRAM = """
import sys, time
import numpy as np
from scipy.sparse import csr_array
from sklearn.metrics import normalized_mutual_info_score
from mixtura import BlockModel
n, m, corrected, K = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True", 10
rng = np.random.default_rng(0)
z, source, target = rng.integers(K, size=n), rng.integers(n, size=m), rng.integers(n, size=m)
inside = rng.random(m) < 0.5
for k in range(K):
    at = np.flatnonzero(inside & (z[source] == k))
    target[at] = rng.choice(np.flatnonzero(z == k), len(at))
apart = source != target
A = csr_array((np.ones(apart.sum()), (source[apart], target[apart])), shape=(n, n))
A = ((A + A.T) > 0).astype(float)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
began, cpu = time.perf_counter(), time.process_time()
model = BlockModel(K, degree_corrected=corrected, random_state=0).fit(A)
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
told = normalized_mutual_info_score(z, model.labels_)
print(seconds, cpu, peak(), model.fit_result_.passes, told)
"""


def measured(n: int, m: int, corrected: bool) -> list[float]:
    """Seconds, processor seconds, peak MB of the process, steps of all climbs, agreement."""
    command = [sys.executable, "-c", PROGRAM, str(n), str(m), str(corrected)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def run(console: Console) -> None:
    """A line for each size and model."""
    table = Table(title="BlockModel, 10 blocks (promised: 1,000,000 edges in 60 s and 1 GB)")
    for head in ("nodes", "edges", "degrees", "s", "CPU s", "peak MB", "steps", "agreement"):
        table.add_column(head, justify="right")
    for n, m in SIZES:
        for corrected in (False, True):
            seconds, cpu, peak, steps, told = measured(n, m, corrected)
            kept = "kept" if corrected else "no"
            size = f"{n:,}", f"{m:,}", kept
            table.add_row(
                *size, f"{seconds:.1f}", f"{cpu:.1f}", f"{peak:.0f}", f"{steps:.0f}", f"{told:.3f}"
            )
    console.print(table)
