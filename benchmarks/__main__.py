"""Every speed claim, measured: `uv run python -m benchmarks [limits pass starts ...]`."""

from __future__ import annotations

import importlib
import sys

from rich.console import Console

# The command's word -> its module, which is imported when it runs.
BENCHMARKS = {
    "limits": "limits",
    "peers": "peers",
    "pass": "em_pass",
    "components": "components",
    "precision": "precision",
    "answers": "answers",
    "starts": "starts",
    "default": "default",
    "onestart": "one_start",
    "known": "known",
    "chance": "chance",
    "memory": "memory",
    "outofcore": "outofcore",
    "dask": "dask_workers",
    "killed": "killed",
    "startup": "startup",
    "solvers": "solvers",
    "optimum": "to_optimum",
    "mclust": "mclust",
    "select": "select",
    "howmany": "howmany",
    "guard": "guard",
    "gaps": "gaps",
    "missing": "missing_at_random",
    "factors": "factors",
    "families": "families",
    "hmm": "hmm",
    "hmmfits": "hmm_fits",
    "hmmmemory": "hmm_memory",
    "bayes": "bayes",
    "blocks": "blocks",
    "described": "described",
    "contamination": "contamination",
    "detectability": "detectability",
    "singular": "singular",
    "goodness": "goodness",
    "ancestry": "ancestry",
}
BY_WORKLOAD = ("limits", "peers", "precision", "default", "onestart", "known")


def main() -> None:
    # What holds commas is a workload: 10000,2,5.
    only = tuple(name for name in sys.argv[1:] if "," in name)
    chosen = [name for name in sys.argv[1:] if "," not in name] or list(BENCHMARKS)
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    for name in chosen:
        run = importlib.import_module(f"benchmarks.{BENCHMARKS[name]}").run
        if only and name in BY_WORKLOAD:
            run(Console(width=100), only)
        else:
            run(Console(width=100))


if __name__ == "__main__":
    main()
