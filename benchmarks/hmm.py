"""Baum-Welch, Viterbi, filter and smoothing, ours against hmmlearn's: same sequences, same start.

hmmlearn is no dependency: `uv run --with hmmlearn python -m benchmarks hmm`. One pass is the time
of 12 EM steps less that of 2, over 10; hmmlearn runs with implementation="scaling", and its score,
which is a forward pass, stands for the filter that it lacks. Beside the passes stands what the
machine needs for a chain forward and back in one thread (`hmm_floor.py`).
"""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.hmm_floor import step_seconds
from mixtura.engines import native

LONG, SHORT, REPEATS = 12, 2, 3
# Both sides are called again for so many seconds: calls of a millisecond vary by more than half.
AGAIN = 0.5


@dataclass(frozen=True)
class Workload:
    """n steps in all, in sequences of one length; a class of both libraries with its settings."""

    name: str
    kind: str
    n: int
    length: int
    d: int
    K: int
    settings: dict[str, Any]


WORKLOADS = (
    Workload(
        "full covariances", "GaussianHMM", 100_000, 100_000, 4, 6, {"covariance_type": "full"}
    ),
    Workload("1000 sequences", "GaussianHMM", 100_000, 100, 2, 4, {"covariance_type": "diag"}),
    Workload("one long column", "GaussianHMM", 1_000_000, 1_000_000, 1, 8, {}),
    Workload("50 symbols", "CategoricalHMM", 200_000, 200_000, 1, 10, {}),
)


def drawn(load: Workload) -> tuple[np.ndarray, list[int], dict[str, np.ndarray]]:
    """(rows, lengths, the parameters that both climb from)."""
    rng = np.random.default_rng(0)
    stay = 0.9
    change = rng.uniform(size=load.n) > stay
    drawn_states = rng.integers(load.K, size=load.n)
    last = np.maximum.accumulate(np.where(change, np.arange(load.n), 0))
    state = drawn_states[last]
    start = {
        "startprob_": np.full(load.K, 1 / load.K),
        "transmat_": np.full((load.K, load.K), 0.2 / (load.K - 1)),
    }
    np.fill_diagonal(start["transmat_"], 0.8)
    if load.kind == "CategoricalHMM":
        law = rng.dirichlet(np.full(50, 0.5), load.K)
        X = np.empty(load.n, dtype=np.int64)
        for k in range(load.K):
            X[state == k] = rng.choice(50, size=int((state == k).sum()), p=law[k])
        start["emissionprob_"] = (law + 0.02) / (law + 0.02).sum(axis=1, keepdims=True)
        return X[:, None], [load.length] * (load.n // load.length), start
    centres = 2.0 * rng.normal(size=(load.K, load.d))
    X = centres[state] + rng.normal(size=(load.n, load.d))
    full = load.settings.get("covariance_type") == "full"
    covars = np.tile(np.eye(load.d), (load.K, 1, 1)) if full else np.ones((load.K, load.d))
    start |= {"means_": centres + 0.1, "covars_": covars}
    return X, [load.length] * (load.n // load.length), start


def seconds(call: Callable[[], object]) -> float:
    """Of the fastest of several calls."""
    taken: list[float] = []
    while len(taken) < REPEATS or sum(taken) < AGAIN:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def made(
    kind: type[Any], load: Workload, start: dict[str, np.ndarray], steps: int, **own: Any
) -> Any:
    """A model that climbs from `start` by so many steps."""
    plain = {"n_iter": steps, "tol": -np.inf, "init_params": "", "implementation": "scaling"}
    found = kind(load.K, **plain, **load.settings, **own)
    for name, array in start.items():
        setattr(found, name, array)
    return found


def measured(kind: type[Any], load: Workload, **own: Any) -> tuple[list[float], float]:
    """Seconds of a pass, Viterbi, filter and smoothing; the log-likelihood after the long climb."""
    X, lengths, start = drawn(load)
    fit = {
        steps: seconds(lambda steps=steps: made(kind, load, start, steps, **own).fit(X, lengths))
        for steps in (SHORT, LONG)
    }
    ready = made(kind, load, start, LONG, **own).fit(X, lengths)
    asked = ready.decode, getattr(ready, "filter", ready.score), ready.predict_proba
    answers = [seconds(lambda call=call: call(X, lengths)) for call in asked]
    one = (fit[LONG] - fit[SHORT]) / (LONG - SHORT)
    return [one, *answers], float(ready.score(X, lengths))


def theirs() -> Any | None:
    """hmmlearn's models; None where it is not installed."""
    try:
        return importlib.import_module("hmmlearn.hmm")
    except ImportError:
        return None


def maximum_likelihood(load: Workload) -> dict[str, float]:
    """Settings without which hmmlearn maximises a posterior."""
    return {"covars_prior": 0.0, "covars_weight": 0.0} if load.kind == "GaussianHMM" else {}


def run(console: Console) -> None:
    """Print the table and the geometric means of the ratios."""
    other_side = theirs()
    if other_side is None:
        console.print(
            "hmm: hmmlearn is not installed; uv run --with hmmlearn python -m benchmarks hmm"
        )
        return
    table = Table(title="Hidden Markov models, milliseconds (hmmlearn / mixtura = ratio)")
    names = ("EM pass", "Viterbi", "filter", "smoothing")
    for heading in ("workload", "floor", *names, "|Δ ll|"):
        table.add_column(heading, justify="right")
    ratios = []
    for load in WORKLOADS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = maximum_likelihood(load)
            other, their_end = measured(getattr(other_side, load.kind), load, **plain)
            ours, our_end = measured(getattr(mixtura, load.kind), load)
        each = [a / b for a, b in zip(other, ours, strict=True)]
        ratios.append(each)
        cells = [
            f"{1e3 * a:.0f} / {1e3 * b:.1f}\n= {r:.1f}"
            for a, b, r in zip(other, ours, each, strict=True)
        ]
        step = step_seconds(load.K, native.variant())
        floor = "" if step is None else f"{2e3 * load.n * step:.1f}"
        name = f"{load.name}\n{load.n:,} steps, {load.K} states"
        table.add_row(name, floor, *cells, f"{abs(their_end - our_end):.1g}")
    console.print(table)
    means = np.exp(np.log(ratios).mean(axis=0))
    told = ", ".join(f"{name} {mean:.1f}" for name, mean in zip(names, means, strict=True))
    console.print(f"geometric means: {told}")
