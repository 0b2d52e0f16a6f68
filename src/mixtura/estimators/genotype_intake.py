"""What is asked of genotypes and labels before an admixture is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.ancestry_files import UNKNOWN
from mixtura.data.bed import read_bed
from mixtura.data.genotypes import SUFFIXES, Genotypes, from_dosages
from mixtura.data.vcf import read_vcf
from mixtura.records import AnyArray

# How .bim files write an allele that is not known.
_ANY = ("0", ".", "")


def genotypes_of(X: Any, ploidy: int = 2) -> Genotypes:
    """The genotypes of a .bed file, of a VCF or BCF file by its suffix, or of an array."""
    if isinstance(X, Genotypes):
        return X
    if not isinstance(X, (str, Path)):
        return from_dosages(X, ploidy)
    if str(X) in ("", "."):
        raise ValueError(f"X is {str(X)!r}, the path of no file: name a .bed or VCF file")
    called = str(X).lower().endswith(SUFFIXES)
    if ploidy != 2:
        what = "VCF" if called else ".bed"
        raise ValueError(
            f"ploidy={ploidy} does not fit {X}: {what} files hold diploids: leave ploidy at 2"
        )
    return read_vcf(Path(X)) if called else read_bed(X)


def usable(genotypes: Genotypes, K: int) -> int:
    """The number of monomorphic markers; ValueError where something has no genotypes at
    all, or no marker varies."""
    n = genotypes.individuals
    if n < K:
        raise ValueError(f"n_populations={K} is more than the {n} individuals: take at most {n}")
    found = genotypes.counted()
    _refuse_unseen("marker", np.flatnonzero(found.known == 0), genotypes.ids)
    _refuse_unseen("individual", found.absent, genotypes.names)
    fixed = (found.first == 0) | (found.first == genotypes.ploidy * found.known)
    if K > 1 and fixed.all():
        raise ValueError(
            "X: at each marker all individuals carry the same allele, so nothing tells "
            "populations apart: give markers that vary"
        )
    return int(np.count_nonzero(fixed))


def refuse_absent(genotypes: Genotypes) -> None:
    """ValueError where an individual has no genotype at all."""
    _refuse_unseen("individual", genotypes.counted().absent, genotypes.names)


def _refuse_unseen(what: str, places: AnyArray, names: tuple[str, ...]) -> None:
    if len(places):
        called = names[places[0]] if names else f"{places[0]} (counted from 0)"
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        have = "have" if more else "has"
        raise ValueError(
            f"{what} {called}{more} {have} no genotype, all are missing: leave them out"
        )


def turned(genotypes: Genotypes, alleles: tuple[tuple[str, ...], ...]) -> AnyArray:
    """Whether each marker's alleles come in the other order than `alleles`; ValueError for others.

    PLINK 1 puts the rarer allele of a cohort first, so two cohorts differ in their orders. An
    allele that a cohort lacks is written as 0, and may be any. None are turned where either has
    no alleles.
    """
    if not (genotypes.alleles and alleles):
        return np.zeros(genotypes.markers, dtype=bool)
    fitted, found = (np.array(pair, dtype=object) for pair in (alleles, genotypes.alleles))
    any_fitted, any_found = np.isin(fitted, _ANY), np.isin(found, _ANY)
    same = ((fitted == found) | any_fitted | any_found).all(axis=0)
    swapped = ((fitted == found[::-1]) | any_fitted | any_found[::-1]).all(axis=0)
    wrong = np.flatnonzero(~(same | swapped))
    if len(wrong):
        j = wrong[0]
        called = genotypes.ids[j] if genotypes.ids else f"{j} (counted from 0)"
        more = f" (and others at {len(wrong) - 1:,} more markers)" if len(wrong) > 1 else ""
        raise ValueError(
            f"X has the alleles {'/'.join(found[:, j])} of marker {called}, where "
            f"{'/'.join(fitted[:, j])} were fitted{more}: bring both files onto one strand, or "
            "leave such markers out of both"
        )
    # Where 0 leaves both open the other allele decides.
    crossed = ((fitted == found[::-1]) & ~any_fitted).any(axis=0)
    return np.asarray(swapped & (~same | crossed))


def labelled(y: Any, n: int, K: int) -> tuple[AnyArray | None, list[str]]:
    """(population of each individual, -1 where unknown, or None without labels; their names)."""
    if y is None:
        return None, [str(k) for k in range(K)]
    given = np.asarray(y, dtype=object).ravel()
    if len(given) != n:
        raise ValueError(
            f"y has {len(given)} labels for {n} individuals: give each one, None where it is not "
            "known"
        )
    told = [_told(label) for label in given]
    names = sorted({label for label in told if label}, key=_order)
    if len(names) > K:
        raise ValueError(
            f"y names {len(names)} populations ({', '.join(names[:5])}{', ...' * (len(names) > 5)}"
            f"), more than n_populations={K}: take {len(names)} or more"
        )
    if len(names) < K and all(told):
        raise ValueError(
            f"n_populations={K} leaves nobody for {K - len(names)} of them, as y labels everybody, "
            f"with {len(names)} names: give n_populations={len(names)}, or None as the label of "
            "those whose ancestry is not known"
        )
    place = {name: k for k, name in enumerate(names)} | {"": -1}
    names += [f"unlabelled {k}" for k in range(K - len(names))]
    return np.array([place[label] for label in told]), names


def _told(label: Any) -> str:
    """A label as text, "" where it is unknown."""
    try:
        if label is None or label != label:
            return ""
    except TypeError:
        # pandas.NA is neither equal to itself nor not.
        return ""
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        label = int(label)
    text = str(label).strip()
    return "" if text in UNKNOWN else text


def _order(label: str) -> tuple[float, str]:
    return (float(label), label) if label.removeprefix("-").isdecimal() else (np.inf, label)
