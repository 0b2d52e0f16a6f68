"""Tables read in pieces: the same chunks, hence the same fit to the last bit; refusals."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import mixtura
from mixtura import GaussianMixture
from mixtura.data import columnar, opening, parts, streamed
from mixtura.data.moments import source_moments
from mixtura.data.readahead import read_ahead
from mixtura.data.rows import Rows, taken
from mixtura.engines.choose import ENGINES

N, D = 30_011, 3
NAMES = [f"c{j}" for j in range(D)]
KINDS = ["parquet", "folder", "csv", "csv.gz", "npy", "memmap", "callable", "weighted"]


def table(n: int = N) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, D)) + 4.0 * rng.integers(0, 2, size=(n, 1))


def weights(n: int = N) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, size=n).astype(float)


def frame(X: np.ndarray, w: np.ndarray | None = None) -> pa.Table:
    extra = {} if w is None else {"w": w}
    return pa.table({name: X[:, j] for j, name in enumerate(NAMES)} | extra)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces, none of them like a chunk, and no table read into memory."""
    monkeypatch.setattr(streamed, "SMALL_BYTES", 0)
    monkeypatch.setattr(columnar, "NUMBERS", 3 * 1237)
    monkeypatch.setattr(parts, "BLOCK", 1 << 16)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    X, w = table(), weights()
    pq.write_table(frame(X), folder / "t.parquet", row_group_size=7000)
    pq.write_table(frame(X, w), folder / "w.parquet", row_group_size=7000)
    (folder / "t.folder").mkdir()
    for i, (first, last) in enumerate(((0, 9999), (9999, 10_001), (10_001, N))):
        pq.write_table(frame(X[first:last]), folder / "t.folder" / f"part-{i}.parquet")
    pacsv.write_csv(frame(X), folder / "t.csv")
    with gzip.open(folder / "t.csv.gz", "wb", compresslevel=1) as file:
        file.write((folder / "t.csv").read_bytes())
    np.save(folder / "t.npy", X)
    return folder


def opened(kind: str, files: Path) -> tuple[streamed.Streamed, Rows]:
    """(a table in pieces, the same in memory)."""
    X, w = table(), weights()
    if kind == "weighted":
        return mixtura.stream(files / "w.parquet", weights="w"), Rows(X, w)
    if kind == "memmap":
        mapped = np.load(files / "t.npy", mmap_mode="r")
        return mixtura.stream(mapped, sample_weight=w), Rows(X, w)
    if kind == "callable":
        return mixtura.stream(lambda: (X[i : i + 777] for i in range(0, N, 777))), Rows(X)
    return mixtura.stream(files / f"t.{kind}"), Rows(X)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_chunks_as_in_memory(kind: str, files: Path) -> None:
    stream, rows = opened(kind, files)
    assert (stream.n, stream.d, stream.dtype) == (rows.n, rows.d, rows.dtype)
    assert (stream.weight, stream.positive) == (rows.weight, rows.positive)
    for size in (1000, 8192, N + 1):
        found, expected = list(stream.chunks(size)), list(rows.chunks(size))
        assert [chunk.where for chunk in found] == [chunk.where for chunk in expected]
        for (X, w, *_), (x, v, *_) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(X, x)
            assert (w is None) == (v is None)
            if w is not None and v is not None:
                np.testing.assert_array_equal(w, v)
    chosen = np.array([0, 5, 8191, 8192, 19_000])
    np.testing.assert_array_equal(taken(stream, chosen).X, taken(rows, chosen).X)
    a, b = source_moments(stream), source_moments(rows)
    np.testing.assert_array_equal(a.covariance, b.covariance)


def assert_same_fit(a: GaussianMixture, b: GaussianMixture) -> None:
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.fit_result_ == b.fit_result_


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_fit_to_the_last_bit(engine: str, files: Path) -> None:
    whole = GaussianMixture(2, random_state=0, engine=engine).fit(table(), sample_weight=weights())
    pieces = GaussianMixture(2, random_state=0, engine=engine)
    pieces.fit(mixtura.stream(files / "w.parquet", weights="w"))
    assert_same_fit(whole, pieces)
    assert list(pieces.feature_names_in_) == NAMES


@pytest.mark.parametrize("solver", ["squarem", "lbfgs", "stochastic"])
def test_the_same_climb_of_other_solvers(solver: str, files: Path) -> None:
    settings = {"random_state": 0, "solver": solver, "max_iter": 8}
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        whole = GaussianMixture(3, **settings).fit(table())
        assert_same_fit(whole, GaussianMixture(3, **settings).fit(str(files / "t.csv")))


def test_a_saddle_is_left_in_the_same_way(files: Path) -> None:
    # Two equal components: the climb ends at once, at a saddle, and trial climbs lead away from it.
    start = {"means_init": np.zeros((2, D)) + table().mean(0), "weights_init": [0.5, 0.5]}
    start |= {
        "precisions_init": np.stack([np.linalg.inv(np.cov(table().T))] * 2),
        "random_state": 0,
    }
    whole = GaussianMixture(2, **start).fit(table())
    assert whole.fit_result_.certificate.saddles_left > 0
    assert_same_fit(whole, GaussianMixture(2, **start).fit(files / "t.parquet"))


def test_answers_row_by_row(files: Path) -> None:
    X = table()
    mixture = GaussianMixture(2, random_state=0).fit(files / "t.parquet")
    for ask in (mixture.predict, mixture.predict_proba, mixture.score_samples):
        # The file has a column more than was fitted: columns are taken by name.
        np.testing.assert_array_equal(
            ask(files / "w.parquet"), ask(mixtura.stream(files / "t.csv"))
        )
        np.testing.assert_array_equal(ask(files / "w.parquet"), ask(pa_free(X)))
    assert mixture.score(files / "w.parquet") == mixture.score(pa_free(X))


def pa_free(X: np.ndarray) -> object:
    """A frame in memory with the names that were fitted."""
    import pandas as pd

    return pd.DataFrame(X, columns=NAMES)


@pytest.mark.parametrize("method", ["predict", "score"])
def test_answers_refuse_what_the_family_cannot_have_made(method: str) -> None:
    rows = np.floor(np.abs(table(40_000)))
    mixture = mixtura.Mixture("poisson", 2, random_state=0).fit(rows[:500])
    rows[35_000, 1] = 0.5
    for told in (rows, lambda: iter(np.array_split(rows, 7))):
        with pytest.raises(ValueError, match=r"for counts .* 'x2' holds 0.5 in row 35000 .*:"):
            getattr(mixture, method)(told)


def test_float32_stays_float32(tmp_path: Path) -> None:
    X = table().astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    whole = GaussianMixture(2, random_state=0).fit(X)
    pieces = GaussianMixture(2, random_state=0).fit(tmp_path / "x.npy")
    assert pieces.means_.dtype == np.float32
    assert_same_fit(whole, pieces)


def test_integers_of_a_memory_map_are_read_as_they_pass(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(-9, 9, size=(N, 2)).astype(np.int16)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    settings = {"random_state": 0, "covariance_type": "tied", "tol": 1e-2}
    assert_same_fit(
        GaussianMixture(2, **settings).fit(X), GaussianMixture(2, **settings).fit(mapped)
    )


def test_small_tables_are_read_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "SMALL_BYTES", 1 << 24)
    rows = opening.loaded(mixtura.stream(files / "w.parquet", weights="w"))
    assert isinstance(rows, Rows)
    np.testing.assert_array_equal(rows.X, table())
    np.testing.assert_array_equal(rows.sample_weight, weights())


def chunks_of(*tables: object) -> streamed.Streamed:
    return mixtura.stream(lambda: iter(tables))


X5 = np.arange(10.0).reshape(5, 2)
HOLE = np.where(X5 == 3, np.nan, X5)
REFUSED = {
    "no chunk": ((), "the first is nothing"),
    "no rows": ((X5[:0],), "no rows"),
    "one dimension": ((X5[0],), "array of shape"),
    "other columns": ((X5, X5[:, :1]), "rows from 5 on come as an array of shape"),
    "other type": ((X5.astype(np.float32), X5), "are float64, and the first ones were float32"),
    "a gap": ((X5, HOLE), r"row 6 \(counted from 0\) contains NaN or infinity"),
    "weights come and go": (((X5, np.ones(5)), X5), "some chunks have weights and some have none"),
    "a negative weight": (((X5, -np.ones(5)),), r"the weight of row 0 .* is -1.0"),
    "too few weights": (((X5, np.ones(4)),), r"have the shape \(4,\), not \(5,\)"),
    "inexact integers": ((np.array([[2**60, 1], [3, 4]]),), "beyond 2\\*\\*53"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_chunks_that_cannot_be_fitted(case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        chunks_of(*given)


def test_fits_that_cannot_be_made(files: Path, tmp_path: Path) -> None:
    path = str(files / "t.parquet")
    for mixture, X, message in (
        (GaussianMixture(2, solver="online"), path, "needs all rows in memory"),
        (GaussianMixture(2, solver=mixtura.Online()), path, "needs all rows in memory"),
        (GaussianMixture(7), lambda: iter([X5]), "n_samples = 5"),
        (GaussianMixture(1), lambda: iter([X5[:1]]), "minimum of 2"),
        (GaussianMixture(3), lambda: iter([X5 * 0, X5 * 0]), "only 1 distinct row"),
        (GaussianMixture(2), lambda: iter([X5, X5 * 1e200]), "whose squares leave float64"),
        (GaussianMixture(2), lambda: iter([(X5, np.zeros(5))]), "zero for every row"),
        (GaussianMixture(2), tmp_path / "lost.parquet", "there is no such file"),
        (GaussianMixture(2), tmp_path, "no .parquet file in this folder"),
        (GaussianMixture(2), tmp_path / "lost.npy", "there is no such file"),
    ):
        with pytest.raises(ValueError, match=message):
            mixture.fit(X)
        assert not hasattr(mixture, "n_features_in_")
    with pytest.raises(ValueError, match="columns cannot be given for a callable"):
        mixtura.stream(lambda: iter([X5]), columns=["a"])
    with pytest.raises(ValueError, match=r"give a path, a np\.memmap, a Dask array"):
        mixtura.stream(X5)
    with pytest.raises(ValueError, match="one chunk of rows"):
        GaussianMixture(2).partial_fit(path)
    fitted = GaussianMixture(1).fit(X5)
    with pytest.raises(ValueError, match="3 features, but GaussianMixture is expecting 2"):
        fitted.predict(path)


def test_a_gap_deep_in_a_file_is_named_by_its_row(tmp_path: Path) -> None:
    X = table()
    X[20_000, 1] = np.nan
    pq.write_table(frame(X), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="column 'c1', row 20001"):
        mixtura.stream(tmp_path / "x.parquet")


def test_text_deep_in_a_csv_is_refused(tmp_path: Path) -> None:
    lines = ["a,b", *(f"{i},{i % 7}" for i in range(20_000)), "1,oops"]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"column .b. holds text \(.oops.\) in row 20001 among"):
        mixtura.stream(tmp_path / "x.csv")


def test_a_callable_that_gives_its_rows_once_is_found_out() -> None:
    chunks = iter([table()[:999]] * 9)
    with pytest.raises(ValueError, match=r"fresh iterator|the first is|no rows"):
        GaussianMixture(2).fit(lambda: chunks)


def test_reading_ahead_ends_with_its_caller() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from iter(int, 1)
        finally:
            closed.set()

    items = read_ahead(endless(), 2)
    assert [next(items) for _ in range(5)] == [0] * 5
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_an_error_while_reading_ahead_comes_out_in_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("second")

    items = read_ahead(failing(), 8)
    assert next(items) == 1
    with pytest.raises(KeyError, match="second"):
        next(items)


def test_the_weights_of_a_stream_count_in_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    X, w = rng.normal(size=(500, 2)), rng.integers(0, 4, 500).astype(float)
    fitted = GaussianMixture(2, random_state=0).fit(X, sample_weight=w)

    def pieces() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield X[:200], w[:200]
        yield X[200:], w[200:]

    assert fitted.score(pieces) == pytest.approx(fitted.score(X, sample_weight=w), rel=1e-12)
    assert fitted.bic(pieces) == pytest.approx(fitted.bic(X, sample_weight=w), rel=1e-12)


NUMBERS = np.random.default_rng(0).normal(size=(40, 2))
FRAME = pd.DataFrame(NUMBERS, columns=["a", "b"])


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ([FRAME, FRAME[["b", "a"]]], "chunk 2 has the columns b, a, and the first one .* a, b"),
        ([FRAME, NUMBERS], "chunk 2 has no column names"),
        ([NUMBERS, NUMBERS + 1j], "chunk 2 cannot be read as rows of numbers .*complex128"),
        ([NUMBERS, NUMBERS.astype(str)], "chunk 2 cannot be read as rows of numbers"),
        (None, "the callable returned NoneType"),
    ],
)
def test_a_late_chunk_unlike_the_first_is_refused(chunks: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GaussianMixture(2).fit(lambda: None if chunks is None else iter(chunks))


def test_an_iterator_that_runs_dry_is_refused() -> None:
    same = iter([NUMBERS])
    with pytest.raises(ValueError, match="the same iterator twice"):
        GaussianMixture(2).fit(lambda: same)
    with pytest.raises(ValueError, match="can be read only once"):
        GaussianMixture(2).fit(chunk for chunk in [NUMBERS])


def test_a_small_table_that_is_another_each_time_is_refused() -> None:
    lengths = iter(range(10, 40))
    with pytest.raises(ValueError, match=r"had \d+ rows when it was opened and has more"):
        GaussianMixture(2).fit(lambda: iter([NUMBERS[: next(lengths)]]))


def test_a_callable_that_wants_arguments_is_refused() -> None:
    with pytest.raises(ValueError, match="called without arguments"):
        GaussianMixture(2).fit(lambda path: iter([path]))


def test_a_stream_says_what_it_is(files: Path) -> None:
    weighted = mixtura.stream(files / "w.parquet", weights="w", exclude=["c2"])
    named = "2 columns (c0, c1), float64, weighted"
    assert repr(weighted) == f"<Streamed {files / 'w.parquet'}: 30,011 rows of {named}>"
    single = mixtura.stream(lambda: iter([X5[:, :1].astype(np.float32)]))
    assert repr(single) == "<Streamed X: 5 rows of 1 column, float32>"
    wide = mixtura.stream(lambda: iter([pd.DataFrame(np.eye(9))]))
    assert repr(wide) == "<Streamed X: 9 rows of 9 columns (0, 1, 2, 3, 4, 5, ...), float64>"


def test_an_error_while_chunks_are_read_ahead_ends_the_process() -> None:
    script = (
        "from itertools import count\n"
        "from mixtura.data.readahead import read_ahead\n"
        "items = read_ahead(iter(count()), 2)\n"
        "next(items)\n"
        "raise ValueError('nobody asks for more')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: nobody asks for more\n")
