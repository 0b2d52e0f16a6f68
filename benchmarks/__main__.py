"""Every speed claim, measured: `uv run python -m benchmarks [limits pass starts ...]`."""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks import em_pass, guard, limits, memory, peers, solvers, starts, startup, to_optimum

BENCHMARKS = {
    "limits": limits.run,
    "peers": peers.run,
    "pass": em_pass.run,
    "starts": starts.run,
    "memory": memory.run,
    "startup": startup.run,
    "solvers": solvers.run,
    "optimum": to_optimum.run,
    "guard": guard.run,
}
BY_WORKLOAD = {"limits": limits.run, "peers": peers.run}


def main() -> None:
    # What holds commas is a workload: 10000,2,5.
    only = tuple(name for name in sys.argv[1:] if "," in name)
    chosen = [name for name in sys.argv[1:] if "," not in name] or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    for name in chosen:
        if only and name in BY_WORKLOAD:
            BY_WORKLOAD[name](Console(width=100), only)
        else:
            BENCHMARKS[name](Console(width=100))


if __name__ == "__main__":
    main()
