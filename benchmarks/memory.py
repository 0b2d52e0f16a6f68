"""Peak memory of a fit beyond its data: no array of rows by components is ever held."""

from __future__ import annotations

import subprocess
import sys

from rich.console import Console

# In a process of its own, whose peak is set back just before the fit (Linux: ru_maxrss would carry
# over the peak of the process that started it).
PROGRAM = """
import warnings
import numpy as np
warnings.simplefilter("ignore")
import {module} as module
rng = np.random.default_rng(0)
n, d, K = 1_000_000, 10, 10
X = np.empty((n, d))
for i in range(0, n, 10_000):
    X[i:i+10_000] = rng.normal(size=(10_000, d)) + 3 * rng.integers(K, size=(10_000, 1))
small = module.GaussianMixture(K, random_state=0, max_iter=12).fit(X[:20_000])
def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
model = module.GaussianMixture(K, random_state=0, max_iter=12).fit(X)
print((status("VmHWM") - before) / 1024)
"""


def megabytes(module: str) -> float:
    """Peak memory that fitting 1M x 10 with K = 10 adds to a process holding the data."""
    program = PROGRAM.format(module=module)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run(console: Console) -> None:
    """Print both sides."""
    ours, theirs = megabytes("mixtura"), megabytes("sklearn.mixture")
    console.print(
        f"peak memory beyond the data, 1,000,000 x 10, K = 10: mixtura {ours:.0f} MB "
        f"(promised below 100), scikit-learn {theirs:.0f} MB"
    )
