"""Conjugate priors of Gaussian mixtures, by name: what is asked of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from mixtura.families.bayes.asked import AskedPrior, named
from mixtura.records import Array

FRALEY_RAFTERY = "fraley-raftery"
UpToMatrix = float | tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class NormalInverseWishart:
    """m_k | S_k ~ N(mean, S_k / shrinkage), S_k ~ inverse Wishart(dof, scale); frozen.

    Fits are at the posterior's mode. The defaults are those of Fraley & Raftery (2007), Bayesian
    regularization for normal mixture estimation and model-based clustering, J. Classification 24,
    and of `priorControl` in R's mclust.

    Parameters
    ----------
    mean : sequence of d numbers, optional; default the columns' means
    shrinkage : float, default 0.01
        Rows that the prior of a mean is worth; 0 for none.
    dof : float, above d - 1, default d + 2
    scale : number, d of them or (d, d), in squared units, optional
        Positive definite; for "diag" d variances or one for all, for "spherical" one. By default
        the table's covariance (for "diag" and "spherical" its mean variance) over K^(2/d).

    Raises
    ------
    ValueError
        For what are no finite numbers, a shrinkage below 0, and a dof that is not above 0.
    """

    mean: tuple[float, ...] | None = None
    shrinkage: float = 0.01
    dof: float | None = None
    scale: UpToMatrix | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "shrinkage", "dof", "scale"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _numbers(f"NormalInverseWishart: {name}", value))
        if not isinstance(self.shrinkage, float) or self.shrinkage < 0:
            raise ValueError(
                f"NormalInverseWishart: shrinkage is a number, 0 or more, got {self.shrinkage!r}"
            )
        if self.dof is not None and not isinstance(self.dof, float):
            raise ValueError(f"NormalInverseWishart: dof is one number, got {self.dof!r}")
        if self.dof is not None and self.dof <= 0:
            raise ValueError(
                f"NormalInverseWishart: dof must be above d - 1, so above 0, got {self.dof:g}: "
                "leave it out for d + 2"
            )


@dataclass(frozen=True)
class RowsBefore:
    """Gaussian components as if rows of each had been seen before; frozen. Not all are laws.

    m = (weight centre + sum r x) / (weight + n), and a covariance is
    (scatter + weight (m - centre)(m - centre)' + sum r (x - m)(x - m)') / (rows + n): the mode of
    the likelihood times |S|^(-rows/2) exp(-tr(S^-1 B)/2), B = scatter + weight (m - centre)
    (m - centre)'.
    With rows = dof + d + 2 that is a normal and an inverse Wishart law: Gelman et al. (2013),
    Bayesian Data Analysis, section 3.6.

    Parameters
    ----------
    centre : array of shape (d,)
    weight, rows : float, 0 or more
    scatter : array of shape (), (d,) or (d, d), in squared units
        As the structure's covariances are stored; 0 or more, or positive semidefinite.
    """

    centre: Array
    weight: float
    rows: float
    scatter: Array


@dataclass(frozen=True)
class Dirichlet:
    """The weights ~ Dirichlet(alpha, ..., alpha); fits are at the posterior's mode; frozen.

    The M-step is P(k) = (n_k + alpha - 1) / (n + K (alpha - 1)): Bishop (2006), Pattern Recognition
    and Machine Learning, section 9.3.

    Parameters
    ----------
    alpha : float, at least 1
        Each component counts as alpha - 1 rows more. Below 1 the mode has no weight above 0 for
        components of few rows: `mixtura.BayesianGaussianMixture` has that.
    """

    alpha: float

    def __post_init__(self) -> None:
        number = isinstance(self.alpha, Real) and not isinstance(self.alpha, bool | np.bool_)
        if not number or not 1 <= self.alpha < np.inf:
            raise ValueError(
                f"Dirichlet: alpha must be a finite number, at least 1, got {self.alpha!r}"
            )


@dataclass(frozen=True)
class BlockPriors:
    """One for each of some blocks of a product, by the block's name."""

    names: tuple[str, ...]
    parts: tuple[AskedPrior, ...]


Conjugate = NormalInverseWishart | Dirichlet | AskedPrior | BlockPriors


def asked_priors(prior: Any) -> tuple[Conjugate, ...]:
    """What a `prior=` stands for; ValueError where it is none, or two of a kind."""
    if prior is None:
        return ()
    parts = prior if isinstance(prior, list | tuple) else [prior]
    if not parts:
        raise ValueError(f"prior: {prior!r} holds no prior: use None for none, or put one into it")
    found = [_asked(part) for part in parts]
    for part in found:
        if not isinstance(part, Conjugate):
            raise ValueError(
                f"prior: {part!r} is no prior: use {FRALEY_RAFTERY!r}, "
                "mixtura.NormalInverseWishart(...), mixtura.GammaPrior(...), BetaPrior(...), "
                "DirichletPrior(...), mixtura.Dirichlet(...) of the weights, of a product a dict "
                "by block, or a list of these"
            )
    if len({type(part) for part in found}) < len(found):
        raise ValueError("prior: two priors are of one kind: leave one of them out")
    return tuple(found)


def _asked(part: Any) -> Any:
    """A prior of what stands for one; what stands for none is left as it is."""
    if isinstance(part, str) and part == FRALEY_RAFTERY:
        return NormalInverseWishart()
    if isinstance(part, Mapping):
        told = named(part)
        for name, own in told.items():
            if not isinstance(own, AskedPrior):
                raise ValueError(
                    f"prior: {own!r} is no prior of block {name!r}: use mixtura.GammaPrior(...), "
                    "BetaPrior(...) or DirichletPrior(...), and leave blocks without one out"
                )
        return BlockPriors(tuple(told), tuple(told.values()))
    return part


def _numbers(name: str, value: Any) -> Any:
    """As floats and tuples of them; ValueError where they are none, or not finite."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r}") from None
    if not np.isfinite(array).all() or array.ndim > 2:
        raise ValueError(f"{name} must be finite numbers, got {value!r}")
    return _tuples(array.tolist())


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else float(value)
