"""The report in words: the numbers are right, and what should worry the reader is said."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from views import changed, gaussian_view

import mixtura
from mixtura.families.digits import percent, spread_cells
from mixtura.families.portrait import separation
from mixtura.records import Spike
from mixtura.report.digits import total
from mixtura.report.palette import SAFE, colours, rgb
from mixtura.report.text import renderables, to_text
from mixtura.report.view import MixtureView, shorten, telling_columns, wrapped
from mixtura.report.warnings_text import warnings
from mixtura.result import Fit, StartReport

FIT = Fit(
    loglik=-1130.264,
    weight=272.0,
    trace=(-1200.0, -1130.264),
    penalised=False,
    passes=34,
    sample_passes=80,
    iterations=33,
    converged=True,
    reason="converged: the last step changed nothing",
    gradient_norm=2.1e-5,
    gap=3.1e-9,
    n_parameters=11,
    solver="em",
    engine="compiled",
    starts=(
        StartReport("kmeans", 28, -4.155382, "kept"),
        StartReport("kmeans", 28, -4.3, "kept"),
        StartReport("random", 4, -4.4, "dropped"),
        StartReport("random", 0, None, "failed"),
        StartReport("random", 9, -4.0, "collapsed"),
    ),
    sample_rows=272,
)


def unasked(columns: object) -> NDArray[np.float64]:
    raise AssertionError("a report in words needs no covariances between columns")


def make_view(fit: Fit | None = FIT) -> MixtureView:
    return gaussian_view(
        weights=np.array([0.356, 0.644]),
        means=np.array([[2.0364, 54.479], [4.2897, 79.968]]),
        variances=np.array([[0.0692, 33.7], [0.17, 36.05]]),
        among=unasked,
        covariance_type="full",
        names=("eruptions", "waiting"),
        fit=fit,
    )


def wide_view(d: int) -> MixtureView:
    """d columns of unit variance in which two groups differ by the column's number."""
    means = np.stack([np.zeros(d), np.arange(d, dtype=float)])
    return gaussian_view(
        np.array([0.5, 0.5]),
        means,
        np.ones((2, d)),
        unasked,
        "diag",
        tuple(f"column{j}" for j in range(d)),
        FIT,
    )


def test_headline_and_table() -> None:
    lines = to_text(make_view()).splitlines()
    assert lines[0] == "2 groups in 272 rows of 2 columns (eruptions, waiting)"
    rows = [line.split() for line in lines]
    assert ["group", "weight", "eruptions", "waiting"] in rows
    # sqrt(0.0692) = 0.263, sqrt(33.7) = 5.81, sqrt(0.17) = 0.412, sqrt(36.05) = 6.00
    assert ["0", "35.6%", "2.04", "±", "0.26", "54.5", "±", "5.8"] in rows
    assert ["1", "64.4%", "4.29", "±", "0.41", "80.0", "±", "6.0"] in rows


def test_criteria_are_those_computed_by_hand() -> None:
    text = to_text(make_view())
    bic, aic = 2 * 1130.264 + 11 * math.log(272), 2 * 1130.264 + 22
    assert f"BIC              {bic:.2f} = -2 × (-1130.26) + 11 parameters × ln 272" in text
    assert f"AIC              {aic:.2f} = -2 × (-1130.26) + 11 parameters × 2" in text
    assert "-1130.26 in total, -4.1554 per row" in text  # 1130.264 / 272


def test_the_end_of_the_climb_is_told() -> None:
    text = to_text(make_view(), width=160)
    for said in (
        "converged: the last step changed nothing",
        "about 3.1e-09 per row",
        "gradient norm 2.1e-05",
        "34 over all rows, 80 more over 272 rows for the starts",
        "em, compiled",
        "5 tried: 1 dropped early, 1 failed, 1 collapsed, 2 finished",
        "1 of 2 finished reached this same optimum",
    ):
        assert said in text


def test_starts_on_a_sample_no_starts_and_no_gap() -> None:
    sampled = to_text(make_view(replace(FIT, sample_rows=20_000)))
    assert "80 more over 20,000 rows for the starts" in sampled
    bare = to_text(make_view(replace(FIT, starts=(), sample_passes=0, gap=0.0)))
    assert "still to gain    no more than rounding" in bare
    assert "starts" not in bare


def test_agreement_of_starts_warns_when_most_disagree() -> None:
    best = StartReport("kmeans", 28, FIT.mean_loglik, "kept")
    worse = replace(best, loglik=FIT.mean_loglik - 0.1)
    agreed = to_text(make_view(replace(FIT, starts=(best, best, worse))))
    assert "2 of 3 finished" in agreed
    assert "better one" not in agreed
    lonely = to_text(make_view(replace(FIT, starts=(best, worse, worse))), width=140)
    assert "so more starts may find a better one" in lonely


def test_a_sound_fit_has_no_warnings() -> None:
    assert warnings(make_view()) == []
    assert "\n!" not in to_text(make_view())


def test_warnings_come_before_the_table() -> None:
    fit = replace(
        FIT,
        converged=False,
        reason="stopped: max_iter=5 steps were taken",
        floored=(Spike(1, 3.02, 2.3e-5),),
        held=(1,),
        gap=math.inf,
        penalised=True,
    )
    text = to_text(make_view(fit), width=200)
    before, after = text.split(" group ")[0], text.split(" group ")[-1]
    assert "! Not converged: max_iter=5 steps were taken." in before
    assert "group 1 has about 3.02 rows and a smallest variance 2e-05 of the table's" in text
    assert "! Column waiting has no variance of its own" in text
    assert text.index("cannot tell groups apart") < text.index("± 0.26")
    assert "still to gain    not known" in after
    assert "with the penalty against collapse" in after


def test_weights_that_do_not_count_rows() -> None:
    view = make_view(replace(FIT, weight=558.0, rows=400))
    text = to_text(view, width=120)
    assert text.startswith("2 groups in 400 rows (of total weight 558) of 2 columns")
    assert "× ln 558 (total weight)" in text
    same = make_view(replace(FIT, weight=272.0 + 1e-8, rows=272))
    assert "total weight" not in to_text(same)
    assert to_text(make_view(replace(FIT, weight=1.0))).startswith("2 groups in 1 row of")


def test_dependent_columns_may_tell_groups_apart() -> None:
    (said,) = warnings(make_view(replace(FIT, held=(0, 1))))
    assert said.startswith("Columns eruptions, waiting are linearly dependent (or constant)")
    assert "cannot tell" not in said


@pytest.mark.parametrize(("gap", "norm", "top"), [(0.0, 1.0, True), (math.inf, 1e-8, True),
                                                  (1e-3, 1e-3, False)])  # fmt: skip
def test_stopped_at_the_top_is_not_called_unconverged(gap: float, norm: float, top: bool) -> None:
    fit = replace(FIT, converged=False, reason="stopped: max_iter=5 steps were taken", gap=gap)
    (said,) = warnings(make_view(replace(fit, gradient_norm=norm)))
    assert said.startswith("Stopped by max_iter at what looks like the top") == top
    assert said.startswith("Not converged") != top


def test_many_warnings_are_counted_not_listed() -> None:
    floored = tuple(Spike(k, 2.0, 1e-9) for k in range(9))
    text = warnings(make_view(replace(FIT, floored=floored)))[0]
    assert "keeps 9 groups from" in text
    assert "and 3 more" in text


def test_given_parameters_need_no_fit() -> None:
    text = to_text(make_view(None))
    assert "2 groups over 2 columns (eruptions, waiting); the parameters were given" in text
    assert "BIC" not in text
    assert "full: each group has its own covariance" in text


def test_wide_tables_show_the_columns_that_differ() -> None:
    view = wide_view(10)
    assert telling_columns(view, 3) == [7, 8, 9]
    text = to_text(view, width=200)
    header = next(line for line in text.splitlines() if "weight" in line)
    assert header.split()[2:] == [f"column{j}" for j in range(4, 10)]
    assert "Shown are 6 columns, those in which the groups differ most; 4 not shown" in text
    assert "column0, column1, column2, column3." in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    text = to_text(wide_view(10), width=width)
    assert max(map(len, text.splitlines())) <= width
    header = next(line for line in text.splitlines() if "weight" in line)
    assert "weight" in header
    assert "…" not in header


def test_separation_is_unit_free_and_sees_spread() -> None:
    weights = np.array([0.356, 0.644])
    means = np.array([[2.0364, 54.479], [4.2897, 79.968]])
    variances, unit = np.array([[0.0692, 33.7], [0.17, 36.05]]), np.array([1e6, 1e-6])
    scaled = separation(weights, means * unit, variances * unit**2)
    np.testing.assert_allclose(separation(weights, means, variances), scaled, rtol=1e-9)
    # Same mean, variances 1 and 4 with equal weights: ln(2.5) / 2 - ln(1 * 4) / 4.
    spread = separation(np.array([0.5, 0.5]), np.zeros((2, 1)), np.array([[1.0], [4.0]]))
    expected = 0.5 * math.log(2.5) - 0.25 * math.log(4.0)
    np.testing.assert_allclose(spread, [expected])


def test_brackets_in_names_are_not_markup_and_colours_match_the_palette() -> None:
    view = changed(make_view(), names=("a [bold]b[/bold]", "x[1]"))
    assert "a [bold]b[/bold]" in to_text(view)
    console = Console(width=100, record=True, force_terminal=True, color_system="truecolor")
    with console.capture() as captured:
        for part in renderables(view):
            console.print(part)
    red, green, blue = (int(SAFE[0][i : i + 2], 16) for i in (1, 3, 5))
    assert f"38;2;{red};{green};{blue}" in captured.get()
    assert "\x1b" not in to_text(view)


@pytest.mark.parametrize(
    ("means", "sds", "expected"),
    [
        ([2.0364, 4.2897], [0.263, 0.412], ("", ["2.04 ± 0.26", "4.29 ± 0.41"])),
        ([0.5], [0.0996], ("", ["0.50 ± 0.10"])),
        ([1234.5], [120.0], ("", ["1230 ± 120"])),
        ([2.5e6, 5e6], [3e5, 4e5], ("×1e6", ["2.50 ± 0.30", "5.00 ± 0.40"])),
        ([2.5e-6], [3e-7], ("×1e-6", ["2.50 ± 0.30"])),
        ([1e6], [0.01], ("", ["1000000.000 ± 0.010"])),
        ([0.0], [1.0], ("", ["0.0 ± 1.0"])),
        ([-0.001], [1.0], ("", ["0.0 ± 1.0"])),
        ([1.0, 1.0], [1e-5, 1.0], ("", ["1.000000 ± 0.000010", "1.0 ± 1.0"])),
        ([3.0], [0.0], ("", ["3.00 ± 0.00"])),
        ([0.0], [0.0], ("", ["0 ± 0"])),
        ([2.2e-308, 6.0], [1.49e-154, 2.4], ("", ["0 ± 0", "6.0 ± 2.4"])),
    ],
)
def test_digits(means: list[float], sds: list[float], expected: tuple[str, list[str]]) -> None:
    assert spread_cells(means, sds) == expected


def test_small_numbers_in_words() -> None:
    shares = (1.0, 0.3561, 0.00012, 1e-7, 0.0)
    said = ["100.0%", "35.6%", "0.012%", "<0.001%", "0.0%"]
    assert [percent(s) for s in shares] == said
    assert [total(v) for v in (272.0, 20000.0, 271.53, 12345.678)] == [
        "272", "20,000", "271.5", "12,345.7",
    ]  # fmt: skip


def test_names_are_shortened_in_the_middle() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 7) == "abc…ijk"
    assert shorten(" two\nlines ", 20) == "two lines"
    assert all(len(line) <= 12 for line in wrapped("w" * 90, 12).split("\n"))
    assert len(wrapped("many words of a name " * 9, 12).split("\n")) <= 3


@pytest.mark.parametrize("K", [1, 7, 8, 20, 40])
def test_colours_are_distinct_and_visible_on_white(K: int) -> None:
    assert len(set(colours(K))) == K
    assert rgb(K).shape == (K, 3)
    assert (rgb(K).min(axis=1) < 0.75).all()


def test_text_does_not_load_matplotlib() -> None:
    code = "import sys, mixtura.report.text; sys.exit('matplotlib' in sys.modules)"
    source = str(Path(mixtura.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
