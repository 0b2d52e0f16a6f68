"""What families with heavy tails share: centres and matrices under one covariance structure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Look, Settled
from mixtura.families.gaussian.covariance import STRUCTURES, Structure
from mixtura.families.gaussian.family import PLAIN, Gaussian
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params,
    gaussian_params_from_root,
)
from mixtura.families.heavy.intervals import ApartLook, Ends
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.heavy.records import HeavyParams
from mixtura.families.intervals import Cells
from mixtura.records import AnyArray, Array, Params
from mixtura.supports import Real, Support

# What `covariance_type` may be.
TYPES = frozenset(STRUCTURES)


@dataclass(frozen=True)
class HeavyTailed(Family):
    """Gaussian components but for how far out rows lie, of which each component has more to say.

    A subclass says what its parameters are called: `matrices`, and those that are positive, (K,).
    """

    covariance_type: str = PLAIN
    # Whether cells of its rows may be missing.
    gaps: bool = field(default=False, kw_only=True)
    fills_gaps = tells_distance = heavy_tailed = True
    simpler = "a simpler covariance"
    structures = TYPES
    matrices: ClassVar[str] = "covariances"
    shapes_of_tails: ClassVar[Mapping[str, Support]] = {}

    def __post_init__(self) -> None:
        if self.covariance_type not in TYPES:
            raise ValueError(
                f"{type(self).__name__}: covariance_type must be one of {sorted(TYPES)}, got "
                f"{self.covariance_type!r}"
            )

    @abstractmethod
    def begun(self, gaussian: GaussianParams) -> Any:
        """The parameters with which climbs begin, of these centres and matrices."""

    @abstractmethod
    def told(self, ends: Ends, params: Any) -> Look:
        """The look at rows of one column of which these intervals are known."""

    @abstractmethod
    def log_tails(self, squares: Array, d: int, params: Any) -> Array:
        """log P(delta >= squares | k), (n, K), delta the squared distance of rows of d cells."""

    @abstractmethod
    def look(self, X: AnyArray, params: Any) -> Any:
        """Rows looked at once, with their `distances`."""

    @property
    def structure(self) -> Structure:
        """That of the matrices."""
        return STRUCTURES[self.covariance_type]

    @property
    def gaussian(self) -> Gaussian:
        """The family of Gaussians under the same structure."""
        return Gaussian(self.structure, gaps=self.gaps)

    @property
    def one_covariance(self) -> bool:  # type: ignore[override]
        return self.structure.one_covariance

    @property
    def correlates(self) -> bool:  # type: ignore[override]
        return self.structure.form.correlates

    def supports(self) -> dict[str, Support]:
        own = self.structure.form.support
        return {"means": Real(), self.matrices: own, **self.shapes_of_tails}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        own = self.structure.form.shape(K, d)
        return {"means": (K, d), self.matrices: own} | dict.fromkeys(self.shapes_of_tails, (K,))

    def params(self, arrays: Mapping[str, Array]) -> Any:
        g = gaussian_params(arrays["means"], arrays[self.matrices], self.structure.form)
        tails = {name: np.asarray(arrays[name], np.float64) for name in self.shapes_of_tails}
        record: Any = self.record
        return record(gaussian=g, **tails)

    def settled(self, survey: Survey, K: int) -> Settled:
        found = self.gaussian.settled(survey, K)
        if found.prior.equations:
            columns = sorted({j for each in found.prior.equations for j in each.columns})
            raise ValueError(
                f"family={self.name!r}: column {', '.join(map(str, columns))} (counted from 0) is "
                "constant or a sum of others, so no component has a width there: leave it out, or "
                "leave out a row that lies ever so far from all others"
            )
        prior = HeavyPrior(found.prior, self.matrices)
        return Settled(self, prior, self.begun(found.base), found.frames)

    def start(self, X: AnyArray, resp: Array, params: Any, prior: HeavyPrior) -> Params:
        """Gaussians of the groups: how far rows are from the table's centre says nothing yet."""
        x = np.asarray(X, dtype=np.float64)
        sums = self.gaussian.statistics(x, resp, params.gaussian)
        begun: Params = self.begun(self.gaussian.maximize(sums, params.gaussian, prior.gaussian))
        return begun

    def moved(
        self,
        now: GaussianParams,
        weighed: GaussianStatistics,
        rows: Array,
        prior: HeavyPrior,
        times: Array | None = None,
    ) -> GaussianParams:
        """The M-step of centres and matrices: scatter of the weighed rows, over all rows (K,).

        With `times` (K,) that scatter so often. A component with no rows keeps what it is.
        """
        form = self.structure.form
        total = np.where(weighed.counts > 0, weighed.counts, 1.0)
        shift = weighed.first / total[:, None]
        scatter = form.about(weighed.counts, shift, weighed.second)
        if times is not None:
            scatter = scatter * times.reshape(times.shape + (1,) * (scatter.ndim - times.ndim))
        root = self.structure.roots(form, now, scatter, rows, prior.gaussian)
        return gaussian_params_from_root(now.means + form.move(now.root, shift), root, form)

    def filling(self, X: AnyArray) -> Self:
        return replace(self, gaps=self.gaussian.filling(X).gaps)

    def whole(self) -> Self:
        return replace(self, gaps=False)

    def filled(self, X: AnyArray, params: HeavyParams, k: int) -> Array:
        return self.gaussian.filled(X, params.gaussian, k)

    def log_beyond(self, X: AnyArray, params: HeavyParams) -> Array:
        distances = self.look(X, params).distances
        return self.log_tails(distances, int((~np.isnan(X[0])).sum()), params)

    def log_density(self, X: AnyArray, params: HeavyParams) -> Array:
        return np.asarray(self.look(X, params).log_density)

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> Any:
        return self.look(X, params).statistics(resp)

    def knows_intervals(self, d: int) -> bool:
        # Columns of one row share its weight: none is independent of the others.
        return d == 1

    def between(self, cells: Cells, params: HeavyParams) -> Look:
        """The look at cells of which only intervals may be known, where they are one column."""
        told = np.asarray(cells.bounded.any(axis=1))
        if not told.any():
            whole: Look = self.look(cells.x, params)
            return whole
        ends = Ends.of(cells.lower[told, 0], cells.upper[told, 0], params)
        return ApartLook(told, self.look(cells.x[~told], params), self.told(ends, params))

    def obstacle(self, prior: HeavyPrior) -> str:
        return self.gaussian.obstacle(prior.gaussian)

    def rounding(self, params: HeavyParams) -> float:
        return self.gaussian.rounding(params.gaussian)

    def coarseness(self, params: HeavyParams) -> float:
        return self.gaussian.coarseness(params.gaussian)

    def means(self, params: HeavyParams) -> Array:
        return np.asarray(params.gaussian.means)

    def covariances(self, params: HeavyParams, columns: AnyArray) -> Array:
        """The matrices of these columns: what ellipses are drawn of."""
        return self.gaussian.covariances(params.gaussian, columns)

    def refuse_inadmissible(self, params: HeavyParams) -> None:
        """Nothing: its M-step refuses what is not positive definite itself."""
