"""Tables that many tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent / "reference" / "data"


def read(name: str, columns: int) -> np.ndarray:
    return np.loadtxt(
        DATA / f"{name}.csv", delimiter=",", skiprows=1, usecols=range(columns), ndmin=2
    )


@pytest.fixture(scope="session")
def faithful() -> np.ndarray:
    return read("faithful", 2)


@pytest.fixture(scope="session")
def iris() -> np.ndarray:
    return read("iris", 4)


@pytest.fixture(scope="session")
def diabetes() -> np.ndarray:
    """With the slip in row 104 corrected (see reference/data/SOURCES.md)."""
    X = read("diabetes", 3)
    X[103, 1] = 455.0
    return X


@pytest.fixture(scope="session")
def galaxies() -> np.ndarray:
    return read("galaxies", 1)


@pytest.fixture(scope="session")
def acidity() -> np.ndarray:
    return read("acidity", 1)
