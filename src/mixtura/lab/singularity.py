"""A component on one point, its variance shrinking: unbounded for the mixture, not under a cure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from scipy.special import logsumexp

from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
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
WIDTHS = np.geomspace(1.0, 1e-30, 1201)
SHOWN = (0, 80, 200, 400, 800, 1200)
# The figure's left half ends there.
NEAR = 1e-3


def run(seed: int, told: Told, *, n: int) -> Findings:
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
    for name, added in (("default's penalty", penalty), ("conjugate prior", prior)):
        curves[name] = [a + b for a, b in zip(curves["mixture"], added, strict=True)]
    told(1, 2)
    found = GaussianMixture(2, random_state=0).fit(x[:, None])
    told(2, 2)
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
    figure = blank(9.6, 4.4)
    near, far = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.2))
    top, low = max(curves["mixture"]), curves["mixture"][0]
    for ax, narrowest in ((near, NEAR), (far, WIDTHS[-1])):
        quiet(ax, 9, 6)
        for (name, values), colour in zip(curves.items(), colours(len(curves)), strict=True):
            ax.plot(WIDTHS, values, lw=2.0, color=colour, label=name)
        ax.axhline(found, color=INK, lw=1.0, ls="--", label="where the default search ends")
        ax.set_xscale("log")
        ax.set_xlim(WIDTHS[0], narrowest)
        ax.xaxis.set_major_locator(LogLocator(10, numticks=8))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("width of the component on a row", **LABEL)
    near.set_ylim(low - 1.2 * (top - low), top + 0.1 * (top - low))
    near.set_ylabel("log-likelihood, or what takes its place", **LABEL)
    far.legend(frameon=False, fontsize=9, loc="lower right")
    headed(
        figure,
        "One component on one point: no maximum, and what cures it",
        [
            "Widths as shares of the table's: left the first decades, right all. The other "
            "component has the table's mean and width; each has half the weight."
        ],
    )
    return figure


SINGULARITY = Experiment("The likelihood has no maximum", THEOREM, run, {"n": 40})
