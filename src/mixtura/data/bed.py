"""PLINK files: the genotypes stay in the .bed file, which is mapped, and are read in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.records import AnyArray

# How a .bed file begins: two bytes that tell one, and a third for one marker after another.
_MAGIC = b"\x6c\x1b"
_BY_MARKER = 1
# Chromosomes of which men carry one copy, and those of which everybody who carries any does.
_OF_MEN, _OF_ALL, _MAN = ("23", "X"), ("24", "Y", "26", "MT"), 1


def read_bed(path: str | Path) -> Genotypes:
    """The genotypes of FILE.bed, with FILE.fam and FILE.bim beside it.

    ValueError without bed-reader, for a file that is none, cut short, or whose companions are
    missing or of another size. On the chromosomes X (23) men, by their sex in the
    .fam file, and on Y (24) and MT (26) all carry one copy.
    """
    path = Path(path)
    try:
        from bed_reader import open_bed
    except ImportError:
        raise ValueError(
            f"{path}: PLINK files are read with bed-reader: install mixtura[genetics]"
        ) from None
    for part in (path, path.with_suffix(".fam"), path.with_suffix(".bim")):
        if not part.is_file():
            beside = "" if part == path else f", which belongs to {path.name}"
            raise ValueError(f"{part}: there is no such file{beside}")
    head = _head(path)
    try:
        with open_bed(path) as bed:
            n, M = bed.iid_count, bed.sid_count
            names, ids = tuple(map(str, bed.iid)), tuple(map(str, bed.sid))
            haploid = np.isin(bed.chromosome, _OF_MEN) + 2 * np.isin(bed.chromosome, _OF_ALL)
            single = (bed.sex == _MAN).astype(np.uint8)
    except ValueError as error:
        raise ValueError(
            f"{path}: its .fam or .bim file cannot be read ({error}): they have six columns, those "
            "of the .bim file between tabs"
        ) from None
    codes = _mapped(path, head, n, M)
    if not haploid.any():
        return Genotypes(codes, n, names=names, ids=ids)
    return Genotypes(
        codes, n, names=names, ids=ids, haploid=haploid.astype(np.uint8), single=single
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(3)
    if head[:2] != _MAGIC:
        raise ValueError(
            f"{path}: this is no PLINK .bed file: it begins with {head[:2].hex(' ') or 'nothing'}, "
            f"not {_MAGIC.hex(' ')}"
        )
    if head[2:] != bytes([_BY_MARKER]):
        raise ValueError(
            f"{path}: genotypes lie one individual after another: write the file again with "
            "plink --make-bed, which puts one marker after another"
        )
    return head


def _mapped(path: Path, head: bytes, n: int, M: int) -> AnyArray:
    """The bytes after the head, a line a marker."""
    stride, size = -(-n // 4), path.stat().st_size
    if size != len(head) + stride * M:
        raise ValueError(
            f"{path}: the file has {size:,} bytes, and {n:,} individuals of the .fam file at "
            f"{M:,} markers of the .bim file take {len(head) + stride * M:,}: it was cut short, "
            "or these files do not belong together"
        )
    if not n or not M:
        raise ValueError(f"{path}: there are {n} individuals and {M} markers")
    return np.memmap(path, dtype=np.uint8, mode="r", offset=len(head), shape=(M, stride))
