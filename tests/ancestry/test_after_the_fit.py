"""New individuals, standard errors, and checks of fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixtura
from mixtura.data.genotypes import from_dosages
from mixtura.estimators.admixture_document import admixture_document
from mixtura.fitting.admixture_projection import _noise
from mixtura.inference.residuals import residual_correlations
from mixtura.store import write_document
from tests.ancestry.panels import balding_nichols, matched


def test_new_individuals_are_not_pulled_to_the_middle():
    """One in ten is left out and projected: its largest share, beside the joint fit and the truth.

    An individual's standard error is about 0.04 here; plain projection is off by 0.063.
    """
    X, Q, _ = balding_nichols(400, 2000, 4, seed=1, alpha=0.3)
    new = np.arange(400) % 10 == 0
    joint = mixtura.Admixture(4, random_state=0).fit(X)
    error = joint.standard_errors(X, replicates=8)[new]
    fitted = mixtura.Admixture(4, random_state=0).fit(X[~new])
    fitted.align(matched(joint.Q_, Q)[~new])
    found, together = fitted.transform(X[new]), matched(joint.Q_, Q)[new]
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-10)
    top = np.arange(len(found)), Q[new].argmax(axis=1)
    typical = np.sqrt(np.mean(error**2))
    assert abs((found - together)[top].mean()) < typical / 3
    assert abs((found - Q[new])[top].mean()) < typical
    assert (fitted.predict(X[new]) == Q[new].argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_frame_in_another_order_are_refused(library):
    frames = pytest.importorskip(library)
    X, _, _ = balding_nichols(20, 60, 2, seed=0)
    frame = frames.DataFrame({f"s{j}": X[:, j] for j in range(60)})
    fitted = mixtura.Admixture(2, random_state=0).fit(frame)
    np.testing.assert_array_equal(fitted.Q_, mixtura.Admixture(2, random_state=0).fit(X).Q_)
    turned = frame[list(frame.columns)[::-1]]
    for answer in (fitted.transform, fitted.predict, fitted.score):
        with pytest.raises(ValueError, match="X has s59 where s0 was fitted"):
            answer(turned)
    np.testing.assert_array_equal(fitted.transform(X), fitted.transform(frame))


def test_shares_are_answered_in_frames_by_the_populations_names():
    X = balding_nichols(30, 200, 2, seed=1, alpha=0.3)[0]
    fitted = mixtura.Admixture(2, random_state=0).set_output(transform="pandas").fit(X)
    plain = mixtura.Admixture(2, random_state=0).fit(X)
    found = fitted.transform(X)
    assert list(found.columns) == fitted.populations_
    np.testing.assert_array_equal(found.to_numpy(), plain.transform(X))
    np.testing.assert_array_equal(fitted.predict(X), plain.predict(X))


def test_gaps_of_those_that_were_fitted_do_not_pull_either():
    """Six in ten of the fitted genotypes are missing: noise as if they were seen gives -0.18."""
    off = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        F = rng.uniform(0.3, 0.7, 700)
        P = np.clip(rng.beta(F * 9, (1 - F) * 9, (3, 700)), 0.001, 0.999)
        Q = rng.dirichlet(np.full(3, 0.3), 120)
        X = rng.binomial(2, Q @ P).astype(float)
        X[:100][rng.random((100, 700)) < 0.6] = np.nan
        found = mixtura.Admixture(3, random_state=0).fit(X[:100]).transform(X[100:])
        off.append((found.max(axis=1) - Q[100:].max(axis=1)).mean())
    # The joint fit is off by -0.065.
    assert np.mean(off) > -0.12


def test_the_noise_of_frequencies_is_the_inverse_information():
    """Where everybody of a population is seen alike the sums are those of who was seen."""
    rng = np.random.default_rng(0)
    Q, P = np.eye(2)[np.arange(60) % 2], rng.uniform(0.2, 0.8, (5, 2))
    known = rng.random((5, 60)) < 0.4
    copies = 2.0 * known @ Q
    h = P @ Q.T
    terms = np.where(known, 2.0 / (h * (1 - h)), 0.0)
    expected = np.linalg.inv(np.einsum("ji,ik,il->jkl", terms, Q, Q))
    np.testing.assert_allclose(_noise(Q, P, copies), expected, atol=1e-12)
    # Of a population that nobody was seen of.
    assert _noise(Q, P, copies * [1, 0])[0, 1, 1] == pytest.approx(0.25)


def test_without_noise_in_the_frequencies_nothing_is_corrected():
    """A large panel: those with plain ancestry come out as they are."""
    X, _, P = balding_nichols(300, 800, 2, 3)
    fitted = mixtura.Admixture(2, random_state=0).fit(X)
    pure = np.random.default_rng(0).binomial(2, np.broadcast_to(P.T[:, None], (2, 30, 800)))
    found = fitted.transform(pure.reshape(60, 800))
    assert found.max(axis=1).mean() > 0.93


def test_errors_are_those_of_repeated_experiments():
    """The bootstrap's spread is that of fits to new genotypes of the same individuals."""
    X, Q, P = balding_nichols(40, 800, 2, 4)
    rng = np.random.default_rng(5)
    ends = []
    for _ in range(12):
        again = rng.binomial(2, Q @ P.T)
        ends.append(matched(mixtura.Admixture(2, random_state=0).fit(again).Q_, Q))
    spread = np.std(ends, axis=0, ddof=1)
    found = mixtura.Admixture(2, random_state=0).fit(X).standard_errors(X, replicates=12)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(spread**2)), rel=0.35)


def test_relatives_and_missing_ancestry_show_in_the_residuals():
    X, Q, P = balding_nichols(60, 3000, 2, 6, alpha=0.5)
    rng = np.random.default_rng(0)
    # The second is a child of the first: one allele of its, another of its population.
    X[1] = rng.binomial(1, X[0] / 2) + rng.binomial(1, Q[0] @ P.T)
    others = np.ix_(range(2, 60), range(2, 60))
    fitted = mixtura.Admixture(2, random_state=0).fit(X)
    found = fitted.residual_correlations(X)
    off = found[others][~np.eye(58, dtype=bool)]
    assert abs(off.mean()) < 0.004
    assert np.abs(off).max() < 0.15
    assert found[0, 1] == pytest.approx(0.5, abs=0.1)
    np.testing.assert_array_equal(np.diag(found), 1)
    # With too few populations those of one are alike.
    poor = mixtura.Admixture(1).fit(X).residual_correlations(X)
    alike = (Q[:, 0, None] - Q[:, 0] < 0.1) & (Q[:, 0] > 0.8) & (Q[:, 0, None] > 0.8)
    assert poor[alike & ~np.eye(60, dtype=bool)].mean() > 0.03


@pytest.mark.parametrize(("n", "M", "K"), [(8, 60, 2), (8, 60, 4), (8, 60, 6), (24, 150, 3)])
def test_copies_of_one_individual_correlate_by_one(n, M, K):
    """Few markers and many populations leave little of residuals; nothing is beyond 1."""
    rng = np.random.default_rng(0)
    X = rng.binomial(2, 0.5, (n, M))
    X = np.vstack([X, X[:1]])
    found = mixtura.Admixture(K, random_state=0).fit(X).residual_correlations(X)
    assert found[0, -1] == pytest.approx(1, abs=1e-3)
    assert np.abs(found).max() <= 1
    others = ~np.eye(n + 1, dtype=bool)
    others[0, -1] = others[-1, 0] = False
    assert abs(found[others].mean()) < 0.015
    # Gaps leave nothing beyond either.
    gaps = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    holey = mixtura.Admixture(K, random_state=0).fit(gaps).residual_correlations(gaps)
    assert np.abs(holey).max() <= 1
    assert np.isfinite(holey).all()


def test_residuals_of_who_carries_one_copy():
    """All haploid: as an array of ploidy 1. Men among women: nobody correlates where all fits."""
    X, Q, P = balding_nichols(60, 2000, 2, 3, alpha=0.5)
    X = (X > 0).astype(np.uint8)
    alone = residual_correlations(from_dosages(X, 1), Q, P)
    single = np.arange(60, dtype=np.uint8) % 2
    coded = replace(from_dosages(2 * X), haploid=np.full(2000, 2, np.uint8), single=single)
    np.testing.assert_allclose(residual_correlations(coded, Q, P), alone, atol=1e-12)
    rng = np.random.default_rng(0)
    X = np.where(single[:, None] == 1, 2 * rng.binomial(1, Q @ P.T), rng.binomial(2, Q @ P.T))
    mixed = replace(from_dosages(X), haploid=np.ones(2000, np.uint8), single=single)
    found = mixtura.Admixture(2, random_state=0).fit(mixed).residual_correlations(mixed)
    men = np.ix_(single == 1, single == 1)
    women = np.ix_(single == 0, single == 0)
    for block in (men, women, np.ix_(single == 1, single == 0)):
        off = found[block][~np.eye(30, dtype=bool)]
        assert abs(off.mean()) < 0.004


def test_nobody_is_put_where_nobody_belongs():
    X, _, _ = balding_nichols(30, 400, 2, 0)
    fitted = mixtura.Admixture(3, random_state=0).fit(X)
    fitted.Q_ = np.column_stack(
        [fitted.Q_[:, :2] / fitted.Q_[:, :2].sum(axis=1)[:, None], 0 * X[:, 0]]
    )
    found = fitted.transform(X)
    np.testing.assert_array_equal(found[:, 2], 0)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.isnan(fitted.fst()[2, :2]).all()
    assert np.isfinite(fitted.fst()[:2, :2]).all()


def test_who_is_fitted_exactly_correlates_with_nobody():
    """One individual that is a population alone."""
    X, _, _ = balding_nichols(30, 400, 2, 0)
    fitted = mixtura.Admixture(2).fit(X, ["a"] * 29 + ["b"])
    found = fitted.residual_correlations(X)
    np.testing.assert_array_equal(found[29], np.eye(30)[29])
    assert np.abs(found[:29, :29] - np.eye(29)).max() < 1


@pytest.mark.parametrize("seen", [1, 2])
def test_who_has_fewer_markers_than_there_are_populations(seen):
    X, _, _ = balding_nichols(60, 600, 4, 0)
    fitted = mixtura.Admixture(4, random_state=0).fit(X)
    new = X[:3].astype(float)
    new[1, seen:] = np.nan
    found = fitted.transform(new)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    # Others are not touched.
    np.testing.assert_allclose(found[[0, 2]], fitted.transform(new[[0, 2]]), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, X: a.transform(X[:, 1:]), "X has 99 markers, and 100 were fitted"),
        (
            lambda a, X: a.transform(np.vstack([X, np.full(100, np.nan)])),
            r"^individual 10 \(counted from 0\) has no genotype, all are missing: leave them out$",
        ),
        (lambda a, X: a.standard_errors(X, replicates=1), "replicates must be an integer, at leas"),
        (lambda a, X: a.residual_correlations(X[1:]), "X has 9 individuals and 100 markers"),
    ],
)
def test_refusals(call, message):
    X, _, _ = balding_nichols(10, 100, 2, 0)
    fitted = mixtura.Admixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match=message):
        call(fitted, X)


@pytest.mark.parametrize("known", [False, True])
def test_a_file_holds_the_model(tmp_path, known):
    X, _, _ = balding_nichols(20, 100, 2, 0)
    y = ["a" if i < 4 else "" for i in range(20)] if known else None
    fitted = mixtura.Admixture(2, random_state=0).fit(X, y)
    fitted.save(tmp_path / "model.json")
    same = mixtura.load(tmp_path / "model.json")
    assert same.fit_result_ == fitted.fit_result_
    assert same.populations_ == fitted.populations_
    np.testing.assert_array_equal(same.Q_, fitted.Q_)
    np.testing.assert_allclose(same.transform(X[:3]), fitted.transform(X[:3]), atol=1e-9)
    assert same.summary() == fitted.summary()
    assert same.cross_validate(X).error == pytest.approx(fitted.cross_validate(X).error)


def test_files_from_before_copies_were_kept_are_read(tmp_path):
    """They go on as if everybody had been seen at every marker."""
    X, _, _ = balding_nichols(20, 100, 2, 0)
    fitted = mixtura.Admixture(2, random_state=0).fit(X)
    document = admixture_document(fitted)
    del document["arrays"]["copies"]
    write_document(document, tmp_path / "model.json")
    same = mixtura.load(tmp_path / "model.json")
    np.testing.assert_allclose(same.transform(X[:3]), fitted.transform(X[:3]), atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"n_populations": 2', '"n_populations": 3', "Q_ has the shape"),
        ('"populations": ["0", "1"]', '"populations": ["0"]', "populations has 1 names, not 2"),
        ('"fixed": null', '"fixed": [99]', "fixed names individuals beyond the 20"),
    ],
)
def test_damaged_files_are_refused(tmp_path, old, new, message):
    X, _, _ = balding_nichols(20, 100, 2, 0)
    path = tmp_path / "model.json"
    mixtura.Admixture(2, random_state=0).fit(X).save(path)
    text = path.read_text()
    path.write_text(text.replace(old, new))
    assert path.read_text() != text
    with pytest.raises(mixtura.StoreError, match=message):
        mixtura.load(path)
