"""Views of mixtures that were made up, for tests of reports and figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.families.gaussian.covariance import structure
from mixtura.families.portrait import normal_portrait
from mixtura.records import AnyArray, Array
from mixtura.report.view import MixtureView
from mixtura.result import Fit

Among = Callable[[AnyArray], Array]


def gaussian_view(
    weights: Array,
    means: Array,
    variances: Array,
    among: Among,
    covariance_type: str,
    names: tuple[str, ...],
    fit: Fit | None = None,
) -> MixtureView:
    """Of Gaussians with these means and variances (K, d)."""
    words = structure(covariance_type).words
    portrait = normal_portrait(covariance_type, words, weights, names, means, variances, among)
    return MixtureView(weights, names, portrait, fit)


def changed(view: MixtureView, **change: object) -> MixtureView:
    """The same Gaussians with other `means`, `variances`, `among` or `names`."""
    portrait = view.portrait
    parts = {
        "means": portrait.means,
        "variances": portrait.variances,
        "among": portrait.among,
        "names": view.names,
        **change,
    }
    return gaussian_view(
        view.weights,
        covariance_type=portrait.name,
        fit=view.fit,
        **parts,  # type: ignore[arg-type]
    )


def sds(view: MixtureView) -> Array:
    """(K, d)."""
    assert view.portrait.variances is not None
    return np.sqrt(view.portrait.variances)
