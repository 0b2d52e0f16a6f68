"""Alleles of new individuals: turned round where they come in the other order, or refused."""

from __future__ import annotations

import numpy as np
import pytest

import mixtura
from mixtura.data.genotypes import Genotypes, from_dosages
from mixtura.estimators.admixture_document import admixture_document
from mixtura.estimators.genotype_intake import turned
from mixtura.store import write_document
from tests.ancestry.panels import balding_nichols

bed_reader = pytest.importorskip("bed_reader")


def written(path, X, first, second):
    bed_reader.to_bed(path, X.astype(float), properties={"allele_1": first, "allele_2": second})
    return path


@pytest.fixture
def cohorts(tmp_path):
    """A fit to one file, and the same new people in the order of the fit and in another."""
    X, _, _ = balding_nichols(60, 300, 2, 0)
    M, swapped = 300, np.random.default_rng(0).random(300) < 0.25
    A, C = np.full(M, "A"), np.full(M, "C")
    fitted = mixtura.Admixture(2, random_state=0).fit(written(tmp_path / "one.bed", X[:50], A, C))
    plain = written(tmp_path / "plain.bed", X[50:], A, C)
    first, second = np.where(swapped, "C", "A"), np.where(swapped, "A", "C")
    other = written(tmp_path / "other.bed", np.where(swapped, 2 - X, X)[50:], first, second)
    return fitted, plain, other


def test_swapped_alleles_are_turned_round(cohorts, tmp_path):
    fitted, plain, other = cohorts
    wanted = fitted.transform(plain)
    np.testing.assert_allclose(fitted.transform(other), wanted, atol=1e-6)
    fitted.save(tmp_path / "model.json")
    same = mixtura.load(tmp_path / "model.json")
    np.testing.assert_allclose(same.transform(other), wanted, atol=1e-6)
    # A model from before alleles were kept takes them as they come.
    document = admixture_document(fitted)
    del document["alleles"]
    write_document(document, tmp_path / "old.json")
    old = mixtura.load(tmp_path / "old.json")
    np.testing.assert_allclose(old.transform(plain), wanted, atol=1e-6)
    assert np.abs(old.transform(other) - wanted).max() > 0.05


def test_other_alleles_are_refused(cohorts, tmp_path):
    fitted, _, _ = cohorts
    X = np.zeros((3, 300))
    first = np.array(["A"] * 298 + ["T", "T"])
    strand = written(tmp_path / "strand.bed", X, first, np.array(["C"] * 298 + ["G", "G"]))
    message = r"^X has the alleles T/G of marker sid299, where A/C were fitted \(and others at 1 mo"
    with pytest.raises(ValueError, match=message):
        fitted.transform(strand)
    again = written(tmp_path / "again.bed", np.zeros((50, 300)), first, np.full(300, "C"))
    with pytest.raises(ValueError, match="alleles T/C of marker sid299"):
        fitted.score(again)


@pytest.mark.parametrize(
    ("fitted", "found", "other"),
    [
        ("AC", "AC", False), ("AC", "CA", True), ("AC", "0C", False), ("AC", "0A", True),
        ("0C", "AC", False), ("0C", "CA", True), ("0C", "0C", False), ("0C", "C0", True),
        ("0C", "0A", True), ("AC", "00", False), ("00", "CA", False),
    ],
)  # fmt: skip
def test_an_allele_that_a_cohort_lacks_may_be_any(fitted, found, other):
    codes = from_dosages(np.ones((2, 1))).codes
    genotypes = Genotypes(codes, 2, alleles=tuple((one,) for one in found))
    assert turned(genotypes, tuple((one,) for one in fitted)).tolist() == [other]
