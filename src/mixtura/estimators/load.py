"""Reading saved estimators of any kind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from mixtura.homes import ESTIMATORS
from mixtura.store import StoreError, read_document


def load(path: str | Path) -> Any:
    """The estimator that was written to `path` by `save`.

    Raises StoreError for a file that is missing, truncated, foreign or of a newer version.
    """
    document = read_document(path)
    name = document["kind"]
    if name not in ESTIMATORS:
        raise StoreError(
            f"{path}: holds a {name!r}, and this version of mixtura knows only "
            f"{sorted(ESTIMATORS)}: upgrade mixtura"
        )
    kind = getattr(import_module(ESTIMATORS[name]), name)
    try:
        return kind.restored(document)
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from None
