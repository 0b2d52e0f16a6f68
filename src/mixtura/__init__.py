"""mixtura: Gaussian mixtures, fitted fast and reported honestly."""

from mixtura.errors import Collapse, FitError, IllDefined, LikelihoodFell
from mixtura.estimators.finding import DegenerateWarning
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.load import load
from mixtura.fit.result import Fit

__version__ = "0.1.0"

__all__ = [
    "Collapse",
    "DegenerateWarning",
    "Fit",
    "FitError",
    "GaussianMixture",
    "IllDefined",
    "LikelihoodFell",
    "load",
]
