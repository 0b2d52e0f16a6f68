"""Memory stays under 300 MB for a table five times as large, in a process that is held to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are read as Linux has them")

LIMIT = 300
# Blocks of 2.5 MB: 1500 MB of numbers from a callable. From a file 500 MB, five times what a fit
# may add to the libraries it needs; compressed to little, so that the test need not write long.
BLOCKS = {"callable": 600, "file": 200}
ADDED = 100
PROGRAM = """
import json, resource, sys, warnings
import numpy as np
import mixtura
warnings.simplefilter("ignore")
kind, path, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
d, rows = 20, 16384
block = np.random.default_rng(0).integers(-40, 40, size=(rows, d)).astype(float)
block[: rows // 2] += 60.0

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

def chunks():
    for _ in range(repeats):
        yield block

mixtura.GaussianMixture
import pyarrow as pa
import pyarrow.parquet as pq
if kind == "write":
    table = pa.table({f"x{j}": block[:, j] for j in range(d)})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as file:
        for _ in range(repeats):
            file.write_table(table)
    sys.exit()
import scipy.optimize, sklearn.cluster
before = status("VmRSS")
# Private memory, the stacks and reserves of threads and allocators included.
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData") + 300) * 2**20,) * 2)
refused = False
try:
    np.ones(d * rows * repeats)
except MemoryError:
    refused = True
fit = mixtura.GaussianMixture(2, random_state=0, max_iter=1)
fit.fit(chunks if kind == "callable" else path)
print(json.dumps({"refused": refused, "rows": fit.fit_result_.rows, "peak": status("VmHWM"),
                  "before": before, "means": sorted(fit.means_[:, 0].tolist())}))
"""


def program(kind: str, path: Path, blocks: int) -> str:
    command = [sys.executable, "-c", PROGRAM, kind, str(path), str(blocks)]
    # Arrow's usual allocator reserves a gigabyte of addresses, whatever it uses.
    quiet = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_table_five_times_the_limit(kind: str, tmp_path: Path) -> None:
    path, blocks = tmp_path / "long.parquet", BLOCKS[kind]
    if kind == "file":
        program("write", path, blocks)
    found = json.loads(program(kind, path, blocks))
    # The same limit does not let the table be held in memory.
    assert found["refused"]
    size = found["rows"] * 20 * 8 / 2**20
    assert size >= 5 * (LIMIT if kind == "callable" else ADDED)
    assert found["means"] == pytest.approx([-0.5, 59.5], abs=1.0)
    # Everything: interpreter, libraries, their file pages.
    assert found["peak"] < LIMIT
    assert found["peak"] - found["before"] < ADDED
