"""Every speed claim, measured: `uv run python -m benchmarks [pass starts memory ...]`."""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks import (
    answers,
    components,
    em_pass,
    memory,
    precision,
    solvers,
    starts,
    startup,
    to_optimum,
)

BENCHMARKS = {
    "pass": em_pass.run,
    "starts": starts.run,
    "memory": memory.run,
    "startup": startup.run,
    "solvers": solvers.run,
    "optimum": to_optimum.run,
    "components": components.run,
    "precision": precision.run,
    "answers": answers.run,
}


def main() -> None:
    chosen = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    for name in chosen:
        BENCHMARKS[name](Console(width=100))


if __name__ == "__main__":
    main()
