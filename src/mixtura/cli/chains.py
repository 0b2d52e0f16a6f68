"""What commands about hidden Markov models share: the tables they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixtura.cli.console import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mixtura.cli.ordered_file import OrderedFile, Steps
    from mixtura.cli.ordering import Ordering
    from mixtura.data.dialect import Dialect
    from mixtura.estimators.chain import ChainEstimator


def is_chain(mixture: Any) -> bool:
    """Whether a model is one whose rows hang on their order."""
    from mixtura.estimators.chain import ChainEstimator

    return isinstance(mixture, ChainEstimator)


def asked_file(
    chain: ChainEstimator,
    path: Path,
    order: Ordering,
    columns: list[str] | None,
    dialect: Dialect,
    weights: str | None = None,
) -> OrderedFile:
    """The columns of a table that a hidden Markov model was fitted to, and its sequences."""
    from mixtura.cli.ordered_file import OrderedFile
    from mixtura.cli.rowwise import chosen

    def choose(frame: pa.Table) -> list[str]:
        beside = order.asked.values()
        data = frame.drop([name for name in beside if name in frame.column_names])
        found = chosen(chain, data, path, columns, [weights])
        spare = [name for name in data.column_names if name not in (*found, weights)]
        if order.sequence is None and spare:
            note(
                f"note: all {frame.num_rows} rows are taken for one sequence; if they are several, "
                f"name their column, as --sequence {spare[0]}"
            )
        return found

    kind, states = chain.fitted_family(), len(chain.transitions_)
    return OrderedFile(path, kind, order, choose, dialect, weights, states=states)


def asked_steps(
    file: OrderedFile, out: Path | None = None, *, keep: bool = True
) -> Iterator[Steps]:
    """The steps of a table: whole, or where it is long and sequences are told apart in parts; to
    `keep` has all of its columns, as `out` (None is text) is to have them."""
    from mixtura.cli.reading import is_long
    from mixtura.data.files import TEXT_SUFFIXES, suffix

    if file.order.sequence is None or not is_long(file.path):
        yield file.in_memory()
        return
    as_text = out is None or suffix(out)[0] in TEXT_SUFFIXES
    yield from file.parts(keep=keep, as_text=as_text)
