"""Passes over rows that lie near each other: blocks skip components that none of their rows see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data.near_rows import LEAF, near_order
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.engines.gaussian.climbing import Sums, gaussian_em
from mixtura.engines.gaussian.compiled import m_step_in_c
from mixtura.models.mixture_params import MixtureParams
from tests.test_pruning import assert_same, scattered


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("spread", [1.0, 12.0, 60.0])
def test_passes_along_a_climb_are_those_of_the_dense_engine(d: int, spread: float) -> None:
    model, X, params = scattered("full", K=48, n=5000, d=d, spread=spread)
    w = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(np.float64)
    X[w == 0] = np.nan
    # In two columns as float32.
    rows = Rows(X.astype(np.float32 if d == 2 else np.float64), w)
    sweep, dense = open_sweep("compiled", model, rows), open_sweep("dense", model, rows)
    for _ in range(3):
        want = dense(params)
        assert_same(sweep(params), want)
        params = model.m_step(want, params)


def test_a_component_whose_weight_promises_far_more_than_it_holds_is_looked_at_everywhere() -> None:
    model, X, params = scattered("full", K=40, n=4000, d=2, spread=12.0)
    # Out of sight of every row, and said to hold half of them.
    means = params.components.means.copy()
    means[7] += 25.0 * np.ptp(X, axis=0)
    chosen = np.full(40, 0.5 / 39)
    chosen[7] = 0.5
    away = MixtureParams(chosen, replace(params.components, means=means))
    rows = Rows(X)
    want = open_sweep("dense", model, rows)(away)
    assert_same(open_sweep("compiled", model, rows)(away), want)


def test_steps_inside_skip_what_passes_do() -> None:
    model, X, params = scattered("full", K=40, n=4000, d=2, spread=12.0)
    dense = open_sweep("dense", model, Rows(X))
    s = dense(params).statistics
    c, step = params.components, m_step_in_c(model.family.structure, model.prior)
    ends = [
        gaussian_em(
            rows.X, None, params.weights, c.means, c.root, "full", passes=5, near=near,
            sums=Sums(s.counts, s.first, s.second), **step._asdict(),
        )
        for rows, near in ((Rows(X), False), (Rows(X).near[0], True))
    ]  # fmt: skip
    np.testing.assert_allclose(ends[1].logliks, ends[0].logliks, rtol=1e-13)
    np.testing.assert_allclose(ends[1].means, ends[0].means, rtol=1e-9, atol=1e-9)


def test_leaves_are_full_and_small_boxes() -> None:
    X = np.random.default_rng(0).uniform(size=(5000, 2))
    order = near_order(X)
    assert sorted(order) == list(range(5000))
    sides = [np.ptp(X[order[i : i + LEAF]], axis=0) for i in range(0, 5000 - LEAF, LEAF)]
    # Squares of the same area have sides of 0.11.
    assert np.median(sides) < 0.2
    assert np.max(sides) < 0.4
