"""Columns of categories as codes 0, 1, ..., and what the codes stand for.

Categories are text, the values of a data frame's categorical, enumerated and boolean columns,
objects among which there is text, and objects that are True or False. They are told apart by their
text, and numbered in the order that their column declares, else alphabetically; those that the
table never has are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.columns import is_text, kind_of, plain
from mixtura.data.door import column_names
from mixtura.data.exact import is_na
from mixtura.data.framed import framed
from mixtura.data.refusal import TableError, row_at
from mixtura.records import AnyArray, Array, Categories

# The texts of a column of categories, and each once in order; (None, ()) of other columns.
Texts = tuple[pa.Array | None, tuple[str, ...]]
_LISTED = 6


@dataclass(frozen=True)
class Wanted:
    """What a table may hold beside numbers.

    takes  which columns, by their names, may hold categories; known are those of an earlier table
    gaps   whether cells may be missing
    """

    takes: Callable[[Sequence[str]], Sequence[bool]] = lambda names: [False] * len(names)
    known: Categories = ()
    gaps: bool = False

    def followed(self, more: int) -> Wanted:
        """The same, where so many more columns follow, of numbers."""
        if not more:
            return self
        known = (*self.known, *[None] * more) if self.known else ()
        return Wanted(lambda names: [*self.takes(names[:-more]), *[False] * more], known, self.gaps)

    def text(self, names: Sequence[str]) -> list[str]:
        """The columns of these names that are known to hold text, and not truths."""
        each = zip(names, self.known, strict=False)
        return [name for name, own in each if own and not {*own} <= {"false", "true"}]

    def numbers(self, frame: pa.Table, path: str | Path, first: int) -> tuple[pa.Table, Categories]:
        """Columns read from a file, codes in place of categories; empty text is a gap.

        `first` is the number of rows above the frame.
        """
        names = frame.column_names
        for j, (name, takes) in enumerate(zip(names, self.takes(names), strict=True)):
            if takes and is_text(kind_of(frame, name)):
                text = plain(frame, name)
                there = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), None, text)
                frame = frame.set_column(j, name, there)
        try:
            # Rows of files are counted from 1.
            return coded(frame, self.takes, self.known, first + 1)
        except ValueError as error:
            raise TableError(str(error).replace("X:", f"{path}:", 1)) from None


class UnmetCategory(ValueError):
    """A category that the fit never met; `met` says which, without what to do."""

    def __init__(self, met: str) -> None:
        self.met = met
        super().__init__(f"{met}: leave the row out, or make it a missing value")


NUMBERS = Wanted()


def coded(
    X: Any, takes: Callable[[Sequence[str]], Sequence[bool]], known: Categories = (), first: int = 0
) -> tuple[Any, Categories]:
    """The table with codes in place of categories, gaps as NaN; and what the codes stand for.

    `takes` says which columns, by their names, may hold categories; `known` are those of the table
    that was fitted, where there was one. What holds no categories is returned as it is: numbers
    are codes already. ValueError for a category that the fit never met; `first` is the number of
    the first row.
    """
    frame = framed(X)
    if frame is not None:
        if not any(takes(frame.columns)):
            return X, known
        columns = {column.name: _of_series(column) for column in frame.iter_columns()}
        new, found = _coded(columns, takes(list(columns)), known, first)
        series = [nw.new_series(n, c, backend=frame.implementation) for n, c in new.items()]
        return (frame.with_columns(*series).to_native() if series else X), found
    array = _objects(X)
    if array is None or not any(takes(column_names(None, array.shape[1]))):
        return X, known
    names = column_names(None, array.shape[1])
    columns = {n: _of_objects(x.tolist()) for n, x in zip(names, array.T, strict=True)}
    new, found = _coded(columns, takes(names), known, first)
    out = array.astype(object)
    for j, name in enumerate(columns):
        out[:, j] = new.get(name, out[:, j])
    return out, found


def named_columns(X: AnyArray, categories: Categories) -> list[AnyArray]:
    """The columns of rows, categories in place of their codes."""
    known = categories or (None,) * X.shape[1]
    return [
        x if own is None else np.array(own, dtype=object)[x.astype(np.int64)]
        for x, own in zip(X.T, known, strict=True)
    ]


def _coded(
    columns: Mapping[str, Texts], takes: Sequence[bool], known: Categories, first: int
) -> tuple[dict[str, Array], Categories]:
    """The codes of the columns that hold categories, by name, and all categories."""
    if known and len(known) != len(columns):
        return {}, known
    found: list[tuple[str, ...] | None] = [*known] if known else [None] * len(columns)
    new = {}
    for j, (name, (texts, ordered)) in enumerate(columns.items()):
        own = found[j]
        if texts is None:
            if own is not None:
                _refuse_numerals(own, name)
        elif takes[j] and (own is not None or not known):
            found[j] = own or ordered
            new[name] = _codes(texts, own or ordered, name, first)
    return new, tuple(found) if known or new else ()


def _of_series(column: nw.Series[Any]) -> Texts:
    kind = column.dtype
    if kind in (nw.Object, nw.Unknown):
        return _of_objects(column.to_list())
    if kind not in (nw.String, nw.Categorical, nw.Enum, nw.Boolean):
        return None, ()
    try:
        return _of_arrow(column.to_arrow(), column)
    except pa.ArrowException:
        # Categories of pandas may be intervals (`cut`), or of several types.
        if kind not in (nw.Categorical, nw.Enum):
            raise
        told = column.to_native().cat
        names = [str(category) for category in told.categories]
        if twins := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"column {column.name!r}: several of its categories are called {twins[0]!r} as "
                "text: rename them"
            ) from None
        texts = pa.array([None if code < 0 else names[code] for code in told.codes], pa.string())
        met = {*_sorted(texts)}
        return texts, tuple(name for name in dict.fromkeys(names) if name in met)


def _of_arrow(found: pa.Array | pa.ChunkedArray, column: nw.Series[Any]) -> Texts:
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    if not pa.types.is_dictionary(found.type):
        texts = found.cast(pa.string())
        return texts, _sorted(texts)
    texts, order = (
        part.cast(pa.string()) for part in (found.dictionary_decode(), found.dictionary)
    )
    if column.dtype == nw.Categorical and not column.implementation.is_pandas_like():
        # It declares none: all tables of a process may share one.
        return texts, _sorted(texts)
    met, order = set(_sorted(texts)), found.dictionary.cast(pa.string()).to_pylist()
    return texts, tuple(name for name in order if name in met)


def _of_objects(values: list[Any]) -> Texts:
    kinds = {type(value) for value in values if not _missing(value)}
    text, truths = any(issubclass(kind, str) for kind in kinds), {bool, np.bool_}
    if not (text or (kinds and kinds <= truths)):
        return None, ()
    # As Arrow writes those of a column that has a type.
    told = [
        None if _missing(v) else str(v).lower() if type(v) in truths else str(v) for v in values
    ]
    texts = pa.array(told, pa.string())
    return texts, _sorted(texts)


def _missing(value: Any) -> bool:
    """None, NaN, and what pandas has for a missing value."""
    if value is None or is_na(value) or type(value).__name__ == "NaTType":
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _sorted(texts: pa.Array) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(texts).drop_null().to_pylist()))


def _codes(texts: pa.Array, categories: tuple[str, ...], name: str, first: int) -> Array:
    codes = pc.index_in(texts, value_set=pa.array(categories, pa.string()))
    lost = pc.and_(pc.is_null(codes), pc.is_valid(texts)).to_numpy(zero_copy_only=False)
    if lost.any():
        row = int(lost.argmax())
        raise UnmetCategory(
            f"X: column {name!r} holds {texts[row].as_py()!r} in {row_at(row, first)}, a category "
            f"that the fit never met ({_listed(categories)})"
        )
    return np.asarray(codes.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _refuse_numerals(categories: tuple[str, ...], name: str) -> None:
    """ValueError for numbers in a column whose categories are called by numbers."""
    if any(map(_is_numeral, categories)):
        raise ValueError(
            f"X: column {name!r} was fitted as categories called {_listed(categories)}, and holds "
            "numbers: give it in the type it was fitted in"
        )


def _is_numeral(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _listed(categories: Sequence[str]) -> str:
    shown = ", ".join(map(repr, categories[:_LISTED]))
    return f"{shown}, ..." if len(categories) > _LISTED else shown


def _objects(X: Any) -> AnyArray | None:
    """Rows as an array, if there may be text in it."""
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 2 and array.dtype.kind in "OU" else None
