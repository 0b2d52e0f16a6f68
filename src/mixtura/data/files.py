"""Files of rows: which names are those of tables, and every column of one read into memory."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from mixtura.data import columnar
from mixtura.data.atomic import why_not_writable
from mixtura.data.delimited import AsWritten, read_delimited
from mixtura.data.dialect import Dialect
from mixtura.data.layout import sniff
from mixtura.data.refusal import TableError
from mixtura.data.workbook import WORKBOOK_SUFFIXES, Workbook

TEXT_SUFFIXES: dict[str, str] = {
    ".csv": ",;\t|",
    ".txt": ",;\t|",
    ".dat": ",;\t|",
    ".tsv": "\t",
    ".edges": ",;\t|",
    ".edgelist": ",;\t|",
}
KNOWN = (
    ".csv, .tsv, .txt, .dat, .edges, .edgelist (all also .gz), .parquet, .arrow, .feather, .xlsx "
    "or .ods"
)
AS_IT_LOOKS = Dialect()


def read_frame(
    path: str | Path, dialect: Dialect = AS_IT_LOOKS, as_written: AsWritten | None = None
) -> pa.Table:
    """Every column of a table file, by the suffix of its name; TableError if it is not one.

    Of text files the columns that `as_written` picks stay text, whatever they look like.
    """
    kind, _ = suffix(path)
    refuse_unreadable(path)
    try:
        if kind in TEXT_SUFFIXES:
            frame = read_delimited(path, TEXT_SUFFIXES[kind], dialect, as_written)
        elif kind in WORKBOOK_SUFFIXES:
            frame = Workbook(path, dialect.sheet).frame
        else:
            frame = columnar.read(path)
    except pa.ArrowException as error:
        what = columnar.NAMES.get(kind, "a table")
        raise TableError(f"{path}: this is not {what} that can be read ({error})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    _refuse_bad_frame(frame, path)
    return frame


def names_in(path: str | Path, dialect: Dialect) -> tuple[str, ...]:
    """The column names of a text file, by its first lines; TableError if it is not one."""
    refuse_unreadable(path)
    return sniff(path, TEXT_SUFFIXES[suffix(path)[0]], dialect).names


def remarks(path: str | Path, dialect: Dialect = AS_IT_LOOKS) -> tuple[str, ...]:
    """What was understood of a readable table that may have been meant otherwise."""
    if os.path.isdir(path) or str(path).lower().endswith(".npy"):
        return ()
    kind, _ = suffix(path)
    if kind in WORKBOOK_SUFFIXES:
        return Workbook(path, dialect.sheet).remarks
    return sniff(path, TEXT_SUFFIXES[kind], dialect).remarks if kind in TEXT_SUFFIXES else ()


def is_text_file(path: str | Path) -> bool:
    """Whether a table's file is delimited text, which says of no value what it is."""
    return suffix(path)[0] in TEXT_SUFFIXES


def writable_suffix(path: str | Path) -> tuple[str, str | None]:
    """(suffix, compression) of a table about to be written; TableError if it cannot be."""
    kind, compression = suffix(path)
    if kind in WORKBOOK_SUFFIXES:
        raise TableError(f"{path}: {kind} files are only read: write .csv or .parquet")
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
    if last in TEXT_SUFFIXES or last in columnar.NAMES or last in WORKBOOK_SUFFIXES:
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
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise TableError(
            f"{path}: this is not a regular file, and a table is read more than once: give it on "
            "standard input, as the table -"
        )
    if os.path.getsize(path) == 0:
        raise TableError(f"{path}: the file is empty")


def no_rows(path: str | Path, names: Iterable[str]) -> TableError:
    """The refusal of a table that is a header alone."""
    return TableError(f"{path}: there are no rows below the header ({', '.join(names)})")


def _refuse_bad_frame(frame: pa.Table, path: str | Path) -> None:
    names = frame.column_names
    refuse_equal_names(names, path)
    if frame.num_rows == 0:
        raise no_rows(path, names)
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
