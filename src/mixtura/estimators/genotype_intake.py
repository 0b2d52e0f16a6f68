"""What is asked of genotypes and labels before an admixture is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.ancestry_files import UNKNOWN
from mixtura.data.genotypes import Genotypes
from mixtura.records import AnyArray


def usable(genotypes: Genotypes, K: int) -> int:
    """The number of monomorphic markers; ValueError where something has no genotypes at all."""
    n = genotypes.individuals
    if n < K:
        raise ValueError(f"n_populations={K} is more than the {n} individuals")
    found = genotypes.counted()
    _refuse_unseen("marker", np.flatnonzero(found.known == 0), genotypes.ids)
    _refuse_unseen("individual", found.absent, genotypes.names)
    fixed = (found.first == 0) | (found.first == genotypes.ploidy * found.known)
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


def labelled(y: Any, n: int, K: int) -> tuple[AnyArray | None, list[str]]:
    """(population of each individual, -1 where unknown, or None without labels; their names)."""
    if y is None:
        return None, [str(k) for k in range(K)]
    given = np.asarray(y, dtype=object).ravel()
    if len(given) != n:
        raise ValueError(f"y has {len(given)} labels for {n} individuals")
    told = [_told(label) for label in given]
    names = sorted({label for label in told if label}, key=_order)
    if len(names) > K:
        raise ValueError(
            f"y names {len(names)} populations ({', '.join(names[:5])}, ...), more than "
            f"n_populations={K}"
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
