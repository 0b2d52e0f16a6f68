"""A table of sequences as commands read it: whole, or in parts of whole sequences for each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

    from mixtura.cli.ordering import Ordering
    from mixtura.data.categories import Wanted
    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.families.base import Family
    from mixtura.records import AnyArray, Categories


class Steps(NamedTuple):
    """A table in memory, the length of each sequence (S,), and its columns of times and of known
    states, if any."""

    rows: Table
    lengths: AnyArray
    time: AnyArray | None
    known: AnyArray | None = None


@dataclass(frozen=True)
class OrderedFile:
    """Where steps are, and which.

    `choose` names the columns of data, None for all; known states are below `states`.
    """

    path: Path
    kind: Family
    order: Ordering
    choose: Callable[[pa.Table], list[str] | None]
    dialect: Dialect
    weights: str | None = None
    exclude: tuple[str, ...] = ()
    states: int = 0

    def in_memory(self) -> Steps:
        """All of it."""
        from mixtura.data.tables import read_frame

        self._refuse_folder()
        numbered = self.path.suffix.lower() == ".npy"
        frame = _numbered(self.path) if numbered else read_frame(self.path, self.dialect)
        lengths, time = self._lengths(frame, 0, {})
        table = self._selected(frame, self.choose(frame), self._wanted(), None)
        return Steps(self._remarked(table), lengths, time, self._states(frame, 0))

    def parts(
        self, categories: Categories = (), *, keep: bool = False, as_text: bool = False
    ) -> Iterator[Steps]:
        """Whole sequences of it, part after part.

        `keep` has all columns in the frames of tables, `as_text` as they are written; `categories`
        are those of the whole table.
        """
        from mixtura.data.kept import pairs
        from mixtura.data.tables import TableError
        from mixtura.data.whole_sequences import whole_sequences

        self._refuse_folder()
        names: list[str] = []
        remarks: list[str] = []
        held = self._wanted()
        held = replace(held, known=categories) if categories else held

        def choose(head: pa.Table) -> list[str]:
            for option, name in self.order.asked.items():
                _cells(head, self.path, option, name)
            table = self._remarked(self._selected(head, self.choose(head), held, None))
            names.extend(table.names)
            remarks.extend(table.remarks)
            return names

        beside = [*self.order.asked.values(), *([] if self.weights is None else [self.weights])]
        sequence = self.order.asked["--sequence"]
        asked: Any = {"whole": keep, "as_text": as_text, "dialect": self.dialect, "wanted": held}
        found = pairs(self.path, choose, beside, [sequence], **asked)
        done, met = 0, {}  # type: ignore[var-annotated]
        for numbers, frame in whole_sequences(found, lambda part: _ids(part, sequence)):
            lengths, time = self._lengths(numbers, done, met)
            table = self._selected(numbers, names, held, done)
            table = replace(table, frame=frame, remarks=tuple(remarks))
            yield Steps(table, lengths, time, self._states(numbers, done))
            done += numbers.num_rows
        if not done:
            raise TableError(f"{self.path}: there are no rows")

    def categories(self) -> Categories:
        """What codes of columns of text stand for, from all parts; () where there are none."""
        found: list[set[str] | None] = []
        for steps in self.parts():
            own = steps.rows.categories
            if not any(each is not None for each in own):
                return ()
            found = found or [None if each is None else set() for each in own]
            for met, each in zip(found, own, strict=True):
                met.update(each or ()) if met is not None else None
        return tuple(None if met is None else tuple(sorted(met)) for met in found)

    def _refuse_folder(self) -> None:
        from mixtura.data.tables import TableError

        if self.path.is_dir():
            raise TableError(
                f"{self.path}: a folder does not tell the order of its rows: give one file"
            )

    def _wanted(self) -> Wanted:
        from mixtura.estimators.opened import wanted

        # A row without any value is a step that nobody saw, whatever the family.
        return replace(wanted([self.kind]), gaps=True)

    def _selected(
        self, frame: pa.Table, columns: list[str] | None, held: Wanted, first: int | None
    ) -> Table:
        from mixtura.data.tables import select

        # Of a part only the columns that are looked at are there.
        left = [*self.exclude, *self.order.asked.values()] if first is None or not columns else []
        asked: Any = {"weights": self.weights, "exclude": left, "first": first, "wanted": held}
        return select(frame, self.path, columns=columns, **asked)

    def _remarked(self, table: Table) -> Table:
        from mixtura.data.tables import remarks

        return replace(table, remarks=(*remarks(self.path, self.dialect), *table.remarks))

    def _lengths(
        self, frame: pa.Table, first: int, met: dict[Any, int]
    ) -> tuple[AnyArray, AnyArray | None]:
        from mixtura.data.order import Order, lengths_of
        from mixtura.data.tables import TableError

        named = ("--sequence", self.order.sequence), ("--time", self.order.time)
        told = [
            None if name is None else _cells(frame, self.path, option, name)
            for option, name in named
        ]
        try:
            # Rows of tables are counted from 1.
            return lengths_of(Order(*told), frame.num_rows, first + 1, met), told[1]
        except ValueError as error:
            raise TableError(f"{self.path}: {error}") from None

    def _states(self, frame: pa.Table, first: int) -> AnyArray | None:
        """Known states as numbers, NaN where the column has none."""
        import numpy as np

        from mixtura.data.tables import TableError

        name, K = self.order.known, self.states
        if name is None:
            return None
        place = f"{self.path}: --known {name}"
        try:
            found = np.asarray(_cells(frame, self.path, "--known", name), dtype=np.float64)
        except ValueError as error:
            raise TableError(
                f"{place}: states are numbers from 0, and empty where nobody knows ({error})"
            ) from None
        outside = (found >= K) | (found < -1) | (np.floor(found) < found)
        for row in np.flatnonzero(outside)[:1]:
            raise TableError(
                f"{place}: row {first + row + 1} holds {found[row]:g}, and the states are 0 to "
                f"{K - 1}: leave it empty where nobody knows"
            )
        return found


def _numbered(path: Path) -> pa.Table:
    """An array as a table with the names that columns without any have."""
    import pyarrow as pa

    from mixtura.data.opening import stream

    rows = stream(path, gaps=True).loaded()
    return pa.table({f"x{j + 1}": column for j, column in enumerate(rows.X.T)})


def _ids(frame: pa.Table, name: str) -> AnyArray:
    """A column's cells; text that stands for a missing one is None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mixtura.data.columns import is_text, plain
    from mixtura.data.numerals import MISSING

    cells = plain(frame, name)
    if is_text(cells.type):
        said = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
        gaps = pc.is_in(said, value_set=pa.array(MISSING, said.type))
        cells = pc.if_else(gaps, None, cells)
    found: AnyArray = cells.to_numpy()
    return found


def _cells(frame: pa.Table, path: Path, option: str, name: str) -> AnyArray:
    """The column that an option names; TableError where there is none."""
    from mixtura.data.tables import TableError

    if name not in frame.column_names:
        has = ", ".join(map(repr, frame.column_names[:20]))
        raise TableError(f"{path}: {option} {name}: there is no such column; it has {has}")
    return _ids(frame, name)
