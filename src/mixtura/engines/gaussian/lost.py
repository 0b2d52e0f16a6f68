"""The information that rows lose with their labels, in C: all of it in one look at the rows."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator
from itertools import islice
from math import ceil, inf

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.gaussian.passes import GaussianModel, gaussian_rows, model_of
from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library, run
from mixtura.engines.threads import ordered_map
from mixtura.families.gaussian.forms import Name
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import NO_SHARE, Chunk

# Numbers of a line of a tile are whole vectors of the widest variant.
_VECTOR = 8
# Numbers at most of the tiles of one chunk, and of chunks at a time, of which there are at most so
# many; rows that one should have and may have.
_NUMBERS, _TOGETHER = 1 << 23, 1 << 22
_CHUNKS, _ROWS, _MOST_ROWS = 4, 4096, 1 << 16
# Numbers at most of responsibilities that are held at a time.
_SHARES = 1 << 21
# What tells the price, in multiplications of the pass; measured. A row has a share in so many
# components; then a number of a tile, a component that a row has a share in, one that it may have a
# share in, the call, a pass's own with its gradient, and that of a look that leads a climb.
_COMPANY, _TILE, _SHARED, _LOOK = 16, 1.25, 250.0, 75.0
_CALL, _PASS, _LED = 8e5, 3e5, 1.25e7
# And of the matrix of all numbers: each, and each multiplication of its factors, of which there are
# a few until one is positive.
_ENTRY, _FACTOR = 20.0, 1.5


class _Lost(ctypes.Structure):
    _fields_ = [
        ("x", Pointer),
        ("weight", Pointer),
        ("shares", Pointer),
        ("model", ctypes.POINTER(GaussianModel)),
        ("n", Int),
        ("d", Int),
        ("q", Int),
        ("width", Int),
        ("least", Double),
        ("lost", Pointer),
    ]


def numbers_told(form: Name, d: int) -> int:
    """What a component hears of a row: a 1, the residual, the slopes in its root's numbers."""
    roots = {"full": d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": d, "spherical": 1}
    return 1 + d + roots[form]


def price(rows: Source, K: int, form: Name, led: bool = False) -> float:
    """How many passes `information_lost` and what is made of it are worth; infinite: no memory.

    A climb that is `led` by it asks for both often, and passes without a gradient: these are its
    units.
    """
    q = numbers_told(form, rows.d)
    if K * K * q * _padded(q) > _NUMBERS:
        return inf
    company = min(K, _COMPANY)
    tiles = _TILE * 0.5 * company * (company + 1) * q * _padded(q)
    numbers = K * q
    matrix = (_LED if led else _CALL) + _ENTRY * numbers**2 + _FACTOR * numbers**3
    one = K * (0.5 * rows.d * (rows.d + 3) + 16) * rows.n + (0.0 if led else _PASS)
    return (rows.n * (tiles + _SHARED * company + _LOOK * K) + matrix) / one


def information_lost(
    rows: Source,
    params: MixtureParams,
    form: Name,
    least: float = NO_SHARE,
    *,
    near: bool = False,
) -> Array:
    """sum_i w_i Cov(f | x_i), (K, q, K, q), of what the complete data tell of each component.

    f holds for each component 1, y and the slopes in the free numbers of its root, all times the
    indicator of the label, with y the row in the component's whitened units. Shares below the
    `least` are none. Rows beside each other may be `near` each other already. Source: Louis (1982),
    J. Royal Statistical Society B 44.
    """
    K, q = len(params.weights), numbers_told(form, rows.d)
    count = max(1, min(_CHUNKS, _TOGETHER // (K * K * q * _padded(q)), rows.n // _ROWS))
    sums = [np.zeros((K, K, q, _padded(q))) for _ in range(count)]
    chunks = rows.chunks(min(ceil(rows.n / count), _MOST_ROWS))
    # However long the table, so many chunks and no more are at hand at a time.
    while some := list(islice(chunks, count)):
        work = zip(some, sums, strict=False)
        deque(
            ordered_map(lambda each: _add_tiles(*each, params, form, least, near), work), maxlen=0
        )
    total = sums[0]
    for part in sums[1:]:
        total += part
    lower = total[..., :q]
    lower[np.diag_indices(K)] *= 0.5
    # Tiles of a component and a later one are empty.
    return (lower + lower.transpose(1, 0, 3, 2)).swapaxes(1, 2)


def _padded(q: int) -> int:
    return ceil(q / _VECTOR) * _VECTOR


def _add_tiles(
    chunk: Chunk, out: Array, params: MixtureParams, form: Name, least: float, near: bool
) -> None:
    """Add the sums of some rows to (K, K, q, numbers of a line), where the second is no later."""
    c = params.components
    mixture = params.log_weights, c.means, c.whiten, c.log_norm, form
    d, K = chunk.X.shape[1], len(params.weights)
    model, *_ = model_of(d, *mixture)
    q = numbers_told(form, d)
    for x, w in _pieces(chunk, max(1, _SHARES // K)):
        shares = np.empty((len(x), K))
        gaussian_rows(x, *mixture, responsibilities=shares)
        if not near:
            # Rows of one component side by side have shares in the same others.
            order = np.argsort(shares.argmax(axis=1), kind="stable")
            x, shares, w = x[order], shares[order], None if w is None else w[order]
        weight = None if w is None else checked("weights", w, (len(x),))
        asked = _Lost(
            checked("x", x, (len(x), d)),
            weight,
            checked("shares", shares, (len(x), K)),
            ctypes.pointer(model),
            len(x),
            d,
            q,
            _padded(q),
            least,
            address(out),
        )
        run(library().mixtura_lost, asked)


def _pieces(chunk: Chunk, most: int) -> Iterator[tuple[Array, Array | None]]:
    """(rows, weights) of the rows that weigh anything, in float64, so many at a time."""
    for first in range(0, len(chunk.X), most):
        x = chunk.X[first : first + most]
        w = None if chunk.weight is None else chunk.weight[first : first + most]
        if w is not None:
            x, w = x[w > 0], w[w > 0]
        if len(x):
            yield np.ascontiguousarray(x, dtype=np.float64), w
