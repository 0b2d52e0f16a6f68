"""Laws of how long states last, as estimators ask for them and keep them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.sequences import Ordered
from mixtura.models.driven import Driven
from mixtura.models.driven_first import DrivenFirst
from mixtura.models.driven_first_stays import DrivenFirstStays, DrivenFirstStaysParams
from mixtura.models.driven_stays import DrivenStays, DrivenStaysParams
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.semi_markov import SemiMarkov, SemiMarkovParams
from mixtura.models.stay_laws import LAWS, lengths_of
from mixtura.records import AnyArray
from mixtura.schema import Floats
from mixtura.supports import Simplex

# Where a geometric tail begins that nobody says.
LONGEST = 200


def among_others(allowed: AnyArray | None, K: int) -> AnyArray:
    """Where a stay that ends may go on to (K, K), not to itself; ValueError where nowhere."""
    found = np.ones((K, K), dtype=bool) if allowed is None else allowed.copy()
    np.fill_diagonal(found, False)
    if not found.any(axis=1).all():
        k = int(np.argmin(found.any(axis=1)))
        raise ValueError(
            f"durations: state {k} is never left, so that its stays have no length: allow a "
            "transition from it, or leave durations out"
        )
    return found


def refuse_durations(durations: str, max_duration: int | None, initial: str) -> None:
    """ValueError where settings do not go together with a law of lengths."""
    if initial == "stationary":
        raise ValueError(
            "durations: a sequence's first stay begins with it, which is no stationary law: use "
            "initial='free' or 'fixed'"
        )
    if durations == "free" and max_duration is None:
        raise ValueError(
            "durations='free' has a number for each length: give max_duration, from where on a "
            "stay ends with one probability"
        )


def longest_stay(max_duration: int | None, rows: Ordered) -> int:
    """D, where the tail of a law begins: as given, else LONGEST, but no longer than a sequence.

    Of stays beyond the longest sequence the rows tell nothing, and memory grows with D.
    """
    asked = LONGEST if max_duration is None else int(max_duration)
    return min(asked, max(2, int(np.diff(rows.stops, prepend=0).max())))


def kept(model: HiddenMarkov, params: HiddenMarkovParams) -> dict[str, AnyArray]:
    """The fitted attributes of a law of lengths; none of a plain model."""
    if not isinstance(model, SemiMarkov) or not isinstance(params, SemiMarkovParams):
        return {}
    return {"stays_": params.stays, "durations_": lengths_of(model.rule(params)[2])}


def lasting(
    model: HiddenMarkov, params: HiddenMarkovParams, law: str, arrays: dict[str, AnyArray]
) -> tuple[SemiMarkov, SemiMarkovParams]:
    """The model whose fitted attributes `arrays` are, as `kept` gives them."""
    asked: dict[str, Any] = {"law": law, "longest": arrays["durations_"].shape[1]}
    stays = arrays["stays_"]
    if isinstance(model, DrivenFirst):
        begun = DrivenFirstStays(**model.__dict__, **asked)
        return begun, DrivenFirstStaysParams(**params.__dict__, stays=stays)
    if isinstance(model, Driven):
        driven = DrivenStays(**model.__dict__, **asked)
        return driven, DrivenStaysParams(**params.__dict__, stays=stays)
    semi = SemiMarkov(model.family, model.prior, held=model.held, **asked)
    return semi, SemiMarkovParams(**params.__dict__, stays=stays)


def stored(law: str, K: int, arrays: dict[str, Any]) -> dict[str, Floats]:
    """What a model file must hold of them."""
    table = np.asarray(arrays.get("durations_"))
    D = table.shape[1] if table.ndim == 2 else 2
    width = LAWS[law].width(D)
    return {
        "stays_": Floats((K, width), LAWS[law].support),
        "durations_": Floats((K, D), Simplex()),
    }
