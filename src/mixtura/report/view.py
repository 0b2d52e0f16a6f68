"""What a report needs to know of a mixture, whoever fitted it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.fit.result import Fit
from mixtura.records import AnyArray, Array

# A variance below this share of the column's counts as this share when columns are ranked, so
# that one collapsed component does not decide which columns are shown.
NARROWEST_SHARE = 1e-6
# Below these an unfinished climb is at the top for all that can be told.
TOP_GAP, TOP_GRADIENT = 1e-9, 1e-6


@dataclass(frozen=True)
class MixtureView:
    """A mixture of K Gaussians over d named columns, in the table's units.

    weights          (K,), sum to one
    means            (K, d)
    variances        each component's variance in each column, (K, d)
    among            the covariances (K, m, m) of any m columns, whatever shape they were fitted in:
                     of many columns nobody can hold them all
    covariance_type  the name of that shape
    names            the d column names
    fit              how the parameters were found; None when they were given
    """

    weights: Array
    means: Array
    variances: Array
    among: Callable[[AnyArray], Array]
    covariance_type: str
    names: tuple[str, ...]
    fit: Fit | None = None

    @property
    def covariances(self) -> Array:
        """Those of all columns, (K, d, d)."""
        return self.among(np.arange(self.means.shape[1]))

    @property
    def sds(self) -> Array:
        """Each component's standard deviation in each column, (K, d)."""
        return np.sqrt(self.variances)


def separation(view: MixtureView) -> Array:
    """How much knowing the component tells about each column, (d,), free of units; 0 is nothing.

    Half the log-ratio of the column's variance to the weighted geometric mean of the variances
    within components: the mean Kullback-Leibler divergence of a component from the one Gaussian
    with the mixture's mean and variance. It grows with shifts and with differences in spread.
    """
    centre = view.weights @ view.means
    variance = view.weights @ (view.variances + (view.means - centre) ** 2)
    safe = np.where(variance > 0, variance, 1.0)
    share = np.maximum(view.variances / safe, NARROWEST_SHARE)
    return np.asarray(np.where(variance > 0, -0.5 * view.weights @ np.log(share), 0.0))


def telling_columns(view: MixtureView, limit: int) -> list[int]:
    """The `limit` columns in which components differ most, in the table's order."""
    held = set(view.fit.held) if view.fit else set()
    rank = [(j in held, -round(float(s), 9), j) for j, s in enumerate(separation(view))]
    return sorted(j for _, _, j in sorted(rank)[:limit])


def shorten(name: str, limit: int) -> str:
    """`name` on one line and at most `limit` characters: the middle gives way to an ellipsis."""
    name = " ".join(name.split()) or "(unnamed)"
    if len(name) <= limit:
        return name
    head = limit // 2
    return name[:head] + "…" + name[len(name) - (limit - head - 1) :]


def wrapped(name: str, width: int, lines: int = 3) -> str:
    """`name` over at most `lines` lines of `width` characters; the middle of the rest is left out.

    >>> wrapped("mean radius of the nucleus", 12)
    'mean radius\\nof the\\nnucleus'
    """
    for limit in range(width * lines, 0, -1):
        parts = textwrap.wrap(shorten(name, limit), width)
        if len(parts) <= lines:
            break
    return "\n".join(parts)


def looks_like_the_top(fit: Fit) -> bool:
    """Whether a climb was ended by its limit of steps where nothing is left to be gained."""
    near = fit.gap <= TOP_GAP or fit.gradient_norm < TOP_GRADIENT
    return not fit.converged and fit.reason.startswith("stopped: max_iter") and near


def groups(view: MixtureView) -> str:
    """The number of components in words: "1 group", "3 groups"."""
    K = len(view.weights)
    return f"{K} group" if K == 1 else f"{K} groups"
