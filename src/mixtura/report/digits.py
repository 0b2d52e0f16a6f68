"""Counts and totals as people write them."""

from __future__ import annotations


def total(value: float) -> str:
    """A sum of row weights: "20,000" when whole, "271.5" when not."""
    whole = abs(value - round(value)) <= 1e-9 * abs(value)
    return f"{round(value):,}" if whole else f"{value:,.4g}" if value < 1e3 else f"{value:,.1f}"


def counted(number: int, noun: str) -> str:
    """ "1 row", "1,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
