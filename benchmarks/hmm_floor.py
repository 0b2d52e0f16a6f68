"""The latency of a hidden Markov chain on this machine: a vector times a matrix, step after step.

Each step waits for the one before, whatever else a processor could do meanwhile. This is the
quickest chain in one thread: states in the lanes of a vector, emissions at hand, no logarithm, and
divided by its sum every 8th step.
"""

from __future__ import annotations

import ctypes

import numpy as np

from benchmarks.machine import compiled, fastest

STEPS = 20_000
CHAIN = """
#include "simd.h"
#define PARTS {parts}
#define K {K}
#if defined(_WIN32)
__declspec(dllexport)
#endif
void chain(const double *moves, const double *b, double *law, int64_t n)
{{
    vec row[K][PARTS], a[PARTS];
    for (int i = 0; i < K; i++)
        for (int p = 0; p < PARTS; p++)
            row[i][p] = load(moves + (i * PARTS + p) * VL);
    for (int p = 0; p < PARTS; p++)
        a[p] = load(law + p * VL);
    for (int64_t t = 0; t < n; t++) {{
        vec one[PARTS], two[PARTS];
        for (int p = 0; p < PARTS; p++)
            one[p] = two[p] = splat(0.0);
        UNROLL
        for (int i = 0; i < K; i++)
            for (int p = 0; p < PARTS; p++)
                if (i % 2)
                    one[p] += splat(a[i / VL][i % VL]) * row[i][p];
                else
                    two[p] += splat(a[i / VL][i % VL]) * row[i][p];
        for (int p = 0; p < PARTS; p++)
            a[p] = (one[p] + two[p]) * load(b + (t % 64 * PARTS + p) * VL);
        if (t % 8 == 7) {{
            double sum = 0.0;
            for (int p = 0; p < PARTS; p++)
                sum += sum_lanes(a[p]);
            for (int p = 0; p < PARTS; p++)
                a[p] *= splat(1.0 / sum);
        }}
    }}
    for (int p = 0; p < PARTS; p++)
        store(law + p * VL, a[p]);
}}
"""
WIDTHS = {"v4": 8, "v3": 4}


def step_seconds(K: int, variant: str) -> float | None:
    """Of one step of a chain of K states; None where nothing can compile it."""
    width = WIDTHS.get(variant, 2)
    parts = -(-K // width)
    library = compiled(CHAIN.format(K=K, parts=parts))
    if library is None:
        return None
    rng = np.random.default_rng(0)
    moves, b = np.zeros((K, parts * width)), np.zeros((64, parts * width))
    moves[:, :K], b[:, :K] = rng.dirichlet(np.ones(K), K), rng.uniform(0.1, 1.0, size=(64, K))
    law = np.zeros(parts * width)
    law[:K] = expected = np.full(K, 1.0 / K)
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (moves, b, law)]
    library.chain(*addresses, ctypes.c_int64(16))
    for t in range(16):
        expected = expected @ moves[:, :K] * b[t, :K]
    assert np.allclose(law[:K], expected / expected.sum())
    return fastest(lambda: library.chain(*addresses, ctypes.c_int64(STEPS)), 0.3) / STEPS
