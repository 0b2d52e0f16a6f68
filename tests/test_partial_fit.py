"""`partial_fit`: as good as batch EM in the end, and never half done."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import mixtura
from mixtura import DegenerateWarning, GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.engines.choose import ENGINES
from mixtura.estimators.stream import implied, merged, moments_of
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import absolute_prior, table_prior
from mixtura.models.mixture import Mixture
from mixtura.records import Array, Chunk

every_type = pytest.mark.parametrize("name", ["diag", "full", "spherical", "tied"])
CENTRES = np.array([[0.0, 0.0], [3.5, 0.5], [0.5, 4.0]])


def table(n: int, seed: int = 0, d: int = 2, groups: tuple[int, ...] = (0, 1, 2)) -> Array:
    """Three clusters that overlap a little, in random order."""
    rng = np.random.default_rng(seed)
    centres = np.hstack([CENTRES, np.zeros((3, d - 2))])
    return centres[rng.choice(groups, size=n)] + rng.normal(size=(n, d))


def streamed(gm: GaussianMixture, X: Any, size: int, weights: Any = None) -> GaussianMixture:
    """`gm` after all rows in chunks of `size`."""
    for first in range(0, len(X), size):
        rows = slice(first, first + size)
        gm.partial_fit(X[rows], sample_weight=None if weights is None else weights[rows])
    return gm


def begun(**settings: Any) -> GaussianMixture:
    """A stream that is grown up, with 2000 rows."""
    return GaussianMixture(3, random_state=0, **settings).partial_fit(table(2000))


@pytest.fixture(scope="module")
def pickled() -> bytes:
    return pickle.dumps(begun())


@pytest.fixture
def grown(pickled: bytes) -> GaussianMixture:
    """What `begun` gives, without the search."""
    gm = pickle.loads(pickled)
    assert isinstance(gm, GaussianMixture)
    return gm


@pytest.mark.parametrize(
    ("K", "d", "seed", "size"), [(3, 2, 0, 500), (3, 2, 0, 10_000), (4, 5, 1, 1000)]
)
def test_it_ends_within_a_thousandth_of_batch_em(K: int, d: int, seed: int, size: int) -> None:
    """20,000 rows of clusters with covariances of their own, whose means are 2.5 to 3 apart.

    The loss is about 1e-4, of 40 to 80 parameters half as uncertain again as at maximum
    likelihood, so that the seeds are only there to make it the same every time.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(K, d))
    gaps = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(K, 1)]
    centres *= 2.5 / gaps.min()
    labels = rng.choice(K, size=20_000, p=rng.dirichlet(np.full(K, 10.0)))
    shapes = np.eye(d) + 0.25 * rng.normal(size=(K, d, d))
    X = centres[labels] + np.einsum("nj,nji->ni", rng.normal(size=(20_000, d)), shapes[labels])
    batch = GaussianMixture(K, random_state=0).fit(X)
    gm = streamed(GaussianMixture(K, random_state=0), X, size)
    assert batch.lower_bound_ - gm.score(X) < 1e-3
    # An estimate from about half of the rows: five of its standard errors.
    spread = gm.score_samples(X).std() * np.sqrt(1.8 / len(X))
    assert gm.lower_bound_ == pytest.approx(batch.lower_bound_, abs=5 * spread)


@every_type
@pytest.mark.parametrize("settings", [{}, {"reg_covar": 1e-3}], ids=str)
def test_every_covariance_type(name: str, settings: dict[str, Any]) -> None:
    X = table(8000)
    batch = GaussianMixture(3, covariance_type=name, random_state=0, **settings).fit(X)
    gm = GaussianMixture(3, covariance_type=name, random_state=0, **settings)
    streamed(gm, X, 2000)
    assert batch.score(X) - gm.score(X) < 1e-3
    assert gm.covariances_.shape == batch.covariances_.shape
    np.testing.assert_allclose(gm.precisions_cholesky_.shape, batch.precisions_cholesky_.shape)


def test_how_finely_rows_are_cut_hardly_matters(pickled: bytes) -> None:
    gms = []
    for size in (1, 30, 600):
        gm = streamed(pickle.loads(pickled), table(600, seed=1), size)
        assert gm.n_iter_ == (2 if size == 600 else 600 // size)
        gms.append(gm)
    for gm in gms[1:]:
        np.testing.assert_allclose(gm.means_, gms[0].means_, atol=0.005)
        np.testing.assert_allclose(gm.weights_, gms[0].weights_, atol=0.002)


def test_the_order_within_a_chunk_does_not_matter_much(grown: GaussianMixture) -> None:
    """A sorted chunk is cut at random: the clusters are not learnt one after the other."""
    X = table(10_000, seed=1)
    grown.partial_fit(X[np.argsort(X[:, 0])])
    assert GaussianMixture(3, random_state=0).fit(X).lower_bound_ - grown.score(X) < 1e-3


def test_the_first_call_is_a_fit() -> None:
    X = table(300)
    gm, batch = (GaussianMixture(3, random_state=0) for _ in "ab")
    assert gm.partial_fit(X) is gm
    batch.fit(X)
    np.testing.assert_array_equal(gm.means_, batch.means_)
    assert gm.fit_result_ == batch.fit_result_
    assert gm.converged_
    assert gm.n_iter_ == batch.n_iter_


def test_a_young_stream_is_fitted_again_each_time_it_has_doubled() -> None:
    X = table(2500)
    gm = GaussianMixture(3, random_state=0, warm_start=True)
    for rows, refitted in ((100, True), (150, False), (200, True), (399, False), (400, True)):
        before = 0 if gm._stream is None else gm._stream.moments.rows
        gm.partial_fit(X[before:rows])
        assert gm.converged_ == refitted
        assert gm.fit_result_.rows == rows
        if refitted:
            whole = GaussianMixture(3, random_state=0).fit(X[:rows])
            np.testing.assert_array_equal(gm.means_, whole.means_)
    # A long chunk fills up what is missing to 2000 rows; the others take steps.
    gm.partial_fit(X[400:])
    stream = gm._stream
    assert stream is not None
    assert (stream.kept, stream.moments.rows, gm.n_iter_) == (None, 2500, 1)


def test_a_buffer_may_be_used_again() -> None:
    X, buffer = table(120), np.empty((40, 2))
    gm, plain = (GaussianMixture(3, random_state=0) for _ in "ab")
    for first in range(0, 120, 40):
        buffer[:] = X[first : first + 40]
        gm.partial_fit(buffer, sample_weight=np.ones(40))
        plain.partial_fit(X[first : first + 40].copy(), sample_weight=np.ones(40))
    np.testing.assert_array_equal(gm.means_, plain.means_)


def test_a_start_on_few_rows_does_no_harm() -> None:
    """From the first fifty rows alone the steps end at another optimum, 0.07 below."""
    X = table(4000, seed=5)
    best = GaussianMixture(3, random_state=0).fit(X).lower_bound_
    gm = streamed(GaussianMixture(3, random_state=0), X, 50)
    assert best - gm.score(X) < 1e-3
    stuck = GaussianMixture(3, random_state=0).fit(X[:50])
    assert best - streamed(stuck, X[50:], 50).score(X) > 0.02


def test_what_is_shown_belongs_together(grown: GaussianMixture) -> None:
    gm = grown.partial_fit(table(1200, seed=1)).partial_fit(table(300, seed=2))
    fit = gm.fit_result_
    assert not gm.converged_
    assert not fit.converged
    assert fit.verdict == "not converged"
    assert (gm.n_iter_, fit.iterations, fit.rows, fit.weight) == (4, 4, 3500, 3500.0)
    assert gm.lower_bound_ == gm.lower_bounds_[-1] == pytest.approx(fit.mean_loglik)
    assert len(gm.lower_bounds_) == 1
    assert fit.solver == "online"
    assert gm.weights_.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(gm.covariances_ @ gm.precisions_, [np.eye(2)] * 3, atol=1e-12)
    assert gm.summary().startswith("3 groups in 3,500 rows of 2 columns (x1, x2)")
    assert fit.from_dict(fit.to_dict()) == fit


def test_the_lower_bound_is_of_rows_before_they_are_learnt(grown: GaussianMixture) -> None:
    """A chunk of two copies of one far row: learnt it would be likely, before it was not."""
    gm = grown
    before = gm.lower_bound_
    far = np.full((2, 2), 30.0)
    expected = gm.score(far)
    gm.partial_fit(far)
    share = 1 - (2000 / 2002) ** 3
    # The forgetful average has taken the share of the pace, and the late one a share of that.
    assert before - gm.lower_bound_ > 0
    assert gm.lower_bound_ > (1 - share) * before + share * expected


@every_type
def test_weights_of_zero_are_absent_and_a_common_factor_changes_nothing(name: str) -> None:
    X, rng = table(3000), np.random.default_rng(1)
    weights = rng.choice([0.0, 0.5, 2.0], size=len(X))
    gm, without, scaled = (
        GaussianMixture(3, covariance_type=name, random_state=0).partial_fit(X, None, weights)
        for X, weights in (
            (X, weights),
            (X[weights > 0], weights[weights > 0]),
            (X, 1e-3 * weights),
        )
    )
    Y, weights = table(700, seed=2), rng.choice([0.0, 0.5, 2.0], size=700)
    gm.partial_fit(Y, sample_weight=weights)
    without.partial_fit(Y[weights > 0], sample_weight=weights[weights > 0])
    scaled.partial_fit(Y, sample_weight=1e-3 * weights)
    for other in (without, scaled):
        np.testing.assert_allclose(other.means_, gm.means_, rtol=1e-6, atol=1e-6)
        assert other.lower_bound_ == pytest.approx(gm.lower_bound_, rel=1e-6)


def test_weights_count() -> None:
    """A stream in which the first cluster weighs four times as much."""
    X = table(8000)
    weights = np.where(np.linalg.norm(X, axis=1) < 1.8, 4.0, 1.0)
    batch = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
    gm = streamed(GaussianMixture(3, random_state=0), X, 2000, weights)
    assert gm.fit_result_.weight == weights.sum()
    assert batch.lower_bound_ - gm.score(X, sample_weight=weights) < 1e-3
    np.testing.assert_allclose(np.sort(gm.weights_), np.sort(batch.weights_), atol=0.01)
    assert gm.weights_.max() > 0.55


def test_float32_chunks() -> None:
    X = table(2600).astype(np.float32)
    gm, double = (
        GaussianMixture(3, random_state=0).partial_fit(rows[:2000]) for rows in (X, X.astype(float))
    )
    gm.partial_fit(X[2000:])
    double.partial_fit(X[2000:].astype(float))
    assert gm.means_.dtype == gm.precisions_cholesky_.dtype == np.float32
    np.testing.assert_allclose(gm.means_, double.means_, rtol=1e-4, atol=1e-5)
    gm.partial_fit(X[:10].astype(float))
    assert gm.means_.dtype == np.float64
    gm.partial_fit(X[:10])
    assert gm.means_.dtype == np.float64


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_every_engine_learns_the_same(engine: str, pickled: bytes) -> None:
    X = table(700, seed=1)
    plain, gm = (
        pickle.loads(pickled).set_params(engine=name).partial_fit(X) for name in ("local", engine)
    )
    assert gm.fit_result_.engine == engine
    np.testing.assert_allclose(gm.means_, plain.means_, rtol=1e-7, atol=1e-7)


@every_type
@pytest.mark.parametrize("value", [0.0, 7e5])
def test_a_constant_column_stays_held_until_it_moves(
    name: str, value: float, tmp_path: Path
) -> None:
    def wide(n: int, seed: int, moves: float = 0.0) -> Array:
        extra = value + moves * np.random.default_rng(seed).normal(size=n)
        return np.column_stack([table(n, seed), extra])

    gm = GaussianMixture(3, covariance_type=name, random_state=0).partial_fit(wide(2000, 0))
    gm.partial_fit(wide(500, 1))
    gm.save(tmp_path / "model.json")
    gm = mixtura.load(tmp_path / "model.json").partial_fit(wide(500, 2))
    np.testing.assert_allclose(gm.means_[:, 2], value, rtol=1e-12)
    if name == "spherical":
        assert gm.fit_result_.held == ()
        return
    assert gm.fit_result_.held == (2,)
    covariances = np.diag(gm.covariances_[0]) if name == "diag" else gm.covariances_
    assert covariances[..., 2, 2] == pytest.approx(1e-6, rel=1e-6)
    for seed in range(3, 9):
        gm.partial_fit(wide(1500, seed, moves=0.5))
    assert gm.fit_result_.held == ()
    assert 0.1 < np.sqrt(gm.covariances_.reshape(-1)[-1]) < 0.6


def test_columns_that_depend_on_each_other_stay_held(grown: GaussianMixture) -> None:
    mix = np.random.default_rng(0).normal(size=(2, 3))
    gm = GaussianMixture(3, random_state=0).partial_fit(table(2000) @ mix)
    for seed in range(30):
        gm.partial_fit(table(50, seed) @ mix)
    assert gm.fit_result_.held == (0, 1, 2)
    for seed in range(30):
        grown.partial_fit(table(50, seed))
    np.testing.assert_allclose(np.sort(gm.weights_), np.sort(grown.weights_), atol=1e-3)


def test_a_component_that_loses_its_rows_fades(grown: GaussianMixture) -> None:
    gm = grown
    lost = int(np.argmin(np.linalg.norm(gm.means_ - CENTRES[2], axis=1)))
    for seed in range(40):
        gm.partial_fit(table(500, seed, groups=(0, 1)))
    assert gm.weights_[lost] < 0.1
    kept = np.delete(gm.means_, lost, axis=0)
    nearest = np.linalg.norm(kept[:, None] - CENTRES[:2], axis=2).min(axis=1)
    assert nearest.max() < 0.1
    assert np.isfinite(gm.score_samples(table(10))).all()


@every_type
def test_equal_rows_narrow_a_component_and_nothing_breaks(name: str) -> None:
    gm = begun(covariance_type=name)
    widest = gm.covariances_.max()
    with pytest.warns(DegenerateWarning, match="only the penalty keeps it from collapsing"):
        streamed(gm, np.tile(CENTRES[1], (60_000, 1)), 20_000)
    assert np.isfinite(gm.lower_bound_)
    assert gm.weights_.max() > 0.99
    many = gm.covariances_ if name == "tied" else gm.covariances_[gm.weights_.argmax()]
    assert 0 < np.linalg.norm(many, ord=2 if many.ndim == 2 else None) < 0.01 * widest


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_a_component_held_up_by_the_penalty_is_reported(name: str) -> None:
    form = structure(name).form
    narrow = 1e-6 * form.repeat(form.restrict(np.eye(2)), 1)
    covariances = np.concatenate([1e6 * narrow, narrow])
    gm = GaussianMixture.from_parameters(
        [0.5, 0.5], [[1.0, 1.0], CENTRES[1]], covariances, covariance_type=name
    )
    chunk = table(500)
    chunk[:75] = CENTRES[1]
    with pytest.warns(DegenerateWarning, match="component 1 has .* only the penalty"):
        gm.partial_fit(chunk)
    assert gm.fit_result_.penalised
    assert [part.component for part in gm.fit_result_.floored] == [1]
    assert 0 < gm.covariances_[1].max() < 1e-3
    assert "Only the penalty keeps a group from collapsing" in " ".join(gm.summary().split())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # What is no news is not told again.
        gm.partial_fit(chunk)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
@pytest.mark.parametrize(("width", "verdict"), [(0.0, "collapsed"), (1e-4, "regular")])
def test_rows_on_one_value_are_told_by_fit_and_by_a_stream_alike(
    name: str, width: float, verdict: str
) -> None:
    rng = np.random.default_rng(0)
    alike = rng.random((6000, 1)) < 0.4
    X = np.where(alike, [3.0, 4.0] + width * rng.normal(size=(6000, 2)), rng.normal(size=(6000, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = GaussianMixture(2, covariance_type=name, random_state=0).fit(X)
        gm = GaussianMixture(2, covariance_type=name, random_state=0)
        for chunk in np.array_split(X, 6):
            gm.partial_fit(chunk)
    assert gm.fit_result_.solver == "online"
    for found in (gm, whole):
        narrow = found.fit_result_.standings[int(np.argmax(found.means_[:, 0]))]
        assert (narrow.verdict, narrow.held_up) == (verdict, verdict == "collapsed")


def test_far_rows_do_not_change_what_is_narrow(grown: GaussianMixture) -> None:
    gm = grown
    before = gm._stream
    gm.partial_fit([[1e7, 1e7]])
    gm.partial_fit(table(500, seed=1))
    after = gm._stream
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after.moments.covariance, before.moments.covariance)
    assert gm.fit_result_.held == ()


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_chunks_may_miss_cells(kind: str) -> None:
    """A stream comes near the fit of all rows, the third of whose cells are missing; a constant
    column and its gaps change nothing."""
    rng = np.random.default_rng(9)
    rows = rng.normal(size=(12_000, 3)) @ [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    rows += 5.0 * (rng.random(12_000) < 0.4)[:, None] * [1, -1, 0]
    rows = np.column_stack([rows, np.full(12_000, 7.0)])
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    stream = GaussianMixture(2, covariance_type=kind, random_state=0)
    for chunk in np.array_split(rows, 12):
        stream.partial_fit(chunk)
    whole = GaussianMixture(2, covariance_type=kind, random_state=0).fit(rows)
    assert stream.fit_result_.solver == "online"
    assert stream.fit_result_.engine == "compiled"
    assert stream.score(rows) == pytest.approx(whole.score(rows), abs=2e-3)
    order = [np.argsort(each.means_[:, 0]) for each in (stream, whole)]
    np.testing.assert_allclose(stream.means_[order[0]], whole.means_[order[1]], atol=0.1)
    held = stream.covariances_[..., 3, 3] if kind != "diag" else stream.covariances_[:, 3]
    np.testing.assert_allclose(held, 1e-6, rtol=1e-3)


BAD: dict[str, tuple[Callable[[GaussianMixture], Any], str]] = {
    "columns": (lambda gm: gm.partial_fit(np.ones((5, 3))), "3 features, but GaussianMixture"),
    "nan": (lambda gm: gm.partial_fit([[0.0, 1.0], [np.nan] * 2]), r"row 1 .*has no value in any"),
    "infinite": (lambda gm: gm.partial_fit([[0.0, np.inf]]), "infinity"),
    "scale": (lambda gm: gm.partial_fit([[0.0, 1e200]]), "x2 has values of size 1e200"),
    "integers": (lambda gm: gm.partial_fit(np.array([[0, 2**60]])), r"beyond 2\*\*53"),
    "no rows": (lambda gm: gm.partial_fit(np.empty((0, 2))), "0 sample"),
    "negative": (lambda gm: gm.partial_fit([[0.0, 1.0]], sample_weight=[-1.0]), "[Nn]egative"),
    "weights": (lambda gm: gm.partial_fit([[0.0, 1.0]], sample_weight=[1.0, 1.0]), "sample_weight"),
    "zeros": (
        lambda gm: gm.partial_fit([[0.0, 1.0]], sample_weight=[0.0]),
        "zero for every row|at least one non-zero",
    ),
    "K": (
        lambda gm: gm.set_params(n_components=4).partial_fit(table(9)),
        r"so far has 3 components .* n_components=4",
    ),
    "form": (
        lambda gm: gm.set_params(covariance_type="diag").partial_fit(table(9)),
        "covariance_type='diag' cannot continue: set them back, or call fit",
    ),
    "setting": (lambda gm: gm.set_params(tol=-1).partial_fit(table(9)), "tol"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_an_error_leaves_all_as_it_was(name: str, grown: GaussianMixture, pickled: bytes) -> None:
    act, message = BAD[name]
    settings, before = grown.get_params(), dict(grown.__dict__)
    with pytest.raises(ValueError, match=message):
        act(grown)
    grown.set_params(**settings)
    assert_untouched(grown, before, pickled)


def assert_untouched(gm: GaussianMixture, before: dict[str, Any], pickled: bytes) -> None:
    """The very same objects, and none of them changed in place."""
    assert gm.__dict__.keys() == before.keys()
    assert all(gm.__dict__[name] is value for name, value in before.items())
    one, other = gm.partial_fit(table(9)), pickle.loads(pickled).partial_fit(table(9))
    np.testing.assert_array_equal(one.covariances_, other.covariances_)
    assert one.fit_result_ == other.fit_result_


def test_an_error_in_the_middle_of_a_chunk_leaves_all_as_it_was(
    grown: GaussianMixture, pickled: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    m_step, calls, before = Mixture.m_step, iter(range(3)), dict(grown.__dict__)

    def failing(self: Mixture, *args: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return m_step(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Mixture, "m_step", failing)
        with pytest.raises(KeyboardInterrupt):
            grown.partial_fit(table(5000))
    assert_untouched(grown, before, pickled)


def test_a_row_without_density_anywhere_is_refused() -> None:
    gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1e-200]]])
    with pytest.raises(mixtura.FitError, match="zero even in logarithms"):
        gm.partial_fit([[1e149]])
    assert gm.fit_result_ is None


def test_the_first_chunk_must_be_enough_for_a_fit() -> None:
    gm = GaussianMixture(3)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        gm.partial_fit(table(1))
    with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
        gm.partial_fit(table(2))
    assert not hasattr(gm, "means_")


def test_names_of_columns_are_checked() -> None:
    frame = pd.DataFrame(table(2000), columns=["a", "b"])
    gm = GaussianMixture(3, random_state=0).partial_fit(frame)
    gm.partial_fit(frame[:10])
    with pytest.raises(ValueError, match="feature names"):
        gm.partial_fit(frame[:10].rename(columns={"b": "c"}))
    assert "a, b" in gm.summary()


def test_pickles_go_on_where_they_were_and_clones_begin_anew(pickled: bytes) -> None:
    gm, twin = pickle.loads(pickled), pickle.loads(pickled)
    for seed in range(3):
        gm.partial_fit(table(100, seed))
        twin = pickle.loads(pickle.dumps(twin)).partial_fit(table(100, seed))
    np.testing.assert_array_equal(gm.means_, twin.means_)
    fresh = clone(gm)
    assert not hasattr(fresh, "means_")
    fresh.partial_fit(table(300))
    np.testing.assert_array_equal(
        fresh.means_, GaussianMixture(3, random_state=0).fit(table(300)).means_
    )


def test_a_loaded_model_goes_on_from_what_it_showed(grown: GaussianMixture, tmp_path: Path) -> None:
    gm = grown.partial_fit(table(1500, seed=1))
    gm.save(tmp_path / "model.json")
    loaded = mixtura.load(tmp_path / "model.json")
    np.testing.assert_array_equal(loaded.means_, gm.means_)
    assert loaded.fit_result_ == gm.fit_result_
    X = table(1500, seed=2)
    gm.partial_fit(X)
    loaded.partial_fit(X)
    assert loaded.fit_result_.rows == 5000
    assert loaded.n_iter_ == 3
    # The paces are the same; only the last iterate, which is noise, was not in the file.
    np.testing.assert_allclose(loaded.means_, gm.means_, atol=0.01)
    loaded.save(tmp_path / "again.json")
    assert mixtura.load(tmp_path / "again.json").n_iter_ == 3


def test_it_continues_a_fit_and_fit_forgets_it() -> None:
    X = table(4000)
    gm = GaussianMixture(3, random_state=0).fit(X)
    means = gm.means_
    gm.partial_fit(table(100, seed=1))
    assert gm.fit_result_.rows == 4100
    assert gm.n_iter_ == 1
    assert 0 < np.abs(gm.means_ - means).max() < 0.05
    gm.fit(X)
    np.testing.assert_array_equal(gm.means_, means)
    gm.partial_fit(table(100, seed=1))
    assert gm.fit_result_.rows == 4100


def test_given_parameters_are_a_start_without_rows() -> None:
    gm = GaussianMixture.from_parameters(
        np.full(3, 1 / 3), CENTRES + 0.5, np.tile(2.0 * np.eye(2), (3, 1, 1))
    )
    few = 5 * (3 + 6 + 12)
    gm.partial_fit(table(few - 1))
    np.testing.assert_array_equal(gm.means_, CENTRES + 0.5)
    assert gm.fit_result_.rows == few - 1
    X = table(10_000, seed=1)
    best, start = GaussianMixture(3, random_state=0).fit(X).lower_bound_, gm.score(X)
    assert best - gm.partial_fit(X).score(X) < 0.1 * (best - start)


@every_type
@pytest.mark.parametrize("settings", [{}, {"reg_covar": 0.1}], ids=str)
@pytest.mark.parametrize("constant", [False, True])
def test_the_implied_summary_has_the_mixture_as_its_m_step(
    name: str, settings: dict[str, Any], constant: bool
) -> None:
    X = table(500, d=3)
    if constant:
        X[:, 2] = 5.0
    gm = GaussianMixture(3, covariance_type=name, random_state=0, **settings).fit(X)
    form, params, moments = structure(name).form, gm._fitted()[1], table_moments(X, None)
    reg = gm.reg_covar
    prior = table_prior(form, moments) if reg is None else absolute_prior(form, moments, reg)
    model = Mixture(Gaussian(structure(name)), prior.without_penalty())
    after = model.m_step(implied(params, form, prior, 500.0, -1.0), params)
    for key, value in params.arrays().items():
        np.testing.assert_allclose(after.arrays()[key], value, rtol=1e-9, atol=1e-12, err_msg=key)
    # At a stationary point it is the summary of the rows.
    summary = model.e_step(Chunk(X), params)
    expected = implied(params, form, prior, 500.0, -1.0).statistics
    np.testing.assert_allclose(summary.statistics.counts, expected.counts, rtol=0.01)
    np.testing.assert_allclose(summary.statistics.second, expected.second, atol=5.0)


def test_a_mixture_knows_its_tables_moments() -> None:
    X = table(3000)
    gm = GaussianMixture(3, random_state=0, tol=1e-10).fit(X)
    params, moments = gm._fitted()[1], table_moments(X, None)
    found = moments_of(params, structure("full").form, gm.fit_result_)
    assert (found.rows, found.weight) == (3000, 3000.0)
    np.testing.assert_allclose(found.mean, moments.mean, atol=1e-4)
    # In robust units, which are smaller by a factor.
    ratio = np.diagonal(found.covariance) / np.diagonal(moments.covariance)
    assert ratio.min() > 0.5
    assert ratio.max() / ratio.min() < 1.1


def test_merging_counts_rows_and_frees_a_column_that_moves() -> None:
    X = np.column_stack([table(100), np.full(100, 2.0)])
    known = table_moments(X, None)
    same = merged(known, table_moments(X[:10] + np.eye(3)[0], None))
    np.testing.assert_array_equal(same.covariance, known.covariance)
    assert (same.rows, same.weight) == (110, 110.0)
    np.testing.assert_allclose(same.mean[0], (X[:, 0].sum() + X[:10, 0].sum() + 10) / 110)
    moved = merged(known, table_moments(np.array([[0.0, 0.0, 2.5]]), None))
    assert moved.covariance[2, 2] == pytest.approx(0.25)
    np.testing.assert_array_equal(moved.covariance[:2, :2], known.covariance[:2, :2])


@pytest.mark.parametrize("value", [1e20, -1e140])
def test_an_absurd_value_is_refused_and_nothing_learnt(value: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    gm = GaussianMixture(2, random_state=0).partial_fit(X)
    before = gm.means_.copy()
    chunk = rng.normal(size=(100, 2))
    chunk[7, 1] = value
    with pytest.raises(ValueError, match=r"x2 holds .* standard deviations from the rows before"):
        gm.partial_fit(chunk)
    np.testing.assert_array_equal(gm.means_, before)


def test_the_report_of_a_stream_asks_for_rows(grown: GaussianMixture) -> None:
    told = " ".join(grown.partial_fit(table(600, 1)).summary().split())
    assert "may still move; give more rows." in told
    assert "iterations" not in told
