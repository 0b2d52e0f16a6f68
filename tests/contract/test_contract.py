"""What every family, model and engine owes; see cases.py for who is tested."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pytest
from cases import CASES, FACTOR_CASES, Case
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura.data.rows import Rows
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import ENGINES, fill, open_sweep, resolve
from mixtura.models.responsibilities import normalise
from mixtura.records import Chunk, Summary, inner
from mixtura.solvers.climb import directional
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem


def runs(engine: str, case: Case) -> bool:
    """Whether the engine has a pass for the model; engine="auto" then never asks for it."""
    try:
        return resolve(engine, case.model) == engine
    except ValueError:
        return False


ALL = [*CASES, *FACTOR_CASES]
every_case = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
# With every case each engine that has a pass for it.
every_engine = pytest.mark.parametrize(
    ("case", "engine"),
    [(case, engine) for case in ALL for engine in sorted(ENGINES) if runs(engine, case)],
    ids=lambda one: getattr(one, "name", one),
)


def assert_summaries_close(one: Summary, two: Summary, rtol: float = 1e-10) -> None:
    assert one.loglik == pytest.approx(two.loglik, rel=rtol, abs=1e-10)
    assert one.weight == pytest.approx(two.weight, rel=rtol)
    for field in fields(one.statistics):  # type: ignore[arg-type]
        a, b = getattr(one.statistics, field.name), getattr(two.statistics, field.name)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max()))


def objective(case: Case, params: object) -> float:
    return case.model.e_step(Chunk(case.X), params).loglik + case.model.log_prior(params)


@every_case
@given(cut=st.integers(1, 149))
@settings(max_examples=10, deadline=None)
def test_statistics_add_over_any_chunking(case: Case, cut: int) -> None:
    whole = case.model.e_step(Chunk(case.X), case.params)
    parts = case.model.e_step(Chunk(case.X[:cut]), case.params) + case.model.e_step(
        Chunk(case.X[cut:]), case.params
    )
    assert_summaries_close(parts, whole)


@every_engine
@given(seed=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None)
def test_a_weight_is_copies_of_the_row(case: Case, engine: str, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, size=len(case.X))
    weights[0] = 2
    weighted = open_sweep(engine, case.model, Rows(case.X, weights.astype(float)))(case.params)
    copies = np.repeat(case.X, weights, axis=0)
    assert_summaries_close(weighted, open_sweep(engine, case.model, Rows(copies))(case.params))


@every_engine
def test_every_engine_equals_the_plain_sum(case: Case, engine: str) -> None:
    X = np.tile(case.X, (70, 1))  # several chunks for every engine
    X.flags.writeable = False
    w = np.random.default_rng(0).uniform(0, 2, size=len(X))
    for weights in (None, w):
        whole = case.model.e_step(Chunk(X, weights), case.params)
        assert_summaries_close(
            open_sweep(engine, case.model, Rows(X, weights))(case.params), whole, 1e-9
        )


@every_engine
def test_several_steps_at_once_are_single_steps_repeated(case: Case, engine: str) -> None:
    sweep = open_sweep(engine, case.model, Rows(case.X))
    many, after, between = sweep.advance(case.model, case.params, sweep(case.params), 5)
    params, logliks = case.params, []
    for _ in range(5):
        params = case.model.m_step(sweep(params), params)
        logliks.append(sweep(params).loglik)
    np.testing.assert_allclose(between, logliks[:-1], rtol=1e-10)
    assert_summaries_close(after, sweep(many), 1e-9)
    for name, value in params.arrays().items():
        np.testing.assert_allclose(many.arrays()[name], value, rtol=1e-7, atol=1e-9)


@every_engine
def test_row_answers_agree_with_the_family_and_bayes_rule(case: Case, engine: str) -> None:
    n, K = len(case.X), len(case.params.weights)
    out = RowOutputs(np.empty(n), np.empty((n, K)), np.empty(n, np.int64), np.empty((n, K)))
    fill(engine, case.model, case.X, case.params, out)
    log_density = case.model.family.log_density(case.X, case.params.components)
    log_p, resp = normalise(log_density + case.params.log_weights)
    np.testing.assert_allclose(out.component_log_density, log_density, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(out.log_density, log_p, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(out.responsibilities, resp, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(out.labels, resp.argmax(axis=1))


@every_case
def test_log_density_is_scipys(case: Case) -> None:
    if case.twin is None:
        pytest.skip("no independent density")
    np.testing.assert_allclose(
        case.model.family.log_density(case.X, case.params.components),
        case.twin(case.X, case.params),
        rtol=1e-10,
        atol=1e-10,
    )


@every_case
def test_responsibilities_are_those_of_brute_force_enumeration(case: Case) -> None:
    X, K = case.X[:3], len(case.params.weights)
    joint = case.model.log_joint(X, case.params)
    total, posterior = 0.0, np.zeros((3, K))
    for labels in itertools.product(range(K), repeat=3):
        p = np.exp(sum(joint[i, k] for i, k in enumerate(labels)))
        total += p
        posterior[np.arange(3), labels] += p
    summary = case.model.e_step(Chunk(X), case.params)
    assert summary.loglik == pytest.approx(np.log(total), rel=1e-10)
    np.testing.assert_allclose(
        case.model.family.counts(summary.statistics), posterior.sum(axis=0) / total, rtol=1e-9
    )


@every_case
def test_score_is_the_finite_difference_of_the_objective(case: Case) -> None:
    gradient = case.model.score(case.model.e_step(Chunk(case.X), case.params), case.params)
    rng = np.random.default_rng(3)
    for name, value in case.params.arrays().items():
        direction = rng.normal(size=value.shape) * np.abs(value).mean()
        if name == "weights":
            direction = value * (direction - value @ direction)
        if value.ndim >= 2 and value.shape[-1] == value.shape[-2] and name == "covariances":
            form = case.model.family.form  # type: ignore[attr-defined]
            if form.correlates:
                direction = direction + np.swapaxes(direction, -1, -2)
        step = 1e-6

        def moved(sign: float, name: str = name, value=value, direction=direction):  # type: ignore[no-untyped-def]
            given = {name: value + sign * 1e-6 * direction}
            return objective(case, case.model.with_arrays(case.params, given))

        numeric = (moved(1) - moved(-1)) / (2 * step)
        assert inner({name: gradient[name]}, {name: direction}) == pytest.approx(
            numeric, rel=1e-5, abs=1e-4
        )


@every_case
def test_em_never_falls_and_stops_where_the_gradient_vanishes(case: Case) -> None:
    sweep = open_sweep("local", case.model, Rows(case.X))
    climb = em(Problem(case.model, sweep, case.params, tol=1e-13, max_iter=20_000))
    assert climb.converged, climb.reason
    assert np.all(np.diff(climb.logliks) >= -1e-9) or case.model.log_prior(climb.params) != 0
    assert climb.gradient_norm < 1e-5
    if not case.free:
        # No gradient to look at: a fixed point, judged by what ten more steps gain.
        on, _, _ = sweep.advance(case.model, climb.params, climb.summary, 10)
        assert objective(case, on) - objective(case, climb.params) < 1e-9 * len(case.X)
        return
    if case.tied:
        chart = case.model.chart(climb.params)
        gradient = chart.gradient(climb.summary, climb.params) / len(case.X)
        assert np.abs(gradient).max() < 1e-5
        return
    gradient = case.model.score(climb.summary, climb.params)
    # On the simplex only differences between the weights' slopes count.
    weights = gradient.pop("weights")
    assert np.ptp(weights) < 1e-3 * len(case.X)
    for name, value in gradient.items():
        scale = np.abs(climb.params.arrays()[name]).max()
        assert np.abs(value).max() * scale < 1e-3 * len(case.X), name


@every_case
def test_the_directional_slope_bounds_the_gain_of_a_step(case: Case) -> None:
    summary = case.model.e_step(Chunk(case.X), case.params)
    slope = directional(case.model, summary, case.params) * summary.weight
    gain = objective(case, case.model.m_step(summary, case.params)) - objective(case, case.params)
    assert slope > 0
    assert gain > 0


def shared(name: str, value: object, case: Case) -> bool:
    if name == "covariances":
        return bool(case.model.family.form.shared)  # type: ignore[attr-defined]
    return len(value) == 1 < len(case.params.weights)  # type: ignore[arg-type]


@every_case
def test_relabelling_the_components_changes_nothing(case: Case) -> None:
    order = np.random.default_rng(1).permutation(len(case.params.weights))
    arrays = {
        # What all components share is stored once.
        name: value if shared(name, value, case) else value[order]
        for name, value in case.params.arrays().items()
    }
    relabelled = case.model.with_arrays(case.params, arrays)
    assert objective(case, relabelled) == pytest.approx(objective(case, case.params), rel=1e-12)


@every_case
def test_samples_match_the_density(case: Case) -> None:
    """Mean log-density of a sample against its own expectation by a second sample.

    Both are means of 20,000 independent terms: a z-test at 5 sd, false-alarm rate 6e-7 each.
    """
    rng = np.random.RandomState(0)
    draws = [case.model.sample(20_000, case.params, rng) for _ in range(2)]
    means, labels = draws[0]
    counts = np.bincount(labels, minlength=len(case.params.weights)) / len(labels)
    sd = np.sqrt(case.params.weights * (1 - case.params.weights) / len(labels))
    assert np.all(np.abs(counts - case.params.weights) <= 5 * sd + 1e-12)
    expected = case.params.weights @ case.params.components.means
    spread = means.std(axis=0) / np.sqrt(len(means))
    assert np.all(np.abs(means.mean(axis=0) - expected) <= 5 * spread)
    if case.twin is None:
        return
    for k in range(len(case.params.weights)):
        # E[-2 log p(x|k)] - constant = d under component k: a chi-square mean with variance 2d.
        rows = means[labels == k]
        if len(rows) < 50:
            continue
        d = rows.shape[1]
        log_p = case.twin(rows, case.params)[:, k]
        peak = case.twin(case.params.components.means[k : k + 1], case.params)[0, k]
        squares = -2 * (log_p - peak)
        assert abs(squares.mean() - d) <= 5 * np.sqrt(2 * d / len(rows))


@every_case
def test_inputs_are_left_alone(case: Case) -> None:
    X, w = case.X.copy(), np.full(len(case.X), 0.5)
    X.flags.writeable = w.flags.writeable = False
    for array in case.params.arrays().values():
        array.flags.writeable = False
    summary = case.model.e_step(Chunk(X, w), case.params)
    case.model.m_step(summary, case.params)
    case.model.score(summary, case.params)
