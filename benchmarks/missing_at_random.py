"""How far off estimates are where cells are missing at random, beside those of whole rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from mixtura import GaussianMixture
from mixtura.records import Array

ROWS, REPLICATES = 2000, 200
# Of the second and the third column so much is missing: of all cells 30 %.
MISSING = 0.45


@dataclass(frozen=True)
class Truth:
    """K Gaussians in three columns; the first says where the others are missing."""

    weights: Array
    means: Array
    covariances: Array

    def drawn(self, rng: np.random.Generator, n: int) -> Array:
        """Rows of which cells are missing, the likelier the larger the first number is."""
        own = rng.choice(len(self.weights), size=n, p=self.weights)
        roots = np.linalg.cholesky(self.covariances)[own]
        X = self.means[own] + np.einsum("nij,nj->ni", roots, rng.normal(size=(n, 3)))
        first = X[:, 0] - np.quantile(X[:, 0], 1 - MISSING)
        missing = rng.random((n, 2)) < expit(3.0 * first)[:, None]
        X[:, 1:][missing] = np.nan
        return X

    def off(self, X: Array, **start: Array) -> dict[str, Array]:
        """What a fit to X says less the truth, its components in the order that is nearest."""
        K = len(self.weights)
        found = GaussianMixture(K, random_state=0, **start).fit(X)
        away = ((found.means_[:, None] - self.means) ** 2).sum(axis=2)
        order = min(permutations(range(K)), key=lambda own: away[own, range(K)].sum())
        own = np.array(order)
        lower = np.tril_indices(3)
        return {
            "means": (found.means_[own] - self.means).ravel(),
            "covariances": (found.covariances_[own] - self.covariances)[:, *lower].ravel(),
            "weights": found.weights_[own] - self.weights,
        }


def truth(K: int) -> Truth:
    """Two or three groups, apart by some standard deviations, whose columns tell of each other."""
    means = np.array([[0.0, 0.0, 0.0], [2.0, 4.0, 0.0], [-2.0, 3.0, 4.0]])[:K]
    slope = np.array([[0.7, 0.5, 0.3], [0.5, -0.4, 0.2], [-0.3, 0.6, 0.5]])[:K]
    covariances = np.empty((K, 3, 3))
    for k, (a, b, c) in enumerate(slope):
        covariances[k] = [[1, a, b], [a, 1, c], [b, c, 1]]
    return Truth(np.array([[0.6, 0.4], [0.4, 0.35, 0.25]][K - 2]), means, covariances)


def biases(
    model: Truth, replicates: int, n: int, seed: int, **start: Array
) -> dict[str, tuple[Array, Array]]:
    """By kind of parameter: mean error over the standard deviation of one estimate, of all rows'
    likelihood and of whole rows alone."""
    rng = np.random.default_rng(seed)
    ours, deleted = [], []
    for _ in range(replicates):
        X = model.drawn(rng, n)
        ours.append(model.off(X, **start))
        deleted.append(model.off(X[~np.isnan(X).any(axis=1)], **start))
    return {name: (_bias(ours, name), _bias(deleted, name)) for name in ours[0]}


def _bias(found: list[dict[str, Array]], name: str) -> Array:
    each = np.stack([one[name] for one in found])
    return np.asarray(each.mean(axis=0) / each.std(axis=0, ddof=1))


def run(console: Console) -> None:
    """Print the largest and the typical bias of each kind of parameter."""
    title = f"Bias in standard errors of an estimate: {REPLICATES} tables of {ROWS} rows"
    table = Table(title=title, title_justify="left")
    for name in ("K", "parameters", "largest", "typical", "whole rows: largest", "typical"):
        table.add_column(name, justify="right")
    for K in (2, 3):
        for name, sides in biases(truth(K), REPLICATES, ROWS, K).items():
            told = [f"{v:.2f}" for b in sides for v in (np.abs(b).max(), np.sqrt(np.mean(b**2)))]
            table.add_row(str(K), f"{len(sides[0])} {name}", *told)
    console.print(table)
    near = 2 / np.sqrt(REPLICATES)
    console.print(f"typical: root mean square; without bias 95 of 100 lie within {near:.2f}")
