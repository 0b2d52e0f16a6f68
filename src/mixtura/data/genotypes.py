"""Genotypes as they lie in memory or in a PLINK file: a line of codes for every marker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.records import AnyArray, Array

# Of a genotype that is missing, in a byte.
_GAP = 255
# How files end that are read by their calls, as VCF.
SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
# What integer arrays hold where a genotype is missing: bed-reader's, PLINK's and others' codes.
MISSING = (-127, -9, -1)
# Numbers that are looked at together.
_NUMBERS = 1 << 20


@dataclass(frozen=True)
class Counted:
    """first (M,): copies of the first allele; known (M,): genotypes that are not missing; absent:
    the individuals without any."""

    first: AnyArray
    known: AnyArray
    absent: AnyArray


@dataclass(frozen=True)
class Genotypes:
    """n individuals at M markers.

    codes            (M, bytes of a marker) uint8, in memory or a mapped file: 2 bits a genotype as
                     in a PLINK .bed file, or a byte each, the copies of the first allele
    individuals      n
    ploidy           copies that an individual carries
    bits             2 or 8
    names, ids       of individuals and of markers; empty where they have none
    alleles          the first of each marker, and the second: two tuples, or none
    haploid          (M,) uint8 or None: 1 where those who are `single` carry half of the copies,
                     2 where all do; a code counts half there
    single           (n,) uint8 or None
    impossible       calls of both alleles where one copy is carried, which were set to missing
    skipped          markers of the file that are none here: indels, several alternative alleles
    empty            markers of the file that were left out as all their calls are missing
    """

    codes: AnyArray
    individuals: int
    ploidy: int = 2
    bits: int = 2
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    alleles: tuple[tuple[str, ...], ...] = ()
    haploid: AnyArray | None = None
    single: AnyArray | None = None
    impossible: int = 0
    skipped: int = 0
    empty: int = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of a file was left out, a sentence each."""
        told, total = [], self.skipped + self.empty + self.markers
        if self.skipped:
            told.append(
                f"left out as no SNPs with one ALT allele: {self.skipped:,} of {total:,} markers"
            )
        if self.empty:
            told.append(f"left out as all calls are missing: {self.empty:,} of {total:,} markers")
        if self.impossible:
            told.append(
                f"{self.impossible:,} heterozygous calls of who carries one copy (men on X, all on "
                "Y and MT) are taken as missing"
            )
        return tuple(told)

    @property
    def markers(self) -> int:
        """M."""
        return len(self.codes)

    @property
    def shape(self) -> tuple[int, int]:
        """(individuals, markers)."""
        return self.individuals, self.markers

    @cached_property
    def table(self) -> Array:
        """Copies of the first allele by code, (256,); NaN for a missing genotype."""
        first = np.full(256, np.nan)
        if self.bits == 2:
            first[[0, 2, 3]] = 2, 1, 0
        else:
            first[: self.ploidy + 1] = np.arange(self.ploidy + 1)
        return first

    @cached_property
    def copies(self) -> tuple[Array, Array]:
        """Copies of the first and second allele by code, each (256,); none of a missing one."""
        return np.nan_to_num(self.table), np.nan_to_num(self.ploidy - self.table)

    def dosages(self, start: int, stop: int) -> Array:
        """Copies of the first allele at markers start, ..., stop - 1: (markers, n), NaN missing."""
        codes = np.asarray(self.codes[start:stop])
        if self.bits == 2:
            parts = [codes >> shift & 3 for shift in (0, 2, 4, 6)]
            codes = np.stack(parts, axis=2).reshape(len(codes), -1)[:, : self.individuals]
        return np.asarray(self.table[codes])

    def chunks(self) -> Iterator[tuple[slice, Array]]:
        """All markers in order, some at a time: where they stand, and `dosages` of them."""
        step = max(1, _NUMBERS // self.individuals)
        for start in range(0, self.markers, step):
            stop = min(start + step, self.markers)
            yield slice(start, stop), self.dosages(start, stop)

    def known(self, where: slice, dosages: Array) -> Array:
        """Copies of both alleles that each of these `dosages` counts, 0 where it is missing."""
        copies = np.where(np.isnan(dosages), 0.0, float(self.ploidy))
        if self.haploid is not None and self.single is not None:
            kind = self.haploid[where, None]
            copies[(kind == 2) | (kind == 1) & (self.single == 1)] *= 0.5
        return copies

    def counted(self) -> Counted:
        """How many copies there are, from whole bytes of codes: a quick pass."""
        n, M = self.shape
        first, known = np.empty(M, dtype=np.int64), np.empty(M, dtype=np.int64)
        absent = np.full(self.codes.shape[1], 0xFF, dtype=np.uint8)
        one, gaps = (self.table[None], np.isnan(self.table)[None])
        if self.bits == 2:
            one = np.stack([self.table[np.arange(256) >> shift & 3] for shift in (0, 2, 4, 6)])
            gaps = np.isnan(one)
        copies = np.nan_to_num(one).sum(axis=0).astype(np.uint8)
        many = (~gaps).sum(axis=0).astype(np.uint8)
        # A bit for each genotype of a byte that is missing.
        places = (gaps * (1 << np.arange(len(gaps)))[:, None]).sum(axis=0).astype(np.uint8)
        step = max(1, _NUMBERS // self.codes.shape[1])
        for start in range(0, M, step):
            codes = np.array(self.codes[start : start + step])
            if self.bits == 2 and n % 4:
                # What lies past the last individual is missing.
                kept = (1 << 2 * (n % 4)) - 1
                codes[:, -1] = (codes[:, -1] & kept) | (0x55 & ~kept)
            where = slice(start, start + len(codes))
            first[where] = copies[codes].sum(axis=1, dtype=np.int64)
            known[where] = many[codes].sum(axis=1, dtype=np.int64)
            absent &= np.bitwise_and.reduce(places[codes], axis=0)
        bits = np.unpackbits(absent[:, None], axis=1, bitorder="little")[:, : len(gaps)]
        return Counted(first, known, np.flatnonzero(bits.ravel()[:n]))

    def thinned(self, markers: AnyArray) -> Genotypes:
        """The same individuals at some of the markers, in memory."""
        return replace(
            self,
            codes=np.ascontiguousarray(self.codes[markers]),
            ids=tuple(self.ids[j] for j in markers) if self.ids else (),
            alleles=tuple(tuple(row[j] for j in markers) for row in self.alleles),
            haploid=None if self.haploid is None else self.haploid[markers],
        )


def from_dosages(X: Any, ploidy: int = 2) -> Genotypes:
    """Genotypes of an array (n individuals, M markers) of copies of the first allele.

    Missing are NaN, masked or, in integers, -127, -9 and -1. Columns of a frame that are called by
    text name the markers. ValueError for other numbers than 0,
    ..., ploidy.
    """
    if hasattr(X, "toarray"):
        raise ValueError("X is a sparse matrix, which is not read: give X.toarray()")
    framed = hasattr(X, "to_numpy")
    columns = list(getattr(X, "columns", ()))
    X = np.ma.filled(X.astype(np.float64), np.nan) if np.ma.isMaskedArray(X) else np.asarray(X)
    if X.ndim == 2 and X.dtype.kind == "O":
        made = "X.to_numpy(dtype=float, na_value=np.nan)" if framed else "X.astype(float)"
        raise ValueError(
            "X must be a .bed file or numbers, got objects (a table with nullable columns, or an "
            f"array with None): give {made}, with NaN where missing"
        )
    if X.ndim != 2 or X.dtype.kind not in "biuf" or 0 in X.shape:
        raise ValueError(
            f"X must be a .bed file or numbers of shape (individuals, markers), got {X.dtype} of "
            f"shape {X.shape}"
        )
    n, M = X.shape
    bits = 2 if ploidy == 2 else 8
    codes = np.empty((M, -(-n // 4) if bits == 2 else n), dtype=np.uint8)
    step = max(1, _NUMBERS // n)
    for start in range(0, M, step):
        codes[start : start + step] = coded(X[:, start : start + step].T, ploidy, bits, start)
    ids = tuple(columns) if all(isinstance(name, str) for name in columns) else ()
    return Genotypes(codes, n, ploidy, bits, ids=ids)


def coded(dosages: AnyArray, ploidy: int, bits: int, first: int) -> AnyArray:
    """The codes of some markers."""
    values = dosages.astype(np.float64)
    if dosages.dtype.kind in "bi":
        values[np.isin(dosages, MISSING)] = np.nan
    known = ~np.isnan(values)
    whole = known & np.isin(values, np.arange(ploidy + 1))
    if (wrong := known & ~whole).any():
        j, i = np.argwhere(wrong)[0]
        raise ValueError(
            f"X has {values[j, i]:g} for individual {i} at marker {first + j} (counted from 0), "
            f"not the copies of an allele, 0 to {ploidy} (ploidy={ploidy}), or NaN where missing"
        )
    if bits == 8:
        return np.where(known, values, _GAP).astype(np.uint8)
    # Copies 0, 1, 2 and a gap.
    plink = np.array([3, 2, 0, 1], dtype=np.uint8)[np.where(known, values, 3).astype(int)]
    padded = np.full((len(plink), -(-plink.shape[1] // 4) * 4), 0, dtype=np.uint8)
    padded[:, : plink.shape[1]] = plink
    four = padded.reshape(len(plink), -1, 4)
    return np.asarray(four[..., 0] | four[..., 1] << 2 | four[..., 2] << 4 | four[..., 3] << 6)
