"""Steps of animals: the product of a column of zeros and one of lengths is a zero-inflated law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixtura import Block, HiddenMarkov, Product


def test_the_product_is_the_zero_inflated_gamma_law():
    rng = np.random.default_rng(0)
    does = np.repeat(np.tile([0, 1], 6), 15)
    step = rng.gamma(np.array([1.5, 9.0])[does], np.array([0.2, 0.25])[does])
    step[rng.uniform(size=len(does)) < np.array([0.3, 0.05])[does]] = 0.0
    turn = rng.vonmises(0.0, np.array([0.3, 6.0])[does])
    turn[step == 0] = np.nan
    table = pd.DataFrame(
        {"still": (step == 0) * 1.0, "step": np.where(step > 0, step, np.nan), "turn": turn}
    )
    walk = Product(
        [Block("bernoulli", ["still"]), Block("gamma", ["step"]), Block("vonmises", ["turn"])]
    )
    hmm = HiddenMarkov(walk, 2, random_state=0).fit(table)
    z, mean = hmm.bernoulli_probabilities_[:, 0], hmm.gamma_means_[:, 0]
    shape, kappa = hmm.gamma_shapes_[:, 0], hmm.vonmises_concentrations_[:, 0]
    lengths = np.log1p(-z) + stats.gamma.logpdf(step[:, None], shape, scale=mean / shape)
    turns = stats.vonmises.logpdf(turn[:, None], kappa, loc=hmm.vonmises_directions_[:, 0])
    emitted = np.where(step[:, None] == 0, np.log(z), lengths + np.nan_to_num(turns))
    with np.errstate(divide="ignore"):
        ahead, moves = np.log(hmm.initial_), np.log(hmm.transitions_)
    for row in emitted[:-1]:
        ahead = logsumexp(ahead[:, None] + row[:, None] + moves, axis=0)
    total = logsumexp(ahead + emitted[-1])
    assert hmm.score(table) == pytest.approx(total, abs=1e-8)
