"""Any network at the door: a matrix, a NetworkX or igraph graph, an edge list, a file of one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from scipy.sparse import issparse

from mixtura.data.dialect import Dialect
from mixtura.data.files import AS_IT_LOOKS, is_text_file
from mixtura.data.lazy import collected
from mixtura.data.networks.edge_files import are_known, ends_of, read_edges
from mixtura.data.networks.graphs import from_igraph, from_networkx
from mixtura.data.networks.matrices import between, from_biadjacency, from_matrix, from_pairs
from mixtura.data.networks.network import Network, NetworkError
from mixtura.records import AnyArray

# Names of nodes that are numbers, and words for none among them.
WHOLE = re.compile("0|-?[1-9][0-9]{0,17}")
GAPS = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A")


def as_network(
    given: Any,
    *,
    directed: bool | None = None,
    observed: Any = None,
    weight: str | None = None,
    ends: tuple[str, ...] | None = None,
    dialect: Dialect = AS_IT_LOOKS,
    bipartite: bool = False,
) -> Network:
    """A `Network` of what users have.

    Parameters
    ----------
    given : square array or SciPy sparse matrix, NetworkX or igraph graph, pandas, (lazy) Polars or
        PyArrow frame with a row for each edge, or a file of one (`data.files.KNOWN`)
    directed : None takes graphs as they say, matrices as directed where they are not symmetric, and
        edge lists as undirected
    observed : (n, n) mask, dense or sparse, of the pairs that were looked at; default all but NaN
    weight : the column of an edge list, or the attribute of a graph's edges, that holds x; by
        default each edge that is listed counts 1
    ends : the two columns of an edge list that hold the nodes; default `edge_files.ENDS`, else the
        first two
    dialect : how a text file is written, where that is to be said
    bipartite : whether nodes are of two sides, and pairs lie between these only: the rows and the
        columns of a matrix, `observed` alike; the two columns of an edge list, where equal names in
        both are two nodes; the sides that a graph's attribute tells (`bipartite` in NetworkX,
        `type` in igraph), else those that its edges leave open one way only

    Raises
    ------
    NetworkError : anything that keeps the network from being used
    """
    if isinstance(given, Network):
        for name, value in (("observed", observed), ("weight", weight), ("ends", ends)):
            _refuse_named(value, name)
        if bipartite != bool(given.first):
            raise NetworkError(
                f"bipartite={bipartite}, and the network was read with bipartite={not bipartite}"
            )
        return given
    if bipartite and directed:
        raise NetworkError(
            "directed=True and bipartite=True do not go together: edges between two sides have no "
            "directions: leave directed out"
        )
    if isinstance(given, str | Path):
        place = str(given)
        frame, text = read_edges(given, dialect, ends, weight), is_text_file(given)
        told = weight, ends, bipartite
        return _from_frame(frame, place, directed, observed, *told, text=text)
    package = type(given).__module__.split(".")[0]
    if package == "networkx" or _is_networkx(given):
        _refuse_named(ends, "ends")
        return from_networkx(given, directed, observed, weight, bipartite)
    if package == "igraph":
        _refuse_named(ends, "ends")
        return from_igraph(given, directed, observed, weight, bipartite)
    if issparse(given) or isinstance(given, np.ndarray | list):
        _refuse_named(ends, "ends")
        _refuse_named(weight, "weight")
        if bipartite:
            return from_biadjacency(given, observed)
        return from_matrix(given, directed, observed)
    return _from_frame(given, "network", directed, observed, weight, ends, bipartite)


def _is_networkx(given: Any) -> bool:
    """Subclasses of NetworkX's graphs live elsewhere."""
    return any(kind.__module__.startswith("networkx.") for kind in type(given).__mro__)


def _refuse_named(value: Any, name: str) -> None:
    if value is not None:
        raise NetworkError(
            f"{name}={value!r} says how a network is read, and this is none that needs it"
        )


def _from_frame(
    given: Any,
    place: str,
    directed: bool | None,
    observed: Any,
    weight: str | None,
    ends: tuple[str, ...] | None,
    bipartite: bool,
    text: bool = False,
) -> Network:
    try:
        frame = frame_of(given, place, pass_through=False)
    except TypeError:
        raise NetworkError(
            f"network: a {type(given).__name__} is no network: give a square array or sparse "
            "matrix, a NetworkX or igraph graph, a pandas or Polars edge list, or the name of "
            "a file"
        ) from None
    first, second = ends_of(list(frame.columns), ends, place)
    sides = [_column(frame, name, place) for name in (first, second)]
    if ends is None and not are_known(list(frame.columns)):
        for name, side in zip((first, second), sides, strict=True):
            _refuse_measured(name, side, place)
    sides = _numbered(sides) if text else sides
    values = np.ones(len(sides[0]))
    if weight is not None:
        values = _weights(frame, weight, place)
    if bipartite:
        each = [np.unique(side, return_inverse=True) for side in _alike(sides)]
        (one, rows), (other, columns) = each
        pairs = rows, columns + len(one), values
        return between(pairs, len(one), np.concatenate([one, other]), observed)
    codes, names = _coded(sides)
    return from_pairs((codes[0], codes[1], values), names, bool(directed), observed)


def frame_of(given: Any, place: str, pass_through: bool = True) -> Any:
    """A frame as Narwhals', other things as they are, or TypeError; NetworkError for columns of one
    name."""
    try:
        return nw.from_native(collected(given), eager_only=True, pass_through=pass_through)
    except ValueError:
        # Only pandas has frames of twin names.
        names = [str(name) for name in getattr(given, "columns", ())]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is None:
            raise
        raise NetworkError(
            f"{place}: two columns are called {twice!r}: give each a name of its own"
        ) from None


def _column(frame: Any, name: str, place: str) -> AnyArray:
    column = frame[name]
    gaps = int(column.null_count())
    values = column.to_numpy()
    if values.dtype.kind == "f":
        gaps = max(gaps, int(np.isnan(values).sum()))
    elif values.dtype.kind in "OUT":
        values = np.array([v.strip() if isinstance(v, str) else v for v in values], dtype=object)
        gaps += _unnamed(values)
    if gaps:
        raise NetworkError(f"{place}: column {name!r} names no node in {gaps} rows: leave them out")
    if values.dtype.kind == "f" and (values == np.floor(values)).all():
        return np.asarray(values, dtype=np.int64)
    return np.asarray(values)


def _unnamed(values: AnyArray) -> int:
    """Cells of text that name no node: empty ones; NA and its like among numbers alone."""
    empty = int((values == "").sum())
    gaps = np.isin(values.astype(str), GAPS)
    if empty or not gaps.any():
        return empty
    return int(gaps.sum()) if all(_is_number(v) for v in set(values[~gaps].tolist())) else 0


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _refuse_measured(name: str, column: AnyArray, place: str) -> None:
    """NetworkError for a column that was only guessed to hold nodes, and holds measurements."""
    if column.dtype.kind in "iub":
        return
    # In their order: that of a set of texts is another in every run.
    seen = dict.fromkeys(column.tolist())
    fractions = (v for v in seen if _is_number(v) and float(v) % 1.0 > 0)
    broken = next(fractions, None)
    if broken is not None and all(map(_is_number, seen)):
        raise NetworkError(
            f"{place}: column {name!r} holds numbers such as {broken}, which look measured, not "
            "like names of nodes: for groups of a table's rows fit a mixture; where they are "
            "names, say so (ends)"
        )


def _numbered(sides: list[AnyArray]) -> list[AnyArray]:
    """Columns of text as numbers where all names are whole numbers that are written as such: other
    names, as 007, would not come back."""
    unlike = (v for side in sides for v in set(side.tolist()) if not WHOLE.fullmatch(str(v)))
    if next(unlike, None) is not None:
        return sides
    return [side.astype(np.int64) for side in sides]


def _coded(sides: list[AnyArray]) -> tuple[AnyArray, AnyArray]:
    """Codes (2, m) of the nodes, and their names in order."""
    names, codes = np.unique(np.concatenate(_alike(sides)), return_inverse=True)
    return codes.reshape(2, -1).astype(np.int64), names


def _alike(sides: list[AnyArray]) -> tuple[AnyArray, AnyArray]:
    """Both columns with names of one kind."""
    one, other = sides
    kinds = {"i" if side.dtype.kind in "iu" else side.dtype.kind for side in sides}
    if kinds == {"i", "f"}:
        one, other = one.astype(np.float64), other.astype(np.float64)
    elif len(kinds) > 1 or "O" in kinds:
        one, other = one.astype(str), other.astype(str)
    return one, other


def _weights(frame: Any, name: str, place: str) -> AnyArray:
    if name not in frame.columns:
        raise NetworkError(
            f"{place}: there is no column {name!r}; the edge list has {', '.join(frame.columns)}"
        )
    try:
        return np.asarray(frame[name].cast(nw.Float64).to_numpy(), dtype=np.float64)
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise NetworkError(f"{place}: column {name!r} holds no numbers ({error})") from None
