"""Conjugate priors of families whose columns are counted: which one each has, and what it is worth.

A family that has one says `conjugate`, a `Belief`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mixtura.families.bayes.asked import (
    AskedPrior,
    BetaPrior,
    DirichletPrior,
    GammaPrior,
    refuse_unknown,
)
from mixtura.families.conjugate import BlockPriors, Conjugate, Dirichlet
from mixtura.families.priors import CHANCES, MEANS, RATES, Counted, Flat, Law
from mixtura.families.product_parts import ProductPrior
from mixtura.records import Array


@dataclass(frozen=True)
class Belief:
    """The kind of prior that a family has, of which parameter, and what its statistics call things.

    name, sums, cells, law   as of `Counted`
    turned                   whether the law is of one over the parameter
    """

    kind: type[AskedPrior]
    name: str
    sums: str = "sums"
    cells: str = "cells"
    law: Law = RATES
    turned: bool = False

    def prior(self, asked: AskedPrior) -> Counted:
        """That of components under it."""
        more, times = self._before(asked)
        return Counted(self.name, self.sums, more, self.cells, times, self.law)

    def worth(self, asked: AskedPrior) -> str:
        """In words."""
        more, times = self._before(asked)
        if isinstance(asked, DirichletPrior):
            return f"each of the {self.name} is worth {rows_told(more, 'hit')}"
        return f"each of the {self.name} is worth {rows_told(times)}"

    def _before(self, asked: AskedPrior) -> tuple[Array, Array]:
        more, times = asked.before
        return (times, more) if self.turned else (more, times)


GAMMA_RATES = Belief(GammaPrior, "rates")
GAMMA_MEANS = Belief(GammaPrior, "means", law=MEANS, turned=True)
BETA = Belief(BetaPrior, "probabilities", law=CHANCES)


def of_shares(sums: str) -> Belief:
    """A Dirichlet law of probabilities whose hits are called `sums`."""
    return Belief(DirichletPrior, "probabilities", sums, "")


def believed(family: Any, own: Any, asked: Sequence[Conjugate], d: int) -> Any:
    """A table's prior with those asked for; ValueError where a family has none such.

    `own` is the family's own prior there, d are its columns.
    """
    if not asked:
        return own
    blocks = isinstance(own, ProductPrior)
    of_weights = all(isinstance(part, Dirichlet) for part in asked)
    if not (blocks or isinstance(own, Flat) or of_weights):
        raise ValueError(
            f"prior: components of family {family.name!r} take none: leave it out; Gaussian ones, "
            "'full', 'tied', 'diag' or 'spherical', take NormalInverseWishart(...)"
        )
    if "weight_rows" not in getattr(own, "__dataclass_fields__", {}):
        raise ValueError(
            f"prior: with components of family {family.name!r} the weights have no Dirichlet(...): "
            "leave it out"
        )
    found: Any = replace(own, asked=True)
    for part in asked:
        if isinstance(part, Dirichlet):
            continue
        if blocks and isinstance(part, BlockPriors):
            found = replace(found, blocks=_of_blocks(family, own, part))
        else:
            found = _counted(family, part, d)
    # Weights may be shares, of which a row is less than one.
    scale = getattr(own, "count_scale", 1.0)
    rows = [(part.alpha - 1.0) / scale for part in asked if isinstance(part, Dirichlet)]
    return replace(found, weight_rows=float(sum(rows)))


def _of_blocks(family: Any, own: ProductPrior, asked: BlockPriors) -> tuple[Any, ...]:
    """The blocks' priors, with those asked for."""
    told = dict(zip(asked.names, asked.parts, strict=True))
    refuse_unknown(told, own.names)
    return tuple(
        believed(block.family, prior, (told[name],), len(block.columns)) if name in told else prior
        for name, block, prior in zip(own.names, family.blocks, own.blocks, strict=True)
    )


def _counted(family: Any, part: Conjugate, d: int) -> Counted:
    """The prior of components; ValueError where it is no law of theirs."""
    belief: Belief | None = getattr(family, "conjugate", None)
    if isinstance(part, BlockPriors):
        raise ValueError(
            f"prior: {', '.join(part.names)} are blocks of a product, and family is "
            f"{family.name!r}: give the prior itself"
        )
    if belief is None or not isinstance(part, belief.kind):
        has = _called(belief) if belief is not None else ""
        if names := getattr(family, "names", ()):
            has = f"one for each block: give a dict by their names, {', '.join(names)}"
            raise ValueError(f"prior: {_called(part)} is of one family, and a product has {has}")
        cure = f"have {has}: leave it out, or use that" if has else "have none: leave it out"
        raise ValueError(
            f"prior: {_called(part)} is no law of components of family {family.name!r}, which "
            f"{cure}"
        )
    # Of categories there is one for each of all columns.
    size = sum(getattr(family, "levels", ())) or d
    for name, value in asdict(part).items():
        if np.size(value) not in (1, size):
            raise ValueError(
                f"prior: {name} of {type(part).__name__} has {np.size(value)} numbers, and of "
                f"{belief.name} there are {size}: give one for each, or one for all"
            )
    return belief.prior(part)


def told_worth(family: Any, part: AskedPrior | BlockPriors) -> list[str]:
    """What it is worth to components, in words, block by block."""
    if not isinstance(part, BlockPriors):
        belief: Belief = family.conjugate
        return [belief.worth(part)]
    own = {name: block.family for name, block in zip(family.names, family.blocks, strict=True)}
    each = zip(part.names, part.parts, strict=True)
    return [f"{name}: {own[name].conjugate.worth(one)}" for name, one in each]


def _called(what: Belief | Conjugate) -> str:
    return f"{(what.kind if isinstance(what, Belief) else type(what)).__name__}(...)"


def rows_told(numbers: Array | float, noun: str = "row") -> str:
    """ "1 row", "2 to 5 rows"."""
    return f"{_span(np.asarray(numbers))} {noun}{'' if np.all(np.equal(numbers, 1.0)) else 's'}"


def _span(numbers: Array) -> str:
    low, high = float(np.min(numbers)), float(np.max(numbers))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
