"""Tables that many tests share."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# A run in the background may have inherited that these are ignored, and tests send them.
for number, plain in (
    (signal.SIGINT, signal.default_int_handler),
    (getattr(signal, "SIGHUP", signal.SIGINT), signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, plain)

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


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a fit stop, as Ctrl-C would, when it has written so many sweeps."""
    from mixtura.fitting.checkpoint import Checkpoint

    add = Checkpoint.add

    def limit(sweeps: int) -> None:
        left = [sweeps]

        def counted(self: Checkpoint, params: Any, summary: Any) -> None:
            add(self, params, summary)
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

        monkeypatch.setattr(Checkpoint, "add", counted)

    return limit
