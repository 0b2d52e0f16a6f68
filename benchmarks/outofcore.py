"""Tables larger than memory: the speed of a pass beside that of reading alone, and the peak.

Each fit runs in a process of its own whose private memory is limited, on a table five times that
limit: in a .npy file, as a memory map of it, in Parquet, and from a callable that makes it up. Then
the command predicts the same rows, from file to file, and samples as many.
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
from mixtura.engines.gaussian.compiled import chunk_rows
from mixtura.fitting.mixture_fit import prepare
from mixtura.families.gaussian.covariance import structure
from mixtura.families.registry import family
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
table = {"callable": chunks, "memmap": None}.get(kind, path)
if kind == "memmap":
    table = np.load(path, mmap_mode="r")
began = time.perf_counter()
source = mixtura.stream(table)
opened = time.perf_counter() - began
fit = mixtura.GaussianMixture(K, random_state=0, max_iter=steps).fit(source)
took = time.perf_counter() - began
ground = prepare(source, family("full"), K, np.random.RandomState(0))
sweep = open_sweep(ground.engine, ground.model, source)
def best(function):
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)
size = chunk_rows(source.n, source.d, K, "full")
def read():
    for _ in source.chunks(size):
        pass
print(json.dumps({"rows": source.n, "read": best(read),
                  "pass": best(lambda: sweep(ground.maker.base)),
                  "opened": opened, "fit": took, "passes": fit.fit_result_.passes,
                  "peak": peak, "whole": status("VmHWM")}))
"""

# The command under the same limit; its words follow.
COMMAND = """
import resource, sys, time
import mixtura, pyarrow.parquet, pyarrow.compute, sklearn.cluster
from mixtura.cli import main

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

limit, *sys.argv[1:] = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData") + int(limit)) * 2**20,) * 2)
began = time.perf_counter()
try:
    main()
finally:
    print(time.perf_counter() - began, status("VmHWM"), file=sys.stderr)
"""


def program(kind: str, path: Path) -> str:
    sizes = map(str, (COLUMNS, COMPONENTS, STEPS, LIMIT))
    # Arrow's usual allocator reserves a gigabyte of addresses, which the limit would count.
    quiet = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-c", PROGRAM, kind, str(path), *sizes]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=quiet).stdout


def command(*words: object) -> tuple[float, float]:
    """(seconds, peak in MB) of the command under the limit."""
    quiet = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    given = [sys.executable, "-c", COMMAND, str(LIMIT), *map(str, words)]
    done = subprocess.run(given, check=True, capture_output=True, text=True, env=quiet)
    seconds, peak = map(float, done.stderr.split()[-2:])
    return seconds, peak


def run(console: Console) -> None:
    """Print both tables."""
    passes(console)
    rowwise(console)


def rowwise(console: Console) -> None:
    """What predict, score and sample take."""
    import numpy as np

    from mixtura import GaussianMixture

    table = Table(title=f"The command on {5 * LIMIT} MB, {COLUMNS} columns, K = {COMPONENTS}")
    for heading in ("command", "from", "to", "rows/s", "peak"):
        table.add_column(heading, justify="right")
    rows = 5 * LIMIT * 2**20 // 8 // COLUMNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.json"
        means = 1.5 * np.arange(COMPONENTS)[:, None] + np.zeros(COLUMNS)
        GaussianMixture.from_parameters(
            np.full(COMPONENTS, 1 / COMPONENTS), means, np.stack([np.eye(COLUMNS)] * COMPONENTS)
        ).save(model)
        program("write npy", folder / "t.npy")
        for words, source, to in (
            (("score", model, folder / "t.npy"), "npy", "stdout"),
            (("predict", model, folder / "t.npy", "--out", folder / "p.parquet"), "npy", "parquet"),
            (("score", model, folder / "p.parquet", "--columns", _names()), "parquet", "stdout"),
            (("sample", model, "-n", rows, "--out", folder / "s.parquet"), "model", "parquet"),
        ):
            seconds, peak = command(*words)
            speed = f"{rows / seconds / 1e6:.2f}M"
            table.add_row(str(words[0]), source, to, speed, f"{peak:.0f} MB")
    console.print(table)
    console.print(f"promised: below {LIMIT} MB, whatever the rows")


def _names() -> str:
    return ",".join(f"x{j + 1}" for j in range(COLUMNS))


def passes(console: Console) -> None:
    """What a pass takes beside reading alone."""
    table = Table(title=f"A table of {5 * LIMIT} MB, {COLUMNS} columns, K = {COMPONENTS}, full")
    for heading in ("from", "rows", "reading", "a pass", "pass / reading", "private peak", "peak"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("npy", "memmap", "parquet", "callable"):
            path = Path(folder) / f"table.{'npy' if kind == 'memmap' else kind}"
            if kind not in ("callable", "memmap"):
                program(f"write {kind}", path)
            found = json.loads(program(kind, path))
            if kind != "npy":
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
