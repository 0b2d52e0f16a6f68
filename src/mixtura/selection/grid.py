"""What a grid is made of: mclust's structures, and values given alone or as several."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, Protocol

from mixtura.families.factor.structure import FactorAnalytic, parsed, type_name
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.selection.ranking import CRITERIA

# mclust's, in its order; in one column only the volume is left.
FOURTEEN = (
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
    "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV",
)  # fmt: skip
TWO = ("E", "V")


class Numbered(Protocol):
    """The settings of every search."""

    n_components: Any
    criterion: str
    cv: Any


class Shaped(Numbered, Protocol):
    """And of one over Gaussian shapes."""

    covariance_type: Any
    reg_covar: Any


def several(name: str, value: Any, kind: Any) -> list[Any]:
    """One value or several, as a list without repetitions."""
    alone = value is None or isinstance(value, (str, Real))
    values = [value] if alone or not isinstance(value, Iterable) else list(value)
    if not values:
        raise ValueError(f"{name}: nothing to try: give at least one")
    for each in values:
        if not isinstance(each, kind) or isinstance(each, bool):
            raise ValueError(f"{name}: {each!r} is no value for it")
    return list(dict.fromkeys(values))


def numbers_of(search: Numbered) -> list[int]:
    """Numbers of components; ValueError where they, the criterion or the folds are none."""
    if search.criterion not in CRITERIA:
        raise ValueError(f"criterion={search.criterion!r}: choose from {', '.join(CRITERIA)}")
    if isinstance(search.cv, Integral) and int(search.cv) < 2:
        raise ValueError(f"cv={search.cv!r}: folds are a number from 2")
    components = sorted({int(K) for K in several("n_components", search.n_components, Integral)})
    if components[0] < 1:
        raise ValueError(f"n_components: {components[0]} is no number of components: from 1")
    return components


def gridded(search: Shaped, d: int) -> tuple[list[int], list[tuple[str, float | None]]]:
    """Numbers of components, and (structure, prior) pairs; ValueError where they are none."""
    components = numbers_of(search)
    given = several("covariance_type", search.covariance_type, (str, FactorAnalytic))
    names = list(dict.fromkeys(type_name(each) for each in given))
    if names == ["all"]:
        names = list(TWO if d == 1 else FOURTEEN)
    for name in names:
        factors = parsed(name)
        if name not in STRUCTURES and factors is None:
            known = ", ".join(STRUCTURES)
            raise ValueError(
                f"covariance_type: {name!r} is none of all, {known}, nor of factors as 'UUU:10'"
            )
        if factors is not None:
            factors.check_columns(d)
        elif structure(name).columns not in (None, d):
            raise ValueError(
                f"covariance_type: {name!r} is for a table of one column, found {d}: use 'EII' "
                "or 'VII'"
            )
    priors = several("reg_covar", search.reg_covar, (Real, type(None)))
    for prior in priors:
        if prior is not None and not prior >= 0:
            raise ValueError(f"reg_covar: {prior!r} is below 0: use 0 or more, or None")
    return components, [(name, reg) for name in names for reg in priors]


def enough_for(groups: int, components: list[int]) -> list[int]:
    """Those of the numbers of components that hold the labelled groups; ValueError for none."""
    found = [K for K in components if groups <= K]
    if not found:
        raise ValueError(
            f"labels speak of {groups} groups, and n_components of the search ends at "
            f"{max(components)}: try {groups} and more"
        )
    return found
