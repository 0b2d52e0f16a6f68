"""The laboratory: what the theorems on mixtures say, shown by experiments that anybody can run."""

from __future__ import annotations

from importlib import import_module
from numbers import Integral

from mixtura.lab.experiment import Experiment, Report, Told
from mixtura.solvers.clock import at_once

__all__ = ["EXPERIMENTS", "Report", "run"]

# Rows of the smallest table.
LEAST = 20
# Name: where it is. Experiments draw, and drawing is loaded only when one runs.
EXPERIMENTS = {
    "two-gaussians": ("two_gaussians", "TWO_GAUSSIANS"),
    "three-gaussians": ("three_gaussians", "THREE_GAUSSIANS"),
    "consistency": ("consistency", "CONSISTENCY"),
    "misfit": ("misfit", "MISFIT"),
    "singularity": ("singularity", "SINGULARITY"),
    "detectability": ("detectability", "DETECTABILITY"),
}


def experiment(name: str) -> Experiment:
    """The experiment of this name; ValueError where there is none."""
    if not isinstance(name, str) or name not in EXPERIMENTS:
        raise ValueError(f"experiment {name!r}: choose from {', '.join(EXPERIMENTS)}")
    module, constant = EXPERIMENTS[name]
    found: Experiment = getattr(import_module(f"mixtura.lab.{module}"), constant)
    return found


@at_once()
def run(name: str, *, seed: int = 0, told: Told | None = None, **settings: int) -> Report:
    """Run an experiment.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`.
    seed : int, default 0
        The same seed, the same tables.
    told : callable or None, default None
        Is called with how many of all pieces of work are done, and how many there are.
    **settings : int
        Sizes of the experiment, as its page says: smaller ones are quicker. Rows are 20 or more.

    Returns
    -------
    Report
        `summary()` is text, `figure()` a Matplotlib figure, `to_dict()` plain numbers.

    Raises
    ------
    ValueError
        For a name or a setting that is not there, or a size below 1.

    Examples
    --------
    >>> from mixtura import lab
    >>> report = lab.run("two-gaussians", n=400, grid=5)
    >>> print(report.findings.tables[1].text())
    400 rows in two columns, 5 x 5 starts: which find the optimum in 50 steps
                  starts  number  found  median steps  most steps
      off the hyperplane      20     20            16          17
                   on it       5      0             -           -
    """
    asked = experiment(name)
    for setting, value in settings.items():
        if setting not in asked.settings:
            known = ", ".join(asked.settings)
            raise ValueError(f"{name} has no setting {setting!r}: it has {known}")
        if not _is_whole(value) or value < 1:
            raise ValueError(f"{setting}={value!r}: a size is a whole number from 1")
        if setting == "n" and value < LEAST:
            raise ValueError(f"n={value}: the experiments are of {LEAST} rows or more")
    if not _is_whole(seed) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed!r}: a seed is a whole number from 0 to 2**32 - 1")
    sizes = {setting: int(value) for setting, value in {**asked.settings, **settings}.items()}
    return Report(name, asked, asked.run(int(seed), told or _nobody, **sizes))


def _nobody(done: int, total: int) -> None:
    """Where nobody is to be told."""


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
