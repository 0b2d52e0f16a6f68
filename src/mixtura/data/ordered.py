"""Tables that hold sequences by a column: where each one ends, and that time goes on in it."""

from __future__ import annotations

from typing import Any

from mixtura.data.framed import framed
from mixtura.data.lazy import collected, is_dask
from mixtura.data.order import Order, cells, lengths_of, refuse_unknown
from mixtura.records import AnyArray


def in_sequences(
    X: Any, *, sequence: str | None = None, time: str | None = None
) -> tuple[Any, AnyArray]:
    """A data frame without the columns that order it, and the length of each sequence.

    Of a Dask frame whole sequences lie in each partition, and the rows stay there.

    Parameters
    ----------
    X : data frame (pandas, Polars, PyArrow, Dask, ...) of n rows
    sequence : str, optional
        The column that tells sequences apart, numbers or text. Default: all rows are one.
    time : str, optional
        A column of numbers or dates that must rise from row to row of a sequence. It is checked
        and then left out: a step is a row, however long the time to the next.

    Returns
    -------
    (data frame, integer array of shape (n_sequences,))
        For `X` and `lengths` of everything that hidden Markov models are asked.

    Raises
    ------
    ValueError
        For columns that are not there, a table without rows, a sequence that goes on after
        another began, a row without sequence or time, and a time that does not rise.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixtura import in_sequences
    >>> table = pd.DataFrame({"id": [1, 1, 1, 2, 2], "t": [0, 1, 2, 0, 1], "x": [3, 1, 4, 1, 5]})
    >>> X, lengths = in_sequences(table, sequence="id", time="t")
    >>> list(X.columns), lengths.tolist()
    (['x'], [3, 2])
    """
    if is_dask(X):
        from mixtura.data.dask_sequences import in_partitions

        return in_partitions(X, sequence, time)
    X = collected(X)
    frame = framed(X)
    if frame is None:
        raise ValueError(
            f"X must be a data frame, got {type(X).__name__}: of an array give `lengths` themselves"
        )
    asked = {"sequence": sequence, "time": time}
    named = refuse_unknown(asked, frame.columns)
    if not len(frame):
        raise ValueError("X has no rows")
    columns = [None if name is None else cells(frame[name]) for name in asked.values()]
    return frame.drop(named).to_native(), lengths_of(Order(*columns), len(frame))
