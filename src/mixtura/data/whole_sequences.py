"""A table that is read piece by piece, cut again where sequences end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from mixtura.records import AnyArray

# Numbers of a part, about: 8 MB of them.
PART = 1 << 20


def whole_sequences(
    pieces: Iterator[tuple[pa.Table, pa.Table]], ids: Callable[[pa.Table], AnyArray]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The same pairs of tables with the same rows, in parts of whole sequences.

    `ids` gives the column that tells sequences apart, of the first of a pair. What is in memory is
    one part, and the sequence that goes on behind it.
    """
    held: list[tuple[pa.Table, pa.Table]] = []
    rows, least = 0, 0
    for piece in pieces:
        held.append(piece)
        rows += piece[0].num_rows
        least = least or max(PART // max(piece[1].num_columns, 1), 1)
        if rows < least:
            continue
        one, other = _joined(held)
        told = ids(one)
        changes = np.flatnonzero(told[1:] != told[:-1])
        if not len(changes):
            # One sequence so far: looked at again when there is twice as much.
            held, least = [(one, other)], 2 * rows
            continue
        cut = int(changes[-1]) + 1
        yield one.slice(0, cut), other.slice(0, cut)
        held, rows, least = [(one.slice(cut), other.slice(cut))], rows - cut, 0
    if held:
        yield _joined(held)


def _joined(held: list[tuple[pa.Table, pa.Table]]) -> tuple[pa.Table, pa.Table]:
    one, other = (pa.concat_tables(each) for each in zip(*held, strict=True))
    return one, other
