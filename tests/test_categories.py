"""Text, categoricals and booleans as categories: coded, named in reports and files, kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixtura
from mixtura import Block, Mixture, MixtureSearch, Product
from mixtura.data.categories import coded

EYES = np.array(["blue", "brown", "green"])


def _drawn(n: int = 300) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=n)
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    eyes = (rng.random((n, 1)) > shares[group].cumsum(axis=1)).sum(axis=1)
    other = (rng.random((n, 1)) > shares[group].cumsum(axis=1)).sum(axis=1)
    smokes = rng.random(n) < np.array([0.9, 0.2])[group]
    codes = np.column_stack([eyes, other, smokes]).astype(float)
    frame = pd.DataFrame({"eyes": EYES[eyes], "mother's": EYES[other], "smokes": smokes})
    return codes, frame


CODES, FRAME = _drawn()
CONTAINERS: dict[str, Any] = {
    "pandas": FRAME,
    "pandas, categorical": FRAME.astype("category"),
    "pandas, objects": FRAME.astype(object),
    "polars": pl.DataFrame(FRAME.to_dict("list")),
    "polars, enum": pl.DataFrame(FRAME.to_dict("list")).with_columns(
        pl.col("eyes").cast(pl.Enum(["blue", "brown", "green", "red"])),
        pl.col("mother's").cast(pl.Categorical),
    ),
    "arrow": pa.table(FRAME.to_dict("list")),
    "array of objects": FRAME.to_numpy(dtype=object),
    "array of text": FRAME.to_numpy(dtype=str),
    "lists": FRAME.to_numpy(dtype=object).tolist(),
}


def test_categories_of_pandas_that_arrow_does_not_know() -> None:
    ages = pd.cut(pd.Series([3.0, 12.0, 7.0, np.nan] * 5), [0, 5, 10, 15])
    mixed = pd.Categorical([1, "b", 1, 1] * 5, categories=["b", 1])
    frame = pd.DataFrame({"age": ages, "mixed": mixed})
    codes, found = coded(frame, lambda names: [True, True])
    assert found == (("(0, 5]", "(5, 10]", "(10, 15]"), ("b", "1"))
    np.testing.assert_array_equal(codes["age"][:4], [0, 2, 1, np.nan])
    np.testing.assert_array_equal(codes["mixed"][:4], [1, 0, 1, 1])


def test_categories_of_one_text_are_refused() -> None:
    frame = pd.DataFrame({"a": pd.Categorical([1, "1", 2] * 5), "b": ["u", "v", "w"] * 5})
    with pytest.raises(ValueError, match="column 'a': several of its categories are called '1'"):
        mixtura.LatentClass(2).fit(frame)


@pytest.mark.parametrize("name", CONTAINERS)
def test_categories_are_fitted_as_their_codes_are(name: str) -> None:
    table = CONTAINERS[name]
    fitted = Mixture("categorical", 2, random_state=0).fit(table)
    plain = Mixture("categorical", 2, random_state=0).fit(CODES)
    assert np.array_equal(fitted.probabilities_, plain.probabilities_)
    assert np.array_equal(fitted.predict_proba(table), plain.predict_proba(CODES))
    assert fitted.family_.categories[:2] == (("blue", "brown", "green"),) * 2
    assert fitted.sample(5)[0].max() <= 2


def test_names_travel_through_reports_files_and_searches(tmp_path: Path) -> None:
    fitted = Mixture("categorical", 2, random_state=0).fit(FRAME)
    assert "green (" in fitted.summary()
    assert fitted.view().column(2).levels == ("false", "true")
    fitted.save(tmp_path / "eyes.json")
    again = mixtura.load(tmp_path / "eyes.json")
    assert again.family_ == fitted.family_
    assert again.summary() == fitted.summary()
    assert np.array_equal(again.predict_proba(FRAME), fitted.predict_proba(FRAME))
    search = MixtureSearch("categorical", [1, 2, 3], random_state=0).fit(FRAME)
    assert search.best_params_["n_components"] == 2
    assert search.best_estimator_.family_.categories == fitted.family_.categories
    assert np.array_equal(search.predict(FRAME), fitted.predict(FRAME))


def test_a_test_and_a_comparison_take_categories() -> None:
    found = [
        mixtura.bootstrap_lrt(
            table, family="categorical", max_components=2, max_resamples=19, random_state=0
        )
        for table in (FRAME, CODES)
    ]
    assert found[0].trials[0].p_value == found[1].trials[0].p_value
    runs = mixtura.compare_solvers(
        FRAME, 2, family="categorical", solvers=["em"], n_starts=1, random_state=0
    ).runs
    assert runs[0].converged


def test_gaps_in_categories_are_left_out() -> None:
    frame = FRAME.copy()
    frame.loc[3, "eyes"] = None
    frame.loc[5, "mother's"] = np.nan
    codes = CODES.copy()
    codes[3, 0] = codes[5, 1] = np.nan
    for table in (frame, frame.astype({"eyes": "category"}), pl.from_pandas(frame)):
        fitted = Mixture("categorical", 2, random_state=0).fit(table)
        plain = Mixture("categorical", 2, random_state=0).fit(codes)
        assert np.array_equal(fitted.probabilities_, plain.probabilities_)


def test_categories_of_a_product_stand_in_its_own_columns() -> None:
    frame = FRAME.assign(age=np.random.default_rng(1).normal(size=len(FRAME)))
    frame = frame[["age", "eyes", "smokes", "mother's"]]
    kind = Product([Block("categorical", [3, 1]), Block("diag", [0]), Block("bernoulli", [2])])
    fitted = Mixture(kind, 2, random_state=0).fit(frame)
    three = ("blue", "brown", "green")
    assert fitted.family_.categories == (None, three, None, three)
    with pytest.raises(ValueError, match=r"column 'age' holds text \('x'\)"):
        Mixture(kind, 2).fit(frame.assign(age="x"))


def test_one_declared_order_is_kept_and_unused_categories_are_not() -> None:
    order = ["never", "often", "rarely", "always"]
    column = pd.Categorical(["often", "never", "always", "never"], categories=order)
    table, found = coded(pd.DataFrame({"a": column}), lambda names: [True] * len(names))
    assert found == (("never", "often", "always"),)
    assert table["a"].tolist() == [1, 0, 2, 0]


def test_what_cannot_be_looked_up_is_refused() -> None:
    fitted = Mixture("categorical", 2, random_state=0).fit(FRAME)
    odd = FRAME[:3].copy()
    odd.loc[1, "eyes"] = "red"
    with pytest.raises(ValueError, match=r"'eyes' holds 'red' in row 1 .*, a category that the"):
        fitted.predict(odd)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(FRAME[["smokes", "eyes", "mother's"]])
    numbers = pd.DataFrame({"a": pd.Categorical([3, 1] * 20), "b": pd.Categorical([0, 1] * 20)})
    fitted = Mixture("categorical", 2, random_state=0).fit(numbers)
    with pytest.raises(ValueError, match="categories called '1', '3', and holds numbers"):
        fitted.predict(numbers.astype(int))
    with pytest.raises(ValueError, match=r"'eyes' holds text \('blue'\): give numbers"):
        mixtura.GaussianMixture(2).fit(FRAME)
    odd["eyes"] = [" ", "1.5", "green"]
    with pytest.raises(ValueError, match=r"'eyes' holds text \('green'\)"):
        mixtura.GaussianMixture(2).fit(odd[["eyes"]])
    named = pd.DataFrame(CODES, columns=FRAME.columns)
    plain = Mixture("categorical", 2, random_state=0).fit(named)
    with pytest.raises(ValueError, match=r"'eyes' holds text \('blue'\)"):
        plain.predict(FRAME)


def test_a_checkpoint_knows_categories_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "half"

    def interrupted(kind: Any, table: Any) -> None:
        mixture = Mixture(kind, 2, random_state=0)
        mixture._fit(table, None, checkpoint=path, listener=None)

    interrupted("categorical", FRAME)
    renamed = FRAME.replace({"eyes": {"blue": "azure"}})
    with pytest.raises(mixtura.CheckpointError, match="family"):
        Mixture("categorical", 2, random_state=0).fit(renamed, checkpoint=path)
    path.unlink()
    X = np.random.default_rng(0).poisson(4, size=(60, 2))
    interrupted(Product([Block("poisson", [0]), Block("negativebinomial", [1])]), X)
    other = Product([Block("poisson", [1]), Block("negativebinomial", [0])])
    with pytest.raises(mixtura.CheckpointError, match="family"):
        Mixture(other, 2, random_state=0).fit(X, checkpoint=path)
