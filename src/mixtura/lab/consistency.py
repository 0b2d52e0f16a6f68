"""How estimates come nearer to the truth as rows are added: slowly where one is too many."""

from __future__ import annotations

import warnings

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
from mixtura.lab.unit_gaussians import climbed, population
from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, quiet

THEOREM = (
    "The highest regular maximum of the likelihood comes within 1/sqrt(n) of the truth, with the "
    "inverse of Fisher's information for its variance (Redner & Walker 1984, SIAM Review 26). With "
    "a component too many the error falls with the fourth root of n alone, and EM needs ever more "
    "steps to get there (Dwivedi, Ho, Khamaru, Wainwright, Jordan & Yu 2020, Annals of Statistics "
    "48)."
)
# Half the distance of two Gaussians. Of two fitted to one more tables are drawn, for half of them
# have their maximum at 0.
HALF, SIZES, MORE = 1.0, (100, 300, 1000, 3000, 10_000), 5
# Errors that the figure names.
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def run(seed: int, told: Told, *, tables: int) -> Findings:
    """`tables` of each size."""
    rng = np.random.default_rng(seed)
    predicted = _predicted()
    rows: list[tuple[float, ...]] = []
    for done, n in enumerate(SIZES, 1):
        two, free = np.array([_errors(n, rng) for _ in range(tables)]).T
        one = np.array([_symmetric(rng.normal(size=n)) for _ in range(MORE * tables)])
        rows.append(
            (
                n,
                float(np.sqrt(np.mean(two**2))),
                float(predicted / np.sqrt(n)),
                float(np.sqrt(np.mean(free**2))),
                float(np.median(one[one > 0])) if (one > 0).any() else 0.0,
                float(0.977 * n**-0.25),
            )
        )
        told(done, len(SIZES))
    table = Numbers(
        f"Means -1 and 1, {counted(tables, 'table')} of each size: root mean square error of a "
        f"mean, known variances and everything free; and two fitted to one, {MORE * tables} "
        "tables: median of half their distance where it is not 0",
        ("rows", "known", "information", "all free", "one too many", ".977 / n^(1/4)"),
        tuple(rows),
    )
    return Findings((table,), lambda: _figure(rows))


def _errors(n: int, rng: np.random.Generator) -> tuple[float, float]:
    """(error of a mean with known variances, that of a default fit)."""
    X = (np.where(rng.random(n) < 0.5, -HALF, HALF) + rng.normal(size=n))[:, None]
    means = np.sort(climbed(X, np.array([[-HALF], [HALF]])).params.means[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free = GaussianMixture(2, random_state=0).fit(X).means_[:, 0]
    near = free[np.argmin(np.abs(free - HALF))]
    return float(means[1] - HALF), float(near - HALF)


def _symmetric(x: Array) -> float:
    """The maximum of N(-t, 1)/2 + N(t, 1)/2 over t >= 0; 0 if the mean square is at most 1."""
    if np.mean(x * x) <= 1.0:
        return 0.0
    low, high = 0.0, float(np.abs(x).mean())
    # The gradient mean(x tanh(t x)) - t falls through 0 once.
    for _ in range(50):
        t = 0.5 * (low + high)
        low, high = (t, high) if np.mean(x * np.tanh(t * x)) > t else (low, t)
    return 0.5 * (low + high)


def _predicted() -> float:
    """The asymptotic standard deviation of a mean for one row, by the expected information."""
    X, w = population(-HALF, HALF)
    centred = X - np.array([-HALF, HALF])
    # Each row's slope in both means: responsibility times the distance.
    resp = np.exp(-0.5 * centred**2)
    resp /= resp.sum(axis=1, keepdims=True)
    slopes = resp * centred
    information = (slopes * w[:, None]).T @ slopes
    return float(np.sqrt(np.linalg.inv(information)[1, 1]))


def _figure(rows: list[tuple[float, ...]]) -> Figure:
    figure = blank(7.6, 4.6)
    ax = figure.add_subplot()
    quiet(ax, 9, 6)
    n, known, information, free, one, fourth = np.array(rows).T
    points = {"two, known variances": known, "two, all free": free, "two fitted to one": one}
    for colour, (name, values) in zip(colours(3), points.items(), strict=True):
        ax.loglog(n, values, "o", color=colour, ms=6, label=name)
    ax.loglog(n, information, color=INK, lw=1.2, label="Fisher's information, slope -1/2")
    ax.loglog(n, fourth, color=INK, lw=1.2, ls="--", label="slope -1/4")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.set_xlabel("rows", **LABEL)
    ax.set_ylabel("error of a mean", **LABEL)
    ax.legend(frameon=False, fontsize=9)
    headed(
        figure,
        "Errors fall with the square root of the rows, or far slower",
        ["Points: fits of drawn tables. Lines: what the theorems say, not fitted to the points."],
    )
    return figure


CONSISTENCY = Experiment("More rows, smaller errors", THEOREM, run, {"tables": 40})
