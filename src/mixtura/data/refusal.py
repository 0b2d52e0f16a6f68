"""The error of everything that is wrong with a table, and of what is asked of one in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TableError(ValueError):
    """A table that cannot be used; the message names the file, the place and the remedy."""


def refuse_given(what: str, settings: Mapping[str, Any], hint: str = "leave it out") -> None:
    """ValueError where a setting is given that `what` does not take."""
    for name, value in settings.items():
        if value is not None:
            raise ValueError(f"{name} cannot be given for {what}: {hint}")
