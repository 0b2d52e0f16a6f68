"""`MixtureRegression` as users meet it: names, weights, answers, reports, figures, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixtura
from mixtura import Mixture, MixtureRegression, Regression
from mixtura.records import Array


def crossing(n: int = 150, seed: int = 0) -> tuple[Array, Array, Array]:
    """(covariates (n, 2), responses, components): two lines that cross in the first covariate."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(0, 10, n), rng.normal(size=n)])
    label = np.arange(n) % 2
    y = np.where(label, 2 + 3 * X[:, 0], 30 - 2 * X[:, 0]) + X[:, 1] + rng.normal(size=n)
    return X, y, label


@pytest.fixture(scope="module")
def fitted() -> MixtureRegression:
    X, y, _ = crossing()
    return MixtureRegression(2, random_state=0).fit(X, y)


def test_yes_and_no_are_no_words() -> None:
    with pytest.raises(ValueError, match="intercept must be True or False, got 'no'"):
        Regression(intercept="no")  # type: ignore[arg-type]


def test_what_it_answers(fitted: MixtureRegression) -> None:
    X, y, label = crossing()
    lines = fitted.predict_components(X)
    np.testing.assert_allclose(lines, fitted.intercept_ + X @ fitted.coef_.T)
    np.testing.assert_allclose(fitted.predict(X), lines @ fitted.weights_)
    up = int(np.argmax(fitted.coef_[:, 0]))
    found = fitted.classify(X, y) == up
    assert (found == (label == 1)).mean() > 0.95
    resp = fitted.predict_proba(X, y)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0)
    np.testing.assert_array_equal(resp.argmax(axis=1), fitted.classify(X, y))
    total = float(fitted.score_samples(X, y).sum())
    assert total == pytest.approx(fitted.fit_result_.loglik)
    assert fitted.score(X, y) == pytest.approx(total / len(y))
    assert fitted.bic(X, y) == pytest.approx(-2 * total + 9 * np.log(len(y)))
    assert fitted.aic(X, y) == pytest.approx(-2 * total + 2 * 9)
    assert fitted.fit_result_.n_parameters == 9


def test_a_weight_is_copies_of_the_row() -> None:
    X, y, _ = crossing(60)
    times = np.random.default_rng(1).integers(1, 4, size=60)
    weighted = MixtureRegression(2, random_state=0, tol=1e-10).fit(X, y, sample_weight=times)
    copies = MixtureRegression(2, random_state=0, tol=1e-10)
    copies.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, copies.coef_, rtol=1e-6)
    assert weighted.bic(X, y, times) == pytest.approx(
        copies.bic(np.repeat(X, times, axis=0), np.repeat(y, times))
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_travel_into_reports(library: str) -> None:
    frames = pytest.importorskip(library)
    X, y, _ = crossing()
    exposure = np.zeros(len(y))
    X_frame = frames.DataFrame({"speed": X[:, 0], "load": X[:, 1], "log hours": exposure})
    found = MixtureRegression(2, offset="log hours", common=["load"], random_state=0)
    found.fit(X_frame, frames.Series(name="wear", **_values(library, y)))
    assert found.covariates_ == ["speed", "load"]
    assert found.coef_[0, 1] == found.coef_[1, 1]
    text = found.summary()
    for word in ("speed", "load", "log hours", "wear", "common", "offset", "residual sd"):
        assert word in text
    assert found.feature_names_in_.tolist() == ["speed", "load", "log hours"]


def _values(library: str, y: Array) -> dict[str, Any]:
    return {"data": y} if library == "pandas" else {"values": y}


def test_the_figure_has_a_line_for_each_component(fitted: MixtureRegression) -> None:
    X, y, _ = crossing()
    figure = fitted.plot(X, y)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x1", "y")
    assert len(ax.lines) == 2
    middle = np.repeat([[0.0, X[:, 1].mean()]], 200, axis=0)
    middle[:, 0] = ax.lines[0].get_xdata()
    expected = fitted.predict_components(middle)
    for k, line in enumerate(ax.lines):
        np.testing.assert_allclose(line.get_ydata(), expected[:, k])
    assert figure.get_suptitle() == "y by x1 in 2 groups"


def test_shares_of_trials_are_drawn() -> None:
    rng = np.random.default_rng(2)
    x, trials = rng.normal(size=100), rng.integers(3, 9, size=100)
    y = rng.binomial(trials, 1 / (1 + np.exp(-x)))
    table = np.column_stack([x, trials])
    found = MixtureRegression(1, "binomial", trials=1).fit(table, y)
    (ax,) = found.plot(table, y).axes
    assert ax.get_ylabel() == "share of y"
    assert 0 <= min(ax.lines[0].get_ydata()) <= max(ax.lines[0].get_ydata()) <= 1
    shares = np.asarray(ax.collections[0].get_offsets())[:, 1]
    np.testing.assert_allclose(shares, y / trials)


def test_a_mixture_of_regressions_in_a_file(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    X, y, _ = crossing()
    X = pd.DataFrame(X, columns=["speed", "load"])
    fitted = MixtureRegression(2, common="load", random_state=0).fit(X, pd.Series(y, name="wear"))
    fitted.mixture_.save(tmp_path / "lines.json")
    loaded = mixtura.load(tmp_path / "lines.json")
    table = X.assign(wear=y)
    np.testing.assert_array_equal(loaded.predict(table), fitted.classify(X, y))
    np.testing.assert_array_equal(loaded.score_samples(table), fitted.score_samples(X, y))
    assert "Coefficients in each group" in loaded.summary()


def test_two_lines_and_not_three_by_resampled_responses() -> None:
    X, y, _ = crossing(80)
    found = mixtura.bootstrap_lrt(
        np.column_stack([X[:, :1], y]),
        1,
        max_components=3,
        family=Regression(),
        level=0.2,
        risk=0.2,
        max_resamples=9,
        random_state=0,
    )
    assert [trial.rejected for trial in found.trials] == [True, False]


def test_the_general_mixture_takes_the_family() -> None:
    X, y, _ = crossing()
    plain = Mixture("regression", 2, random_state=0).fit(np.column_stack([X, y]))
    other = MixtureRegression(2, random_state=0).fit(X, y)
    np.testing.assert_allclose(plain.coefficients_[:, 1:], other.coef_)


def test_rows_in_pieces_end_alike(tmp_path: Path) -> None:
    X, y, _ = crossing()
    np.save(tmp_path / "table.npy", np.column_stack([X, y]))
    whole = Mixture("regression", 2, random_state=0).fit(np.column_stack([X, y]))
    parts = Mixture("regression", 2, random_state=0).fit(str(tmp_path / "table.npy"))
    np.testing.assert_array_equal(whole.coefficients_, parts.coefficients_)


def test_a_checkpointed_fit_ends_alike(fitted: MixtureRegression, tmp_path: Path) -> None:
    X, y, _ = crossing()
    again = MixtureRegression(2, random_state=0).fit(X, y, checkpoint=tmp_path / "lines.checkpoint")
    np.testing.assert_array_equal(again.coef_, fitted.coef_)


def test_a_refused_fit_leaves_the_last_one() -> None:
    X, y, _ = crossing()
    lines = MixtureRegression(2, concomitants=[1], random_state=0).fit(X, y)
    told = lines.predict(X)
    with pytest.raises(ValueError, match="concomitants has position 1"):
        lines.fit(X[:, :1], y)
    assert np.array_equal(lines.predict(X), told)
    lines.set_params(concomitants=None).fit(X, y)
    assert not hasattr(lines, "concomitant_coef_")


def test_rows_without_a_response_are_named(fitted: MixtureRegression) -> None:
    X, y, _ = crossing()
    y[[3, 7]] = np.nan, np.inf
    income = pd.Series(y, name="income").astype("Float64")
    for ask in (MixtureRegression(2).fit, fitted.score, fitted.predict_proba):
        with pytest.raises(
            ValueError, match=r"'income' is missing or infinite in 2 rows \(3, 7, counted from 0\)"
        ):
            ask(X, income)


def test_trials_are_counts_in_answers_too() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(size=100), rng.integers(2, 9, 100)])
    y = rng.binomial(X[:, 1].astype(int), np.where(np.arange(100) % 2, 0.9, 0.1))
    lines = MixtureRegression(2, "binomial", trials=1, random_state=0).fit(X, y)
    for trials in (2.5, -3.0):
        for answer in (lines.predict, lines.predict_components, lines.sample):
            with pytest.raises(ValueError, match="trials are counts of at least 1"):
                answer([[0.5, trials]])


def test_a_regression_names_columns_by_number() -> None:
    for named in ({"target": "y"}, {"covariates": ("x1",)}, {"common": ("x1",)}):
        with pytest.raises(ValueError, match="columns are given by their numbers"):
            Regression(**named)  # type: ignore[arg-type]


def test_lines_through_the_origin() -> None:
    # Starts are made in the columns and along the lines: places of different sizes.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X @ [1, 2] * np.where(rng.uniform(size=200) < 0.5, 1, -1) + 0.1 * rng.normal(size=200)
    fitted = MixtureRegression(2, intercept=False, random_state=0).fit(X, y)
    found = fitted.coef_[np.argsort(fitted.coef_[:, 0])]
    np.testing.assert_allclose(found, [[-1, -2], [1, 2]], atol=0.06)


@pytest.mark.parametrize(
    ("asked", "named"),
    [({}, True), ({"concomitants": ["b"], "offset": "c"}, True), ({"common": [0]}, False)],
)
def test_what_is_saved_is_what_is_loaded(
    asked: dict[str, Any], named: bool, tmp_path: Path
) -> None:
    X, y, _ = crossing()
    table = pd.DataFrame(np.column_stack([X, np.sqrt(X[:, 0])]), columns=list("abc"))
    rows: Any = table if named else X
    fitted = MixtureRegression(2, random_state=0, **asked).fit(rows, y)
    fitted.save(tmp_path / "lines.json")
    kept = mixtura.load(tmp_path / "lines.json")
    assert type(kept) is MixtureRegression
    assert hasattr(kept, "feature_names_in_") == named
    np.testing.assert_array_equal(kept.predict(rows), fitted.predict(rows))
    assert kept.summary() == fitted.summary()
    # Its settings are those of the fit, by position.
    again = kept.fit(rows, y)
    np.testing.assert_array_equal(again.coef_, fitted.coef_)


def test_a_file_of_other_components_is_no_mixture_of_regressions(
    fitted: MixtureRegression, tmp_path: Path
) -> None:
    path = tmp_path / "lines.json"
    fitted.save(path)
    whole = path.read_text()
    for before, after in (('"named"', '"nmaed"'), ('"regression"', '"poisson"')):
        path.write_text(whole.replace(before, after))
        with pytest.raises(mixtura.StoreError, match="damaged"):
            mixtura.load(path)
