"""The parameter `fixed` of an estimator: what is known of a mixture in advance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mixtura.estimators.limited import LIMITS, are_limits, plain_limits, with_limits
from mixtura.families.base import Family
from mixtura.families.registry import pinned
from mixtura.models.fixed import FixedWeights
from mixtura.models.mixture import Mixture
from mixtura.records import Array

FIXED_SETTINGS: list[Any] = [None, dict]
NAMES = ("weights", "least_weight", "means", "covariances", *LIMITS)
# How far from one the weights may add up.
_SLACK = 1e-6


def fixed_parts(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is known, by name, without what is None."""
    return {name: part for name, part in (given or {}).items() if part is not None}


def fixed_of(estimator: Any) -> Mapping[str, Any]:
    """What is known, by name; ValueError for other names, and beside what knows of none."""
    given = getattr(estimator, "fixed", None)
    asked, unknown = fixed_parts(given), [name for name in given or {} if name not in NAMES]
    if unknown:
        raise ValueError(f"fixed has {unknown[0]!r}: what may be fixed is {', '.join(NAMES)}")
    for name in ("weights_init", "means_init", "precisions_init", "noise", "concomitants"):
        other = getattr(estimator, name, None)
        if asked and other is not None and other is not False:
            raise ValueError(f"fixed and {name} do not go together: leave one of them out")
    return asked


def fixed_weights(estimator: Any) -> FixedWeights | None:
    """The weights that are known; ValueError for what are none."""
    K, least = estimator.n_components, _least_weight(estimator)
    given = fixed_of(estimator).get("weights")
    if given is None:
        return _floored(np.full(K, np.nan), least) if least else None
    if isinstance(given, str):
        if given != "equal":
            raise ValueError(f"fixed: weights are 'equal' or numbers, got {given!r}")
        return FixedWeights(np.full(K, 1.0 / K))
    values = _numbers("weights", given, (K,))
    known = values[~np.isnan(values)]
    total, some = float(known.sum()), len(known) < K
    if not ((known > 0).all() and (total < 1 if some else abs(total - 1) <= _SLACK)):
        more = "to less than 1" if some else "to 1"
        raise ValueError(
            f"fixed: weights {known.tolist()} must be above 0 and add up {more}: NaN is a free one"
        )
    if some and not least * (K - len(known)) <= (1 - total) * (1 + _SLACK):
        raise ValueError(
            f"fixed: least_weight {least:g} of {K - len(known)} free weights is more than the "
            f"{1 - total:g} that the known ones leave: give less"
        )
    if not len(known) and not least:
        return None
    if K - len(known) == 1:
        # The last one follows.
        return FixedWeights(np.where(np.isnan(values), 1.0 - total, values))
    return _floored(values, least) if some else FixedWeights(values / total)


def _floored(values: Array, least: float) -> FixedWeights:
    """Weights (K,), NaN where free and then at least so large; all known where none can be more."""
    free = np.isnan(values)
    left = 1.0 - float(values[~free].sum())
    if math.isclose(least * free.sum(), left, rel_tol=_SLACK):
        return FixedWeights(np.where(free, left / free.sum(), values))
    return FixedWeights(values, least)


def _least_weight(estimator: Any) -> float:
    """The floor of free weights; 0 for none. ValueError where so many cannot be so large."""
    given, K = fixed_of(estimator).get("least_weight"), estimator.n_components
    if given is None:
        return 0.0
    least = float(_numbers("least_weight", given, np.shape(given)).sum())
    if np.size(given) != 1 or not 0 < least <= 1 / K:
        raise ValueError(
            f"fixed: least_weight is one number above 0 and at most 1/{K}, got {given!r}"
        )
    return least


def with_fixed(estimator: Any, family: Family, d: int) -> Family:
    """The family with what is known of its components over d columns; ValueError for what cannot
    be."""
    asked, K = fixed_of(estimator), estimator.n_components
    means, shapes = asked.get("means"), asked.get("covariances")
    if means is None and shapes is None:
        return with_limits(asked, family, K, d)
    common = isinstance(means, str)
    if common and means != "common":
        raise ValueError(f"fixed: means are 'common' or numbers, got {means!r}")
    values = None if common or means is None else _numbers("means", means, (K, d))
    expected = family.shapes(K, d).get("covariances")
    if shapes is not None and expected is not None:
        shapes = _numbers("covariances", shapes, expected)
    return with_limits(asked, pinned(family, values, common, shapes), K, d)


def fixed_model(estimator: Any, family: Family, prior: Any) -> Mixture:
    """The mixture of a fitted estimator, which knows what is fixed."""
    if not fixed_of(estimator):
        return Mixture(family, prior)
    kind = with_fixed(estimator, family, estimator.n_features_in_)
    return Mixture(kind, prior, fixed=fixed_weights(estimator))


def _held(given: Any) -> Array:
    """Floats, NaN where one is free: what is masked is."""
    return np.array(np.ma.filled(np.ma.array(given, dtype=np.float64), np.nan))


def _numbers(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    """Floats of that shape, of which some may be NaN."""
    try:
        values = _held(given)
    except (TypeError, ValueError):
        raise ValueError(f"fixed: {name} must be numbers, NaN if free, got {given!r}") from None
    if values.shape != shape:
        raise ValueError(f"fixed: {name} have shape {values.shape}, not {shape}: NaN is a free one")
    if np.isinf(values).any():
        raise ValueError(f"fixed: {name} have an infinite number: give finite ones, NaN if free")
    return values


def fixed_note(estimator: Any) -> tuple[tuple[str, str], ...]:
    """What the report says of it."""
    asked = fixed_parts(getattr(estimator, "fixed", None))
    limits = [f"{name} of {', '.join(asked.pop(name))}" for name in LIMITS if asked.get(name)]
    told = [f"{name} {value}" if isinstance(value, str) else name for name, value in asked.items()]
    notes = [("known", f"{', '.join(told)}: not estimated, as far as given")] if told else []
    notes += [("limits", f"{' and '.join(limits)}, which EM's steps keep")] if limits else []
    return tuple(notes)


def restored_fixed(stored: Any) -> Any:
    """The parameter from a model file; ValueError where it is none."""
    if stored is None:
        return None
    if not isinstance(stored, dict) or not all(
        name in NAMES
        and (
            are_limits(name, value)
            if name in LIMITS
            else isinstance(value, str) or _is_numbers(value)
        )
        for name, value in stored.items()
    ):
        raise ValueError(f"settings.fixed does not hold arrays named {', '.join(NAMES)}")
    return stored


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def plain_fixed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter for a model file."""
    asked = fixed_parts(value)
    known = {name: part for name, part in asked.items() if name not in LIMITS}
    held = {name: part if isinstance(part, str) else _held(part) for name, part in known.items()}
    return held | plain_limits(asked)
