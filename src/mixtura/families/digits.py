"""Numbers as people write them: as many digits as mean something."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mixtura.supports import TINY

# Columns are written in plain numbers between these magnitudes, else in powers of a thousand.
LARGE, SMALL = 1e6, 1e-2
# Where the spreads in one column differ by more than this, each cell has its own decimals.
COMMON_DECIMALS = 100.0
MOST_DECIMALS = 12


def percent(share: float) -> str:
    """A share as a percentage: "35.6%", "0.012%"; "<0.001%" below that."""
    if 0 < share < 1e-5:
        return "<0.001%"
    return f"{100 * share:.1f}%" if share >= 1e-3 or share == 0 else f"{100 * share:.2g}%"


def spread_cells(means: Sequence[float], sds: Sequence[float]) -> tuple[str, list[str]]:
    """One column of "mean ± sd", two significant digits of each sd.

    Returns (factor, cells): factor is "" or the power of ten to multiply by, such as "×1e-6".
    """
    # A rate of 0 is kept as a number so small, and so may its spread be.
    none = [abs(m) <= TINY and s * s <= 2.0 * TINY for m, s in zip(means, sds, strict=True)]
    means = [0.0 if no else m for no, m in zip(none, means, strict=True)]
    sds = [0.0 if no else s for no, s in zip(none, sds, strict=True)]
    power = _power(means, sds)
    scale = 10.0**-power
    means, sds = [m * scale for m in means], [s * scale for s in sds]
    positive = [s for s in sds if s > 0] or [max(map(abs, means), default=1.0) / 10 or 1.0]
    common = _decimals(min(positive)) if max(positive) <= COMMON_DECIMALS * min(positive) else None
    cells = []
    for mean, sd in zip(means, sds, strict=True):
        places = _decimals(sd if sd > 0 else min(positive)) if common is None else common
        nothing = mean == sd == 0
        cells.append("0 ± 0" if nothing else f"{_rounded(mean, places)} ± {_rounded(sd, places)}")
    return (f"×1e{power}" if power else ""), cells


def _rounded(value: float, places: int) -> str:
    text = f"{round(value, places):.{max(places, 0)}f}"
    return text.removeprefix("-") if not any(c in "123456789" for c in text) else text


def _decimals(sd: float) -> int:
    """Decimal places that show two significant digits; negative rounds to tens."""
    exponent = math.floor(math.log10(sd))
    if round(sd / 10**exponent, 1) >= 10:  # 0.0996 is shown as 0.10
        exponent += 1
    return min(1 - exponent, MOST_DECIMALS)


def _power(means: Iterable[float], sds: Iterable[float]) -> int:
    """The power of ten, a multiple of 3, in which a column reads best; 0 for plain numbers."""
    spreads = [s for s in sds if s > 0]
    largest = max([abs(m) for m in means] + spreads, default=0.0)
    if largest == 0 or not math.isfinite(largest) or SMALL <= largest < LARGE:
        return 0
    power = 3 * math.floor(math.log10(largest) / 3)
    # A narrow column far from zero keeps its own digits: 1000000.000 ± 0.010.
    wide = not spreads or min(spreads) >= 1e-5 * 10.0**power
    return power if wide else 0
