"""Passes over the data that each solver needs, and whether it keeps to EM's optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import ortho_group
from sklearn.cluster import KMeans, kmeans_plusplus

from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.errors import FAILURES
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.problem import Problem
from mixtura.solvers.registry import resolve_solver

NAMES = ("em", "squarem", "anderson", "lbfgs", "newton", "auto")
SEPARATIONS, COLUMNS, ROWS = (4.0, 2.5, 1.8, 1.2), (2, 10, 30), 20_000
# Counted are the passes to this gap per row; climbed is to a hundredth of it, by each solver's own
# estimate.
NEAR = 1e-8
# Ends closer than this per row are one optimum, ends farther apart than that are two.
SAME, OTHER = 1e-7, 1e-5
# EM steps at most, and steps of the others.
EM_STEPS, STEPS = 8000, 2000
STARTS = 16


def triangle(separation: float, d: int, n: int) -> Array:
    """Weights 0.5, 0.3, 0.2, unit covariances, each pair of means `separation` apart."""
    rng = np.random.default_rng(0)
    angles = 2.0 * np.pi * np.arange(3) / 3.0
    means = np.zeros((3, d))
    means[:, :2] = separation / np.sqrt(3.0) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    return np.asarray(means[labels] + rng.normal(size=(n, d)))


def clouds(c: float, K: int, d: int, n: int, seed: int) -> Array:
    """Equal weights, turned covariances of eccentricity 10, the nearest means c sqrt(d) apart.

    The setting of Hosseini & Sra (2020), Mathematical Programming 181; the largest variance is 1.
    """
    rng = np.random.default_rng(seed)
    spread = np.linspace(1.0, 10.0, d) / 10.0
    axes = [ortho_group.rvs(d, random_state=rng.integers(2**31)) for _ in range(K)]
    means = rng.normal(size=(K, d))
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    means *= c * np.sqrt(d) / apart[apart > 0].min()
    labels = rng.integers(K, size=n)
    X = np.empty((n, d))
    for k in range(K):
        mine = labels == k
        X[mine] = rng.multivariate_normal(means[k], axes[k] * spread @ axes[k].T, size=mine.sum())
    return X


# The hard problems: name, rows, components.
HARD: list[tuple[str, Callable[[], Array], int]] = [
    ("c = 0.5, d = K = 5", lambda: clouds(0.5, 5, 5, 10_000, 2), 5),
    ("c = 0.2, d = K = 5", lambda: clouds(0.2, 5, 5, 10_000, 5), 5),
    ("separation 1.8, d = 10, K = 3", lambda: triangle(1.8, 10, 5000), 3),
]


class Recorder:
    """A sweep, one step at a time, that keeps the log-likelihood of every pass."""

    stride = 1

    def __init__(self, model: Mixture, rows: Rows) -> None:
        self.sweep = open_sweep(resolve("auto", model), model, rows)
        self.rows = rows
        self.logliks: list[float] = []

    @property
    def passes(self) -> int:
        return self.sweep.passes

    def __call__(self, params: Any) -> Summary:
        summary = self.sweep(params)
        # Passes that are no E-step of the model count, but show no log-likelihood.
        self.logliks += [-np.inf] * (self.passes - 1 - len(self.logliks))
        self.logliks.append(summary.loglik)
        return summary

    def advance(
        self, model: Any, params: Any, summary: Summary, steps: int
    ) -> tuple[Any, list[float]]:
        between = []
        for _ in range(steps - 1):
            params = model.m_step(summary, params)
            summary = self(params)
            between.append(summary.loglik)
        return model.m_step(summary, params), between

    def folded(self, step: Any) -> Summary:
        return self.sweep.folded(step)

    def over(self, rows: Rows) -> Any:
        return self.sweep.over(rows)


@dataclass(frozen=True)
class Ended:
    """One climb: the log-likelihood per row after each pass and at the end."""

    solver: str
    logliks: Array
    end: float
    converged: bool

    def passes(self, optimum: float) -> int | None:
        """The first pass within NEAR of the optimum; None where there was none."""
        near = np.flatnonzero(self.logliks >= optimum - NEAR)
        return 1 + int(near[0]) if self.converged and len(near) else None


@dataclass(frozen=True)
class Task:
    """A table and the full-covariance mixture of K components to be fitted, without penalty."""

    X: Array
    K: int

    @property
    def model(self) -> Mixture:
        full = structure("full")
        return Mixture(Gaussian(full), no_prior(full.form, self.X.shape[1]))

    def start(self, labels: AnyArray) -> MixtureParams:
        """One M-step from hard labels."""
        moments, K = table_moments(self.X, None), self.K
        parts = gaussian_params(
            np.tile(moments.mean, (K, 1)),
            np.tile(moments.covariance, (K, 1, 1)),
            structure("full").form,
        )
        base = MixtureParams(np.full(K, 1.0 / K), parts)
        return self.model.first_step(self.X, None, np.eye(K)[labels], base)

    def by_k_means(self) -> MixtureParams:
        return self.start(KMeans(self.K, n_init=1, random_state=0).fit(self.X).labels_)

    def by_centres(self, seed: int) -> MixtureParams:
        """From the rows nearest to each of K centres drawn by k-means++."""
        centres, _ = kmeans_plusplus(self.X, self.K, random_state=np.random.RandomState(seed))
        return self.start(np.square(self.X[:, None] - centres).sum(axis=2).argmin(axis=1))

    def climbed(self, solver: str, start: MixtureParams) -> Ended:
        """Where a solver ends; nowhere, if it runs into a singularity."""
        model, n = self.model, len(self.X)
        sweep = Recorder(model, Rows(self.X))
        _, climber = resolve_solver(solver, model)
        steps = EM_STEPS if solver == "em" else STEPS
        try:
            climb: Climb = climber(Problem(model, sweep, start, tol=0.01 * NEAR, max_iter=steps))
        except FAILURES:
            return Ended(solver, np.array(sweep.logliks) / n, -np.inf, False)
        return Ended(solver, np.array(sweep.logliks) / n, climb.objective / n, climb.converged)


def shown(run: Ended, em: Ended, optimum: float) -> str:
    """Passes, and how the end compares with EM's."""
    if run.end == -np.inf:
        return "singular"
    passes = run.passes(optimum)
    count = f"> {len(run.logliks)}" if passes is None else str(passes)
    # A climb cut short shows nothing of an optimum above its end.
    below = run.converged and run.end < em.end - OTHER
    above = em.converged and run.end > em.end + OTHER
    mark = "-" if below else "+" if above else " "
    return f"{count} {mark}"


def ratio(em: Ended, auto: Ended, optima: dict[str, float]) -> str:
    """EM's passes over auto's, each to its own optimum."""
    ours, theirs = auto.passes(optima["auto"]), em.passes(optima["em"])
    if ours is None:
        return "?"
    return f"> {len(em.logliks) / ours:.1f}" if theirs is None else f"{theirs / ours:.1f}"


def passes_table() -> Table:
    """One row per problem, one column per solver, from one k-means start each."""
    table = Table(
        title=f"Passes to within {NEAR:g} of the optimum, 3 components, {ROWS:,} rows, "
        "full covariances, one k-means start for all"
    )
    for heading in ("separation", "columns", *NAMES, "em / auto"):
        table.add_column(heading, justify="right")
    for separation in SEPARATIONS:
        for d in COLUMNS:
            problem = Task(triangle(separation, d, ROWS), 3)
            start = problem.by_k_means()
            runs = {name: problem.climbed(name, start) for name in NAMES}
            optima = {
                name: max(other.end for other in runs.values() if abs(other.end - run.end) < SAME)
                if run.end > -np.inf
                else run.end
                for name, run in runs.items()
            }
            table.add_row(
                f"{separation:g}",
                str(d),
                *(shown(run, runs["em"], optima[name]) for name, run in runs.items()),
                ratio(runs["em"], runs["auto"], optima),
            )
    return table


def safety_table() -> Table:
    """How often a solver ends elsewhere than EM from the same k-means++ start."""
    table = Table(
        title=f"Ends more than {OTHER:g} per row below and above plain EM, "
        f"{STARTS} k-means++ starts each"
    )
    for heading in ("problem", "solver", "below", "above", "lowest", "passes", "EM's passes"):
        table.add_column(heading, justify="right")
    for name, rows, K in HARD:
        problem = Task(rows(), K)
        starts = [problem.by_centres(seed) for seed in range(STARTS)]
        em = [problem.climbed("em", start) for start in starts]
        for solver in ("auto", "squarem", "lbfgs"):
            runs = [problem.climbed(solver, start) for start in starts]
            change = np.array([run.end - plain.end for run, plain in zip(runs, em, strict=True)])
            table.add_row(
                name,
                solver,
                str(int(np.sum(change < -OTHER))),
                str(int(np.sum(change > OTHER))),
                f"{change.min():.0e}" if change.min() < -OTHER else "",
                f"{sum(len(run.logliks) for run in runs):,}",
                f"{sum(len(run.logliks) for run in em):,}",
            )
    return table


def run(console: Console) -> None:
    """Print both tables."""
    console.print(passes_table())
    console.print(
        "- and +: the optimum it ended at is lower or higher than EM's by more than 1e-5 per row "
        "(each is counted to its own). >: not there after so many passes: it stopped early, or "
        f"after {EM_STEPS:,} EM steps or {STEPS:,} of another solver."
    )
    console.print(
        "promised of auto: at most 1.1 times EM's passes, at least 5 times fewer at separation "
        "2.5, 15 times fewer at 1.8"
    )
    console.print(safety_table())
    console.print("promised of auto: none below")
