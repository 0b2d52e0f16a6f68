"""How many blocks, and whether degrees are kept: models compared by one criterion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

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
from mixtura.fitting.networks.search import halved, merged
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
    better) or "description length" (nats, the lower the better), and its value."""

    n_blocks: Count
    corrected: bool
    criterion: str
    value: Finite


def chosen(
    task: BlockTask, K: int, most: int | None, corrected: bool | str
) -> tuple[BlockFound, tuple[Choice, ...]]:
    """The model with K blocks, or with the best number up to `most` where that is given.

    With one criterion for all that is compared: ICL without degrees, else the description length.
    """
    if task.law is Edges.GAUSSIAN:
        task = replace(task, network=standardised(task.network))
    # Spectra of small networks in threads cost more than they take.
    with single_blas:
        return _chosen(task, K, most, corrected)


def _chosen(
    task: BlockTask, K: int, most: int | None, corrected: bool | str
) -> tuple[BlockFound, tuple[Choice, ...]]:
    if most is None:
        return (fit_corrected if corrected else fit_variational)(task, K), ()
    if corrected is False:
        return _by_icl(task, most)
    aims = [Aim.DESCRIPTION_DEGREES] if corrected is True else [*Aim][1:]
    found = {aim: shortest(task, aim, most) for aim in aims}
    path = tuple(
        Choice(blocks, aim is Aim.DESCRIPTION_DEGREES, "description length", value)
        for aim, each in found.items()
        for blocks, value in sorted(each.lengths.items())
    )
    aim = min(found, key=lambda aim: found[aim].length)
    best = found[aim]
    if aim is Aim.DESCRIPTION_DEGREES:
        kept = corrected_from(task, best.search, best.end, best.K)
    else:
        kept = variational_from(task, best.end.labels, best.K)
    said = "; ".join(filter(None, (kept.fit.remark, best.remark)))
    return replace(kept, fit=replace(kept.fit, remark=said)), path


def _by_icl(task: BlockTask, most: int) -> tuple[BlockFound, tuple[Choice, ...]]:
    """Up from one block until ICL falls for good, then back down by merges."""
    found: dict[int, BlockFound] = {}

    def value(K: int) -> float:
        icl = found[K].icl
        assert icl is not None
        return icl

    def best() -> int:
        return max(found, key=value)

    for K in range(1, most + 1):
        beside = _splits(found[K - 1].labels, K, task.seed) if K > 1 else []
        found[K] = fit_variational(task, K, beside)
        if K - best() >= WORSE:
            break
    for K in range(max(found) - 1, 1, -1):
        if best() - 1 > K:
            break
        again = fit_variational(task, K, _merges(found[K + 1].labels, K + 1, task.seed))
        if again.fit.loglik > found[K].fit.loglik:
            found[K] = again
    path = tuple(Choice(K, False, "icl", value(K)) for K in sorted(found))
    return found[best()], path


def _splits(labels: AnyArray, K: int, seed: int) -> Iterable[tuple[str, AnyArray]]:
    """Starts with K blocks from K - 1: the largest ones halved."""
    rng = np.random.default_rng([seed, K, 2])
    sizes = np.bincount(labels, minlength=K - 1)
    for block in np.argsort(-sizes)[:NEIGHBOURS]:
        new = np.array(labels)
        halved(new, int(block), K - 1, rng)
        yield "split", new


def _merges(labels: AnyArray, K: int, seed: int) -> Iterable[tuple[str, AnyArray]]:
    """Starts with K - 1 blocks from K: some pairs in one."""
    rng = np.random.default_rng([seed, K, 3])
    pairs = np.array(np.triu_indices(K, 1)).T
    for kept, gone in rng.permutation(pairs)[:NEIGHBOURS]:
        yield "merge", merged(labels, int(kept), int(gone))
