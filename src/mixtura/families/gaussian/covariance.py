"""The covariance structures as one table: name -> form of storage, M-step, free parameters.

Nothing outside this file asks what a covariance is called. A new structure is a new row.

scikit-learn's four names stand beside mclust's fourteen (Scrucca, Fop, Murphy & Raftery 2016, The R
Journal 8). Their letters say of volume, shape and orientation, in this order, whether they are
Equal among components, Variable, or the Identity: Sigma_k = lambda_k D_k A_k D_k', |A_k| = 1.
Source: Celeux & Govaert (1995), Gaussian parsimonious clustering models, Pattern Recognition 28.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.families.factor.structure import FactorAnalytic, parsed
from mixtura.families.gaussian import geometry, tangents
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.matrices import Full, Tied
from mixtura.families.gaussian.prior import CovariancePrior, no_prior
from mixtura.families.gaussian.records import GaussianParams
from mixtura.families.gaussian.tangents import Tangent
from mixtura.families.gaussian.variances import Diagonal, Spherical
from mixtura.families.gaussian.words import WORDS
from mixtura.records import Array

Count = Callable[[int, int], int]
Estimate = Callable[[Array, Array, CovariancePrior], Array]
Roots = Callable[[Form, GaussianParams, Array, Array, CovariancePrior], Array]


@dataclass(frozen=True)
class Structure:
    """One row of the table.

    roots(form, now, scatter, counts, prior) -> the roots of the new covariances, in the form's
    shape and the table's units; scatter is about the new means, in the whitened units of the
    parameters `now`, counts is (K,).

    letters  volume, shape and orientation in mclust's letters; empty in one column only
    count    free parameters of K covariances over d columns; None: as many as the form stores
    tangent  the free coordinates as a subspace of the form's (see `tangents`); None: all of them
    free     whether there are free coordinates
    inside   whether the M-step in C goes by the form alone; else by the letters
    columns  the only number of columns it is made for; None: any
    ranked   whether it compares volumes or shapes, which a direction without variance has not
    factors  what its factors and noise are, where it has such; the form is then that of the
             covariances made dense, and the family `families.factor.family`
    """

    name: str
    letters: str
    form: Form
    roots: Roots
    count: Count | None = None
    tangent: Tangent | None = None
    free: bool = True
    inside: bool = False
    columns: int | None = None
    ranked: bool = False
    factors: FactorAnalytic | None = None

    def __reduce__(self) -> str | tuple[object, ...]:
        # By the name, for functions made in the table cannot be pickled.
        if self == structure(self.name):
            return structure, (self.name,)
        return super().__reduce__()

    def __repr__(self) -> str:
        # Of what the name stands for, functions would be told by where they are in memory.
        return f"structure({self.name!r})"

    @property
    def one_covariance(self) -> bool:
        """Whether all components have the same covariance."""
        kind = self.factors
        if kind is not None:
            return kind.common_loadings and kind.common_noise
        return self.letters in ("EII", "EEI", "EEE")

    @property
    def words(self) -> str:
        """What the components look like, for reports."""
        if self.factors is not None:
            return self.factors.words
        return WORDS.get(self.name) or WORDS[self.letters]

    def n_parameters(self, K: int, d: int) -> int:
        """Free parameters of the covariances of K components over d columns."""
        if self.count is not None:
            return self.count(K, d)
        return self.form.support.size(self.form.shape(K, d))

    def imposed(self, params: GaussianParams) -> Array:
        """The covariances of `params`, made to share what this structure shares.

        They are the M-step of components of one row each; those that share it already stay.
        """
        K, d = params.means.shape
        form = self.form
        scatter = np.broadcast_to(form.identity(d), form.shape(K, d))
        rows = np.full(K, 1.0 / K if form.shared else 1.0)
        return form.square(self.roots(form, params, scatter, rows, no_prior(form, d)))


def _whitened(estimate: Estimate) -> Roots:
    """Covariances estimated in each component's own whitened units, where no digits are lost."""

    def roots(
        form: Form, now: GaussianParams, scatter: Array, counts: Array, prior: CovariancePrior
    ) -> Array:
        inner = estimate(scatter, counts, prior.whitened(now.whiten))
        empty = counts + 2 * prior.strength <= 0
        if empty.any() and not form.shared:
            inner[empty] = form.identity(now.means.shape[1])
        return form.compose(now.root, form.root_of(inner))

    return roots


def _each(scatter: Array, counts: Array, prior: CovariancePrior) -> Array:
    """(W_k + 2aS) / (n_k + 2a) for each component: the penalised maximum, ML at a = 0."""
    a = prior.strength
    shape = (-1,) + (1,) * (scatter.ndim - 1)
    total = (counts + 2 * a).reshape(shape)
    if a == 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            cov = scatter / total
    else:
        cov = (scatter + 2 * a * prior.target) / total
    return _with_floor(cov, prior)


def _with_floor(cov: Array, prior: CovariancePrior) -> Array:
    if prior.floorless:
        return cov
    return np.asarray(cov + prior.held + prior.absolute)


def _shared(scatter: Array, counts: Array, prior: CovariancePrior) -> Array:
    a = prior.strength
    cov = (scatter + 2 * a * prior.target) / (counts.sum() + 2 * a)
    return _with_floor(cov, prior)


def _together(share: geometry.Geometry) -> Roots:
    """Covariances that share something, estimated together in the table's units.

    The penalty is 2a more rows with covariance S for each component, as for those estimated apart.
    The unit of the weights and one common to all columns are taken away meanwhile.
    """

    def roots(
        form: Form, now: GaussianParams, scatter: Array, counts: Array, prior: CovariancePrior
    ) -> Array:
        a = prior.strength
        rows = counts + 2 * a
        some = rows > 0
        share_of = rows[some] / rows.sum()
        W = form.whitened(now.root, scatter / rows.sum()) + 2 * a / rows.sum() * prior.target
        unit = _unit(W[some])
        before = now.covariances
        cov = before.copy()
        cov[some] = share(W[some] / unit, share_of, before[some] / unit) * unit
        cov[some] += prior.held + prior.absolute
        return form.root_of(cov)

    return roots


def _unit(W: Array) -> float:
    """The power of two amid the variances of these scatters, the small and the large."""
    along = np.diagonal(W, axis1=1, axis2=2) if W.ndim == 3 else W
    exponents = np.frexp(along[(along > 0) & np.isfinite(along)])[1]
    if not exponents.size:
        return 1.0
    return float(2.0 ** ((int(exponents.min()) + int(exponents.max())) // 2))


def _triangle(d: int) -> int:
    return d * (d + 1) // 2


_own, _one = _whitened(_each), _whitened(_shared)
_turned, _oriented = geometry.turned, geometry.oriented

STRUCTURES: dict[str, Structure] = {
    row.name: row
    for row in (
        Structure("full", "VVV", Full(), _own, inside=True),
        Structure("tied", "EEE", Tied(), _one, inside=True),
        Structure("diag", "VVI", Diagonal(), _own, inside=True),
        Structure("spherical", "VII", Spherical(), _own, inside=True),
        Structure(
            "EII",
            "EII",
            Spherical(),
            _together(geometry.pooled),
            count=lambda K, d: 1,
            tangent=tangents.equal,
        ),
        Structure("VII", "VII", Spherical(), _own, inside=True),
        Structure(
            "EEI",
            "EEI",
            Diagonal(),
            _together(geometry.pooled),
            count=lambda K, d: d,
            tangent=tangents.equal,
        ),
        Structure(
            "VEI",
            "VEI",
            Diagonal(),
            _together(geometry.scaled_axes),
            count=lambda K, d: K + d - 1,
            tangent=tangents.scaled,
            ranked=True,
        ),
        Structure(
            "EVI",
            "EVI",
            Diagonal(),
            _together(geometry.shaped_axes),
            count=lambda K, d: K * d - (K - 1),
            tangent=tangents.same_volume,
            ranked=True,
        ),
        Structure("VVI", "VVI", Diagonal(), _own, inside=True),
        Structure("EEE", "EEE", Tied(), _one, inside=True),
        Structure(
            "VEE",
            "VEE",
            Full(),
            _together(geometry.scaled),
            count=lambda K, d: _triangle(d) + K - 1,
            free=False,
            ranked=True,
        ),
        Structure(
            "EVE",
            "EVE",
            Full(),
            _together(_oriented(geometry.shaped_axes, same_volume=True)),
            count=lambda K, d: _triangle(d) + (K - 1) * (d - 1),
            free=False,
            ranked=True,
        ),
        Structure(
            "VVE",
            "VVE",
            Full(),
            _together(_oriented(geometry.own_axes, same_volume=False)),
            count=lambda K, d: _triangle(d) + (K - 1) * d,
            free=False,
            ranked=True,
        ),
        Structure(
            "EEV",
            "EEV",
            Full(),
            _together(_turned(geometry.pooled)),
            count=lambda K, d: K * _triangle(d) - (K - 1) * d,
            free=False,
        ),
        Structure(
            "VEV",
            "VEV",
            Full(),
            _together(_turned(geometry.scaled_axes)),
            count=lambda K, d: K * _triangle(d) - (K - 1) * (d - 1),
            free=False,
            ranked=True,
        ),
        Structure(
            "EVV",
            "EVV",
            Full(),
            _together(geometry.shaped),
            count=lambda K, d: K * _triangle(d) - (K - 1),
            tangent=tangents.same_volume,
            ranked=True,
        ),
        Structure("VVV", "VVV", Full(), _own, inside=True),
        Structure("E", "EII", Tied(), _one, inside=True, columns=1),
        Structure("V", "VII", Full(), _own, inside=True, columns=1),
    )
}


def structure(spec: str | FactorAnalytic) -> Structure:
    """The structure of that name, or of these factors; ValueError names the known ones."""
    factors = spec if isinstance(spec, FactorAnalytic) else parsed(str(spec))
    if factors is not None:
        return _of_factors(factors)
    if not isinstance(spec, str) or spec not in STRUCTURES:
        raise ValueError(
            f"covariance_type must be one of {sorted(STRUCTURES)}, or of factors as 'UUU:10', got "
            f"{spec!r}"
        )
    return STRUCTURES[str(spec)]


def _of_factors(factors: FactorAnalytic) -> Structure:
    """The row that `factors` would have in the table, which has no end of them."""

    def refused(*_: object) -> Array:
        raise ValueError(
            f"covariance_type={str(factors)!r}: whether given covariances are of so many factors "
            "cannot be told: fit them, or use covariance_type='full'"
        )

    return Structure(str(factors), "", Full(), refused, count=factors.n_parameters, factors=factors)
