"""Tables of any size, answered row by row: read, answered and written piece by piece.

What is wrong with a table may stand in its last row, so answers go to standard output when there
is one for every row; until then they wait in a temporary file.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, TYPE_CHECKING, Any

from mixtura.cli.reading import is_long
from mixtura.cli.streams import abandon, reason, writing_stdout
from mixtura.cli.working import Working
from mixtura.printable import printable_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from mixtura.data.categories import Wanted
    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.data.writing import Put
    from mixtura.records import AnyArray

# Pieces read ahead of the one that is answered.
_AHEAD = 2
# Bytes of text for standard output that wait in memory.
_HELD = 1 << 24
# The new columns, by name, of some rows, of which so many are above.
Answer = Callable[["Table", int], Mapping[str, "AnyArray"]]


def pieces(
    mixture: Any,
    path: Path,
    columns: list[str] | None,
    weights: str | None,
    working: Working,
    dialect: Dialect,
    *,
    out: Path | None = None,
    whole: bool = True,
    beside: Sequence[str] = (),
) -> Generator[Table, None, None]:
    """The rows of a table, with the columns that a mixture was fitted to; tells the pace.

    They are found by name, or by position without names. `columns` says which they are, in the
    mixture's order, whatever they are called. `frame` has all columns, as `out` (None is text) is
    to have them; if not `whole`, only what is asked for. The columns `beside` follow those of the
    mixture. TableError at once where there is no table.
    """
    from mixtura.data.kept import about_rows, kept_pieces
    from mixtura.data.opening import refuse_no_table
    from mixtura.data.readahead import read_ahead
    from mixtura.data.tables import TableError
    from mixtura.estimators.opened import wanted

    refuse_no_table(path)
    told = working.paced(about_rows(path), None)

    def choose(frame: pa.Table) -> list[str]:
        lacking = [name for name in beside if name not in frame.column_names]
        if lacking:
            has = _listed(frame.column_names)
            raise TableError(f"{path}: there is no column {lacking[0]!r}; the table has {has}")
        return [*chosen(mixture, frame, path, columns, [weights, *beside]), *beside]

    held = wanted([mixture.fitted_family()]).followed(len(beside))
    if whole:
        found = _kept(path, choose, out, dialect, held)
    else:
        found = kept_pieces(path, choose, weights, whole=False, dialect=dialect, wanted=held)

    def read() -> Generator[Table, None, None]:
        done = 0
        with closing(read_ahead(found, _AHEAD)) as tables:  # type: ignore[type-var]
            for table in tables:
                done += len(table.X)
                told(done)
                yield table

    return read()


def append(
    tables: Generator[Table, None, None], answer: Answer, width: int, path: Path, out: Path | None
) -> None:
    """Write the rows of tables read from `path`, with the `width` new columns of their answers."""
    from mixtura.data.columnar import piece_rows
    from mixtura.data.tables import append_columns

    done = 0
    # What cannot be written ends the reading too: a reader left waiting would never let us go.
    with _put(out, whole=True) as put, closing(tables):
        for table in tables:
            rows = piece_rows(table.frame.num_columns + width)
            for start in range(0, len(table.X), rows):
                frame = table.frame.slice(start, rows)
                piece = replace(table, X=table.X[start : start + rows], frame=frame)
                with rows_above(done + start):
                    new = answer(piece, done + start)
                put(append_columns(frame, new, path))
            done += len(table.X)


@contextmanager
def rows_above(first: int) -> Iterator[None]:
    """What is refused of a piece of a table, named by the row of the table: `first` are above."""
    from mixtura.families.domain import BadRow

    try:
        yield
    except BadRow as bad:
        raise bad.behind(first) from None


def put_table(frames: Iterator[pa.Table], out: Path | None, *, whole: bool) -> None:
    """Write a table that comes in pieces to a file, or as CSV to stdout: `whole` or not at all."""
    with _put(out, whole) as put:
        for frame in frames:
            put(frame)


def on_screen(out: Path | None) -> bool:
    """Whether a table without a file scrolls by where a progress line would be."""
    return out is None and sys.stdout.isatty()


def _put(out: Path | None, whole: bool) -> AbstractContextManager[Put]:
    from mixtura.data.writing import writing

    return _to_stdout(whole) if out is None else writing(out)


@contextmanager
def _to_stdout(whole: bool) -> Iterator[Put]:
    """Rows as CSV on stdout, where errors of writing name it."""
    from mixtura.data.writing import delimited_alike

    sys.stdout.flush()
    with SpooledTemporaryFile(_HELD) as waiting:
        stream = _Waiting(waiting) if whole else _Printable()
        with delimited_alike(stream, "standard output") as put:
            yield put
        with _in_file():
            waiting.seek(0)
        # Not after an error: a broken pipe would hide it.
        with writing_stdout():
            shutil.copyfileobj(waiting, sys.stdout.buffer)
            sys.stdout.buffer.flush()


class _Printable:
    """Standard output for rows whose cells may hold anything."""

    def write(self, text: Any) -> None:
        """Write UTF-8 text, controls in it spelt out."""
        try:
            sys.stdout.buffer.write(printable_rows(text))
        except OSError as error:
            abandon("stdout")
            raise OSError(reason(error)) from None


@dataclass(frozen=True)
class _Waiting:
    """What standard output is to have, in a temporary file."""

    file: IO[bytes]

    def write(self, text: Any) -> None:
        """Write UTF-8 text, controls in it spelt out."""
        with _in_file():
            self.file.write(printable_rows(text))


@contextmanager
def _in_file() -> Iterator[None]:
    """Errors of the temporary file name where it is."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{reason(error)}, in {gettempdir()}, where rows wait for the last one: use --out"
        ) from None


def _kept(
    path: Path,
    choose: Callable[[pa.Table], list[str]],
    out: Path | None,
    dialect: Dialect,
    wanted: Wanted,
) -> Iterator[Table]:
    from mixtura.data.files import TEXT_SUFFIXES, read_frame, suffix
    from mixtura.data.kept import kept_pieces
    from mixtura.data.tables import select

    array = path.suffix.lower() == ".npy"
    text = not (array or path.is_dir()) and suffix(path)[0] in TEXT_SUFFIXES
    as_text = out is None or suffix(out)[0] in TEXT_SUFFIXES
    if text and not as_text and not is_long(path):
        # What is in a column is known when all of it was read.
        frame = read_frame(path, dialect)
        yield select(frame, path, columns=choose(frame), wanted=wanted)
        return
    yield from kept_pieces(path, choose, as_text=as_text, dialect=dialect, wanted=wanted)


def chosen(
    mixture: Any,
    frame: pa.Table,
    path: Path,
    columns: list[str] | None,
    others: Sequence[str | None],
) -> list[str]:
    """The columns of a table that a mixture was fitted to, none of the `others`; TableError where
    they are not there."""
    from mixtura.data.tables import TableError, numeric_columns

    names, d = columns, mixture.n_features_in_
    if names is None and hasattr(mixture, "feature_names_in_"):
        names = [str(name) for name in mixture.feature_names_in_]
        missing = [name for name in names if name not in frame.column_names]
        if missing:
            raise TableError(
                f"{path}: the model needs {_listed(names)}, and the table lacks "
                f"{_listed(missing)}; it has {_listed(frame.column_names)}: rename them, or say "
                "with --columns which ones to use, in the model's order"
            )
    if names is None:
        names = [name for name in numeric_columns(frame) if name not in others]
    twice = [name for name in names if name in others]
    if twice:
        raise TableError(
            f"{path}: column {twice[0]!r} is one of the model's {d}, {_listed(names)}, and cannot "
            "be of weights or the like too: fit the model without it, or name another column"
        )
    if len(names) != d:
        raise TableError(
            f"{path}: the model has {d} columns, and here are {len(names)} ({_listed(names)}): "
            "choose as many with --columns"
        )
    return names


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
