"""Where blocks of a Dask table lie, the runs that tasks sweep, and the tree that sums them."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest

pytest.importorskip("dask", reason="dask is not installed: pip install 'mixtura[dask]'")

from mixtura.data.dask_held import runs_of, spread
from mixtura.data.dask_tree import Node, grown


@pytest.mark.parametrize("parts", [1, 2, 3, 8, 13, 100])
def test_a_sum_does_not_hang_on_the_runs(parts: int) -> None:
    rng = np.random.default_rng(parts)
    values = 10.0 ** rng.uniform(-12, 12, size=parts)

    def both(one: tuple[float, str], two: tuple[float, str]) -> tuple[float, str]:
        return one[0] + two[0], f"({one[1]} {two[1]})"

    def leaf(p: int) -> Node:
        return Node(0, p, (values[p], str(p)))

    (whole,) = grown(map(leaf, range(parts)), both, parts)
    for _ in range(20):
        cuts = np.unique([0, *rng.integers(0, parts + 1, size=5), parts])
        runs = [grown(map(leaf, range(a, b)), both, parts) for a, b in pairwise(cuts)]
        assert max(map(len, runs)) <= 2 * int(parts).bit_length()
        # Neighbours may be combined in between.
        runs = [list(chain.from_iterable(runs[:2])), *runs[2:]]
        runs[0] = grown(runs[0], both, parts)
        assert grown(chain.from_iterable(runs), both, parts) == [whole]
    if parts == 8:
        assert whole.value[1] == "(((0 1) (2 3)) ((4 5) (6 7)))"


def test_blocks_lie_in_equal_shares_neighbours_together() -> None:
    none = [None] * 8
    assert spread([5] * 8, none, {"a": 1, "b": 1}) == [*"aaaabbbb"]
    assert spread([5] * 8, none, {"a": 3, "b": 1}) == [*"aaaaaabb"]
    assert spread([9, 1, 1, 1, 1, 1, 1, 3], none, {"a": 1, "b": 1}) == [*"abbbbbbb"]
    assert sorted(spread([5] * 3, [None] * 3, dict.fromkeys("abcde", 1))) == [*"abc"]
    # What lies well stays: nothing where shares are equal, else the least.
    assert spread([5] * 8, [*"abababab"], {"a": 1, "b": 1}) == [*"abababab"]
    assert spread([5] * 8, [*"aaaaaabb"], {"a": 1, "b": 1}) == [*"aaaabbbb"]
    # One worker has gone, and one has come.
    assert spread([5] * 8, [*"aaaa????"], {"a": 1, "c": 1}) == [*"aaaacccc"]
    assert spread([5] * 6, [*"aaabbb"], dict.fromkeys("abc", 1)) == [*"aacbbc"]


def test_a_run_is_what_one_thread_sweeps() -> None:
    assert runs_of([5] * 8, [*"aaaabbbb"], 2) == [slice(0, 4), slice(4, 8)]
    assert runs_of([5] * 8, [*"aaaaaaaa"], 2) == [slice(0, 4), slice(4, 8)]
    assert runs_of([5] * 4, [*"abab"], 2) == [slice(p, p + 1) for p in range(4)]
    assert runs_of([5], ["a"], 8) == [slice(0, 1)]
