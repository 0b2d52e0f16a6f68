"""Regressions of rows in Dask partitions: the answers of the same rows in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixtura import MixtureRegression, MixtureSearch

da = pytest.importorskip("dask.array", reason="dask is not installed: pip install 'mixtura[dask]'")
dd = pytest.importorskip("dask.dataframe")

N, GIVEN = 800, ["a", "b", "z"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, N)
    made = pd.DataFrame(rng.normal(size=(N, 3)), columns=GIVEN)
    made["z"] += group
    line = np.where(group, 3 + 2 * made["a"], -1 - made["a"] + made["b"])
    made["y"] = line + 0.5 * rng.normal(size=N)
    made["visits"] = rng.poisson(np.exp(np.where(group, 1 + 0.5 * made["a"], -0.5 * made["a"])))
    return made.assign(w=rng.integers(1, 4, N), city="Ulm")


TABLE = table()
# Its partitions are of unknown length, as is where they begin.
FRAME = dd.from_pandas(TABLE, npartitions=3).query("a > -2").clear_divisions().persist()
HERE = TABLE.query("a > -2")

Asked = tuple[dict[str, Any], Callable[[Any], Any], Callable[[Any], Any], str | None]
ASKED: dict[str, Asked] = {
    "concomitants": ({"concomitants": ["z"]}, lambda t: t[GIVEN], lambda t: t["y"], None),
    "counts, weighed": (
        {"family": "poisson", "covariates": ["a"], "weights": "importance"},
        lambda t: t[GIVEN],
        lambda t: t["visits"],
        "w",
    ),
    "arrays": (
        {"concomitants": [2], "covariates": [0, 1]},
        lambda t: t[GIVEN].to_dask_array() if hasattr(t, "dask") else t[GIVEN].to_numpy(),
        lambda t: t["y"].to_dask_array() if hasattr(t, "dask") else t["y"].to_numpy(),
        None,
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_regression_is_that_of_the_rows_in_memory(name: str) -> None:
    settings, rows, response, w = ASKED[name]

    def fitted(t: Any) -> MixtureRegression:
        weights = None if w is None else t[w]
        return MixtureRegression(2, random_state=0, **settings).fit(rows(t), response(t), weights)

    apart, again, here = fitted(FRAME), fitted(FRAME), fitted(HERE)
    assert apart.fit_result_.engine == "dask"
    assert apart.fit_result_ == again.fit_result_
    assert np.array_equal(apart.coef_, again.coef_)
    assert list(apart.mixture_.feature_names_in_) == list(here.mixture_.feature_names_in_)
    one, two = (each.mixture_._stored_arrays() for each in (apart, here))
    for part in two:
        np.testing.assert_allclose(one[part], two[part], rtol=1e-10, atol=1e-10)
    (X, y), (x, v) = ((rows(t), response(t)) for t in (FRAME, HERE))
    for method in ("predict", "predict_components", "predict_weights"):
        found = getattr(apart, method)(X)
        assert isinstance(found, da.Array)
        np.testing.assert_allclose(found.compute(), getattr(here, method)(x), atol=1e-8)
    for method in ("predict_proba", "classify", "score_samples"):
        found = getattr(apart, method)(X, y)
        assert isinstance(found, da.Array)
        np.testing.assert_allclose(found.compute(), getattr(here, method)(x, v), atol=1e-8)
    for method in ("score", "bic", "aic"):
        told = [
            getattr(each, method)(*of, None if w is None else t[w])
            for each, of, t in ((apart, (X, y), FRAME), (here, (x, v), HERE))
        ]
        assert told[0] == pytest.approx(told[1], rel=1e-10)


@pytest.mark.filterwarnings("ignore::mixtura.selection.component_search.StillRisingWarning")
def test_a_response_in_memory_and_a_search() -> None:
    whole = MixtureRegression(2, random_state=0).fit(HERE[["a"]], HERE["y"])
    apart = MixtureRegression(2, random_state=0).fit(FRAME[["a"]], HERE["y"].to_numpy())
    np.testing.assert_allclose(apart.coef_, whole.coef_, rtol=1e-10)
    # Of the last column on the others.
    searches = [
        MixtureSearch(["regression"], [1, 2], random_state=0).fit(t[["a", "y"]])
        for t in (FRAME, HERE)
    ]
    bics = [search.cv_results_["bic"] for search in searches]
    np.testing.assert_allclose(*bics, rtol=1e-10)


def fit(X: Any, y: Any, **told: Any) -> MixtureRegression:
    return MixtureRegression(2, random_state=0).fit(X, y, **told)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: fit(FRAME[["a", "city"]], FRAME["y"]), "column 'city' is of type .*rows are"),
    "a response of text": (
        lambda: fit(FRAME[["a"]], FRAME["city"]),
        "y is a Dask Series of type .*: a response is one column of numbers",
    ),
    "a frame of responses": (
        lambda: fit(FRAME[["a"]], FRAME[["y"]]),
        "y is a Dask DataFrame of 2 dimensions: a response is one column",
    ),
    "partitions of others": (
        lambda: fit(FRAME[["a"]], dd.from_pandas(TABLE["y"], npartitions=2)),
        "y: it has 2 partitions and X has 3: partition both alike",
    ),
    "other rows": (
        lambda: fit(FRAME[["a"]], dd.from_pandas(TABLE["y"], npartitions=3)),
        r"y has the shape \(\d+,\) in a partition, and X \d+ rows there",
    ),
    "too few": (lambda: fit(FRAME[["a"]], [1.0, 2.0]), r"y has the shape \(2,\), expected"),
    "no response": (lambda: fit(FRAME[["a"]], None), "y is None, and a regression needs"),
    "none, asked": (
        lambda: fit(HERE[["a"]], HERE["y"]).predict_proba(HERE[["a"]], None),
        "y is None, and a regression needs",
    ),
    "a gap": (
        lambda: fit(FRAME[["a"]].where(FRAME[["a"]] < 2), FRAME["y"]),
        r"X with y, partition \d .*: row \d+ .* contains NaN",
    ),
    "no counts": (
        lambda: MixtureRegression(2, "poisson").fit(FRAME[["a"]], FRAME["y"]),
        "a poisson response is a count .*, and column 'y' holds",
    ),
    "labels": (
        lambda: fit(FRAME[["a"]], FRAME["y"], labels=np.zeros(N)),
        "labels need all rows in memory",
    ),
    "rows here, response there": (
        lambda: fit(HERE[["a"]], FRAME["y"]),
        "y is a Dask collection, and this needs its rows in memory",
    ),
    "draws": (
        lambda: fit(FRAME[["a"]], FRAME["y"]).sample(FRAME[["a"]]),
        "X is a Dask collection, and this needs its rows in memory",
    ),
    "other columns": (
        lambda: fit(FRAME[["a"]], FRAME["y"]).score(FRAME[["b"]], FRAME["y"]),
        "there is no column 'a': it has b",
    ),
    "other shapes": (
        lambda: fit(FRAME[["a"]], FRAME["y"]).score(FRAME[GIVEN].to_dask_array(), FRAME["y"]),
        "X has 3 features, but MixtureRegression is expecting 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_regression_is_refused_in_a_sentence(case: str) -> None:
    attempt, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        attempt()
