"""How many blocks, and whether degrees are kept: models compared by one criterion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np

from mixtura.engines.partition import Aim
from mixtura.engines.threads import single_blas
from mixtura.fitting.networks.block_fit import (
    BlockFound,
    BlockTask,
    corrected_from,
    fit_corrected,
    fit_variational,
    variational_from,
)
from mixtura.fitting.networks.description import shortest
from mixtura.fitting.networks.moves import halved, merged
from mixtura.fitting.networks.search import GAIN
from mixtura.fitting.networks.sides import Sizes, joined, parted, stepped
from mixtura.fitting.networks.units import standardised
from mixtura.models.block_model import Edges
from mixtura.ranges import Count, Finite
from mixtura.records import AnyArray

# So many numbers of blocks in a row that are worse than the best end a search.
WORSE = 3
# Splits and merges of a neighbour's blocks that are tried as starts.
NEIGHBOURS = 8


@dataclass(frozen=True)
class Choice:
    """One model that was compared: K blocks, whether degrees are kept, "icl" (nats, the higher the
    better) or "description length" (nats, the lower the better), and its value; of bipartite
    networks sides are the blocks of each side."""

    n_blocks: Count
    corrected: bool
    criterion: str
    value: Finite
    sides: tuple[Count, ...] = ()

    @classmethod
    def of(cls, blocks: Sizes, corrected: bool, criterion: str, value: float) -> Choice:
        """That of a model with so many blocks on each side."""
        return cls(sum(blocks), corrected, criterion, value, blocks if len(blocks) > 1 else ())


def chosen(
    task: BlockTask, blocks: Sizes, corrected: bool | str, free: bool
) -> tuple[BlockFound, tuple[Choice, ...]]:
    """The model with so many blocks on each side, or where that is `free` with the best numbers up
    to these.

    With one criterion for all that is compared: ICL without degrees, else the description length.
    """
    if task.law is Edges.GAUSSIAN:
        task = replace(task, network=standardised(task.network))
    # Spectra of small networks in threads cost more than they take.
    with single_blas:
        return _chosen(task, blocks, corrected, free)


def _chosen(
    task: BlockTask, blocks: Sizes, corrected: bool | str, free: bool
) -> tuple[BlockFound, tuple[Choice, ...]]:
    if not free:
        return (fit_corrected if corrected else fit_variational)(task, blocks), ()
    if corrected is False:
        return _by_icl(task, blocks)
    aims = [Aim.DESCRIPTION_DEGREES] if corrected is True else [*Aim][1:]
    found = {aim: shortest(task, aim, blocks) for aim in aims}
    path = tuple(
        Choice.of(shape, aim is Aim.DESCRIPTION_DEGREES, "description length", value)
        for aim, each in found.items()
        for shape, value in sorted(each.lengths.items())
    )
    aim = min(found, key=lambda aim: found[aim].length)
    best = found[aim]
    if aim is Aim.DESCRIPTION_DEGREES:
        kept = corrected_from(task, best.search, best.end)
    else:
        kept = variational_from(task, best.end.labels, best.blocks)
        tried = best.search
        passes = kept.fit.passes + tried.steps
        fit = replace(kept.fit, starts=tuple(tried.starts), moves=tried.moves, passes=passes)
        kept = replace(kept, fit=fit)
    said = "; ".join(filter(None, (kept.fit.remark, best.remark)))
    return replace(kept, fit=replace(kept.fit, remark=said)), path


def _by_icl(task: BlockTask, most: Sizes) -> tuple[BlockFound, tuple[Choice, ...]]:
    """Up from one block until ICL falls for good, back down by merges, then around the best."""
    walk = _Walk(task, most)
    walk.up((1,) * len(most))
    walk.down()
    walk.around()
    found = walk.found
    path = tuple(Choice.of(blocks, False, "icl", walk.value(blocks)) for blocks in sorted(found))
    return found[walk.best], path


@dataclass
class _Walk:
    """Numbers of blocks, one after the other, and what was found with each.

    Of two sides the one grows of which a look at splits alone promises more; both, where neither
    gains alone.
    """

    task: BlockTask
    most: Sizes
    found: dict[Sizes, BlockFound] = field(default_factory=dict)
    walked: list[Sizes] = field(default_factory=list)

    def value(self, blocks: Sizes) -> float:
        """ICL (nats)."""
        return _icl(self.found[blocks])

    @property
    def best(self) -> Sizes:
        """The numbers with the highest ICL."""
        return max(self.found, key=self.value)

    def up(self, at: Sizes) -> None:
        """From so many blocks on each side."""
        if at not in self.found:
            self.found[at] = fit_variational(self.task, at)
        self.walked = [at]
        while sum(at) - sum(self.best) < WORSE and not self.task.clock.over():
            ahead = self._beside(at, (1,))
            if not ahead:
                break
            before, at = at, self._promising(at, ahead)
            self._fit(before, at)
            self.walked.append(at)

    def down(self) -> None:
        """Again by merges of what was found with one more."""
        for at, above in zip(reversed(self.walked[1:-1]), reversed(self.walked), strict=False):
            if sum(self.best) - 1 > sum(at) or self.task.clock.over():
                break
            self._fit(above, at)

    def around(self) -> None:
        """All numbers beside the best, by splits and merges of it, also where they were met: from
        below they may have come to a poor optimum. Anew where one is better."""
        tried: set[tuple[Sizes, float]] = set()
        while not self.task.clock.over():
            before = self.best, self.value(self.best)
            ahead = [at for at in self._beside(before[0], (1, -1)) if (at, before[1]) not in tried]
            if not ahead:
                break
            for at in ahead:
                tried.add((at, before[1]))
                self._fit(before[0], at)
                if self.value(self.best) > before[1] + GAIN or self.task.clock.over():
                    break

    def _fit(self, before: Sizes, at: Sizes) -> None:
        """With so many blocks, also from what was found before; the higher bound is kept.

        Where they were met, its own starts and moves would end as they did.
        """
        starts, known = list(self._starts(before, at)), self.found.get(at)
        if known is not None:
            look = fit_variational(self.task, at, starts, alone=True)
            if look.fit.loglik <= known.fit.loglik + GAIN:
                return
        found = fit_variational(self.task, at, starts)
        if known is None or found.fit.loglik > known.fit.loglik:
            self.found[at] = found

    def _promising(self, at: Sizes, ahead: list[Sizes]) -> Sizes:
        if len(ahead) == 1:
            return ahead[0]
        looks = {near: self._starts(at, near) for near in ahead}
        worth = {
            near: _icl(fit_variational(self.task, near, starts, alone=True))
            for near, starts in looks.items()
        }
        return max(worth, key=lambda near: worth[near])

    def _beside(self, blocks: Sizes, steps: tuple[int, ...]) -> list[Sizes]:
        """Numbers with one more or less on a side, or on each of two: where nodes of a side differ
        only in which blocks of the other they meet, no side gains alone."""
        near = [stepped(blocks, side, by) for by in steps for side in range(len(blocks))]
        if len(blocks) > 1:
            near += [tuple(K + by for K in blocks) for by in steps]
        return [each for each in near if self._allowed(each)]

    def _allowed(self, blocks: Sizes) -> bool:
        return all(1 <= K <= top for K, top in zip(blocks, self.most, strict=True))

    def _starts(self, at: Sizes, near: Sizes) -> Iterable[tuple[str, AnyArray]]:
        """Starts with `near` blocks from what was found with others: of each side as many, one
        more or one less."""
        parts = parted(self.found[at].labels, at, self.task.network.sides)
        seed = self.task.seed
        changed = [
            repeat(("", part)) if other == K else (_splits if other > K else _merges)(part, K, seed)
            for part, K, other in zip(parts, at, near, strict=True)
        ]
        for sides in zip(*changed, strict=False):
            name = max(name for name, _ in sides)
            yield name, joined((part for _, part in sides), near)


def _icl(found: BlockFound) -> float:
    assert found.icl is not None
    return found.icl


def _splits(labels: AnyArray, K: int, seed: int) -> Iterable[tuple[str, AnyArray]]:
    """Starts with K + 1 blocks from K: the largest ones halved, few ones several times."""
    rng = np.random.default_rng([seed, K + 1, 2])
    sizes = np.bincount(labels, minlength=K)
    for block in np.resize(np.argsort(-sizes), NEIGHBOURS):
        new = np.array(labels)
        halved(new, int(block), K, rng)
        yield "split", new


def _merges(labels: AnyArray, K: int, seed: int) -> Iterable[tuple[str, AnyArray]]:
    """Starts with K - 1 blocks from K: some pairs in one."""
    rng = np.random.default_rng([seed, K, 3])
    pairs = np.array(np.triu_indices(K, 1)).T
    for kept, gone in rng.permutation(pairs)[:NEIGHBOURS]:
        yield "merge", merged(labels, int(kept), int(gone))
