"""NetworkX and igraph graphs as networks, and the two sides of bipartite ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.networks.matrices import Pairs, from_pairs, split
from mixtura.data.networks.network import Network, NetworkError
from mixtura.records import AnyArray


def from_networkx(
    graph: Any, directed: bool | None, observed: Any, weight: str | None, bipartite: bool
) -> Network:
    """The network of a graph; `data.networks.reading` says of what."""
    directed = _agreed(directed, graph.is_directed())
    index = {node: i for i, node in enumerate(graph)}
    names = np.empty(len(index), dtype=object)
    names[:] = list(index)
    each = [(index[u], index[v], data) for u, v, data in graph.edges(data=True)]
    values = [1.0 if weight is None else data.get(weight) for _, _, data in each]
    pairs = _indexed(each, values, weight)
    if bipartite:
        _refuse_directions(directed)
        return split(pairs, _networkx_sides(graph), names, observed)
    return from_pairs(pairs, names, directed, observed)


def _refuse_directions(directed: bool) -> None:
    if directed:
        raise NetworkError(
            "bipartite=True, and the graph is directed: edges between two sides have no "
            "directions: convert the graph"
        )


def from_igraph(
    graph: Any, directed: bool | None, observed: Any, weight: str | None, bipartite: bool
) -> Network:
    """The network of a graph; `data.networks.reading` says of what."""
    directed = _agreed(directed, graph.is_directed())
    named = "name" in graph.vs.attributes()
    names = np.array(graph.vs["name"] if named else range(graph.vcount()), dtype=object)
    each = [(*edge.tuple, edge.attributes()) for edge in graph.es]
    values = [1.0 if weight is None else data.get(weight) for _, _, data in each]
    pairs = _indexed(each, values, weight)
    if bipartite:
        _refuse_directions(directed)
        return split(pairs, _igraph_sides(graph), names, observed)
    return from_pairs(pairs, names, directed, observed)


def _indexed(each: list[Any], values: list[Any], weight: str | None) -> Pairs:
    without = sum(value is None for value in values)
    if without:
        raise NetworkError(
            f"weight={weight!r}: {without} of {len(values)} edges have no such attribute"
        )
    rows = np.array([one[0] for one in each], dtype=np.int64)
    columns = np.array([one[1] for one in each], dtype=np.int64)
    try:
        return rows, columns, np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NetworkError(f"weight={weight!r} is no number on every edge: {error}") from None


def _agreed(asked: bool | None, found: bool) -> bool:
    if asked is not None and asked != found:
        raise NetworkError(
            f"directed={asked}, and the graph says that it is {'' if found else 'un'}directed: "
            "convert the graph, or leave directed out"
        )
    return found


def _networkx_sides(graph: Any) -> AnyArray:
    """(n,) which nodes of a NetworkX graph are of the second side: `bipartite` 1, not 0.

    Where no node has that attribute, the colours of a connected graph. NetworkError where neither
    tells.
    """
    told = [data.get("bipartite") for _, data in graph.nodes(data=True)]
    if any(side is not None for side in told):
        return _checked(told, "bipartite", (0, 1))
    import networkx

    try:
        first, _ = networkx.bipartite.sets(graph)
    except networkx.NetworkXException as error:
        raise _untold("bipartite", (0, 1), str(error)) from None
    return np.array([node not in first for node in graph], dtype=bool)


def _igraph_sides(graph: Any) -> AnyArray:
    """(n,) which nodes of an igraph graph are of the second side: `type` True, not False; else as
    `_networkx_sides`."""
    if "type" in graph.vs.attributes():
        return _checked(graph.vs["type"], "type", (False, True))
    found, second = graph.is_bipartite(return_types=True)
    if not found or not graph.is_connected():
        why = "it falls into parts" if found else "it has a cycle of odd length"
        raise _untold("type", (False, True), why)
    return np.array(second, dtype=bool)


def _checked(told: list[Any], name: str, known: tuple[Any, Any]) -> AnyArray:
    for side in told:
        if side not in known:
            raise NetworkError(
                f"network: the attribute {name!r} of a node is {side!r}, and tells its side by "
                f"{known[0]} or {known[1]}: set it on every node"
            )
    return np.array([side == known[1] for side in told], dtype=bool)


def _untold(name: str, known: tuple[Any, Any], why: str) -> NetworkError:
    return NetworkError(
        f"network: nothing tells the two sides of the graph ({why.rstrip('.')}): give its nodes an "
        f"attribute {name!r} of {known[0]} or {known[1]}"
    )
