"""Products of families: blocks with gaps, blocks that share no work, and whose spikes are found."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.families.categorical import Categorical
from mixtura.families.gamma import Gamma
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.negativebinomial import NegativeBinomial
from mixtura.families.product import Block, Product
from mixtura.families.vonmises import VonMises

RNG = np.random.default_rng(0)
LABELS = RNG.integers(2, size=400)
X = np.column_stack(
    [
        RNG.gamma(np.array([2.0, 20.0])[LABELS]),
        RNG.negative_binomial(3, np.array([0.3, 0.6])[LABELS]),
        RNG.vonmises(np.array([0.0, 2.0])[LABELS], 3.0),
        (RNG.uniform(size=400) < np.array([0.2, 0.7])[LABELS]),
        RNG.normal(size=400) + 2 * LABELS,
        RNG.normal(size=400) - LABELS,
    ]
)
FAMILY = Product(
    (
        Block(Gamma(), (0,)),
        Block(NegativeBinomial(), (1,)),
        Block(VonMises(), (2,)),
        Block(Categorical(), (3,)),
        Block(Gaussian(structure("full")), (4, 5)),
    )
)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "squarem", "anderson"])
def test_five_families_in_one_table(solver: str) -> None:
    found = fitted(FAMILY, X, 2, solver=solver)
    assert found.fit.verdict == "interior maximum"
    assert found.fit.n_parameters == 1 + 2 * (2 + 2 + 2 + 1 + 5)
    assert found.fit.loglik == pytest.approx(fitted(FAMILY, X, 2).fit.loglik, abs=1e-4)


def test_gaps_are_left_out_where_columns_are_independent_and_refused_where_not() -> None:
    missing = X.copy()
    missing[::5, 0] = missing[1::7, 3] = missing[2::9, 1] = np.nan
    found = fitted(FAMILY, missing, 2)
    assert found.fit.converged
    missing[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"column 'x5' has a gap in row 3"):
        fitted(FAMILY, missing, 2)


def test_a_bad_cell_is_named_by_its_row_in_the_table() -> None:
    long = np.ones((40_000, 2))
    long[33_333, 1] = 0.5
    with pytest.raises(ValueError, match=r"column 'x2' holds 0.5 in row 33333 .*: choose"):
        fitted("poisson", long, 2)


def test_a_spike_in_one_block_is_no_end() -> None:
    """Four rows that are equal in one column are a spike of its family, whatever the others do."""
    few = X[:80].copy()
    few[:4, 0] = 7.0
    found = fitted(FAMILY, few, 2)
    assert not found.fit.floored
    assert (found.params.weights * 80).min() > 10
