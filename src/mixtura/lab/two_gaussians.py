"""Two Gaussians: EM finds them from everywhere but a hyperplane, and in ten steps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from mixtura.lab.experiment import Experiment, Findings, Numbers, Told
from mixtura.lab.unit_gaussians import climbed, population
from mixtura.records import Array
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import SAFE, heat
from mixtura.report.panels import INK, QUIET, quiet

THEOREM = (
    "Of two Gaussians of equal weight and known covariance EM finds the means from every start but "
    "those on one hyperplane, where the difference of the means says nothing of the truth (Xu, Hsu "
    "& Maleki 2016, NeurIPS 29). Ten steps from however far leave an error below one percent if "
    "the means are a standard deviation apart or more (Daskalakis, Tzamos & Zampetakis 2017, COLT)."
)
SEPARATIONS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
# Half the difference of the true means, in two columns; starts are looked at so far around.
TRUTH, AROUND = np.array([1.0, 0.0]), 3.0
# Steps that a start has. On the hyperplane only rounding leads away, and takes longer.
STEPS = 50
# Errors below this are rounding.
FINEST = 1e-13


def run(seed: int, told: Told, *, n: int, grid: int) -> Findings:
    """n rows, half of them mirror images of the others, and grid x grid starts."""
    rows = [(mu, *_population(mu)) for mu in SEPARATIONS]
    X = _drawn(n, seed)
    axis = np.linspace(-AROUND, AROUND, grid)
    lines = []
    for done, y in enumerate(axis, 1):
        lines.append([_steps(X, np.array([x, y])) for x in axis])
        told(done, grid)
    steps = np.array(lines)
    across = axis == 0.0
    off = steps[:, ~across]
    tables = (
        Numbers(
            "Population, EM from infinitely far: half the distance of the means, in standard "
            "deviations; relative error after ten steps; what a step leaves of a small error",
            ("distance / 2", "after ten steps", "rate"),
            tuple(rows),
        ),
        Numbers(
            f"{len(X)} rows in two columns, {grid} x {grid} starts: which find the optimum in "
            f"{STEPS} steps",
            ("starts", "number", "found", "median steps", "most steps"),
            (
                ("off the hyperplane", off.size, int((off >= 0).sum()), *_typical(off)),
                _row("on it", steps[:, across]),
            ),
        ),
    )
    curves = {mu: _errors(mu) for mu in SEPARATIONS}
    return Findings(tables, lambda: _figure(axis, steps, curves))


def _row(name: str, steps: Array) -> tuple[object, ...]:
    return name, steps.size, int((steps >= 0).sum()), *_typical(steps)


def _typical(steps: Array) -> tuple[object, object]:
    found = steps[steps >= 0]
    return (int(np.median(found)), int(found.max())) if found.size else (None, None)


def _errors(mu: float) -> Array:
    """Relative errors of the population's EM after 0 to 40 steps, the first from infinity."""
    X, w = population(-mu, mu, fine=200)
    means, errors = np.array([[-1e4], [1e4]]), []
    for _ in range(41):
        means = climbed(X, means, sample_weight=w, tol=0.0, max_iter=1).params.means
        errors.append(means[1, 0] / mu - 1.0)
    return np.asarray(np.abs(errors))


def _population(mu: float) -> tuple[float, float]:
    """(relative error after ten steps, E[x^2 sech^2(mu x)], the rate)."""
    X, w = population(-mu, mu)
    x = X[:, 0]
    return float(_errors(mu)[9]), float(w @ (x / np.cosh(mu * x)) ** 2)


def _drawn(n: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    half = (n + 1) // 2
    signs = np.where(rng.random(half) < 0.5, -1.0, 1.0)
    X = signs[:, None] * TRUTH + rng.normal(size=(half, 2))
    # The sample's own symmetry, so that its hyperplane is that of the population.
    return np.concatenate([X, X * [-1.0, 1.0]])


def _steps(X: Array, half: Array) -> int:
    """Steps from means -half and half to those of the optimum, -1 where they do not suffice."""
    end = climbed(X, np.stack([-half, half]), max_iter=STEPS)
    apart = end.params.means[1] - end.params.means[0]
    return int(end.iterations) if end.converged and abs(apart[0]) > 1.0 else -1


def _figure(axis: Array, steps: Array, curves: dict[float, Array]) -> Figure:
    figure = blank(9.6, 4.6)
    left, right = figure.subplots(1, 2)
    _map(figure, left, axis, steps)
    quiet(right, 9, 6)
    shades = np.linspace(0.35, 1.0, len(curves))
    for shade, (mu, errors) in zip(shades, curves.items(), strict=True):
        kept = errors > FINEST
        at = np.arange(1, len(errors) + 1)[kept]
        right.semilogy(at, errors[kept], color=heat(shade), lw=2.0)
        right.annotate(
            f"{mu:g}",
            (at[-1], errors[kept][-1]),
            (5, 0),
            textcoords="offset points",
            color=INK,
            fontsize=9,
            va="center",
        )
    right.axhline(0.01, color=QUIET, lw=0.8, ls="--")
    right.axvline(10, color=QUIET, lw=0.8, ls="--")
    right.set_xlim(0, 46)
    right.set_ylim(FINEST / 5, 10)
    right.set_xlabel("steps of EM from infinitely far", **LABEL)
    right.set_ylabel("relative error of the means", **LABEL)
    headed(
        figure,
        "Two Gaussians: EM finds them from everywhere but a hyperplane",
        [
            f"Left: starts on rows; orange where {STEPS} steps do not suffice, white dots are the "
            "truth.",
            "Right: the population, numbers are half the distance of the means, in standard "
            "deviations; dashed, ten steps and one percent.",
        ],
    )
    return figure


def _map(figure: Figure, ax: Axes, axis: Array, steps: Array) -> None:
    """Each start's steps; those that find nothing in a colour of their own."""
    quiet(ax, 9, 6)
    ax.grid(False)
    shades = LinearSegmentedColormap.from_list("steps", [heat(share) for share in (0.06, 0.5, 1.0)])
    cmap = shades.with_extremes(bad=SAFE[1])
    shown = np.ma.masked_less(steps, 0)
    drawn = ax.pcolormesh(axis, axis, shown, cmap=cmap, shading="nearest", rasterized=True)
    bar = figure.colorbar(drawn, ax=ax, shrink=0.9)
    bar.set_label("steps of EM", **{**LABEL, "fontsize": 9})
    bar.ax.tick_params(colors=QUIET, labelsize=9, length=3, width=0.8)
    bar.outline.set_visible(False)
    for sign in (-1, 1):
        ax.plot(*(sign * TRUTH), "o", mfc="white", mec=INK, ms=7)
    ax.set_aspect("equal")
    ax.set_xlabel("half the difference of the first means, column 1", **LABEL)
    ax.set_ylabel("column 2", **LABEL)


TWO_GAUSSIANS = Experiment("Two Gaussians have one optimum", THEOREM, run, {"n": 1000, "grid": 41})
