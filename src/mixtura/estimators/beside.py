"""What a mixture has beside components that are free, and at maximum likelihood."""

from __future__ import annotations

from typing import Any

from mixtura.estimators.fixed import fixed_parts
from mixtura.estimators.inherited import equations_of
from mixtura.estimators.noisy import asked_noise, noise_of


def asked_beside(estimator: Any) -> str:
    """The setting that asks for it; empty where none does."""
    if asked_noise(estimator) is not None:
        return "noise"
    asked = {
        name: getattr(estimator, name, None) for name in ("trim", "constraint", "fixed", "prior")
    }
    asked["fixed"] = fixed_parts(asked["fixed"])
    return next((name for name, value in asked.items() if value), "")


def beside(estimator: Any) -> str:
    """The same, and noise that was fitted, whatever the next fit is asked for."""
    return "noise" if noise_of(estimator) is not None else asked_beside(estimator)


def fitted_beside(estimator: Any, *, flat: bool = False) -> str:
    """What the fitted mixture is more than its components; empty where it is nothing more.

    Columns that hang on others are such unless they may be `flat`.
    """
    hanging = "columns that are constant or follow from others"
    for name, found in (
        ("noise", noise_of(estimator) is not None),
        ("trim", "trim_threshold_" in estimator.__dict__),
        (hanging, not flat and bool(equations_of(estimator))),
    ):
        if found:
            return name
    return ""


def refuse_beside(what: str, estimator: Any, *, fitted: bool = False, flat: bool = False) -> None:
    """ValueError where something knows components alone; `fitted`: whatever was asked of a fit.

    `flat` as in `fitted_beside`.
    """
    name = fitted_beside(estimator, flat=flat) if fitted else beside(estimator)
    if name:
        raise ValueError(f"{what} knows no {name}: fit without that")
