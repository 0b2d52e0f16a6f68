"""Conjugate priors of Gaussian mixtures, by name: what is asked of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from mixtura.records import Array

FRALEY_RAFTERY = "fraley-raftery"
Numbers = float | tuple[float, ...] | tuple[tuple[float, ...], ...]


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
        For what are no finite numbers, and a shrinkage below 0.
    """

    mean: tuple[float, ...] | None = None
    shrinkage: float = 0.01
    dof: float | None = None
    scale: Numbers | None = None

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
class Gamma:
    """Rates ~ Gamma(shape, rate), density as v^(shape - 1) exp(-rate v); frozen.

    Of Poisson rates v, and of v = 1 / mean of exponential components. Fits are at the posterior's
    mode: Gelman et al. (2013), Bayesian Data Analysis, section 2.6.

    Parameters
    ----------
    shape : float or sequence of d numbers, at least 1
    rate : float or sequence of d numbers, 0 or more
        Of rates in one over, of means in the columns' units. As if a Poisson component had `rate`
        rows more, which count shape - 1 together; an exponential one shape - 1 rows that add up to
        `rate`.
    """

    shape: float | tuple[float, ...]
    rate: float | tuple[float, ...]

    def __post_init__(self) -> None:
        _hold(self, shape=1.0, rate=0.0)

    @property
    def before(self) -> tuple[Array, Array]:
        """(what had been counted before, in how much)."""
        return np.asarray(self.shape) - 1.0, np.asarray(self.rate, dtype=np.float64)


@dataclass(frozen=True)
class Beta:
    """Probabilities ~ Beta(a, b), as if a - 1 ones and b - 1 zeros had been seen before; frozen.

    Fits are at the posterior's mode: Gelman et al. (2013), Bayesian Data Analysis, section 2.4.

    Parameters
    ----------
    a, b : float or sequence of d numbers, at least 1
    """

    a: float | tuple[float, ...]
    b: float | tuple[float, ...]

    def __post_init__(self) -> None:
        _hold(self, a=1.0, b=1.0)

    @property
    def before(self) -> tuple[Array, Array]:
        """(ones, rows) that were seen before."""
        ones = np.asarray(self.a) - 1.0
        return ones, ones + np.asarray(self.b) - 1.0


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
    of : {"weights", "probabilities"}, default "weights"
        With "probabilities" it is the law of those of categories in each component, each of which
        counts as alpha - 1 hits more: of categorical and multinomial components.
    """

    alpha: float
    of: str = "weights"

    @property
    def before(self) -> tuple[Array, Array]:
        """(hits of each category that were counted before, nothing)."""
        return np.asarray(self.alpha - 1.0), np.zeros(())

    def __post_init__(self) -> None:
        if self.of not in ("weights", "probabilities"):
            raise ValueError(f"Dirichlet: of must be 'weights' or 'probabilities', got {self.of!r}")
        number = isinstance(self.alpha, Real) and not isinstance(self.alpha, bool | np.bool_)
        if not number or not 1 <= self.alpha < np.inf:
            raise ValueError(
                f"Dirichlet: alpha must be a finite number, at least 1, got {self.alpha!r}"
            )


Conjugate = NormalInverseWishart | Dirichlet | Gamma | Beta


def asked_priors(prior: Any) -> tuple[Conjugate, ...]:
    """What a `prior=` stands for; ValueError where it is none, or two of a kind."""
    if prior is None:
        return ()
    parts = prior if isinstance(prior, list | tuple) else [prior]
    found = [NormalInverseWishart() if _is_name(part) else part for part in parts]
    for part in found:
        if not isinstance(part, Conjugate):
            raise ValueError(
                f"prior: {part!r} is no prior: use {FRALEY_RAFTERY!r}, "
                "mixtura.NormalInverseWishart(...), mixtura.Dirichlet(...), mixtura.Gamma(...), "
                "mixtura.Beta(...), or a list of them"
            )
    if len({(type(part), getattr(part, "of", "")) for part in found}) < len(found):
        raise ValueError("prior: two priors are of one kind: leave one of them out")
    return tuple(found)


def _is_name(part: Any) -> bool:
    return isinstance(part, str) and part == FRALEY_RAFTERY


def _hold(part: Gamma | Beta, **least: float) -> None:
    """Set a prior's numbers as floats or tuples; ValueError for those below the least."""
    for name, low in least.items():
        called = f"{type(part).__name__}: {name}"
        value = _numbers(called, getattr(part, name))
        if np.ndim(value) > 1 or np.size(value) == 0 or np.min(value) < low:
            raise ValueError(
                f"{called} must be a number, {low:g} or more, or one for each column, got "
                f"{getattr(part, name)!r}"
            )
        object.__setattr__(part, name, value)


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
