"""A mixture of Gaussian form as plain arrays, for other programs to work out."""

from __future__ import annotations

from dataclasses import dataclass

from mixtura.records import Array


@dataclass(frozen=True)
class Quadratics:
    """log p(x, k) = constants_k - 1/2 |W_k (x - m_k)|^2, for each component k.

    constants  (K,)  log pi_k + log det W_k - d/2 log 2 pi; of a posterior their expectations; -inf
               for a component that no row may belong to
    means      (K, d)  m_k, in the columns' units
    whiten     (K, d, d) or, for all, (1, d, d): W_k, lower triangular, the inverse of the Cholesky
               factor of the covariance; (K, d) or (K, 1) where columns do not correlate
    columns    their names
    """

    constants: Array
    means: Array
    whiten: Array
    columns: tuple[str, ...]
