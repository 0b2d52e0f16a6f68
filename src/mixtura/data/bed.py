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
_OF_MEN, _OF_ALL, _MAN = ("23", "X"), ("24", "Y", "26", "M", "MT"), 1

# Markers whose padding is looked at, and bytes that are looked at together.
_LOOKED_AT, _NUMBERS = 4096, 1 << 20
# So many markers tell padding from genotypes.
_ENOUGH = 20


def read_bed(path: str | Path) -> Genotypes:
    """The genotypes of FILE.bed, with FILE.fam and FILE.bim beside it.

    ValueError without bed-reader, for a file that is none, cut short, or whose companions are
    missing or of another size. On the chromosomes X (23, chrX) men, by their sex in the .fam file,
    and on Y (24) and MT (26, M) all carry one copy; heterozygous calls there are errors, and
    missing. The file is not changed.
    """
    path = Path(path)
    try:
        from bed_reader import open_bed
    except ImportError:
        raise ValueError(
            f"{path}: PLINK files are read with bed-reader: install mixtura[genetics]"
        ) from None
    if path.is_file() and path.suffix != ".bed" and not path.with_suffix(".fam").exists():
        raise ValueError(f"{path}: a .bed file is needed, which .fam and .bim files lie beside")
    for part in (path, path.with_suffix(".fam"), path.with_suffix(".bim")):
        if part.is_dir():
            raise ValueError(f"{part}: this is a folder: name the .bed file")
        if not part.is_file():
            beside = "" if part == path else f", which belongs to {path.name}"
            raise ValueError(f"{part}: there is no such file{beside}")
    head = _head(path)
    part, form = path.with_suffix(".fam"), "six columns"
    try:
        with open_bed(path) as bed:
            n, names = bed.iid_count, tuple(map(str, bed.iid))
            single = (bed.sex == _MAN).astype(np.uint8)
            part, form = path.with_suffix(".bim"), "six columns between tabs"
            M, ids = bed.sid_count, tuple(map(str, bed.sid))
            alleles = tuple(map(str, bed.allele_1)), tuple(map(str, bed.allele_2))
            haploid = _haploid(bed.chromosome)
    except ValueError as error:
        raise ValueError(
            f"{part}: the file, which belongs to {path.name}, cannot be read ({error}): it needs "
            f"{form}: write it again"
        ) from None
    codes = _mapped(path, head, n, M)
    _check_padding(path, codes, n)
    if not haploid.any():
        return Genotypes(codes, n, names=names, ids=ids, alleles=alleles)
    codes, impossible = _possible(codes, haploid, single)
    return Genotypes(
        codes, n, names=names, ids=ids, alleles=alleles,
        haploid=haploid, single=single, impossible=impossible,
    )  # fmt: skip


def _haploid(chromosomes: AnyArray) -> AnyArray:
    """Of each marker 1 where men carry one copy, 2 where all do, 0 elsewhere.

    Chromosomes are written as PLINK's output codes and genome browsers do: X, 23, 0X, chrX, chr23.
    """
    names, places = np.unique(np.asarray(chromosomes, dtype=str), return_inverse=True)
    plain = [name.strip().upper().removeprefix("CHR").lstrip("0") for name in names]
    kinds = np.isin(plain, _OF_MEN) + 2 * np.isin(plain, _OF_ALL)
    return np.asarray(kinds.astype(np.uint8)[places.ravel()])


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


def _check_padding(path: Path, codes: AnyArray, n: int) -> None:
    """ValueError where bits past the last individual are used, or those of the last are not."""
    some = np.unique(np.linspace(0, len(codes) - 1, min(len(codes), _LOOKED_AT)).astype(int))
    last, fam = np.asarray(codes[some, -1]), path.with_suffix(".fam").name
    place = (n - 1) % 4
    # Padding reads as two first alleles, everywhere, where somebody in the byte has them rarely.
    rare = len(some) >= _ENOUGH and np.mean(last & 3 == 0) < 0.5
    if place and rare and not (last >> 2 * place).any():
        raise ValueError(
            f"{path}: there is nothing of the last of the {n} individuals of {fam}: these files do "
            "not belong together: bring the .fam file that was written with it"
        )
    if n % 4 and (last >> 2 * (n % 4)).any():
        raise ValueError(
            f"{path}: there are genotypes of more than the {n} individuals of {fam}: these files "
            "do not belong together: bring the .fam file that was written with it"
        )


def _possible(codes: AnyArray, haploid: AnyArray, single: AnyArray) -> tuple[AnyArray, int]:
    """The codes without heterozygous calls of who carries one copy, and how many there were."""
    carriers = np.zeros((2, 4 * codes.shape[1]), dtype=np.uint8)
    carriers[0, : len(single)], carriers[1, : len(single)] = single, 1
    packed = (carriers.reshape(2, -1, 4) << np.array([0, 2, 4, 6])).sum(axis=2).astype(np.uint8)
    places, count = np.flatnonzero(haploid), 0
    step, own = max(1, _NUMBERS // codes.shape[1]), codes
    for start in range(0, len(places), step):
        where = places[start : start + step]
        some = np.array(codes[where])
        # Of a pair of bits, 10 is heterozygous, 01 missing.
        wrong = some >> 1 & ~some & packed[haploid[where] - 1]
        touched = wrong.any(axis=1)
        if not touched.any():
            continue
        if own is codes and isinstance(codes, np.memmap):
            # Pages that are written to are copied; the file stays as it is.
            own = np.memmap(
                str(codes.filename),
                dtype=np.uint8,
                mode="c",
                offset=codes.offset,
                shape=codes.shape,
            )
        own[where[touched]] = (some ^ (wrong | wrong << 1))[touched]
        count += int(np.unpackbits(wrong).sum())
    return own, count
