"""Edges as `networkx.write_edgelist` writes them: two nodes a line, then what is said of the edge,
as Python prints a dictionary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mixtura.data.dialect import Dialect
from mixtura.data.lines import head, not_utf8, opened
from mixtura.data.networks.network import NetworkError

_LINE = re.compile(r"([^{]*)(\{.*\})\s*")
_MARKS = "\t;,|"


def is_attributed(path: str | Path, comment: str | None) -> bool:
    """Whether the first line of a text file that is no comment ends in a dictionary."""
    lines = (line.decode() for line in head(path)[0])
    _, first = next(_numbered(lines, comment), (0, ""))
    return _LINE.fullmatch(first) is not None


def read_attributed(path: str | Path, dialect: Dialect, weight: str | None) -> pa.Table:
    """The nodes of each edge as x1 and x2, as they are written, and what it has of `weight`.

    NetworkError for a line of another form, and for edges that say nothing of `weight`.
    """
    try:
        with opened(path) as stream:
            lines = stream.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    ends: list[tuple[str, str]] = []
    said: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    for number, line in _numbered(lines, dialect.comment):
        match = _LINE.fullmatch(line)
        pair = _nodes(match[1], dialect.sep) if match else []
        if match is None or len(pair) != 2:
            raise NetworkError(
                f"{path}: line {number} is {line!r}, and lines above it are two nodes and a "
                "dictionary, as networkx.write_edgelist writes edges: mend that line"
            )
        if match[2] not in known:
            known[match[2]] = _dictionary(match[2], path, number)
        ends.append((pair[0], pair[1]))
        said.append(known[match[2]])
    # An attribute may be called as the nodes are elsewhere.
    called = ("source", "target") if weight in ("x1", "x2") else ("x1", "x2")
    columns: dict[str, Any] = {
        name: pa.array([pair[side] for pair in ends], pa.string())
        for side, name in enumerate(called)
    }
    if weight is not None:
        columns[weight] = _weights(said, weight, path)
    return pa.table(columns)


def _numbered(lines: Any, comment: str | None) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank nor comments, stripped, with their numbers."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not _LINE.fullmatch(text):
            # NetworkX leaves out what stands behind an edge, too.
            text = text.split(comment or "#", 1)[0].rstrip()
        if text:
            yield number, text


def _nodes(text: str, sep: str | None) -> list[str]:
    """The names before a dictionary, from which the last is cut by what separates them."""
    text = text.rstrip(" ")
    if sep is None and text and text[-1] in _MARKS:
        sep = text[-1]
    if sep in (None, " "):
        return text.split()
    return [name.strip() for name in text.removesuffix(sep).split(sep)]


def _dictionary(text: str, path: str | Path, number: int) -> dict[str, Any]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NetworkError(
            f"{path}: line {number}: {text[:80]} holds more than plain numbers and text: write the "
            "edges with networkx.write_weighted_edgelist, whose third column is the weight"
        )
    return found


def _weights(said: list[dict[str, Any]], weight: str, path: str | Path) -> pa.Array:
    without = sum(weight not in each for each in said)
    if without:
        others = sorted({str(name) for each in said for name in each})
        raise NetworkError(
            f"{path}: weight={weight!r}: {without} of {len(said)} edges have no such attribute; "
            f"there is {', '.join(others) if others else 'none'}"
        )
    try:
        return pa.array([float(each[weight]) for each in said])
    except (TypeError, ValueError, OverflowError) as error:
        raise NetworkError(
            f"{path}: weight={weight!r} is no number on every edge: {error}"
        ) from None
