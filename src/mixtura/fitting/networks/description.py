"""The partition that describes a network shortest: from many blocks down by merges,
each polished."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.partition import Aim, PartitionEnd
from mixtura.fitting.networks.block_fit import BlockTask, described
from mixtura.fitting.networks.climbers import PartitionClimber
from mixtura.fitting.networks.merging import mergeable, shape_of, without_some
from mixtura.fitting.networks.moves import merged
from mixtura.fitting.networks.resplit import Found, climbed, resplit
from mixtura.fitting.networks.search import BUDGET, Climber, Search, work
from mixtura.fitting.networks.sides import Sizes, stepped
from mixtura.fitting.networks.spectral import SPECTRA, clusters, spectra

# Above so many blocks a tenth of them is merged at a time; below, several pairs are tried.
SINGLY, TRIED = 24, 4
# Merges in a row that make it longer end them.
WORSE = 6
# What the first climb may cost, as a multiple of all starts of one number of blocks; from more
# than one on a single spectrum is merged down.
MOST_FIRST = 20.0


@dataclass(frozen=True)
class Shortest:
    """The shortest description that was found: its blocks and nats;
    lengths of all numbers of blocks that were met; from how many blocks down for want of time, 0
    where from all that a network can tell, or that were asked for."""

    search: Search
    end: PartitionEnd
    blocks: Sizes
    length: float
    lengths: dict[Sizes, float]
    cut: int = 0

    @property
    def remark(self) -> str:
        """That more blocks might describe it shorter; empty where it is not so."""
        K = sum(self.blocks)
        if not self.cut or 2 * self.cut >= 3 * K:
            return ""
        return (
            f"{K} blocks are near the {self.cut} from which the search began, for it would "
            "take long from more: ask for them with max_blocks"
        )


def shortest(task: BlockTask, aim: Aim, most: Sizes) -> Shortest:
    """Merges from about the root of twice the edges, or `most`, down, then splits and merges of
    blocks, from each spectrum, for where these end differs; then a search around the best, and
    splits and merges of its blocks."""
    net = task.network
    plain = PartitionClimber(net, aim, task.max_iter)
    climber = task.watched(plain)
    corrected = aim is Aim.DESCRIPTION_DEGREES
    told = _begun(net, most)
    first = told
    while max(first) > SINGLY and most == net.sides and work(net, sum(first)) > MOST_FIRST * BUDGET:
        first = tuple(max(K * 3 // 4, 1) for K in first)
    cut = sum(first) if first != told else 0
    names = spectra(net)
    if work(net, sum(first)) > BUDGET:
        names = names[-1:]
    ends: dict[Sizes, PartitionEnd] = {}
    lengths: dict[Sizes, float] = {}

    def keep(blocks: Sizes, end: PartitionEnd) -> float:
        length = described(net, end.labels, blocks, corrected)
        if length < lengths.get(blocks, math.inf):
            ends[blocks], lengths[blocks] = end, length
        return length

    gained = 0
    for number, name in enumerate(names):
        rng = np.random.default_rng([task.seed, number, int(aim)])
        points = SPECTRA[name](net, min(sum(first), net.n - 2) or 1, task.seed)
        begun = clusters(points, first, net.sides, task.seed)
        end = climbed(climber, begun, first, rng)
        down = _merge_down(task, climber, aim, end, first, rng, keep)
        gained += resplit(task, climber, aim, down, first, keep, rng)
        if task.clock.over():
            break
    searches: dict[Sizes, Search] = {}
    while True:
        blocks = min(lengths, key=lambda blocks: lengths[blocks])
        around = [each for each in _around(blocks, first) if each not in searches]
        if not around or (blocks in searches and task.clock.over()):
            break
        for each in [blocks] if task.clock.over() else around:
            searches[each] = task.search(plain, each)
            found = searches[each].find([("merges", ends[each].labels)] if each in ends else [])
            assert isinstance(found, PartitionEnd)
            keep(each, found)
    rng = np.random.default_rng([task.seed, len(names), int(aim)])
    gained += resplit(task, climber, aim, (blocks, ends[blocks]), first, keep, rng)
    blocks = min(lengths, key=lambda blocks: lengths[blocks])
    search = searches.get(blocks) or task.search(plain, blocks)
    if gained:
        search.begun_at("splits and merges", ends[blocks].labels)
    search.moves += gained
    _tell(search, [each for each in searches.values() if each is not search])
    return Shortest(search, ends[blocks], blocks, lengths[blocks], lengths, cut)


def _tell(search: Search, others: list[Search]) -> None:
    """All that was tried, of the search that is kept."""
    search.starts = [start for each in (*others, search) for start in each.starts]
    search.moves += sum(each.moves for each in others)
    search.steps += sum(each.steps for each in others)


def _begun(network: Network, most: Sizes) -> Sizes:
    """As many blocks as a network of so many edges can tell, or `most`."""
    edges = float(network.values().sum())
    ends = 2.0 * edges if len(most) == 1 else edges
    told = math.ceil(math.sqrt(ends))
    return tuple(min(each, n, told) for each, n in zip(most, network.sides, strict=True))


def _around(blocks: Sizes, most: Sizes) -> list[Sizes]:
    """The numbers with one block less on a side, the same, and one more."""
    sides = range(len(blocks))
    less, more = ([stepped(blocks, side, by) for side in sides] for by in (-1, 1))
    near = [*less, blocks, *more]
    return [each for each in near if all(1 <= K <= top for K, top in zip(each, most, strict=True))]


def _merge_down(
    task: BlockTask,
    climber: Climber,
    aim: Aim,
    end: PartitionEnd,
    blocks: Sizes,
    rng: np.random.Generator,
    keep: Callable[[Sizes, PartitionEnd], float],
) -> Found:
    """The shortest on the way down."""
    before, longer, nodes = math.inf, 0, task.network.sides
    least, found = keep(blocks, end), (blocks, end)
    while max(blocks) > 1 and longer < WORSE and not task.clock.over():
        K, pairs = sum(blocks), mergeable(end.labels, task.network, blocks, aim)
        count = max(1, K // 10) if K > SINGLY else 1
        starts = [without_some(end.labels, pairs, count)]
        if count == 1:
            starts = [merged(end.labels, r, s) for r, s in pairs[:TRIED]]
        shapes = [shape_of(start, nodes) for start in starts]
        ends = [climbed(climber, *begun, rng) for begun in zip(starts, shapes, strict=True)]
        worth = [each.bound for each in ends]
        if len(set(shapes)) > 1:
            # What tells the partition hangs on how many blocks each side has.
            worth = [-keep(shape, each) for shape, each in zip(shapes, ends, strict=True)]
        best = int(np.argmax(worth))
        end, blocks = ends[best], shapes[best]
        length = keep(blocks, end)
        longer = longer + 1 if length > before else 0
        before = length
        if length < least:
            least, found = length, (blocks, end)
    return found
