"""What a response may be, given its linear predictor: generalised linear models' four plain ones.

With eta = offset + x'b each says its log-density, the slope s and the expected information w of it
in eta, both times the dispersion phi, and half its unit deviance, of which phi is a function.
Source: McCullagh & Nelder (1989), Generalized Linear Models, chapter 2 and section 8.3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.special import expit, log_ndtr

from mixtura.families.collapse import NUMERIC_SPREAD
from mixtura.families.factorials import log_factorials
from mixtura.families.gamma import excess, normaliser, shape_of, told
from mixtura.families.log_tails import log_betainc, log_gammainc, log_gammaincc
from mixtura.records import AnyArray, Array, RandomNumbers

# Linear predictors beyond this leave float64 when they are exponentiated.
FARTHEST = 690.0


class Response(ABC):
    """y (n,), or (n, 1) where it broadcasts to eta (n, K); trials in y's shape."""

    # What it is called in words, and whether it is a probability.
    words: ClassVar[str]
    discrete: ClassVar[bool] = False
    # The largest root mean square change of eta in one M-step: far from a maximum Newton's steps
    # are too long by factors where the mean is not linear in eta.
    reach: ClassVar[float] = 3.0

    @abstractmethod
    def log_density(self, y: Array, eta: Array, phi: Array, trials: Array) -> Array:
        """log p(y)."""

    @abstractmethod
    def mean(self, eta: Array, trials: Array) -> Array:
        """E y."""

    @abstractmethod
    def slope(self, y: Array, eta: Array, trials: Array) -> tuple[Array, Array]:
        """(s, w)."""

    @abstractmethod
    def begun(self, y: Array, trials: Array) -> Array:
        """A linear predictor near y, from where a regression may begin."""

    @abstractmethod
    def log_sides(self, y: Array, eta: Array, phi: Array, trials: Array) -> tuple[Array, Array]:
        """Logarithms of P(a response <= y) and P(one > y)."""

    @abstractmethod
    def draw(self, eta: Array, phi: Array, trials: Array, rng: RandomNumbers) -> AnyArray:
        """A response for each predictor."""

    def usual(self, y: Array, trials: Array, shares: Array) -> float:
        """A plain w, whatever the coefficients; `shares` (n,) are the rows'."""
        return 1.0

    def bare(self, y: Array, trials: Array) -> bool:
        """Whether rows so alike leave nothing to estimate: every maximum is infinitely far."""
        return False

    def least(self, y: Array, shares: Array) -> float:
        """A half mean deviance that is no more than rounding; `shares` (n,) are the rows'."""
        return 0.0

    def deviance(self, y: Array, eta: Array) -> Array:
        """Half the unit deviance; 0 without a dispersion."""
        return np.zeros(np.broadcast_shapes(y.shape, eta.shape))


class Normal(Response):
    """y ~ N(eta, phi): the identity link; half the deviance is e^2 / 2."""

    words = "a normal response"
    reach = np.inf

    def log_density(self, y: Array, eta: Array, phi: Array, trials: Array) -> Array:
        return np.asarray(-0.5 * ((y - eta) ** 2 / phi + np.log(2 * np.pi * phi)))

    def mean(self, eta: Array, trials: Array) -> Array:
        return eta

    def slope(self, y: Array, eta: Array, trials: Array) -> tuple[Array, Array]:
        return y - eta, np.ones_like(eta)

    def begun(self, y: Array, trials: Array) -> Array:
        return y

    def log_sides(self, y: Array, eta: Array, phi: Array, trials: Array) -> tuple[Array, Array]:
        z = (y - eta) / np.sqrt(phi)
        return log_ndtr(z), log_ndtr(-z)

    def draw(self, eta: Array, phi: Array, trials: Array, rng: RandomNumbers) -> AnyArray:
        return np.asarray(eta + np.sqrt(phi) * rng.standard_normal(eta.shape))

    def least(self, y: Array, shares: Array) -> float:
        rounding = float((8.0 * np.finfo(float).eps * np.abs(y).max()) ** 2)
        return max(NUMERIC_SPREAD * float(shares @ (y - shares @ y) ** 2), rounding)

    def deviance(self, y: Array, eta: Array) -> Array:
        return np.asarray(0.5 * (y - eta) ** 2)


class Count(Response):
    """y ~ Poisson(exp eta): the log link."""

    words = "a Poisson response with log link"
    discrete = True

    def log_density(self, y: Array, eta: Array, phi: Array, trials: Array) -> Array:
        return np.asarray(y * eta - np.exp(eta) - log_factorials(y))

    def mean(self, eta: Array, trials: Array) -> Array:
        return np.exp(np.minimum(eta, FARTHEST))

    def slope(self, y: Array, eta: Array, trials: Array) -> tuple[Array, Array]:
        mean = self.mean(eta, trials)
        return y - mean, mean

    def usual(self, y: Array, trials: Array, shares: Array) -> float:
        return float(shares @ y)

    def bare(self, y: Array, trials: Array) -> bool:
        return not y.any()

    def begun(self, y: Array, trials: Array) -> Array:
        return np.log(y + 0.5 * max(float(y.mean()), 1e-3))

    def log_sides(self, y: Array, eta: Array, phi: Array, trials: Array) -> tuple[Array, Array]:
        mean = self.mean(eta, trials)
        return log_gammaincc(y + 1, mean), log_gammainc(y + 1, mean)

    def draw(self, eta: Array, phi: Array, trials: Array, rng: RandomNumbers) -> AnyArray:
        return rng.poisson(self.mean(eta, trials))


class Success(Response):
    """y successes among `trials`, of probability 1 / (1 + exp(-eta)): the logit link."""

    words = "a binomial response with logit link"
    discrete = True

    def log_density(self, y: Array, eta: Array, phi: Array, trials: Array) -> Array:
        ways = log_factorials(trials) - log_factorials(y) - log_factorials(trials - y)
        return np.asarray(y * eta - trials * np.logaddexp(0.0, eta) + ways)

    def mean(self, eta: Array, trials: Array) -> Array:
        return np.asarray(trials * expit(eta))

    def slope(self, y: Array, eta: Array, trials: Array) -> tuple[Array, Array]:
        return y - trials * expit(eta), trials * expit(eta) * expit(-eta)

    def usual(self, y: Array, trials: Array, shares: Array) -> float:
        return float(shares @ trials) / 4.0

    def bare(self, y: Array, trials: Array) -> bool:
        return not y.any() or bool((y == trials).all())

    def begun(self, y: Array, trials: Array) -> Array:
        return np.log(y + 0.5) - np.log(trials - y + 0.5)

    def log_sides(self, y: Array, eta: Array, phi: Array, trials: Array) -> tuple[Array, Array]:
        # Abramowitz & Stegun (1964), 26.5.24; with all trials a success nothing lies above.
        left, every = np.where(y < trials, trials - y, 1.0), y >= trials
        below = np.where(every, 0.0, log_betainc(left, y + 1.0, expit(-eta)))
        return below, np.where(every, -np.inf, log_betainc(y + 1.0, left, expit(eta)))

    def draw(self, eta: Array, phi: Array, trials: Array, rng: RandomNumbers) -> AnyArray:
        return rng.binomial(trials.astype(np.int64), expit(eta))


class Positive(Response):
    """y gamma with mean exp(eta) and shape 1 / phi: the log link, under which all eta are means.

    The canonical link, 1 / mean, is not for all eta and leaves slopes without a sign that is
    meant: the log is what most programs' users ask for. Half the deviance is y/m - 1 - log y/m.
    """

    words = "a gamma response with log link"

    def log_density(self, y: Array, eta: Array, phi: Array, trials: Array) -> Array:
        return np.asarray(normaliser(1.0 / phi) - self.deviance(y, eta) / phi - np.log(y))

    def mean(self, eta: Array, trials: Array) -> Array:
        return np.exp(np.minimum(eta, FARTHEST))

    def slope(self, y: Array, eta: Array, trials: Array) -> tuple[Array, Array]:
        return y * np.exp(-eta) - 1.0, np.ones_like(eta)

    def begun(self, y: Array, trials: Array) -> Array:
        return np.log(y)

    def log_sides(self, y: Array, eta: Array, phi: Array, trials: Array) -> tuple[Array, Array]:
        scaled = y / (phi * self.mean(eta, trials))
        return log_gammainc(1.0 / phi, scaled), log_gammaincc(1.0 / phi, scaled)

    def draw(self, eta: Array, phi: Array, trials: Array, rng: RandomNumbers) -> AnyArray:
        return np.asarray(rng.gamma(1.0 / phi, phi * self.mean(eta, trials)))

    def deviance(self, y: Array, eta: Array) -> Array:
        apart = np.log(y) - eta
        return np.expm1(apart) - apart


class Dispersion(ABC):
    """phi as a function of half the mean unit deviance; its likelihood, score and information."""

    # Mean deviances that are differences of numbers near 1 are nothing but rounding below this.
    rounding: ClassVar[float] = 0.0

    @abstractmethod
    def of(self, deviance: Array) -> Array:
        """The maximum."""

    @abstractmethod
    def deviance(self, phi: Array) -> Array:
        """The inverse."""

    @abstractmethod
    def row(self, phi: Array, deviance: Array) -> Array:
        """The log-density of a row of this deviance, but for what is alike for all phi."""

    @abstractmethod
    def score(self, phi: Array, counts: Array, deviances: Array) -> Array:
        """The slope of `row` in phi, summed over rows."""

    @abstractmethod
    def told(self, phi: Array) -> Array:
        """What a row tells of log phi."""


class Variance(Dispersion):
    """That of a normal response: phi is the variance."""

    def of(self, deviance: Array) -> Array:
        return 2.0 * deviance

    def deviance(self, phi: Array) -> Array:
        return 0.5 * phi

    def row(self, phi: Array, deviance: Array) -> Array:
        return np.asarray(-0.5 * np.log(phi) - deviance / phi)

    def score(self, phi: Array, counts: Array, deviances: Array) -> Array:
        return np.asarray((deviances / phi - 0.5 * counts) / phi)

    def told(self, phi: Array) -> Array:
        return np.full_like(phi, 0.5)


class InverseShape(Dispersion):
    """That of a gamma response: 1 / phi is the shape a, log a - digamma(a) the mean deviance."""

    rounding = 1e-13

    def of(self, deviance: Array) -> Array:
        return 1.0 / shape_of(deviance)

    def deviance(self, phi: Array) -> Array:
        return excess(1.0 / phi)

    def row(self, phi: Array, deviance: Array) -> Array:
        return normaliser(1.0 / phi) - deviance / phi

    def score(self, phi: Array, counts: Array, deviances: Array) -> Array:
        return np.asarray((deviances - counts * excess(1.0 / phi)) / phi**2)

    def told(self, phi: Array) -> Array:
        return told(1.0 / phi)


RESPONSES: dict[str, Response] = {
    "gaussian": Normal(),
    "poisson": Count(),
    "binomial": Success(),
    "gamma": Positive(),
}
DISPERSIONS: dict[str, Dispersion] = {"gaussian": Variance(), "gamma": InverseShape()}
