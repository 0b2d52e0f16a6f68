"""Chains of Gaussian states whose steps may miss cells: densities and sums of rows in C."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.chain import ChainSweep
from mixtura.engines.gaussian.compiled import Passed
from mixtura.engines.gaussian.gaps import Groups, gaps_pass
from mixtura.engines.stays import StaySweep
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.gaps import GapsLook
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class CompiledGapsLook(GapsLook):
    """`GapsLook` by the kernel of mixtures, which a row's weight in one state is a weight to."""

    @cached_property
    def _groups(self) -> Groups:
        kinds = self.kinds
        rows = np.asarray(self.X, dtype=np.float64)[kinds.order]
        seen = np.ascontiguousarray(kinds.seen, dtype=np.uint8)
        many = np.array([own.stop - own.start for own in kinds.slices], dtype=np.int64)
        return Groups(rows[~np.isnan(rows)], None, seen, many)

    @cached_property
    def log_density(self) -> Array:
        """log p of what is there of each row, (n, K)."""
        found = np.empty((len(self.X), len(self.params.means)))
        out = np.empty_like(found)
        even = Passed(np.zeros(found.shape[1]), *_arrays(self.params))
        gaps_pass(self._groups, even, self.params.root, RowOutputs(component_log_density=found))
        out[self.kinds.order] = found
        return out

    def statistics(self, resp: Array, left_resp: Array | None = None) -> GaussianStatistics:
        """The expected sums at these responsibilities."""
        if left_resp is not None:
            return super().statistics(resp, left_resp)
        g, sums = self.params, []
        for k, r in enumerate(resp[self.kinds.order].T):
            one = _alone(g, k)
            groups = replace(self._groups, weight=np.ascontiguousarray(r))
            # In a mixture of one its rows are all its own.
            found = gaps_pass(groups, Passed(np.zeros(1), *_arrays(one)), one.root)
            assert found is not None
            sums.append(found[1:])
        counts, first, second = zip(*sums, strict=True)
        seconds = [each if g.form.shared else each[0] for each in second]
        return GaussianStatistics(
            np.concatenate(counts), np.concatenate(first), g.form.gather(seconds)
        )


def _arrays(params: GaussianParams) -> tuple[Any, ...]:
    return params.means, params.whiten, params.log_norm, params.form.name


def _alone(params: GaussianParams, k: int) -> GaussianParams:
    """One of the components, in the same form."""
    own, g = slice(k, k + 1), params
    root, whiten = (g.root, g.whiten) if g.form.shared else (g.root[own], g.whiten[own])
    return replace(g, means=g.means[own], root=root, whiten=whiten, log_norm=g.log_norm[own])


class _InC(Gaussian):
    """The family, its looks at rows with gaps in C."""

    def look(self, X: AnyArray, params: GaussianParams) -> CompiledGapsLook:
        return CompiledGapsLook(X, params)


def _in_c(model: HiddenMarkov) -> HiddenMarkov:
    kind: Any = model.family
    own = {each.name: getattr(kind, each.name) for each in fields(kind)}
    return replace(model, family=_InC(**own))


class GapsChainSweep(ChainSweep):
    """`ChainSweep` of Gaussian states whose steps may miss cells."""

    def __init__(self, model: HiddenMarkov, rows: Source) -> None:
        super().__init__(_in_c(model), rows)


class GapsStaySweep(StaySweep):
    """The same where states last by a law of their own."""

    def __init__(self, model: HiddenMarkov, rows: Source) -> None:
        super().__init__(_in_c(model), rows)
