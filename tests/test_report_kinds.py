"""Reports and figures of what is not Gaussian: counts, categories, shares, angles, long tails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_report_text import FIT

from mixtura.families.base import Family
from mixtura.families.bernoulli import Bernoulli, BernoulliParams
from mixtura.families.categorical import Categorical, CategoricalParams
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params
from mixtura.families.lognormal import LogNormal, LogNormalParams
from mixtura.families.multinomial import Multinomial, MultinomialParams
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.product import Block, Product, ProductParams
from mixtura.families.vonmises import VonMises, VonMisesParams
from mixtura.records import Array, Spike
from mixtura.report.figures import draw
from mixtura.report.text import to_text
from mixtura.report.view import MixtureView
from mixtura.report.warnings_text import warnings
from mixtura.solvers.certificate import Certificate

WEIGHTS = np.array([0.25, 0.75])
RATES = PoissonParams(np.array([[2.0, 30.0], [9.0, 400.0]]))


def view_of(family: Family, params: Any, d: int) -> MixtureView:
    names = tuple(f"column {j}" for j in range(d))
    return MixtureView(WEIGHTS, names, family.portrait(params, WEIGHTS, names), FIT)


def drawn(family: Family, params: Any, X: Array, weight: Array | None = None) -> Figure:
    X = np.asarray(X, dtype=float)
    view = view_of(family, params, X.shape[1])
    resp = np.full((len(X), 2), 0.5)
    figure = draw(view, X, responsibilities=resp, sample_weight=weight)
    figure.canvas.draw()
    return figure


def heights(figure: Figure, axes: int = 0) -> list[float]:
    return [float(bar.get_height()) for bar in figure.axes[axes].patches]  # type: ignore[attr-defined]


def test_the_report_names_the_family_and_what_its_cells_are() -> None:
    text = to_text(view_of(Poisson(), RATES, 2))
    assert "family           Poisson: counts, independent within a group" in text
    assert "Mean ± standard deviation within each group." in text
    assert "2.0 ± 1.4" in text
    assert "covariance" not in text
    angles = VonMisesParams(np.array([[0.5], [-2.0]]), np.array([[0.8], [15.0]]))
    assert "concentration κ" in to_text(view_of(VonMises(), angles, 1))


def test_warnings_speak_of_covariances_only_where_there_are_some() -> None:
    ridge = Certificate("ridge", None, 0, "")
    fit = replace(FIT, certificate=ridge, floored=(Spike(1, 3.0, 1e-9),))
    flat, spike = warnings(replace(view_of(Poisson(), RATES, 2), fit=fit))
    assert flat.endswith("Fewer groups would be better determined.")
    assert "onto a point: " in spike
    assert "try fewer groups, another seed, or look for repeated rows" in spike
    cov = np.tile(np.eye(2), (2, 1, 1))
    params = gaussian_params(RATES.rates, cov, structure("full").form)
    flat, spike = warnings(replace(view_of(Gaussian(structure("full")), params, 2), fit=fit))
    assert flat.endswith("Fewer groups, or a simpler covariance, would be better determined.")
    assert "onto a point or a plane: " in spike
    assert (
        "try fewer groups, another seed, a simpler covariance, or look for repeated rows" in spike
    )


def test_counts_are_shares_of_rows_beside_probabilities() -> None:
    X = np.array([[0, 10], [1, 20], [1, 400], [3, np.nan]])
    figure = drawn(Poisson(), RATES, X, np.array([1.0, 1.0, 2.0, 4.0]))
    # 0, 1, 2 and 3 in the first column, with their weights of 8 in all.
    np.testing.assert_allclose(heights(figure), [1 / 8, 3 / 8, 0, 4 / 8])
    x, whole = figure.axes[0].lines[-1].get_data()
    np.testing.assert_array_equal(x, [0, 1, 2, 3])
    np.testing.assert_allclose(np.asarray(whole)[0], WEIGHTS @ np.exp(-RATES.rates[:, 0]))
    # The gap is left out of its column; bars and the range of counts make the whole of the rest.
    bars = figure.axes[1].patches
    area = sum(bar.get_height() * bar.get_width() for bar in bars)  # type: ignore[attr-defined]
    np.testing.assert_allclose(area, 1.0)


def test_an_axis_of_counts_is_labelled_at_counts() -> None:
    figure = drawn(Poisson(), RATES, np.column_stack([np.arange(12), np.arange(12) * 30]))
    for ax in figure.axes[:2]:
        np.testing.assert_array_equal(ax.get_xticks(), np.round(ax.get_xticks()))


def test_counts_of_a_family_that_tells_no_column_alone() -> None:
    figure = drawn(type("Own", (Poisson,), {"allows_gaps": False})(), RATES, np.ones((4, 2)))
    assert heights(figure) == [1.0]
    assert not figure.axes[0].lines
    assert not any("lines" in text.get_text() for text in figure.texts)


def test_categories_are_shares_of_each_level() -> None:
    shares = np.array([[0.2, 0.8, 0.5, 0.1, 0.4], [0.7, 0.3, 0.1, 0.6, 0.3]])
    X = np.array([[0, 2], [0, 1], [1, 1], [0, np.nan]])
    figure = drawn(Categorical((2, 3)), CategoricalParams(shares), X)
    # All rows first, then each component.
    np.testing.assert_allclose(heights(figure), [3 / 4, 1 / 4, 0.2, 0.8, 0.7, 0.3])
    np.testing.assert_allclose(heights(figure, 1)[:3], [0, 2 / 3, 1 / 3])
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == ["0", "1", "2"]


def test_of_many_categories_the_likeliest_are_drawn() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(15), size=2)
    X = np.arange(15.0)[:, None]
    figure = drawn(Categorical((15,)), CategoricalParams(shares), X)
    shown = [int(tick.get_text()) for tick in figure.axes[0].get_xticklabels()]
    assert shown == sorted(np.argsort(-(WEIGHTS @ shares))[:10].tolist())
    assert "Of many categories the 10 likeliest." in figure.get_supxlabel()


def test_shares_of_ones_and_of_totals_are_one_profile() -> None:
    P = np.array([[0.1, 0.5, 0.9], [0.8, 0.4, 0.1]])
    X = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]])
    figure = drawn(Bernoulli(), BernoulliParams(P), X)
    assert len(figure.axes) == 1
    np.testing.assert_allclose(heights(figure), [0.75, 0.25, 0.25, *P[0], *P[1]])
    shares = P / P.sum(axis=1, keepdims=True)
    counts = np.array([[3, 0, 1], [0, 2, 2]])
    figure = drawn(Multinomial((4.0,)), MultinomialParams(shares), counts)
    np.testing.assert_allclose(heights(figure)[:3], [3 / 8, 2 / 8, 3 / 8])


@pytest.mark.parametrize("shift", [0.0, 2 * np.pi])
def test_angles_go_round_once(shift: float) -> None:
    params = VonMisesParams(np.array([[0.5], [3.1]]), np.array([[0.8], [6.0]]))
    X = np.random.default_rng(0).uniform(-np.pi, np.pi, (200, 1)) + shift
    ax = drawn(VonMises(), params, X if shift == 0 else X % (2 * np.pi)).axes[0]
    bars = ax.patches[0].get_data()  # type: ignore[attr-defined]
    np.testing.assert_allclose((bars.values * np.diff(bars.edges)).sum(), 1.0)
    low, high = ax.get_xlim()
    np.testing.assert_allclose([low, high], [0, 2 * np.pi] if shift else [-np.pi, np.pi])
    grid, whole = map(np.asarray, ax.lines[-1].get_data())
    np.testing.assert_allclose(np.trapezoid(whole, grid), 1.0, rtol=1e-6)
    assert ax.get_xticklabels()[-1].get_text() == ("2π" if shift else "π")


def test_long_tails_have_a_logarithmic_axis_with_its_own_density() -> None:
    params = LogNormalParams(np.array([[0.0], [5.0]]), np.array([[0.3], [0.5]]))
    labels = (np.random.default_rng(1).uniform(size=400) < 0.25).astype(int)
    X = LogNormal().sample(labels, params, np.random.default_rng(0))
    ax = drawn(LogNormal(), params, X).axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "density of the logarithm"
    bars = ax.patches[0].get_data()  # type: ignore[attr-defined]
    np.testing.assert_allclose((bars.values * np.diff(np.log(bars.edges))).sum(), 1.0)
    grid, whole = map(np.asarray, ax.lines[-1].get_data())
    np.testing.assert_allclose(np.trapezoid(whole, np.log(grid)), 1.0, atol=0.02)
    assert drawn(LogNormal(), params, X[labels == 0]).axes[0].get_xscale() == "linear"


def test_a_product_draws_the_most_telling_columns_of_any_kind() -> None:
    ones = BernoulliParams(np.array([[0.1, 0.5, 0.9], [0.9, 0.5, 0.1]]))
    same = PoissonParams(np.array([[3.0, 3.0, 3.0], [3.0, 9.0, 3.1]]))
    angles = VonMisesParams(np.array([[0.0, 1.0], [3.0, 1.0]]), np.full((2, 2), 5.0))
    blocks = (Block(Bernoulli(), (0, 1, 2)), Block(Poisson(), (3, 4, 5)), Block(VonMises(), (6, 7)))
    family = Product(blocks)
    params = ProductParams(family.names, (ones, same, angles))
    labels = (np.random.default_rng(0).uniform(size=100) < 0.75).astype(int)
    X = family.sample(labels, params, np.random.default_rng(1))
    figure = drawn(family, params, X)
    labels_below = [ax.get_xlabel() for ax in figure.axes]
    assert "column 4" in labels_below
    assert "column 6" in labels_below
    assert "(the 6 of 8 in which groups differ most)" in " ".join(figure.get_suptitle().split())
    shares = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert {"column 0", "column 2"} <= set(shares)
    assert "Angles in radians." in figure.get_supxlabel()


def test_a_column_without_a_value_is_refused() -> None:
    view = view_of(Poisson(), RATES, 2)
    X = np.array([[1.0, np.nan], [2.0, np.nan]])
    with pytest.raises(ValueError, match="no value in column 'column 1'"):
        draw(view, X, responsibilities=np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="infinite"):
        draw(view, np.full((2, 2), np.inf), responsibilities=np.full((2, 2), 0.5))
