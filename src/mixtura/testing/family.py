"""The contract of a family: its densities, draws and units belong together."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.engines.threads import single_blas
from mixtura.families.base import Family
from mixtura.families.returned import read, settle
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array
from mixtura.returned import plain
from mixtura.testing.draws import check_draws, check_moments
from mixtura.testing.gaps import check_gaps, with_gaps
from mixtura.testing.model import check_all
from mixtura.testing.one_column import check_cells, check_mass, drawn_from_density, seen
from mixtura.testing.requiring import refusing, require, table

# Labelled draws whose scores are looked at, and how many at a time; beyond six standard errors the
# variance of a score may be so far from 1.
DRAWS, BATCH, VARIES = 800, 20, 0.1


def check_family(
    family: Family, data: Any, *, n_components: int = 2, random_state: int = 0
) -> None:
    """AssertionError unless a family keeps the contract on these rows.

    Parameters
    ----------
    family : Family
    data : array-like of shape (n_samples, n_features)
        Rows that it could have made; at least some dozens.
    n_components : int, default 2
    random_state : int, default 0

    Checked are, beside what `check_model` looks at in a mixture of the family: densities of one
    column add up to 1, where the family takes one column; missing cells are left out where it says
    `allows_gaps`; draws are independent and have its density, `means` and `variances` are theirs
    (false alarms: one in a million); `information` is what the scores of draws with their labels
    vary by, which makes the units of free numbers, where it makes them (no `chart` of its own).
    Where it draws nothing itself, rows of one column are drawn from its density. All but the
    climb not of a `conditional` family, which has no density of its columns.
    """
    if not isinstance(family, Family):
        raise TypeError(f"family: an object of a class of families, such as F(), got {family!r}")
    X, rng = table(data, gaps=family.allows_gaps), np.random.default_rng(random_state)
    with refusing(), single_blas:
        _check(read(family), X, n_components, rng, random_state)


def _check(family: Family, X: Array, K: int, rng: np.random.Generator, seed: int) -> None:
    whole = Rows(X, np.ones(len(X)))
    settle(plain(family), Survey(whole, whole), K)
    model, params = _mixture(family, X, K, rng)
    _check_shapes(model.family, X, params)
    one = not family.conditional and _takes_one_column(family, X, rng)
    if one:
        rows = seen(X[:, :1])
        law = check_mass(*_mixture(family, rows, 1, rng), rows)
        if type(family).sample is not Family.sample:
            check_cells(law, rng)
    found = model.family.log_density(X, params.components)
    require(not np.isnan(found).any(), f"log_density: {family.name} is not a number at some rows")
    if family.allows_gaps:
        X = with_gaps(X, check_gaps(model.family, X, params.components), rng)
        params = _mixture(family, X, K, rng)[1]
    check_all(model, X, params, 2000, seed)
    if not family.conditional:
        _check_drawn(family, X, K, one, rng)


def _check_drawn(family: Family, X: Array, K: int, one: bool, rng: np.random.Generator) -> None:
    """What draws tell: their own, or of one column those that its density makes."""
    model, params = _mixture(family, X, K, rng)
    n = DRAWS * BATCH
    if type(family).sample is not Family.sample:
        check_draws(model, params, rng)
        labels = rng.choice(K, p=params.weights, size=n)
        drawn = model.family.sample(labels, params.components, rng), labels
    elif one:
        rows = seen(X[:, :1])
        model, params = _mixture(family, rows, K, rng)
        made = drawn_from_density(model, params, rows, n, rng)
        if made is None:
            return
        drawn = made
        check_moments(model.family, params.components, *drawn)
    else:
        return
    if not model.obstacle():
        _check_information(family, model, params, *drawn)


def _check_shapes(family: Family, X: Array, params: MixtureParams) -> None:
    K = len(params.weights)
    for name, shape in family.shapes(K, X.shape[1]).items():
        found = params.components.arrays()[name].shape
        require(
            found == shape,
            f"maximize: {name!r} of {K} components is of shape {found}, and `shapes(K, d)`, by "
            f"which files are read, says {shape}",
        )
    try:
        family.params(params.components.arrays())
    except ValueError as error:
        raise AssertionError(f"maximize: it left what is admissible: {error}") from error
    for method in ("means", "variances") if not family.conditional else ():
        if getattr(type(family), method) is not getattr(Family, method):
            told = np.shape(getattr(family, method)(params.components))
            wide = (K, X.shape[1])
            require(told == wide, f"{method}: of {K} components it is of shape {told}, not {wide}")
    found, wanted = family.log_density(X, params.components), (len(X), K)
    require(
        found.shape == wanted,
        f"log_density: of {len(X)} rows and {K} components it is of shape {found.shape}, not "
        f"{wanted}",
    )
    require(
        found.dtype == np.float64,
        f"log_density: it is of type {found.dtype}, whose digits are too few for sums: return "
        "float64",
    )


def _takes_one_column(family: Family, X: Array, rng: np.random.Generator) -> bool:
    """Not that of unit vectors, or of shares of a total: it refuses a table of one column, or has
    nothing to say of it."""
    one = seen(X[:, :1])
    rows = Rows(one)
    try:
        family.settled(Survey(rows, rows), 1)
    except ValueError:
        if X.shape[1] == 1:
            raise
        return False
    model, params = _mixture(family, one, 1, rng)
    return X.shape[1] == 1 or bool(np.any(model.family.log_density(one, params.components)))


def _check_information(
    asked: Family, model: Mixture, params: MixtureParams, X: Array, labels: AnyArray
) -> None:
    """Scores of labelled draws have variance 1 in every free number: Bartlett's second identity."""
    family, parts = model.family, params.components
    if type(family).chart is not Family.chart:
        return
    resp = np.eye(len(params.weights))[labels]
    # The family for these rows: what it took from the table may end before them.
    rows = Rows(X)
    family = asked.settled(Survey(rows, rows), len(params.weights)).family
    chart, prior = family.chart(parts, params.weights), model.prior.without_penalty()
    cuts = [slice(i, i + BATCH) for i in range(0, len(X), BATCH)]
    sums = (family.statistics(X[cut], resp[cut], parts) for cut in cuts)
    squares = np.array([chart.gradient(each, parts, prior) for each in sums]) ** 2 / BATCH
    found = squares.mean(axis=0)
    allowed = VARIES + 6.0 * squares.std(axis=0) / np.sqrt(DRAWS)
    for i in np.flatnonzero(~(np.abs(found - 1.0) <= allowed)):
        raise AssertionError(
            f"information: in free number {i} of {family.name} the scores of draws vary by "
            f"{found[i]:.3g} a row where `information` makes it 1: it is not what a row tells of "
            "log x (a positive x), x (real), or a share in units of one draw (see "
            "`Family.information`)"
        )


def _mixture(
    family: Family, X: Array, K: int, rng: np.random.Generator
) -> tuple[Mixture, MixtureParams]:
    """A mixture settled on the table, and parameters from drawn responsibilities."""
    rows = Rows(X, np.ones(len(X)))
    settled = family.settled(Survey(rows, rows), K)
    model = Mixture(settled.family, settled.prior)
    base = MixtureParams(np.full(K, 1.0 / K), settled.base)
    return model, model.first_step(X, None, rng.dirichlet(np.ones(K), size=len(X)), base)
