"""Splits and merges of the blocks of a partition, as long as its description grows shorter.

Merges alone, from many blocks down, keep what an early one got wrong. Here one block is halved at
random, all nodes go where they gain, and then the pair is merged that costs least: often another
than the one that was split (as Peixoto 2020, Merge-split Markov chain Monte Carlo for community
detection, but greedily).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.engines.partition import Aim, PartitionEnd
from mixtura.engines.threads import ordered_map
from mixtura.fitting.networks.block_fit import BlockTask, described
from mixtura.fitting.networks.merging import mergeable, shape_of
from mixtura.fitting.networks.moves import halved, merged
from mixtura.fitting.networks.search import BUDGET, Climber, sweep_work
from mixtura.fitting.networks.sides import Sizes, joined, parted, stepped
from mixtura.records import AnyArray

# Blocks that are split at a time; failures in a row, for each block, that end it; merges tried
# after a split; what all climbs may cost, in budgets of starts.
AT_ONCE, PATIENCE, TRIED, SHARE = 4, 4, 3, 4.0
Found = tuple[Sizes, PartitionEnd]


def resplit(
    task: BlockTask,
    climber: Climber,
    aim: Aim,
    at: Found,
    most: Sizes,
    keep: Callable[[Sizes, PartitionEnd], float],
    rng: np.random.Generator,
) -> int:
    """The rounds that gained; what they find is told to `keep`, which answers with its length."""
    corrected = aim is Aim.DESCRIPTION_DEGREES
    best = described(task.network, at[1].labels, at[0], corrected)
    gained, failed, left = 0, 0, SHARE * BUDGET
    while failed < PATIENCE * sum(at[0]) and left > 0 and not task.clock.over():
        seeds = rng.integers(2**63, size=AT_ONCE)
        base = at

        def tried(seed: Any, base: Found = base) -> list[Found]:
            return _tried(climber, aim, base, most, np.random.default_rng(seed))

        failed += AT_ONCE
        for found in ordered_map(tried, seeds):
            for blocks, end in found:
                left -= (len(end.trace) - 1) * sweep_work(task.network, sum(blocks))
                length = keep(blocks, end)
                if length < best - 1e-9 * abs(best):
                    best, at, failed = length, (blocks, end), 0
        gained += failed == 0
    return gained


def _tried(
    climber: Climber, aim: Aim, at: Found, most: Sizes, rng: np.random.Generator
) -> list[Found]:
    """What comes of one split, and of merges after it."""
    blocks, labels = at[0], at[1].labels
    sides = [side for side, (K, top) in enumerate(zip(blocks, most, strict=True)) if top > K]
    if not sides:
        return []
    side = int(rng.choice(sides))
    split = _split(labels, blocks, climber.network.sides, side, rng)
    if split is None:
        return []
    more = stepped(blocks, side, 1)
    first = climbed(climber, split, more, rng)
    found = [(more, first)]
    for pair in mergeable(first.labels, climber.network, more, aim)[:TRIED]:
        rest = merged(first.labels, *pair)
        fewer = shape_of(rest, climber.network.sides)
        found.append((fewer, climbed(climber, rest, fewer, rng)))
    return found


def _split(
    labels: AnyArray, blocks: Sizes, nodes: Sizes, side: int, rng: np.random.Generator
) -> AnyArray | None:
    """Half of a block of this side in a new one; None where no block has two nodes."""
    parts, K = parted(labels, blocks, nodes), blocks[side]
    divisible = np.flatnonzero(np.bincount(parts[side], minlength=K) > 1)
    if not len(divisible):
        return None
    new = np.array(parts[side])
    halved(new, int(rng.choice(divisible)), K, rng)
    return joined([*parts[:side], new, *parts[side + 1 :]], stepped(blocks, side, 1))


def climbed(
    climber: Climber, start: AnyArray, blocks: Sizes, rng: np.random.Generator
) -> PartitionEnd:
    """Where a partition that a climber polishes ends."""
    end = climber.climb(start, blocks, rng)
    assert isinstance(end, PartitionEnd)
    return end
