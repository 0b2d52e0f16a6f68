"""A fit that fails changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def untouched_on_failure(estimator: Any) -> Iterator[None]:
    """Leaves the estimator's attributes as they were where what is inside raises."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
