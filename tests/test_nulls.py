"""One table with gaps, however it is held: the same Gaussian mixture, and the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixtura import GaussianMixture, PoissonMixture

RNG = np.random.default_rng(0)
WHOLE = RNG.normal(size=(150, 3)) + np.where(RNG.uniform(size=150) < 0.5, 4.0, 0.0)[:, None]
GAPS = np.where(RNG.uniform(size=WHOLE.shape) < 0.15, np.nan, WHOLE)
GAPS[np.isnan(GAPS).all(axis=1)] = WHOLE[np.isnan(GAPS).all(axis=1)]
NULLS = {c: [None if np.isnan(v) else v for v in GAPS[:, j]] for j, c in enumerate("abc")}
ARROW = pa.table(NULLS)

FORMS: dict[str, Any] = {
    "pandas": pd.DataFrame(GAPS, columns=list("abc")),
    "pandas nullable": pd.DataFrame(GAPS, columns=list("abc")).astype("Float64"),
    "pandas of Arrow": ARROW.to_pandas(types_mapper=pd.ArrowDtype),
    "polars nulls": pl.DataFrame(NULLS),
    "polars NaN": pl.DataFrame(GAPS, schema=list("abc")),
    "Arrow": ARROW,
    "Arrow in chunks": pa.concat_tables([ARROW.slice(0, 40), ARROW.slice(40)]),
    "Arrow batch": pa.record_batch(NULLS),
    "Arrow dictionary": ARROW.set_column(2, "c", ARROW["c"].dictionary_encode()),
    "masked": np.ma.masked_invalid(GAPS),
    "masked, other numbers": np.ma.masked_array(np.nan_to_num(GAPS, nan=99.0), np.isnan(GAPS)),
    "list": [list(row) for row in zip(*NULLS.values(), strict=True)],
    "objects": np.array(list(zip(*NULLS.values(), strict=True)), dtype=object),
}


@pytest.fixture(scope="module")
def plain() -> GaussianMixture:
    return GaussianMixture(2, random_state=0).fit(GAPS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_is_the_same_table(form, plain):
    table = FORMS[form]
    mixture = GaussianMixture(2, random_state=0).fit(table)
    np.testing.assert_array_equal(mixture.means_, plain.means_)
    np.testing.assert_array_equal(mixture.score_samples(table), plain.score_samples(GAPS))
    np.testing.assert_array_equal(mixture.predict(table), plain.predict(GAPS))
    np.testing.assert_array_equal(mixture.impute(table), plain.impute(GAPS))


def test_nullable_integers():
    counts = np.random.default_rng(1).poisson(np.where(WHOLE > 2, 9.0, 2.0))
    holes = np.where(np.isnan(GAPS), np.nan, counts)
    frame = pd.DataFrame(holes, columns=list("abc")).astype("Int64")
    mixture = PoissonMixture(2, random_state=0).fit(frame)
    other = PoissonMixture(2, random_state=0).fit(holes)
    np.testing.assert_array_equal(mixture.rates_, other.rates_)


@pytest.mark.parametrize("masked", [False, True])
def test_gaps_in_float32_stay_float32(masked, plain):
    table = GAPS.astype(np.float32)
    mixture = GaussianMixture(2, random_state=0)
    mixture.fit(np.ma.masked_invalid(table) if masked else table)
    assert mixture.means_.dtype == np.float32
    np.testing.assert_allclose(mixture.means_, plain.means_, atol=1e-5)


def test_the_tag_says_that_cells_may_be_missing():
    for estimator in (GaussianMixture(), PoissonMixture()):
        assert estimator.__sklearn_tags__().input_tags.allow_nan
