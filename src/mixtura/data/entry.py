"""What a caller hands over as a table, checked and made a source: any container, any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from mixtura.data import door
from mixtura.data.opening import is_stream, loaded, stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.records import Weights


def admitted(data: Any, sample_weight: Weights = None, *, gaps: bool = False) -> Source:
    """The rows of a table, of one column where it has one dimension.

    `gaps` says whether missing cells (NaN) may pass. ValueError for what holds no finite numbers,
    and for weights that are negative or all zero.
    """
    if is_stream(data):
        return loaded(stream(data, sample_weight=sample_weight))
    door.refuse_unfit(data, "data")
    X = check_array(
        data,
        dtype=[np.float64, np.float32],
        order="C",
        ensure_2d=False,
        ensure_all_finite="allow-nan" if gaps else True,
        input_name="data",
    )
    if X.ndim == 1:
        X = X[:, None]
    if sample_weight is None:
        return Rows(X)
    weights = door.row_weights(sample_weight, X)
    door.check_weights(weights, 1)
    return Rows(X, weights)
