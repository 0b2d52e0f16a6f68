"""Partitions beside graph-tool's, by its own score: the description length in nats.

Ten networks of its collection, without degrees and with them. graph-tool comes with the system
(`apt-get install python3-graph-tool`), not from a package index, so it runs as the system's Python.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array

import mixtura

NAMES = (
    *("adjnoun", "celegansneural", "dolphins", "football", "karate"),
    *("lesmis", "netscience", "polblogs", "polbooks", "power"),
)
MOST = 0.01
PROGRAM = """
import json, sys
import numpy as np
import graph_tool.all as gt
asked = json.load(sys.stdin)
graph = gt.Graph(gt.collection.data[asked["name"]], directed=False)
gt.seed_rng(1)
np.random.seed(1)
args = dict(deg_corr=asked["corrected"])
told = {}
if "labels" in asked:
    blocks = graph.new_vertex_property("int", vals=asked["labels"])
    told["score"] = gt.BlockState(graph, b=blocks, **args).entropy()
else:
    told["n"], told["edges"] = graph.num_vertices(), graph.get_edges().tolist()
    if asked["search"]:
        told["own"] = gt.minimize_blockmodel_dl(graph, state_args=args).entropy()
print(json.dumps(told))
"""


def system_python() -> str | None:
    """The Python that knows graph-tool; None where there is none."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        return None
    found = subprocess.run([python, "-c", "import graph_tool"], capture_output=True)
    return None if found.returncode else python


def asked(python: str, **what: Any) -> dict[str, Any]:
    """What graph-tool answers."""
    done = subprocess.run(
        [python, "-c", PROGRAM], input=json.dumps(what), check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def network(told: dict[str, Any]) -> csr_array:
    """(n, n): edges that are listed twice count twice, loops once."""
    n, (rows, columns) = told["n"], np.array(told["edges"]).T
    loop = rows == columns
    A = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    loops = np.bincount(rows[loop], minlength=n)
    both = (A + A.T).tolil()
    both.setdiag(loops)
    return csr_array(both)


def run(console: Console) -> None:
    """A line for each network and model."""
    python = system_python()
    if python is None:
        console.print("graph-tool is not installed (apt-get install python3-graph-tool): skipped")
        return
    table = Table(
        title=f"Description lengths by graph-tool (promised: within {MOST:.0%} of its own)"
    )
    for head in ("network", "degrees", "graph-tool", "mixtura", "longer by", "blocks", "s"):
        table.add_column(head, justify="right")
    for name in NAMES:
        for corrected in (False, True):
            told = asked(python, name=name, corrected=corrected, search=True)
            began = time.perf_counter()
            model = mixtura.BlockModel(
                "auto", degree_corrected=True if corrected else "auto", random_state=0
            )
            model.fit(network(told))
            seconds = time.perf_counter() - began
            if not corrected and model.profile_likelihood_ is not None:
                # Degrees describe it shorter, and that is the next line.
                continue
            labels = model.labels_.tolist()
            ours = asked(python, name=name, corrected=corrected, labels=labels)["score"]
            table.add_row(
                *(name, "kept" if corrected else "no", f"{told['own']:.1f}", f"{ours:.1f}"),
                *(f"{ours / told['own'] - 1:+.2%}", f"{model.block_matrix_.shape[0]}"),
                f"{seconds:.0f}",
            )
    console.print(table)
