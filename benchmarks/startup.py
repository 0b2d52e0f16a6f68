"""What a fresh process pays: importing, and the first fit."""

from __future__ import annotations

import statistics
import subprocess
import sys

from rich.console import Console

# The class itself, not only the package: mixtura finds its public names on first use.
IMPORT = """
import time
began = time.perf_counter()
from {module} import GaussianMixture
print(time.perf_counter() - began)
"""
FIRST = """
import time, numpy as np
from mixtura import GaussianMixture
X = np.random.default_rng(0).normal(size=(300, 2))
times = []
for _ in range(3):
    began = time.perf_counter()
    GaussianMixture(2, random_state=0).fit(X)
    times.append(time.perf_counter() - began)
print(times[0] - min(times[1:]))
"""


def seconds(program: str, repeats: int = 7) -> float:
    """The median of what the program prints, each time in a fresh process."""
    runs = [
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        for _ in range(repeats)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def run(console: Console) -> None:
    """Print both figures beside their limits."""
    ours = seconds(IMPORT.format(module="mixtura"))
    theirs = seconds(IMPORT.format(module="sklearn.mixture"))
    console.print(
        f"import mixtura {ours:.2f} s, import sklearn.mixture {theirs:.2f} s: "
        f"{ours - theirs:+.2f} s (promised at most +0.20)"
    )
    console.print(
        f"the first fit of a process takes {seconds(FIRST):.3f} s longer than the next "
        "(promised below 0.5)"
    )
