"""Tables in Dask partitions: the answer of the same rows in memory, and nothing but sums moved."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import BayesianGaussianMixture, GaussianMixture, GaussianMixtureSearch, MixtureSearch
from mixtura.data.rows import Rows
from mixtura.data.source import Source

dask = pytest.importorskip("dask", reason="dask is not installed: pip install 'mixtura[dask]'")
da = pytest.importorskip("dask.array", reason="dask is not installed: pip install 'mixtura[dask]'")
dd = pytest.importorskip("dask.dataframe")

N, D = 3_001, 3


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(1500, D)), rng.normal(6, 2, size=(N - 1500, D))])
    return rows[rng.permutation(N)]


def apart(X: np.ndarray) -> Any:
    return da.from_array(X, chunks=(700, 2))


def frame(X: np.ndarray) -> Any:
    return dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=4)


def narrowed(X: np.ndarray) -> Any:
    """A frame that declares a column which its partitions do not have."""
    parts = [pd.DataFrame(X, columns=list("abc")), pd.DataFrame(X[:, :2], columns=list("ab"))]
    later = [dask.delayed(part) for part in parts]
    return dd.from_delayed(later, meta=parts[0].iloc[:0], verify_meta=False)


def same(one: Any, two: Any) -> None:
    """Two fits of one table agree: parameters to 1e-10, and the way there in its length."""
    for name, array in one._stored_arrays().items():
        np.testing.assert_allclose(two._stored_arrays()[name], array, rtol=1e-10, atol=1e-10)
    assert one.lower_bound_ == pytest.approx(two.lower_bound_, abs=1e-10)
    # The end is examined in one look where rows are at hand.
    climbs = [each.passes - each.certificate.passes for each in (one.fit_result_, two.fit_result_)]
    assert climbs[0] == climbs[1]


FITS: dict[str, Callable[[], Any]] = {
    "full": lambda: GaussianMixture(2, random_state=0),
    "diag": lambda: GaussianMixture(2, covariance_type="diag", random_state=0),
    "noise": lambda: GaussianMixture(2, noise=True, random_state=0),
    "posterior": lambda: BayesianGaussianMixture(n_components=2, random_state=0),
    "normal": lambda: mixtura.Mixture("normal", 2, random_state=0),
    "poisson": lambda: mixtura.Mixture("poisson", 2, random_state=0),
    "auto": lambda: mixtura.Mixture("auto", 2, random_state=0),
    "negativebinomial": lambda: mixtura.Mixture("negativebinomial", 2, random_state=0),
    "stochastic": lambda: GaussianMixture(2, solver="stochastic", max_iter=20, random_state=0),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", FITS)
def test_a_fit_is_that_of_the_rows_in_memory(X: np.ndarray, name: str) -> None:
    rows = np.floor(np.abs(X)) if name in ("poisson", "auto", "negativebinomial") else X
    found = FITS[name]().fit(apart(rows))
    same(FITS[name]().fit(rows), found)
    assert found.fit_result_.engine == "dask"


def test_chunks_of_unknown_length_and_empty_ones(X: np.ndarray) -> None:
    table = apart(np.concatenate([np.full((800, D), -99.0), X]))
    known = GaussianMixture(2, random_state=0).fit(X)
    same(known, GaussianMixture(2, random_state=0).fit(table[table[:, 0] > -50]))


def test_the_same_partitions_give_the_same_bits(X: np.ndarray) -> None:
    one, two = (GaussianMixture(2, random_state=0).fit(apart(X)) for _ in range(2))
    assert one.fit_result_ == two.fit_result_
    assert np.array_equal(one.covariances_, two.covariances_)


@pytest.mark.parametrize("given", ["numpy", "array", "column", "series", "frame and numpy"])
def test_weights(X: np.ndarray, given: str) -> None:
    w = np.random.default_rng(1).integers(0, 3, size=N).astype(float)
    mixture = GaussianMixture(2, random_state=0)
    if given == "column":
        weighted = dd.from_pandas(pd.DataFrame(X, columns=list("abc")).assign(w=w), npartitions=3)
        found = mixture.fit(mixtura.stream(weighted, weights="w"))
    elif given == "series":
        found = mixture.fit(frame(X), sample_weight=dd.from_pandas(pd.Series(w), npartitions=4))
    else:
        own = da.from_array(w, chunks=999) if given == "array" else w
        found = mixture.fit(frame(X) if "frame" in given else apart(X), sample_weight=own)
    same(GaussianMixture(2, random_state=0).fit(X, sample_weight=w), found)


@pytest.mark.parametrize("family", ["gaussian", "normal"])
def test_missing_cells(X: np.ndarray, family: str) -> None:
    holed = np.where(np.random.default_rng(2).uniform(size=X.shape) < 0.1, np.nan, X)
    holed = holed[~np.isnan(holed).all(axis=1)]
    made: Any = GaussianMixture if family == "gaussian" else mixtura.Mixture
    one, two = (made(n_components=2, random_state=0) for _ in range(2))
    if family == "normal":
        one, two = (each.set_params(family="normal") for each in (one, two))
    same(one.fit(holed), two.fit(apart(holed)))
    found = two.score_samples(apart(holed)).compute()
    np.testing.assert_allclose(found, one.score_samples(holed), rtol=1e-10, atol=1e-10)


def test_answers_are_dask_arrays(X: np.ndarray) -> None:
    mixture = GaussianMixture(2, random_state=0).fit(frame(X).rename(columns=str))
    known = GaussianMixture(2, random_state=0).fit(X)
    for method in ("predict", "predict_proba", "score_samples", "component_log_density"):
        answer = getattr(mixture, method)(frame(X))
        assert isinstance(answer, da.Array)
        expected = getattr(known, method)(X)
        assert answer.dtype == expected.dtype
        np.testing.assert_allclose(answer.compute(), expected, rtol=1e-10, atol=1e-10)
    proba = known.predict_proba(apart(X.astype(np.float32)))
    assert (proba.shape, proba.dtype) == ((N, 2), np.float32)
    assert proba.compute().dtype == np.float32
    assert known.fit_predict(apart(X)).shape == (N,)
    assert known.score(apart(X)) == pytest.approx(known.score(X), abs=1e-12)
    assert known.bic(apart(X)) == pytest.approx(known.bic(X), rel=1e-12)
    w = np.arange(N) % 2 + 1.0
    weighted = known.score(apart(X), sample_weight=da.from_array(w, chunks=999))
    assert weighted == pytest.approx(known.score(X, sample_weight=w), abs=1e-12)


def test_a_folder_of_parquet_files(X: np.ndarray, tmp_path: Path) -> None:
    for i, part in enumerate(np.array_split(X, 3)):
        pd.DataFrame(part, columns=list("abc")).to_parquet(
            tmp_path / f"{i}.parquet", row_group_size=300
        )
    found = GaussianMixture(2, random_state=0, engine="dask").fit(tmp_path)
    same(GaussianMixture(2, random_state=0).fit(X), found)
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    # Afterwards rows in memory are no stranger to it.
    assert found.predict(pd.DataFrame(X[:5], columns=list("abc"))).shape == (5,)


def test_row_groups_are_read_together_up_to_a_size(
    X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mixtura.data import dask_blocks

    pd.DataFrame(X).rename(columns=str).to_parquet(tmp_path / "t.parquet", row_group_size=500)
    monkeypatch.setattr(dask_blocks, "_GROUPED", 3000)
    told = list(dask_blocks._grouped(tmp_path / "t.parquet"))
    assert told == [([0, 1], 0), ([2, 3], 1000), ([4, 5], 2000), ([6], 3000)]


def test_a_checkpoint_goes_on_to_the_same_bits(
    X: np.ndarray, tmp_path: Path, stopped_after: Any
) -> None:
    path = tmp_path / "run.checkpoint"
    whole = GaussianMixture(2, random_state=0).fit(apart(X), checkpoint=tmp_path / "other")
    stopped_after(4)
    with pytest.raises(KeyboardInterrupt):
        GaussianMixture(2, random_state=0).fit(apart(X), checkpoint=path)
    again = GaussianMixture(2, random_state=0).fit(apart(X), checkpoint=path)
    assert np.array_equal(again.means_, whole.means_)


@pytest.mark.filterwarnings("ignore::mixtura.selection.component_search.StillRisingWarning")
def test_searches(X: np.ndarray) -> None:
    grid: dict[str, Any] = {"n_components": [1, 2], "random_state": 0}
    for search, own in (
        (GaussianMixtureSearch, {"covariance_type": ["full", "diag"], "effort": "thorough"}),
        (MixtureSearch, {"family": ["normal", "full"]}),
    ):
        one, two = (search(**grid, **own).fit(rows) for rows in (X, apart(X)))
        assert one.best_params_ == two.best_params_
        for criterion in ("bic", "icl"):
            scores = [each.cv_results_[criterion] for each in (one, two)]
            np.testing.assert_allclose(*scores, rtol=1e-10)
    with pytest.raises(ValueError, match="n_jobs=2 is for rows in memory"):
        GaussianMixtureSearch(**grid, n_jobs=2).fit(apart(X))
    with pytest.raises(ValueError, match="criterion='heldout' fits parts of the rows"):
        GaussianMixtureSearch(**grid, criterion="heldout").fit(apart(X))


def test_what_comes_to_the_client_is_the_sample_and_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixtura.data import dask_source

    rows = da.random.default_rng(0).normal(size=(100_000, 4), chunks=(5_000, 4))
    rows = rows + 9.0 * (da.arange(100_000, chunks=5_000) % 2)[:, None]
    asked, sizes = dask_source.computed, []

    def noted(tasks: list[Any], client: Any) -> Any:
        found = asked(tasks, client)
        sizes.append(len(pickle.dumps(found)))
        return found

    monkeypatch.setattr(dask_source, "computed", noted)
    GaussianMixture(2, random_state=0, tol=1e-3).fit(rows)
    sizes.sort()
    # A sample of 20,000 rows of 4 numbers, once; the survey of 20 partitions; sums.
    assert 640_000 < sizes[-1] < 660_000
    assert sizes[-2] < 20_000


def test_work_on_parts_knows_where_they_lie(X: np.ndarray) -> None:
    w = np.random.default_rng(1).integers(0, 2, size=N).astype(float)
    source = mixtura.stream(apart(X), sample_weight=w)

    def looked(part: Source) -> list[tuple[int, int, int]]:
        wheres = [where for _, _, where, *_ in part.chunks(100)]
        return [(part.before, wheres[0].start, wheres[-1].stop)]

    told = source.reduced(looked, lambda one, two: one + two)
    starts = list(range(0, N, 700))
    assert [first for _, first, _ in told] == starts
    assert [before for before, *_ in told] == [int(w[:start].sum()) for start in starts]
    assert told[-1][2] == N
    # And in order the rows themselves, where somebody has to see them here.
    chunks = list(source.chunks(500))
    assert np.array_equal(np.concatenate([chunk.X for chunk in chunks]), X)
    assert Rows(X, w).reduced(lambda part: part.n, lambda *_: 0) == N


def counts(X: np.ndarray) -> Any:
    return mixtura.Mixture("poisson", 2, random_state=0).fit(np.floor(np.abs(X[:200])))


REFUSED: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "text": (
        lambda X: GaussianMixture(2).fit(frame(X).assign(city="Ulm")),
        "column 'city' is of type .*, and rows are numbers",
    ),
    "no column": (
        lambda X: mixtura.stream(frame(X), columns=["a", "z"]),
        "there is no column 'z': it has a, b, c",
    ),
    "names of an array": (
        lambda X: mixtura.stream(apart(X), columns=["a"]),
        "columns cannot be given for a Dask array",
    ),
    "one dimension": (lambda X: GaussianMixture(2).fit(apart(X)[:, 0]), "give rows of numbers"),
    "one dimension, asked": (
        lambda X: GaussianMixture(2).fit(X).predict(apart(X)[:, 0]),
        "give rows of numbers",
    ),
    "one column, asked": (
        lambda X: GaussianMixture(2).fit(X).predict(apart(X)[:, :1]),
        "X has 1 features, but GaussianMixture is expecting 3 features as input",
    ),
    "other columns, asked": (
        lambda X: GaussianMixture(2).fit(frame(X)).score_samples(frame(X)[["a", "b"]]),
        "X has 2 features, but GaussianMixture is expecting 3",
    ),
    "other names, asked": (
        lambda X: GaussianMixture(2).fit(frame(X)).predict(frame(X).rename(columns={"c": "z"})),
        "its columns are a, b, z, and the mixture was fitted to a, b, c",
    ),
    "no rows, asked": (lambda X: GaussianMixture(2).fit(X).predict(apart(X)[:0]), "no rows"),
    "infinity, asked": (
        lambda X: (
            GaussianMixture(2)
            .fit(X)
            .predict(apart(np.where(X[1501] == X, np.inf, X)))[1500:]
            .compute()
        ),
        r"X, partition 2 \(counted from 0\): Input X contains infinity",
    ),
    "not counts, asked": (
        lambda X: counts(X).predict(apart(np.where(X[1501] == X, 0.5, 1.0))).compute(),
        r"X, partition 2 .*: the model's family 'poisson' is for counts .* holds 0.5 in row 101",
    ),
    "not counts, scored": (
        lambda X: counts(X).score(apart(np.where(X[1501] == X, 0.5, 1.0))),
        "is for counts .* holds 0.5 in row 1501",
    ),
    "a series": (lambda X: GaussianMixture(2).fit(frame(X)["a"]), r"Dask Series: give X\.to_frame"),
    "a series, asked": (
        lambda X: GaussianMixture(2).fit(X).predict(frame(X)["a"]),
        r"Dask Series: give X\.to_frame",
    ),
    "a number": (lambda X: GaussianMixture(2).fit(frame(X)["a"].sum()), "this is a Dask Scalar"),
    "a delayed object": (
        lambda X: GaussianMixture(2).fit(dask.delayed(X)),
        r"delayed object: give dask\.array\.from_delayed",
    ),
    "delayed weights": (
        lambda X: GaussianMixture(2).fit(apart(X), sample_weight=dask.delayed(X)),
        r"sample_weight has the shape \(3001, 3\)",
    ),
    "a narrower partition": (
        lambda X: GaussianMixture(2).fit(narrowed(X)),
        "a partition has the columns a, b, and not c",
    ),
    "a wider partition": (
        lambda X: GaussianMixture(2).fit(
            da.concatenate(
                [apart(X).rechunk({1: 3}), da.from_delayed(dask.delayed(np.eye(5)), (5, 3), float)]
            )
        ),
        "partitions of 3 columns in float64 and of 5",
    ),
    "infinity": (
        lambda X: GaussianMixture(2).fit(apart(np.where(X[1501] == X, np.inf, X))),
        r"X, partition 2 \(counted from 0\): Input X contains infinity: column .* in row 101",
    ),
    "NaN": (
        lambda X: mixtura.stream(apart(np.where(X[1501] == X, np.nan, X))),
        r"X, partition 2 .*: row 101 .* contains NaN or infinity.*: remove such rows",
    ),
    "a row of NaN": (
        lambda X: GaussianMixture(2).fit(apart(np.where(X[1501] == X, np.nan, X))),
        r"X, partition 2 .*: row 101 .* has no value in any column",
    ),
    "a column of NaN": (
        lambda X: GaussianMixture(2).fit(apart(X * [1.0, np.nan, 1.0])),
        "column 'x2' has no value in any row",
    ),
    "no rows": (lambda X: GaussianMixture(2).fit(apart(X)[:0]), "the table has no rows"),
    "few weights": (
        lambda X: GaussianMixture(2).fit(apart(X), sample_weight=np.ones(5)),
        r"sample_weight has the shape \(5,\), expected \(3001,\)",
    ),
    "no weight, scored": (
        lambda X: GaussianMixture(2).fit(X).score(apart(X), sample_weight=np.zeros(N)),
        "sample_weight is zero for every row",
    ),
    "a negative weight": (
        lambda X: GaussianMixture(2).fit(apart(X), sample_weight=-np.ones(N)),
        r"X, partition 0 .*: the weight of row 0 .* is -1.0",
    ),
    "weights of other partitions": (
        lambda X: GaussianMixture(2).fit(
            frame(X), sample_weight=dd.from_pandas(pd.Series(np.ones(N)), npartitions=2)
        ),
        "sample_weight: it has 2 partitions and X has 4",
    ),
    "not counts": (
        lambda X: mixtura.Mixture("poisson", 2).fit(apart(np.where(X[1501] == X, 0.5, 1.0))),
        "is for counts .* holds 0.5 in row 1501",
    ),
    "an engine of this process": (
        lambda X: GaussianMixture(2, engine="local").fit(apart(X)),
        "engine='local' runs in this process, and the rows lie in Dask partitions",
    ),
    "rows in memory": (
        lambda X: GaussianMixture(2, engine="dask").fit(X),
        "engine='dask' is for Dask arrays",
    ),
    "a solver that keeps rows": (
        lambda X: GaussianMixture(2, solver="hard").fit(apart(X)),
        "solver='hard' needs all rows in memory",
    ),
    "a sequence in two partitions": (
        lambda X: mixtura.GaussianHMM(2).fit(apart(X), [600, 200, N - 800]),
        r"sequence 1 \(counted from 0\) goes on from partition 0 of X into partition 1",
    ),
    "a cell of a step": (
        lambda X: mixtura.HiddenMarkov("vonmisesfisher", 2).fit(
            apart(np.where(X[1501, 0] == X, np.nan, X))
        ),
        r"X, partition 2 .*: row 101 .* contains NaN or infinity.*: fill it in, or make the whole",
    ),
    "lengths of other rows": (
        lambda X: mixtura.GaussianHMM(2).fit(apart(X), [700, 700]),
        "lengths add up to 1400, and X has 3001 rows",
    ),
    "weights of sequences": (
        lambda X: mixtura.GaussianHMM(2).fit(apart(X), sample_weight=[1.0]),
        "sample_weight cannot be given for sequences in Dask partitions",
    ),
    "answers about sequences": (
        lambda X: mixtura.GaussianHMM(2).fit(X).predict(apart(X)),
        "answers about states are of sequences in memory: ask partition by partition, or give",
    ),
    "a search over states": (
        lambda X: mixtura.HiddenMarkovSearch(mixtura.HiddenMarkov("normal")).fit(apart(X)),
        "X is a Dask collection, and this needs its rows in memory",
    ),
    "totals of counts": (
        lambda X: mixtura.MultinomialHMM(2, n_trials=5).fit(apart(abs(X).round()).rechunk((-1, 3))),
        "n_trials cannot be given for sequences in Dask partitions: load the table",
    ),
    "one column in two roles": (
        lambda X: mixtura.in_sequences(frame(X), sequence="a", time="a"),
        "time='a': sequence is that column too",
    ),
    "a name in two partitions": (
        lambda X: mixtura.in_sequences(frame(X).assign(id=1), sequence="id"),
        "sequence 1 has rows in partitions 0 and 1: sort the table",
    ),
    "time goes back": (
        lambda X: mixtura.in_sequences(frame(X), time="a"),
        "partition 0: the time of row .* lies before that of row",
    ),
    "no column of sequences": (
        lambda X: mixtura.in_sequences(frame(X), sequence="id"),
        "sequence='id': there is no such column; X has a, b, c",
    ),
    "an array without names": (
        lambda X: mixtura.in_sequences(apart(X), sequence="id"),
        "X must be a data frame, got a Dask array",
    ),
    "what has no use for partitions": (
        lambda X: mixtura.compare_solvers(apart(X), 2),
        "X is a Dask collection, and this needs its rows in memory",
    ),
    "a text file": (
        lambda X: GaussianMixture(2, engine="dask").fit(__file__),
        "engine 'dask' reads Parquet files and folders of them",
    ),
    "weights beside a folder": (
        lambda X: GaussianMixture(2, engine="dask").fit("some.parquet", sample_weight=[1.0]),
        "sample_weight cannot be given for some.parquet: make the weights a column",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_a_sentence(X: np.ndarray, case: str) -> None:
    attempt, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        attempt(X)


@pytest.mark.parametrize("damage", ["cut", "pages"])
def test_a_damaged_part_is_named(X: np.ndarray, tmp_path: Path, damage: str) -> None:
    for i, part in enumerate(np.array_split(X, 3)):
        pd.DataFrame(part, columns=list("abc")).to_parquet(tmp_path / f"{i}.parquet")
    bad = tmp_path / "1.parquet"
    data = bytearray(bad.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[20:400] = bytes(380)
    bad.write_bytes(data)
    with pytest.raises(ValueError, match=r"1\.parquet: this is not a Parquet file"):
        GaussianMixture(2, engine="dask").fit(tmp_path)


def test_every_step_of_em_is_that_in_memory_also_on_a_ridge() -> None:
    # One component too many: solvers that estimate curvature make more of rounding there.
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, N)
    table = pd.DataFrame(
        {
            "x": rng.normal(4.0 * group),
            "n": rng.poisson(2 + 9 * group),
            "code": rng.integers(4, size=N),
        }
    )
    mixture = mixtura.Mixture("auto", 3, solver="em", max_iter=40, random_state=0)
    with pytest.warns(ConvergenceWarning):
        whole = mixture.fit(table).fit_result_
    with pytest.warns(ConvergenceWarning):
        apart = mixture.fit(dd.from_pandas(table, npartitions=5)).fit_result_
    assert len(whole.trace) == len(apart.trace)
    np.testing.assert_allclose(apart.trace, whole.trace, rtol=1e-14)


CHAINS: dict[str, Callable[[], Any]] = {
    "GaussianHMM": lambda: mixtura.GaussianHMM(2, random_state=0),
    "normal": lambda: mixtura.HiddenMarkov("normal", 2, random_state=0),
    "poisson": lambda: mixtura.HiddenMarkov("poisson", 2, random_state=0),
}


def chain(sequences: int, steps: int) -> np.ndarray:
    """Sequences of counts that stay for about twenty steps in one of two states."""
    rng = np.random.default_rng(1)
    states = np.cumsum(rng.uniform(size=(sequences, steps)) < 0.05, axis=1) % 2
    return rng.poisson(3.0 + 6.0 * states[..., None], size=(sequences, steps, 2)).astype(float)


@pytest.mark.parametrize("name", CHAINS)
def test_sequences_are_those_in_memory(name: str) -> None:
    # Longer than the sample of starts, but where that would take long.
    X = chain(20, 600 if name == "GaussianHMM" else 60)
    lengths, rows = [X.shape[1]] * 20, X.reshape(-1, 2)
    if name != "normal":
        # Steps that nobody saw.
        rows[5::13] = np.nan
    whole = CHAINS[name]().fit(rows, lengths)
    apart_rows = da.from_array(rows, chunks=(7 * X.shape[1], 1))
    found = CHAINS[name]().fit(apart_rows, lengths)
    same(whole, found)
    for asked in ("score", "bic"):
        here, there = (getattr(whole, asked)(x, lengths) for x in (rows, apart_rows))
        assert there == pytest.approx(here, rel=1e-12)
    with pytest.raises(ValueError, match="a Dask collection is for fit and score"):
        found.predict(apart_rows, lengths)
    assert found.fit_result_.engine == "dask"
    np.testing.assert_array_equal(found.predict(rows, lengths), whole.predict(rows, lengths))


def test_laws_of_stays_of_sequences_in_partitions() -> None:
    X, lengths = chain(8, 40).reshape(-1, 2), [40] * 8
    lasting = mixtura.HiddenMarkov(
        "poisson", 2, durations="geometric", max_duration=30, random_state=0
    )
    whole = lasting.fit(X, lengths)
    loglik, stays = whole.fit_result_.loglik, whole.stays_
    found = lasting.fit(da.from_array(X, chunks=(80, 2)), lengths)
    assert found.fit_result_.loglik == pytest.approx(loglik, rel=1e-10)
    # A law of few stays is flat: rounding is seen sooner there.
    np.testing.assert_allclose(found.stays_, stays, rtol=1e-6)


def test_sequences_by_a_column_and_a_checkpoint(tmp_path: Path) -> None:
    X = chain(12, 50)
    table = pd.DataFrame(X.reshape(-1, 2), columns=["a", "b"]).astype(np.float32)
    table["id"] = np.repeat([f"s{i}" for i in range(12)], 50)
    table["t"] = np.tile(np.arange(50), 12)
    # Whole sequences to each partition, one of them empty.
    parts = [table.iloc[:200], table.iloc[:0], table.iloc[200:250], table.iloc[250:]]
    apart = dd.from_delayed([dask.delayed(part) for part in parts], meta=table.iloc[:0])
    rows, lengths = mixtura.in_sequences(apart, sequence="id", time="t")
    assert (list(rows.columns), lengths.tolist()) == (["a", "b"], [50] * 12)
    whole = mixtura.HiddenMarkov("normal", 2, random_state=0).fit(table[["a", "b"]], lengths)
    found = mixtura.HiddenMarkov("normal", 2, random_state=0).fit(
        rows, lengths, checkpoint=tmp_path / "fit"
    )
    same(whole, found)
    assert list(found.feature_names_in_) == ["a", "b"]
    here = found.score(table[["a", "b"]], lengths)
    assert found.score(rows, lengths) == pytest.approx(here, rel=1e-12)
    with pytest.raises(ValueError, match="its columns are b, a, and the mixture was"):
        found.score(rows[["b", "a"]], lengths)
    alone, only = mixtura.in_sequences(apart[["a"]].repartition(npartitions=1))
    assert (list(alone.columns), only.tolist()) == (["a"], [600])
