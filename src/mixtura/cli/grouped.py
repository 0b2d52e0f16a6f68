"""Options that go together: one argument of a command, a record whose fields are the options."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any, get_type_hints


class Grouped:
    """A frozen dataclass of options, each `Annotated` for Typer and with its default."""


def groups_among(hints: dict[str, Any]) -> dict[str, type[Grouped]]:
    """The arguments that are such records, by name."""
    return {
        name: kind
        for name, kind in hints.items()
        if isinstance(kind, type) and issubclass(kind, Grouped)
    }


def options_of(kind: type[Grouped]) -> list[inspect.Parameter]:
    """The options in the record's place."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=hints[each.name],
        )
        for each in fields(kind)  # type: ignore[arg-type]
    ]


def gathered(kind: type[Grouped], given: dict[str, Any]) -> Grouped:
    """The record of what was given, which is taken out of `given`."""
    return kind(**{each.name: given.pop(each.name) for each in fields(kind)})  # type: ignore[arg-type]
