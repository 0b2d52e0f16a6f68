"""How often a default fit reaches the best optimum known, and what a miss costs: 19 tables.

`python -m benchmarks known` fits each table with 20 seeds, beside scikit-learn's; `known wine,
grid,` only tables whose names hold such a word. An end counts where it is regular and at most 0.001
nats per row below the best regular one known. A highest maximum is not the best model: beside the
hits stands by how much the fits say more than the best known end, per row in the mean, of 100,000
rows of the same mixture that nobody fitted; above 0 where the higher maximum foretells less. The
standard error of two ends' difference is 0.002 at most.

`known.json` keeps of each table the height of the best regular end and what it says of a fresh row
(null of a real table, of which there are none), for both take long searches to find: the best of 20
of ours with 25 times the budget, which go on to its end, and other seeds, and of scikit-learn's
n_init=20, or of more of them. `python -m benchmarks.known wine grid` looks for better ones and
writes them there (19 processor minutes for all tables).

Regular, by one rule for both sides: no component has both fewer rows than 2 (d + 1), or than 5, and
a smallest variance, relative to the table's covariance, below 1e-3. Narrow ones of few rows are
what a likelihood without bound invents (Day 1969; McLachlan & Peel 2000, section 3.10). A second
kind of spurious end is high by noise: where rows are fewer than ten for each parameter and
components fewer than six, an end above the plain hill (`init_params="tied"`), but not surely so
(Vuong 1989; in these rows and in each left out), counts as that hill, whoever ends there: see
`mixtura.fitting.plainer`.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets
import sklearn.mixture
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from scipy.linalg import eigh

import mixtura
from benchmarks.hard_tables import Cell
from mixtura.data.rows import Rows
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.fitting import budget, hope, race
from mixtura.fitting.plainer import PLENTY, SEVERAL, how_surely, said, surely
from mixtura.records import Array

KNOWN = Path(__file__).with_name("known.json")
SEEDS, NEAR = 20, 1e-3
NARROW, FEW = 1e-3, 5
# Long searches: scikit-learn's starts, our fits, and how much longer than by default these search.
THEIRS, OURS, LONGER = 20, 20, 25
# Rows that no fit has seen.
FRESH = 100_000
CAPTION = f"""\
hits    regular ends of {SEEDS} at most {NEAR} nats per row below the best known
short   by how much the median is below it
fresh   by how much fits say more of rows that nobody fitted, in the mean; above 0 where
        the higher maximum foretells less"""
CELLS = (
    Cell("planted", 2000, 2, 4, 3.0),
    Cell("planted", 1000, 2, 4, 2.0, seed=5),
    Cell("overlapping", 200, 6, 2, 0.7),
    Cell("overlapping", 1000, 50, 5, 1.0),
    Cell("overlapping", 2000, 6, 15, 1.5),
    Cell("overlapping", 2000, 6, 15, 3.0),
    Cell("overlapping", 2000, 5, 10, 2.0),
    Cell("overlapping", 3000, 2, 30, 4.0),
    Cell("overlapping", 2000, 20, 6, 0.6),
    Cell("line", 1000, 1, 10, 20.0),
    Cell("anisotropic", 2000, 2, 6, 2.0),
    Cell("heavy", 2000, 2, 4, 4.0),
    Cell("unbalanced", 3000, 3, 6, 2.0),
    Cell("unbalanced", 4000, 2, 12, 4.0, seed=3),
    Cell("grid", 2500, 2, 25, 4.0),
    Cell("nested", 1500, 2, 3),
)


def tables(words: Sequence[str] = ()) -> dict[str, tuple[Array, int]]:
    """(rows, components) by name, of those whose names hold one of the words, or of all."""
    faithful = Path(__file__).parents[1] / "examples" / "faithful.csv"
    found = {_named(each): (each.table(), each.K) for each in CELLS}
    found["faithful, 3"] = np.loadtxt(faithful, delimiter=",", skiprows=1), 3
    found["iris, 3"] = sklearn.datasets.load_iris().data, 3
    found["wine, 3"] = sklearn.datasets.load_wine().data, 3
    for word in words:
        if not any(word in name for name in found):
            sys.exit(f"no table's name holds {word!r}: they are {'; '.join(found)}")
    return {
        name: table
        for name, table in found.items()
        if not words or any(word in name for word in words)
    }


def fresh(name: str) -> Array | None:
    """Rows of the mixture that a table was drawn from; None where nobody knows it."""
    drawn = {_named(each): each for each in CELLS}
    return drawn[name].fresh(FRESH) if name in drawn else None


def _named(cell: Cell) -> str:
    return f"{cell.name}, {cell.spread:g} sd"


def regular(X: Array, weights: Array, covariances: Array) -> bool:
    """Whether no component is narrow for its few rows."""
    scale, few = np.atleast_2d(np.cov(X.T)), max(2 * (X.shape[1] + 1), FEW)
    return not any(
        weight * len(X) < few and eigh(covariance, scale, eigvals_only=True)[0] < NARROW
        for weight, covariance in zip(weights, covariances, strict=True)
    )


def plain(X: Array, K: int) -> Any:
    """The plain hill of a table with few rows for its parameters; None where there is none."""
    n, d = X.shape
    if K >= SEVERAL or n >= PLENTY * (K * (d * (d + 3) // 2 + 1) - 1):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mixtura.GaussianMixture(K, init_params="tied", random_state=0).fit(X)
    sound = all(each.verdict == "regular" for each in fit.fit_result_.standings)
    return fit if sound and fit.fit_result_.verdict == "interior maximum" else None


def height(X: Array, model: Any, hill: Any) -> float:
    """The mean log-likelihood of an end, that of the hill where it is not surely above it.

    Minus infinity where it is not regular.
    """
    if not regular(X, model.weights_, model.covariances_):
        return -np.inf
    own = float(model.score(X))
    if hill is None or own <= hill.score(X):
        return own
    above = how_surely(_said(X, model, hill), _said(X, hill, hill), np.ones(len(X)), len(X))
    return own if surely(above) else float(hill.score(X))


def _said(X: Array, end: Any, hill: Any) -> tuple[Array, Array]:
    """What an end says of the rows, and of each that is left out, by the model of the hill's."""
    model, params = hill._fitted()
    names = ("weights", "means", "covariances")
    params = model.with_arrays(params, {name: getattr(end, f"{name}_") for name in names})
    return said(model, params, Rows(X), float(len(X)), 1.0)


@dataclass(frozen=True)
class End:
    """height   by which it counts; minus infinity where it is not regular
    beyond   what it says of fresh rows, per row; None where there are none
    """

    height: float
    beyond: float | None


def ended(
    kind: type[Any],
    X: Array,
    K: int,
    seed: int,
    hill: Any,
    unseen: Array | None = None,
    **settings: Any,
) -> End:
    """Where a fit ends.

    With one thread of BLAS and OpenMP: beside other work the many short products of scikit-learn
    take twelve times as long with two.
    """
    with warnings.catch_warnings(), single_blas, single_openmp():
        warnings.simplefilter("ignore")
        model = kind(K, random_state=seed, **settings).fit(X)
        return _end(model, X, hill, unseen)


def _end(model: Any, X: Array, hill: Any, unseen: Array | None) -> End:
    beyond = None if unseen is None else float(model.score(unseen))
    return End(height(X, model, hill), beyond)


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print, for each table and both sides, the hits and what fits say of fresh rows."""
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    title = "Fits that reach the best optimum known, ours and scikit-learn's"
    table = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("table", no_wrap=True)
    table.add_column("best known", justify="right", no_wrap=True)
    for side in ("ours", "theirs"):
        for heading in (f"{side}\nhits", "\nshort", "\nfresh"):
            table.add_column(heading, justify="right", no_wrap=True)
    shares = []
    for name, (X, K) in tables([word.strip(",") for word in only]).items():
        hill, unseen = plain(X, K), fresh(name)
        both = [
            [ended(kind, X, K, seed, hill, unseen) for seed in range(SEEDS)]
            for kind in (mixtura.GaussianMixture, sklearn.mixture.GaussianMixture)
        ]
        best = End(**known[name])
        shares.append([_share(ends, best) for ends in both])
        cells = [cell for ends in both for cell in _cells(ends, best)]
        table.add_row(name, f"{best.height:.5f}", *cells)
    ours, theirs = np.mean(shares, axis=0)
    table.add_section()
    table.add_row("over all", "", f"{ours:.0%}", "", "", f"{theirs:.0%}")
    console.print(table)
    console.print(CAPTION, highlight=False)


def _share(ends: list[End], best: End) -> float:
    return float(np.mean([best.height - end.height <= NEAR for end in ends]))


def _cells(ends: list[End], best: End) -> tuple[str, str, str]:
    short = best.height - float(np.median([end.height for end in ends]))
    if best.beyond is None:
        return f"{_share(ends, best):.0%}", f"{short:.4f}", "-"
    more = np.mean([end.beyond for end in ends if end.beyond is not None]) - best.beyond
    return f"{_share(ends, best):.0%}", f"{short:.4f}", f"{more:+.4f}"


@contextmanager
def longer() -> Iterator[None]:
    """Searches may cost `LONGER` times as much, and do so without hope."""
    least, hoped = budget.LEAST, hope.LEAST
    budget.LEAST, race.LEAST, hope.LEAST = LONGER * least, LONGER * least, 0.0
    try:
        yield
    finally:
        budget.LEAST, race.LEAST, hope.LEAST = least, least, hoped


def search(words: Sequence[str] = ()) -> None:
    """Look for better optima of `tables(words)`, and write down what is the best known now."""
    known = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}
    for name, (X, K) in tables(words).items():
        found = _found(name, X, K)
        if name not in known or found.height > known[name]["height"]:
            known[name] = asdict(found)
        print(f"{name}: found {found}, known {known[name]}", flush=True)
        KNOWN.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _found(name: str, X: Array, K: int) -> End:
    """The best end of long searches on both sides, or the hill that it counts as."""
    hill, unseen = plain(X, K), fresh(name)
    found = [] if hill is None else [_end(hill, X, hill, unseen)]
    theirs = {"n_init": THEIRS, "max_iter": 1000}
    found.append(ended(sklearn.mixture.GaussianMixture, X, K, 0, hill, unseen, **theirs))
    with longer():
        for seed in range(OURS):
            found.append(ended(mixtura.GaussianMixture, X, K, 1000 + seed, hill, unseen))
    return max(found, key=lambda end: end.height)


if __name__ == "__main__":
    search(sys.argv[1:])
