"""PLINK files: the genotypes stay in the .bed file, which is mapped, and are read in pieces."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from mixtura.data.genotypes import SUFFIXES, Genotypes
from mixtura.data.haploid import haploid_kinds, possible
from mixtura.records import AnyArray

# How a .bed file begins: two bytes that tell one, and a third for one marker after another.
_MAGIC = b"\x6c\x1b"
_BY_MARKER = 1
# How .fam files write that somebody is a man.
_MAN = ("1", "M", "m")
# Markers whose padding is looked at.
_LOOKED_AT = 4096
# So many markers tell padding from genotypes.
_ENOUGH = 20


def read_bed(path: str | Path) -> Genotypes:
    """The genotypes of FILE.bed, with FILE.fam and FILE.bim beside it.

    ValueError for a file that is none, cut short, or whose companions are missing or of another
    size. On the chromosomes X (23, chrX) men, by their sex in the .fam file, and on Y (24) and MT
    (26, M) all carry one copy; heterozygous calls there are errors, and missing. The file is not
    changed.
    """
    path = Path(path)
    if path.is_file() and path.suffix != ".bed" and not path.with_suffix(".fam").exists():
        raise ValueError(
            f"{path}: a .bed file is needed, which .fam and .bim files lie beside, or a VCF file "
            f"({', '.join(SUFFIXES)})"
        )
    for part in (path, path.with_suffix(".fam"), path.with_suffix(".bim")):
        if part.is_dir():
            raise ValueError(f"{part}: this is a folder: name the .bed file")
        if not part.is_file():
            beside = f", which belongs to {path.name}: put it beside that one again"
            wanted = ": name a .bed or VCF file" if part == path else beside
            raise ValueError(f"{part}: there is no such file{wanted}")
    head = _head(path)
    names, sexes = _columns(path, ".fam", (1, 4))
    chromosomes, ids, *pair = _columns(path, ".bim", (0, 1, 4, 5))
    single, haploid = np.isin(sexes, _MAN).astype(np.uint8), haploid_kinds(chromosomes)
    n, M = len(names), len(ids)
    codes = _mapped(path, head, n, M)
    _check_padding(path, codes, n)
    alleles = tuple(map(tuple, pair))
    made = Genotypes(codes, n, names=tuple(names), ids=tuple(ids), alleles=alleles)
    if not haploid.any():
        return made
    codes, impossible = possible(codes, haploid, single)
    return replace(made, codes=codes, haploid=haploid, single=single, impossible=impossible)


def _columns(path: Path, suffix: str, which: tuple[int, ...]) -> list[AnyArray]:
    """Some columns of the file beside, between blanks or tabs, as PLINK takes them."""
    part = path.with_suffix(suffix)
    with warnings.catch_warnings():
        # Files without any line are told of by what they lack.
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = np.loadtxt(
                part, dtype=object, comments=None, usecols=which, ndmin=2, encoding="utf-8"
            )
        except ValueError as error:
            raise ValueError(
                f"{part}: the file, which belongs to {path.name}, cannot be read ({error}): it "
                "needs six columns, between blanks or tabs: write it again"
            ) from None
    return list(found.T) if found.size else [found.ravel() for _ in which]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(3)
    if head[:2] != _MAGIC:
        raise ValueError(
            f"{path}: this is no PLINK .bed file: it begins with {head[:2].hex(' ') or 'nothing'}, "
            f"not {_MAGIC.hex(' ')}: name one, as plink2 --make-bed writes them"
        )
    if len(head) == len(_MAGIC):
        raise ValueError(f"{path}: the file has 2 bytes, it was cut short: write it again")
    if head[2:] != bytes([_BY_MARKER]):
        raise ValueError(
            f"{path}: genotypes lie one individual after another: write the file again with "
            "plink --make-bed, which puts one marker after another"
        )
    return head


def _mapped(path: Path, head: bytes, n: int, M: int) -> AnyArray:
    """The bytes after the head, a line a marker."""
    stride, size = -(-n // 4), path.stat().st_size
    body, fam = size - len(head), path.with_suffix(".fam").name
    if n and M and body and not body % M and body != stride * M:
        most = 4 * (body // M)
        raise ValueError(
            f"{path}: the file has genotypes of {most - 3:,} to {most:,} individuals, and {fam} "
            f"{n:,} lines, too {'many' if n > most else 'few'}: bring the .fam file that was "
            "written with it"
        )
    if size != len(head) + stride * M:
        raise ValueError(
            f"{path}: the file has {size:,} bytes, and {n:,} individuals of the .fam file at "
            f"{M:,} markers of the .bim file take {len(head) + stride * M:,}: it was cut short, "
            "or these files do not belong together: bring those that were written together"
        )
    if not n or not M:
        raise ValueError(f"{path}: there are {n} individuals and {M} markers")
    return np.memmap(path, dtype=np.uint8, mode="r", offset=len(head), shape=(M, stride))


def _check_padding(path: Path, codes: AnyArray, n: int) -> None:
    """ValueError where bits past the last individual are used, or those of the last are not."""
    some = np.unique(np.linspace(0, len(codes) - 1, min(len(codes), _LOOKED_AT)).astype(int))
    last, fam = np.asarray(codes[some, -1]), path.with_suffix(".fam").name
    place = (n - 1) % 4
    # Padding reads as two first alleles, everywhere, where somebody in the byte has them rarely.
    rare = len(some) >= _ENOUGH and np.mean(last & 3 == 0) < 0.5
    if place and rare and not (last >> 2 * place).any():
        raise ValueError(
            f"{path}: there is nothing of the last of the {n} individuals of {fam}, which has too "
            "many lines: bring the .fam file that was written with it"
        )
    if n % 4 and (last >> 2 * (n % 4)).any():
        raise ValueError(
            f"{path}: there are genotypes of more than the {n} individuals of {fam}: these files "
            "do not belong together: bring the .fam file that was written with it"
        )
