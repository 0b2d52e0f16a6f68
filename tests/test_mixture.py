"""`Mixture`: components of any family, through everything an estimator does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import Mixture
from mixtura.engines.choose import ENGINES, PLAIN
from mixtura.families.categorical import Categorical
from mixtura.families.poisson import Poisson
from mixtura.families.product import Block, Product
from mixtura.families.registry import family
from mixtura.homes import FAMILIES
from mixtura.solvers.contrastive import NoiseContrastive
from mixtura.solvers.registry import SOLVERS

Array = NDArray[np.float64]
RATES = np.array([[1.0, 10.0, 3.0], [6.0, 2.0, 3.0], [12.0, 8.0, 9.0]])
PRODUCT = Product(
    (Block(Poisson(), (0, 2)), Block(Categorical(), (1,)), Block(family("full"), (3, 4)))
)


@pytest.fixture(scope="module")
def counts() -> Array:
    rng = np.random.default_rng(0)
    return rng.poisson(RATES[rng.integers(3, size=400)]).astype(np.float64)


@pytest.fixture(scope="module")
def mixed(counts: Array) -> Array:
    rng = np.random.default_rng(1)
    group = (counts[:, 0] > 4)[:, None]
    codes = np.where(group, rng.integers(2, size=(400, 1)), rng.integers(3, size=(400, 1)))
    rest = rng.normal(size=(400, 2)) + 3.0 * group
    return np.hstack([counts[:, :1], codes, counts[:, 1:2], rest]).astype(np.float64)


def climbs(solver: str) -> bool:
    return SOLVERS[solver].climbs


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_fits_counts(counts: Array, solver: str) -> None:
    best = Mixture("poisson", 3, random_state=0).fit(counts)
    kind: Any = solver
    if solver == "moments":
        with pytest.raises(ValueError, match="family 'poisson' has no such answer"):
            Mixture("poisson", 3, solver="moments", random_state=0).fit(counts)
        return
    if solver == "nce":
        with pytest.raises(ValueError, match=r"is for counts .* of the noise: give Noise"):
            Mixture("poisson", 3, solver="nce", random_state=0).fit(counts)
        kind = NoiseContrastive(Mixture("poisson", random_state=0).fit(counts), ratio=10)
    mixture = Mixture("poisson", 3, solver=kind, random_state=0).fit(counts)
    assert mixture.rates_.shape == (3, 3)
    if climbs(solver):
        assert mixture.fit_result_.loglik == pytest.approx(best.fit_result_.loglik, abs=1e-4)
        assert mixture.fit_result_.verdict == "interior maximum"
    close = np.sort(mixture.rates_[:, 0]) / np.sort(RATES[:, 0])
    assert np.all(np.abs(np.log(close)) < 0.5)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_engines_serve_it_or_say_why_not(counts: Array, engine: str) -> None:
    mixture = Mixture("poisson", 2, engine=engine, random_state=0)
    if engine in PLAIN:
        assert mixture.fit(counts).fit_result_.engine == engine
    else:
        with pytest.raises(ValueError, match="has no kernel for"):
            mixture.fit(counts)


@pytest.mark.parametrize("kind", ["poisson", PRODUCT], ids=["poisson", "product"])
def test_files_streams_checkpoints_and_model_files(
    kind: str | Product, mixed: Array, tmp_path: Path
) -> None:
    X = mixed[:, [0, 2]] if kind == "poisson" else mixed
    path, model = tmp_path / "t.npy", tmp_path / "m.json"
    np.save(path, X)
    mixture = Mixture(kind, 2, random_state=0).fit(X)
    for data in (str(path), lambda: iter([X[:150], X[150:]])):
        again = Mixture(kind, 2, random_state=0).fit(data)
        np.testing.assert_array_equal(again.weights_, mixture.weights_)
    again = Mixture(kind, 2, random_state=0).fit(X, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(again.predict(X), mixture.predict(X))
    mixture.save(model)
    loaded = mixtura.load(model)
    np.testing.assert_array_equal(loaded.predict_proba(X), mixture.predict_proba(X))
    assert loaded.bic(X) == mixture.bic(X)
    rows, labels = loaded.sample(20, random_state=1)
    assert rows.shape == (20, X.shape[1])
    assert set(labels) <= {0, 1}


def test_a_gap_is_left_out_of_its_row(counts: Array) -> None:
    mixture = Mixture("poisson", 3, random_state=0).fit(counts)
    row = counts[:1].copy()
    row[0, 1] = np.nan
    # The marginal density, by adding up what the missing count might be.
    filled = np.repeat(counts[:1], 400, axis=0)
    filled[:, 1] = np.arange(400.0)
    total = np.logaddexp.reduce(mixture.score_samples(filled))
    assert mixture.score_samples(row)[0] == pytest.approx(total, rel=1e-12)
    holes = counts.copy()
    holes[np.random.default_rng(2).uniform(size=counts.shape) < 0.2] = np.nan
    holes[np.isnan(holes).all(axis=1)] = counts[np.isnan(holes).all(axis=1)]
    found = Mixture("poisson", 3, random_state=0).fit(holes)
    order = np.argsort(found.rates_[:, 0])
    np.testing.assert_allclose(found.rates_[order], RATES, rtol=0.2)


def test_bad_tables_are_refused_by_column(counts: Array) -> None:
    empty = counts.copy()
    empty[:, 2] = np.nan
    for bad, words in (
        (counts - 1.0, "is for counts .* column 'x1' holds -1"),
        (counts + 0.5, "is for counts"),
        (empty, "column 'x3' has no value in any row"),
    ):
        with pytest.raises(ValueError, match=words):
            Mixture("poisson", 2).fit(bad)
    with pytest.raises(ValueError, match="family must be one of"):
        Mixture("posson", 2).fit(counts)
    fitted = Mixture("poisson", 2, random_state=0).fit(counts)
    with pytest.raises(ValueError, match="is for counts"):
        fitted.predict(counts + 0.5)


def test_a_family_of_ones_own_is_not_saved_but_fits(counts: Array, tmp_path: Path) -> None:
    class Own(Poisson):
        pass

    mixture = Mixture(Own(), 2, random_state=0).fit(counts)
    assert mixture.fit_result_.converged
    with pytest.raises(mixtura.StoreError, match="components of your own family Own"):
        mixture.save(tmp_path / "own.json")


def test_codes_that_nobody_has_are_no_parameters() -> None:
    X = np.random.default_rng(0).integers(0, 2, size=(200, 2)).astype(np.float64)
    one, two = (Mixture("categorical", 2, random_state=0).fit(x) for x in (X, 3 * X))
    assert one.bic(X) == pytest.approx(two.bic(3 * X))
    X[4, 1] = 94_110
    with pytest.raises(ValueError, match=r"at most 10,000 of them, and column 'x2' holds 94110"):
        Mixture("categorical", 2).fit(X)


def test_a_product_names_each_column_once(counts: Array) -> None:
    with pytest.raises(ValueError, match=r"columns \[0, 0\] .* and the table has 3"):
        Mixture(Product([Block("poisson", 0), Block("gamma", 0)]), 2).fit(counts)
    with pytest.raises(ValueError, match="Block: columns are given by name or by their numbers"):
        Block("poisson", [0.5])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"Block has 'a', which is no column"):
        Mixture(Product([Block("poisson", ["x1", "x3"]), Block("gamma", "a")]), 2).fit(counts)


def test_a_product_finds_its_columns_by_name(counts: Array) -> None:
    frame = pd.DataFrame(counts, columns=["a", "b", "c"]).assign(d=counts[:, 0] + 0.5)
    blocks = [Block("poisson", ["c", "a"]), Block("normal", "d"), Block("poisson", [1])]
    named = Mixture(Product(blocks), 2, random_state=0).fit(frame)
    numbers = [Block("poisson", [2, 0]), Block("normal", 3), Block("poisson", 1)]
    other = Mixture(Product(numbers), 2, random_state=0).fit(frame)
    assert np.array_equal(named.poisson1_rates_, other.poisson1_rates_)
    assert named.family_ == other.family_


def test_a_warm_start_is_of_the_same_family_and_shape(counts: Array) -> None:
    mixture = Mixture("poisson", 2, warm_start=True, random_state=0).fit(counts)
    with pytest.raises(ValueError, match="over 2 columns cannot continue"):
        mixture.fit(counts[:, :2])
    with pytest.raises(ValueError, match="of family 'gamma' over 3 columns cannot continue"):
        mixture.set_params(family="gamma").fit(counts + 1.0)


def test_a_wrong_m_step_is_no_maximum(counts: Array) -> None:
    class Low(Poisson):
        def maximize(self, stats: Any, params: Any, prior: Any) -> Any:
            return replace(
                found := super().maximize(stats, params, prior), rates=0.97 * found.rates
            )

    with pytest.warns(ConvergenceWarning):
        fitted = Mixture(Low(), 3, solver="em", random_state=0).fit(counts)
    assert fitted.fit_result_.verdict == "not converged"
    assert fitted.fit_result_.certificate.detail.endswith("do not belong together")


def test_the_docstring_names_every_family() -> None:
    told = Mixture.__doc__ or ""
    assert [name for name in FAMILIES if f'"{name}"' not in told] == []
