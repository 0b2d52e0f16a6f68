"""The same answer whatever runs it: threads, chunks, engines, processes, neighbours."""

from __future__ import annotations

import multiprocessing
import os
import threading
from typing import Any

import numpy as np
import pytest
from contract.cases import gaussian_case
from joblib import Parallel, delayed
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines import local, threads
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.engines.gaussian import compiled
from mixtura.estimators import factored
from mixtura.families.factor import records
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.records import Chunk, Summary

every_engine = pytest.mark.parametrize("engine", ENGINES)


def table(n: int = 20_000, d: int = 4) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.normal(size=(n, d)) + 2.5 * rng.integers(0, 3, size=(n, 1))


def arrays(summary: Summary) -> list[np.ndarray]:
    sums = np.array([summary.loglik, summary.weight])
    return [sums, *vars(summary.statistics).values()]


def assert_equal(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_near(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for one, other in zip(a, b, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * scale)


def use(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(threads, "workers", lambda: count)


@every_engine
@pytest.mark.parametrize("name", STRUCTURES)
def test_one_two_and_four_threads_to_the_last_bit(
    name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = gaussian_case(name)
    rows = Rows(table(), np.random.default_rng(0).integers(0, 3, 20_000).astype(float))
    found = []
    for count in (1, 2, 4):
        use(monkeypatch, count)
        with threadpool_limits(count):
            found.append(arrays(open_sweep(engine, case.model, rows)(case.params)))
    assert_equal(found[0], found[1])
    assert_equal(found[0], found[2])


@every_engine
def test_any_chunk_size_and_engine_to_1e_12(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = gaussian_case("full")
    rows = Rows(table())
    whole = arrays(case.model.e_step(Chunk(rows.X), case.params))
    for size in (64, 1000, 8192, 20_000):
        for module in (compiled, local, threads):
            monkeypatch.setattr(module, "chunk_rows", lambda *shape, size=size: size)
        assert_near(arrays(open_sweep(engine, case.model, rows)(case.params)), whole)


def fitted(**settings: Any) -> GaussianMixture:
    return GaussianMixture(3, **{"random_state": 0, "max_iter": 300, **settings}).fit(table())


def parameters(mixture: GaussianMixture) -> list[np.ndarray]:
    bounds = np.array(mixture.lower_bounds_)
    return [mixture.weights_, mixture.means_, mixture.covariances_, bounds]


@every_engine
def test_a_whole_fit_does_not_hang_on_the_threads(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for count in (1, 2, 4):
        use(monkeypatch, count)
        with threadpool_limits(count):
            found.append(parameters(fitted(engine=engine)))
    assert_equal(found[0], found[1])
    assert_equal(found[0], found[2])


def test_engines_climb_alike() -> None:
    start = {"means_init": table()[[0, 1, 2]], "weights_init": [0.2, 0.3, 0.5]}
    start |= {"precisions_init": np.stack([np.eye(4)] * 3), "solver": "em", "tol": 1e-12}
    one, *others = (parameters(fitted(engine=engine, **start)) for engine in ENGINES)
    for other in others:
        # Climbs of several hundred steps, whose rounding differs at each.
        for a, b in zip(one[:3], other[:3], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def limits() -> list[tuple[str, int]]:
    return [(lib["filepath"], lib["num_threads"]) for lib in threadpool_info()]


def test_two_fits_at_once_disturb_neither_each_other_nor_the_caller() -> None:
    alone = [parameters(fitted(random_state=seed)) for seed in (0, 1)]
    found: dict[int, list[np.ndarray]] = {}
    with threadpool_limits(2):
        before = limits()
        fits = [
            threading.Thread(
                target=lambda seed=seed: found.update({seed: parameters(fitted(random_state=seed))})
            )
            for seed in (0, 1)
        ]
        for fit in fits:
            fit.start()
        for fit in fits:
            fit.join(60)
        assert limits() == before
    for seed in (0, 1):
        assert_equal(found[seed], alone[seed])


def _answer(queue: Any) -> None:
    queue.put(parameters(fitted()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_fits_as_its_parent_did() -> None:
    mine = parameters(fitted())
    with threadpool_limits(2):
        # OpenMP's own threads are awake in the parent, and the child has none of them.
        KMeans(2, n_init=1, random_state=0).fit(table())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_answer, args=(queue,))
    child.start()
    try:
        assert_equal(queue.get(timeout=60), mine)
    finally:
        child.join(60)
    assert child.exitcode == 0


def _of_factors(seed: int) -> list[np.ndarray]:
    # Wide enough for BLAS to take threads where it may.
    X = np.random.default_rng(5).normal(size=(60, 1500))
    mixture = GaussianMixture(2, covariance_type="UUU:2", random_state=seed, max_iter=3).fit(X)
    mixture.predict(X)
    return [mixture.means_, mixture.loadings_, mixture.noise_variance_]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fork_pool_fits_factors_as_its_parent_did() -> None:
    with threadpool_limits(4):
        KMeans(2, n_init=1, random_state=0).fit(table())
        mine = [_of_factors(seed) for seed in (0, 1)]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map_async(_of_factors, (0, 1)).get(timeout=60)
    for a, b in zip(found, mine, strict=True):
        assert_equal(a, b)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_factors_are_worked_out_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its threads wait for each other longer than such thin products take; in a fork, for ever.
    met: list[int] = []
    make = records.factor_params

    def noted(*arrays: np.ndarray) -> Any:
        met.extend(lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas")
        return make(*arrays)

    for module in (records, factored):
        monkeypatch.setattr(module, "factor_params", noted)
    with threadpool_limits(2):
        _of_factors(0)
    assert set(met) == {1}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend: str) -> None:
    seeds = (0, 1)
    mine = [parameters(fitted(random_state=seed)) for seed in seeds]
    # Workers of loky are given a memory map of the table.
    fit = delayed(lambda X, seed: GaussianMixture(3, random_state=seed, max_iter=300).fit(X))
    found = Parallel(n_jobs=2, backend=backend, max_nbytes=1000)(
        fit(table(), seed) for seed in seeds
    )
    for a, b in zip(found, mine, strict=True):
        assert_equal(parameters(a), b)
