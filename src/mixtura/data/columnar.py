"""Parquet and Arrow (Feather) files: whole, piece by piece, and how many rows they have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PARQUET_SUFFIXES, ARROW_SUFFIXES = (".parquet", ".pq"), (".arrow", ".feather", ".ipc")
NAMES = dict.fromkeys(PARQUET_SUFFIXES, "a Parquet file")
NAMES |= dict.fromkeys(ARROW_SUFFIXES, "an Arrow file")
# Rows and numbers of a piece; bytes of a Parquet file read at once, over all columns.
ROWS, NUMBERS = 1 << 16, 1 << 17
BUFFERS = 1 << 22


def piece_rows(columns: int) -> int:
    """Rows of a piece of a table of so many columns."""
    return int(np.clip(NUMBERS // max(columns, 1), 256, ROWS))


def _is_parquet(path: str | Path) -> bool:
    return Path(path).suffix.lower() in PARQUET_SUFFIXES


def read(path: str | Path) -> pa.Table:
    """Every column and row."""
    if _is_parquet(path):
        # Not `pq.read_table`, which adds a column when the folder is called "a=1".
        with pa.OSFile(os.fsencode(path)) as file, pq.ParquetFile(file) as table:
            return table.read()
    with _batches(path) as (schema, batches):
        return pa.Table.from_batches(batches, schema)


def names(path: str | Path) -> list[str]:
    """The names of all columns."""
    if _is_parquet(path):
        with pa.OSFile(os.fsencode(path)) as file:
            return list(pq.read_schema(file).names)
    with _batches(path) as (schema, _):
        return list(schema.names)


def count(path: str | Path) -> int:
    """How many rows there are."""
    if _is_parquet(path):
        with pa.OSFile(os.fsencode(path)) as file:
            return int(pq.read_metadata(file).num_rows)
    with _batches(path) as (_, batches):
        return sum(batch.num_rows for batch in batches)


def pieces(path: str | Path, wanted: list[str] | None) -> Iterator[pa.Table]:
    """The columns `wanted` that are there (None: all), a few rows at a time."""
    known = names(path)
    chosen = known if wanted is None else [name for name in wanted if name in known]
    rows = piece_rows(len(known if wanted is None else wanted))
    if _is_parquet(path):
        yield from _parquet(path, chosen, rows)
    else:
        with _batches(path) as (_, batches):
            for batch in batches:
                for start in range(0, batch.num_rows, rows):
                    yield pa.Table.from_batches([batch.slice(start, rows).select(chosen)])
    pa.default_memory_pool().release_unused()


def _parquet(path: str | Path, chosen: list[str], rows: int) -> Iterator[pa.Table]:
    # Pages are decoded one by one through a small buffer: row groups may be large.
    # Without these two settings PyArrow holds on to every row group it has read.
    buffer = max(BUFFERS // max(len(chosen), 1), 1 << 14)
    with (
        pa.OSFile(os.fsencode(path)) as opened,
        pq.ParquetFile(opened, buffer_size=buffer, pre_buffer=False) as file,
    ):
        for batch in file.iter_batches(rows, columns=chosen, use_threads=False):
            yield pa.Table.from_batches([batch])


@contextmanager
def _batches(path: str | Path) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and the batches of an Arrow file, in either of its two forms."""
    # Mapped, so that batches of any size are not in memory at once.
    with pa.memory_map(os.fsencode(path)) as source:
        if source.read(6) == b"ARROW1":
            file = pa.ipc.open_file(source)
            yield file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
        else:
            source.seek(0)
            stream = pa.ipc.open_stream(source)
            yield stream.schema, iter(stream)
