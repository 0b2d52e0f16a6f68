"""The error of everything that is wrong with a table."""

from __future__ import annotations


class TableError(ValueError):
    """A table that cannot be used; the message names the file, the place and the remedy."""
