"""The benchmarks: their arithmetic, and that they can be imported. Nothing is timed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mixtura.records import Array

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "name",
    sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem[0] != "_"),
)
def test_a_benchmark_can_be_imported(name: str) -> None:
    assert import_module(f"benchmarks.{name}").__doc__


def test_the_floor_by_hand() -> None:
    from benchmarks.floor import Machine, Workload, floor

    machine = Machine(threads=2, flops=1e9, exps=1e8, bandwidth=1e9)
    full = Workload(1000, 3, 4)
    # 4000 times: a triangle with the vector, 12 flops, and the scatter and sums, 24.
    assert full.flops == 4000 * 36
    assert floor(full, machine) == pytest.approx(144e-6 + 40e-6)
    diagonal = Workload(1000, 3, 4, "diag")
    assert diagonal.flops == 4000 * 24
    assert floor(diagonal, machine) == pytest.approx(96e-6 + 40e-6)
    # Where memory is slower than arithmetic, reading 24,000 bytes counts instead.
    slow = Machine(threads=2, flops=1e9, exps=1e8, bandwidth=1e8)
    assert floor(full, slow) == pytest.approx(240e-6 + 40e-6)


def test_promises_are_those_of_the_issue() -> None:
    from benchmarks.floor import WORKLOADS

    assert [work.promised for work in WORKLOADS] == [2.5 if w.d >= 8 else 5.0 for w in WORKLOADS]
    assert {work.d for work in WORKLOADS if work.promised == 5.0} == {2}
    assert len({work.name for work in WORKLOADS}) == len(WORKLOADS) == 10


def test_no_component_can_be_skipped_in_the_clouds() -> None:
    from benchmarks.floor import Workload
    from benchmarks.limits import clouds

    for d in (2, 32):
        X, start = clouds(Workload(500, d, 6))
        means = start["means_init"]
        q = ((X[:, None] - means) ** 2).sum(axis=2)
        # exp(-50) of the best is where kernels begin to leave out; see native/screen.h.
        assert np.max(q - q.min(axis=1, keepdims=True)) / 2 < 50


def test_the_guard_knows_which_way_is_worse() -> None:
    from benchmarks.default import CELLS
    from benchmarks.floor import WORKLOADS
    from benchmarks.guard import DEFAULT, FLOOR, PEER, SEARCH, STEPS, Ratio, stored
    from benchmarks.mclust import COLUMNS

    over = Ratio(FLOOR, "10000,2,5", expected=2.0, slack=1.5)
    assert over.holds(2.9)
    assert not over.holds(3.1)
    ahead = Ratio(PEER, "10000,2,5", expected=30.0, slack=1.5)
    assert ahead.holds(21.0)
    assert not ahead.holds(19.0)
    assert [over.hides(figure) for figure in (1.3, 1.4)] == [True, False]
    assert [ahead.hides(figure) for figure in (46.0, 44.0)] == [True, False]
    names = {work.name for work in WORKLOADS}
    cells = {cell.name for cell in CELLS}
    assert len(cells) == len(CELLS) == 25
    known = {FLOOR: names, PEER: STEPS, SEARCH: COLUMNS, DEFAULT: cells}
    for ratio in stored():
        assert ratio.workload in known[ratio.kind]
        assert ratio.slack > 1


def test_what_is_narrow_for_its_few_rows_is_not_regular() -> None:
    from benchmarks.known import regular

    X = np.random.default_rng(0).normal(size=(100, 2))
    round_, thin = np.eye(2), np.diag([1.0, 1e-4])
    assert regular(X, np.array([0.5, 0.5]), np.stack([round_, thin]))
    assert not regular(X, np.array([0.96, 0.04]), np.stack([round_, thin]))
    assert regular(X, np.array([0.96, 0.04]), np.stack([round_, round_]))


def test_of_every_table_it_is_known_what_its_best_end_says_of_fresh_rows() -> None:
    from benchmarks.known import KNOWN, End, tables

    known = {name: End(**end) for name, end in json.loads(KNOWN.read_text()).items()}
    assert set(known) == set(tables())
    real = {"faithful, 3", "iris, 3", "wine, 3"}
    assert {name for name, end in known.items() if end.beyond is None} == real
    assert all(np.isfinite([end.height, end.beyond or 0.0]).all() for end in known.values())
    assert set(tables(["wine", "grid"])) == {"wine, 3", "grid 2,500 x 2, 25, 4 sd"}
    with pytest.raises(SystemExit, match="holds 'nosuch'"):
        tables(["wine", "nosuch"])


def test_fresh_rows_are_of_the_mixture_and_not_of_the_table() -> None:
    from benchmarks.hard_tables import KINDS, Cell

    for kind in KINDS:
        cell = Cell(kind, 3_000, 1 if kind == "trap" else 2, 4)
        X, fresh = cell.table(), cell.fresh(5_000)
        assert fresh.shape == (5_000, cell.d)
        assert not np.isin(fresh, X).any()
        # Of another mixture all that is drawn has p below 1e-20.
        assert min(stats.ks_2samp(X, fresh).pvalue) > 1e-3


def test_a_longer_search_is_one_and_is_over() -> None:
    from benchmarks.known import LONGER, longer
    from mixtura.fitting import budget, hope, race

    before = budget.LEAST, race.LEAST, hope.LEAST
    with longer():
        assert budget.LEAST == race.LEAST == LONGER * before[0]
        search = hope.Hope()
        for _ in range(1000):
            search.note(0.0)
        assert search.there
    assert before == (budget.LEAST, race.LEAST, hope.LEAST)


def test_an_end_that_is_not_surely_above_the_plain_hill_counts_as_that(iris: Array) -> None:
    from benchmarks.known import height, plain
    from mixtura import GaussianMixture

    half = iris[np.random.default_rng(0).permutation(150)][::2].copy()
    for X, surely in ((half, False), (iris, True)):
        hill, highest = plain(X, 3), GaussianMixture(3, n_init=2, random_state=0).fit(X)
        assert highest.score(X) > hill.score(X) + 0.01
        assert height(X, highest, None) == highest.score(X)
        assert height(X, highest, hill) == (highest if surely else hill).score(X)
        assert height(X, hill, highest) == hill.score(X)
    assert plain(np.repeat(X, 6, axis=0), 3) is None


def test_chunks_cover_the_rows_evenly() -> None:
    from benchmarks.floor import WORKLOADS
    from mixtura.engines.base import chunk_slices
    from mixtura.engines.gaussian.compiled import chunk_rows

    for work in WORKLOADS:
        cuts = chunk_slices(work.n, chunk_rows(work.n, work.d, work.K, work.form))
        assert [cut.start for cut in cuts[1:]] == [cut.stop for cut in cuts[:-1]]
        assert (cuts[0].start, cuts[-1].stop) == (0, work.n)
        sizes = [cut.stop - cut.start for cut in cuts]
        assert len(set(sizes[:-1])) <= 1
        assert sizes[-1] <= sizes[0]


def test_nothing_heavy_is_imported_with_the_benchmarks() -> None:
    import_module("benchmarks.__main__")
    assert "tgmm" not in sys.modules


def test_contamination_plants_what_it_says() -> None:
    from benchmarks.contamination import CELLS, METHODS, Cell, misses, scores

    assert len(CELLS) == 21
    X, truth = Cell("clumped", 0.1, 5).table(0)
    assert (truth < 0).mean() == pytest.approx(0.1, abs=0.002)
    assert X.shape == (len(truth), 5)
    assert set(METHODS) >= {"scikit-learn", "noise", "trim", "HDBSCAN"}
    cell = Cell("uniform", 0.1, 2)
    noise, theirs = (scores(cell, name, tables=1) for name in ("noise", "scikit-learn"))
    assert min(noise.ari, noise.precision, noise.recall, noise.f1) > 0.9
    assert noise.false_flags < 0.01
    assert misses(cell, {"noise": noise, "scikit-learn": theirs}) == ""
    short = replace(noise, ari=noise.ari - 0.02)
    assert misses(cell, {"noise": short, "trim": noise}).startswith("ARI")
