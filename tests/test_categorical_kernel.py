"""The compiled pass of categorical columns equals the plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura.data.rows import Rows
from mixtura.engines.categorical import levels_pass
from mixtura.engines.choose import open_sweep, resolve
from mixtura.families.categorical import Categorical, CategoricalParams
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 300),
    K=st.integers(1, 19),
    levels=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    weighted=st.booleans(),
)
def test_gaps_weights_and_levels_never_met_are_summed_as_in_the_plain_pass(
    seed: int, n: int, K: int, levels: list[int], weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = np.stack([rng.integers(0, many + 1, n) for many in levels], axis=1).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    weight = rng.integers(0, 3, n) * 0.7 if weighted else None
    shares = [rng.dirichlet(np.full(many, 0.3), size=K) for many in levels]
    weights = rng.dirichlet(np.full(K, 0.5))
    weights[rng.integers(K)] = 0.0 if K > 1 else 1.0
    params = MixtureParams(weights / weights.sum(), CategoricalParams(np.hstack(shares)))
    model = Mixture(Categorical(tuple(levels)), Flat())
    plain = open_sweep("local", model, Rows(X, weight))(params)
    fused = open_sweep("compiled", model, Rows(X, weight))(params)
    for told, own in (
        (plain.loglik, fused.loglik),
        (plain.weight, fused.weight),
        (plain.statistics.counts, fused.statistics.counts),
        (plain.statistics.hits, fused.statistics.hits),
    ):
        np.testing.assert_allclose(own, told, rtol=1e-12, atol=1e-12 * n)


def test_a_long_table_is_swept_in_chunks_and_chosen_by_default() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(40_000, 4)).astype(np.float32)
    model = Mixture(Categorical((3,) * 4), Flat())
    shares = rng.dirichlet(np.ones(3), size=(5, 4)).reshape(5, -1)
    params = MixtureParams(np.full(5, 0.2), CategoricalParams(shares))
    assert resolve("auto", model) == "compiled"
    plain, fused = (
        open_sweep(engine, model, Rows(X))(params) for engine in ("threads", "compiled")
    )
    assert fused.loglik == pytest.approx(plain.loglik, rel=1e-12)
    np.testing.assert_allclose(fused.statistics.hits, plain.statistics.hits, rtol=1e-10)


def test_rows_and_tables_that_do_not_fit_each_other_never_reach_the_kernel() -> None:
    table: Array = np.zeros((5, 2))
    with pytest.raises(ValueError, match="3 columns, levels"):
        levels_pass(Chunk(np.zeros((4, 3))), (3, 2), np.zeros(2), table)
    with pytest.raises(ValueError, match="sample_weight"):
        levels_pass(Chunk(np.zeros((4, 2)), np.ones(3)), (3, 2), np.zeros(2), table)
