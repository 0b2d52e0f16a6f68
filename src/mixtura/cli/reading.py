"""Which tables a command reads into memory, and which it reads again for every pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from mixtura.data.dialect import Dialect
    from mixtura.data.rows import Rows
    from mixtura.data.streamed import Streamed
    from mixtura.data.tables import Table
    from mixtura.families.base import Family

# A table of more numbers than this (256 MB of them) is read in pieces. The answer is the same.
LONG = 1 << 25
# Bytes of text that a number takes, at least; compressed, three times fewer.
TEXT_BYTES, GZIP_BYTES = 4, 1.3
# Rows of such a table that its figure shows.
SHOWN = 20_000


def open_table(
    path: Path,
    named: Mapping[str, Any],
    in_pieces: bool | None,
    dialect: Dialect,
    kinds: Sequence[Family],
) -> Table | Streamed:
    """The table, in memory or not; `in_pieces=None` goes by the size of the file.

    `named` are its columns (`Chosen.named`), `kinds` the families that it is for.
    """
    from mixtura.data.opening import stream
    from mixtura.data.tables import read_table, select
    from mixtura.estimators.opened import wanted

    held = wanted(kinds)
    if in_pieces or (in_pieces is None and is_long(path)):
        return stream(path, **named, **dialect.said(), gaps=held.gaps)
    if path.suffix.lower() == ".npy":
        return _of_array(path, named, held.gaps)
    if path.is_dir():
        return select(_of_files(path, dialect), path, **named, wanted=held)
    return read_table(path, **named, dialect=dialect, wanted=held)


def in_memory(option: str, data: Table | Streamed, path: Path) -> Table:
    """The table, for an option that is about rows in memory; ValueError for one in pieces."""
    from mixtura.data.tables import Table

    if not isinstance(data, Table):
        raise ValueError(
            f"--{option} needs {path} in memory: use --in-memory (not with --engine dask), or "
            "fewer rows"
        )
    return data


def whole_table(
    path: Path, named: Mapping[str, Any], dialect: Dialect, kinds: Sequence[Family]
) -> Table:
    """The table in memory, for what goes over it too often to read it each time."""
    from mixtura.data.tables import Table

    found = open_table(path, named, False, dialect, kinds)
    assert isinstance(found, Table)
    return found


def _of_files(folder: Path, dialect: Dialect) -> pa.Table:
    """All columns of the files of a folder, in the order of their names; TableError where they
    are not of one table."""
    import pyarrow as pa

    from mixtura.data.files import read_frame
    from mixtura.data.parts import parquet_files
    from mixtura.data.refusal import TableError

    frames = [read_frame(file, dialect) for file in parquet_files(folder)]
    try:
        return pa.concat_tables(frames, promote_options="permissive")
    except pa.ArrowException as error:
        raise TableError(f"{folder}: its files are not parts of one table: {error}") from None


def _of_array(path: Path, named: Mapping[str, Any], gaps: bool) -> Table:
    """An array, which is read as a table in pieces is, in memory."""
    import pyarrow as pa

    from mixtura.data.opening import stream
    from mixtura.data.tables import Table

    source = stream(path, **named, gaps=gaps)
    rows = source.loaded()
    names = source.reader.names or tuple(f"x{j + 1}" for j in range(source.d))
    frame = pa.table({name: rows.X[:, j] for j, name in enumerate(names)})
    return Table(rows.X, names, rows.sample_weight, frame)


def shown_rows(data: Table | Streamed, seed: int) -> Rows:
    """The rows a figure is made of: all of a table in memory, some of a long one."""
    import numpy as np
    from sklearn.utils.random import sample_without_replacement

    from mixtura.data.rows import Rows, taken
    from mixtura.data.streamed import Streamed

    if not isinstance(data, Streamed):
        return Rows(data.X, data.sample_weight)
    n, size = data.positive, min(data.positive, SHOWN)
    return taken(data, np.sort(sample_without_replacement(n, size, random_state=seed)))


def is_long(path: Path) -> bool:
    """Whether a table is too long to be read into memory without being asked to."""
    if path.is_dir() or path.suffix.lower() == ".npy":
        return True
    if not path.is_file():
        return False
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq", ".arrow", ".feather", ".ipc"):
        import pyarrow as pa

        from mixtura.data import columnar

        try:
            return columnar.count(path) * len(columnar.names(path)) > LONG
        except (pa.ArrowException, OSError):
            return False  # reading it will say what is wrong
    if kind in (".xlsx", ".ods"):
        return False
    per_number = GZIP_BYTES if path.suffix.lower() == ".gz" else TEXT_BYTES
    return path.stat().st_size > LONG * per_number
