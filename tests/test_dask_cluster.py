"""Fits by the workers of a Dask cluster, real processes, and what is said where it fails."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from concurrent import futures
from typing import Any, cast

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture

distributed = pytest.importorskip(
    "distributed", reason="distributed is not installed: pip install 'mixtura[dask]'"
)
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

# Its heartbeats and sockets end when they end; none of that is ours.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
CHUNKS = (500, 3)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    how = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, silence_logs=logging.CRITICAL, **how) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(4_000, 3)) + 5.0 * rng.integers(0, 2, size=(4_000, 1))


def test_answers_of_workers(client: Any, X: np.ndarray) -> None:
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = mixture.predict_proba(da.from_array(X, chunks=CHUNKS))
    np.testing.assert_allclose(found.compute(), mixture.predict_proba(X), rtol=0, atol=1e-12)


class Killer:
    """Kills a worker, as the machine would that ran out of memory, after so many passes."""

    def __init__(self, client: Any, after: int) -> None:
        self.pids, self.left = list(client.run(os.getpid).values()), after

    def __call__(self, rows: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(self.pids[0], signal.SIGKILL)


def test_a_killed_worker_changes_nothing(
    client: Any, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mixtura.data import dask_held
    from mixtura.data.dask_source import DaskSource

    table = da.from_array(X, chunks=CHUNKS)
    whole = GaussianMixture(2, random_state=0).fit(table)
    np.testing.assert_allclose(
        whole.means_, GaussianMixture(2, random_state=0).fit(X).means_, rtol=0, atol=1e-10
    )
    source = mixtura.stream(table)
    assert isinstance(source, DaskSource)
    # Its blocks stay on the workers, neighbours together: half of them are lost with one.
    distributed.wait(source.blocks, timeout=20)
    who = client.who_has(source.blocks)
    places = [who[block.key] for block in source.blocks]
    assert places == [places[0]] * 4 + [places[4]] * 4
    assert places[0] != places[4]
    assert source.store.runs() == [slice(0, 4), slice(4, 8)]
    # It is asked anew before each pass where they are.
    monkeypatch.setattr(dask_held, "ANEW", 0.0)
    source.on_rows = killer = Killer(client, after=8)
    again = GaussianMixture(2, random_state=0).fit(source)
    assert killer.left < 0
    assert killer.pids[0] not in client.run(os.getpid).values()
    assert again.fit_result_ == whole.fit_result_
    assert np.array_equal(again.covariances_, whole.covariances_)
    # Nor does it matter that there is a cluster.
    with dask.config.set(scheduler="threads"), monkeypatch.context() as alone:
        alone.setattr("mixtura.data.dask_source.active_client", lambda: None)
        here = GaussianMixture(2, random_state=0).fit(table)
    assert np.array_equal(here.covariances_, whole.covariances_)


def test_rows_of_a_worker_that_cannot_have_them_end_the_fit() -> None:
    from mixtura.data.dask_cluster import waited_for

    class Lost:
        def result(self, timeout: float) -> None:
            raise distributed.KilledWorker("read-7", None, 4)

    with pytest.raises(ConnectionError, match="workers that were given read-7 died, one after"):
        waited_for(None, cast("Any", Lost()))


def test_silence_of_a_scheduler_is_no_lack_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixtura.data import dask_cluster

    clock = [0.0]

    class Waiting:
        status = "running"

        def result(self, timeout: float) -> None:
            clock[0] += 20.0
            raise futures.TimeoutError

    waiting: Any = Waiting()

    def ends_at(replies: list[Any]) -> tuple[float, str]:
        clock[0] = 0.0
        told = iter(replies)
        monkeypatch.setattr(dask_cluster, "known_workers", lambda *_: next(told))
        with pytest.raises(ConnectionError) as raised:
            dask_cluster.waited_for(waiting, waiting)
        return clock[0], str(raised.value).partition(": ")[2]

    monkeypatch.setattr(dask_cluster.time, "monotonic", lambda: clock[0])
    mute, none, some = None, {}, {"w": {}}
    lack, silence = "it has had no worker for 60 s", "its scheduler has not answered for 60 s"
    assert ends_at([none] * 4) == (80.0, lack)
    assert ends_at([mute] * 4) == (80.0, silence)
    # Three looks without an answer, then one that tells of no worker: only the last is known.
    assert ends_at([mute, mute, mute, none, none, none, none]) == (140.0, lack)
    assert ends_at([none, none, some, none, none, none, none]) == (140.0, lack)
    # A scheduler that answers now and then is not waited for for ever.
    assert ends_at([none, mute] * 4) == (140.0, lack)


class Mute:
    """A scheduler that is stopped, or behind a dead connection: asked, it says nothing."""

    async def identity(self, n_workers: int) -> None:
        await asyncio.sleep(60)


@pytest.mark.parametrize("mute", [False, True])
def test_a_cluster_that_does_nothing_is_not_waited_for_for_ever(
    X: np.ndarray, monkeypatch: pytest.MonkeyPatch, mute: bool
) -> None:
    from mixtura.data import dask_cluster

    why = "its scheduler has not answered for" if mute else "it has had no worker for"
    monkeypatch.setattr(dask_cluster, "PATIENCE", 0.3)
    monkeypatch.setattr(dask_cluster, "LOOK", 0.1)
    how: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**how) as cluster,
        distributed.Client(cluster) as client,
    ):
        if mute:
            monkeypatch.setattr(client, "scheduler", Mute())
        with pytest.raises(ConnectionError, match="gave no result: " + why):
            GaussianMixture(2).fit(da.from_array(X, chunks=CHUNKS))
        monkeypatch.undo()
