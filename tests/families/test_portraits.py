"""Portraits: cells, curves and what a column tells agree with SciPy and with sums by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from family_cases import CASES, LEVELS, SHARES, FamilyCase, M, P
from scipy import integrate, stats

from mixtura.families.base import Family
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.records import factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaps import ColumnSums, column_sums
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.portrait import Portrait
from mixtura.families.product import Block, Product, ProductParams
from mixtura.records import AnyArray, Array, Params
from mixtura.supports import Positive

WEIGHTS = np.array([0.4, 0.6])


def portrait_of(case: FamilyCase) -> Portrait:
    X, _ = case.rows(2)
    names = [f"column{j}" for j in range(X.shape[1])]
    portrait = case.family.portrait(case.params, WEIGHTS, names)
    assert isinstance(portrait, Portrait)
    return portrait


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_family_has_cells_for_each_column_and_group(case: FamilyCase) -> None:
    portrait = portrait_of(case)
    assert portrait.words
    for j, column in enumerate(portrait.columns):
        assert column.name == f"column{j}"
        assert len(column.cells) == 2
        assert all(column.cells)
    assert portrait.tells.shape == (len(portrait.columns),)
    assert (portrait.tells >= 0).all()


@pytest.mark.parametrize(
    "case", [c for c in CASES.values() if c.column and not c.density], ids=lambda c: c.name
)
def test_curves_are_the_columns_own_densities(case: FamilyCase) -> None:
    assert case.column is not None
    X, _ = case.rows(40)
    for j, column in enumerate(portrait_of(case).columns):
        if column.curve is None:
            assert column.kind == "share"
            continue
        found = column.curve(X[:, j])
        for k in range(2):
            of = case.column(k, j)
            density = of.pmf(X[:, j]) if case.discrete else of.pdf(X[:, j])
            np.testing.assert_allclose(found[:, k], density, rtol=1e-7)


@pytest.mark.parametrize("name", ["exponential", "gamma", "lognormal", "negativebinomial",
                                  "poisson"])  # fmt: skip
def test_means_and_variances_are_scipys(name: str) -> None:
    case = CASES[name]
    assert case.column is not None
    means, variances = case.family.means(case.params), case.family.variances(case.params)
    for k in range(2):
        for j in range(2):
            mean, variance = case.column(k, j).stats("mv")
            np.testing.assert_allclose(means[k, j], mean)
            np.testing.assert_allclose(variances[k, j], variance)


def test_columns_of_unit_vectors_have_the_moments_and_the_density_of_the_sphere() -> None:
    case = CASES["vonmisesfisher"]
    portrait = portrait_of(case)
    assert portrait.means is not None
    assert portrait.variances is not None
    for j, column in enumerate(portrait.columns):
        assert column.curve is not None
        x, weight = np.polynomial.legendre.leggauss(400)
        masses = weight[:, None] * column.curve(x)
        np.testing.assert_allclose(masses.sum(axis=0), 1.0, rtol=1e-9)
        np.testing.assert_allclose(x @ masses, portrait.means[:, j], atol=1e-9)
        second = x**2 @ masses - (x @ masses) ** 2
        np.testing.assert_allclose(second, portrait.variances[:, j], rtol=1e-8)


def test_cells_in_words() -> None:
    cells = {name: portrait_of(CASES[name]).column(0).cells for name in CASES}
    assert cells["poisson"] == ("2.0 ± 1.4", "9.0 ± 3.0")  # sqrt(2), sqrt(9)
    assert cells["bernoulli"] == ("10.0%", "80.0%")
    assert cells["multinomial"] == ("10.0%", "50.0%")
    assert cells["categorical"] == ("1 (80.0%)", "0 (70.0%)")
    assert cells["vonmises"] == ("0.50 (κ 0.8)", "-2.00 (κ 15)")


def entropy(p: Array) -> float:
    return float(stats.entropy(np.asarray(p)))


def test_what_categories_tell_is_the_fall_of_entropy() -> None:
    tells = portrait_of(CASES["categorical"]).tells
    for j, own in enumerate((LEVELS[:, :2], LEVELS[:, 2:])):
        expected = entropy(WEIGHTS @ own) - WEIGHTS @ [entropy(row) for row in own]
        np.testing.assert_allclose(tells[j], expected)
    ones = portrait_of(CASES["bernoulli"]).tells[2]
    both = np.stack([P[:, 2], 1 - P[:, 2]], axis=1)
    np.testing.assert_allclose(
        ones, entropy(WEIGHTS @ both) - WEIGHTS @ [entropy(row) for row in both]
    )


def test_what_angles_tell_is_the_fall_of_entropy() -> None:
    case = CASES["vonmises"]
    assert case.column is not None
    one, two = case.column(0, 1), case.column(1, 1)

    def whole(x: float) -> float:
        density = float(WEIGHTS @ [one.pdf(x), two.pdf(x)])
        return -density * np.log(density)

    mixed = integrate.quad(whole, -np.pi, np.pi)[0]
    expected = mixed - WEIGHTS @ [one.entropy(), two.entropy()]
    np.testing.assert_allclose(portrait_of(case).tells[1], expected, rtol=1e-5)


def test_a_product_shows_its_blocks_where_their_columns_are() -> None:
    poisson, multinomial = CASES["poisson"], CASES["multinomial"]
    family = Product((Block(poisson.family, (3, 0)), Block(multinomial.family, (1, 4, 2))))
    params = ProductParams(family.names, (poisson.params, multinomial.params))
    portrait = family.portrait(params, WEIGHTS, list("abcde"))
    assert [column.name for column in portrait.columns] == list("abcde")
    assert [column.kind for column in portrait.columns] == [
        "counts", "share", "share", "counts", "share",
    ]  # fmt: skip
    np.testing.assert_array_equal(portrait.column(3).means, M[:, 0])
    np.testing.assert_array_equal(portrait.column(2).means, SHARES[:, 2])
    # The total that a share is of has its places in the whole table.
    assert portrait.column(2).whole == (1, 4, 2)
    assert portrait.name == "Poisson (d, a) x Multinomial (b, e, c)"


def test_no_column_of_a_product_tells_more_than_the_component() -> None:
    far = PoissonParams(np.array([[1.0], [1e6]]))
    family = Product((Block(Poisson(), (0,)), Block(Poisson(), (1,))))
    params = ProductParams(family.names, (far, PoissonParams(np.array([[1.0], [1.1]]))))
    alone = Poisson().portrait(far, WEIGHTS, ["x"]).tells
    tells = family.portrait(params, WEIGHTS, ["x", "y"]).tells
    assert alone[0] > entropy(WEIGHTS)
    np.testing.assert_allclose(tells[0], entropy(WEIGHTS))
    assert 0 < tells[1] < 0.01


@dataclass(frozen=True)
class BareParams(Params):
    rates: Annotated[Array, Positive()]


@dataclass(frozen=True)
class Bare(Family):
    """What a newcomer must write, and nothing more."""

    record: ClassVar[type[Params]] = BareParams

    def log_density(self, X: AnyArray, params: BareParams) -> Array:
        return np.asarray(np.log(params.rates).sum(axis=1) - X @ params.rates.T)

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> ColumnSums:
        return column_sums(X, resp)

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> BareParams:
        return BareParams(stats.counts[:, None] / stats.sums)


def test_a_family_that_tells_nothing_shows_its_parameters() -> None:
    portrait = Bare().portrait(BareParams(M), WEIGHTS, ["a", "b"])
    column = portrait.column(1)
    assert column.cells == ("5", "1.5")
    assert column.header == "rates"
    assert column.caption == "Parameters of each group."
    assert column.curve is None


def test_every_covariance_is_put_into_words() -> None:
    said = {name: row.words for name, row in STRUCTURES.items()}
    assert all(said.values())
    assert said["full"] == said["VVV"] == "each group has its own covariance"
    assert said["E"] != said["EII"]
    assert structure("UUC:2").words == FactorAnalytic(2, "UUC").words


def test_factors_speak_of_their_noise() -> None:
    family = FactorAnalysers(FactorAnalytic(1))
    params = factor_params(np.zeros((2, 3)), np.ones((2, 3, 1)), np.ones((2, 3)))
    portrait = family.portrait(params, WEIGHTS, list("abc"))
    assert portrait.label == "covariance"
    assert portrait.words == FactorAnalytic(1).words
    assert portrait.column(0).cells == ("0.0 ± 1.4", "0.0 ± 1.4")
    assert "Heywood" in portrait.lone.format(columns="a in group 0")
