"""Tables larger than memory: the speed of a pass beside that of reading alone, and the peak.

Each fit runs in a process of its own whose private memory is limited, on a table five times that
limit: once in a .npy file, once in Parquet, once from a callable that makes it up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

LIMIT = 300
COLUMNS, COMPONENTS, STEPS = 10, 4, 8

PROGRAM = """
import json, resource, sys, threading, time, warnings
import numpy as np
import mixtura, pyarrow.parquet as pq, pyarrow as pa
from mixtura.engines.choose import open_sweep
from mixtura.estimators.finding import prepare
from mixtura.families.covariance import structure
warnings.simplefilter("ignore")
kind, path, d, K, steps, limit = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
rows = 5 * limit * 2**20 // 8 // d
rng = np.random.default_rng(0)
block = rng.normal(size=(1 << 17, d)) + 1.5 * rng.integers(K, size=(1 << 17, 1))

def chunks():
    for start in range(0, rows, len(block)):
        yield block[: rows - start]

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

if kind == "write npy":
    table = np.lib.format.open_memmap(path, "w+", shape=(rows, d))
    for start, part in zip(range(0, rows, len(block)), chunks()):
        table[start : start + len(part)] = part
    sys.exit()
if kind == "write parquet":
    table = pa.table({f"x{j}": block[:, j] for j in range(d)})
    with pq.ParquetWriter(path, table.schema, use_dictionary=False, compression="none") as file:
        for start in range(0, rows, len(block)):
            file.write_table(table.slice(0, min(len(block), rows - start)))
    sys.exit()

mixtura.GaussianMixture(2, random_state=0).fit(block[:5000])
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData") + limit) * 2**20,) * 2)
peak = 0
def watch():
    global peak
    while True:
        peak = max(peak, status("RssAnon"))
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
table = chunks if kind == "callable" else path
began = time.perf_counter()
source = mixtura.stream(table)
opened = time.perf_counter() - began
fit = mixtura.GaussianMixture(K, random_state=0, max_iter=steps).fit(source)
took = time.perf_counter() - began
ground = prepare(source, structure("full"), K, np.random.RandomState(0))
sweep = open_sweep(ground.engine, ground.model, source)
def best(function):
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)
def read():
    for _ in source.chunks(sweep.chunk_rows):
        pass
print(json.dumps({"rows": source.n, "read": best(read),
                  "pass": best(lambda: sweep(ground.maker.base)),
                  "opened": opened, "fit": took, "passes": fit.fit_result_.passes,
                  "peak": peak, "whole": status("VmHWM")}))
"""


def program(kind: str, path: Path) -> str:
    sizes = map(str, (COLUMNS, COMPONENTS, STEPS, LIMIT))
    # Arrow's usual allocator reserves a gigabyte of addresses, which the limit would count.
    quiet = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-c", PROGRAM, kind, str(path), *sizes]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=quiet).stdout


def run(console: Console) -> None:
    """Print the three tables."""
    table = Table(title=f"A table of {5 * LIMIT} MB, {COLUMNS} columns, K = {COMPONENTS}, full")
    for heading in ("from", "rows", "reading", "a pass", "pass / reading", "private peak", "peak"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("npy", "parquet", "callable"):
            path = Path(folder) / f"table.{kind}"
            if kind != "callable":
                program(f"write {kind}", path)
            found = json.loads(program(kind, path))
            path.unlink(missing_ok=True)
            rows = found["rows"]
            table.add_row(
                kind,
                f"{rows:,}",
                f"{rows / found['read'] / 1e6:.1f}M rows/s",
                f"{rows / found['pass'] / 1e6:.1f}M rows/s",
                f"{found['pass'] / found['read']:.2f}",
                f"{found['peak']:.0f} MB",
                f"{found['whole']:.0f} MB",
            )
    console.print(table)
    console.print(
        f"promised: below {LIMIT} MB, all libraries and their file pages included; a pass takes as "
        "long as the slower of reading and the kernels, which work at the same time"
    )
