"""VCF and BCF files: their biallelic SNPs, copies of the ALT allele in 2 bits."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.genotypes import Genotypes, coded
from mixtura.data.haploid import ALL, MEN, haploid_kinds, possible
from mixtura.records import AnyArray

_BASES = frozenset("ACGTacgt")
# What cyvcf2 writes for a call that is missing, and for the second of one copy.
_MISSING, _NONE = -1, -2
# Genotypes that are packed together.
_NUMBERS = 1 << 20


def read_vcf(path: Path) -> Genotypes:
    """The genotypes (GT) of a VCF or BCF file, read once by cyvcf2 and kept in 2 bits.

    The first allele is ALT, as in the .bed file that PLINK 2 makes of it. Markers other than SNPs
    with one ALT are counted (`skipped`); FILTER is not looked at. A call with a dot ("./.", "0/.")
    is missing; phase does not matter. Where all calls are of one copy ("1"), and on Y and MT,
    everybody carries one; where some are, those do of whom most such calls are of one. Of them
    heterozygous calls are missing. ValueError without cyvcf2, and for files that hold no such
    marker, no individuals or GT, more than two copies, or are damaged.
    """
    try:
        from cyvcf2 import VCF
        from cyvcf2.cyvcf2 import set_htslib_log_level
    except ImportError:
        raise ValueError(
            f"{path}: VCF files are read with cyvcf2: install mixtura[vcf], or make a .bed file of "
            "it (plink2 --make-bed)"
        ) from None
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "there is no such file"
        raise ValueError(f"{path}: {what}: name a VCF file")
    # The library's own lines would come before the error that says the same.
    set_htslib_log_level(0)
    try:
        # Without genotypes cyvcf2 has OSError for a file that is none, Exception for a bad line.
        with VCF(str(path), lazy=True) as file:
            calls = _Calls(path, tuple(map(str, file.samples)))
            if not calls.names:
                raise ValueError(
                    f"{path}: this VCF file holds no individuals, only markers (sites): give one "
                    "with their genotypes"
                )
            for record in file:
                calls.add(record)
    except ValueError:
        raise
    except Exception as error:
        if twice := _named_twice(path):
            raise ValueError(
                f"{path}: two individuals are called {twice}: give each a name of its own"
            ) from None
        raise ValueError(
            f"{path}: this is no VCF file, or it is damaged or cut short ({error}): write it again"
        ) from None
    return calls.genotypes()


def _named_twice(path: Path) -> str:
    """The first name of a header that comes again; empty where none does, or it is no text."""
    opened = open if path.suffix.lower() == ".vcf" else gzip.open
    with suppress(OSError, EOFError, zlib.error), opened(path, "rb") as file:
        for line in file:
            if line.startswith(b"#CHROM"):
                names = line.decode(errors="replace").rstrip("\r\n").split("\t")[9:]
                return next((name for name in names if names.count(name) > 1), "")
            if not line.startswith(b"##"):
                break
    return ""


class _Calls:
    """Markers as they come, and who carries one copy."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.path, self.names = path, names
        self.codes: list[AnyArray] = []
        self.waiting: list[AnyArray] = []
        self.chromosomes: list[str] = []
        self.ids: list[str] = []
        self.alleles: tuple[list[str], list[str]] = [], []
        self.one: list[int] = []
        # Calls of one copy less those of two, where both are met.
        self.single = np.zeros(len(names), dtype=np.int64)
        self.skipped = self.empty = 0

    def add(self, record: Any) -> None:
        """One line of the file."""
        alternative = record.ALT
        if len(alternative) != 1 or not {record.REF, alternative[0]} <= _BASES:
            self.skipped += 1
            return
        where = f"{record.CHROM}:{record.POS}"
        try:
            drawn = record.genotype.array()[:, :-1]
        except Exception:
            raise ValueError(
                f"{self.path}: at {where} there is no GT, and other fields (DS, GP, DP, ...) are "
                "not read: give a file of called genotypes, or an array of copies of an allele"
            ) from None
        if drawn.shape[1] > 2 and (drawn[:, 2:] != _NONE).any():
            raise ValueError(
                f"{self.path}: at {where} there are genotypes of more than two copies: give an "
                "array of dosages, with ploidy="
            )
        if (drawn > 1).any():
            raise ValueError(
                f"{self.path}: at {where} there are genotypes of alleles that the line does not "
                "name: it is damaged or cut short: write the file again"
            )
        first, second = drawn[:, 0], drawn[:, min(1, drawn.shape[1] - 1)]
        lone = (second == _NONE) | (drawn.shape[1] == 1)
        copies = np.where(lone, 2 * first, first + second).astype(np.int8)
        known = (first >= 0) & (lone | (second >= 0))
        if not known.any():
            self.empty += 1
            return
        copies[~known] = _MISSING
        lone &= known
        some = bool(lone.any())
        mixed = some and bool((known & ~lone).any())
        self.one.append(MEN if mixed else ALL if some else 0)
        if mixed:
            self.single += np.where(known, np.where(lone, 1, -1), 0)
        self.chromosomes.append(record.CHROM)
        self.ids.append(record.ID or where)
        for mine, allele in zip(self.alleles, (alternative[0], record.REF), strict=True):
            mine.append(allele.upper())
        self.waiting.append(copies)
        if len(self.waiting) * len(self.names) >= _NUMBERS:
            self._packed()

    def _packed(self) -> None:
        if self.waiting:
            first = len(self.ids) - len(self.waiting)
            self.codes.append(coded(np.stack(self.waiting), 2, 2, first))
            self.waiting.clear()

    def genotypes(self) -> Genotypes:
        """All of them."""
        n, M = len(self.names), len(self.ids)
        if not n or not M:
            raise ValueError(
                f"{self.path}: there are {n} individuals and {M} SNPs with one ALT allele"
                + (f", and {self.skipped:,} other markers" if self.skipped else "")
                + (f", and {self.empty:,} without any call" if self.empty else "")
            )
        self._packed()
        codes, impossible = np.concatenate(self.codes), 0
        told = haploid_kinds(self.chromosomes)
        haploid = np.where(told == ALL, told, np.array(self.one, dtype=np.uint8))
        single = (self.single > 0).astype(np.uint8)
        if haploid.any():
            codes, impossible = possible(codes, haploid, single)
        alleles = tuple(self.alleles[0]), tuple(self.alleles[1])
        return Genotypes(
            codes, n, names=self.names, ids=tuple(self.ids), alleles=alleles,
            haploid=haploid if haploid.any() else None, single=single, impossible=impossible,
            skipped=self.skipped, empty=self.empty,
        )  # fmt: skip
