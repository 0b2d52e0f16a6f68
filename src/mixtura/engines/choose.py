"""The engines by name, as `mixtura.homes` lists them, and the rule behind "auto"."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

from mixtura import homes
from mixtura.data.known_rows import KnownRows
from mixtura.data.sequences import Sequences
from mixtura.data.source import Source
from mixtura.engines.base import Filler, Opener, RowOutputs, Sweep
from mixtura.engines.chain import ChainSweep
from mixtura.engines.kernels import KERNELS, kernel_of
from mixtura.engines.known import KnownSweep
from mixtura.engines.parts import PartsSweep
from mixtura.models.base import Model
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.noise import Noisy
from mixtura.records import AnyArray

# Those that run every model.
PLAIN: dict[str, tuple[Opener, Filler]] = {
    name: (homes.located(home), homes.located(f"{home.partition(':')[0]}:fill"))
    for name, home in homes.PLAIN_ENGINES.items()
}
# Those that need a package that need not be there; engines by that name.
OPTIONAL = ("torch",)
# And those that some model has a kernel for.
ENGINES = tuple(name for name in (*PLAIN, *homes.FUSED_ENGINES) if name not in OPTIONAL)
# Rows in other processes, as those of Dask collections, are swept there, each part by "auto".
AWAY = homes.AWAY
NAMES = (*ENGINES, *OPTIONAL, AWAY)


def resolve(engine: str, model: Model) -> str:
    """The engine that runs: "auto" is compiled where a kernel exists for the model, else threads.

    Raises ValueError for an unknown name, or a named engine that cannot run the model or whose
    package is not installed.
    """
    kernel = kernel_of(model)
    served = () if kernel is None else tuple(kernel.sweeps)
    if engine == "auto":
        return "compiled" if "compiled" in served else "threads"
    if engine not in NAMES:
        raise ValueError(f"engine must be 'auto' or one of {sorted(NAMES)}, got {engine!r}")
    if engine not in (*PLAIN, AWAY) and engine not in served:
        others = " or ".join(map(repr, ("auto", *served, "threads")))
        raise ValueError(
            f"engine={engine!r} has no kernel for {_named(model)}: use engine={others}"
        )
    if engine in OPTIONAL and find_spec(engine) is None:
        raise ValueError(
            f"engine={engine!r} needs the package {engine}: pip install 'mixtura[{engine}]', or "
            "use engine='auto'"
        )
    return engine


def resolve_for(rows: Source, engine: str, model: Model) -> str:
    """The engine that runs over these rows; ValueError where they do not lie where it runs."""
    if rows.away and engine not in ("auto", AWAY):
        raise ValueError(
            f"engine={engine!r} runs in this process, and the rows lie in Dask partitions: use "
            "engine='auto', which sweeps each where it is"
        )
    if engine == AWAY and not rows.away:
        raise ValueError(
            "engine='dask' is for Dask arrays and data frames and for Parquet files, and these "
            "rows are in this process: use engine='auto', or give dask.array.from_array(X)"
        )
    return resolve(AWAY if rows.away else engine, model)


def _named(model: Model) -> str:
    """What has no kernel: the family, by the name it carries, or else a model of one's own."""
    if getattr(getattr(model, "family", None), "gaps", False):
        return "rows with gaps"
    if isinstance(model, Noisy):
        return f"{model.family.name!r} beside noise"
    known = type(model) in {of for of, _ in KERNELS}
    return repr(model.family.name) if known else type(model).__name__  # type: ignore[attr-defined]


def open_sweep(engine: str, model: Model, rows: Source) -> Sweep:
    """A sweep of that (resolved) engine over the rows."""
    if rows.apart:
        opener = _open_best if engine == AWAY else partial(open_sweep, engine)
        return PartsSweep(model, rows, opener)
    if engine == AWAY:
        return _open_best(model, rows)
    if engine in PLAIN:
        return PLAIN[engine][0](model, rows)
    kernel = kernel_of(model)
    assert kernel is not None
    if isinstance(rows, KnownRows):
        return KnownSweep(kernel.sweeps[engine], model, rows)
    return kernel.sweeps[engine](model, rows)


def _open_best(model: Any, rows: Source) -> Sweep:
    return open_sweep(resolve("auto", model), model, rows)


def chain_sweep(model: HiddenMarkov, rows: Sequences) -> ChainSweep:
    """What answers about the states of sequences, whatever engine fitted them."""
    sweep = open_sweep("compiled", model, rows)
    assert isinstance(sweep, ChainSweep)
    return sweep


def fill(engine: str, model: Model, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Answer row by row with that (resolved) engine."""
    engine = resolve("auto", model) if engine == AWAY else engine
    kernel = None if engine in PLAIN else kernel_of(model)
    answer = PLAIN[engine][1] if kernel is None else kernel.fills.get(engine, kernel.fill)
    assert answer is not None
    answer(model, X, params, out)
