"""What a hidden Markov model is fitted to: a table in memory, or read anew for every pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mixtura.cli.ordered_file import OrderedFile, Steps
    from mixtura.data.tables import Table
    from mixtura.records import AnyArray


class ToFit(NamedTuple):
    """shown are the steps that a figure is of: all, or the first; lengths (S,) those of all
    sequences; X and beside what `HiddenMarkov.fit` is given."""

    shown: Steps
    lengths: AnyArray
    X: Any
    beside: dict[str, Any]


def to_fit(file: OrderedFile, in_pieces: bool | None) -> ToFit:
    """The table of a fit; `in_pieces=None` goes by the size of the file.

    ValueError where nothing tells sequences apart.
    """
    import numpy as np

    from mixtura.cli.reading import is_long

    if in_pieces and file.order.sequence is None:
        raise ValueError(
            "--in-pieces: without --sequence the table is one sequence, which is held in memory: "
            "name the column that tells sequences apart, or leave --in-pieces out"
        )
    if file.order.sequence is None or not (is_long(file.path) if in_pieces is None else in_pieces):
        steps = file.in_memory()
        weights = steps.rows.sample_weight
        beside = {"lengths": steps.lengths, "sample_weight": weights, "states": steps.known}
        return ToFit(steps, steps.lengths, steps.rows, beside)
    categories = file.categories()
    first, lengths = None, []
    for steps in file.parts(categories):
        first = first or steps
        lengths.append(steps.lengths)
    assert first is not None

    def read() -> Iterator[tuple[Table, AnyArray, AnyArray | None, AnyArray | None]]:
        return (
            (steps.rows, steps.lengths, steps.rows.sample_weight, steps.known)
            for steps in file.parts(categories)
        )

    return ToFit(first, np.concatenate(lengths), read, {})
