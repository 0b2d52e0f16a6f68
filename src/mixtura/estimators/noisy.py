"""What noise changes of an estimator: a weight and a column more, and the volume beside them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.fitting.mixture_fit import Found
from mixtura.fitting.noise import Asked
from mixtura.models.mixture import Mixture
from mixtura.models.noise import Noisy, Uniform

# What the parameter may be.
NOISE_SETTINGS: list[Any] = [
    None,
    "boolean",
    StrOptions({"mclust"}),
    Interval(Real, 0.0, None, closed="neither"),
]


def asked_noise(estimator: Any) -> Asked | None:
    """The noise that an estimator's parameter asks for; None for none."""
    value = getattr(estimator, "noise", None)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return True if value else None
    try:
        volume = float(value)
    except OverflowError:
        volume = np.inf
    if not np.isfinite(volume):
        raise ValueError(
            "noise: a volume must be a finite number above 0, and this one is beyond what float64 "
            "holds: give a smaller one, or noise=True"
        )
    return volume


def noise_of(estimator: Any) -> Uniform | None:
    """The noise beside a fitted estimator's components; None where there is none."""
    found: Uniform | None = estimator.__dict__.get("uniform_noise_")
    return found


def hold_noise(estimator: Any, found: Found) -> None:
    """Set `uniform_noise_`, or take it away."""
    estimator.__dict__.pop("uniform_noise_", None)
    if isinstance(found.model, Noisy):
        estimator.uniform_noise_ = found.model.uniform


def beside_noise(estimator: Any, model: Mixture) -> Mixture:
    """The fitted model, with the noise where there is some."""
    uniform = noise_of(estimator)
    return model if uniform is None else Noisy(model.family, model.prior, uniform)


def n_weights(n_components: int, noise: Uniform | None) -> int:
    """How many weights there are, that of noise included."""
    return n_components + (noise is not None)


def stored_noise(estimator: Any) -> dict[str, Any]:
    """The part of a model file; nothing without noise."""
    uniform = noise_of(estimator)
    return {} if uniform is None else {"noise": uniform.stored()}


def restore_noise(estimator: Any, noise: Uniform | None) -> None:
    """Set `uniform_noise_` from a file; ValueError where its parts do not belong together."""
    if noise is None:
        return
    sides = len(noise.lower), len(noise.upper), *map(len, noise.axes)
    if len({*sides, len(noise.axes) or sides[0]}) > 1 or any(
        not low < high for low, high in zip(noise.lower, noise.upper, strict=True)
    ):
        raise ValueError("noise is not a box: lower and upper corners and axes do not agree")
    estimator.uniform_noise_ = noise


def refuse_other_noise(estimator: Any) -> None:
    """ValueError where a warm start goes from a mixture with noise to one without."""
    if noise_of(estimator) is not None and asked_noise(estimator) is None:
        raise ValueError(
            "warm_start: the last fit has noise, and noise=None asks for none: set "
            "warm_start=False, or noise=True"
        )
