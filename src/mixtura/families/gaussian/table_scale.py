"""The default scale of a Wishart prior: the table's covariance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.data.moments import TableMoments
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.held import held_in
from mixtura.records import Array


def table_scale(form: Form, table: TableMoments, names: Sequence[str], other: str = "") -> Array:
    """The covariance with n - 1, in one component's shape; its diagonal where it has no inverse.

    ValueError for a table that has none, which also names the `other` remedy.
    """
    if not table.weight > 1:
        raise ValueError(
            f"sample_weight sums to {table.weight:g}, and a covariance takes more than one row: "
            f"{other or 'use weights that add up to the number of rows'}"
        )
    variance = np.diagonal(table.covariance)
    held = held_in(table.covariance, table.mean, form).columns
    constant = [j for j in held if variance[j] <= 0]
    if constant:
        named = ", ".join(repr(names[j]) for j in constant)
        raise ValueError(
            f"X is constant in column {named}, so its covariance is no prior: leave that out"
            + (f", or {other}" if other else "")
        )
    # Of fewer rows than columns, or of columns that are sums of others, it has no inverse.
    covariance = np.diag(variance) if held and form.correlates else table.covariance
    return np.asarray(form.restrict(covariance) * (table.weight / (table.weight - 1.0)))
