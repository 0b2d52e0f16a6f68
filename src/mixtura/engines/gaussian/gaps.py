"""The pass of a Gaussian mixture over rows with missing cells, in C.

Rows that miss the same cells are put side by side. To the kernels what is there of them is a table
of fewer columns, and a group costs no more than so many whole rows: `native/gaps.h`.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs, chunk_slices
from mixtura.engines.gaussian.compiled import Passed, chunk_rows, passed
from mixtura.engines.gaussian.passes import Moments, answers_of, form_shape, model_of
from mixtura.engines.local import added
from mixtura.engines.native import Int, Pointer, address, checked, library, run
from mixtura.engines.threads import ThreadsSweep, ordered_map
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.families.patterns import patterns
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Chunk, Summary

# Components that parts of rows are cut for: how many there will be is not known then.
_TYPICAL = 8


class _Gaps(ctypes.Structure):
    """As in kernels.h."""

    _fields_ = [
        ("x", Pointer),
        ("weight", Pointer),
        ("d", Int),
        ("single", Int),
        ("seen", Pointer),
        ("rows", Pointer),
        ("groups", Int),
        ("model", Pointer),
        ("roots", Pointer),
        ("sums", Pointer),
        ("answers", Pointer),
    ]


@dataclass(frozen=True)
class Groups:
    """Rows in groups of those that miss the same cells.

    x (cells,) is what is there of row after row, float32 or float64; weight (n,) or None;
    seen (P, d) uint8 says which cells the rows of a group have; rows (P,) int64 how many it has.
    """

    x: AnyArray
    weight: Array | None
    seen: NDArray[np.uint8]
    rows: NDArray[np.int64]


def grouped(X: AnyArray, weight: Array | None, most: int) -> Iterator[tuple[Groups, AnyArray]]:
    """The rows of X in parts of at most so many, and where the rows of each stood in X."""
    kinds = patterns(X)
    index = kinds.index
    for part in chunk_slices(len(X), most):
        where = kinds.order[part]
        rows = X[where]
        first, last = index[part][[0, -1]]
        many = np.bincount(index[part] - first)
        seen = np.ascontiguousarray(kinds.seen[first : last + 1], dtype=np.uint8)
        w = None if weight is None else weight[where]
        yield Groups(rows[~np.isnan(rows)], w, seen, many), where


def gaps_pass(
    groups: Groups, mixture: Passed, roots: Array, out: RowOutputs | None = None
) -> tuple[float, Array, Array, Array] | None:
    """`gaussian_pass` over groups of rows, or answers for these where `out` holds arrays for them.

    roots are lower Cholesky ones, in the shape of the form; read where columns correlate.
    """
    d = groups.seen.shape[1]
    model, K, shape = model_of(d, *mixture)
    n = int(groups.rows.sum())
    count, first, second = np.zeros(K), np.zeros((K, d)), np.zeros(shape)
    moments = Moments(0.0, address(count), address(first), address(second))
    weight = groups.weight
    asked = _Gaps(
        checked("x", groups.x, (int(groups.seen.sum(axis=1) @ groups.rows),), single=True),
        None if weight is None else checked("weight", weight, (n,)),
        d,
        groups.x.dtype == np.float32,
        address(groups.seen),
        address(groups.rows),
        len(groups.rows),
        ctypes.addressof(model),
        checked("roots", roots, form_shape(mixture.form, K, d)),
    )
    if out is None:
        asked.sums = ctypes.addressof(moments)
        run(library().mixtura_gaps, asked)
        return moments.loglik, count, first, second
    answers = answers_of(n, K, **vars(out))
    asked.answers = ctypes.addressof(answers)
    run(library().mixtura_gaps, asked)
    return None


class GapsSweep(ThreadsSweep):
    """The pass over rows with gaps, fused: those in memory are grouped once."""

    engine = "compiled"

    def __init__(self, model: Mixture, rows: Source) -> None:
        assert isinstance(model.family, Gaussian)
        super().__init__(model, rows)
        self.form = model.family.form.name

    @property
    def _size(self) -> int:
        return chunk_rows(self.rows.n, self.rows.d, _TYPICAL, self.form)

    @cached_property
    def _held(self) -> list[Groups]:
        assert isinstance(self.rows, Rows)
        parts = grouped(self.rows.X, self.rows.sample_weight, self._size)
        return [part for part, _ in parts]

    def __call__(self, params: MixtureParams) -> Summary:
        self.passes += 1
        mixture, roots = passed(params), params.components.root

        def part(groups: Groups) -> Summary:
            found = gaps_pass(groups, mixture, roots)
            assert found is not None
            return Summary(found[0], 0.0, GaussianStatistics(*found[1:]))

        def read(chunk: Chunk) -> Summary:
            return added(part(g) for g, _ in grouped(chunk.X, chunk.weight, len(chunk.X)))

        if isinstance(self.rows, Rows):
            # One part is worked on here: handing it to a thread would cost a short table dear.
            each = map if len(self._held) == 1 else ordered_map
            total = added(each(part, self._held))
        else:
            total = added(ordered_map(read, self.rows.chunks(self._size)))
        return Summary(total.loglik, self.rows.weight, total.statistics)


def fill(model: Mixture, X: AnyArray, params: MixtureParams, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""
    mixture, roots = passed(params), params.components.root
    wanted = {name: array for name, array in vars(out).items() if array is not None}

    def run_part(part: tuple[Groups, AnyArray]) -> None:
        groups, where = part
        found = {
            name: np.empty_like(a, shape=(len(where), *a.shape[1:])) for name, a in wanted.items()
        }
        gaps_pass(groups, mixture, roots, RowOutputs(**found))
        for name, array in found.items():
            wanted[name][where] = array

    size = chunk_rows(*X.shape, len(params.weights), mixture.form)
    deque(ordered_map(run_part, grouped(X, None, size)), maxlen=0)
