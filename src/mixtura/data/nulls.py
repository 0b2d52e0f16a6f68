"""Cells that only a table's own type knows to be missing, which NumPy would read as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from mixtura.data.columns import is_number, kind_of, plain


def as_nan(X: Any, gaps: bool) -> Any:
    """The table with masked cells as NaN, where `gaps` says that cells may be missing; and with
    Arrow's dictionaries of numbers decoded, whose nulls NumPy would take for their last entry."""
    if gaps and isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "iuf":
        floats = np.ma.getdata(X).astype(np.result_type(X.dtype, np.float32))
        floats[np.ma.getmaskarray(X)] = np.nan
        return floats
    if isinstance(X, pa.Table | pa.RecordBatch):
        for j, field in enumerate(X.schema):
            if pa.types.is_dictionary(field.type) and is_number(kind_of(X, field.name)):
                X = X.set_column(j, field.name, plain(X, field.name))
    return X
