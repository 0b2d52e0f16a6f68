"""What a grid is made of: mclust's structures, and values given alone or as several."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

# mclust's, in its order; in one column only the volume is left.
FOURTEEN = (
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
    "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV",
)  # fmt: skip
TWO = ("E", "V")


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
