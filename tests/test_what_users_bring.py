"""Tables, labels, weights and numbers as users hold them: the right answer, or one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import mixtura
from mixtura import BlockModel, GaussianHMM, GaussianMixture, HiddenMarkov, MixtureRegression

RNG = np.random.default_rng(0)
TWO = np.repeat([0, 1], 30)
X = RNG.normal(size=(60, 2)) + 6 * TWO[:, None]
HOLED = np.where(np.arange(120).reshape(60, 2) == 7, np.nan, X)
LONG = np.tile(X, (20_000, 1)) + np.repeat(np.linspace(0, 1, 20_000), 60)[:, None]


def mixture(**settings: Any) -> GaussianMixture:
    return GaussianMixture(2, random_state=0, **settings)


@pytest.fixture(scope="module")
def fitted() -> GaussianMixture:
    return mixture().fit(X)


def table(rows: np.ndarray) -> pa.Table:
    return pa.table({"a": rows[:, 0], "b": rows[:, 1]})


def folder(rows: np.ndarray, path: Path) -> Any:
    path.mkdir()
    for i, part in enumerate(np.array_split(rows, 3)):
        pq.write_table(table(part), path / f"{i}.parquet")
    return ds.dataset(path)


# What holds a table, given its rows and a folder to write in.
FORMS: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "lazy frame": lambda rows, _: pl.from_arrow(table(rows)).lazy(),
    "dataset": lambda rows, path: folder(rows, path / "parts"),
    "reader": lambda rows, _: table(rows).to_reader(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_that_is_made_when_asked_for_is_that_table(form: str, tmp_path: Path) -> None:
    made = FORMS[form]
    found, plain = mixture().fit(made(X, tmp_path)), mixture().fit(table(X))
    np.testing.assert_array_equal(found.means_, plain.means_)
    assert list(found.feature_names_in_) == ["a", "b"]
    again = made(X, tmp_path / "parts")
    np.testing.assert_array_equal(plain.predict_proba(again), plain.predict_proba(table(X)))


@pytest.mark.parametrize("form", ["lazy frame", "dataset"])
def test_a_long_one_is_read_in_pieces(form: str, tmp_path: Path) -> None:
    lazy = FORMS[form](LONG, tmp_path)
    opened = mixtura.stream(lazy, columns=["b", "a"])
    assert (opened.n, opened.reader.names) == (len(LONG), ("b", "a"))
    found = mixture(max_iter=3).fit(lazy)
    plain = mixture(max_iter=3).fit(table(LONG))
    np.testing.assert_array_equal(found.means_, plain.means_)
    np.testing.assert_array_equal(found.score_samples(lazy), plain.score_samples(table(LONG)))


def test_sequences_of_a_lazy_frame_come_into_memory() -> None:
    lazy = pl.from_arrow(table(X)).lazy()
    found = HiddenMarkov("normal", 2, random_state=0).fit(lazy, [30, 30])
    plain = HiddenMarkov("normal", 2, random_state=0).fit(table(X), [30, 30])
    assert found.fit_result_.loglik == plain.fit_result_.loglik


COLUMNS: dict[str, Callable[[np.ndarray], Any]] = {
    "(n, 1)": lambda values: values[:, None],
    "pandas frame": lambda values: pd.DataFrame({"given": values}),
    "polars frame": lambda values: pl.DataFrame({"given": values}),
    "arrow table": lambda values: pa.table({"given": values}),
    "lazy frame": lambda values: pl.LazyFrame({"given": values}),
}


@pytest.mark.parametrize("form", COLUMNS)
def test_one_column_is_a_column(form: str) -> None:
    as_column = COLUMNS[form]
    w, names = TWO + (np.arange(len(TWO)) % 3 > 0), np.array(["left", "right"], dtype=object)[TWO]
    plain = mixture().fit(X, sample_weight=w, labels=names)
    for labels in (names, TWO):
        found = mixture().fit(X, sample_weight=as_column(w), labels=as_column(labels))
        np.testing.assert_array_equal(found.means_, plain.means_)
    assert plain.score(X, sample_weight=as_column(w)) == plain.score(X, sample_weight=w)
    states = HiddenMarkov("normal", 2, random_state=0).fit(X, states=as_column(TWO))
    plainly = HiddenMarkov("normal", 2, random_state=0).fit(X, states=TWO)
    assert states.fit_result_.loglik == plainly.fit_result_.loglik


def test_memberships_of_one_component_are_no_column_of_labels() -> None:
    one = GaussianMixture(1).fit(X, labels=np.ones((60, 1)))
    np.testing.assert_allclose(one.means_[0], X.mean(axis=0))


def test_labels_go_through_fit_predict() -> None:
    swapped = mixture().fit_predict(X, labels=1 - TWO)
    np.testing.assert_array_equal(swapped, 1 - TWO)


def test_missing_values_of_pandas_among_objects() -> None:
    objects = HOLED.astype(object)
    objects[np.isnan(HOLED)] = pd.NA
    plain = mixture().fit(HOLED)
    for held in (objects, pd.DataFrame(objects)):
        np.testing.assert_array_equal(mixture().fit(held).means_, plain.means_)
        np.testing.assert_array_equal(plain.predict(held), plain.predict(HOLED))
    unknown = plain.predict_proba(pd.DataFrame([[pd.NA, pd.NA]]))
    np.testing.assert_allclose(unknown, [plain.weights_])
    states = np.array([0, pd.NA] * 30, dtype=object)
    known = HiddenMarkov("normal", 2, random_state=0).fit(X, states=states).fit_result_.loglik
    minus = np.array([0, -1] * 30)
    assert (
        known == HiddenMarkov("normal", 2, random_state=0).fit(X, states=minus).fit_result_.loglik
    )


def objects(value: Any) -> np.ndarray:
    found = X.astype(object)
    found[3, 1] = value
    return found


NUMBER = "must be a whole number from {} on, got {}"
GAP = r"column '?x2'? has no value \(NaN\) in row 3 .*, and every cell is needed here"
NAMES = pd.DataFrame({"a": ["x"] * 60})
REFUSED: dict[str, tuple[Callable[[GaussianMixture], Any], str]] = {
    "goodness": (lambda g: mixtura.goodness_of_fit(g, HOLED, draws=1), GAP),
    "sample": (lambda g: g.sample(2.5), NUMBER.format(1, 2.5)),
    "sample text": (lambda g: g.sample("a"), NUMBER.format(1, "'a'")),
    "sample none": (lambda g: g.sample(None), NUMBER.format(1, None)),
    "sample True": (lambda g: g.sample(True), NUMBER.format(1, True)),
    "chunks": (lambda g: g.sample_chunks(np.inf), NUMBER.format(1, "inf")),
    "impute": (lambda g: g.impute(HOLED, draws=1.5), "draws " + NUMBER.format(1, 1.5)),
    "top": (lambda g: g.predict_proba(X, top="a"), "top " + NUMBER.format(1, "'a'")),
    "p-values": (lambda g: g.predictive_p_values(X, n_samples=1.5), NUMBER.format(1, 1.5)),
    "entropy": (lambda g: g.entropy(n_samples=2.5), "n_samples " + NUMBER.format(2, 2.5)),
    "coverage": (lambda g: g.highest_density_region("a"), "coverage must lie between 0 and 1"),
    "cdf": (lambda g: g.marginal(0).cdf("a"), "x holds str values that are no numbers"),
    "quantile": (lambda g: g.marginal(0).quantile([[1], [1, 2]]), "p holds list values"),
    "kind": (lambda g: g.divergence(g, []), "kind must be one of"),
    "save": (lambda g: g.save(3), "cannot be written"),
    "load": (lambda g: mixtura.load(None), "give its name, not None"),
    "weights": (lambda g: g.fit(X, sample_weight={"a": 1}), "sample_weight holds dict values"),
    "weights NA": (lambda g: g.fit(X, sample_weight=[pd.NA] * 60), "sample_weight holds list"),
    "weights names": (lambda g: g.fit(X, sample_weight=NAMES), "sample_weight holds"),
    "labels nested": (lambda g: g.fit(X, labels=[[1, 2], [3]] * 30), r"labels hold \[1, 2\]"),
    "labels text": (lambda g: g.fit(X, labels=[["a", "b"]] * 60), "labels holds"),
    "mapping": (lambda g: g.fit({"a": [1, 2]}), r"its type is dict.*pandas\.DataFrame\(X\)"),
    "mappings": (lambda g: g.predict([{"a": 1}] * 5), r"pandas\.DataFrame\(X\)"),
    "records": (lambda g: g.fit(np.array([(1.0, 2.0)], [("a", float), ("b", float)])), "is no tab"),
    "twins": (
        lambda g: g.fit(pd.DataFrame(X, columns=["a", "a"])),
        "column 'a' 2 times: give each",
    ),
    "no columns": (lambda g: g.fit(pd.DataFrame(index=range(3))), "3 rows and no columns"),
    "a column": (lambda g: g.fit(pd.Series(["a"] * 60)), r"values\.reshape\(-1, 1\)"),
    "set": (lambda g: g.score({1, 2}), "X is no table of rows of numbers"),
    "None": (lambda g: g.fit(None), "X is no table of rows of numbers"),
    "ragged": (lambda g: g.fit([[1, 2], [3]]), "its rows have 1 and 2 values"),
    "error": (lambda g: g.fit(X, error="a"), "error is no table of rows of numbers"),
    "from_parameters": (
        lambda g: g.from_parameters(3, [[0], [1]], [[[1]]] * 2),
        "'weights' should have",
    ),
    "covariance type": (lambda g: g.from_parameters([1], [[0]], [1], covariance_type=[]), "one of"),
    "transitions": (lambda g: HiddenMarkov(transitions={}, n_states=2).fit(X), "transitions holds"),
    "algorithm": (
        lambda g: GaussianHMM(2).fit(X).decode(X, algorithm=["map"]),
        "'viterbi' or 'map'",
    ),
    "a prior": (lambda g: GaussianHMM(2, startprob_prior=[1.0] * 4).fit(X), r"shape \(4,\)"),
    "lengths": (lambda g: GaussianHMM(2).fit(X, [[1], [2, 3]]), "lengths holds list"),
    "y": (lambda g: MixtureRegression(2).fit(X, None), "y is None"),
    "blocks": (lambda g: BlockModel(2, random_state=0).fit(np.eye(4)[::-1]).predict("a"), "pairs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(case: str, fitted: GaussianMixture) -> None:
    asked, said = REFUSED[case]
    with pytest.raises(ValueError, match=said) as refused:
        asked(fitted)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [{"a": 1}, [1], 1j, object()])
def test_cells_that_are_no_numbers(value: Any, fitted: GaussianMixture) -> None:
    said = f"column x2 holds {re.escape(repr(value))} of type {type(value).__name__}"
    for asked in (mixture().fit, fitted.predict):
        with pytest.raises(TypeError, match=said):
            asked(objects(value))


def test_whole_floats_are_whole_numbers(fitted: GaussianMixture) -> None:
    assert len(fitted.sample(1e2)[0]) == 100
