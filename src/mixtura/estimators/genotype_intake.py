"""What is asked of genotypes and labels before an admixture is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.records import AnyArray


def usable(genotypes: Genotypes, K: int) -> int:
    """The number of monomorphic markers; ValueError where something has no genotypes at all."""
    n = genotypes.individuals
    if n < K:
        raise ValueError(f"n_populations={K} is more than the {n} individuals")
    met, monomorphic, gaps = np.zeros(n, dtype=int), 0, []
    for where, dosages in genotypes.chunks():
        known = ~np.isnan(dosages)
        met += known.sum(axis=0)
        most = np.where(known, dosages, -1.0).max(axis=1)
        least = np.where(known, dosages, np.inf).min(axis=1)
        monomorphic += int(np.count_nonzero((most == 0) | (least == genotypes.ploidy)))
        gaps += [where.start + j for j in np.flatnonzero(most < 0)]
    for what, places, names in (
        ("marker", gaps, genotypes.ids),
        ("individual", list(np.flatnonzero(met == 0)), genotypes.names),
    ):
        if places:
            called = names[places[0]] if names else f"{places[0]} (counted from 0)"
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            have = "have" if more else "has"
            raise ValueError(
                f"{what} {called}{more} {have} no genotype, all are missing: leave them out"
            )
    return monomorphic


def labelled(y: Any, n: int, K: int) -> tuple[AnyArray | None, list[str]]:
    """(population of each individual, -1 where unknown, or None without labels; their names)."""
    if y is None:
        return None, [str(k) for k in range(K)]
    given = np.asarray(y, dtype=object).ravel()
    if len(given) != n:
        raise ValueError(f"y has {len(given)} labels for {n} individuals")
    told = ["" if _unknown(label) else str(label) for label in given]
    names = sorted({label for label in told if label}, key=_order)
    if len(names) > K:
        raise ValueError(
            f"y names {len(names)} populations ({', '.join(names[:5])}, ...), more than "
            f"n_populations={K}"
        )
    place = {name: k for k, name in enumerate(names)} | {"": -1}
    names += [f"unlabelled {k}" for k in range(K - len(names))]
    return np.array([place[label] for label in told]), names


def _unknown(label: Any) -> bool:
    return label is None or label != label or str(label) in ("", "-")


def _order(label: str) -> tuple[float, str]:
    return (float(label), label) if label.lstrip("-").isdigit() else (np.inf, label)
