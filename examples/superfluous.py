"""Superfluous components: what a prior cannot do, and moves can.

Run it: `python examples/superfluous.py` (a quarter of a minute).

The complaint is scikit-learn's issue #8632.

Three groups in ten columns, and room for twenty components. However small or large the
concentration of the weights is, scikit-learn's fit leaves most of the twenty, each on a part of a
group: the prior enters a step through digamma(concentration + rows) alone, which for a component
with forty rows is the same whether the concentration is 0.0001 or 1. Moves try what no step
can: two components as one, with everything else as it is. The bound decides.
"""

from __future__ import annotations

import warnings

import numpy as np
import sklearn.mixture

from mixtura import BayesianGaussianMixture

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = np.vstack([rng.normal(mean, 1.0, size=(250, 10)) for mean in (-3.0, 0.0, 3.0)])
print("concentration   scikit-learn   without moves           with moves")
for alpha in (1e-4, 1.0, 1e3):
    settings = {"n_components": 20, "weight_concentration_prior": alpha, "random_state": 0}
    theirs = sklearn.mixture.BayesianGaussianMixture(**settings).fit(X)
    still = BayesianGaussianMixture(moves=False, **settings).fit(X)
    moved = BayesianGaussianMixture(**settings).fit(X)
    used = len(np.unique(theirs.predict(X)))
    print(
        f"{alpha:<16g}{used:<15}{still.n_components_} (bound {still.elbo_:.0f})"
        f"      {moved.n_components_} (bound {moved.elbo_:.0f})"
    )
