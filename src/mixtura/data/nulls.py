"""Cells that only a table's own type knows to be missing, which NumPy would not read as such."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from mixtura.data.columns import is_number, kind_of, plain
from mixtura.data.exact import is_na
from mixtura.data.framed import framed
from mixtura.records import AnyArray


def as_nan(X: Any, gaps: bool) -> Any:
    """The table with masked cells as NaN, where `gaps` says that cells may be missing, and pandas's
    NA among objects too; and with Arrow's dictionaries of numbers decoded, whose nulls NumPy would
    take for their last entry."""
    if gaps and isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "iuf":
        floats = np.ma.getdata(X).astype(np.result_type(X.dtype, np.float32))
        floats[np.ma.getmaskarray(X)] = np.nan
        return floats
    if isinstance(X, pa.Table | pa.RecordBatch):
        for j, field in enumerate(X.schema):
            if pa.types.is_dictionary(field.type) and is_number(kind_of(X, field.name)):
                X = X.set_column(j, field.name, plain(X, field.name))
        return X
    if isinstance(X, np.ndarray):
        return _known(X.ravel().tolist()).reshape(X.shape) if _holds_na(X) else X
    frame = framed(X)
    if frame is None:
        return X
    # What holds nothing else pandas takes for text.
    odd = [
        column
        for column in frame.iter_columns()
        if column.dtype == nw.Object
        or (column.dtype == nw.String and column.null_count() == len(column))
    ]
    new = {c.name: _known(c.to_list()) for c in odd if _holds_na(c.to_numpy())}
    series = [nw.new_series(n, v, backend=frame.implementation) for n, v in new.items()]
    return frame.with_columns(*series).to_native() if series else X


def _holds_na(values: AnyArray) -> bool:
    return values.dtype == object and any(is_na(value) for value in values.flat)


def _known(values: list[Any]) -> AnyArray:
    out = np.empty(len(values), dtype=object)
    out[:] = [np.nan if is_na(value) else value for value in values]
    return out
