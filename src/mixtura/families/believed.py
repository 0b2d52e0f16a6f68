"""Conjugate priors of families whose columns are counted: which one each has, and what it is worth.

A family that has one says `conjugate`, a `Belief`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.families.conjugate import Beta, Conjugate, Dirichlet, Gamma
from mixtura.families.priors import CHANCES, MEANS, RATES, Counted, Flat, Law
from mixtura.records import Array


@dataclass(frozen=True)
class Belief:
    """The kind of prior that a family has, of which parameter, and what its statistics call things.

    name, sums, cells, law   as of `Counted`
    turned                   whether the law is of one over the parameter
    """

    kind: type[Gamma | Beta | Dirichlet]
    name: str
    sums: str = "sums"
    cells: str = "cells"
    law: Law = RATES
    turned: bool = False

    def prior(self, asked: Gamma | Beta | Dirichlet) -> Counted:
        """That of components under it."""
        more, times = self._before(asked)
        return Counted(self.name, self.sums, more, self.cells, times, self.law)

    def worth(self, asked: Gamma | Beta | Dirichlet) -> str:
        """In words."""
        more, times = self._before(asked)
        if isinstance(asked, Dirichlet):
            return f"each of the {self.name} is worth {float(more):.4g} hits"
        low, high = float(np.min(times)), float(np.max(times))
        rows = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        return f"each of the {self.name} is worth {rows} rows"

    def _before(self, asked: Gamma | Beta | Dirichlet) -> tuple[Array, Array]:
        more, times = asked.before
        return (times, more) if self.turned else (more, times)


GAMMA_RATES = Belief(Gamma, "rates")
GAMMA_MEANS = Belief(Gamma, "means", law=MEANS, turned=True)
BETA = Belief(Beta, "probabilities", law=CHANCES)


def of_shares(sums: str) -> Belief:
    """A Dirichlet law of probabilities whose hits are called `sums`."""
    return Belief(Dirichlet, "probabilities", sums, "")


def of_weights(part: Conjugate) -> bool:
    """Whether it is the law of a mixture's weights."""
    return isinstance(part, Dirichlet) and part.of == "weights"


def believed(family: Any, own: Any, asked: Sequence[Conjugate], d: int) -> Any:
    """A table's prior with those asked for; ValueError where a family has none such.

    `own` is the family's own prior there, d are its columns.
    """
    if not asked:
        return own
    belief: Belief | None = getattr(family, "conjugate", None)
    if not isinstance(own, Flat):
        raise ValueError(
            f"prior: components of family {family.name!r} have none that is conjugate: leave it out"
        )
    found: Any = replace(own, asked=True)
    for part in asked:
        if of_weights(part):
            continue
        if belief is None or not isinstance(part, belief.kind):
            has = "none" if belief is None else _called(belief)
            raise ValueError(
                f"prior: {_called(part)} is no law of components of family {family.name!r}, which "
                f"have {has}: leave it out, or use that"
            )
        found = belief.prior(part)
        if not all(np.size(each) in (1, d) for each in (found.more, found.times)):
            raise ValueError(
                f"prior: {type(part).__name__} has numbers for {np.size(found.more)} or "
                f"{np.size(found.times)} columns, and X has {d}: give one for each, or one for all"
            )
    rows = [part.alpha - 1.0 for part in asked if isinstance(part, Dirichlet) and of_weights(part)]
    return replace(found, weight_rows=float(sum(rows)))


def _called(what: Belief | Conjugate) -> str:
    kind = what.kind if isinstance(what, Belief) else type(what)
    return "Dirichlet(..., of='probabilities')" if kind is Dirichlet else f"{kind.__name__}(...)"
