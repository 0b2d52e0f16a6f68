"""`mixtura ... --checkpoint` killed at random moments, again and again: the same files in the end.

Each command runs in a fork of one process that has imported the library, and is killed there by
SIGKILL at a moment drawn evenly from the time it takes. The next one goes on from what was left.
After every kill the checkpoint is whole or absent, and the model absent or the one that an
undisturbed run writes, byte for byte.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

KILLS = 30
# Sweeps are journaled only where steps are not taken inside C: more than 32,768 numbers.
_LONG = ("fit", "long.parquet", "-k", "3", "--no-figure", "--tol", "1e-9")
# Those of factors are journaled whatever the table's size.
_SHORT = ("fit", "short.parquet", "-k", "2", "--no-figure", "--max-iter", "60")
CASES: dict[str, tuple[str, ...]] = {
    "em, full": (*_LONG, "--solver", "em", "--max-iter", "150"),
    "auto, VEV": (*_LONG, "--covariance", "VEV"),
    "squarem, tied": (*_LONG, "--solver", "squarem", "--covariance", "tied"),
    "anderson, diag": (*_LONG, "--solver", "anderson", "--covariance", "diag"),
    "lbfgs, spherical": (*_LONG, "--solver", "lbfgs", "--covariance", "spherical"),
    "newton, EEI": (*_LONG, "--solver", "newton", "--covariance", "EEI"),
    "stochastic, full": (*_LONG, "--solver", "stochastic", "--max-iter", "60"),
    "truncated, VVI": (*_LONG, "--solver", "truncated", "--covariance", "VVI"),
    "annealed, EEE": (*_LONG, "--solver", "annealed", "--covariance", "EEE"),
    "in pieces, EVE": (*_LONG, "--in-pieces", "--covariance", "EVE", "--max-iter", "60"),
    "factors": (*_SHORT, "--covariance", "UUU:1"),
    "factors in pieces": (*_SHORT, "--in-pieces", "--covariance", "CCC:1"),
    "select": ("select", "short.parquet", "-k", "1:6", "--no-figure"),
}

PROGRAM = """
import json, os, signal, sys, time, warnings
import numpy as np
import pyarrow as pa, pyarrow.parquet as pq
import scipy.optimize, sklearn.cluster
from mixtura.cli import main
from mixtura.data import streamed
from mixtura.fitting import checkpoint, journal_file
import mixtura.selection.searching, mixtura.report.text

# Every sweep is written down at once, and no table is short enough to be read only once.
checkpoint.INTERVAL = 0.0
streamed.SMALL_BYTES = 0
folder, seed, kills, *command = sys.argv[1:]
os.chdir(folder)
rng = np.random.default_rng(3)
X = rng.normal(size=(12_000, 3)) + 1.8 * rng.integers(0, 3, size=(12_000, 1))
for name, rows in (("long", X), ("short", X[:600])):
    pq.write_table(pa.table({c: rows[:, j] for j, c in enumerate("abc")}), name + ".parquet")
# What is imported at first use is imported here, so that kills fall into the fit.
mixtura.GaussianMixture(2, random_state=0, solver="auto").fit(X[:50])
RUN, MODEL = "run.checkpoint", "model.json"

def begun():
    child = os.fork()
    if child == 0:
        sys.argv = ["mixtura", *command, "--checkpoint", RUN, "--out", MODEL, "--quiet"]
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        main()
    return child

def left():
    # What holds at any moment.
    if command[0] == "fit" and os.path.exists(RUN):
        assert journal_file.first_record(RUN)["format"] == checkpoint.FORMAT, "no whole checkpoint"
    if os.path.exists(MODEL):
        assert open(MODEL, "rb").read() == whole, "another answer"
        os.unlink(MODEL)

began = time.monotonic()
assert os.waitpid(begun(), 0)[1] == 0, "the command failed"
took = time.monotonic() - began
whole = open(MODEL, "rb").read()
moments = np.random.default_rng(int(seed))
killed = resumed = 0
for _ in range(int(kills)):
    resumed += os.path.exists(RUN)
    child = begun()
    time.sleep(moments.uniform(0, took))
    os.kill(child, signal.SIGKILL)
    killed += os.waitpid(child, 0)[1] != 0
    left()
assert os.waitpid(begun(), 0)[1] == 0, "the resumed command failed"
assert open(MODEL, "rb").read() == whole, "another answer"
assert not os.path.exists(RUN), "the checkpoint is still there"
print(json.dumps({"took": took, "killed": killed, "resumed": resumed}))
"""


def killed(case: str, kills: int, seed: int, folder: Path) -> dict[str, float]:
    """What came of `kills` kills; RuntimeError where anything is not as it should be."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(seed), str(kills), *CASES[case]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(console: Console) -> None:
    """Print what came of it, case by case."""
    table = Table(title=f"Killed at {KILLS} random moments: the answer, byte for byte")
    for heading in ("command", "took", "killed", "of them resumed", "answer"):
        table.add_column(heading, justify="right")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found = killed(case, KILLS, 0, Path(folder))
        told = f"{found['took']:.2f} s", f"{found['killed']:.0f}", f"{found['resumed']:.0f}"
        table.add_row(case, *told, "the same")
    console.print(table)
    console.print("promised: the same answer each time, and never a broken file")
