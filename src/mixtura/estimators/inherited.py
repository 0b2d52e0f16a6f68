"""What is known of the rows behind a mixture, by its own fit or by that of the one it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixtura.families.equations import among
from mixtura.records import Equation
from mixtura.result import Fit


def equations_of(mixture: Any) -> tuple[Equation, ...]:
    """What all rows had in common; nothing for parameters that were given."""
    fit: Fit | None = mixture.__dict__.get("fit_result_")
    inherited: tuple[Equation, ...] = mixture.__dict__.get("_inherited", ())
    return inherited if fit is None else fit.equations


def inherit(mixture: Any, parent: Any, columns: Sequence[int]) -> None:
    """Let `mixture` know of these columns what `parent` knows."""
    mixture._inherited = among(equations_of(parent), columns)
