"""What the engines promise beyond the contract: shared threads, and rows out of reach."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from contract.cases import gaussian_case
from threadpoolctl import threadpool_info

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines import sampling, threads
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import ENGINES, fill, open_sweep
from mixtura.engines.sampling import draw
from mixtura.models.responsibilities import normalise
from mixtura.supports import Covariance

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_structure = pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
WAIT = 20.0


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "workers", lambda: 2)


def blas_threads() -> list[int]:
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_overlapping_users_restore_the_threads_of_blas() -> None:
    with threads._blas_controller().limit(limits=2, user_api="blas"):
        before = blas_threads()
        hold = threads._SingleBlas()
        hold.__enter__()
        hold.__enter__()
        assert set(blas_threads()) <= {1}
        hold.__exit__()
        assert set(blas_threads()) <= {1}
        hold.__exit__()
        assert blas_threads() == before


def test_a_limit_inherited_by_a_fork_is_restored() -> None:
    with threads._blas_controller().limit(limits=2, user_api="blas"):
        before = blas_threads()
        hold = threads._SingleBlas()
        hold.__enter__()
        hold.after_fork()
        with hold:
            assert set(blas_threads()) <= {1}
        assert blas_threads() == before


@pytest.mark.usefixtures("two_workers")
def test_a_map_inside_a_worker_does_not_wait_for_workers() -> None:
    def outer(rows: slice) -> int:
        return sum(threads.ordered_map(lambda inner: inner.start, [slice(1, 2)] * 3))

    got: list[int] = []
    # A daemon: were this to deadlock, the test should fail and not hang.
    caller = threading.Thread(
        target=lambda: got.extend(threads.ordered_map(outer, [slice(0, 1)] * 8)), daemon=True
    )
    caller.start()
    caller.join(WAIT)
    assert got == [3] * 8


def test_the_pool_follows_the_workers_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def most_at_once(count: int) -> int:
        monkeypatch.setattr(threads, "workers", lambda: count)
        barrier = threading.Barrier(count)

        def run(rows: slice) -> str:
            barrier.wait(WAIT)
            return threading.current_thread().name

        return len(set(threads.ordered_map(run, [slice(0, 1)] * 4 * count)))

    assert [most_at_once(count) for count in (3, 2, 4)] == [3, 2, 4]


@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("closed", [False, True])
def test_chunks_still_queued_are_cancelled(closed: bool) -> None:
    ran: list[int] = []
    gate = threading.Event()

    def run(rows: slice) -> int:
        start = int(rows.start)
        if start == 0:
            if closed:
                return 0
            raise ValueError("chunk 0")
        gate.wait(WAIT)
        ran.append(start)
        return start

    parts = threads.ordered_map(run, [slice(i, i + 1) for i in range(9)])
    if closed:
        assert next(parts) == 0
        parts.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ValueError, match="chunk 0"):
            list(parts)
    gate.set()
    # Whatever was left in the queue would run before these.
    list(threads.ordered_map(lambda rows: None, [slice(0, 1)] * 4))
    assert len(ran) <= 2


@pytest.mark.usefixtures("two_workers")
def test_shared_parts_are_done_by_the_caller_too() -> None:
    barrier = threading.Barrier(2)

    def met(part: int) -> tuple[int, bool]:
        # The first two are begun together, or the barrier breaks.
        if part < 2:
            barrier.wait(WAIT)
        return part, threading.current_thread() is threading.main_thread()

    found = threads.shared(met, range(20))
    assert [part for part, _ in found] == list(range(20))
    assert {here for _, here in found[:2]} == {True, False}
    # Inside a worker, and for one part, nobody else is asked.
    nested = threads.shared(lambda part: threads.shared(lambda inner: part, range(3)), range(4))
    assert nested == [[part] * 3 for part in range(4)]


@pytest.mark.usefixtures("two_workers")
def test_after_an_error_no_shared_part_is_begun() -> None:
    ran: list[int] = []
    barrier = threading.Barrier(2)

    def run(part: int) -> None:
        ran.append(part)
        barrier.wait(WAIT)
        if part == 0:
            raise ValueError("part 0")
        time.sleep(0.2)

    with pytest.raises(ValueError, match="part 0"):
        threads.shared(run, range(50))
    assert sorted(ran) == [0, 1]


@every_structure
@every_engine
@pytest.mark.parametrize("far", ["square overflows", "whitening overflows"])
def test_a_row_out_of_reach_takes_the_weights(name: str, engine: str, far: str) -> None:
    case = gaussian_case(name)
    X = case.X[:9].copy()
    X[4] = 0.0
    if far == "square overflows":
        X[4, 0] = 1e200
    else:
        X[4] = 1.7e308 * (-1.0) ** np.arange(X.shape[1])
    n, K = len(X), len(case.params.weights)
    out = RowOutputs(np.empty(n), np.empty((n, K)), np.empty(n, np.int64), np.empty((n, K)))
    fill(engine, case.model, X, case.params, out)
    assert out.log_density is not None
    assert out.responsibilities is not None
    assert out.labels is not None
    assert out.component_log_density is not None
    np.testing.assert_allclose(out.responsibilities[4], case.params.weights, rtol=1e-14)
    np.testing.assert_allclose(out.responsibilities.sum(axis=1), 1.0, rtol=1e-12)
    assert out.log_density[4] == -np.inf
    assert np.all(out.component_log_density[4] == -np.inf)
    np.testing.assert_array_equal(out.labels, out.responsibilities.argmax(axis=1))
    only_labels = RowOutputs(labels=np.empty(n, np.int64))
    fill(engine, case.model, X, case.params, only_labels)
    np.testing.assert_array_equal(only_labels.labels, out.labels)


@every_structure
@every_engine
@pytest.mark.parametrize("value", [1e200, 1.7e308])
def test_a_row_out_of_reach_without_weight_is_nothing(name: str, engine: str, value: float) -> None:
    case = gaussian_case(name)
    weight = np.ones(len(case.X))
    weight[4] = 0.0
    near, far = case.X.copy(), case.X.copy()
    near[4] = 0.0
    far[4] = value * (-1.0) ** np.arange(far.shape[1])
    one, two = (open_sweep(engine, case.model, Rows(X, weight))(case.params) for X in (near, far))
    assert one.loglik == two.loglik
    assert one.weight == two.weight
    for a, b in zip(vars(one.statistics).values(), vars(two.statistics).values(), strict=True):
        np.testing.assert_array_equal(a, b)


@every_engine
def test_a_weighted_row_out_of_reach_moves_nothing(engine: str) -> None:
    case = gaussian_case("full")
    far = case.X.copy()
    far[4] = 0.0
    far[4, 0] = 1e200
    whole = open_sweep(engine, case.model, Rows(far))(case.params)
    rest = open_sweep(engine, case.model, Rows(np.delete(far, 4, axis=0)))(case.params)
    assert whole.loglik == -np.inf
    for a, b in zip(vars(whole.statistics).values(), vars(rest.statistics).values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_normalise_without_weights_shares_equally() -> None:
    log_p, resp = normalise(np.array([[-np.inf, np.nan], [0.0, np.nan]]))
    np.testing.assert_array_equal(log_p, [-np.inf, 0.0])
    np.testing.assert_array_equal(resp, [[0.5, 0.5], [1.0, 0.0]])


@pytest.mark.parametrize("unit", [1e-10, 1.0, 1e10])
def test_symmetry_is_judged_in_the_columns_own_units(unit: float) -> None:
    half = np.array([[1.0, 0.9], [0.0, 1.0]]) * unit
    with pytest.raises(ValueError, match="symmetric"):
        Covariance().check(half, "covariances")
    with pytest.raises(ValueError, match="symmetric"):
        Covariance().check(-np.eye(2) * unit, "covariances")
    scale = np.array([unit, 1.0])
    close = np.array([[1.0, 0.9], [0.9 + 1e-7, 1.0]]) * np.outer(scale, scale)
    Covariance().check(close, "covariances")


def test_weights_that_sum_to_one_in_float32_only_can_be_sampled() -> None:
    weights = np.array([0.5, 0.5000009, 1e-9], dtype=np.float32)
    mixture = GaussianMixture.from_parameters(
        weights, np.zeros((3, 2), np.float32), np.stack([np.eye(2, dtype=np.float32)] * 3)
    )
    X, labels = mixture.sample(100, random_state=0)
    assert X.shape == (100, 2)
    assert set(labels) <= {0, 1, 2}


@every_structure
def test_many_draws_do_not_depend_on_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = gaussian_case(name)
    drawn = []
    for count in (1, 3):
        monkeypatch.setattr(threads, "workers", lambda count=count: count)
        drawn.append(draw(case.model, 40_000, case.params, np.random.RandomState(0)))
    for a, b in zip(*drawn, strict=True):
        np.testing.assert_array_equal(a, b)
    X, labels = drawn[0]
    # Six standard errors of a mean and of a share: a false alarm once in 10^7 at most.
    shares = np.bincount(labels, minlength=3) / len(X)
    allowed = 6 * np.sqrt(case.params.weights / len(X))
    assert np.all(np.abs(shares - case.params.weights) < allowed)
    for k in range(3):
        own = X[labels == k]
        error = np.abs(own.mean(axis=0) - case.params.components.means[k])
        assert np.all(error < 6 * own.std(axis=0) / np.sqrt(len(own)))
    # Chunks have streams of their own: no row comes twice.
    assert len(np.unique(X[:, 0])) == len(X)


def test_between_pieces_of_a_sample_blas_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    # One worker draws when asked, so between pieces nothing runs.
    monkeypatch.setattr(threads, "workers", lambda: 1)
    inside: list[int] = []
    whole = sampling._Streams.part

    def part(*given: Any) -> Any:
        inside.extend(blas_threads())
        return whole(*given)

    monkeypatch.setattr(sampling._Streams, "part", part)
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)])
    with threads._blas_controller().limit(limits=2, user_api="blas"):
        before = blas_threads()
        for _ in mixture.sample_chunks(50_000, random_state=0):
            assert blas_threads() == before
        assert blas_threads() == before
    assert set(inside) <= {1}
    assert len(inside) == 4 * len(before)
