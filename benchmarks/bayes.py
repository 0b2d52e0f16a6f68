"""Variational Bayes beside scikit-learn's: the price of a step, and how many components are left.

A step is what ours takes for 62 steps less what for 2, over 60, and theirs for 8 less 2: processor
time, with one thread for BLAS, which other work on the machine hardly changes. The study plants
ten groups of rows in the plane, by as many seeds, and starts from one component and from forty; and
eight of Poisson counts in four columns, from one and from 25, beside the bound of those planted.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from typing import Any

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from mixtura import BayesianGaussianMixture, BayesianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.models.responsibilities import one_hot
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

TYPES = ("full", "tied", "diag", "spherical")
# Rows, columns, components.
WORKLOADS = ((10_000, 2, 10), (20_000, 8, 16), (50_000, 16, 20), (100_000, 4, 20))
LONG, SHORT, REPEATS = (62, 8), 2, 2
SEEDS, GROUPS, MOST, ROWS, APART = 20, 10, 40, 3000, 6.0
COUNTED, ROOM, COUNTS = 8, 25, 2000


def steps(X: np.ndarray, K: int, name: str) -> tuple[float, float]:
    """Processor seconds of one step of ours and of theirs, in turns, the fastest of several."""
    how = {"n_components": K, "covariance_type": name, "init_params": "random", "tol": 0.0}
    best = {(place, count): np.inf for place in (0, 1) for count in (SHORT, LONG[place])}
    for _ in range(REPEATS):
        for place, count in best:
            kind: Any = (BayesianGaussianMixture, sklearn.mixture.BayesianGaussianMixture)[place]
            own = {} if place else {"moves": False}
            mixture = kind(max_iter=count, random_state=0, **how, **own)
            began = time.process_time()
            mixture.fit(X)
            best[place, count] = min(best[place, count], time.process_time() - began)
    ours, theirs = (
        (best[place, LONG[place]] - best[place, SHORT]) / (LONG[place] - SHORT) for place in (0, 1)
    )
    return ours, theirs


def planted(seed: int) -> np.ndarray:
    """Rows of ten round groups whose means are six deviations apart or more."""
    rng = np.random.default_rng(seed)
    means: list[np.ndarray] = []
    while len(means) < GROUPS:
        mean = rng.uniform(-20, 20, size=2)
        if all(np.linalg.norm(mean - other) >= APART for other in means):
            means.append(mean)
    labels = rng.choice(GROUPS, size=ROWS, p=rng.dirichlet(np.full(GROUPS, 20.0)))
    return np.array(means)[labels] + rng.normal(size=(ROWS, 2))


def left(start: str, name: str, kind: str) -> tuple[Counter[int], float]:
    """How many seeds end with how many components, and seconds of a fit."""
    found: Counter[int] = Counter()
    began = time.perf_counter()
    for seed in range(SEEDS):
        mixture = BayesianGaussianMixture(
            n_components=MOST,
            covariance_type=name,
            init_params=start,
            weight_concentration_prior_type=kind,
            random_state=seed,
        )
        found[mixture.fit(planted(seed)).n_components_] += 1
    return found, (time.perf_counter() - began) / SEEDS


def counts(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of eight groups of counts, and their groups, the largest first."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(2.0, 5.0, size=(COUNTED, 4)) + 0.3
    labels = rng.integers(COUNTED, size=COUNTS)
    order = np.argsort(-np.bincount(labels, minlength=COUNTED))
    return rng.poisson(rates[labels]).astype(float), np.argsort(order)[labels]


def of_counts(start: str, seed: int) -> tuple[int, float]:
    """How many components are left, and by how much their bound is above that of those planted."""
    X, labels = counts(seed)
    found = BayesianMixture("poisson", ROOM, init_params=start, random_state=0).fit(X)
    model: Any = found._fitted()[0]
    resp = one_hot(labels, COUNTED)
    begin = model.first_step(X, None, resp, model.untold(COUNTED))
    true = em(Problem(model, open_sweep("local", model, Rows(X)), begin, 1e-6, 1000))
    return found.n_components_, found.elbo_ - true.objective


def run(console: Console) -> None:
    warnings.simplefilter("ignore")
    table = Table(
        "n, d, K",
        "covariance",
        "ours",
        "scikit-learn",
        "ratio",
        title="A step, in ms of processor time",
    )
    for n, d, K in WORKLOADS:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 3, size=(n, d))
        for name in TYPES:
            with threadpool_limits(1):
                ours, theirs = steps(X, K, name)
            told = f"{1e3 * ours:.2f}", f"{1e3 * theirs:.1f}", f"{theirs / ours:.1f}"
            table.add_row(f"{n:,}, {d}, {K}", name, *told)
    console.print(table)
    title = f"Components left of ten planted, {SEEDS} seeds"
    table = Table("start", "covariance", "weights", "left: seeds", "seconds", title=title)
    for start in ("one", "kmeans"):
        for name in TYPES:
            for kind in ("dirichlet_process", "dirichlet_distribution"):
                found, each = left(start, name, kind)
                said = ", ".join(f"{K}: {times}" for K, times in sorted(found.items()))
                first = "1" if start == "one" else str(MOST)
                table.add_row(first, name, kind, said, f"{each:.2f}")
    console.print(table)
    title = f"Groups of counts left of {COUNTED} planted, {SEEDS} seeds"
    table = Table("start", "left", "seeds", "bound above that of those planted, nats", title=title)
    for start in ("one", "kmeans"):
        ends = [of_counts(start, seed) for seed in range(SEEDS)]
        for K in sorted({each for each, _ in ends}):
            above = [gain for each, gain in ends if each == K]
            told = f"{min(above):.2f} to {max(above):.2f}"
            table.add_row("1" if start == "one" else str(ROOM), str(K), str(len(above)), told)
    console.print(table)
