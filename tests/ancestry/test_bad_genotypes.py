"""What cannot be fitted is refused in one sentence that says what to do."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from mixtura import Admixture
from mixtura.data.bed import read_bed
from mixtura.data.genotypes import from_dosages
from tests.ancestry.panels import balding_nichols


@pytest.fixture
def bed(tmp_path):
    """A small PLINK file, written by bed-reader."""
    bed_reader = pytest.importorskip("bed_reader")
    X = np.random.default_rng(0).integers(0, 3, (9, 20)).astype(float)
    X[0, 3] = np.nan
    path = tmp_path / "small.bed"
    chromosomes = ["1"] * 15 + ["23"] * 4 + ["26"]
    properties = {"chromosome": chromosomes, "sex": [1, 2, 0] * 3}
    bed_reader.to_bed(path, X, properties=properties)
    return path, X


def test_files_are_read_as_they_were_written(bed):
    path, X = bed
    genotypes = read_bed(path)
    np.testing.assert_array_equal(genotypes.dosages(0, 15).T, X[:, :15])
    np.testing.assert_array_equal(from_dosages(X).codes[:15], genotypes.codes[:15])
    assert genotypes.ids[0] == "sid1"


@pytest.mark.parametrize(("n", "ploidy"), [(1, 2), (7, 2), (8, 2), (5, 1), (6, 4)])
def test_counts_of_whole_bytes(n, ploidy):
    rng = np.random.default_rng(n)
    X = rng.integers(0, ploidy + 1, (n, 50)).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[n // 2] = np.nan
    found = from_dosages(X, ploidy).counted()
    np.testing.assert_array_equal(found.first, np.nansum(X, axis=0))
    np.testing.assert_array_equal(found.known, (~np.isnan(X)).sum(axis=0))
    assert found.absent.tolist() == [n // 2]


def test_haploid_chromosomes_count_one_copy(bed):
    """Men on X, all on MT: as if the codes 2 and 0 were one copy and none."""
    from mixtura.engines.ancestry import Passes

    path, X = bed
    Q, P = np.full((9, 2), 0.5), np.random.default_rng(1).uniform(0.2, 0.8, (20, 2))
    copies = np.full(X.shape, 1.0)
    copies[np.ix_([0, 3, 6], range(15, 19))] = 0.5
    copies[:, 19] = 0.5
    copies[(copies == 0.5) & (X == 1)] = 0.0
    h = Q @ P.T
    terms = copies * (X * np.log(h) + (2 - X) * np.log(1 - h))
    assert Passes(read_bed(path)).loglik(Q, P) == pytest.approx(np.nansum(terms), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.with_suffix(".fam").unlink(), r"small\.fam: there is no such file, which"),
        (lambda p: p.with_suffix(".bim").unlink(), r"small\.bim: there is no such file, which"),
        (lambda p: p.with_suffix(".bim").write_text("1 a\n" * 20), r"small\.bim: .* six columns"),
        (lambda p: p.unlink(), r"small\.bed: there is no such file: name a"),
        (lambda p: p.write_bytes(b"PK" + p.read_bytes()[2:]), "no PLINK .bed file: it begins with"),
        (lambda p: p.write_bytes(b""), "begins with nothing"),
        (lambda p: p.write_bytes(p.read_bytes()[:2]), "has 2 bytes, it was cut short"),
        (lambda p: p.write_bytes(p.read_bytes()[:2] + b"\0" + p.read_bytes()[3:]), "make-bed"),
        (lambda p: p.write_bytes(p.read_bytes()[:-5]), "has 58 bytes, and 9 individuals .* 63: it"),
    ],
)
def test_files_that_are_none(bed, change, message):
    path, _ = bed
    change(path)
    with pytest.raises(ValueError, match=message):
        Admixture(2).fit(path)


X, _, _ = balding_nichols(6, 30, 2, seed=0)


def spoilt(i, j, value):
    """X with one row, column or number replaced."""
    Y = X.astype(float)
    Y[i, j] = value
    return Y


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        ({}, spoilt(2, 5, 3), r"X has 3 for individual 2 at marker 5 \(counted from 0\), not the"),
        ({}, spoilt(2, 5, 0.5), "X has 0.5 for individual 2"),
        ({}, spoilt(slice(None), 4, np.nan), "marker 4 .* has no genotype, all are missing"),
        ({}, spoilt([1, 3], slice(None), np.nan), "individual 1 .* and 1 more have no genotype"),
        ({}, np.zeros((4, 3)), "X: at each marker all individuals carry the same allele"),
        ({"n_populations": 7}, X, "n_populations=7 is more than the 6 individuals: take at most 6"),
        ({"n_populations": 0}, X, "n_populations must be an integer, at least 1, got 0"),
        ({"solver": "sqp"}, X, "solver must be one of auto, em, got 'sqp'"),
        ({"ploidy": 1}, X, r"0 to 1 \(ploidy=1\)"),
        ({"tol": -1}, X, "tol must be a number from 0 up"),
        ({}, X[0], "of shape"),
        ({}, np.array([["a"]]), "must be a .bed file or numbers"),
        ({}, X.astype(object), r"got objects .* give X\.astype\(float\)"),
        ({}, scipy.sparse.csr_matrix(X), r"X is a sparse matrix, .* give X\.toarray\(\)"),
        ({}, "", "the path of no file"),
    ],
)
def test_arrays_and_settings(settings, data, message):
    with pytest.raises(ValueError, match=message):
        Admixture(**{"n_populations": 2} | settings).fit(data)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a"], "1 labels for 6"),
        (list("abcabc"), r"y names 3 populations \(a, b, c\), more than n_populations=2: take 3"),
        (
            ["a"] * 6,
            "n_populations=2 leaves nobody for 1 of them, as y labels everybody, with 1 names: ",
        ),
    ],
)
def test_labels(y, message):
    with pytest.raises(ValueError, match=message):
        Admixture(2).fit(X, y)


def test_heterozygous_calls_of_one_copy_are_missing(bed):
    """Of men on X, of all on MT; the file stays as it is."""
    path, X = bed
    before, genotypes = path.read_bytes(), read_bed(path)
    one = np.zeros(X.shape, dtype=bool)
    one[np.ix_([0, 3, 6], range(15, 19))] = True
    one[:, 19] = True
    expected = np.where(one & (X == 1), np.nan, X)
    np.testing.assert_array_equal(genotypes.dosages(0, 20).T, expected)
    assert genotypes.impossible == int((one & (X == 1)).sum()) > 0
    assert path.read_bytes() == before
    with pytest.warns(UserWarning, match="heterozygous calls of who carries one copy"):
        Admixture(2, random_state=0).fit(path)
    with pytest.raises(ValueError, match=r"ploidy=1 does not fit .*small\.bed: \.bed files hold"):
        Admixture(2, ploidy=1).fit(path)


@pytest.mark.parametrize("prefix", ["", "chr", "CHR", "0"])
def test_haploid_chromosomes_by_any_name(bed, prefix):
    path, _ = bed
    bim = path.with_suffix(".bim")
    lines = [line.split("\t")[1:] for line in bim.read_text().splitlines()]
    names = [
        prefix + name for name in ("X", "x", "23", "Y", "24", "M", "MT", "26", "1", "XY", "25")
    ]
    names += ["2"] * (20 - len(names))
    rows = ["\t".join([name, *rest]) for name, rest in zip(names, lines, strict=True)]
    bim.write_text("\n".join(rows) + "\n")
    assert read_bed(path).haploid.tolist() == [1, 1, 1, 2, 2, 2, 2, 2] + [0] * 12


@pytest.mark.parametrize(
    ("many", "message"),
    [
        (10, "nothing of the last of the 10 individuals of small.fam, which has too many lines"),
        (12, "nothing of the last of the 12 individuals of small.fam"),
        (13, r"has genotypes of 9 to 12 individuals, and small\.fam 13 lines, too many: bring"),
        (8, r"has genotypes of 9 to 12 individuals, and small\.fam 8 lines, too few"),
    ],
)
def test_a_fam_file_of_more_or_fewer(bed, many, message):
    path, _ = bed
    fam = path.with_suffix(".fam")
    lines = fam.read_text().splitlines(keepends=True)
    fam.write_text("".join((lines + lines[:4])[:many]))
    with pytest.raises(ValueError, match=message):
        read_bed(path)


def test_a_fam_file_of_fewer(bed):
    path, _ = bed
    bed_reader = pytest.importorskip("bed_reader")
    bed_reader.to_bed(path, np.full((7, 20), 1.0))
    fam = path.with_suffix(".fam")
    fam.write_text("".join(fam.read_text().splitlines(keepends=True)[:-2]))
    with pytest.raises(ValueError, match=r"more than the 5 individuals of small\.fam"):
        read_bed(path)


def test_blanks_between_columns_as_well_as_tabs(bed):
    path, _ = bed
    before = read_bed(path)
    for suffix in (".fam", ".bim"):
        part = path.with_suffix(suffix)
        lines = (line.split() for line in part.read_text().splitlines())
        part.write_text("".join(f"  {'  '.join(line)} \n" for line in lines))
    again = read_bed(path)
    assert (again.ids, again.names, again.alleles) == (before.ids, before.names, before.alleles)
    np.testing.assert_array_equal(again.single, before.single)
    np.testing.assert_array_equal(again.haploid, before.haploid)
    part.write_text("")
    with pytest.raises(ValueError, match=r"and 9 individuals of the \.fam file at 0 markers"):
        read_bed(path)


def test_labels_are_compared_as_text():
    y = ["A", "A ", " ", -1, 0, 0.0]
    found = Admixture(2, random_state=0).fit(X, y)
    assert found.populations_ == ["0", "A"]
    np.testing.assert_array_equal(found.Q_[[0, 1]], [[0, 1]] * 2)
    np.testing.assert_array_equal(found.Q_[[4, 5]], [[1, 0]] * 2)
    assert found._fixed.tolist() == [True, True, False, False, True, True]
    gaps = Admixture(3, random_state=0).fit(X, ["A", "--5", "nan", "NA", "None", "<NA>"])
    assert gaps.populations_ == ["--5", "A", "unlabelled 0"]
    assert gaps._fixed.tolist() == [True, True, False, False, False, False]
    noughts = Admixture(2, random_state=0).fit(X, [0, "0", np.int64(0), "1", 1.0, None])
    assert noughts.populations_ == ["0", "1"]
    pandas = pytest.importorskip("pandas")
    assert Admixture(2).fit(X, ["A", pandas.NA, *[None] * 4]).populations_[0] == "A"


@pytest.mark.parametrize("reference", [np.ones((5, 2)), np.ones(6), np.full((6, 2), np.nan)])
def test_alignment_to_what_does_not_fit(reference):
    with pytest.raises(ValueError, match=r"^reference has"):
        Admixture(2, random_state=0).fit(X).align(reference)
