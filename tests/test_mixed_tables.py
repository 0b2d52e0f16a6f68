"""Families chosen by what columns hold; mixtures that are asked for by name."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import norm, poisson
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import mixtura
from mixtura import (
    BernoulliMixture,
    Block,
    LatentClass,
    Mixture,
    MixtureSearch,
    PoissonMixture,
    Product,
)
from mixtura.families.poisson import Poisson
from mixtura.families.registry import FAMILIES
from mixtura.selection.likelihood_ratio import Effort


def _people(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=n)
    return pd.DataFrame(
        {
            "job": np.where(rng.random(n) < np.array([0.85, 0.2])[group], "farm", "office"),
            "age": rng.normal(np.array([30.0, 60.0])[group], 5.0),
            "visits": rng.poisson(np.array([1.0, 12.0])[group]),
            "smokes": rng.random(n) < np.array([0.2, 0.7])[group],
            "grade": rng.integers(1, 6, size=n),
        }
    )


PEOPLE = _people()
CHOSEN = {
    "job": "categorical",
    "age": "normal",
    "visits": "poisson",
    "smokes": "categorical",
    "grade": "categorical",
}


def test_families_are_chosen_by_what_columns_hold() -> None:
    for table in (PEOPLE, pl.from_pandas(PEOPLE), PEOPLE.convert_dtypes()):
        fitted = LatentClass(2, random_state=0).fit(table)
        assert fitted.families_ == CHOSEN
        assert fitted.score(table) == pytest.approx(fitted.lower_bound_, abs=1e-12)
    told = fitted.summary()
    assert "farm (" in told
    assert "visits" in told


def test_a_choice_is_changed_by_name() -> None:
    fitted = LatentClass(2, families={"grade": "poisson", "visits": Poisson()}, random_state=0)
    assert fitted.fit(PEOPLE).families_ == CHOSEN | {"grade": "poisson"}
    with pytest.raises(ValueError, match="families has 'wage', which is no column"):
        LatentClass(2, families={"wage": "gamma"}).fit(PEOPLE)
    with pytest.raises(ValueError, match=r"column 'job' holds text \('(farm|office)'\)"):
        LatentClass(2, families={"job": "poisson"}).fit(PEOPLE)


def test_missing_cells_are_summed_over() -> None:
    """The log-likelihood of rows with gaps is that of the product over the cells that are there."""
    frame = PEOPLE.astype({"visits": float, "smokes": object})
    rng = np.random.default_rng(1)
    for name in frame:
        frame.loc[rng.random(len(frame)) < 0.15, name] = None
    frame = frame.dropna(how="all")
    fitted = LatentClass(2, random_state=0).fit(frame)
    assert fitted.families_ == CHOSEN
    parameters, shares = fitted.parameters_, fitted.parameters_["categorical.probabilities"]
    # Codes in the order of the columns: job (farm, office), smokes (False, True), grade 0 to 5.
    starts = {"job": (0, ["farm", "office"]), "smokes": (2, [False, True]), "grade": (4, range(6))}
    joint = np.tile(np.log(fitted.weights_), (len(frame), 1))
    for (i, row), k in itertools.product(enumerate(frame.to_dict("records")), range(2)):
        for name, (start, levels) in starts.items():
            if row[name] is not None and row[name] == row[name]:
                joint[i, k] += np.log(shares[k, start + list(levels).index(row[name])])
        if row["age"] == row["age"]:
            mean, variance = (parameters[f"normal.{n}"][k, 0] for n in ("means", "variances"))
            joint[i, k] += norm(mean, np.sqrt(variance)).logpdf(row["age"])
        if row["visits"] == row["visits"]:
            joint[i, k] += poisson(parameters["poisson.rates"][k, 0]).logpmf(row["visits"])
    log_p = np.logaddexp(joint[:, 0], joint[:, 1])
    assert fitted.score_samples(frame) == pytest.approx(log_p, rel=1e-10)
    assert fitted.predict_proba(frame) == pytest.approx(np.exp(joint - log_p[:, None]), abs=1e-10)


def test_files_searches_and_resamples_keep_the_choice(tmp_path: Path) -> None:
    fitted = LatentClass(2, families={"grade": "poisson"}, random_state=0).fit(PEOPLE)
    fitted.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert type(again) is LatentClass
    assert again.families == {"grade": "poisson"}
    assert again.families_ == fitted.families_
    assert np.array_equal(again.predict_proba(PEOPLE), fitted.predict_proba(PEOPLE))
    search = MixtureSearch("auto", [1, 2, 3], random_state=0).fit(PEOPLE)
    assert search.best_params_ == {"family": "auto", "n_components": 2}
    found = mixtura.bootstrap_lrt(
        PEOPLE[["visits", "grade"]], family="auto", max_components=2, max_resamples=19,
        random_state=0,
    )  # fmt: skip
    assert found.n_components == 2


def test_pieces_are_chosen_as_the_whole(tmp_path: Path) -> None:
    X = PEOPLE[["age", "visits", "grade"]].to_numpy(dtype=float)
    np.save(tmp_path / "X.npy", X)
    whole = LatentClass(2, random_state=0).fit(X)
    pieces = LatentClass(2, random_state=0).fit(mixtura.stream(lambda: iter([X[:90], X[90:]])))
    assert pieces.families_ == whole.families_
    assert pieces.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-9)


def test_files_with_text_and_gaps(tmp_path: Path) -> None:
    frame = PEOPLE.copy()
    frame.loc[[3, 9], "job"] = None
    frame.loc[4, "age"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    whole = LatentClass(2, random_state=0).fit(frame)
    for path in (tmp_path / "t.csv", str(tmp_path / "t.parquet")):
        fitted = LatentClass(2, random_state=0).fit(path)
        assert fitted.families_ == CHOSEN
        assert fitted.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-12)
        assert np.array_equal(fitted.predict(path), whole.predict(frame))
        assert fitted.score(path) == pytest.approx(whole.score(frame), abs=1e-12)
    numbers = frame[["age", "visits"]]
    numbers.to_csv(tmp_path / "n.csv", index=False)
    pieces = mixtura.stream(tmp_path / "n.csv", gaps=True)
    streamed = LatentClass(2, random_state=0).fit(pieces)
    assert streamed.lower_bound_ == pytest.approx(
        LatentClass(2, random_state=0).fit(numbers).lower_bound_, abs=1e-9
    )
    holed = mixtura.GaussianMixture(2, random_state=0).fit(numbers)
    for table in (pieces, tmp_path / "n.csv"):
        other = mixtura.GaussianMixture(2, random_state=0).fit(table)
        assert other.lower_bound_ == pytest.approx(holed.lower_bound_, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "family"),
    [
        ([0, 1, 1, 0], "bernoulli"),
        ([1, 2, 5, 2], "categorical"),
        ([-1, 2, 5, 2], "normal"),
        ([0, 300, 5, 2], "poisson"),
        ([7, 300, 5, 2], "normal"),
        ([0.5, 1, 2, 3], "normal"),
        ([*range(12)], "poisson"),
        ([*range(1, 13)], "normal"),
    ],
)
def test_the_rule(values: list[float], family: str) -> None:
    fitted = LatentClass(1).fit(np.array(values, dtype=float)[:, None])
    assert fitted.families_ == {"x1": family}


def test_shortcuts_are_mixtures_of_one_family(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson([[1, 9]] * 40 + [[8, 2]] * 40)
    for kind, family, X in (
        (PoissonMixture, "poisson", counts),
        (BernoulliMixture, "bernoulli", counts > 4),
    ):
        short, long = kind(2, random_state=0).fit(X), Mixture(family, 2, random_state=0).fit(X)
        assert short.lower_bound_ == long.lower_bound_
        assert "family" not in short.get_params()
        assert clone(short).set_params(tol=1e-3).tol == 1e-3
        short.save(tmp_path / "m.json")
        assert type(mixtura.load(tmp_path / "m.json")) is kind
    assert repr(PoissonMixture(3, tol=0.1)) == "PoissonMixture(n_components=3, tol=0.1)"
    with pytest.raises(TypeError, match="families"):
        PoissonMixture(2, families={})


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks() -> None:
    checks = check_estimator(LatentClass(), on_fail=None)
    failed = {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}
    assert not failed
    assert sum(c["status"] == "passed" for c in checks) >= 45


def test_a_family_of_ones_own_has_a_name(tmp_path: Path) -> None:
    class Own(Poisson):
        pass

    X = np.random.default_rng(0).poisson(3, size=(40, 2))
    mixtura.register_family("own", Own)
    try:
        Mixture("own", random_state=0).fit(X).save(tmp_path / "own.json")
        again: Any = mixtura.load(tmp_path / "own.json")
        assert type(again.family_) is Own
        with pytest.raises(ValueError, match="'own' stands for"):
            mixtura.register_family("own", Poisson)
    finally:
        del FAMILIES["own"]


def test_weights_hang_on_concomitants(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).normal(0, 30, len(PEOPLE))
    frame = PEOPLE.drop(columns="grade").assign(age=PEOPLE["age"] + noise)
    plain = LatentClass(2, random_state=0).fit(frame.drop(columns="age"))
    fitted = LatentClass(2, concomitants=["age"], random_state=0).fit(frame)
    assert fitted.families_["age"] == "given"
    assert fitted.families_["job"] == "categorical"
    assert fitted.family_.categories[0] == ("farm", "office")
    assert fitted.score(frame) > plain.score(frame.drop(columns="age"))
    fitted.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.concomitants == ["age"]
    with pytest.raises(mixtura.StoreError, match="concomitants=None is not what was fitted"):
        again.set_params(concomitants=None).save(tmp_path / "other.json")
    again.set_params(concomitants=["age"])
    assert np.array_equal(again.predict_proba(frame), fitted.predict_proba(frame))


def test_a_product_of_named_columns_is_loaded_and_searched(tmp_path: Path) -> None:
    frame = PEOPLE[["visits", "age"]]
    kind = Product([Block("normal", ["age"]), Block("poisson", "visits")])
    fitted = Mixture(kind, 2, random_state=0).fit(frame)
    fitted.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.family == kind
    assert np.array_equal(again.predict(frame), fitted.predict(frame))
    search = MixtureSearch(kind, [1, 2, 3], random_state=0).fit(frame)
    assert search.best_params_["n_components"] == 2


def test_a_column_with_one_value_is_refused() -> None:
    frame = PEOPLE.assign(age=2.5)
    with pytest.raises(ValueError, match=r"column 'age' holds one value only \(2.5\)"):
        LatentClass(2).fit(frame)
    for value in (2.5, 1e9 + 0.1):
        with pytest.raises(ValueError, match=r"column 1 .* holds one value only"):
            Mixture("normal", 2).fit(np.column_stack([PEOPLE["age"], np.full(len(PEOPLE), value)]))


def test_a_column_without_a_cell_in_rows_that_count_is_refused() -> None:
    frame = pd.DataFrame({"a": ["x", "y", None, None] * 25, "b": ["z", "w"] * 50})
    with pytest.raises(ValueError, match="column 'a' has no value in any row"):
        LatentClass(1).fit(frame, sample_weight=np.array([0, 0, 1.0, 1] * 25))


def test_a_rare_category_may_be_missing_from_a_fold() -> None:
    rng = np.random.default_rng(0)
    a = np.where(rng.random(100) < 0.5, "x", "y").astype(object)
    a[99] = "zz"
    frame = pd.DataFrame({"a": a, "b": rng.choice(["z", "w"], 100)})
    codes = np.column_stack([pd.factorize(frame[name], sort=True)[0] for name in frame])
    ends = [
        MixtureSearch("categorical", [1, 2], criterion="heldout", random_state=0).fit(table)
        for table in (frame, frame.astype({"a": "category"}), codes.astype(float))
    ]
    assert {end.best_params_["n_components"] for end in ends} == {1}


def test_missing_values_of_pandas_and_weights_before_a_row_is_seen() -> None:
    cells = np.array([["x", pd.NA], ["y", "z"], ["x", "w"]] * 20, dtype=object)
    assert Mixture("categorical", 2, random_state=0).fit(cells).family_.levels == (2, 2)
    plain = Mixture("categorical", 2, random_state=0).fit(cells)
    assert plain.predict_weights(cells) == pytest.approx(np.tile(plain.weights_, (60, 1)))
    noise = np.random.default_rng(2).normal(0, 30, len(PEOPLE))
    frame = PEOPLE.drop(columns="grade").assign(age=PEOPLE["age"] + noise)
    fitted = LatentClass(2, concomitants=["age"], random_state=0).fit(frame)
    eta = frame["age"].to_numpy()[:, None] * fitted.concomitant_coef_[:, 0]
    eta = np.exp(eta + fitted.concomitant_intercept_)
    assert fitted.predict_weights(frame) == pytest.approx(eta / eta.sum(axis=1, keepdims=True))


def test_families_without_a_score_stand_in_products(tmp_path: Path) -> None:
    class Counts(Poisson):
        score = mixtura.Family.score

    X = np.random.default_rng(0).poisson(3, size=(60, 2)).astype(float)
    both = Product([Block(Counts(), 0), Block("normal", 1)])
    assert Mixture(both, 2, random_state=0).fit(X).converged_
    with pytest.raises(ValueError, match="makes no Family"):
        mixtura.register_family("nothing", dict)
    mixtura.register_family("mycounts", Counts)
    try:
        Mixture("mycounts", random_state=0).fit(X).save(tmp_path / "m.json")
        assert type(mixtura.load(tmp_path / "m.json").family_) is Counts
    finally:
        del FAMILIES["mycounts"]


def test_three_methods_alone_are_saved(tmp_path: Path) -> None:
    page = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "poisson_family.py"))
    X = np.random.default_rng(0).poisson(3, size=(60, 2))
    mixtura.register_family("own", Own := type("Own", (page["Counts"],), {}))
    try:
        mixture = Mixture("own", 2, random_state=0).fit(X)
        mixture.save(tmp_path / "m.json")
        again = mixtura.load(tmp_path / "m.json")
        np.testing.assert_array_equal(again.predict_proba(X), mixture.predict_proba(X))
        assert type(again.family_) is Own
    finally:
        del FAMILIES["own"]


def test_a_warm_start_is_of_the_same_choices_and_concomitants() -> None:
    warm = LatentClass(2, families={"visits": "normal"}, warm_start=True, random_state=0)
    warm.fit(PEOPLE)
    assert warm.fit(PEOPLE).families_["visits"] == "normal"
    # There is a block of that family, for another column.
    warm.set_params(families={"grade": "normal"})
    with pytest.raises(ValueError, match="set warm_start=False"):
        warm.fit(PEOPLE)
    numbers = PEOPLE[["grade", "visits"]].assign(height=np.random.default_rng(1).normal(size=400))
    hanging = Mixture("poisson", 2, concomitants=["height"], warm_start=True, random_state=0)
    ended = hanging.fit(numbers).lower_bound_
    assert hanging.fit(numbers).lower_bound_ == pytest.approx(ended, abs=1e-5)
    for other in (["grade"], None):
        hanging.set_params(concomitants=other)
        with pytest.raises(ValueError, match=r"hang on columns \[2\] .*set warm_start=False"):
            hanging.fit(numbers)
    with pytest.raises(ValueError, match="set warm_start=False"):
        hanging.set_params(concomitants=["height"], family="negativebinomial").fit(numbers)


def test_gaps_in_choices_that_correlate() -> None:
    lost = PEOPLE.assign(age=PEOPLE["age"].where(PEOPLE.index > 5))
    whole = LatentClass(2, families={"visits": "student"}, random_state=0).fit(lost)
    assert np.isfinite(whole.lower_bound_)
    for kind in ("gaussian", "student"):
        filled = LatentClass(2, families={"age": kind}, random_state=0).fit(lost)
        assert np.isfinite(filled.lower_bound_)


@pytest.mark.parametrize("lost", ["row 3", "column 'x2'"])
def test_whatever_takes_a_table_refuses_what_has_no_cell(lost: str) -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    X[3 if lost == "row 3" else slice(None), slice(None) if lost == "row 3" else 1] = np.nan
    told = f"{lost} .*has no value"
    with pytest.raises(ValueError, match=told):
        mixtura.bootstrap_lrt(X, max_components=2, family="auto")
    with pytest.raises(ValueError, match=told):
        MixtureSearch("auto", [1, 2]).fit(X)
    with pytest.raises(ValueError, match=told):
        mixtura.compare_solvers(X, 2, family="auto")


def test_resamples_have_the_gaps_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    X[::3, 1] = np.nan
    gaps, pair = [], Effort.pair

    def seen(self: Effort, rows: Any, *more: Any) -> Any:
        gaps.append(np.isnan(rows))
        return pair(self, rows, *more)

    monkeypatch.setattr(Effort, "pair", seen)
    mixtura.bootstrap_lrt(X, max_components=2, family="normal", max_resamples=2, random_state=0)
    assert len(gaps) > 1
    assert all(np.array_equal(one, np.isnan(X)) for one in gaps)


def test_a_column_of_names_of_rows_is_refused() -> None:
    names = [f"p{i}" for i in range(len(PEOPLE))]
    with pytest.raises(ValueError, match="column 'person' has another category in each row"):
        LatentClass(2).fit(PEOPLE.assign(person=names))
    with pytest.raises(ValueError, match=r"columns 'person', 'born' have .*: leave them out"):
        LatentClass(2).fit(PEOPLE.assign(person=names, born=names[::-1]))


@pytest.mark.parametrize("pieces", [False, True])
def test_rows_without_weight_are_absent_whatever_they_hold(pieces: bool) -> None:
    X = np.random.default_rng(0).integers(0, 2, size=(60, 2)).astype(float)
    odd = np.vstack([[[7.0, 1.5]], X])
    weights = np.r_[0.0, np.ones(60)]
    asked = LatentClass(2, random_state=0)
    if pieces:
        chunks = [(odd[:30], weights[:30]), (odd[30:], weights[30:])]
        found = asked.fit(mixtura.stream(lambda: iter(chunks)))
    else:
        found = asked.fit(odd, sample_weight=weights)
        alone = clone(asked).fit(X).fit_result_.loglik
        assert found.fit_result_.loglik == pytest.approx(alone, rel=1e-13)
    assert found.family_.name == "bernoulli"
    odd[3] = [-1.0, 2.0]
    with pytest.raises(ValueError, match="holds -1 in row 3"):
        PoissonMixture(2).fit(odd, sample_weight=weights)


def test_a_category_met_only_in_rows_without_weight_is_none_that_is_counted() -> None:
    frame = pd.DataFrame({"a": [*("xy" * 20), "z"], "b": [*("uuvv" * 10), "u"]})
    weights = np.r_[np.ones(40), 0.0]
    found = LatentClass(2, random_state=0).fit(frame, sample_weight=weights)
    assert found.fit_result_.n_parameters == 5
    assert found.predict(frame).shape == (41,)
