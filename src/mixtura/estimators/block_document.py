"""A block model as plain data, and back: what `save` writes and `load` reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mixtura.fitting.networks.auto import Choice
from mixtura.models.block_model import BlockParams, Edges
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.ranges import Count
from mixtura.records import Array
from mixtura.result import Fit
from mixtura.schema import Floats, read, read_arrays
from mixtura.store import StoreError
from mixtura.supports import Real, Simplex

HEAD = ("format", "version", "mixtura", "kind")


@dataclass(frozen=True)
class StoredBlocks:
    """A block model's file, beside its head; names are those of the nodes,
    text or whole numbers."""

    settings: dict[str, Any]
    arrays: dict[str, Any]
    names: Any
    law: str
    corrected: bool
    directed: bool
    variance: float | None
    n_edges: Count
    icl: float | None
    description: float | None
    path: tuple[Choice, ...]
    fit: Fit
    loops: bool = False
    sides: tuple[Count, Count] | None = None
    first: Count = 0
    complete: bool = True


def block_document(model: Any) -> dict[str, Any]:
    """Constructor parameters, what was fitted and the Fit. Names of nodes that are neither text nor
    whole numbers become text; a `random_state` that is a generator is not kept."""
    settings = model.get_params(deep=False)
    if not isinstance(settings["random_state"], int | np.integer):
        settings["random_state"] = None
    params, names = model.params_, model.nodes_
    corrected = isinstance(params, CorrectedParams)
    arrays = {"memberships": model.memberships_, "weights": params.weights}
    if corrected:
        arrays |= {"met": params.met, "out": params.out, "back": params.back}
    else:
        arrays["matrix"] = params.matrix
    gaussian = not corrected and params.law is Edges.GAUSSIAN
    whole = all(isinstance(name, int | np.integer) for name in names.tolist())
    return {
        "kind": type(model).__name__,
        "settings": settings,
        "arrays": arrays,
        "names": names.astype(np.int64) if whole else np.array([str(name) for name in names]),
        "law": Edges.POISSON.value if corrected else params.law.value,
        "corrected": corrected,
        "directed": model.directed_,
        "variance": params.variance if gaussian else None,
        "n_edges": model.n_edges_,
        "icl": model.icl_,
        "description": model.description_length_,
        "loops": model.loops_,
        "sides": model.sides_ and list(model.sides_),
        "first": params.first,
        "complete": params.complete if corrected else True,
        "path": [asdict(each) for each in model.path_],
        "fit": model.fit_result_.to_dict(),
    }


def restored_blocks(document: dict[str, Any], kind: type[Any]) -> Any:
    """The model of class `kind` that `block_document` described; StoreError if damaged."""
    try:
        stored = read(StoredBlocks, {k: v for k, v in document.items() if k not in HEAD}, "")
        # Earlier files know no bipartite networks.
        settings = {"bipartite": False, **stored.settings}
        unknown = set(settings) ^ set(kind._parameter_constraints)
        if unknown:
            raise ValueError(f"settings: {sorted(unknown)} is unknown or missing")
        if isinstance(settings["n_blocks"], list):
            settings["n_blocks"] = tuple(settings["n_blocks"])
        model = kind(**settings)
        model._validate_params()
        params, memberships = _read_params(stored)
        if not isinstance(stored.names, np.ndarray) or stored.names.shape != memberships.shape[:1]:
            raise ValueError("names is not an array with a name for each node")
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"the model file is damaged: {error}") from None
    names = stored.names if stored.names.dtype.kind == "i" else stored.names.astype(object)
    model.sides_ = stored.sides
    model._set(params, memberships, names, stored.fit)
    model.icl_, model.description_length_ = stored.icl, stored.description
    model.path_, model.n_edges_ = stored.path, stored.n_edges
    model.directed_, model.loops_ = stored.directed, stored.loops
    return model


def _refuse_mixed(stored: StoredBlocks, memberships: Array) -> None:
    """ValueError where sides are not those of the nodes and their blocks."""
    n, K = memberships.shape
    if bool(stored.sides) != bool(stored.first) or (stored.sides and sum(stored.sides) != n):
        raise ValueError(f"sides: {stored.sides} are not two numbers that sum to {n} nodes")
    if stored.sides:
        nodes, blocks = stored.sides[0], stored.first
        if blocks >= K or memberships[:nodes, blocks:].any() or memberships[nodes:, :blocks].any():
            raise ValueError("memberships: nodes of both sides are in one block")


def _read_params(stored: StoredBlocks) -> tuple[BlockParams | CorrectedParams, Array]:
    arrays = stored.arrays
    memberships = arrays.get("memberships")
    if not isinstance(memberships, np.ndarray) or memberships.ndim != 2:
        raise ValueError("arrays: memberships is not a table of nodes and blocks")
    n, K = memberships.shape
    _refuse_mixed(stored, memberships)
    wanted = {"memberships": Floats((n, K), Simplex()), "weights": Floats((K,), Simplex())}
    if stored.corrected:
        degrees = Floats((n,), Real())
        wanted |= {"met": Floats((K, K), Real()), "out": degrees, "back": degrees}
    else:
        wanted["matrix"] = Floats((K, K), Real())
    read_arrays(wanted, arrays, "arrays")
    if stored.corrected:
        sums = arrays["met"], arrays["out"], arrays["back"]
        told = *sums, stored.directed, stored.first, stored.complete
        return CorrectedParams(arrays["weights"], *told), memberships
    variance = float("nan") if stored.variance is None else stored.variance
    params = BlockParams(
        Edges(stored.law), arrays["weights"], arrays["matrix"], variance, stored.first
    )
    return params, memberships
