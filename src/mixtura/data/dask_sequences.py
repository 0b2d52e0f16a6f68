"""Whole sequences in the partitions of a Dask collection: none goes on in the next one."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from mixtura.data.dask_cluster import active_client, computed, delayed
from mixtura.data.dask_source import DaskSource
from mixtura.data.door import refuse_no_partitions
from mixtura.data.order import Order, column_of, lengths_of, refuse_unknown
from mixtura.data.sequences import Sequences
from mixtura.data.sequences_apart import SequencesApart
from mixtura.data.source import Source, T
from mixtura.data.streamed import Piece, Streamed
from mixtura.records import AnyArray, Array


class Stretch(NamedTuple):
    """The place of a partition that is whole sequences; ends are counted from its own first row."""

    rows: int
    first: int
    before: int
    ends: AnyArray

    def part(self, X: AnyArray, w: Array | None) -> Source:
        return Sequences(X, w, self.ends)


class DaskSequences(SequencesApart):
    """The rows of a source as sequences; ValueError where one crosses into the next partition."""

    away = True

    def __init__(self, source: DaskSource, ends: AnyArray) -> None:
        super().__init__(source, ends)
        edges = [*(place.first for place in source.places), source.n]
        upto = np.searchsorted(ends, edges[1:], side="right")
        for p, (edge, i) in enumerate(zip(edges[1:], upto, strict=True)):
            if i == 0 or ends[i - 1] != edge:
                raise ValueError(
                    f"lengths: sequence {int(i)} (counted from 0) goes on from partition {p} of X "
                    f"into partition {p + 1}: partition X where sequences end, by rechunk of an "
                    "array or by divisions of a frame"
                )
        self.parts = copy(source)
        self.parts.places = [
            Stretch(at.rows, at.first, at.before, np.asarray(ends[a:b] - at.first, dtype=np.int64))
            for at, (a, b) in zip(source.places, pairwise([0, *upto]), strict=True)
        ]

    def rows(self) -> Streamed:
        if self.parts.survey.empty < 0:
            return self.steps
        told = self.parts.reader
        blocks = [delayed(_seen)(block) for block in self.parts.blocks]
        return DaskSource(blocks, told.name, told.names, told.gaps)

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        return self.parts.reduced(work, combine)


def in_partitions(X: Any, sequence: str | None, time: str | None) -> tuple[Any, AnyArray]:
    """`in_sequences` of a Dask data frame: itself without these columns, and the lengths.

    Rows stay where they are; a name and a length of each sequence come here.
    """
    refuse_no_partitions(X)
    if not hasattr(X, "columns"):
        raise ValueError("X must be a data frame, got a Dask array: of it give `lengths`")
    named = refuse_unknown({"sequence": sequence, "time": time}, list(X.columns))
    parts = X[named].to_delayed() if named else X.to_delayed()
    told = computed([delayed(_told)(part, sequence, time) for part in parts], active_client())
    met: dict[Any, int] = {}
    lengths: list[AnyArray] = []
    for p, found in enumerate(told):
        if isinstance(found, ValueError):
            raise ValueError(f"partition {p}: {found}")
        for name in found[0]:
            if name in met:
                raise ValueError(
                    f"sequence {name!r} has rows in partitions {met[name]} and {p}: sort the table "
                    "by sequence, and partition it where sequences end"
                )
            met[name] = p
        lengths.append(found[1])
    if not sum(map(len, lengths)):
        raise ValueError("X has no rows")
    whole = np.concatenate(lengths)
    # Without a column for them all rows are one.
    return X.drop(columns=named), whole if sequence is not None else np.array([whole.sum()])


def _seen(block: Piece) -> Piece:
    X, w = block
    return X[~np.isnan(X).all(axis=1)], w


def _told(part: Any, sequence: str | None, time: str | None) -> Any:
    """(names of the sequences of one partition, lengths); an error, for the caller to raise."""
    if not len(part):
        return [], np.zeros(0, dtype=np.int64)
    columns = [None if name is None else column_of(part, name) for name in (sequence, time)]
    try:
        lengths = lengths_of(Order(*columns), len(part))
    except ValueError as error:
        return error
    starts = np.cumsum(lengths) - lengths
    return [] if columns[0] is None else columns[0][starts].tolist(), lengths
