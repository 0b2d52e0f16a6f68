"""Every speed claim, measured: `uv run python -m benchmarks [limits pass starts ...]`."""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks import em_pass, limits, mclust, memory, outofcore, solvers, starts, startup, to_optimum

BENCHMARKS = {
    "limits": limits.run,
    "pass": em_pass.run,
    "starts": starts.run,
    "memory": memory.run,
    "outofcore": outofcore.run,
    "startup": startup.run,
    "solvers": solvers.run,
    "optimum": to_optimum.run,
    "mclust": mclust.run,
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
