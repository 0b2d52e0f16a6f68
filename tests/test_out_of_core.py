"""Memory stays under 300 MB for a table five times as large, in a process that is held to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are read as Linux has them")

LIMIT = 300
# The table has 1500 MB of numbers: 600 times a block that is made once. As a Parquet file it is
# 600 row groups, compressed away to little, so that the test does not write for seconds.
PROGRAM = """
import json, resource, sys, warnings
import numpy as np
import mixtura
warnings.simplefilter("ignore")
LIMIT = 300 << 20
kind, path = sys.argv[1:]
d, repeats = 20, 600
rows = 5 * LIMIT // 8 // d // repeats
block = np.random.default_rng(0).integers(-40, 40, size=(rows, d)).astype(float)
block[: rows // 2] += 60.0

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

def chunks():
    for _ in range(repeats):
        yield block

mixtura.GaussianMixture
if kind == "parquet":
    import pyarrow as pa
    import pyarrow.parquet as pq
    table = pa.table({f"x{j}": block[:, j] for j in range(d)})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as file:
        for _ in range(repeats):
            file.write_table(table)
    sys.exit()
# What the libraries take before any data is theirs; from here on private memory may grow by as
# much as a table's fifth. File pages and the address space that allocators reserve do not count.
import scipy.optimize, sklearn.cluster
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData")) * 2**20 + 5 * LIMIT // 2,) * 2)
refused = False
try:
    np.ones(5 * LIMIT // 8)
except MemoryError:
    refused = True
fit = mixtura.GaussianMixture(2, random_state=0, max_iter=3, tol=0.0)
fit.fit(chunks if kind == "callable" else path)
print(json.dumps({"refused": refused, "rows": fit.fit_result_.rows, "peak": status("VmHWM"),
                  "means": sorted(fit.means_[:, 0].tolist())}))
"""


def program(kind: str, path: Path) -> str:
    command = [sys.executable, "-c", PROGRAM, kind, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["callable", "file"])
def test_a_table_five_times_the_limit(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    if kind == "file":
        program("parquet", path)
    found = json.loads(program(kind, path))
    # The same limit does not let the table be held in memory.
    assert found["refused"]
    assert found["rows"] * 20 * 8 > 0.99 * 5 * LIMIT * 2**20
    assert found["means"] == pytest.approx([-0.5, 59.5], abs=1.0)
    # Everything: interpreter, libraries, their file pages.
    assert found["peak"] < LIMIT
