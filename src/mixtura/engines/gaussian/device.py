"""The sweep of a Gaussian mixture in PyTorch: on a GPU where there is one, else on the CPU.

Rows go block by block, so that of no table an (n, K) array is kept; arithmetic and sums are in
float64, whatever the table's precision. What is no plain E-step runs in NumPy, as in "threads".
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.base import RowOutputs, chunk_slices
from mixtura.engines.local import added, fill_chunk, stepped
from mixtura.engines.threads import ThreadsSweep
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Chunk, Summary

# Numbers of a block's residuals, n x K x d: on a CPU they are to stay in the cache, on a GPU 64 MB
# keep it busy.
_BLOCK_NUMBERS = {"cpu": 1 << 17, "cuda": 1 << 23}
_LEAST_ROWS = 64


class TorchSweep(ThreadsSweep):
    """The pass of a Gaussian mixture, in tensors."""

    engine = "torch"

    @cached_property
    def table(self) -> Any:
        """The rows where they are swept; None where they only pass by."""
        return _tensor(self.rows.X) if isinstance(self.rows, Rows) else None

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        mixture = _Tensors(params)
        return added(
            self._block(chunk, params, mixture) for chunk in self.rows.chunks(mixture.block_rows)
        )

    def _block(self, chunk: Chunk, params: MixtureParams, mixture: _Tensors) -> Summary:
        x = _tensor(chunk.X) if self.table is None else self.table[chunk.where]
        w = None if chunk.weight is None else _tensor(chunk.weight)
        if w is not None:
            x, w = x[w > 0], w[w > 0]
        y, density = mixture.look(x.double())
        joint = density + mixture.log_weights
        log_p = joint.logsumexp(dim=0)
        if not log_p.isfinite().all():
            return stepped(lambda rows: self.model.e_step(rows, params), chunk)
        resp = (joint - log_p).exp_()
        if w is not None:
            resp *= w
            log_p = log_p * w
        weight = len(x) if w is None else w.sum()
        sums = resp.sum(dim=1), (resp[:, None, :] @ y)[:, 0], mixture.second(y, resp)
        statistics = GaussianStatistics(*(each.cpu().numpy() for each in sums))
        return Summary(float(log_p.sum()), float(weight), statistics)


class _Tensors:
    """A mixture on the device, with rows in the second axis: (K, n) and (K, n, d)."""

    def __init__(self, params: MixtureParams) -> None:
        parts = params.components
        self.form = parts.form
        whiten = parts.whiten[None] if self.form.shared else parts.whiten
        if not self.form.correlates:
            whiten = self.form.pivots(whiten)[:, None, :]
        self.means, self.whiten = _tensor(parts.means)[:, None, :], _tensor(whiten)
        self.log_weights = _tensor(params.log_weights)[:, None]
        self.log_norm = _tensor(parts.log_norm)[:, None]
        numbers = _BLOCK_NUMBERS[self.means.device.type]
        self.block_rows = max(numbers // parts.means.size, _LEAST_ROWS)

    def look(self, x: Any) -> tuple[Any, Any]:
        """Whitened residuals (K, n, d), and log p(x_i | k), (K, n)."""
        near = x - self.means
        y = near @ self.whiten.mT if self.form.correlates else near.mul_(self.whiten)
        return y, self.log_norm - 0.5 * (y * y).sum(dim=2)

    def second(self, y: Any, resp: Any) -> Any:
        """sum_i r_ik y_ik y_ik' in the form's shape."""
        weighed = resp[:, :, None] * y
        if self.form.shared:
            return weighed.flatten(0, 1).mT @ y.flatten(0, 1)
        if self.form.correlates:
            return weighed.mT @ y
        squares = (weighed * y).sum(dim=1)
        return squares.sum(dim=1) if self.form.name == "spherical" else squares


def fill(model: Mixture, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""
    mixture = _Tensors(params)
    for rows in chunk_slices(len(X), mixture.block_rows):
        part = out.part(rows)
        density = mixture.look(_tensor(X[rows]).double())[1]
        joint = density + mixture.log_weights
        log_p = joint.logsumexp(dim=0)
        if not log_p.isfinite().all():
            fill_chunk(model, np.asarray(X[rows], dtype=np.float64), params, part)
            continue
        if part.component_log_density is not None:
            part.component_log_density[:] = density.T.cpu().numpy()
        if part.labels is not None:
            part.labels[:] = joint.argmax(dim=0).cpu().numpy()
        if part.log_density is not None:
            part.log_density[:] = log_p.cpu().numpy()
        if part.responsibilities is not None:
            part.responsibilities[:] = (joint - log_p).exp().T.cpu().numpy()


def _tensor(array: AnyArray) -> Any:
    """The array on the device; on a CPU the same memory where it may be written."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)
