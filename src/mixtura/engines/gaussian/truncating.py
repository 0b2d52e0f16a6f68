"""The truncated E-step in the kernels: rows that keep few components; see `solvers.truncated`."""

from __future__ import annotations

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.base import chunk_slices
from mixtura.engines.gaussian import pruned
from mixtura.engines.gaussian.pruning import chunk_size, find_neighbours
from mixtura.engines.threads import ordered_map
from mixtura.families.gaussian.forms import Name
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.truncated import TruncatedStep
from mixtura.records import Summary


def truncated_pass(rows: Rows, step: TruncatedStep, form: Name) -> tuple[Summary, pruned.Labels]:
    """The summary, and which components each row keeps (n, keep); `step` is not changed.

    Neighbours of a component are the `step.search` whose responsibilities fall off last with the
    distance from it (`native/near.h`), worked out from the parameters. Without `step.kept` every
    component is looked at.
    """
    params: MixtureParams = step.params
    n, K = len(rows.X), len(params.weights)
    near = None if step.kept is None else find_neighbours(params, form, step.search)
    now = np.zeros((n, step.keep), np.int32) if step.kept is None else step.kept.copy()
    w, c = rows.sample_weight, params.components

    def part(where: slice) -> Summary:
        loglik, counts, first, second, _ = pruned.gaussian_truncated(
            rows.X[where],
            None if w is None else w[where],
            params.log_weights,
            c.means,
            c.whiten,
            c.log_norm,
            form,
            now[where],
            near,
        )
        return Summary(loglik, 0.0, GaussianStatistics(counts, first, second))

    total: Summary | None = None
    for summary in ordered_map(part, chunk_slices(n, chunk_size(n, K))):
        total = summary if total is None else total + summary
    assert total is not None
    return Summary(total.loglik, rows.weight, total.statistics), now
