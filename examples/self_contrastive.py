"""Telling rows from the model's own samples: the likelihood's gradient, at half its length.

Run it: `python examples/self_contrastive.py` (a second or two).

In self-contrastive estimation a mixture p is learnt by telling the rows from noise q, and before
every step the noise is replaced by a frozen copy of the mixture itself. The criterion is
E_data log D + E_q log(1 - D) with D = p / (p + q). Where q = p the classifier can only guess,
D = 1/2 everywhere, and the gradient is

    1/2 E_data grad log p  -  1/2 E_p grad log p.

The second expectation is that of the score, which is zero for every p; what is left is half the
gradient of the mean log-likelihood. So the stationary points are the likelihood's own, the bad
ones among them: Goodfellow (2014), On distinguishability criteria for estimating generative
models, arXiv:1412.6515.

Both are shown below with the library's own criterion (`mixtura.solvers.contrastive`), on the line,
where the expectation under q is an integral and not a sample.
"""

from __future__ import annotations

import numpy as np

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture, normalise
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers.contrastive import Contrast

FULL = structure("full")
MODEL = Mixture(Gaussian(FULL), no_prior(FULL.form, 1))
# The points of the trapezoidal rule, exact to rounding for smooth densities that end inside.
GRID, CELL = np.linspace(-60.0, 80.0, 1401)[:, None], 0.1
# Gradient steps taken, of length 1 in units in which EM's own step is the gradient of the mean
# log-likelihood; the criterion's gradient is half of that, so it is given twice as many.
STEPS = 150


def mixture(weights: Array, means: Array, deviations: Array) -> MixtureParams:
    """A mixture of normal distributions on the line."""
    covariances = np.square(deviations)[:, None, None]
    return MixtureParams(weights, gaussian_params(means[:, None], covariances, FULL.form))


def log_density(X: Array, params: MixtureParams) -> Array:
    """log p(x), (n,)."""
    return normalise(MODEL.log_joint(X, params))[0]


def likelihood_gradient(X: Array, params: MixtureParams) -> Array:
    """Of the mean log-likelihood, in free coordinates around `params`."""
    summary = MODEL.e_step(Chunk(X), params)
    return MODEL.chart(params).gradient(summary, params) / len(X)


def against_itself(X: Array, params: MixtureParams) -> Contrast:
    """The criterion whose noise is a copy of the mixture, of the same weight as the rows."""
    sweep, log_q = open_sweep("local", MODEL, Rows(X)), log_density(GRID, params)
    noise = sweep.over(Rows(GRID, len(X) * CELL * np.exp(log_q)))
    return Contrast(MODEL, sweep, noise, log_density(X, params), log_q)


def contrastive_gradient(X: Array, params: MixtureParams) -> Array:
    """Of the criterion, per row, at the mixture that is also its noise."""
    summary = against_itself(X, params)(params)
    return MODEL.chart(params).gradient(summary, params) / len(X)


def noise_term(X: Array, params: MixtureParams) -> Array:
    """What the noise alone contributes to that gradient."""
    contrast = against_itself(X, params)
    _, summary = contrast.side(contrast.noise, contrast.log_q_noise, -1.0, params)
    return -MODEL.chart(params).gradient(summary, params) / len(X)


def show_the_identity(X: Array, rng: np.random.Generator) -> None:
    """At points drawn at random the two gradients differ by the factor alone."""
    print("Largest entries of: the gradient of the mean log-likelihood (ML); twice the gradient")
    print("of the self-contrastive criterion (SC) less that; what the noise contributes to SC")
    print(f"{'point':>8} {'|ML|':>10} {'|2 SC - ML|':>14} {'|noise term|':>14}")
    worst = 0.0
    for point in range(1, 6):
        params = mixture(
            rng.dirichlet(np.full(3, 3.0)), rng.uniform(-5, 21, 3), rng.uniform(1, 5, 3)
        )
        ml = likelihood_gradient(X, params)
        apart = np.abs(2 * contrastive_gradient(X, params) - ml).max()
        noise = np.abs(noise_term(X, params)).max()
        worst = max(worst, apart, noise)
        print(f"{point:>8} {np.abs(ml).max():>10.3f} {apart:>14.1e} {noise:>14.1e}")
    print(f"2 SC = ML at every point, to {worst:.1e}.\n")


def show_where_they_lead(X: Array) -> None:
    """One component on two clusters, two on the third: a local optimum that both end in."""
    start = mixture(np.full(3, 1 / 3), np.array([0.0, 19.0, 21.0]), np.array([4.0, 1.0, 1.0]))
    likelihood = contrastive = start
    for _ in range(STEPS):
        likelihood = MODEL.chart(likelihood).params(likelihood_gradient(X, likelihood))
    for _ in range(2 * STEPS):
        contrastive = MODEL.chart(contrastive).params(contrastive_gradient(X, contrastive))
    searched = GaussianMixture(3, random_state=0).fit(X)
    best = mixture(
        searched.weights_, searched.means_[:, 0], np.sqrt(searched.covariances_[:, 0, 0])
    )
    ends = {"start": start, "ML steps": likelihood, "SC steps": contrastive, "search": best}

    print("Where gradient steps from one start lead, and what a search of many starts finds")
    print(f"{'':>8} {'log-lik. per row':>17} {'|ML|':>9}   means")
    value = {}
    for name, params in ends.items():
        value[name] = float(log_density(X, params).mean())
        slope = np.abs(likelihood_gradient(X, params)).max()
        means = " ".join(f"{m:6.2f}" for m in np.sort(params.components.means[:, 0]))
        print(f"{name:>8} {value[name]:>17.6f} {slope:>9.1e}   {means}")
    apart = abs(value["SC steps"] - value["ML steps"])
    short = value["search"] - value["SC steps"]
    print(
        f"ML and SC end within {apart:.1e} of one another, {short:.3f} nats per row below the best."
    )


def main() -> None:
    """Three clusters at -4, 4 and 20, a hundred rows each."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(m, 1.0, size=100) for m in (-4.0, 4.0, 20.0)])[:, None]
    show_the_identity(X, rng)
    show_where_they_lead(X)


if __name__ == "__main__":
    main()
