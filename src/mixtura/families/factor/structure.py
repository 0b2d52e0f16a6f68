"""`FactorAnalytic`: covariances of a few factors and noise, for tables of many columns.

Sigma_k = Lambda_k Lambda_k' + Psi_k: q factors say how the columns of a component vary together,
the diagonal Psi_k what each of them does alone. Loadings and noise may be common to all components
and the noise isotropic. That makes the eight parsimonious mixtures of McNicholas & Murphy (2008),
Statistics and Computing 18, whose letters say Constrained or Unconstrained for the loadings, the
noise, and its columns: UUU own loadings and own noise, UCU with common noise (Ghahramani & Hinton
1996), UUC own isotropic noise, which are mixtures of probabilistic principal components (Tipping &
Bishop 1999), CUU common loadings, and so on.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import product
from numbers import Integral

# Loadings, noise and its columns, each Constrained or Unconstrained.
LETTERS = tuple("".join(letters) for letters in product("CU", repeat=3))
_NAME = re.compile(rf"(factor|{'|'.join(LETTERS)}):(\d+)")


@dataclass(frozen=True)
class FactorAnalytic:
    """Covariances of `n_factors` factors and noise: a `covariance_type` of `GaussianMixture`.

    Parameters
    ----------
    n_factors : int
        From 1 to one less than there are columns.
    structure : {"UUU", "UUC", "UCU", "UCC", "CUU", "CUC", "CCU", "CCC"}, default "UUU"
        Three letters, Constrained or Unconstrained: whether components have a common matrix of
        loadings (C) or their own (U), common noise or their own, and noise of the same variance in
        every column or one for each.

    As a string: ``"UUU:10"``, or ``"factor:10"`` for the default letters.

    Raises
    ------
    ValueError
        For a number of factors that is not an integer from 1, or other letters.

    Examples
    --------
    >>> from mixtura import FactorAnalytic, GaussianMixture
    >>> str(FactorAnalytic(10, "UUC"))
    'UUC:10'
    >>> GaussianMixture(3, covariance_type=FactorAnalytic(2))
    GaussianMixture(covariance_type=FactorAnalytic(n_factors=2, structure='UUU'),
                    n_components=3)
    """

    n_factors: int
    structure: str = "UUU"

    def __post_init__(self) -> None:
        q = self.n_factors
        if not isinstance(q, Integral) or isinstance(q, bool) or q < 1:
            raise ValueError(f"n_factors must be an integer from 1, got {q!r}")
        if self.structure not in LETTERS:
            known = ", ".join(reversed(LETTERS))
            raise ValueError(f"structure must be one of {known}, got {self.structure!r}")
        object.__setattr__(self, "n_factors", int(q))

    def __str__(self) -> str:
        return f"{self.structure}:{self.n_factors}"

    @property
    def common_loadings(self) -> bool:
        """Whether one matrix of loadings serves all components."""
        return self.structure[0] == "C"

    @property
    def common_noise(self) -> bool:
        """Whether one noise serves all components."""
        return self.structure[1] == "C"

    @property
    def isotropic(self) -> bool:
        """Whether the noise has the same variance in every column."""
        return self.structure[2] == "C"

    @property
    def words(self) -> str:
        """What the components look like, for reports."""
        q = self.n_factors
        factors = f"{q} factor{'' if q == 1 else 's'}"
        loadings = f"the same {factors} in all groups" if self.common_loadings else f"own {factors}"
        noise = "common" if self.common_noise else "own"
        columns = "the same in every column" if self.isotropic else "one variance per column"
        return f"{loadings} and {noise} noise, {columns}"

    def check_columns(self, d: int) -> None:
        """ValueError unless there are fewer factors than the d columns."""
        if self.n_factors < d:
            return
        factors = f"{self.n_factors} factor{'' if self.n_factors == 1 else 's'}"
        columns = f"{d} column{'' if d == 1 else 's'}"
        instead = "use 'diag'" if d == 1 else "use fewer factors than columns, or 'full'"
        raise ValueError(f"covariance_type={str(self)!r} has {factors} for {columns}: {instead}")

    def noise_shape(self, K: int, d: int) -> tuple[int, int]:
        """The shape in which the noise of K components over d columns is stored."""
        return (1 if self.common_noise else K), (1 if self.isotropic else d)

    def loadings_shape(self, K: int, d: int) -> tuple[int, int, int]:
        """The shape in which their loadings are stored."""
        return (1 if self.common_loadings else K), d, self.n_factors

    def n_parameters(self, K: int, d: int) -> int:
        """Free parameters of the covariances: McNicholas & Murphy's table 1.

        Loadings are known up to a rotation, which takes q (q - 1) / 2 from each matrix.
        """
        matrices, _, q = self.loadings_shape(K, d)
        q = min(q, d)  # without its constant columns a table may have fewer than there are factors
        rows, columns = self.noise_shape(K, d)
        return matrices * (d * q - q * (q - 1) // 2) + rows * columns

    def excess(self, K: int, d: int) -> str:
        """What is said where K covariances over d columns do not determine so many factors; empty
        where they can.

        Of one component the bound is Ledermann's (1937), Psychometrika 2: d (d + 1) / 2 numbers for
        d q - q (q - 1) / 2 loadings and d of the noise. Components with common loadings share all
        but the diagonal; with isotropic noise any q < d has enough.
        """
        if self._determined(K, d):
            return ""
        fewer = [replace(self, n_factors=q) for q in range(self.n_factors - 1, 0, -1)]
        most = next((repr(str(each)) for each in fewer if each._determined(K, d)), "'diag'")
        bound = d + (1 - math.sqrt(1 + 8 * d)) / 2
        return (
            f"covariance_type={str(self)!r} has more parameters than covariances of {d} columns "
            f"determine (Ledermann's bound for one of them is {bound:.3g} factors): use 'full' or "
            f"{most}"
        )

    def _determined(self, K: int, d: int) -> bool:
        rows = self.noise_shape(K, d)[0]
        corners, diagonals = (1, rows) if self.common_loadings else (K, K)
        numbers = diagonals * d + corners * d * (d - 1) // 2
        return self.isotropic or self.n_parameters(K, d) <= numbers


def parsed(name: str) -> FactorAnalytic | None:
    """What a string such as "UUU:10" or "factor:10" spells; None where it spells none of these."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    letters, q = found.groups()
    return FactorAnalytic(int(q), "UUU" if letters == "factor" else letters)


def type_name(covariance_type: str | FactorAnalytic) -> str:
    """The one name of a covariance type: factors have two, and an object."""
    factors = parsed(str(covariance_type))
    return str(covariance_type if factors is None else factors)
