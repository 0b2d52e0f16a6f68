"""Memory stays under 300 MB for a table five times as large, in a process that is held to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixtura.records import Array

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are read as Linux has them")

LIMIT = 300
# Blocks of 2.5 MB: 1500 MB of numbers from a callable. From Parquet 500 MB, five times what a fit
# may add to the libraries it needs: a folder of four files that are one, as writing takes long.
BLOCKS = {"callable": 600, "folder": 200}
FILES = 4
ADDED = 100
PROGRAM = """
import json, resource, sys, warnings
import numpy as np
import mixtura
warnings.simplefilter("ignore")
kind, path, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
block = np.load(sys.argv[4])
rows, d = block.shape

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

def chunks():
    for _ in range(repeats):
        yield block

mixtura.GaussianMixture
import pyarrow.parquet
import scipy.optimize, sklearn.cluster
before = status("VmRSS")
# Private memory, the stacks and reserves of threads and allocators included.
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData") + 300) * 2**20,) * 2)
refused = False
try:
    np.ones(d * rows * repeats)
except MemoryError:
    refused = True
# Diagonal where there is most to go through: shorter passes.
form = "diag" if kind == "callable" else "full"
fit = mixtura.GaussianMixture(2, covariance_type=form, random_state=0, max_iter=1)
fit.fit(chunks if kind == "callable" else path)
print(json.dumps({"refused": refused, "rows": fit.fit_result_.rows, "peak": status("VmHWM"),
                  "before": before, "means": sorted(fit.means_[:, 0].tolist())}))
"""


def program(kind: str, path: Path, block: Path) -> str:
    command = [sys.executable, "-c", PROGRAM, kind, str(path), str(BLOCKS[kind]), str(block)]
    # Arrow's usual allocator reserves a gigabyte of addresses, whatever it uses.
    quiet = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    assert done.returncode == 0, done.stderr
    return done.stdout


def two_clouds() -> Array:
    block = np.random.default_rng(0).integers(-40, 40, size=(16384, 20)).astype(float)
    block[: len(block) // 2] += 60.0
    return block


def write_folder(path: Path, block: Array) -> None:
    path.mkdir()
    table = pa.table({f"x{j}": block[:, j] for j in range(block.shape[1])})
    with pq.ParquetWriter(path / "0.parquet", table.schema, compression="zstd") as file:
        for _ in range(BLOCKS["folder"] // FILES):
            file.write_table(table)
    for i in range(1, FILES):
        os.link(path / "0.parquet", path / f"{i}.parquet")


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_table_five_times_the_limit(kind: str, tmp_path: Path) -> None:
    path, block = tmp_path / "long", tmp_path / "block.npy"
    np.save(block, two_clouds())
    if kind == "folder":
        write_folder(path, two_clouds())
    found = json.loads(program(kind, path, block))
    # The same limit does not let the table be held in memory.
    assert found["refused"]
    size = found["rows"] * 20 * 8 / 2**20
    assert size >= 5 * (LIMIT if kind == "callable" else ADDED)
    assert found["means"] == pytest.approx([-0.5, 59.5], abs=1.0)
    # Everything: interpreter, libraries, their file pages.
    assert found["peak"] < LIMIT
    assert found["peak"] - found["before"] < ADDED
