"""EM steps of latent classes beside StepMix's, of counts beside pomegranate's, in one process.

`uv run --with stepmix --with pomegranate python -m benchmarks families`: 100,000 rows of 10
columns, 5 classes; categories are of 4. A step of StepMix is the difference of two fits of its own
with the same seed and different numbers of steps, so that its start is not counted. Where it ended
the log-likelihoods of both must be the same, and from there we take as many steps. Pomegranate
steps from our own parameters, in its float32. Without them only our own are timed.
"""

from __future__ import annotations

import time
import tracemalloc
import warnings
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.families.base import Family
from mixtura.families.categorical import Categorical, CategoricalParams
from mixtura.families.normal import Normal, NormalParams
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.priors import Flat
from mixtura.families.product import Block, Product
from mixtura.families.product_parts import ProductParams, ProductPrior
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

N, D, LEVELS, K = 100_000, 10, 4, 5
SHORT, LONG, REPEATS = 5, 25, 3
MIXED = Product([Block(Poisson(), range(5)), Block(Normal(), range(5, D))])


def table() -> Array:
    """Rows of planted classes."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(LEVELS, 0.7), size=(K, D))
    group = rng.integers(K, size=N)
    cuts = shares[group].cumsum(axis=2)[:, :, :-1]
    return np.asarray((rng.random((N, D, 1)) > cuts).sum(axis=2), dtype=np.float64)


def flat(family: Family) -> Any:
    """No prior."""
    if isinstance(family, Product):
        return ProductPrior(family.names, (Flat(),) * len(family.blocks))
    return Flat()


def steps(family: Family, X: Array, params: MixtureParams, many: int) -> tuple[float, float, float]:
    """(seconds for so many EM steps, peak bytes allocated in one, log-likelihood at their end)."""
    model = Mixture(family, flat(family))
    sweep = open_sweep(resolve("auto", model), model, Rows(X))
    summary = sweep(params)
    tracemalloc.start()
    sweep(params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    began = time.perf_counter()
    for _ in range(many):
        params = model.m_step(summary, params)
        summary = sweep(params)
    return time.perf_counter() - began, float(peak), summary.loglik


def theirs(X: Array, many: int) -> tuple[float, Any]:
    """(seconds, the model) of StepMix's fit with so many EM steps."""
    from stepmix.stepmix import StepMix

    codes = X.astype(np.int64)
    model = StepMix(
        n_components=K, measurement="categorical", n_init=1, max_iter=many, abs_tol=0.0,
        rel_tol=0.0, random_state=1, verbose=0, progress_bar=0,
    )  # fmt: skip
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(codes)
    return time.perf_counter() - began, model


def as_ours(model: Any) -> MixtureParams:
    """Their parameters as ours: shares of each column's levels side by side."""
    shares = np.asarray(model.get_parameters()["measurement"]["pis"], dtype=np.float64)
    return MixtureParams(np.asarray(model.weights_, dtype=np.float64), CategoricalParams(shares))


def run(console: Console) -> None:
    shown = Table(title=f"one EM step, {N:,} x {D}, {K} classes")
    for name in ("family", "ours ms", "peak MB", "theirs", "ms", "ratio", "log-likelihood of both"):
        shown.add_column(name, justify="right")
    X = table()
    shown.add_row("categorical", *beside(X))
    for name, kind, rows, params in others(X):
        found = [steps(kind, rows, params, LONG - SHORT) for _ in range(REPEATS)]
        own = min(seconds for seconds, *_ in found) / (LONG - SHORT)
        cells = beside_pomegranate(rows, params, own)
        shown.add_row(name, f"{1e3 * own:.1f}", f"{found[0][1] / 1e6:.1f}", *cells)
    console.print(shown)


def beside_pomegranate(X: Array, params: MixtureParams, own: float) -> tuple[str, ...]:
    """The cells of their step from the same parameters."""
    try:
        import torch
        from pomegranate import distributions as D
        from pomegranate.gmm import GeneralMixtureModel
    except ModuleNotFoundError:
        return "not installed", "", "", ""

    def component(k: int) -> Any:
        if isinstance(params.components, PoissonParams):
            return D.Poisson(params.components.rates[k])
        rates, normal = params.components.blocks
        columns = [D.Poisson([rate]) for rate in rates.rates[k]]
        for mean, variance in zip(normal.means[k], normal.variances[k], strict=True):
            columns.append(D.Normal([mean], [variance], covariance_type="diag"))
        return D.IndependentComponents(columns)

    rows = torch.tensor(X, dtype=torch.float32)
    model = GeneralMixtureModel([component(k) for k in range(K)], priors=params.weights)
    model = model.float()
    told = float(model.log_probability(rows).double().sum())
    times = []
    for _ in range(LONG):
        began = time.perf_counter()
        model.summarize(rows)
        model.from_summaries()
        times.append(time.perf_counter() - began)
    family = Poisson() if isinstance(params.components, PoissonParams) else MIXED
    here = open_sweep("threads", Mixture(family, flat(family)), Rows(X))(params).loglik
    assert abs(here - told) <= 1e-4 * abs(told), (here, told)
    each = min(times)
    return "pomegranate", f"{1e3 * each:.1f}", f"{each / own:.1f}", f"{here:.1f}, {told:.1f}"


def beside(X: Array) -> tuple[str, ...]:
    """The cells of the table for both."""
    family = Categorical((LEVELS,) * D)
    try:
        short = min(theirs(X, SHORT)[0] for _ in range(REPEATS))
    except ModuleNotFoundError:
        rng = np.random.default_rng(1)
        shares = rng.dirichlet(np.ones(LEVELS), size=(K, D)).reshape(K, -1)
        start = MixtureParams(np.full(K, 1.0 / K), CategoricalParams(shares))
        mine = [steps(family, X, start, LONG - SHORT) for _ in range(REPEATS)]
        own = min(seconds for seconds, *_ in mine) / (LONG - SHORT)
        return f"{1e3 * own:.1f}", f"{mine[0][1] / 1e6:.1f}", "not installed", "", "", ""
    runs = [theirs(X, LONG) for _ in range(REPEATS)]
    each = (min(seconds for seconds, _ in runs) - short) / (LONG - SHORT)
    model = runs[0][1]
    start = as_ours(model)
    mine = [steps(family, X, start, LONG - SHORT) for _ in range(REPEATS)]
    own = min(seconds for seconds, *_ in mine) / (LONG - SHORT)
    here = open_sweep("threads", Mixture(family, Flat()), Rows(X))(start).loglik
    told = float(model.score(X.astype(np.int64))) * N
    assert abs(here - told) <= 1e-8 * abs(told), (here, told)
    peak, ratio = mine[0][1] / 1e6, each / own
    both = f"{here:.3f}, {told:.3f}"
    return f"{1e3 * own:.1f}", f"{peak:.1f}", "StepMix", f"{1e3 * each:.1f}", f"{ratio:.1f}", both


def others(X: Array) -> list[tuple[str, Family, Array, MixtureParams]]:
    """Counts, and counts beside numbers, on tables as large."""
    rng = np.random.default_rng(1)
    weights = np.full(K, 1.0 / K)
    rates = PoissonParams(rng.uniform(1, 9, (K, D)))
    normal = NormalParams(rng.normal(size=(K, 5)), np.ones((K, 5)))
    both = ProductParams(MIXED.names, (PoissonParams(rates.rates[:, :5]), normal))
    mixed = np.hstack([X[:, :5], rng.normal(size=(N, 5))])
    return [
        ("poisson", Poisson(), X, MixtureParams(weights, rates)),
        ("5 poisson x 5 normal", MIXED, mixed, MixtureParams(weights, both)),
    ]
