"""ADMIXTURE's files: shares, frequencies, and populations that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.data.atomic import atomic
from mixtura.records import Array

# Labels of ancestry that is unknown, as text: of .pop files, -1 as in scikit-learn, and what writes
# missing values as text leaves.
UNKNOWN = ("", "-", "-1", "nan", "NaN", "NA", "None", "<NA>")
# As many digits as ADMIXTURE writes.
_DIGITS = "%.6f"


def write_shares(path: str | Path, Q: Array) -> None:
    """A .Q file: a line an individual, a column a population, six decimals and blanks between."""
    with atomic(path) as part:
        np.savetxt(part, Q, fmt=_DIGITS)


def write_frequencies(path: str | Path, P: Array) -> None:
    """A .P file of P (K, markers): a line a marker, a column a population."""
    write_shares(path, P.T)


def read_populations(path: str | Path, n: int) -> list[str]:
    """The lines of a .pop file, one an individual, "" where its ancestry is `UNKNOWN`.

    ValueError where it cannot be read or has not a line for each.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file: name a .pop file") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: this is a folder: name a .pop file") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: this is no text in UTF-8: save the .pop file as such") from None
    while len(lines) > n and not lines[-1].strip():
        lines.pop()
    if len(lines) != n:
        raise ValueError(
            f"{path}: there are {len(lines)} lines for {n} individuals: a .pop file has one for "
            "each, with - where the ancestry is unknown"
        )
    return ["" if line.strip() in UNKNOWN else line.strip() for line in lines]
