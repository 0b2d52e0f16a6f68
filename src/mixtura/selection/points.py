"""Where a cell lies in the grid of a search, and which estimator that asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.mixture import Mixture


class Point(NamedTuple):
    """A covariance structure, a number of components and a prior."""

    covariance_type: str
    n_components: int
    reg_covar: float | None

    @property
    def lane(self) -> tuple[Any, ...]:
        """What cells with fewer and more components have in common."""
        return self.covariance_type, self.reg_covar

    @property
    def label(self) -> str:
        """What progress calls the lane."""
        return self.covariance_type

    @staticmethod
    def estimator() -> type[ClimbedMixture]:
        """The class of `unfitted`."""
        return GaussianMixture

    def unfitted(self, settings: Mapping[str, Any]) -> ClimbedMixture:
        """The estimator of this cell."""
        return GaussianMixture(**settings, **self._asdict())


class FamilyPoint(NamedTuple):
    """A family, by its label, and a number of components.

    What the label stands for is among the settings of all cells, as `families`.
    """

    family: str
    n_components: int

    @property
    def lane(self) -> tuple[Any, ...]:
        """What cells with fewer and more components have in common."""
        return (self.family,)

    @property
    def label(self) -> str:
        """What progress calls the lane."""
        return self.family

    @staticmethod
    def estimator() -> type[ClimbedMixture]:
        """The class of `unfitted`."""
        return Mixture

    def unfitted(self, settings: Mapping[str, Any]) -> ClimbedMixture:
        """The estimator of this cell."""
        rest = dict(settings)
        return Mixture(rest.pop("families")[self.family], self.n_components, **rest)


# One of the two: all the points of a search are of one kind, and a quick search knows but one.
AnyPoint = Any
