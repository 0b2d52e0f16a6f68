"""Each row under the Gaussians that the M-step makes without it, in closed form.

With n_k rows in all, r of them the row's own share, m = n_k - r, and a penalty of 2a rows more, the
mean moves to m_k - (r / m) y, y = x - m_k, and the covariance to
((n_k + 2a) C - (r n_k / m) y y') / (m + 2a). Of its determinant and inverse (Sherman & Morrison
1950, Annals of Mathematical Statistics 21) the squared distance q = y' C^-1 y is all that is
needed. A variance that is added (reg_covar) is taken for the rows' own. Leaving out: Stone (1974),
Cross-validatory choice, J. Royal Statistical Society B 36.
"""

from __future__ import annotations

import numpy as np

from mixtura.records import Array


def left_out(density: Array, apart: Array, cells: Array, taken: Array, rows: Array) -> Array:
    """log p(x_i | k) without the row; -inf where it alone spans a direction of its component.

    density  log p(x_i | k) with it, (n, K); apart (n, K) the squared distances q of which
    cells    (n,) numbers of the row that vary are what the density is of
    taken    its shares r, (n, K)
    rows     (2, K): n_k, and with the rows that a penalty stands for
    """
    own, all_ = rows
    left = own - taken
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        wider = all_ / (all_ - taken)
        shrunk = 1.0 - taken * own / (left * all_) * apart
        farther = (own / left) ** 2 / (wider * shrunk) - 1.0
        found = density - 0.5 * (apart * farther + np.log(shrunk))
        found -= 0.5 * cells[:, None] * np.log(wider)
        return np.where((left > 0) & (shrunk > 0), found, -np.inf)
