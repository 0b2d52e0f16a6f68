"""The cluster that runs tasks, if there is one: what it gives back, and what is said if nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

from dask.base import compute
from dask.delayed import delayed as _delayed

# Seconds to wait for a first worker, and how often it is looked whether there is any.
PATIENCE, LOOK = 60.0, 2.0
# Tasks are functions of their inputs, named anew: to name them by content would read all of it.
delayed: Any = _delayed(pure=False)


def active_client() -> Any:
    """The client of a cluster, if one is at work in this process, else None."""
    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()  # type: ignore[no-untyped-call]
    except ValueError:
        return None


def computed(tasks: Sequence[Any], client: Any) -> list[Any]:
    """The results of tasks, of the client's cluster where there is one.

    ConnectionError where that does not give them.
    """
    if client is None:
        return list(compute(*tasks))  # type: ignore[no-untyped-call]
    asked = _gathered(client, client.compute(list(tasks)))
    # As one request, which goes on while it is looked whether anybody is there.
    request = asyncio.run_coroutine_threadsafe(asked, client.loop.asyncio_loop)
    try:
        return list(waited_for(client, request))
    finally:
        request.cancel()


async def _gathered(client: Any, results: list[Any]) -> list[Any]:
    # Given up while it waits, `gather` complains on the screen.
    for result in results:
        await result.exception()
    return list(await client.gather(results))


def waited_for(client: Any, request: futures.Future[Any]) -> Any:
    """What a cluster was asked for; ConnectionError where it is lost or nobody is there."""
    from distributed import CancelledError, KilledWorker

    last, bare, silent = time.monotonic(), 0.0, 0.0
    while True:
        try:
            return request.result(timeout=LOOK)
        except futures.TimeoutError:
            if client.status != "running":
                raise lost("it no longer answers") from None
            # One that is busy takes its time to say so.
            workers = known_workers(client, max(LOOK, min(silent, PATIENCE / 4)), 1)
            now = time.monotonic()
            # While nothing is said, nothing is known of workers.
            bare = 0.0 if workers else bare + (now - last) * (workers is not None)
            silent = silent + now - last if workers is None else 0.0
            last = now
            if silent > PATIENCE:
                raise silence() from None
            if bare > PATIENCE:
                raise lost(f"it has had no worker for {PATIENCE:.0f} s") from None
        except KilledWorker as error:
            why = f"the workers that were given {error.task} died, one after the other"
            raise lost(f"{why}: a partition may not fit into a worker's memory") from None
        except (CancelledError, futures.CancelledError):
            raise lost("it no longer answers") from None


def known_workers(client: Any, seconds: float, at_most: int = -1) -> dict[str, Any] | None:
    """What the scheduler says of its workers; None where it does not answer in so many seconds.

    A client waits for ever for one that is there and mute: stopped, or behind a dead connection.
    """
    found = _told(client, seconds, client.scheduler.identity, n_workers=at_most)
    return None if found is None else dict(found["workers"])


def holders(client: Any, seconds: float, keys: list[str]) -> dict[str, list[str]] | None:
    """The workers that have each of these results; None where the scheduler does not answer."""
    found = _told(client, seconds, client.scheduler.who_has, keys=keys)
    return None if found is None else {key: list(who) for key, who in found.items()}


def _told(client: Any, seconds: float, ask: Any, **about: Any) -> Any:
    from distributed import TimeoutError

    try:
        return client.sync(ask, **about, callback_timeout=seconds)
    except (TimeoutError, OSError):
        return None


def silence() -> ConnectionError:
    """A scheduler that is there and mute."""
    return lost(f"its scheduler has not answered for {PATIENCE:.0f} s")


def lost(why: str) -> ConnectionError:
    """A cluster that failed."""
    return ConnectionError(f"the Dask cluster gave no result: {why}")
