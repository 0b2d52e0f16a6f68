"""Peak memory of Baum-Welch and Viterbi over 10 million steps beyond the data."""

from __future__ import annotations

import subprocess
import sys

from rich.console import Console

# In a process of its own, as in memory.py.
PROGRAM = """
import warnings
import numpy as np
warnings.simplefilter("ignore")
from mixtura import GaussianHMM
rng = np.random.default_rng(0)
n, K = 10_000_000, 8
means = 2.0 * np.arange(K)[:, None]
X = np.repeat(means[rng.integers(K, size=n // 10)], 10, axis=0)
for i in range(0, n, 10_000):
    X[i:i+10_000] += rng.normal(size=(10_000, 1))
def model():
    hmm = GaussianHMM(K, n_iter=2, tol=-np.inf, init_params="")
    hmm.startprob_, hmm.transmat_ = np.full(K, 1 / K), np.full((K, K), 0.1 / K) + 0.9 * np.eye(K)
    hmm.means_, hmm.covars_ = means, np.ones((K, 1))
    return hmm
model().fit(X[:20_000]).decode(X[:20_000])
def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))
def peak(call):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    call()
    return (status("VmHWM") - before) / 1024
ready = model()
print(peak(lambda: ready.fit(X)), peak(lambda: ready.decode(X)))
"""


def megabytes() -> tuple[float, float]:
    """Of two steps of EM, and of the likeliest path with the states it answers."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    fit, path = map(float, done.stdout.split())
    return fit, path


def run(console: Console) -> None:
    """Print both."""
    fit, path = megabytes()
    console.print(
        f"peak memory beyond the data, 10,000,000 steps x 1, 8 states: Baum-Welch {fit:.0f} MB, "
        f"Viterbi {path:.0f} MB (promised below 1,000)"
    )
