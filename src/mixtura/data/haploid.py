"""Who carries one copy of a chromosome, and calls that cannot be then."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray

# Markers of which men carry one copy, and of which everybody who carries any does.
MEN, ALL = 1, 2
_OF_MEN, _OF_ALL = ("23", "X"), ("24", "Y", "26", "M", "MT")
# Bytes that are looked at together.
_NUMBERS = 1 << 20


def haploid_kinds(chromosomes: AnyArray | list[str]) -> AnyArray:
    """Of each marker 1 where men carry one copy, 2 where all do, 0 elsewhere.

    Chromosomes are written as PLINK's output codes and genome browsers do: X, 23, 0X, chrX, chr23.
    """
    names, places = np.unique(np.asarray(chromosomes, dtype=str), return_inverse=True)
    plain = [name.strip().upper().removeprefix("CHR").lstrip("0") for name in names]
    kinds = MEN * np.isin(plain, _OF_MEN) + ALL * np.isin(plain, _OF_ALL)
    return np.asarray(kinds.astype(np.uint8)[places.ravel()])


def possible(codes: AnyArray, haploid: AnyArray, single: AnyArray) -> tuple[AnyArray, int]:
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
