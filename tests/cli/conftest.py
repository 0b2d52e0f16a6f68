"""A folder to work in and a model to work with."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import FAITHFUL, run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of faithful.csv with two components."""
    path = tmp_path_factory.mktemp("model") / "faithful.model.json"
    assert run("fit", FAITHFUL, "--out", path, "--no-figure", "--quiet").exit_code == 0
    return path
