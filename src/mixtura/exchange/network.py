"""A mixture as a module of PyTorch: the log-density, differentiable in parameters and rows."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mixtura.exchange.quadratics import Quadratics


class MixtureDensity(nn.Module):  # type: ignore[misc]
    """log p(x) of a Gaussian mixture, whose parameters are free numbers around where it began.

    With m0_k and L0_k the means and lower Cholesky factors of the covariances it was made of,
    m_k = m0_k + L0_k u_k and L_k = L0_k C_k, C_k lower triangular with exp(s_k) on its diagonal:
    covariances are positive definite whatever the numbers, and a step of an optimiser means the
    same in every unit of the columns. These are the free coordinates of `GaussianMixture`'s own
    solvers, but for the scale of each.

    Parameters
    ----------
    logits : (K,)
        The weights are their softmax.
    shifts : (K, d)
        u, in standard deviations.
    log_scales : (K, d); (1, d) of tied covariances, (K, 1) of spherical ones
        s.
    below : (K or 1, d (d - 1) / 2), where columns correlate
        What stands below the diagonal of C, row by row.
    """

    def __init__(self, mixture: Quadratics) -> None:
        super().__init__()
        means, whiten = torch.tensor(mixture.means), torch.tensor(mixture.whiten)
        K, d = means.shape
        self.correlated = whiten.ndim == 3
        pivots = whiten.diagonal(dim1=1, dim2=2) if self.correlated else whiten
        root = torch.linalg.inv(whiten) if self.correlated else 1.0 / whiten
        log_norm = pivots.log().expand(-1, d).sum(dim=1) - 0.5 * d * math.log(2 * math.pi)
        for name, value in (
            ("first_means", means),
            ("first_root", root),
            ("first_whiten", whiten),
            ("log_norm", log_norm.expand(K).clone()),
        ):
            self.register_buffer(name, value)
        self.logits = nn.Parameter(torch.tensor(mixture.constants) - self.log_norm)
        self.shifts = nn.Parameter(torch.zeros_like(means))
        self.log_scales = nn.Parameter(torch.zeros_like(pivots))
        if self.correlated:
            below = torch.zeros(len(whiten), d * (d - 1) // 2, dtype=whiten.dtype)
            self.below = nn.Parameter(below)

    def forward(self, X: Tensor) -> Tensor:
        """log p(x), (n,), of rows (n, d); in natural logarithms and the inverse units of X."""
        return torch.logsumexp(self.log_joint(X), dim=1)

    def log_joint(self, X: Tensor) -> Tensor:
        """log p(x, k), (n, K); its softmax are the responsibilities."""
        d = self.first_means.shape[1]
        near = X - self.first_means[:, None, :]
        if self.correlated:
            inner = self._inner()
            back = torch.linalg.solve_triangular(inner, torch.eye(d).to(inner), upper=False)
            y = (near @ self.first_whiten.mT - self.shifts[:, None, :]) @ back.mT
        else:
            y = near * self.first_whiten[:, None, :] - self.shifts[:, None, :]
            y = y * (-self.log_scales).exp()[:, None, :]
        logs = torch.log_softmax(self.logits, dim=0) + self.log_norm
        logs = logs - self.log_scales.expand(-1, d).sum(dim=1)
        return (logs[:, None] - 0.5 * (y * y).sum(dim=2)).T

    @property
    def weights(self) -> Tensor:
        """(K,), on the simplex."""
        return torch.softmax(self.logits, dim=0)

    @property
    def means(self) -> Tensor:
        """(K, d), in the columns' units."""
        if self.correlated:
            return self.first_means + (self.first_root @ self.shifts[:, :, None])[:, :, 0]
        return self.first_means + self.first_root * self.shifts

    @property
    def covariances(self) -> Tensor:
        """(K, d, d), or (1, d, d) where they are tied; diagonal where columns do not correlate."""
        if self.correlated:
            root = self.first_root @ self._inner()
            return root @ root.mT
        spread = self.first_root * self.log_scales.exp()
        return torch.diag_embed(spread.expand(self.first_means.shape) ** 2)

    def _inner(self) -> Tensor:
        d = self.first_means.shape[1]
        rows, columns = torch.tril_indices(d, d, offset=-1)
        inner = torch.diag_embed(self.log_scales.exp())
        return inner.index_put(
            (torch.arange(len(inner))[:, None], rows[None], columns[None]), self.below
        )


def network(mixture: Quadratics) -> Any:
    """The module that begins as this mixture, in float64."""
    return MixtureDensity(mixture)
