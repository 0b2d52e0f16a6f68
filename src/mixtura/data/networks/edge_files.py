"""Files of edges: their two columns of nodes, and whether their first line is an edge."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.columns import is_text
from mixtura.data.dialect import Dialect
from mixtura.data.files import is_text_file, names_in, read_frame
from mixtura.data.networks.attributed import is_attributed, read_attributed
from mixtura.data.networks.network import NetworkError
from mixtura.data.numerals import is_numeral

# Names under which the two ends of an edge are looked for, in this order.
ENDS = (("source", "target"), ("from", "to"), ("node1", "node2"), ("i", "j"))


def read_edges(
    path: str | Path, dialect: Dialect, ends: tuple[str, ...] | None, weight: str | None
) -> pa.Table:
    """Every column of a file of edges; in text files names of nodes stay as they are written.

    Text with one column of names and blanks in it is cut at these, as NetworkX writes edges; lines
    that end in a dictionary are `attributed`'s. A first line of which a name is that of the other
    column or of a node further down, or a number, is an edge, and columns are called x1, x2, ...;
    not where `ends` or `weight` name these columns, or they are `ENDS`.
    """
    place = str(path)

    def nodes(columns: list[str]) -> list[str]:
        with suppress(NetworkError):
            return list(ends_of(columns, ends, place))
        # Which of them, is to be asked once it is known whether they are names.
        return columns

    if not is_text_file(path):
        return read_frame(path, dialect, nodes)
    names = names_in(path, dialect)
    if is_attributed(path, dialect.comment):
        return read_attributed(path, dialect, weight)
    if len(names) == 1 and dialect.sep is None and len(names[0].split()) > 1:
        dialect = replace(dialect, sep=" ")
        names = names_in(path, dialect)
    headless = replace(dialect, headless=True)
    if names[:1] == names[1:2]:
        whole = read_frame(path, headless, nodes)
        if {*(ends or ()), weight} & {*names} or _heads_numbers(whole):
            raise NetworkError(
                f"{path}: two columns are called {names[0]!r}: give each a name of its own"
            )
        return whole
    frame = read_frame(path, dialect, nodes)
    if {*(ends or ()), weight} & {*names} or _known(list(names)) or not _is_edge(frame):
        return frame
    whole = read_frame(path, headless, nodes)
    return frame if _is_worded(frame, whole) else whole


def _is_edge(frame: pa.Table) -> bool:
    """Whether the names of the first two columns are nodes of these."""
    names = frame.column_names[:2]
    columns = [pc.utf8_trim_whitespace(frame[name]) for name in names]
    return any(
        is_numeral(name) or any(pc.any(pc.equal(each, name)).as_py() for each in columns)
        for name in names
    )


def _heads_numbers(whole: pa.Table) -> bool:
    """Whether a word stands above nodes that are all numbers."""
    first, *rest = whole.columns[0].combine_chunks().cast(pa.string()).to_pylist()
    return bool(rest) and not is_numeral(first) and all(map(is_numeral, {*rest} - {None}))


def _is_worded(frame: pa.Table, whole: pa.Table) -> bool:
    """Whether a column of numbers is text once the first line is one of its rows."""
    return any(
        is_text(row.type) and not is_text(column.type)
        for row, column in zip(whole.columns, frame.columns, strict=True)
    )


def _known(columns: list[str]) -> tuple[str, str] | None:
    """The columns of nodes that are called as such."""
    lower = {name.lower(): name for name in columns}
    for one, other in ENDS:
        if one in lower and other in lower:
            return lower[one], lower[other]
    return None


def are_known(columns: list[str]) -> bool:
    """Whether two columns are called as columns of nodes are."""
    return _known([name for name in columns if isinstance(name, str)]) is not None


def ends_of(columns: list[str], asked: tuple[str, ...] | None, place: str) -> tuple[str, str]:
    """The columns that hold the nodes of an edge."""
    unnamed = [name for name in columns if not isinstance(name, str)]
    if unnamed:
        raise NetworkError(
            f"{place}: a frame is an edge list with named columns, and this has a column "
            f"{unnamed[0]!r}: give an adjacency matrix as an array (frame.to_numpy()), or name the "
            "columns source and target"
        )
    if asked is not None:
        unknown = [name for name in asked if name not in columns]
        if len(asked) != 2 or unknown:
            found = ",".join(str(name) for name in asked)
            raise NetworkError(
                f"{place}: ends={found} are to be two columns of {', '.join(columns)}"
            )
        return asked[0], asked[1]
    known = _known(columns)
    if known is not None:
        return known
    if len(columns) < 2:
        raise NetworkError(
            f"{place}: an edge list has two columns of nodes, and this has {columns}"
        )
    if len(columns) > 3:
        raise NetworkError(
            f"{place}: which of the columns {', '.join(columns)} hold the two nodes of an "
            f"edge? Say "
            "so (ends), or call them source and target"
        )
    return columns[0], columns[1]
