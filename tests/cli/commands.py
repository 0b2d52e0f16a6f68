"""Running the command line in tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from mixtura.cli import app

ROOT = Path(__file__).parents[2]
FAITHFUL = ROOT / "examples" / "faithful.csv"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}


def spawn(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in pipes."""
    command = [sys.executable, "-m", "mixtura", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
