"""The order of states: labels are arbitrary, so that a rule must make them stable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.families.base import Family
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray, Array


def state_order(family: Family, components: Any, d: int) -> AnyArray:
    """States by their mean in the first column, equal ones by the next, (K,).

    Where a family tells no means, by its first parameter that each state has one of.
    """
    try:
        keys = family.means(components)
    except NotImplementedError:
        keys = next(iter(_of_states(family, components, d).values()))
    flat = np.asarray(keys).reshape(len(keys), -1)
    return np.lexsort(flat.T[::-1])


def reordered(
    family: Family, params: HiddenMarkovParams, order: AnyArray, d: int
) -> HiddenMarkovParams:
    """The same model, its state i the former `order[i]`."""
    own = {name: array[order] for name, array in _of_states(family, params.components, d).items()}
    components = family.params({**params.components.arrays(), **own})
    return replace(params.states(order), components=components)


def _of_states(family: Family, components: Any, d: int) -> dict[str, Array]:
    """The parameters that each state has one of, which their shapes tell."""
    arrays = components.arrays()
    more = family.shapes(2, d), family.shapes(3, d)
    return {name: a for name, a in arrays.items() if more[0][name] != more[1][name]}
