"""`__init__` of an estimator that has the parameters of another, but for a few.

scikit-learn wants constructors that only set what they are given, and reads their signatures.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any


def parameter(name: str, default: Any, *, positional: bool = False) -> inspect.Parameter:
    """One of a constructor, by name alone unless `positional`."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default)


def init_like(
    model: Callable[..., None],
    *more: inspect.Parameter,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
    gone: Mapping[str, str] | None = None,
) -> Callable[..., None]:
    """`model`, a constructor, without some of its parameters, with `more`, and other defaults.

    `gone` are parameters of another library's, by name, and what is done in their place.
    """
    changed = defaults or {}
    known = [
        each.replace(default=changed.get(name, each.default))
        for name, each in inspect.signature(model).parameters.items()
        if name not in without
    ]
    # Of one kind the known ones come first.
    shown = inspect.Signature(sorted([*known, *more], key=lambda each: each.kind))

    def __init__(self: Any, *given: Any, **settings: Any) -> None:
        for name in settings:
            if name in (gone or {}):
                raise ValueError(
                    f"{type(self).__name__} has no {name}: leave it out; {(gone or {})[name]}"
                )
        bound = shown.bind(self, *given, **settings)
        bound.apply_defaults()
        for name, value in list(bound.arguments.items())[1:]:
            setattr(self, name, value)

    # What scikit-learn, help and editors see.
    __init__.__signature__ = shown  # type: ignore[attr-defined]
    return __init__
