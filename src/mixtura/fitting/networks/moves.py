"""Moves of blocks: labels a climb may go on from, elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.records import AnyArray


def proposed(labels: AnyArray, K: int, rng: np.random.Generator) -> AnyArray:
    """Labels after a split and a merge, or with some nodes put elsewhere."""
    chosen = MOVES[int(rng.integers(len(MOVES)))]
    return chosen(labels, K, rng)


def split_and_merge(labels: AnyArray, K: int, rng: np.random.Generator) -> AnyArray:
    """Two blocks become one, and its number goes to half of another."""
    new = np.array(labels)
    kept, gone = rng.choice(K, 2, replace=False)
    new[new == gone] = kept
    # Small blocks as often as large ones: hubs are few.
    divisible = np.flatnonzero(np.bincount(new, minlength=K) > 1)
    if len(divisible):
        halved(new, int(rng.choice(divisible)), int(gone), rng)
    return new


def merged(labels: AnyArray, kept: int, gone: int) -> AnyArray:
    """The labels with two blocks in one, numbers closed up."""
    new = np.where(labels == gone, kept, labels)
    return new - (new > gone)


def swapped(labels: AnyArray, K: int, rng: np.random.Generator) -> AnyArray:
    """A tenth to a third of the nodes change places with each other."""
    new = np.array(labels)
    count = max(2, int(len(new) * rng.uniform(0.1, 0.35)))
    some = rng.choice(len(new), min(count, len(new)), replace=False)
    new[some] = rng.permutation(new[some])
    return new


def halved(labels: AnyArray, block: int, other: int, rng: np.random.Generator) -> None:
    """Half of a block's nodes, at random, go to another block, in place."""
    members = np.flatnonzero(labels == block)
    labels[members[rng.random(len(members)) < 0.5]] = other


MOVES: tuple[Callable[[AnyArray, int, np.random.Generator], AnyArray], ...] = (
    split_and_merge,
    split_and_merge,
    swapped,
)
