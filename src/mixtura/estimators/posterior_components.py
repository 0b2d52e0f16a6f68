"""Components that are known by a conjugate posterior, as the attributes of an estimator."""

from __future__ import annotations

from typing import Any

from mixtura.estimators.mixture import attribute
from mixtura.families.base import Family
from mixtura.families.bayes.family import PosteriorOf, PosteriorProduct, posterior_of
from mixtura.families.bayes.prior import some
from mixtura.records import AnyArray
from mixtura.schema import Floats


class PosteriorComponents:
    """Attributes of the posterior, of the prior (`prior_` before them) and of the posterior's mean.

    Of the first two there are those that model files hold; the mean follows from them.
    """

    family_: Family

    @property
    def parameters_(self) -> dict[str, AnyArray]:
        """The family's parameters at the posterior's mean, by their names."""
        mean = self._posterior_kind().point(self._components_of(slice(None)))
        found: dict[str, AnyArray] = mean.arrays()
        return found

    def _posterior_kind(self) -> PosteriorOf | PosteriorProduct:
        """The family of the fit, under a posterior."""
        return posterior_of(self.family_)

    def _tell_components(self, params: Any) -> None:
        """Set what the posterior is, and its mean."""
        for name, array in params.arrays().items():
            setattr(self, attribute(name), array)
        self._tell_mean()

    def _tell_mean(self) -> None:
        for name, array in self.parameters_.items():
            setattr(self, attribute(name), array)

    def _tell_components_prior(self, one: Any) -> None:
        """Set what the prior of one component is."""
        for name, array in one.arrays().items():
            setattr(self, _of_prior(name), array)

    def _components_of(self, which: slice | AnyArray) -> Any:
        """The posterior of some of the components."""
        kind = self._posterior_kind()
        arrays = {name: getattr(self, attribute(name)) for name in kind.supports()}
        return some(kind.params(arrays), which)

    def _components_prior(self) -> Any:
        """The prior of the components."""
        kind = self._posterior_kind()
        one: Any = {name: getattr(self, _of_prior(name)) for name in kind.supports()}
        return kind.prior_at(kind.params(one))  # type: ignore[arg-type]

    def _components_arrays(self) -> dict[str, AnyArray]:
        """What a model file holds of them."""
        own = list(self._posterior_kind().supports())
        return {name: getattr(self, name) for name in (*map(attribute, own), *map(_of_prior, own))}

    def _components_floats(self, K: int, d: int) -> dict[str, Floats]:
        """The shapes and supports of these."""
        kind, found = self._posterior_kind(), {}
        shapes = kind.shapes(K, d)
        for name, support in kind.supports().items():
            found[attribute(name)] = Floats(shapes[name], support)
            found[_of_prior(name)] = Floats((1, *shapes[name][1:]), support)
        return found


def _of_prior(name: str) -> str:
    """What the attribute of the prior is called."""
    return f"prior_{attribute(name)}"
