"""A component on one point, its variance shrinking: unbounded for the mixture, not under a cure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp

from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.lab.experiment import Experiment, Findings, Numbers
from mixtura.records import Array
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, quiet

THEOREM = (
    "The likelihood of a mixture of Gaussians has no maximum: put the mean of one component on a "
    "row and let its variance go to 0, and that row's density grows without bound while the others "
    "keep theirs from the rest (Kiefer & Wolfowitz 1956; Bishop 2006, figure 9.7). One Gaussian "
    "alone has no such end, for all other rows become impossible, and a penalty or a prior on the "
    "variance takes it away (Chen & Tan 2009, J. Multivariate Analysis 100)."
)
# Standard deviations of the component on a row, relative to the table's.
WIDTHS = np.geomspace(1.0, 1e-30, 61)
SHOWN = (0, 4, 10, 20, 40, 60)


def run(seed: int, *, n: int) -> Findings:
    """n rows of one column."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.normal(size=n) + 3.0 * (rng.random(n) < 0.5))
    spread, at = float(x.std()), float(x[n // 3])
    curves = {
        "mixture": [_mixture(x, at, spread * width) for width in WIDTHS],
        "one Gaussian": [_one(x, at, spread * width) for width in WIDTHS],
    }
    # The default penalty, a = 1/n of a row with the table's variance; an inverse-gamma prior.
    penalty = [-(1 / width**2 + 2 * np.log(width)) / n for width in WIDTHS]
    prior = [-(2.0 * np.log(width) + 0.5 / width**2) for width in WIDTHS]
    for name, added in (("with the default's penalty", penalty), ("with a conjugate prior", prior)):
        curves[name] = [a + b for a, b in zip(curves["mixture"], added, strict=True)]
    found = GaussianMixture(2, random_state=0).fit(x[:, None])
    fit = found.fit_result_
    assert fit is not None
    rows = tuple((float(WIDTHS[i]), *(float(each[i]) for each in curves.values())) for i in SHOWN)
    tables = (
        Numbers(
            f"Log-likelihood of {n} rows, one component on a row, by its standard deviation as a "
            "share of the table's",
            ("width", *curves),
            rows,
        ),
        Numbers(
            "Where the default search ends",
            ("log-likelihood", "narrowest width", "on a point"),
            (
                (
                    fit.loglik,
                    float(np.sqrt(found.covariances_.min()) / spread),
                    "yes" if fit.floored else "no",
                ),
            ),
        ),
    )
    return Findings(tables, lambda: _figure(curves, fit.loglik))


def _normal(x: Array, mean: float, deviation: float) -> Array:
    return np.asarray(
        -0.5 * ((x - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
    )


def _mixture(x: Array, at: float, deviation: float) -> float:
    """Half a Gaussian of the table's mean and width, half one on the row."""
    parts = np.stack([_normal(x, float(x.mean()), float(x.std())), _normal(x, at, deviation)])
    return float((logsumexp(parts, axis=0) - np.log(2.0)).sum())


def _one(x: Array, at: float, deviation: float) -> float:
    return float(_normal(x, at, deviation).sum())


def _figure(curves: dict[str, list[float]], found: float) -> Figure:
    figure = blank(7.6, 4.6)
    ax = figure.add_subplot()
    quiet(ax, 9, 6)
    top = max(curves["mixture"])
    for (name, values), colour in zip(curves.items(), colours(len(curves)), strict=True):
        ax.plot(WIDTHS, values, lw=2.0, color=colour, label=name)
    ax.axhline(found, color=INK, lw=1.0, ls="--", label="where the default search ends")
    ax.set_xscale("log")
    ax.invert_xaxis()
    low = curves["mixture"][0]
    ax.set_ylim(low - 1.2 * (top - low), top + 0.1 * (top - low))
    ax.set_xlabel("width of the component on a row, as a share of the table's", **LABEL)
    ax.set_ylabel("log-likelihood, or what takes its place", **LABEL)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    headed(
        figure,
        "One component on one point: no maximum, and what cures it",
        ["The other component has the table's mean and width; each has half the weight."],
    )
    return figure


SINGULARITY = Experiment("The likelihood has no maximum", THEOREM, run, {"n": 40})
