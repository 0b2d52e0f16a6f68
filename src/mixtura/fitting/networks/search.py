"""The best of many climbs on a network: spectral and random starts, then split, merge and swap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.threads import ordered_map
from mixtura.errors import LikelihoodFell
from mixtura.fitting.networks.moves import proposed
from mixtura.fitting.networks.sides import Sizes, joined, parted
from mixtura.fitting.networks.spectral import SPECTRA, clusters, spectra
from mixtura.records import AnyArray, Array
from mixtura.result import StartReport
from mixtura.solvers import clock as solvers

# Multiplications that all starts may take, and moves as much again; how many there are at most.
BUDGET, MOST_STARTS, FEWEST_STARTS = 1e9, 60, 4
# Steps of an ordinary climb, and of the first heat of a race.
STEPS, SPRINT = 40, 4
# Runs of k-means for a start in a race.
TRIES = 8
# Proposals made of one incumbent at a time; failures in a row, for each block, that end the moves.
AT_ONCE, PATIENCE = 8, 100
# A move gains where it gains more than this (nats): where blocks hardly differ bounds have ridges,
# along which climbs creep for a thousand steps.
GAIN = 1e-3
# Gains are taken to shrink by no less than this factor a step.
SLOWEST = 0.999
# Steps of the first heat, and of a move, where all starts can be climbed until most of them rest.
FAIR = 48


class End(Protocol):
    """Where a climb ended."""

    @property
    def bound(self) -> float:
        """The objective there."""

    @property
    def labels(self) -> AnyArray:
        """(n,) the likeliest block of each node."""

    @property
    def trace(self) -> tuple[float, ...]:
        """The objective after each step."""

    @property
    def state(self) -> AnyArray:
        """Where a climb can go on from: labels (n,), or memberships (n, K)."""


class Climber(Protocol):
    """Climbs from labels (n,), by a generator that says in which order nodes are visited."""

    @property
    def network(self) -> Network:
        """The nodes and their pairs."""

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> End:
        """The end of the climb from labels (n,) or where another stopped, after `steps` at most."""

    def height(self, bound: float) -> float:
        """The log-likelihood (nats) that an objective stands for."""


class Clock(solvers.Clock):
    """The time of a search; `cut` once its end left something out."""

    cut = False

    def over(self) -> bool:
        """Whether it has passed: asked only where something is then left out."""
        self.cut = self.cut or self.passed
        return self.cut


@dataclass
class Search:
    """Starts and moves with so many blocks on each side; what was met is in `starts`, `moves` and
    `steps`.

    n_init  starts, or None: as many as BUDGET allows, between 4 and 60
    seed    all random numbers follow from it
    bounds  whether the objective is a bound, so that moves can be judged by it; else all starts are
            climbed to the end, of which there are 4 by default, and nothing is moved
    clock   ends it with what it has by then
    """

    climber: Climber
    blocks: Sizes
    n_init: int | None
    seed: int
    bounds: bool = True
    clock: Clock = field(default_factory=Clock)
    starts: list[StartReport] = field(default_factory=list)
    moves: int = 0
    steps: int = 0

    @property
    def K(self) -> int:
        """Blocks of all sides."""
        return sum(self.blocks)

    @property
    def _divided(self) -> bool:
        return max(self.blocks) > 1

    def find(self, beside: Iterable[tuple[str, AnyArray]] = ()) -> End:
        """The best end; `beside` are further starts, by name."""
        begun = [*beside, *self._begun()]
        names, ends = [name for name, _ in begun], [labels for _, labels in begun]
        if not self.bounds:
            return self._best(names, self._climbs(ends))
        best = self._race(names, ends)
        return self._moved(best) if self._divided else best

    @property
    def _raced(self) -> bool:
        """Whether the network is so large that only one start is climbed to the end."""
        affords = affordable(self.climber.network, self.K)
        return self.bounds and self._divided and affords < MOST_STARTS

    def _best(self, names: list[str], ends: Iterable[End | None], best: End | None = None) -> End:
        for name, end in zip(names, ends, strict=False):
            self._note(name, end)
            best = higher(best, end)
        if best is None:
            raise LikelihoodFell(np.nan, np.nan)
        return best

    def _race(self, names: list[str], states: list[AnyArray]) -> End:
        """Short runs, the worse half of those that still climb dropped in between; the last one
        left is climbed."""
        steps = SPRINT if self._raced else FAIR
        best: End | None = None
        while len(states) > 1:
            going = []
            for name, end in zip(names, self._climbs(states, steps), strict=False):
                if end is not None and unsettled(end, steps):
                    going.append((name, end))
                    continue
                self._note(name, end)
                best = higher(best, end)
            going.sort(key=lambda each: -each[1].bound)
            kept = going[: (len(going) + 1) // 2]
            for name, end in going[len(kept) :]:
                self._note(name, end, "dropped")
            names, states = [name for name, _ in kept], [end.state for _, end in kept]
            steps *= 2
        return self._best(names, self._climbs(states), best)

    def begun_at(self, name: str, labels: AnyArray) -> End:
        """The end of one climb, from `labels`."""
        end = self.climber.climb(labels, self.blocks, np.random.default_rng([self.seed, self.K]))
        self._note(name, end)
        return end

    def best_from(self, begun: Iterable[tuple[str, AnyArray]]) -> End:
        """The best end of climbs from these alone, without moves."""
        names, starts = zip(*begun, strict=True)
        return self._race(list(names), list(starts))

    def _begun(self) -> Iterator[tuple[str, AnyArray]]:
        nodes = self.climber.network.sides
        if not self._divided:
            yield "one block", np.repeat(np.arange(len(nodes)), nodes)
            return
        rng = np.random.default_rng([self.seed, self.K])
        affords = affordable(self.climber.network, self.K) if self.bounds else FEWEST_STARTS
        count = affords if self.n_init is None else self.n_init
        points: dict[str, Array] = {}
        names = spectra(self.climber.network)
        if not self.bounds:
            # Sparse networks are for the Bethe Hessian, the last of them.
            names.reverse()
        for index in range(count):
            # Half of many starts are random, so that no spectrum decides alone.
            if index >= len(names) and index % 2:
                parts = (rng.integers(K, size=n) for K, n in zip(self.blocks, nodes, strict=True))
                yield "random", joined(parts, self.blocks)
                continue
            name = names[(index if index < len(names) else index // 2) % len(names)]
            seed = int(rng.integers(2**31))
            if name not in points:
                points[name] = SPECTRA[name](self.climber.network, self.K, seed)
            # Of few starts each has to be good; many are to differ.
            tries = TRIES if self._raced else 1
            yield name, clusters(points[name], self.blocks, nodes, seed, tries)

    def _moved(self, best: End) -> End:
        """The best end after moves of blocks,
        until as many in a row as there is patience for fail."""
        rng = np.random.default_rng([self.seed, self.K, 1])
        budget = BUDGET / work(self.climber.network, self.K)
        patience, left = min(PATIENCE * self.K, max(budget / 4, 2.0)), max(budget, 2.0)
        failed, steps = 0.0, 4 * SPRINT if self._raced else FAIR
        while failed < patience and left > 0 and not self.clock.over():
            count = int(min(AT_ONCE, np.ceil(left)))
            proposals = [self._proposed(best.labels, rng) for _ in range(count)]
            left -= count
            failed += count
            ends = [end for end in self._climbs(proposals, steps) if end is not None]
            self.steps += sum(len(end.trace) - 1 for end in ends)
            top = max(ends, key=promised, default=best)
            if unsettled(top, steps) and promised(top) > best.bound + GAIN:
                top = next(self._climbs([top.state]), None) or best
                self.steps += len(top.trace) - 1
                # One that crept in vain took as long as several.
                failed += (len(top.trace) - 1) / steps
            if top.bound > best.bound + GAIN:
                best, failed = top, 0.0
                self.moves += 1
        return best

    def _proposed(self, labels: AnyArray, rng: np.random.Generator) -> AnyArray:
        sides = [side for side, K in enumerate(self.blocks) if K > 1]
        side = sides[int(rng.integers(len(sides)))] if len(sides) > 1 else sides[0]
        parts = parted(labels, self.blocks, self.climber.network.sides)
        parts[side] = proposed(parts[side], self.blocks[side], rng)
        return joined(parts, self.blocks)

    def _climbs(self, starts: list[AnyArray], steps: int | None = None) -> Iterator[End | None]:
        """The ends of climbs side by side; None where the objective fell. Where time is over, those
        up to the first that has one."""
        seeds = np.random.SeedSequence([self.seed, self.K, self.steps, len(starts)])

        def climbed(task: tuple[AnyArray, np.random.SeedSequence]) -> End | None:
            start, seed = task
            try:
                return self.climber.climb(start, self.blocks, np.random.default_rng(seed), steps)
            except LikelihoodFell:
                return None

        held = False
        tasks = zip(starts, seeds.spawn(len(starts)), strict=True)
        for number, end in enumerate(ordered_map(climbed, tasks), 1):
            held = held or end is not None
            yield end
            if held and number < len(starts) and self.clock.over():
                return

    def _note(self, name: str, end: End | None, outcome: str = "kept") -> None:
        if end is None:
            self.starts.append(StartReport(name, 0, None, "failed", "the bound fell"))
            return
        iterations = len(end.trace) - 1
        self.steps += iterations
        height = self.climber.height(end.bound) / self.climber.network.n
        self.starts.append(StartReport(name, iterations, height, outcome))


def higher(one: End | None, other: End | None) -> End | None:
    """The end with the higher objective, where there are two."""
    if one is None or other is None:
        return one or other
    return other if other.bound > one.bound else one


def unsettled(end: End, steps: int) -> bool:
    """Whether a climb was still going when its `steps` ended."""
    return len(end.trace) > steps


def promised(end: End) -> float:
    """The objective at which a climb would end if its gains went on shrinking as they do
    (Aitken)."""
    if len(end.trace) < 3:
        return end.bound
    before, last = np.diff(end.trace[-3:])
    rate = min(last / before, SLOWEST) if before > 0 else 0.0
    return end.bound + max(float(last), 0.0) * rate / (1.0 - rate)


def work(network: Network, K: int) -> float:
    """Multiplications of an ordinary climb."""
    return STEPS * sweep_work(network, K)


def sweep_work(network: Network, K: int) -> float:
    """Multiplications of one step of it."""
    return 2.0 * K * float(network.edges.nnz + network.listed.nnz + network.n * K)


def affordable(network: Network, K: int) -> int:
    """How many starts BUDGET allows."""
    return int(np.clip(BUDGET / work(network, K), FEWEST_STARTS, MOST_STARTS))
