"""Checkpoints of every family, structure and source: stopped, the fit goes on to the same bits."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract.cases import CASES, FACTOR_CASES
from sklearn.base import clone

from mixtura import CheckpointError, FactorAnalytic, GaussianMixture, GaussianMixtureSearch
from mixtura.data import streamed
from mixtura.families.factor.structure import LETTERS
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.fitting import checkpoint
from mixtura.fitting.checkpoint import FORMAT, VERSION, Checkpoint
from mixtura.fitting.journal_file import first_record, line_of
from mixtura.records import Chunk

# Few steps are enough to be stopped in.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::mixtura.DegenerateWarning"),
]
NAMES = [name for name, row in STRUCTURES.items() if row.columns is None]
KINDS = [*NAMES, *(f"{letters}:1" for letters in LETTERS)]


def table(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 3)) + 1.8 * rng.integers(0, 3, size=(n, 1))


def saved(folder: Path, X: np.ndarray) -> Path:
    np.save(folder / "x.npy", X)
    return folder / "x.npy"


def parquet(folder: Path, X: np.ndarray) -> Path:
    pq.write_table(pa.table({f"c{j}": X[:, j] for j in range(3)}), folder / "x.parquet")
    return folder / "x.parquet"


def text(folder: Path, X: np.ndarray) -> Path:
    np.savetxt(folder / "x.csv", X, fmt="%.17g", delimiter=",", header="a,b,c", comments="")
    return folder / "x.csv"


SOURCES: dict[str, Callable[[Path, np.ndarray], Any]] = {
    "memory": lambda _, X: X,
    "float32": lambda _, X: X.astype(np.float32),
    "npy": saved,
    "memory map": lambda folder, X: np.load(saved(folder, X), mmap_mode="r"),
    "parquet": parquet,
    "csv": text,
    "callable": lambda _, X: lambda: iter([X[:150], X[150:]]),
}


@pytest.fixture(autouse=True)
def written_at_once_and_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(streamed, "SMALL_BYTES", 0)


def mixture(kind: Any, **settings: Any) -> GaussianMixture:
    given = {"random_state": 0, "max_iter": 6, "engine": "local", "solver": "em"}
    return GaussianMixture(3, covariance_type=kind, **{**given, **settings})


def assert_goes_on(kind: str, source: str, folder: Path, stopped_after: Any) -> None:
    X, path = SOURCES[source](folder, table()), folder / "run.checkpoint"
    whole = mixture(kind, init_params="random_from_data").fit(X)
    stopped_after(4)
    with pytest.raises(KeyboardInterrupt):
        clone(whole).fit(X, checkpoint=path)
    stopped_after(10_000)
    again = clone(whole).fit(X, checkpoint=path)
    assert not path.exists()
    for name, value in whole._fitted()[1].arrays().items():
        np.testing.assert_array_equal(again._fitted()[1].arrays()[name], value)
    assert again.fit_result_ == whole.fit_result_


@pytest.mark.parametrize("kind", KINDS)
def test_every_structure(kind: str, tmp_path: Path, stopped_after: Any) -> None:
    assert_goes_on(kind, "memory", tmp_path, stopped_after)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["VVV", "UUU:1"])
def test_every_source(kind: str, source: str, tmp_path: Path, stopped_after: Any) -> None:
    assert_goes_on(kind, source, tmp_path, stopped_after)


@pytest.mark.parametrize("case", [*CASES, *FACTOR_CASES], ids=lambda case: case.name)
def test_every_registered_family_gives_its_summaries_again(case: Any, tmp_path: Path) -> None:
    path, identity = tmp_path / "run.checkpoint", {"seed": 0}
    summary = case.model.e_step(Chunk(case.X), case.params)
    nothing = case.model.e_step(Chunk(case.X[:0]), case.params)
    with Checkpoint(path, identity) as journal:
        journal.add(case.params, summary)
    with Checkpoint(path, identity) as journal:
        again = journal.next(case.params, nothing)
    assert again is not None
    assert type(again.statistics) is type(summary.statistics)
    assert (again.loglik, again.weight) == (summary.loglik, summary.weight)
    for name, value in vars(summary.statistics).items():
        np.testing.assert_array_equal(getattr(again.statistics, name), value)


def test_a_search_over_factors_goes_on(tmp_path: Path) -> None:
    search = GaussianMixtureSearch(
        [1, 2], covariance_type=[FactorAnalytic(1), "VEV"], random_state=0, max_iter=20
    )
    path = tmp_path / "cells"
    whole = clone(search).fit(table(150))

    class Stop:
        def tried(self, done: int, *_: object) -> None:
            if done == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(search).fit(table(150), checkpoint=path, listener=Stop())
    assert path.stat().st_size > 1000
    again = clone(search).fit(table(150), checkpoint=path)
    np.testing.assert_array_equal(again.cv_results_["bic"], whole.cv_results_["bic"])


REFUSED: dict[str, tuple[dict[str, Any], np.ndarray, str]] = {
    "an engine": ({"engine": "mixed"}, table(), "with engine='mixed' a pass hangs"),
    "a solver": ({"solver": "lbfgs", "reg_covar": 1e-3}, table(), "solver='lbfgs'"),
    "few rows": ({}, np.repeat(table(2), 50, axis=0), "only 2 distinct rows"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_run_leaves_no_checkpoint(why: str, tmp_path: Path) -> None:
    settings, X, message = REFUSED[why]
    path = tmp_path / "run.checkpoint"
    with pytest.raises(ValueError, match=message):
        mixture("full", **settings).fit(X, checkpoint=path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (7, 8, "random_state=7, not 8"),
        (None, 8, "random_state=None, not 8"),
        (np.random.RandomState(1), np.random.RandomState(2), "another state of the same random"),
    ],
)
def test_the_seed_told_is_the_users(
    first: Any, then: Any, told: str, tmp_path: Path, stopped_after: Any
) -> None:
    path = tmp_path / "run.checkpoint"
    stopped_after(2)
    with pytest.raises(KeyboardInterrupt):
        mixture("diag", random_state=first).fit(table(), checkpoint=path)
    with pytest.raises(CheckpointError, match=told):
        mixture("diag", random_state=then).fit(table(), checkpoint=path)


@pytest.mark.parametrize("identity", [None, [], "x", 3, {}, {"seed": "x"}, {"seed": -1}])
@pytest.mark.parametrize("random_state", [None, 0])
def test_an_identity_that_is_none(identity: Any, random_state: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    head = {"format": FORMAT, "version": VERSION, "mixtura": "0", "identity": identity}
    path.write_bytes(line_of(head))
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: delete it"):
        mixture("diag", random_state=random_state).fit(table(), checkpoint=path)


def nested(depth: int = 100_000) -> bytes:
    text = b"[" * depth + b"]" * depth
    return b"%08x %s\n" % (zlib.crc32(text), text)


@pytest.mark.parametrize(
    "line",
    [
        nested(),
        line_of({"at": None, "sums": None, "components": []}),
        line_of({"at": 1, "sums": {}, "components": {"counts": 3}}),
    ],
    ids=["nested", "null", "wrong"],
)
def test_a_line_that_is_none(line: bytes, tmp_path: Path, stopped_after: Any) -> None:
    path = tmp_path / "run.checkpoint"
    stopped_after(1)
    with pytest.raises(KeyboardInterrupt):
        mixture("diag").fit(table(), checkpoint=path)
    head = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(head + line)
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: delete it"):
        mixture("diag").fit(table(), checkpoint=path)
    path.write_bytes(line)
    with pytest.raises(CheckpointError, match=r"damaged|not a mixtura checkpoint"):
        mixture("diag").fit(table(), checkpoint=path)
    with pytest.raises(CheckpointError, match=r"damaged|not the checkpoint of a search"):
        GaussianMixtureSearch([1]).fit(table(), checkpoint=path)


def test_a_link_stays(tmp_path: Path, stopped_after: Any) -> None:
    link, path = tmp_path / "link", tmp_path / "run.checkpoint"
    link.symlink_to(path)
    stopped_after(2)
    with pytest.raises(KeyboardInterrupt):
        mixture("diag").fit(table(), checkpoint=link)
    assert first_record(link) is not None
    assert link.is_symlink()
    stopped_after(10_000)
    mixture("diag").fit(table(), checkpoint=link)
    assert link.is_symlink()
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_a_disk_that_fills_up_does_not_end_the_fit(tmp_path: Path) -> None:
    import resource

    path, before = tmp_path / "run.checkpoint", resource.getrlimit(resource.RLIMIT_FSIZE)
    whole = mixture("full").fit(table())
    try:
        # The header and a few sweeps fit.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
        with pytest.warns(UserWarning, match=r"run\.checkpoint: the checkpoint cannot be written"):
            again = mixture("full").fit(table(), checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_array_equal(again.means_, whole.means_)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["no/file", "", "x" * 300])
def test_a_name_that_no_file_can_have_is_refused_first(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: Any) -> Any:
        raise AssertionError("digested")

    monkeypatch.setattr("mixtura.fitting.fingerprint.digest", read)
    with pytest.raises(CheckpointError, match=r"checkpoint .*cannot be written"):
        mixture("full").fit(table(), checkpoint=tmp_path / name)
    assert list(tmp_path.iterdir()) == []
