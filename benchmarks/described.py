"""Partitions beside graph-tool's, by its own score: the description length in nats.

Ten networks of its collection: first the model that "auto" takes, degrees kept or not, beside the
shorter of graph-tool's two; then degrees kept. Directed networks also without their directions.
graph-tool comes with the system (`apt-get install python3-graph-tool`), not from a package index,
so it runs as the system's Python. Its search is run three times, and the shortest kept.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import Any

import numpy as np
from rich.console import Console
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import mixtura

NAMES = (
    *("adjnoun", "celegansneural", "dolphins", "football", "karate"),
    *("lesmis", "netscience", "polblogs", "polbooks", "power"),
)
MOST = 0.01
PROGRAM = """
import json, sys, time
import numpy as np
import graph_tool.all as gt
asked = json.load(sys.stdin)
graph = gt.Graph(gt.collection.data[asked["name"]])
told = dict(n=graph.num_vertices(), edges=graph.get_edges().tolist(), directed=graph.is_directed())
if asked.get("known"):
    told["known"] = graph.vp[asked["known"]].a.tolist()
# Graph(directed=False) would keep the directions of the graph that it copies.
graph.set_directed(asked["directed"])
args = dict(deg_corr=asked["corrected"])
if "labels" in asked:
    blocks = graph.new_vertex_property("int", vals=asked["labels"])
    told["score"] = gt.BlockState(graph, b=blocks, **args).entropy()
began, found = time.process_time(), []
for seed in range(asked.get("searches", 0)):
    gt.seed_rng(seed + 1)
    np.random.seed(seed + 1)
    found.append(gt.minimize_blockmodel_dl(graph, state_args=args))
if found:
    best = min(found, key=lambda state: state.entropy())
    told["own"], told["blocks"] = best.entropy(), best.get_blocks().a.tolist()
    told["seconds"] = (time.process_time() - began) / len(found)
print(json.dumps(told))
"""
LINE = "{:>14} {:>8} {:>7} {:>10} {:>10} {:>8} {:>6} {:>6} {:>6}"
HEADS = "network edges degrees graph-tool mixtura longer blocks CPU-s its-s"


def system_python() -> str | None:
    """The Python that knows graph-tool; None where there is none."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        return None
    found = subprocess.run([python, "-c", "import graph_tool"], capture_output=True)
    return None if found.returncode else python


def asked(python: str, name: str, **what: Any) -> dict[str, Any]:
    """What graph-tool answers of a network of its collection, by default without directions."""
    told = {"directed": False, "corrected": False, "name": name, **what}
    done = subprocess.run(
        [python, "-c", PROGRAM], input=json.dumps(told), check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def network(told: dict[str, Any], directed: bool = False) -> csr_array:
    """(n, n): edges that are listed twice count twice, loops once."""
    n, (rows, columns) = told["n"], np.array(told["edges"]).T
    A = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    if directed:
        return A
    loop = rows == columns
    both = (A + A.T).tolil()
    both.setdiag(np.bincount(rows[loop], minlength=n))
    return csr_array(both)


def run(console: Console) -> None:
    """A line for each network and model, as it comes; then what is known of two of them."""
    python = system_python()
    if python is None:
        console.print("graph-tool is not installed (apt-get install python3-graph-tool): skipped")
        return
    console.print(f"Description lengths by graph-tool (promised: within {MOST:.0%} of its own)")
    console.print(LINE.format(*HEADS.split()))
    for name in NAMES:
        told = asked(python, name)
        for directed in (False, True)[: 1 + told["directed"]]:
            _compared(console, python, name, directed)
    _known(console, python)


def _compared(console: Console, python: str, name: str, directed: bool) -> None:
    """The lines of a network."""
    kind = {"directed": directed}
    A = network(asked(python, name), directed)
    own = [asked(python, name, corrected=kept, searches=3, **kind) for kept in (False, True)]
    lengths = [each["own"] for each in own]
    for degrees in ("auto", True):
        began = time.process_time()
        model = mixtura.BlockModel(
            "auto", degree_corrected=degrees, directed=directed, random_state=0
        ).fit(A)
        seconds = time.process_time() - began
        kept = model.profile_likelihood_ is not None
        labels = model.labels_.tolist()
        ours = asked(python, name, corrected=kept, labels=labels, **kind)["score"]
        best = lengths[1] if degrees is True else min(lengths)
        line = LINE.format(
            *(name, "directed" if directed else "plain", "kept" if kept else "no"),
            *(f"{best:.1f}", f"{ours:.1f}", f"{ours / best - 1:+.2%}"),
            *(len(model.block_weights_), f"{seconds:.0f}", f"{sum(s['seconds'] for s in own):.0f}"),
        )
        console.print(line, highlight=False)
        if kept:
            # With degrees it is the same search.
            break


def _known(console: Console, python: str) -> None:
    """Conferences of football, and the two parties of polblogs' largest component."""
    told = asked(python, "football", known="value_tsevans", searches=3)
    model = mixtura.BlockModel("auto", degree_corrected="auto", random_state=0).fit(network(told))
    ours, own = (
        adjusted_rand_score(told["known"], labels) for labels in (model.labels_, told["blocks"])
    )
    console.print(f"football, conferences: ARI {ours:.3f}, of graph-tool's blocks {own:.3f}")
    told = asked(python, "polblogs", known="value")
    A = network(told)
    A = csr_array((A > 0).astype(float))
    A.setdiag(0)
    A.eliminate_zeros()
    _, part = connected_components(A)
    large = np.flatnonzero(part == np.bincount(part).argmax())
    for kept in (False, True):
        model = mixtura.BlockModel(2, degree_corrected=kept, random_state=0).fit(A[large][:, large])
        nmi = normalized_mutual_info_score(np.array(told["known"])[large], model.labels_)
        how = f"degrees {'kept' if kept else 'not kept'}"
        console.print(f"polblogs, parties of {len(large):,} blogs, {how}: NMI {nmi:.3f}")
