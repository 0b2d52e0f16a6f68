"""What a block model is given, checked: networks that its law of edges can have made, new nodes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np
from scipy.sparse import coo_array, csr_array, issparse

from mixtura.data.door import as_numbers
from mixtura.data.networks.network import Network, NetworkError
from mixtura.data.networks.reading import frame_of
from mixtura.models.block_model import Edges, NewPairs
from mixtura.records import AnyArray, Array


def law_of(edges: str, corrected: bool | str, network: Network) -> Edges:
    """The law of edges; ValueError where a degree-corrected model has none such.

    Where degrees are perhaps kept, "auto" goes by whether edges are all there once.
    """
    if edges == "auto":
        single = corrected == "auto" and not network.has_loops and (network.values() == 1).all()
        return Edges.POISSON if corrected and not single else Edges.BERNOULLI
    if corrected and edges != "poisson":
        raise ValueError(
            f"edges={edges!r} with degree_corrected={corrected!r}: the degree-corrected model "
            f"counts "
            'edges: edges="poisson" or "auto"'
        )
    return Edges(edges)


def blocks_of(asked: Any, network: Network, most: bool) -> tuple[int, ...]:
    """How many blocks each side has, or where `most` may have at most (asked None: its nodes).

    ValueError for what is no number from 1 on, of bipartite networks none or two of these, and for
    more blocks than nodes.
    """
    name, sides = "max_blocks" if most else "n_blocks", network.sides
    if asked is None and most:
        return sides
    asked = asked.tolist() if isinstance(asked, np.ndarray) else asked
    each = list(asked) if isinstance(asked, tuple | list) else [asked] * len(sides)
    whole = all(isinstance(K, int | np.integer) and K is not True and K >= 1 for K in each)
    if not whole or len(each) != len(sides):
        wanted = "a number from 1 on" + (" or two of these, (K1, K2)" if len(sides) > 1 else "")
        if len(each) > 1 == len(sides):
            wanted += " (two are for bipartite=True)"
        raise ValueError(f'{name}={asked!r}: give {wanted}, or n_blocks="auto"')
    if most:
        return tuple(min(int(K), n) for K, n in zip(each, sides, strict=True))
    for number, (K, n) in enumerate(zip(each, sides, strict=True)):
        if n < K:
            where = "the network" if len(sides) == 1 else f"side {number} of the network"
            raise ValueError(f"{name}={asked}, and {where} has {n} nodes: use fewer blocks")
    return tuple(int(K) for K in each)


def plain(value: Any) -> Any:
    """A setting as a file holds it."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def refuse_unlike(network: Network, law: Edges, corrected: bool | str, free: bool) -> None:
    """NetworkError for a network that edges of this law, or this model, cannot make; `free` where
    the number of blocks is."""
    values = network.values()
    if not len(values):
        raise NetworkError("network: there is no edge in it, and nothing tells blocks apart")
    measured = 'edges="gaussian"' + (", degree_corrected=False" if corrected else "")
    if law is not Edges.GAUSSIAN and values.min() < 0:
        raise NetworkError(
            f"network: a negative edge ({values.min():g}), which edges={law.value!r} do not have: "
            f"use {measured}"
        )
    if law is Edges.BERNOULLI:
        _refuse_not_binary(network, values)
    if law is Edges.POISSON and (values != np.floor(values)).any():
        odd = float(values[values != np.floor(values)][0])
        raise NetworkError(
            f"network: an edge of {odd:g}, and edges={law.value!r} are counts, whole numbers: use "
            f"{measured}"
        )
    if corrected and free and not network.fully_observed:
        raise NetworkError(
            "network: it has missing pairs, and a description tells whole networks: give a number "
            "of blocks, or degree_corrected=False"
        )


def warn_of_diagonal(network: Network, law: Edges) -> None:
    """Say so where every node is joined with itself alike, as in a matrix of correlations."""
    first = network.loops[0]
    if law is Edges.GAUSSIAN and first != 0 and np.allclose(network.loops, first, 1e-10, 0):
        warnings.warn(
            f"network: the diagonal is {first:g} everywhere and is fitted like other pairs: if it "
            "says nothing, set it to 0",
            stacklevel=3,
        )


def _refuse_not_binary(network: Network, values: Array) -> None:
    if network.has_loops:
        node = network.names.tolist()[int(np.flatnonzero(np.nan_to_num(network.loops))[0])]
        raise NetworkError(
            f"network: node {node!r} is joined with itself, and Bernoulli edges "
            f"join "
            'two nodes: remove self-loops, or use edges="poisson"'
        )
    if (values != 1).any():
        odd = float(values[values != 1][0])
        raise NetworkError(
            f"network: an edge of {odd:g}, and Bernoulli edges are there or not, 1 or 0 (edges "
            'listed twice add up): use edges="poisson" for counts, "gaussian" for strengths'
        )


def refuse_dense(network: Network, law: Edges, n_blocks: Any, corrected: Any) -> None:
    """ValueError for what belief propagation is not for."""
    what = 'inference="belief"'
    for wrong, found, remedy in (
        (
            isinstance(n_blocks, str),
            'n_blocks="auto"',
            "n_blocks=2, say, for there is no bound to compare numbers by",
        ),
        (bool(corrected), f"degree_corrected={corrected!r}", "degree_corrected=False"),
        (law is Edges.GAUSSIAN, "Gaussian edges", "bernoulli or poisson edges"),
        (network.directed, "a directed network", "an undirected one"),
        (bool(network.first), "bipartite=True", "bipartite=False"),
        (network.has_loops, "self-loops", "a network without them"),
        (not network.fully_observed, "missing pairs", "a network without them"),
    ):
        if wrong:
            raise ValueError(
                f'{what} and {found} do not go together: use {remedy}, or inference="variational"'
            )


def new_pairs(given: Any, nodes: AnyArray, law: Edges, name: str) -> NewPairs:
    """Pairs of new nodes with the n fitted ones: a matrix (m, n), dense or sparse, NaN where
    missing, or a frame whose columns are called as these nodes, in any order; other nodes are
    missing."""
    n = len(nodes)
    frame = frame_of(given, name)
    if isinstance(frame, nw.DataFrame):
        given = _by_name(frame, nodes, name)
    matrix = coo_array(given if issparse(given) else np.atleast_2d(as_numbers(given, name)))
    if matrix.ndim != 2 or matrix.shape[1] != n:
        raise ValueError(
            f"{name} has shape {matrix.shape}, and the model was fitted to {n} nodes: give a "
            f"row of "
            f"{n} values for each new node"
        )
    data = as_numbers(matrix.data, name)
    gone = np.isnan(data)
    refuse_values(data[~gone], law, name)
    shape = matrix.shape
    edges = csr_array((data[~gone], (matrix.row[~gone], matrix.col[~gone])), shape=shape)
    missing = csr_array((np.ones(gone.sum()), (matrix.row[gone], matrix.col[gone])), shape=shape)
    return NewPairs(edges, missing)


def _by_name(frame: nw.DataFrame[Any], nodes: AnyArray, name: str) -> Array:
    """(m, n) the columns of a frame as the nodes stand, NaN where there is none."""
    if not frame.columns:
        raise ValueError(f"{name}: the frame has no columns: give some that are called as nodes_")
    index = {str(node): place for place, node in enumerate(nodes.tolist())}
    if len(index) < len(nodes):
        raise ValueError(f"{name}: some nodes have one name: give an array, ordered as nodes_")
    for column in frame.columns:
        if str(column) not in index:
            raise ValueError(
                f"{name}: column {column!r} is no node that is asked for: call columns as nodes_, "
                "or give an array in their order"
            )
    found = np.full((len(frame), len(nodes)), np.nan)
    for column, values in zip(frame.columns, frame.iter_columns(), strict=True):
        found[:, index[str(column)]] = as_numbers(values.to_numpy(), f"{name}: column {column!r}")
    return found


def refuse_values(values: Array, law: Edges, name: str) -> None:
    """ValueError for x that edges of this law do not have."""
    bad = ~np.isfinite(values)
    if law is Edges.BERNOULLI:
        bad |= (values != 0) & (values != 1)
    elif law is Edges.POISSON:
        bad |= (values < 0) | (values != np.floor(values))
    if bad.any():
        wanted = {"bernoulli": "0 or 1", "poisson": "counts", "gaussian": "finite numbers"}
        raise ValueError(
            f"{name} holds {values[bad][0]:g}: {law.value} edges are {wanted[law.value]}"
        )


def places(nodes: Any, names: AnyArray, name: str) -> AnyArray:
    """The numbers of nodes that are given by their names; ValueError for one that there is not."""
    if isinstance(nodes, str) or not isinstance(nodes, Iterable):
        raise ValueError(f"{name}={nodes!r} is no list of nodes: give [{nodes!r}]")
    index = {each: i for i, each in enumerate(names.tolist())}
    asked = [each.item() if isinstance(each, np.generic) else each for each in nodes]
    if not asked:
        raise ValueError(f"{name} is empty: give the names of nodes")
    try:
        unknown = [each for each in asked if each not in index]
    except TypeError:
        raise ValueError(
            f"{name} is to be one list of nodes, and holds lists: make it flat"
        ) from None
    if unknown:
        raise ValueError(f"{name}: {unknown[0]!r} is no node of the network that was fitted")
    return np.array([index[each] for each in asked], dtype=np.int64)
