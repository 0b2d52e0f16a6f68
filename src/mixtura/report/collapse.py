"""Why components collapsed, in words: what each of them is like, and what helps against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mixtura.records import Spike, Standing
from mixtura.report.view import LONGEST_NAME, shorten
from mixtura.result import Fit

# Columns named for one component, and values of one column.
COLUMNS, LISTED = 3, 3


class Kind(Protocol):
    """What decides the reasons: a family, or its portrait.

    Whether all components share one width, whether columns vary together within one, and what would
    be a simpler family.
    """

    @property
    def one_covariance(self) -> bool: ...

    @property
    def correlates(self) -> bool: ...

    @property
    def simpler(self) -> str: ...


@dataclass(frozen=True)
class Collapse:
    """Components that collapsed for the same reason: what each is like, and the remedy.

    shared says that it is the one covariance of all components, in a single line.
    """

    each: tuple[str, ...]
    remedy: str
    shared: bool = False

    def listed(self, most: int) -> str:
        """The first of them, and how many more there are."""
        left = len(self.each) - most
        return "; ".join(self.each[:most]) + (f" and {left} more" if left > 0 else "")


def collapses(
    floored: Sequence[Spike], kind: Kind, names: Sequence[str], K: int, noun: str
) -> Iterator[Collapse]:
    """The reasons, for components that only the penalty holds up; `noun` is what they are called.

    A column without variance inside a component is one whatever the seed, and so are fewer rows
    than columns.
    """
    parts = [part for part in floored if not part.columns]
    if not parts:
        return
    if kind.one_covariance:
        yield _shared(parts, names, K, noun)
        return
    constant = [part for part in parts if part.constant]
    if constant:
        yield Collapse(
            tuple(f"{_rows(part, noun)}, all with {_values(part, names)}" for part in constant),
            f"What is constant inside a {noun} has no variance there, whatever the seed: leave "
            f"such columns out, or use fewer {noun}s.",
        )
    loose = [part for part in parts if not part.constant]
    few = [part for part in loose if kind.correlates and part.count <= len(names)]
    if few:
        rather = f", or fewer {noun}s" if K > 1 else ""
        yield Collapse(
            tuple(f"{_rows(part, noun)} for {len(names)} columns" for part in few),
            f"Correlations take more rows than columns: use 'diag', 'spherical' or factors "
            f"(such as 'UUU:1'){rather}.",
        )
    rest = [part for part in parts if part not in constant and part not in few]
    if rest:
        read = "it" if len(rest) == 1 else "them"
        fewer = [f"fewer {noun}s", "another seed"] if K > 1 else []
        cures = [*fewer, *([kind.simpler] if kind.simpler else [])]
        yield Collapse(
            tuple(f"{_rows(part, noun)} and {_narrow(part)}" for part in rest),
            f"Do not read {read} as real; "
            + (
                f"try {', '.join(cures)}, or look for repeated rows."
                if cures
                else "look for repeated rows."
            ),
        )


def _shared(parts: list[Spike], names: Sequence[str], K: int, noun: str) -> Collapse:
    everywhere = set.intersection(*({j for j, _ in part.constant} for part in parts))
    rows = sum(part.count for part in parts)
    if everywhere and len(parts) == K:
        found = f"inside every {noun} " + "; ".join(
            f"{shorten(names[j], LONGEST_NAME)} is constant ({_met(parts, j)})"
            for j in sorted(everywhere)[:COLUMNS]
        )
        remedy = "That is so whatever the seed: leave out what is constant there."
    elif len(parts) == K and rows - K < len(names):
        found = f"there are {rows:.3g} rows for {len(names)} columns"
        remedy = "Use 'diag', 'spherical' or factors (such as 'UUU:1')."
    else:
        found = f"it has {_narrow(parts[0])}"
        remedy = (
            f"Use fewer {noun}s, another seed or a simpler covariance."
            if K > 1
            else ("Use a simpler covariance, or look for repeated rows.")
        )
    return Collapse((found,), remedy, shared=True)


def _met(parts: list[Spike], column: int) -> str:
    """The first values of a column, one for each component."""
    values = dict.fromkeys(f"{dict(part.constant)[column]:.6g}" for part in parts)
    return ", ".join([*list(values)[:LISTED], *["…"] * (len(values) > LISTED)])


def _rows(part: Spike, noun: str) -> str:
    rows = f"{part.count:.3g}"
    return f"{noun} {part.component} has about {rows} row{'' if rows == '1' else 's'}"


def _narrow(part: Spike) -> str:
    return f"a smallest variance {part.spread:.1g} of the table's"


def _values(part: Spike, names: Sequence[str]) -> str:
    shown = [f"{shorten(names[j], LONGEST_NAME)} = {value:.6g}" for j, value in part.constant]
    left = len(shown) - COLUMNS
    return ", ".join(shown[:COLUMNS]) + (f" and {left} more columns alike" if left > 0 else "")


def at_the_floor(fit: Fit) -> list[Standing]:
    """The components that have next to nothing but a floor that was asked for: of those that have
    collapsed the ones that no penalty holds up."""
    known = {part.component for part in fit.floored}
    fallen = [each for each in fit.standings if each.verdict == "collapsed"]
    return [each for each in fallen if each.component not in known]
