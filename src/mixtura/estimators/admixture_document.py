"""A fitted `Admixture` as plain data, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.ranges import Count, Size
from mixtura.result import Fit
from mixtura.schema import Floats, read, read_arrays
from mixtura.store import StoreError
from mixtura.supports import Real, Simplex, UnitInterval


@dataclass(frozen=True)
class AdmixtureSettings:
    """The constructor's parameters; a `random_state` that is a generator is not kept."""

    n_populations: Size
    n_init: Size
    solver: str
    tol: float
    max_iter: Count
    ploidy: Size
    random_state: Count | None


@dataclass(frozen=True)
class StoredAdmixture:
    """A model file, beside its head; fixed are the individuals whose ancestry was given."""

    settings: AdmixtureSettings
    arrays: dict[str, Any]
    fit: Fit
    populations: tuple[str, ...]
    individuals: tuple[str, ...]
    markers: tuple[str, ...]
    monomorphic: Count
    fixed: tuple[Count, ...] | None
    # Files from before they were kept have none.
    alleles: tuple[tuple[str, ...], ...] = ()


def admixture_document(estimator: Any) -> dict[str, Any]:
    """Settings, shares, frequencies, names and the Fit."""
    settings = estimator.get_params()
    if not isinstance(settings["random_state"], (int, np.integer)):
        settings["random_state"] = None
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in settings.items()}
    fixed = estimator._fixed
    return {
        "kind": "Admixture",
        "settings": plain,
        "arrays": {"Q_": estimator.Q_, "P_": estimator.P_, "copies": estimator._copies},
        "fit": estimator.fit_result_.to_dict(),
        "populations": list(estimator.populations_),
        "individuals": list(estimator.individuals_),
        "markers": list(estimator.markers_),
        "alleles": [list(one) for one in estimator.alleles_],
        "monomorphic": estimator.monomorphic_,
        "fixed": None if fixed is None else np.flatnonzero(fixed).tolist(),
    }


def checked_admixture(document: dict[str, Any]) -> StoredAdmixture:
    """The parts of a document; StoreError where they do not belong together."""
    head = ("format", "version", "mixtura", "kind")
    try:
        beside = {k: v for k, v in document.items() if k not in head}
        stored: StoredAdmixture = read(StoredAdmixture, beside, "")
        K = stored.settings.n_populations
        Q, P = (np.atleast_1d(stored.arrays.get(name, 0)) for name in ("Q_", "P_"))
        n, M = len(Q), P.shape[-1]
        wanted = {"Q_": Floats((n, K), Simplex()), "P_": Floats((K, M), UnitInterval())}
        if "copies" in stored.arrays:
            wanted["copies"] = Floats((K, M), Real())
        read_arrays(wanted, stored.arrays, "arrays")
        if "copies" not in stored.arrays:
            # Files from before they were kept: as if everybody had been seen at every marker.
            whole = stored.settings.ploidy * stored.arrays["Q_"].sum(axis=0)
            stored.arrays["copies"] = np.repeat(whole[:, None], M, axis=1)
        if (stored.arrays["copies"] < 0).any():
            raise ValueError("copies has numbers below 0")
        for name, found, size in (
            ("populations", stored.populations, (K,)),
            ("individuals", stored.individuals, (0, n)),
            ("markers", stored.markers, (0, M)),
        ):
            if len(found) not in size:
                raise ValueError(f"{name} has {len(found)} names, not {size[-1]}")
        if [len(one) for one in stored.alleles] not in ([], [M, M]):
            raise ValueError(f"alleles are not two for each of the {M} markers")
        if stored.fixed is not None and any(i >= n for i in stored.fixed):
            raise ValueError(f"fixed names individuals beyond the {n}")
    except ValueError as error:
        raise StoreError(f"the model file is damaged: {error}") from None
    return stored
