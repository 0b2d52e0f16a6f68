"""The engines by name, and the rule behind "auto"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixtura.data.source import Source
from mixtura.engines import compiled, local, mixed, threads
from mixtura.engines.base import RowOutputs, Sweep
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray

Opener = Callable[[Any, Source], Sweep]
Filler = Callable[[Mixture, AnyArray, Any, RowOutputs], None]

ENGINES: dict[str, tuple[Opener, Filler]] = {
    "local": (local.LocalSweep, local.fill),
    "threads": (threads.ThreadsSweep, threads.fill),
    "compiled": (compiled.CompiledSweep, compiled.fill),
    "dense": (compiled.DenseSweep, compiled.fill),
    "mixed": (mixed.MixedSweep, compiled.fill),
}
# Those that run the fused kernels.
_KERNELS = ("compiled", "dense", "mixed")


def resolve(engine: str, model: Model) -> str:
    """The engine that runs: "auto" is compiled where a kernel exists for the model, else threads.

    Raises ValueError for an unknown name, or a named engine that cannot run the model.
    """
    if engine == "auto":
        return "compiled" if compiled.supports(model) else "threads"
    if engine not in ENGINES:
        raise ValueError(f"engine must be 'auto' or one of {sorted(ENGINES)}, got {engine!r}")
    if engine in _KERNELS and not compiled.supports(model):
        known = isinstance(model, Mixture) and getattr(model.family, "kind", None)
        kind = type(model.family if isinstance(model, Mixture) else model).__name__
        if known:
            kind = f"covariances of factors such as {str(known)!r}"
        raise ValueError(
            f"engine={engine!r} has no kernel for {kind}: use engine='auto' or 'threads'"
        )
    return engine


def open_sweep(engine: str, model: Model, rows: Source) -> Sweep:
    """A sweep of that (resolved) engine over the rows."""
    return ENGINES[engine][0](model, rows)


def fill(engine: str, model: Mixture, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Answer row by row with that (resolved) engine."""
    ENGINES[engine][1](model, X, params, out)
