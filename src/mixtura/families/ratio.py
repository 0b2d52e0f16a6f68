"""How far apart the eigenvalues of covariances may be: what is asked of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np


@dataclass(frozen=True)
class EigenvalueRatio:
    """The most that eigenvalues of the components' covariances may be apart.

    Parameters
    ----------
    c : float, at least 1, default 12
        Largest over smallest eigenvalue, of all components together; 1 makes all of them equal
        spheres. 12 is the default of R's tclust.
    scale : bool, default True
        Eigenvalues are those in the units that make the table's own covariance the identity, so
        that no unit of a column matters (its variances, for covariance types without correlations;
        for one variance per component units matter anyhow). False: in the table's units, as in
        TCLUST.

    Raises
    ------
    ValueError
        For a c that is no number, below 1 or not finite.
    """

    c: float = 12.0
    scale: bool = True

    def __post_init__(self) -> None:
        number = isinstance(self.c, Real) and not isinstance(self.c, bool | np.bool_)
        if not number or not 1.0 <= self.c < np.inf:
            raise ValueError(
                f"EigenvalueRatio: c must be a number, at least 1 and finite, got {self.c!r}"
            )
