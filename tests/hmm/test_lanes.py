"""Sequences side by side and cut into lanes: equal to one after the other, in logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.data.kinds import kinds_of
from mixtura.data.rows import Rows
from mixtura.data.sequences import Sequences
from mixtura.data.source import Columns
from mixtura.engines import lanes
from mixtura.engines.chain import RECURSION, in_lanes, likeliest
from mixtura.engines.chain_steps import TableSteps
from mixtura.engines.choose import chain_sweep, open_sweep
from mixtura.engines.lanes import Lanes, packs
from mixtura.engines.native import chain as sequential
from mixtura.engines.native.stretches import RunOut, swept
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.priors import Flat
from mixtura.families.registry import family
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.recursions import filtered_in_logarithms, in_logarithms
from mixtura.records import Chunk
from tests.hmm.test_recursions import chain, enumerated


@pytest.fixture
def short_lanes(monkeypatch):
    """Lanes of few steps, so that short sequences are cut."""
    monkeypatch.setattr(lanes, "_LEAST", 5)
    monkeypatch.setattr(lanes, "_STEPS", 10)


LENGTHS = np.array([1, 130, 2, 1, 90, 3, 20, 20, 20, 1])
STOPS = np.cumsum(LENGTHS)
N = int(STOPS[-1])


def law(K: int, seed: int = 0, *, barred: bool = False):
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.full(K, 0.7), K) * 0.5 + 0.5 * np.eye(K)
    if barred and K > 2:
        moves[0, 1] = moves[2, 0] = 0.0
        moves /= moves.sum(axis=1, keepdims=True)
    return rng.dirichlet(np.ones(K)), moves


def weights(rng):
    return np.repeat(rng.integers(0, 3, size=len(LENGTHS)).astype(float), LENGTHS)


def params_of(components, K: int, *, barred: bool = False) -> HiddenMarkovParams:
    return HiddenMarkovParams(np.full(K, 1 / K), components, *law(K, barred=barred))


def same(model, params, X, weight=None):
    """The sweep's answers against those in logarithms."""
    rows = Sequences(X, weight, STOPS)
    sweep = chain_sweep(model, rows)
    fused = sweep._fused(params)
    assert fused is not None
    plain = model.e_step(Chunk(np.asarray(X, np.float64), weight, slice(0, N), STOPS), params)
    assert fused.loglik == pytest.approx(plain.loglik, rel=1e-12)
    assert fused.weight == plain.weight
    expected = plain.statistics.arrays()
    for name, array in fused.statistics.arrays().items():
        scale = max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-11 * scale)
    emitted = model.emissions(X, params)
    loglik, posterior, _ = in_logarithms(emitted, params.initial, params.transitions, STOPS)
    found = sweep.smoothed(params)
    np.testing.assert_allclose(found[0], loglik, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found[1], posterior, atol=1e-11)
    starts = np.concatenate([[0], STOPS[:-1]])
    now = sweep.filtered(params)[1]
    for a, b in zip(starts, STOPS, strict=True):
        one = filtered_in_logarithms(emitted[a:b], params.initial, params.transitions)[1]
        np.testing.assert_allclose(now[a:b], one, atol=1e-11)
    return sweep, emitted


def gaussian(form: str, K: int, d: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    kind = Gaussian(structure(form))
    means = rng.normal(size=(K, d)) / np.sqrt(d)
    root = np.tril(rng.normal(size=(K, d, d))) * 0.2 + 0.8 * np.eye(d)
    dense = root @ np.swapaxes(root, 1, 2)
    covariances = {
        "full": dense,
        "tied": dense[0],
        "diag": np.diagonal(dense, axis1=1, axis2=2).copy(),
        "spherical": dense[:, 0, 0].copy(),
    }[form]
    return kind, kind.params({"means": means, "covariances": covariances})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("form", "K", "d"),
    [
        ("full", 3, 1),
        ("full", 6, 4),
        ("full", 3, 20),
        ("full", 3, 33),
        ("tied", 4, 3),
        ("tied", 2, 20),
        ("diag", 8, 1),
        ("diag", 11, 3),
        ("spherical", 2, 2),
        ("diag", 1, 2),
    ],
)
def test_gaussian_lanes(short_lanes, form, K, d, weighted):
    rng = np.random.default_rng(d)
    kind, components = gaussian(form, K, d)
    X = rng.normal(size=(N, d)) + components.means[rng.integers(K, size=N)]
    X[[0, 5, 100, 221]] = np.nan
    w = (
        np.repeat(rng.integers(0, 3, size=len(LENGTHS)).astype(float), LENGTHS)
        if weighted
        else None
    )
    same(HiddenMarkov(kind, Flat()), params_of(components, K, barred=True), X, w)


def test_float32_rows(short_lanes):
    kind, components = gaussian("full", 3, 2)
    X = np.random.default_rng(1).normal(size=(N, 2)).astype(np.float32)
    same(HiddenMarkov(kind, Flat()), params_of(components, 3), X)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["poisson", "categorical", "bernoulli"])
def test_rows_of_few_kinds(short_lanes, name, weighted):
    rng = np.random.default_rng(2)
    K, levels = 5, 7
    X = rng.integers(0, 2 if name == "bernoulli" else levels, size=(N, 1)).astype(float)
    X[[3, 60, 200]] = np.nan
    kind = family(name)
    if name == "categorical":
        kind = kind.for_table(["a"], (), X)
        arrays = {"probabilities": rng.dirichlet(np.ones(levels), K)}
    else:
        arrays = {next(iter(kind.supports())): rng.uniform(0.2, 0.8, size=(K, 1))}
    w = (
        np.repeat(rng.integers(0, 3, size=len(LENGTHS)).astype(float), LENGTHS)
        if weighted
        else None
    )
    sweep, _ = same(HiddenMarkov(kind, Flat()), params_of(kind.params(arrays), K), X, w)
    assert sweep.rows.kinds is not None


@pytest.mark.parametrize(("K", "T"), [(2, 8), (2, 10), (3, 8)])
def test_all_paths_of_a_sequence_that_is_cut(monkeypatch, K, T):
    monkeypatch.setattr(lanes, "_LEAST", 1)
    b, initial, moves = chain(K, T)
    ends = np.array([T])
    assert len(packs(ends, None)[0].begins) == 8
    loglik, posterior, met, (p, path) = enumerated(b, initial, moves)
    states = np.empty((T, K))
    found = in_lanes(TableSteps(b), (initial, moves), Lanes(ends), posterior=states)
    np.testing.assert_allclose(found.loglik, loglik, atol=1e-12)
    np.testing.assert_allclose(states, posterior, atol=1e-12)
    np.testing.assert_allclose(found.met, met, atol=1e-12)
    np.testing.assert_allclose(found.starts, posterior[0], atol=1e-12)
    value, told = likeliest(TableSteps(b), (initial, moves), Lanes(ends))
    np.testing.assert_allclose(value, np.log(p), atol=1e-12)
    assert tuple(told) == path


@pytest.mark.parametrize("K", [2, 4, 9])
def test_the_likeliest_path_of_many_lanes(short_lanes, K):
    rng = np.random.default_rng(K)
    initial, moves = law(K, barred=True)
    b = 2.0 * rng.normal(size=(N, K))
    b[20] = 0.0
    value, states = likeliest(TableSteps(b), (initial, moves), Lanes(STOPS))
    start = 0
    with np.errstate(divide="ignore"):
        log_initial, log_moves = np.log(initial), np.log(moves)
    for s, stop in enumerate(STOPS):
        z = states[start:stop]
        own = (
            log_initial[z[0]] + log_moves[z[:-1], z[1:]].sum() + b[np.arange(start, stop), z].sum()
        )
        assert own == pytest.approx(value[s], rel=1e-12)
        delta = log_initial + b[start]
        for t in range(start + 1, stop):
            delta = (delta[:, None] + log_moves).max(axis=0) + b[t]
        assert own == pytest.approx(delta.max(), rel=1e-12)
        start = stop


def test_what_is_never_forgotten_is_not_cut(short_lanes):
    b = np.random.default_rng(3).normal(size=(300, 3))
    initial, moves = np.array([0.2, 0.5, 0.3]), np.eye(3)
    ends = np.array([300])
    assert len(packs(ends, None)) > 1
    posterior = np.empty(b.shape)
    found = in_lanes(TableSteps(b), (initial, moves), Lanes(ends), posterior=posterior)
    plain = in_logarithms(b, initial, moves, ends)
    np.testing.assert_allclose(found.loglik, plain[0], rtol=1e-12)
    np.testing.assert_allclose(posterior, plain[1], rtol=1e-9, atol=1e-300)
    value, states = likeliest(TableSteps(b), (initial, moves), Lanes(ends))
    best = np.log(initial) + b.sum(axis=0)
    assert value[0] == pytest.approx(best.max())
    assert (states == best.argmax()).all()


@pytest.mark.parametrize("T", [8191, 8193, 20_000])
def test_a_long_sequence_that_is_not_cut(T):
    rng = np.random.default_rng(T)
    # From left to right, and the last state is left for none: what was is never forgotten.
    initial, moves = np.array([0.5, 0.5, 0.0]), np.diag([0.999, 0.999, 1.0])
    moves[0, 1] = moves[1, 2] = 0.001
    b = rng.normal(size=(T + 2, 3)) + 0.3 * np.eye(3)[np.arange(T + 2) * 3 // (T + 2)]
    value, states = likeliest(TableSteps(b), (initial, moves), Lanes(np.array([T, T + 2])))
    with np.errstate(divide="ignore"):
        best, log_moves = np.log(initial) + b[0], np.log(moves)
    whence = np.empty((T, 3), dtype=np.int64)
    for t in range(1, T):
        by = best[:, None] + log_moves
        whence[t], best = by.argmax(axis=0), by.max(axis=0) + b[t]
    z = best.argmax()
    assert value[0] == pytest.approx(best.max(), rel=1e-13)
    for t in range(T - 1, -1, -1):
        assert states[t] == z
        z = whence[t, z]
    assert len(np.unique(states[:T])) == 3


def test_forward_vectors_are_kept_or_made_again():
    # In many short lanes they stay in the cache, in a long one they do not.
    n, K = 20_000, 12
    table = np.random.default_rng(4).normal(scale=2.0, size=(n, K))
    start, moves = law(K)
    stops = np.array([n])
    expected = sequential.smoothed(table, start, moves, stops)
    states = np.empty((n, K))
    kept = in_lanes(TableSteps(table), (start, moves), Lanes(stops), posterior=states)
    np.testing.assert_allclose(states, expected[1], atol=1e-11)
    (alone,) = Lanes(stops).whole
    made = swept(alone, TableSteps(table).emission()[0], (start, moves), posterior=states)
    np.testing.assert_allclose(states, expected[1], atol=1e-11)
    for found in (kept, made):
        np.testing.assert_allclose(found.loglik.sum(), expected[0][0], rtol=1e-13)
        np.testing.assert_allclose(found.met, expected[2], rtol=1e-9, atol=1e-11)


def test_how_many_calls_there_are_does_not_matter(short_lanes):
    initial, moves = law(4)
    b = np.random.default_rng(8).normal(size=(5000, 4))
    ends = np.array([3, 4990, 5000])
    value, states = likeliest(TableSteps(b), (initial, moves), Lanes(ends))
    assert len(Lanes(ends).cut) > 3
    for calls in (1, 2, 3):
        lanes = Lanes(ends, calls=calls)
        assert len(lanes.cut) == calls
        own, found = likeliest(TableSteps(b), (initial, moves), lanes)
        np.testing.assert_array_equal(found, states)
        np.testing.assert_allclose(own, value, rtol=1e-13)


def test_where_scaled_numbers_run_out_others_answer(short_lanes):
    b = np.random.default_rng(4).normal(size=(N, 3))
    initial, moves = law(3)
    # Of the three only the first may be there, and it is by far the least likely.
    b[STOPS[0]], initial = np.array([-900.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    part = packs(STOPS, None, whole=True)[0]
    with pytest.raises(RunOut):
        swept(part, TableSteps(b).emission()[0], (initial, moves))
    for one, two in zip(
        RECURSION(b, initial, moves, STOPS, None),
        in_logarithms(b, initial, moves, STOPS),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


def test_a_sequence_that_cannot_be_has_no_path(short_lanes):
    b = np.zeros((N, 2))
    b[100] = -np.inf
    initial, moves = law(2)
    value, _ = likeliest(TableSteps(b), (initial, moves), Lanes(STOPS))
    assert np.isneginf(value).tolist() == [False, True] + [False] * 8
    assert np.isneginf(RECURSION(b, initial, moves, STOPS, None)[0]).tolist()[1]


def test_threads_do_not_change_a_bit(monkeypatch):
    kind, components = gaussian("diag", 4, 1)
    X = np.random.default_rng(5).normal(size=(20_000, 1))
    params = params_of(components, 4)
    sweep = chain_sweep(HiddenMarkov(kind, Flat()), Sequences(X, None, np.array([20_000])))
    found = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(sweep(params))
    one, two = found
    assert one.loglik == two.loglik
    for name, array in one.statistics.arrays().items():
        np.testing.assert_array_equal(array, two.statistics.arrays()[name])


def test_rows_without_lengths_are_one_sequence():
    kind, components = gaussian("diag", 3, 1)
    X = np.random.default_rng(8).normal(size=(50, 1))
    model, params = HiddenMarkov(kind, Flat()), params_of(components, 3)
    one = open_sweep("compiled", model, Rows(X))(params)
    assert one.loglik == chain_sweep(model, Sequences(X))(params).loglik
    with pytest.raises(ValueError, match="holds its sequences in memory"):
        open_sweep("compiled", model, Columns(Rows(X), (0,)))


@pytest.mark.parametrize("n", [1, 7, 4_000, 40_000])
def test_lanes_cover_every_row_once(n):
    rng = np.random.default_rng(n)
    stops = np.unique(np.concatenate([rng.integers(1, n + 1, size=n // 300 + 1), [n]]))
    parts = packs(stops, None)
    at = 0
    for part in parts:
        assert part.cuts[0] == at
        assert part.pieces[0] == 0
        assert part.pieces[-1] == len(part.begins) == len(part.cuts) - 1
        assert ((part.cuts[:-1] >= part.begins) & (part.cuts[1:] <= part.ends)).all()
        assert (stops[part.sequence] == part.ends).all()
        at = part.cuts[-1]
    assert at == n


def test_kinds_are_the_rows():
    rng = np.random.default_rng(6)
    X = rng.integers(0, 3, size=(500, 2)).astype(float)
    X[::7, 0] = np.nan
    X[::50] = np.nan
    X[:, 1] = X[:, 1] * 0.5 - 1.0
    found = kinds_of(X)
    assert found is not None
    seen = ~np.isnan(X).all(axis=1)
    np.testing.assert_array_equal(found.code >= 0, seen)
    np.testing.assert_array_equal(found.rows[found.code[seen]], X[seen])
    assert kinds_of(rng.normal(size=(500, 1))) is None


def test_few_large_numbers_are_few_kinds():
    found = kinds_of(np.tile([0.0, 600.0], 500)[:, None])
    assert found is not None
    assert found.rows.ravel().tolist() == [0.0, 600.0]
