"""Three Gaussians: almost no start of plain EM may succeed, and the default search does."""

from __future__ import annotations

import math
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.cluster import kmeans_plusplus

from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
from mixtura.lab.unit_gaussians import climbed, population
from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import HAIR, INK, quiet
from mixtura.solvers.climb import Climb

THEOREM = (
    "From three Gaussians on, EM may end in an optimum that is worse by as much as one likes, even "
    "with equal weights, known covariances, well separated means and endless data. The chance that "
    "a random start avoids all such ends falls exponentially in the number of components (Jin, "
    "Zhang, Balakrishnan, Wainwright & Jordan 2016, NeurIPS 29)."
)
# Means -R, R and gR, so far apart that the gap is what the formula says.
TRAPS = ((4.0, 5.0), (5.0, 10.0), (10.0, 10.0))
# Clumps of three Gaussians, and how far they are from each other.
CLUMP, APART, ROWS = (-4.0, 4.0, 40.0), 1000.0, 60
NUMBERS = (3, 6, 9, 12)
WAYS = ("random rows", "k-means++", "greedy k-means++", "mixtura's default")
# Marks of means that are one are so far above each other.
STACKED = 0.012


def run(seed: int, told: Told, *, starts: int, tables: int) -> Findings:
    """`starts` of plain EM, and `tables` fitted by default, for each number of components."""
    traps = [_trap(R, g) for R, g in TRAPS]
    shares = []
    for done, M in enumerate(NUMBERS, 1):
        rng = np.random.default_rng([seed, M])
        shares.append((M, *_shares(M, starts, tables, rng)))
        told(done, len(NUMBERS))
    found = (
        Numbers(
            "Population of means -R, R, gR; EM from (0, gR - 1, gR + 1): where it ends, and what "
            "it misses per row beside R^2 / 3 - ln(2) / 3",
            ("R", "g", "ends at", "misses", "formula"),
            tuple(traps),
        ),
        Numbers(
            f"Share that finds all means, clumps of three, {ROWS} rows a component: plain EM of "
            f"known variances from {counted(starts, 'start')} of each kind, and default fits of "
            f"{counted(tables, 'table')} with everything free",
            ("components", *WAYS),
            tuple(shares),
        ),
    )
    return Findings(found, lambda: _figure(shares))


def _trap(R: float, g: float) -> tuple[float, float, str, float, float]:
    X, w = population(-R, R, g * R)
    end = _trapped(X, w, R, g)
    best = climbed(X, np.array([[-R], [R], [g * R]]), sample_weight=w)
    # No zero with a minus sign.
    ends = ", ".join(f"{round(m, 2) + 0.0:.2f}" for m in end.params.means[:, 0].tolist())
    missed = best.objective - end.objective
    return R, g, ends, float(missed), R * R / 3.0 - math.log(2.0) / 3.0


def _trapped(X: Array, w: Array, R: float, g: float) -> Climb:
    start = np.array([[0.0], [g * R - 1.0], [g * R + 1.0]])
    return climbed(X, start, sample_weight=w, max_iter=400)


def _shares(M: int, starts: int, tables: int, rng: np.random.Generator) -> tuple[float, ...]:
    truth = np.concatenate([APART * clump + np.array(CLUMP) for clump in range(M // 3)])
    found = dict.fromkeys(WAYS, 0)
    X = np.empty((0, 1))
    for index in range(starts):
        if index % max(starts // tables, 1) == 0:
            X = (np.repeat(truth, ROWS) + rng.normal(size=ROWS * M))[:, None]
        rows = X[rng.choice(len(X), M, replace=False)]
        drawn = int(rng.integers(2**31))
        # scikit-learn draws several rows a step and keeps the best, unless told not to.
        spread = kmeans_plusplus(X, M, random_state=drawn, n_local_trials=1)[0]
        greedy = kmeans_plusplus(X, M, random_state=drawn)[0]
        for way, means in zip(WAYS, (rows, spread, greedy), strict=False):
            found[way] += _all_found(truth, climbed(X, means, tol=1e-6).params.means)
    for index in range(tables):
        X = (np.repeat(truth, ROWS) + rng.normal(size=ROWS * M))[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = GaussianMixture(M, random_state=index).fit(X)
        found[WAYS[-1]] += _all_found(truth, fitted.means_)
    over = {WAYS[-1]: tables}
    return tuple(found[way] / over.get(way, starts) for way in WAYS)


def _all_found(truth: Array, means: Array) -> bool:
    """Whether there is a mean within a standard deviation of each."""
    return bool((np.abs(truth[:, None] - means[:, 0]).min(axis=1) < 1.0).all())


def _figure(shares: list[tuple[float, ...]]) -> Figure:
    figure = blank(9.6, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    _ended(left)
    quiet(right, 9, 6)
    numbers = [row[0] for row in shares]
    for at, (way, colour) in enumerate(zip(WAYS, colours(len(WAYS)), strict=True), 1):
        # What lies above the others is a ring that lets them be seen.
        ring = {"ms": 11, "mfc": "none", "mew": 1.8} if way == WAYS[-1] else {"ms": 6}
        right.plot(
            numbers, [row[at] for row in shares], "o-", color=colour, lw=1.8, label=way, **ring
        )
    right.set_xticks(numbers)
    right.set_ylim(-0.03, 1.08)
    right.set_xlabel("components", **LABEL)
    right.set_ylabel("share that finds all means", **LABEL)
    right.legend(frameon=False, fontsize=9, loc="center right", bbox_to_anchor=(1.0, 0.36))
    headed(
        figure,
        "Three Gaussians: plain EM ends in the wrong place, the default search does not",
        [
            "Left: each triangle is a mean of the trap, two of them on one group. Right: starts of "
            "plain EM, and default fits."
        ],
    )
    return figure


def _ended(ax: Axes) -> None:
    """The truth, and the mixture of the first trap."""
    R, g = TRAPS[0]
    X, w = population(-R, R, g * R)
    y = X[:, 0]
    means = _trapped(X, w, R, g).params.means[:, 0]
    quiet(ax, 9, 6)
    ax.fill_between(y, w / (y[1] - y[0]), color=HAIR, lw=0, label="truth")
    fitted = np.mean([np.exp(-0.5 * (y - m) ** 2) for m in means], axis=0)
    ax.plot(y, fitted / math.sqrt(2 * math.pi), color=INK, lw=1.4, label="where EM ends")
    for k, m in enumerate(means):
        beneath = sum(abs(m - other) < 1.0 for other in means[:k])
        ax.plot(m, STACKED * beneath, "^", color=colours(2)[1], ms=8, clip_on=False, zorder=3)
    ax.set_ylim(0, None)
    ax.set_xlabel(f"means -{R:g}, {R:g} and {g * R:g}", **LABEL)
    ax.set_ylabel("density", **LABEL)
    ax.legend(frameon=False, fontsize=9)


THREE_GAUSSIANS = Experiment(
    "Three Gaussians may have bad optima", THEOREM, run, {"starts": 200, "tables": 20}
)
