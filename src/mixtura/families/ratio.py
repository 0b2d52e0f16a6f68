"""How far apart the eigenvalues of covariances may be: what is asked of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from mixtura.data.refusal import truth


@dataclass(frozen=True)
class EigenvalueRatio:
    """The most that eigenvalues of the components' covariances may be apart.

    Parameters
    ----------
    c : float, at least 1, default 12
        Largest over smallest eigenvalue, of all components together; 1 makes all of them equal
        spheres. 12 is the default of R's tclust.
    scale : bool, default True
        For "full" and "tied" eigenvalues are those in the units that make the table's scatter
        the identity: that of a multivariate t with 3 degrees of freedom, which rows far out do not
        set, but the covariance where more than 2 % of the rows are very far out. For "diag" each
        column's variance is the unit. So no unit of a column matters. For "spherical", one
        variance per component, units are the table's and `scale` changes nothing. False: the
        table's units for all types, as in TCLUST.

    Raises
    ------
    ValueError
        For a c that is no number, below 1 or not finite, and a scale that is no bool.
    """

    c: float = 12.0
    scale: bool = True

    def __post_init__(self) -> None:
        number = isinstance(self.c, Real) and not isinstance(self.c, bool | np.bool_)
        if not number or not 1.0 <= self.c < np.inf:
            raise ValueError(
                f"EigenvalueRatio: c must be a number, at least 1 and finite, got {self.c!r}"
            )
        truth("EigenvalueRatio: scale", self.scale)
