"""What a few outliers do to two Gaussians, and what families made for them do."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.shortcuts import StudentMixture
from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET, quiet

THEOREM = (
    "That two Gaussians are found from almost everywhere holds if the rows are from two Gaussians. "
    "Where they are not, the maximum of the likelihood is the mixture nearest to their law in "
    "Kullback and Leibler's sense (White 1982, Econometrica 50), and a single row far enough out "
    "takes a component for itself (Hennig 2004, Annals of Statistics 32)."
)
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1)
# Two columns; outliers lie in a square of so much either way.
MEANS, WIDE = np.array([[-2.5, 0.0], [2.5, 0.0]]), 30.0
WAYS = ("Gaussian", "Student's t")
# How far the figure's first two axes reach.
FAR, NEAR = 45.0, 7.0


def run(seed: int, told: Told, *, n: int, tables: int) -> Findings:
    """n rows of the two Gaussians and outliers besides, `tables` for each share of them."""
    rng = np.random.default_rng(seed)
    rows, shown = [], None
    for done, share in enumerate(SHARES, 1):
        errors = []
        for _ in range(tables):
            X = _drawn(n, share, rng)
            fitted = _fitted(X)
            errors.append([_error(each.means_) for each in fitted])
            if share == SHARES[-2] and shown is None:
                shown = X, fitted
        lost = np.mean(np.array(errors) > 2.5, axis=0)
        rows.append((share, *np.median(errors, axis=0).tolist(), *lost.tolist()))
        told(done, len(SHARES))
    table = Numbers(
        f"Error of the means, in standard deviations: the median of {counted(tables, 'table')} of "
        f"{n} rows and outliers; and the share in which a group is lost, its mean 2.5 or more away",
        ("outliers", *WAYS, *(f"lost, {way}" for way in WAYS)),
        tuple(rows),
    )
    assert shown is not None
    X, fitted = shown
    return Findings((table,), lambda: _figure(rows, X, fitted))


def _drawn(n: int, share: float, rng: np.random.Generator) -> Array:
    own = MEANS[rng.integers(2, size=n)] + rng.normal(size=(n, 2))
    return np.concatenate([own, rng.uniform(-WIDE, WIDE, size=(round(share * n), 2))])


def _fitted(X: Array) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            GaussianMixture(2, random_state=0).fit(X),
            StudentMixture(2, random_state=0).fit(X),
        )


def _error(means: Array) -> float:
    """The larger distance of a true mean to the fitted one that is its own."""
    apart = np.linalg.norm(MEANS[:, None] - means, axis=2)
    return float(min(max(apart[0, 0], apart[1, 1]), max(apart[0, 1], apart[1, 0])))


def _figure(rows: list[tuple[float, ...]], X: Array, fitted: tuple[Any, Any]) -> Figure:
    figure = blank(9.6, 3.85)
    whole, close, right = figure.subplots(1, 3)
    for ax, reach in ((whole, FAR), (close, NEAR)):
        quiet(ax, 9, 6)
        ax.plot(*X.T, ".", color=QUIET, ms=3, alpha=0.6)
        for mixture, colour in zip(fitted, colours(2), strict=True):
            _ellipses(ax, mixture, colour)
        ax.set_xlim(-reach, reach)
        ax.set_ylim(-reach, reach)
        ax.set_aspect("equal")
    close.plot(*MEANS.T, "o", mfc="white", mec=INK, ms=6)
    whole.set_xlabel("all rows", **LABEL)
    close.set_xlabel("the two groups", **LABEL)
    quiet(right, 9, 6)
    right.set_box_aspect(1.0)
    shares = [100 * row[0] for row in rows]
    for at, (way, colour) in enumerate(zip(WAYS, colours(2), strict=True), 1):
        right.plot(shares, [row[at] for row in rows], "o-", color=colour, lw=1.8, label=way)
    right.set_xlabel("outliers for 100 rows", **LABEL)
    right.set_ylabel("error of the means", **LABEL)
    right.set_ylim(0, None)
    right.legend(frameon=False, fontsize=9)
    headed(
        figure,
        "A few outliers take a Gaussian for themselves",
        [
            f"Left: a table with {100 * SHARES[-2]:g} outliers for 100 rows; ellipses at two "
            "standard deviations, white dots the truth. Right: medians over tables."
        ],
    )
    return figure


def _ellipses(ax: Axes, mixture: Any, colour: str) -> None:
    scales = getattr(mixture, "covariances_", None)
    if scales is None:
        scales = mixture.scales_
    for mean, scale in zip(mixture.means_, scales, strict=True):
        values, vectors = np.linalg.eigh(scale)
        angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
        width, height = 4.0 * np.sqrt(values[::-1])
        ax.add_patch(Ellipse(tuple(mean), width, height, angle=angle, fc="none", ec=colour, lw=1.8))


MISFIT = Experiment("What outliers do to two Gaussians", THEOREM, run, {"n": 400, "tables": 20})
