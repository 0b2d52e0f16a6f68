"""A pass in which rows keep few components: what `solvers.truncated` sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.models.base import Model
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk, Summary


@dataclass
class TruncatedStep:
    """A step for `Sweep.folded`: a row has responsibilities in its `keep` likeliest components.

    The summary's log-likelihood is that of the kept components alone. An engine with a kernel for
    it may look for better components only among the `search` nearest to the best one kept, and
    then writes into `kept` what the next pass is to be given; plainly all are looked at.
    """

    model: Model
    params: Any
    keep: int
    search: int
    kept: Any = None

    def __call__(self, chunk: Chunk) -> Summary:
        return self.model.e_step_with(chunk, self.params, lambda joint: likeliest(joint, self.keep))


def likeliest(joint: Array, keep: int) -> tuple[Array, Array]:
    """(log sum, shares) of the `keep` largest of each row; among equals the first is kept."""
    order = np.argsort(-joint, axis=1, kind="stable")[:, :keep]
    few = np.full_like(joint, -np.inf)
    np.put_along_axis(few, order, np.take_along_axis(joint, order, axis=1), axis=1)
    return normalise(few)
