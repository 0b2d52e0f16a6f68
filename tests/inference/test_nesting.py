"""What is nested in what, embedded without a loss, and a small table without contradictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cells import Cell, CellTable, Key, violations
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.inference.nesting import (
    doubled,
    embedded,
    losses,
    neighbours,
    nested,
    reduced,
    responsibilities,
    split,
    without,
)
from mixtura.models.mixture import Mixture
from mixtura.records import Array, Chunk

DATA = Path(__file__).parents[1] / "reference" / "data"
REFERENCE = json.loads((DATA / "mclust_bic.json").read_text())
FOURTEEN = [structure(name) for name in REFERENCE["models"]]
# One chain of each kind of letter, and two columns of structures that iterate.
NAMES = ("EII", "VII", "VEI", "EEE", "VEE", "VVE", "VVV")


@pytest.fixture(scope="module")
def cells() -> dict[Key, Cell]:
    X = np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)
    return CellTable(Rows(X), NAMES, (1, 2, 3), max_iter=1000).run()


def test_nesting_is_a_partial_order_with_ends() -> None:
    first, last = structure("EII"), structure("VVV")
    for one in FOURTEEN:
        assert not nested(one, one)
        assert one is first or nested(first, one)
        assert one is last or nested(one, last)
        for other in FOURTEEN:
            assert not (nested(one, other) and nested(other, one))
            if nested(one, other):
                for K in (2, 5):
                    assert one.n_parameters(K, 3) < other.n_parameters(K, 3)
    assert not nested(structure("VII"), structure("EEV"))
    assert not nested(structure("full"), structure("VVV"))
    assert nested(structure("EVI"), structure("VVE"))


def test_neighbours_leave_nothing_between_and_connect_all() -> None:
    pairs = neighbours(FOURTEEN)
    reached = {(one.name, other.name) for one, other in pairs}
    for _ in FOURTEEN:
        reached |= {(a, d) for a, b in reached for c, d in reached if b == c}
    whole = {(a.name, b.name) for a in FOURTEEN for b in FOURTEEN if nested(a, b)}
    assert reached == whole
    assert len(pairs) < len(whole)


def model(name: str, d: int) -> Mixture:
    shape = structure(name)
    return Mixture(Gaussian(shape), no_prior(shape.form, d))


@pytest.mark.parametrize("K", [2, 3])
def test_embedded_mixtures_have_the_same_likelihood(
    cells: dict[Key, Cell], faithful: Array, K: int
) -> None:
    for small in NAMES:
        cell = cells[small, K]
        for row in STRUCTURES.values():
            if nested(structure(small), row) and row.columns is None:
                larger = embedded(cell.params, structure(small), row)
                value = model(row.name, 2).e_step(Chunk(faithful), larger).loglik
                assert value == pytest.approx(cell.loglik, rel=1e-12)
        twice = doubled(cell.params, structure(small))
        value = model(small, 2).e_step(Chunk(faithful), twice).loglik
        assert value == pytest.approx(cell.loglik, rel=1e-12)
        assert len(twice.weights) == K + 1


def test_splits_and_removals_are_responsibilities(cells: dict[Key, Cell], faithful: Array) -> None:
    rows, params, mixture = Rows(faithful), cells["VVV", 2].params, model("VVV", 2)
    resp = responsibilities(mixture, rows, params)
    more = split(resp, rows.X, rows, 0)
    np.testing.assert_allclose(more.sum(axis=1), 1.0)
    np.testing.assert_allclose(more[:, 0] + more[:, 2], resp[:, 0])
    assert min(more.sum(axis=0)) > 10
    three = cells["VVV", 3].params
    cost = losses(responsibilities(mixture, rows, three), rows)
    for k in range(3):
        left = reduced(three, structure("VVV"), k)
        assert len(left.weights) == 2
        assert left.weights.sum() == pytest.approx(1.0)
        # With the others' weights as they were the likelihood falls by that much, or by more for
        # rows that no other component reaches.
        fallen = cells["VVV", 3].loglik - mixture.e_step(Chunk(faithful), left).loglik
        others = len(faithful) * np.log(1 - three.weights[k])
        assert fallen > cost[k] + others - 1e-6
    fewer = without(mixture.log_joint(faithful, three), rows)
    assert fewer.shape == (len(faithful), 2)
    np.testing.assert_allclose(fewer.sum(axis=1), 1.0)


def test_a_table_is_never_below_mclusts_nor_below_itself(cells: dict[Key, Cell]) -> None:
    n, bic = 272.0, REFERENCE["tables"]["faithful"]["bic"]
    for (name, K), cell in cells.items():
        theirs = bic[K - 1][REFERENCE["models"].index(name)]
        assert (cell.bic(n) - theirs) / 2 > -0.01, (name, K)
        assert cell.smallest > 1e-3
    assert len(cells) == 3 * len(NAMES)
    assert violations(cells) == []


def test_a_violation_is_found(cells: dict[Key, Cell]) -> None:
    worse = Cell(**{**vars(cells["VVV", 3]), "loglik": cells["VVV", 2].loglik - 1.0})
    found = violations({**cells, ("VVV", 3): worse})
    assert (cells["VVV", 2], worse) in found


@pytest.mark.parametrize("table", REFERENCE["tables"])
def test_free_parameters_are_mclusts(table: str) -> None:
    theirs = REFERENCE["tables"][table]
    d, (_, K) = {"iris": 4, "faithful": 2, "diabetes": 3}[table], theirs["best"]
    for name, df in theirs["df"].items():
        assert K - 1 + K * d + structure(name).n_parameters(K, d) == df
