"""Conjugate priors of components that are no Gaussians: what is asked of a fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mixtura.records import Array

# A number, or one for each column (for `DirichletPrior` each share, side by side).
OneOrMore = float | tuple[float, ...]


@dataclass(frozen=True)
class AskedPrior:
    """What a `prior=` of components may be: numbers above 0, or None for a default.

    Defaults are those of a `BayesianMixture`. Where fits are at the posterior's mode there are
    none, and it must have one: Gelman et al. (2013), Bayesian Data Analysis, sections 2.4 to 2.6.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                name = f"{type(self).__name__}: {each.name}"
                object.__setattr__(self, each.name, _positive(name, value))

    @property
    def before(self) -> tuple[Array, Array]:
        """(what had been counted before, in how much), of the mode; ValueError without one."""
        raise NotImplementedError


@dataclass(frozen=True)
class GammaPrior(AskedPrior):
    """Rates ~ Gamma(shape, rate), of mean shape / rate: of Poisson and exponential components.

    Parameters
    ----------
    shape : float or one for each column, optional
        Counts that it is worth (Poisson: default 1), or cells (exponential: default 3/2).
    rate : float or one for each column, optional
        Rows that it is worth (Poisson), or what their cells add up to (exponential, in the units of
        the column); by default such that a cell's mean under the prior is the column's.

    Raises
    ------
    ValueError
        For what are no finite numbers above 0.
    """

    shape: OneOrMore | None = None
    rate: OneOrMore | None = None

    @property
    def before(self) -> tuple[Array, Array]:
        if self.shape is None or self.rate is None:
            raise ValueError(
                "prior: GammaPrior has shape and rate of its own in a BayesianMixture alone: give "
                "both"
            )
        return _beyond_one(self, "shape"), np.asarray(self.rate, dtype=np.float64)


@dataclass(frozen=True)
class BetaPrior(AskedPrior):
    """Probabilities ~ Beta(a, b), as if a ones and b zeros had been met: of Bernoulli components.

    Parameters
    ----------
    a, b : float or one for each column, default 1/2
        Jeffreys's prior by default.

    Raises
    ------
    ValueError
        For what are no finite numbers above 0.
    """

    a: OneOrMore = 0.5
    b: OneOrMore = 0.5

    @property
    def before(self) -> tuple[Array, Array]:
        ones = _beyond_one(self, "a")
        return ones, ones + _beyond_one(self, "b")


@dataclass(frozen=True)
class DirichletPrior(AskedPrior):
    """Shares ~ Dirichlet(alpha), as if each had been met alpha times: of categories, multinomials.

    Parameters
    ----------
    alpha : float or one for each share, default 1/2
        Shares of all columns side by side. Jeffreys's prior by default.

    Raises
    ------
    ValueError
        For what are no finite numbers above 0.
    """

    alpha: OneOrMore = 0.5

    @property
    def before(self) -> tuple[Array, Array]:
        return _beyond_one(self, "alpha"), np.zeros(())


KINDS: dict[str, type[AskedPrior]] = {
    kind.__name__: kind for kind in (GammaPrior, BetaPrior, DirichletPrior)
}


def named(asked: Mapping[Any, Any]) -> dict[str, Any]:
    """Priors by the names of blocks; ValueError where there are none, or what names them is none.

    A block with None has the default, as one that is left out.
    """
    for name in asked:
        if not isinstance(name, str):
            raise ValueError(f"prior: {name!r} is no name of a block: give names as text")
    found = {str(name): own for name, own in asked.items() if own is not None}
    if not found:
        raise ValueError(f"prior: {dict(asked)} holds no prior: use None, or give a block one")
    return found


def refuse_unknown(named: Iterable[str], names: Sequence[str]) -> None:
    """ValueError where a block is named that the product, whose blocks are `names`, has not."""
    if unknown := set(named) - set(names):
        raise ValueError(
            f"prior: there is no block {min(unknown)!r}: they are called {', '.join(names)}"
        )


def along(value: OneOrMore, size: int, name: str) -> Array:
    """One number for each of `size`; ValueError where there are others."""
    found = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if found.size not in (1, size):
        raise ValueError(
            f"prior: {name} has {found.size} numbers, and {size} are asked for: give "
            "one for all, or one for each"
        )
    return np.broadcast_to(found, (1, size)).copy()


def _beyond_one(prior: AskedPrior, name: str) -> Array:
    """A number less 1; ValueError where that is below 0, and the density has no mode inside."""
    found = np.asarray(getattr(prior, name)) - 1.0
    if np.min(found) < 0:
        raise ValueError(
            f"prior: {type(prior).__name__} needs {name} of 1 or more where fits are at the "
            f"posterior's mode, got {getattr(prior, name)!r}: mixtura.BayesianMixture takes less"
        )
    return found


def _positive(name: str, value: Any) -> OneOrMore:
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    several = found.ndim == 1 and found.size > 0
    fit = (found.ndim == 0 or several) and (np.isfinite(found) & (found > 0)).all()
    if isinstance(value, bool) or not fit:
        raise ValueError(f"{name} must be a finite number above 0, or several, got {value!r}")
    return tuple(found.tolist()) if found.ndim else float(found)
