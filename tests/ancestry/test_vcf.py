"""VCF files: which markers are kept, whose alleles are counted, and who carries one copy."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest

import mixtura
from mixtura.estimators.genotype_intake import genotypes_of
from tests.ancestry.panels import balding_nichols

HEAD = (
    "##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=X>\n##contig=<ID=chrY>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
)
# Lines of a file and, where they are kept, the copies of ALT that they mean, two where one is
# carried.
LINES = (
    ("1 10 rs1 A C . . . GT 0|1 ./. 1/1 0/0", [1, np.nan, 2, 0]),
    ("1 11 two A C,G . . . GT 0|1 ./. 1/2 0/0", None),
    ("1 12 indel AT A . . . GT 0|1 ./. 1/1 0/0", None),
    ("1 13 . g t . q10 . GT 0/. . 1/0 1|1", [np.nan, np.nan, 1, 2]),
    ("1 14 same A . . . . GT 0/0 0/0 0/0 0/0", None),
    ("X 15 men A T . . . GT 0 1 1|0 0/0", [0, 2, 1, 0]),
    ("X 16 men2 A T . . . GT 1 0/1 1|1 .", [2, np.nan, 2, np.nan]),
    ("X 17 men3 A T . . . GT 1 1 0/1 .", [2, 2, 1, np.nan]),
    ("X 18 all A T . . . GT 1 0 . .", [2, 0, np.nan, np.nan]),
    ("chrY 19 y A T . . . GT 1/1 0/1 . .", [2, np.nan, np.nan, np.nan]),
)


def written(path, lines, names="abcd"):
    columns = ["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT", *names]
    text = HEAD + "\n".join(line.replace(" ", "\t") for line in [" ".join(columns), *lines]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def cyvcf2():
    return pytest.importorskip("cyvcf2")


@pytest.mark.parametrize("name", ["small.vcf", "small.vcf.gz"])
def test_calls_are_what_they_say(cyvcf2, tmp_path, name):
    found = genotypes_of(written(tmp_path / name, [line for line, _ in LINES]))
    kept = [copies for _, copies in LINES if copies is not None]
    np.testing.assert_array_equal(found.dosages(0, found.markers), kept)
    assert found.names == ("a", "b", "c", "d")
    assert found.ids[:2] == ("rs1", "1:13")
    assert [one[1] for one in found.alleles] == ["T", "G"]
    assert found.haploid.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert found.single.tolist() == [1, 1, 0, 0]
    assert (found.skipped, found.impossible) == (3, 2)
    assert found.remarks[0] == "left out as no SNPs with one ALT allele: 3 of 10 markers"


def test_a_fit_to_all_kinds_of_files_is_the_same(cyvcf2, tmp_path):
    X, _, _ = balding_nichols(30, 200, 2, 0)
    calls = np.array(["0/0", "0|1", "1/1"])[X]
    lines = [f"1 {j} m{j} A C . . . GT {' '.join(calls[:, j])}" for j in range(200)]
    path = written(tmp_path / "small.vcf", lines, [f"i{i}" for i in range(30)])
    fitted = mixtura.Admixture(2, random_state=0).fit(X)
    np.testing.assert_array_equal(mixtura.Admixture(2, random_state=0).fit(path).P_, fitted.P_)
    read = cyvcf2.VCF(str(path))
    copied = cyvcf2.Writer(str(tmp_path / "small.bcf"), read, mode="wb")
    for record in read:
        copied.write_record(record)
    copied.close()
    again = mixtura.Admixture(2, random_state=0).fit(tmp_path / "small.bcf")
    np.testing.assert_array_equal(again.Q_, fitted.Q_)
    assert again.alleles_ == (("C",) * 200, ("A",) * 200)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1 10 x AT A . . . GT 0/1 0/0 0/0 0/0"], "0 SNPs with one ALT allele, and 1 other"),
        (["1 10 x A C . . . GT 0/1/1 0/0 0/0 0/0"], "at 1:10 .* more than two copies: give an"),
        (["1 10 x A C . . . GT 0/3 0/0 0/0 0/0"], "at 1:10 there are genotypes of alleles that"),
        (["1 10 x A C . . . DP 3 3 3 3"], r"at 1:10 there is no GT, and other fields \(DS, "),
        (["1 10 x A C . . . GT ./. . ./. ./."], "0 SNPs with one ALT allele, and 1 without any"),
        (["1 10"], "small.vcf: this is no VCF file, or it is damaged"),
    ],
)
def test_files_that_are_none(cyvcf2, tmp_path, lines, message):
    path = written(tmp_path / "small.vcf", lines)
    with pytest.raises(ValueError, match=message):
        genotypes_of(path)
    path.write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match="this is no VCF file"):
        genotypes_of(path)
    with pytest.raises(ValueError, match=r"ploidy=4 does not fit .*small\.vcf: VCF files hold"):
        genotypes_of(path, 4)
    with pytest.raises(ValueError, match="there is no such file"):
        genotypes_of(tmp_path / "other.bcf")


@pytest.mark.parametrize("name", ["small.vcf", "small.vcf.gz"])
def test_headers_are_told_in_our_words_alone(cyvcf2, tmp_path, capfd, name):
    path = written(tmp_path / name, ["1 10 x A C . . . GT 0/1 0/0 0/0 0/0"], "abca")
    with pytest.raises(ValueError, match="two individuals are called a: give each a name of its"):
        genotypes_of(path)
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t10\tx\tA\tC\t.\t.\t.\n"
    path = tmp_path / "sites.vcf"
    path.write_text(HEAD + columns)
    with pytest.raises(ValueError, match="this VCF file holds no individuals, only markers"):
        genotypes_of(path)
    assert capfd.readouterr().err == ""


def test_a_marker_without_any_call_is_left_out_and_told(cyvcf2, tmp_path):
    lines = ["1 10 x A C . . . GT 0/1 0/0 1/1 0/0", "X 11 y A C . . . GT ./. . ./. ./."]
    found = genotypes_of(written(tmp_path / "small.vcf", lines))
    assert (found.ids, found.empty, found.haploid) == (("x",), 1, None)
    assert found.remarks == ("left out as all calls are missing: 1 of 2 markers",)


def test_without_the_reader(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    with pytest.raises(ValueError, match=r"read with cyvcf2: install mixtura\[vcf\]"):
        mixtura.Admixture(2).fit(tmp_path / "small.vcf")
