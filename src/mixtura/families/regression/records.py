"""The parameters and sums of regressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mixtura.records import Array, Params, Statistics
from mixtura.supports import Positive, Real


@dataclass(frozen=True)
class Coefficients(Params):
    """coefficients (K, q): the intercept first, where there is one, then each covariate's."""

    coefficients: Annotated[Array, Real()]


@dataclass(frozen=True)
class Dispersed(Coefficients):
    """Also dispersions (K,): variances of a normal response, 1 / shape of a gamma one."""

    dispersions: Annotated[Array, Positive()]


@dataclass(frozen=True)
class RegressionStatistics(Statistics):
    """Sums at the current coefficients, in the coordinates z of `families.design`.

    counts (K,); slopes (K, q) sum r s z and information (K, q, q) sum r w z z', both times the
    dispersion; deviances (K,) half of sum r (unit deviance)
    """

    counts: Array
    slopes: Array
    information: Array
    deviances: Array
