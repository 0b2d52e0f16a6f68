"""Draws of parameters for ArviZ. Loads arviz_base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arviz_base import from_dict

from mixtura.records import AnyArray, Array
from mixtura.version import __version__

_DIMS = {
    "weights": ["component"],
    "means": ["component", "column"],
    "covariances": ["component", "column", "other_column"],
}


def tree(draws: Mapping[str, Array], components: AnyArray, names: list[str], law: str) -> Any:
    """A DataTree whose group "posterior" holds them as one chain; `law` is what they are of."""
    told = {"inference_library": "mixtura", "inference_library_version": __version__, "law": law}
    return from_dict(
        {"posterior": {name: array[None] for name, array in draws.items()}},
        coords={"component": components, "column": names, "other_column": names},
        dims=_DIMS,
        attrs={"posterior": told},
    )
