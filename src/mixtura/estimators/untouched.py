"""A fit that fails changes nothing, and names the column that it cannot use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mixtura.families.domain import BadColumn


@contextmanager
def untouched_on_failure(estimator: Any) -> Iterator[None]:
    """Leaves the estimator's attributes as they were where what is inside raises."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException as error:
        names = getattr(estimator, "feature_names_in_", None)
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        if isinstance(error, BadColumn):
            raise error.named(names) from None
        raise
