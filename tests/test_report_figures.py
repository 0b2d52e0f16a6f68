"""Figures: what is drawn, where and in which colours, and that files are whole or absent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from views import changed, gaussian_view, sds

from mixtura.records import AnyArray
from mixtura.report.figures import draw, save_figure
from mixtura.report.palette import rgb
from mixtura.report.panels import bin_edges, component_curves
from mixtura.report.view import MixtureView

Floats = NDArray[np.float64]


def make(K: int, d: int, n: int = 200, seed: int = 0) -> tuple[MixtureView, Floats, Floats]:
    """A mixture, rows drawn from it and their responsibilities."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(K, d)) * 5
    wide = rng.uniform(0.5, 1.5, size=(K, d))
    X = means[np.arange(n) % K] + wide[np.arange(n) % K] * rng.normal(size=(n, d))
    z = (X[:, None, :] - means) / wide
    log_p = -0.5 * (z**2).sum(axis=2) - np.log(wide).sum(axis=1)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    view = gaussian_view(
        np.full(K, 1 / K),
        means,
        *spreads(wide),
        "diag",
        tuple(f"column {j}" for j in range(d)),
    )
    return view, X, p / p.sum(axis=1, keepdims=True)


def spreads(wide: Floats) -> tuple[Floats, Callable[[AnyArray], Floats]]:
    """The variances of columns that do not correlate, and their covariances."""
    return wide**2, lambda columns: wide[:, columns, None] ** 2 * np.eye(len(columns))


def caption(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def heading(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


@pytest.mark.parametrize(("d", "axes"), [(1, 1), (2, 1), (3, 6), (6, 21), (9, 21)])
def test_number_of_axes_and_labels(d: int, axes: int) -> None:
    view, X, resp = make(3, d)
    figure = draw(view, X, responsibilities=resp)
    assert len(figure.axes) == axes
    labels = {ax.get_xlabel().replace("\n", " ") for ax in figure.axes} - {""}
    assert labels <= set(view.names)
    assert len(labels) == (1 if d == 2 else min(d, 6))
    if d == 2:
        assert figure.axes[0].get_ylabel() == "column 1"
    assert heading(figure).startswith("3 groups in ")
    assert ("(the 6 of 9 in which groups differ most)" in heading(figure)) == (d == 9)


def test_one_column_integrates_to_one() -> None:
    view, X, resp = make(3, 1)
    weight = np.random.default_rng(1).uniform(0, 3, len(X))
    ax = draw(view, X, responsibilities=resp, sample_weight=weight).axes[0]
    bars = ax.patches[0].get_data()  # type: ignore[attr-defined]
    np.testing.assert_allclose((bars.values * np.diff(bars.edges)).sum(), 1.0)
    # Three components and their sum.
    assert len(ax.lines) == 4
    grid, whole = ax.lines[-1].get_data()
    np.testing.assert_allclose(whole, component_curves(view, 0, np.asarray(grid)).sum(axis=0))
    wide = np.linspace(-60, 60, 20001)
    masses = component_curves(view, 0, wide).sum(axis=1) * (wide[1] - wide[0])
    np.testing.assert_allclose(masses, view.weights, rtol=1e-6)


def test_weight_two_is_the_row_twice() -> None:
    view, X, resp = make(2, 1, n=60)
    doubled = np.where(np.arange(60) < 20, 2.0, 1.0)
    again = np.r_[np.arange(60), np.arange(20)]
    bars = [
        draw(view, rows, responsibilities=r, sample_weight=w).axes[0].patches[0]
        for rows, r, w in ((X, resp, doubled), (X[again], resp[again], None))
    ]
    edges = bars[0].get_data().edges  # type: ignore[attr-defined]
    heights, _ = np.histogram(X[again, 0], edges, density=True)
    np.testing.assert_allclose(bars[0].get_data().values, heights)  # type: ignore[attr-defined]


def test_points_mix_colours_by_responsibility() -> None:
    view, X, _ = make(2, 2, n=3)
    resp = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]])
    points = draw(view, X, responsibilities=resp).axes[0].collections[0]
    first, second = rgb(2)
    expected = np.stack([first, second, 0.25 * first + 0.75 * second])
    np.testing.assert_allclose(np.asarray(points.get_facecolor())[:, :3], expected, atol=1e-9)


def test_rows_without_weight_are_absent() -> None:
    view, X, resp = make(2, 2, n=50)
    X[0] = np.nan
    weight = np.ones(50)
    weight[0] = 0.0
    figure = draw(view, X, responsibilities=resp, sample_weight=weight)
    assert len(np.asarray(figure.axes[0].collections[0].get_offsets())) == 49


def test_ellipses_hold_what_the_caption_says() -> None:
    view, X, resp = make(1, 2)
    cov = np.array([[[2.0, 1.2], [1.2, 1.0]]])
    view = changed(view, variances=np.diagonal(cov, axis1=1, axis2=2), among=lambda _: cov)
    figure = draw(view, X, responsibilities=resp)
    assert "50% and 95%" in caption(figure)
    ellipses = [p for p in figure.axes[0].patches if isinstance(p, Ellipse)]
    rng = np.random.default_rng(3)
    sample = rng.multivariate_normal(view.means[0], cov[0], size=200_000)
    for patch, share in zip(ellipses, (0.5, 0.95), strict=True):
        turn = np.radians(patch.angle)
        axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        z = (sample - patch.center) @ axes.T / (np.array([patch.width, patch.height]) / 2)
        assert abs(((z**2).sum(axis=1) <= 1).mean() - share) < 0.005


def test_legend_lists_groups_with_their_weights() -> None:
    view, X, resp = make(3, 2)
    legend = draw(view, X, responsibilities=resp).legends[0]
    labels = [text.get_text().split() for text in legend.get_texts()]
    assert labels == [["0", "33.3%"], ["1", "33.3%"], ["2", "33.3%"]]
    view, X, resp = make(30, 2)
    legend = draw(view, X, responsibilities=resp).legends[0]
    assert legend.get_texts()[-1].get_text() == "6 more"


def test_many_rows_are_sampled_the_same_way_each_time() -> None:
    view, X, resp = make(2, 2, n=9000)
    offsets = [
        np.asarray(draw(view, X, responsibilities=resp).axes[0].collections[0].get_offsets())
        for _ in range(2)
    ]
    assert len(offsets[0]) == 4000
    np.testing.assert_array_equal(*offsets)
    assert "4,000 of 9,000 rows drawn" in caption(draw(view, X, responsibilities=resp))


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scales_constant_columns_and_awkward_names(d: int, scale: float, tmp_path: Path) -> None:
    view, X, resp = make(2, d)
    X = X * scale
    X[:, 0] = 3.0
    wide = sds(view) * scale
    wide[:, 0] = 1e-3
    means = view.means * scale
    means[:, 0] = 3.0
    names = ("costs $ of a very long name " * 4, "a $x", "\n", "[b]")[:d]
    variances, among = spreads(wide)
    view = changed(view, means=means, variances=variances, among=among, names=names)
    save_figure(draw(view, X, responsibilities=resp), tmp_path / "figure.png")


def test_a_spike_does_not_flatten_the_rest() -> None:
    view, X, resp = make(2, 1)
    spiky = changed(view, variances=np.array([[1.0], [1e-12]]))
    top = draw(spiky, X, responsibilities=resp).axes[0].get_ylim()[1]
    assert top < 10


def test_bars_of_rounded_data_hold_whole_steps() -> None:
    x = np.random.default_rng(0).normal(50, 6, 500).round()
    edges = bin_edges(x, np.ones(500), 6.0, 30.0, 70.0)
    widths = np.diff(edges)
    np.testing.assert_allclose(widths, np.round(widths))
    np.testing.assert_allclose(edges % 1, 0.5)
    assert edges[0] < x.min()
    assert edges[-1] > x.max()


def test_title_is_taken_literally() -> None:
    view, X, resp = make(2, 2)
    figure = draw(view, X, responsibilities=resp, title="Cost in $ and $")
    assert heading(figure) == "Cost in $ and $"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((5, 3))}, "X has shape"),
        ({"responsibilities": np.zeros((5, 3))}, "responsibilities have shape"),
        ({"sample_weight": np.ones(4)}, "sample_weight has shape"),
        ({"sample_weight": np.zeros(5)}, "no row to draw"),
        ({"X": np.full((5, 2), np.nan)}, "missing value in every row"),
        ({"X": np.full((5, 2), np.inf)}, "infinite values"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Floats], message: str) -> None:
    view, X, resp = make(2, 2, n=5)
    given = {"X": X, "responsibilities": resp, **change}
    with pytest.raises(ValueError, match=message):
        draw(view, given.pop("X"), **given)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")]
)
def test_saving_by_suffix_leaves_nothing_else(suffix: str, start: bytes, tmp_path: Path) -> None:
    view, X, resp = make(2, 2)
    path = tmp_path / f"figure{suffix}"
    save_figure(draw(view, X, responsibilities=resp), str(path))
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_suffix_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"figure\.jpg.*\.png, \.svg, \.pdf"):
        save_figure(Figure(), tmp_path / "figure.jpg")
    with pytest.raises(FileNotFoundError, match="no folder"):
        save_figure(Figure(), tmp_path / "absent" / "figure.png")


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = Figure()

    def broken(file: object, **options: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise RuntimeError("disk full")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("K", "d"), [(1, 1), (1, 2), (25, 2), (25, 3), (12, 8)])
def test_nothing_is_clipped_or_warned_about(K: int, d: int) -> None:
    view, X, resp = make(K, d, n=500)
    figure = draw(view, X, responsibilities=resp)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    page = figure.bbox
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert page.y0 <= box.y0
        assert box.x1 <= page.x1 + 1
        for ax in figure.axes:
            assert not box.overlaps(ax.get_window_extent())


def test_each_panel_has_the_rows_that_have_its_cells() -> None:
    view, X, resp = make(2, 3, n=60)
    X[:20, 0], X[20:40, 1], X[40:, 2] = np.nan, np.nan, np.nan
    figure = draw(view, X, responsibilities=resp)
    shown = [
        np.sum(~np.isnan(np.ma.filled(ax.collections[0].get_offsets(), np.nan)).any(axis=1))
        for ax in figure.axes[3:]
    ]
    # No row is whole; each pair of columns has a third of them.
    assert shown == [20, 20, 20]
    for ax in figure.axes[:3]:
        (bars,) = [patch for patch in ax.patches if hasattr(patch, "get_data")]
        heights, edges, _ = bars.get_data()
        assert np.sum(heights * np.diff(edges)) == pytest.approx(1)
    assert "Rows that miss cells (60) are in the panels whose cells they have." in caption(figure)
