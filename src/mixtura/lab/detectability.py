"""Two blocks of a sparse network either side of the threshold below which nobody finds them."""

from __future__ import annotations

import warnings

import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh

from mixtura.estimators.block_model import BlockModel
from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
from mixtura.records import AnyArray
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, quiet

THEOREM = (
    "Two equal blocks of nodes with c_in / 2 and c_out / 2 neighbours in their own and the other "
    "one, c in all, can be told better than by chance only where |c_in - c_out| > 2 sqrt(c), and "
    "there belief propagation tells them (Decelle, Krzakala, Moore & Zdeborova 2011, Physical "
    "Review E 84). Both halves are proved: Mossel, Neeman & Sly 2015, Probability Theory and "
    "Related Fields 162, and 2018, Combinatorica 38; Massoulie 2014, STOC."
)
DEGREE, SIGNALS = 4.0, (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6)
WAYS = ("belief propagation", "adjacency's spectrum")


def run(seed: int, told: Told, *, n: int, networks: int) -> Findings:
    """`networks` of n nodes for each signal |c_in - c_out| / (2 sqrt(c))."""
    rng = np.random.default_rng(seed)
    rows = []
    for done, signal in enumerate(SIGNALS, 1):
        met = []
        for _ in range(networks):
            A = planted(n, signal, rng)
            met.append([overlap(believed(A)), overlap(_spectral(A))])
        found, spectral = np.array(met).T
        overlaps = found.mean(), found.min(), found.max(), spectral.mean()
        rows.append((signal, *map(float, overlaps)))
        told(done, len(SIGNALS))
    table = Numbers(
        "Overlap with the planted blocks, 0 by chance and 1 where all nodes are right: "
        f"{counted(networks, 'network')} of {n} nodes, {DEGREE:g} neighbours on average; nothing "
        "but K = 2 is known",
        ("signal", WAYS[0], "least", "most", WAYS[1]),
        tuple(rows),
    )
    size = f"{counted(networks, 'network')} of {n:,} nodes with {DEGREE:g} neighbours on average"
    return Findings((table,), lambda: _figure(rows, size))


def planted(n: int, signal: float, rng: np.random.Generator) -> csr_array:
    """A network of two equal blocks; the first half of its n nodes is one of them."""
    half, apart = n // 2, signal * np.sqrt(DEGREE)
    parts = []
    for rate, a, b in (
        (DEGREE + apart, 0, 0),
        (DEGREE + apart, half, half),
        (DEGREE - apart, 0, half),
    ):
        pairs = half * half if a != b else half * (half - 1) / 2
        ends = rng.integers(half, size=(2, rng.poisson(rate / n * pairs)))
        parts.append(ends + np.array([[a], [b]]))
    rows, columns = np.concatenate(parts, axis=1)
    kept = rows != columns
    A = csr_array((np.ones(kept.sum()), (rows[kept], columns[kept])), shape=(n, n))
    return ((A + A.T) > 0).astype(float)


def believed(A: csr_array, seed: int = 0) -> AnyArray:
    """The blocks that belief propagation finds, whose parameters it learns."""
    model = BlockModel(2, inference="belief", random_state=seed, max_iter=100, n_init=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(model.fit(A).labels_)


def overlap(labels: AnyArray) -> float:
    """2 (share of nodes that are right) - 1, whichever block is which."""
    later = np.arange(len(labels)) >= len(labels) // 2
    return float(abs(2.0 * (labels == later).mean() - 1.0))


def _spectral(A: csr_array) -> AnyArray:
    """The signs of the second eigenvector: in a sparse network a few nodes of many neighbours."""
    values, vectors = eigsh(A, k=2, which="LA", v0=np.ones(A.shape[0]))
    return np.asarray(vectors[:, values.argmin()] > 0)


def _figure(rows: list[tuple[float, ...]], size: str) -> Figure:
    figure = blank(7.6, 4.4)
    ax = figure.add_subplot()
    quiet(ax, 9, 6)
    signal, found, least, most, spectral = np.array(rows).T
    first, second = colours(2)
    ax.axvline(1.0, color=INK, lw=1.0, ls="--", label="threshold")
    ax.fill_between(signal, least, most, color=first, alpha=0.2, lw=0)
    ax.plot(signal, found, "o-", color=first, lw=1.8, label=WAYS[0])
    ax.plot(signal, spectral, "o-", color=second, lw=1.8, label=WAYS[1])
    ax.set_ylim(-0.03, 1.0)
    ax.set_xlabel("|c_in - c_out| / (2 sqrt c)", **LABEL)
    ax.set_ylabel("overlap with the planted blocks", **LABEL)
    ax.legend(frameon=False, fontsize=9)
    headed(
        figure,
        "Two planted blocks can be found only where |c_in - c_out| > 2 sqrt(c)",
        [
            f"Points: means over {size}, c.",
            "The band is from the least to the most of them; guessing has an overlap of 0.",
        ],
    )
    return figure


DETECTABILITY = Experiment(
    "Blocks that are there and cannot be found", THEOREM, run, {"n": 3000, "networks": 5}
)
