"""What this machine can do at most: multiply, take exponentials, and read memory.

Each figure is the best of several ways, since the limit is what anybody could reach: matrix
products by OpenBLAS's own choice of kernels and by its AVX-512 ones (on some machines the default
choice reaches half), exponentials by NumPy's and by our own.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.floor import Machine
from mixtura.engines import native
from mixtura.engines.threads import single_blas, workers

CORES = ("", "SkylakeX")
PRODUCT = """
import time
import numpy as np
a = np.random.default_rng(0).random((2048, 2048))
b, out, best = a.copy(), a.copy(), 1e9
for _ in range(10):
    began = time.perf_counter()
    np.dot(a, b, out=out)
    best = min(best, time.perf_counter() - began)
print(2 * 2048**3 / best)
"""
# The kernels' exp alone, on a table that stays in the first-level cache.
OUR_EXP = """
#include "simd.h"
#if defined(_WIN32)
__declspec(dllexport)
#endif
void exps(const double *x, double *out, int64_t n, int64_t times)
{
    for (int64_t t = 0; t < times; t++) {
        for (int64_t i = 0; i < n; i += VL)
            store(out + i, exp_above(load(x + i), splat(EXP_LEAST)));
        __asm__ volatile("" : : "r"(out) : "memory");
    }
}
"""
SOME = 1 << 11
MANY = 1 << 15
LARGE = 1 << 26


def fastest(function: Callable[[], object], for_seconds: float) -> float:
    """Seconds of the fastest of the calls that fit into that time, at least two."""
    best, calls, end = np.inf, 0, time.perf_counter() + for_seconds
    while calls < 2 or time.perf_counter() < end:
        began = time.perf_counter()
        function()
        best, calls = min(best, time.perf_counter() - began), calls + 1
    return float(best)


def product_rates(threads: int) -> dict[str, float]:
    """Flops per second of a large matrix product, by OpenBLAS's kernels; '' is its own choice."""
    rates = {}
    for core in CORES:
        count = str(threads)
        env = {**os.environ, "OPENBLAS_NUM_THREADS": count, "OMP_NUM_THREADS": count}
        if core:
            env["OPENBLAS_CORETYPE"] = core
        done = subprocess.run(
            [sys.executable, "-c", PRODUCT], env=env, capture_output=True, text=True
        )
        # Kernels that this processor cannot run end the process.
        if done.returncode == 0:
            rates[core] = float(done.stdout)
    return rates


def numpy_exp_rate(threads: int) -> float:
    """Exponentials per second by NumPy, in cache, in all threads."""
    x = -20.0 * np.random.default_rng(0).random((threads, MANY))
    out, times = np.empty_like(x), 100

    def work(t: int) -> None:
        for _ in range(times):
            np.exp(x[t], out=out[t])

    with ThreadPoolExecutor(threads) as pool:
        return threads * times * MANY / fastest(lambda: list(pool.map(work, range(threads))), 0.6)


def compiled(source: str) -> ctypes.CDLL | None:
    """A library of that C code, for this processor; None where nothing can compile it."""
    try:
        from hatch_build import FLAGS, LEVELS, NATIVE, find_compiler, run
    except ImportError:  # the build's own needs, which a user's environment may lack
        return None
    compiler = find_compiler()
    if compiler is None:
        return None
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        code, library = Path(folder, "floor.c"), Path(folder, "floor.so")
        code.write_text(source)
        level = [*LEVELS.get(native.variant(), []), "-fvisibility=default", f"-I{root / NATIVE}"]
        if sys.platform != "win32":
            level.append("-fPIC")
        run([*compiler, *FLAGS, *level, "-shared", str(code), "-o", str(library)])
        return ctypes.CDLL(str(library))


def our_exp_rate(threads: int) -> float | None:
    """The same by the kernels' own exp; None where nothing can compile it alone."""
    library = compiled(OUR_EXP)
    if library is None:
        return None
    exps = library.exps
    x = -20.0 * np.random.default_rng(0).random((threads, SOME))
    out, times = np.empty_like(x), 2000

    def work(t: int) -> None:
        pointers = (ctypes.c_void_p(a[t].ctypes.data) for a in (x, out))
        exps(*pointers, ctypes.c_int64(SOME), ctypes.c_int64(times))

    with ThreadPoolExecutor(threads) as pool:
        seconds = fastest(lambda: list(pool.map(work, range(threads))), 0.6)
    assert np.allclose(out, np.exp(x), rtol=1e-14)
    return threads * times * SOME / seconds


def read_rate(threads: int) -> float:
    """Bytes read per second from a table far larger than the caches, in all threads."""
    x = np.ones(LARGE).reshape(threads, -1)

    def work(t: int) -> None:
        x[t].dot(x[t])

    with single_blas, ThreadPoolExecutor(threads) as pool:
        return x.nbytes / fastest(lambda: list(pool.map(work, range(threads))), 0.6)


def measure() -> tuple[Machine, str]:
    """This machine, and a sentence that says how each figure came about."""
    threads = workers()
    products = product_rates(threads)
    exps = {"NumPy's": numpy_exp_rate(threads)}
    ours = our_exp_rate(threads)
    if ours is not None:
        exps["our own"] = ours
    machine = Machine(threads, max(products.values()), max(exps.values()), read_rate(threads))
    said = ", ".join(f"{rate / 1e9:.0f} {core or 'by default'}" for core, rate in products.items())
    if ours is None:
        said += " (own exponentials not timed: needs hatchling and a C compiler)"
    exp_said = ", ".join(f"{rate / 1e9:.2f} {whose}" for whose, rate in exps.items())
    return machine, (
        f"{threads} threads, kernels {native.variant()}: matrix products {said} Gflop/s; "
        f"exponentials {exp_said} G/s; "
        f"reading {machine.bandwidth / 1e9:.0f} GB/s"
    )
