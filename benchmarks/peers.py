"""Our fit against the other ways to fit a mixture: same data, same start, same number of EM steps.

`python -m benchmarks peers [300,2,3 ...]`. Everything with a Python module runs in this process;
Armadillo and mclust (`peers_outside.py`) time themselves in one of their own. What is not
installed is skipped with a line. A step is the difference of a long and a short fit; a fit is the
long one whole, with whatever each does around its steps. All ends are scored by one function.
"""

from __future__ import annotations

import importlib
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.floor import WORKLOADS, Workload
from benchmarks.limits import clouds, step_seconds, sweep_seconds
from benchmarks.peers_outside import armadillo, armadillo_missing, mclust, mclust_missing
from mixtura.engines.threads import workers
from mixtura.records import Array

# Weights (K,), means (K, d), covariances (K, d, d).
End = tuple[Array, Array, Array]
# X, start, steps -> seconds, end.
Fit = Callable[[Array, dict[str, Any], int], tuple[float, End]]
AGREE = 1e-9
# Torch's arrays of every row, component and column must fit into memory.
MOST_BYTES = 4e9
# Steps of the short fit; seconds of it above which it is made once, and above which alone.
FEW, ONCE, ALONE = 2, 0.3, 5.0
# Seconds that the steps of the long fit should take.
LONG = 1.0


@dataclass(frozen=True)
class Peer:
    """Somebody who fits.

    missing says why not here, or ''; dense: needs n K d numbers; apart: why its ends may differ.
    """

    name: str
    fit: Fit
    missing: Callable[[], str]
    dense: bool = False
    apart: str = ""


@dataclass(frozen=True)
class Beside:
    """A row of the table, and what it says against us or against the comparison."""

    row: tuple[str, ...]
    slower: list[str]
    apart: list[str]


def timed(fit: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = fit()
    return time.perf_counter() - began, result


def ours(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    K = len(start["weights_init"])
    estimator = mixtura.GaussianMixture(K, solver="em", tol=0.0, max_iter=steps, **start)
    seconds, _ = timed(lambda: estimator.fit(X))
    return seconds, (estimator.weights_, estimator.means_, estimator.covariances_)


def scikit_learn(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    from sklearn.mixture import GaussianMixture

    K = len(start["weights_init"])
    # Its steps end with an E-step; `steps` M-steps are taken in all.
    estimator = GaussianMixture(K, tol=0.0, reg_covar=0.0, max_iter=steps, **start)
    seconds, _ = timed(lambda: estimator.fit(X))
    return seconds, (estimator.weights_, estimator.means_, estimator.covariances_)


def pomegranate(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    torch.set_num_threads(workers())
    covariances = np.linalg.inv(start["precisions_init"])
    given = zip(start["means_init"], covariances, strict=True)
    # Copies: it writes into what it is given.
    parts = [Normal(torch.tensor(m), torch.tensor(c)) for m, c in given]
    weights = torch.tensor(start["weights_init"])
    model = GeneralMixtureModel(
        parts, priors=weights, max_iter=steps, tol=-np.inf, check_data=False
    )
    table = torch.from_numpy(X)
    seconds, _ = timed(lambda: model.fit(table))
    means = np.stack([p.means.numpy() for p in model.distributions])
    return seconds, (
        model.priors.numpy(),
        means,
        np.stack([p.covs.numpy() for p in model.distributions]),
    )


def tgmm(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    import torch
    from tgmm import GaussianMixture

    torch.set_num_threads(workers())
    K, table = len(start["weights_init"]), torch.from_numpy(X)
    model = GaussianMixture(
        n_components=K,
        n_features=X.shape[1],
        max_iter=steps,
        tol=1e-300,
        reg_covar=0.0,
        init_means=torch.tensor(start["means_init"]),
        init_weights=torch.tensor(start["weights_init"]),
        init_covariances=torch.from_numpy(np.linalg.inv(start["precisions_init"])),
        device="cpu",
    )
    seconds, _ = timed(lambda: model.fit(table))
    arrays = (model.weights_, model.means_, model.covariances_)
    weights, means, covariances = (a.double().numpy() for a in arrays)
    return seconds, (weights, means, covariances)


def opencv(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    import cv2

    cv2.setNumThreads(workers())
    model = cv2.ml.EM_create()
    model.setClustersNumber(len(start["weights_init"]))
    model.setCovarianceMatrixType(cv2.ml.EM_COV_MAT_GENERIC)
    # It leaves out the last M-step of as many as it is asked for.
    model.setTermCriteria((cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, steps + 1, 1e-300))
    covariances = cv2.Mat(np.linalg.inv(start["precisions_init"]))
    weights = start["weights_init"][None]
    seconds, _ = timed(lambda: model.trainE(X, start["means_init"], covariances, weights))
    return seconds, (model.getWeights()[0], model.getMeans(), np.stack(model.getCovs()))


def module(name: str, package: str, part: str = "") -> Callable[[], str]:
    """Says why that module cannot be used, or ''."""

    def missing() -> str:
        try:
            found = importlib.import_module(name)
        except ImportError:
            return f"not installed (pip install {package})"
        return "" if not part or hasattr(found, part) else f"this {name} has no {part}"

    return missing


def no_mlpack() -> str:
    return "its programs and its Python module start only from a model of their own making"


PEERS = (
    Peer("scikit-learn", scikit_learn, lambda: ""),
    Peer(
        "pomegranate",
        pomegranate,
        module("pomegranate.gmm", "pomegranate"),
        apart="its component weights are summed in single precision",
    ),
    Peer("tgmm", tgmm, module("tgmm", "tgmm"), dense=True),
    Peer("OpenCV", opencv, module("cv2", "'opencv-python-headless<5'", "ml")),
    Peer("Armadillo", armadillo, armadillo_missing),
    Peer("mclust", mclust, mclust_missing),
    Peer("mlpack", ours, no_mlpack),
)


def score(X: Array, end: End) -> float:
    """The mean log-likelihood of all rows."""
    weights, means, covariances = end
    K = len(weights)
    known = mixtura.GaussianMixture(
        K,
        weights_init=weights / weights.sum(),
        means_init=means,
        precisions_init=np.linalg.inv(covariances),
        solver="em",
        max_iter=1,
    )
    known.fit(X)
    # The first value is that of the start.
    return float(known.fit_result_.trace[0]) / len(X)


def both(fit: Fit, X: Array, start: dict[str, Any]) -> tuple[float, float, int, End]:
    """(seconds of a step, of the longest fit, its steps, where it ended)."""
    short, end = fit(X, start, FEW)
    if short > ALONE:
        return short / FEW, short, FEW, end
    more = int(np.clip(LONG * FEW / short, 2, 200))
    repeats = 1 if short > ONCE else 3
    # The first fit of all warms up: it is not counted.
    short = min(fit(X, start, FEW)[0] for _ in range(repeats + 1))
    longs = [fit(X, start, FEW + more) for _ in range(repeats)]
    long = min(seconds for seconds, _ in longs)
    return (long - short) / more, long, FEW + more, longs[-1][1]


def long_fit(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    """Ours of so many steps, as often as theirs is made; the first call warms up."""
    repeats = 1 if ours(X, start, steps)[0] > ONCE else 3
    return min((ours(X, start, steps) for _ in range(repeats)), key=lambda made: made[0])


HEADINGS = ("peer", "step", "ours", "ratio", "fit", "ours", "ratio", "|Δ ll|")


def against(peer: Peer, work: Workload, X: Array, start: dict[str, Any], step: float) -> Beside:
    """One peer at one workload; `step` is ours, in seconds."""
    their_step, their_fit, steps, their_end = both(peer.fit, X, start)
    fit, end = long_fit(X, start, steps)
    gap = abs(score(X, their_end) - score(X, end))
    steady = their_step > 0
    row = (
        peer.name,
        *(f"{1e3 * seconds:.3g}" for seconds in (their_step, step)),
        f"{their_step / step:.1f}{'*' if steps == FEW else ''}" if steady else "?",
        *(f"{1e3 * seconds:.3g}" for seconds in (their_fit, fit)),
        f"{their_fit / fit:.1f}",
        f"{gap:.0e}",
    )
    slower = [f"a step of {peer.name} at {work.name}"] * (steady and their_step < step)
    slower += [f"a fit of {peer.name} at {work.name}"] * (their_fit < fit)
    why = f" ({peer.apart})" if peer.apart else ""
    apart = [] if gap <= AGREE else [f"{peer.name} at {work.name}: {gap:.0e}{why}"]
    return Beside(row, slower, apart)


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print a table per workload as it is measured, one row per peer."""
    there = []
    for peer in PEERS:
        if why := peer.missing():
            console.print(f"{peer.name} skipped: {why}", highlight=False)
        else:
            there.append(peer)
    console.print("The same EM steps by others: milliseconds of a step and of the long fit")
    slower, apart = [], []
    for work in WORKLOADS:
        if only and work.name not in only:
            continue
        table = Table(*HEADINGS, title=work.name)
        X, start = clouds(work)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step = step_seconds(work, X, start, sweep_seconds(work, X, start))
            for peer in there:
                if peer.dense and 8.0 * work.n * work.K * work.d > MOST_BYTES:
                    table.add_row(peer.name, "needs too much memory")
                    continue
                beside = against(peer, work, X, start, step)
                table.add_row(*beside.row)
                slower += beside.slower
                apart += beside.apart
        console.print(table)
    console.print(f"quicker than ours: {', '.join(slower) or 'none'}")
    console.print(f"ends further apart than {AGREE:g} per row: {', '.join(apart) or 'none'}")
    console.print("?: the short fit took no less time than the long one")
    console.print(f"*: the short fit, whole, where that took more than {ALONE:g} s")
    console.print(f"threads: {workers()} each (mclust has one); {os.cpu_count()} cores")
