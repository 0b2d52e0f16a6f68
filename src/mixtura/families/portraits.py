"""The portraits of several blocks of columns as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import xlogy

from mixtura.families.portrait import Column, Portrait
from mixtura.records import Array

# Columns of a block that its name tells.
_SHOWN = 6


def joined(
    blocks: Sequence[tuple[int, ...]], parts: Sequence[Portrait], weights: Array
) -> Portrait:
    """One portrait of blocks of columns, which together are all of a table's, from their own."""
    place = {
        j: (columns, part, i)
        for columns, part in zip(blocks, parts, strict=True)
        for i, j in enumerate(columns)
    }

    def column(j: int) -> Column:
        columns, part, i = place[j]
        found = part.column(i)
        return replace(found, whole=tuple(columns[own] for own in found.whole))

    # A separation has no bound, so that one of numbers would outdo all that categories can tell:
    # all there is to know is which component it is.
    most = float(-xlogy(weights, weights).sum())
    tells = np.empty(len(place))
    for columns, part in zip(blocks, parts, strict=True):
        tells[list(columns)] = np.minimum(part.tells, most)
    told = [
        f"{part.name} ({_listed([part.column(i).name for i in range(len(columns))])})"
        for columns, part in zip(blocks, parts, strict=True)
    ]
    return Portrait(
        " x ".join(told),
        "independent of each other within a group",
        tells,
        column,
        simpler=next((part.simpler for part in parts if part.simpler), ""),
        collapse=max((part.collapse for part in parts), key=lambda pair: len(pair[0])),
        lone=next((part.lone for part in parts if part.lone), ""),
    )


def _listed(names: Sequence[str]) -> str:
    more = f", {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
