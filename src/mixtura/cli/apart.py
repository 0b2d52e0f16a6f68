"""Tables whose parts Dask's workers read and sweep: `--engine dask`, and where its scheduler is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixtura.data.dialect import Dialect
    from mixtura.data.streamed import Streamed
    from mixtura.families.base import Family

DASK = "dask"
# Seconds in which a scheduler must have answered.
PATIENCE = 10.0


@contextmanager
def cluster(engine: str, address: str | None) -> Iterator[None]:
    """With the workers of the scheduler at `address`; ValueError where none answers there."""
    if address is None:
        yield
        return
    if engine != DASK:
        raise ValueError(f"--scheduler {address} is for --engine dask: give both, or neither")
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError(
            "--scheduler needs the package distributed: pip install 'mixtura[dask]'"
        ) from None
    try:
        asyncio.run(asyncio.wait_for(_asked(address), PATIENCE))
        client: Any = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        why = f"within {PATIENCE:.0f} s" if isinstance(error, OSError) else f"({error})"
        raise ValueError(f"--scheduler {address}: no Dask scheduler answers there {why}") from None
    with client:
        yield


async def _asked(address: str) -> None:
    """Returns once the scheduler has answered: a client waits for ever for one that is mute."""
    from distributed import rpc

    ask: Any = rpc
    async with ask(address) as scheduler:
        await scheduler.identity(n_workers=1)


def apart_table(
    path: Path,
    named: Mapping[str, Any],
    in_pieces: bool | None,
    dialect: Dialect,
    kinds: Sequence[Family],
) -> Streamed:
    """A Parquet file or folder, read by workers; arguments are those of `reading.open_table`."""
    from mixtura.data.files import AS_IT_LOOKS
    from mixtura.estimators.opened import may_miss, read_apart

    if in_pieces is not None:
        option = "--in-pieces" if in_pieces else "--in-memory"
        raise ValueError(f"{option}: with --engine dask workers hold the rows: leave it out")
    if dialect != AS_IT_LOOKS:
        raise ValueError(
            "--engine dask reads Parquet: leave out the options of how text is written"
        )
    return read_apart(path, **named, gaps=may_miss(kinds))
