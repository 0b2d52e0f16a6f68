"""The contract of models and families, for users' own: the same that the library's inherit.

Each check raises an AssertionError whose sentence says what does not hold and where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.data.entry import admitted
from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.engines.choose import PLAIN, open_sweep, resolve
from mixtura.errors import LikelihoodFell
from mixtura.families.base import Family
from mixtura.inference.one_column import OneColumn
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk, Params, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.supports import TINY

__all__ = ["check_family", "check_model"]

# Agreement of sums taken in another order, relative to their size.
SUMS = 1e-9
# Agreement of a gradient with differences of the objective, relative to its length.
DIFFERENCES = 1e-4
# What a step away from where EM stops may gain per row: the rounding of a climb's last digits; or
# what a slow climb leaves that ran out of steps.
GAIN, UNFINISHED = 1e-9, 1e-6
# How far a sum of probabilities may be from 1.
MASS = 1e-6
# Labelled draws whose scores are looked at, and how many at a time; beyond six standard errors the
# variance of a score may be so far from 1.
DRAWS, BATCH, VARIES = 800, 20, 0.1
# A false alarm of the comparison of draws with the density: one in so many.
ALARM = 1e-6


def check_model(
    model: Model, data: Any, params: Any, *, max_iter: int = 2000, random_state: int = 0
) -> None:
    """AssertionError unless a model keeps the contract on these rows.

    Parameters
    ----------
    model : Model
    data : array-like of shape (n_samples, n_features) or (n_samples,)
        Rows that the model could have made; a few dozen will do.
    params : Params
        Admissible parameters that are not the optimum.
    max_iter : int, default 2000
        EM steps within which the climb from `params` should end.
    random_state : int, default 0

    Checked are: summaries add however the rows are cut; a weight of 2 is the row twice and 0 its
    absence; every engine that runs any model, and the one that `auto` is here, gives the plain
    sum; EM never lowers the objective, and where it stops no small step in any parameter raises
    it; the score, where there is one, is the derivative of the objective.
    """
    for name, found, kind in (("model", model, Model), ("params", params, Params)):
        if not isinstance(found, kind):
            raise TypeError(
                f"{name}: an object of a class of mixtura.{kind.__name__}, got {found!r}"
            )
    gaps = isinstance(model, Mixture) and model.family.allows_gaps
    X, rng = _table(data, gaps=gaps), np.random.default_rng(random_state)
    _check_sums(model, X, params, rng)
    _check_engines(model, X, params, rng)
    end = _check_climb(model, X, params, max_iter)
    # With a score and an obstacle free numbers are not those of the model alone.
    if not (model.scored and model.obstacle()):
        _check_top(model, X, end)
    if not model.obstacle():
        _check_score(model, X, params, rng)


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
    column add up to 1, and draws from a component have its density (false alarms: one in a
    million), where the family takes one column; `information` is what the scores of draws with
    their labels vary by, which makes the units of free numbers, where it makes them (no `chart` of
    its own). These three not of a `conditional` family, which has no density of its columns.
    """
    if not isinstance(family, Family):
        raise TypeError(f"family: an object of a class of families, such as F(), got {family!r}")
    X, rng = _table(data, gaps=family.allows_gaps), np.random.default_rng(random_state)
    model, params = _mixture(family, X, n_components, rng)
    found = np.asarray(model.family.log_density(X, params.components))
    _require(
        found.shape == (len(X), n_components),
        f"log_density: of {len(X)} rows and {n_components} components it is of shape "
        f"{found.shape}, not {(len(X), n_components)}",
    )
    if not family.conditional and _takes_one_column(family, X, rng):
        _check_mass(family, X[:, :1], rng)
    _require(not np.isnan(found).any(), f"log_density: {family.name} is not a number at some rows")
    check_model(model, X, params, random_state=random_state)
    if not model.family.conditional and not model.obstacle():
        _check_information(family, model, params, rng)


def _takes_one_column(family: Family, X: Array, rng: np.random.Generator) -> bool:
    """Not that of unit vectors, or of shares of a total: it refuses a table of one column."""
    one = _seen(X[:, :1])
    rows = Rows(one)
    try:
        family.settled(Survey(rows, rows), 1)
    except ValueError:
        if X.shape[1] == 1:
            raise
        return False
    _mixture(family, one, 1, rng)
    return True


def _check_information(
    asked: Family, model: Mixture, params: MixtureParams, rng: np.random.Generator
) -> None:
    """Scores of labelled draws have variance 1 in every free number: Bartlett's second identity."""
    family, parts = model.family, params.components
    if type(family).sample is Family.sample or type(family).chart is not Family.chart:
        return
    labels = rng.choice(len(params.weights), p=params.weights, size=DRAWS * BATCH)
    X, resp = family.sample(labels, parts, rng), np.eye(len(params.weights))[labels]
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


def _require(holds: bool, what: str) -> None:
    """Not an assert: those go with python -O."""
    if not holds:
        raise AssertionError(what)


def _table(data: Any, *, gaps: bool = False) -> Array:
    known = np.asarray(data)
    if not gaps and known.dtype.kind == "f" and np.isnan(known).any():
        place = ", ".join(map(str, np.argwhere(np.isnan(known))[0]))
        raise ValueError(
            f"data[{place}] is missing, and the model takes no gaps: leave such rows out, or write "
            "`allows_gaps = True` where a family leaves missing cells out of its density"
        )
    rows = admitted(data, gaps=gaps)
    if not isinstance(rows, Rows):
        raise TypeError("data: give the rows in memory; a few dozen will do")
    return np.asarray(rows.X, dtype=np.float64)


def _mixture(
    family: Family, X: Array, K: int, rng: np.random.Generator
) -> tuple[Mixture, MixtureParams]:
    """A mixture settled on the table, and parameters from drawn responsibilities."""
    rows = Rows(X, np.ones(len(X)))
    settled = family.settled(Survey(rows, rows), K)
    model = Mixture(settled.family, settled.prior)
    base = MixtureParams(np.full(K, 1.0 / K), settled.base)
    return model, model.first_step(X, None, rng.dirichlet(np.ones(K), size=len(X)), base)


def _check_sums(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    whole = open_sweep("local", model, Rows(X))(params)
    _require(bool(np.isfinite(whole.loglik)), f"the log-likelihood at `params` is {whole.loglik}")
    cut = int(rng.integers(1, len(X))) if len(X) > 1 else 0
    if cut:
        parts = model.e_step(Chunk(X[:cut]), params) + model.e_step(Chunk(X[cut:]), params)
        _assert_same(
            parts, whole, f"e_step: summaries of rows 0 to {cut - 1} and the rest do not add"
        )
    times = rng.integers(0, 3, size=len(X))
    times[0] = 2
    weighted = model.e_step(Chunk(X, times.astype(np.float64)), params)
    copies = model.e_step(Chunk(np.repeat(X, times, axis=0)), params)
    _assert_same(
        weighted, copies, "e_step: a weight of 2 is not the row twice, or 0 not its absence"
    )


def _check_engines(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    many = np.tile(X, (max(1, 3000 // len(X)), 1))
    w = rng.uniform(0.5, 2.0, size=len(many))
    plain = model.e_step(Chunk(many, w), params)
    for engine in dict.fromkeys((*PLAIN, resolve("auto", model))):
        summary = open_sweep(engine, model, Rows(many, w))(params)
        _assert_same(
            summary, plain, f"engine={engine!r}: not the sum that e_step gives of all rows"
        )


def _check_climb(model: Model, X: Array, params: Any, max_iter: int) -> Climb:
    sweep = open_sweep("local", model, Rows(X))
    try:
        climb = em(Problem(model, sweep, params, 1e-12, max_iter))
    except LikelihoodFell as error:
        raise AssertionError(
            f"m_step: an EM step lowers the objective, from {error.before} to {error.after}: it "
            "does not maximise what e_step sums, or e_step's log-likelihood is another one"
        ) from error
    try:
        model.refuse_inadmissible(climb.params)
    except ValueError as error:
        raise AssertionError(f"m_step: {error}") from error
    return climb


def _check_top(model: Model, X: Array, end: Climb) -> None:
    """No small step in any free number leads up from where EM stopped."""
    params, allowed = end.params, GAIN if end.converged else UNFINISHED
    chart = model.chart(params)
    here = _objective(model, X, params)
    for i in range(min(chart.size, 50)):
        for length in (1e-4, 1e-3, 1e-2, -1e-4, -1e-3, -1e-2):
            free = np.zeros(chart.size)
            free[i] = length
            try:
                gain = (_objective(model, X, chart.params(free)) - here) / len(X)
            except (ValueError, ArithmeticError):
                continue
            _require(
                not gain > allowed * (1.0 + abs(here) / len(X)),
                f"m_step: where EM stops, a step of {length:g} in free number {i} gains {gain:.3g} "
                "per row: the M-step does not maximise the expected log-likelihood",
            )


def _check_score(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    chart = model.chart(params)
    gradient = chart.gradient(model.e_step(Chunk(X), params), params)
    for _ in range(5):
        direction = rng.standard_normal(chart.size)
        direction /= np.linalg.norm(direction)
        h = 1e-5
        rise = _objective(model, X, chart.params(h * direction))
        fall = _objective(model, X, chart.params(-h * direction))
        slope, found = (rise - fall) / (2 * h), float(gradient @ direction)
        size = float(np.linalg.norm(gradient)) + abs(rise) * 1e-6
        _require(
            abs(slope - found) <= DIFFERENCES * size,
            f"score: along a drawn direction it says {found:.8g}, and differences of the "
            f"objective say {slope:.8g}",
        )


def _objective(model: Model, X: Array, params: Any) -> float:
    return model.e_step(Chunk(X), params).loglik + model.log_prior(params)


def _assert_same(one: Summary, two: Summary, what: str) -> None:
    for name, a, b in (("loglik", one.loglik, two.loglik), ("weight", one.weight, two.weight)):
        _require(abs(a - b) <= SUMS * (1.0 + abs(b)), f"{what}: {name} is {a!r}, not {b!r}")
    others = two.statistics.arrays()
    for name, mine in one.statistics.arrays().items():
        other = others[name]
        size = 1.0 + float(np.max(np.abs(other), initial=0.0))
        _require(
            bool(np.all(np.abs(mine - other) <= SUMS * size)),
            f"{what}: {name} differs by {np.max(np.abs(mine - other)):.3g}",
        )


def _check_mass(family: Family, column: Array, rng: np.random.Generator) -> None:
    """The densities of one column add up to 1, and draws have them."""
    seen = _seen(column)
    model, params = _mixture(family, seen, 1, rng)
    fitted, parts = model.family, params.components

    def log_density(x: float) -> float:
        row = np.array([[x]])
        if fitted.column_kind == "circle" and abs(x) > np.pi:
            return -np.inf
        try:
            fitted.refuse(row, ["x"])
        except ValueError:
            return -np.inf
        with np.errstate(all="ignore"):
            found = float(fitted.log_density(row, parts)[0, 0])
        _require(
            not np.isnan(found),
            f"log_density: {fitted.name} is not a number at x = {x:g}: where there can be no such "
            "cell let `refuse(X, names)` say so, or `least = 0.0` where cells are above 0",
        )
        return found

    def density(x: float) -> float:
        return float(np.exp(log_density(x)))

    discrete, whole = _counts(fitted, column), np.inf
    if discrete is not False:
        values = np.arange(int(10 * float(np.max(np.abs(seen)))) + 1000)
        below = np.cumsum([density(float(x)) for x in values])
        total = whole = float(below[-1])
        discrete = discrete or abs(total - 1.0) <= MASS
    line = None if discrete else OneColumn.of(log_density, seen[:, 0])
    if line is not None:
        total = line.mass()
        # Neither is 1: the nearer says what is wrong.
        total = min(total, whole, key=lambda each: abs(np.log(max(each, TINY))))
    _require(
        abs(total - 1.0) <= MASS,
        f"log_density: the probabilities of {family.name} add up to {total:.8g}, not to 1",
    )

    def up_to(point: float) -> float:
        if line is not None:
            return line.mass(point)
        return float(below[min(int(point), len(below) - 1)])

    _check_draws(fitted, parts, up_to, rng)


def _seen(column: Array) -> Array:
    """The rows of one column (n, 1) in which it is there."""
    return column[~np.isnan(column[:, 0])]


def _counts(family: Family, column: Array) -> bool | None:
    """Whether the family is one of whole numbers; None where only its densities can tell."""
    seen = _seen(column)
    if family.column_kind in ("counts", "levels"):
        return True
    if not np.array_equal(seen, np.floor(seen)):
        return False
    try:
        family.refuse(column[:1] + 0.5, ["x"])
    except ValueError:
        return True
    return None


def _check_draws(
    family: Family, params: Any, up_to: Callable[[float], float], rng: np.random.Generator
) -> None:
    """As many draws lie below a few points as the density implies."""
    if type(family).sample is Family.sample:
        return
    drawn = family.sample(np.zeros(40_000, dtype=np.int64), params, rng)[:, 0]
    # Kolmogorov's distance between draws and distribution function, at a few points.
    points = np.quantile(drawn, [0.1, 0.3, 0.5, 0.7, 0.9])
    # Hoeffding's bound on the distance.
    allowed = float(np.sqrt(np.log(2 * 5 / ALARM) / (2 * len(drawn))))
    for point in np.unique(points):
        share, right = float((drawn <= point).mean()), up_to(float(point))
        _require(
            abs(share - right) <= allowed,
            f"sample: {share:.3f} of the draws are at most {point:g}, and by log_density "
            f"{right:.3f} should be",
        )
