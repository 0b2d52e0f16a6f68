"""Files of rows: CSV, TSV and Parquet in and out, through PyArrow."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mixtura.data.atomic import atomic, why_not_writable
from mixtura.data.delimited import read_delimited, sniff
from mixtura.data.refusal import TableError

TEXT_SUFFIXES: dict[str, str] = {".csv": ",;\t", ".txt": ",;\t", ".tsv": "\t"}
PARQUET_SUFFIXES = (".parquet", ".pq")
KNOWN = ".csv, .tsv, .txt (also .gz) or .parquet"


def read_frame(path: str | Path) -> pa.Table:
    """Every column of a table file, by the suffix of its name; TableError if it is not one."""
    kind, _ = suffix(path)
    refuse_unreadable(path)
    try:
        if kind in TEXT_SUFFIXES:
            frame = read_delimited(path, TEXT_SUFFIXES[kind])
        else:
            # Not `pq.read_table`, which adds a column when the folder is called "a=1".
            with pq.ParquetFile(path) as file:
                frame = file.read()
    except pa.ArrowException as error:
        what = "Parquet file" if kind in PARQUET_SUFFIXES else "table"
        raise TableError(f"{path}: this is not a {what} that can be read ({error})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    _refuse_bad_frame(frame, path)
    return frame


def write_table(frame: pa.Table, path: str | Path) -> None:
    """Write a table, by the suffix of its name; the file appears whole or not at all."""
    kind, compression = writable_suffix(path)
    try:
        with atomic(path) as part, pa.output_stream(part, compression=compression) as stream:
            if kind in PARQUET_SUFFIXES:
                pq.write_table(frame, stream)
            else:
                write_csv(frame, stream, "\t" if kind == ".tsv" else ",")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(
            f"{path}: a column does not fit into a text file ({error}): write .parquet instead"
        ) from None
    except OSError as error:
        # PyArrow's own text names the temporary file.
        reason = error if error.errno is None else os.strerror(error.errno)
        raise TableError(f"{path}: cannot be written ({reason})") from None


def lacks_header(path: str | Path) -> bool:
    """Whether a readable table file is text whose first line is data."""
    kind, _ = suffix(path)
    return kind in TEXT_SUFFIXES and not sniff(path, TEXT_SUFFIXES[kind]).header


def write_csv(frame: pa.Table, stream: IO[bytes] | Any, delimiter: str = ",") -> None:
    """Write a table as delimited text, quoting only what needs it; floats round-trip."""
    # The header is ours because PyArrow quotes every name in it.
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(frame.column_names)
    stream.write(line.getvalue().encode())
    quoting = "needed" if any(_needs_quotes(c, delimiter) for c in frame.columns) else "none"
    options = pacsv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style=quoting)
    pacsv.write_csv(frame, stream, options)


def writable_suffix(path: str | Path) -> tuple[str, str | None]:
    """(suffix, compression) of a table about to be written; TableError if it cannot be."""
    kind, compression = suffix(path)
    reason = why_not_writable(path)
    if reason is not None:
        raise TableError(f"{path}: cannot be written: {reason}")
    return kind, compression


def refuse_unwritable(path: str | Path | None) -> None:
    """TableError, before any work, if a table cannot be written to `path`; None is stdout."""
    if path is not None:
        writable_suffix(path)


def suffix(path: str | Path) -> tuple[str, str | None]:
    """(".csv", "gzip") of "a.csv.gz"; TableError for what is not the name of a table."""
    endings = [ending.lower() for ending in Path(path).suffixes]
    last = endings[-1] if endings else ""
    if last == ".gz" and len(endings) > 1 and endings[-2] in TEXT_SUFFIXES:
        return endings[-2], "gzip"
    if last in TEXT_SUFFIXES or last in PARQUET_SUFFIXES:
        return last, None
    if last == ".json":
        raise TableError(f"{path}: a table is needed here, and .json files hold models")
    found = f"ends in {last!r}" if last else "has no suffix"
    raise TableError(f"{path}: the name {found}; a table's name ends in {KNOWN}")


def refuse_unreadable(path: str | Path) -> None:
    """TableError unless there is a file with something in it."""
    if os.path.isdir(path):
        raise TableError(f"{path}: this is a directory; a table is one file")
    if not os.path.exists(path):
        folder = Path(path).parent
        names = os.listdir(folder) if folder.is_dir() else []
        close = get_close_matches(Path(path).name, names, n=1)
        hint = f" (did you mean {folder / close[0]}?)" if close else ""
        raise TableError(f"{path}: there is no such file{hint}")
    if os.path.getsize(path) == 0 and os.path.isfile(path):
        raise TableError(f"{path}: the file is empty")


def _refuse_bad_frame(frame: pa.Table, path: str | Path) -> None:
    names = frame.column_names
    refuse_equal_names(names, path)
    if frame.num_rows == 0:
        raise TableError(f"{path}: there are no rows below the header ({', '.join(names)})")
    for name in names:
        if pa.types.is_binary(frame[name].type) and suffix(path)[0] in TEXT_SUFFIXES:
            raise TableError(f"{path}: column {name!r} is not UTF-8 text: save the file as UTF-8")


def refuse_equal_names(names: list[str], path: str | Path) -> None:
    """TableError for columns that cannot be told apart."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(
            f"{path}: more than one column is called {', '.join(map(repr, twice))}: "
            "give each column its own name"
        )


def _needs_quotes(column: pa.ChunkedArray, delimiter: str) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    text = column.cast(kind)
    return bool(pc.any(pc.match_substring_regex(text, f'[{delimiter}"\r\n]')).as_py())
