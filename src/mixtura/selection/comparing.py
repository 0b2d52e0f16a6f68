"""`compare_solvers`: every way up the same hill, from the same starts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from mixtura.engines.choose import NAMES
from mixtura.engines.threads import single_openmp
from mixtura.errors import FAILURES
from mixtura.estimators.factored import CovarianceNames
from mixtura.estimators.intake import compared
from mixtura.families.base import Family
from mixtura.families.factor.structure import FactorAnalytic, type_name
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.registry import Spec, asked, spec_name
from mixtura.families.registry import family as family_of
from mixtura.fitting.listeners import ComparisonListener
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.prepared import Ground
from mixtura.fitting.starts import STARTS
from mixtura.inference.compare import Course, Run
from mixtura.records import Seed, Weights
from mixtura.report import comparison_text
from mixtura.report.digits import counted
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import CLIMBERS, refuse_no_solver, solver_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Comparison:
    """What each solver did from each start; frozen.

    runs             one `Run` for each start and solver, in that order
    n_components, family, covariance_type, tol, max_iter, init_params   what was asked
    rows, weight     rows with a positive weight, and the sum of the weights
    n_features       columns
    engine           what ran
    """

    runs: tuple[Run, ...]
    n_components: int
    family: str
    covariance_type: str
    tol: float
    max_iter: int
    init_params: str
    rows: int
    weight: float
    n_features: int
    engine: str

    @property
    def headline(self) -> str:
        """One sentence: who climbed what."""
        solvers = len({run.solver for run in self.runs})
        starts = len({run.start for run in self.runs})
        places = "the same start" if starts == 1 else counted(starts, "start")
        return (
            f"{counted(solvers, 'solver')} from {places}: "
            f"{counted(self.n_components, 'group')} in {counted(self.rows, 'row')} of "
            f"{counted(self.n_features, 'column')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return asdict(self)

    def table(self, width: int = comparison_text.WIDTH) -> str:
        """The comparison as plain text of at most `width` characters a line."""
        return comparison_text.to_text(self.runs, self.headline, width)

    def figure(self) -> Figure:
        """Gap per row to the best known log-likelihood against passes, a panel for each start.

        Raises ValueError if no solver got anywhere.
        """
        from mixtura.report.comparison import draw

        return draw(self.runs, self.headline, self.tol)


def compare_solvers(
    X: Any,
    n_components: int,
    *,
    family: Spec = "gaussian",
    covariance_type: str | FactorAnalytic = "full",
    solvers: Sequence[str | Solver] = CLIMBERS,
    sample_weight: Weights = None,
    n_starts: int = 3,
    init_params: str = "k-means++",
    tol: float = 1e-10,
    max_iter: int = 10_000,
    random_state: Seed = None,
    engine: str = "auto",
    listener: ComparisonListener | None = None,
) -> Comparison:
    """Climb from the same starts by every solver, at maximum likelihood, and count the passes.

    Only where a climb runs into a singularity is it repeated with the penalty against collapse,
    as in a fit; its `Run` says so. A solver that cannot run on this model says so in its `Run`.
    The steps are those of a fit, but for two things: every pass is looked at, so that tables of at
    most 32,768 numbers are not climbed by whole steps in C (a fit takes fewer seconds there), and
    ends are examined but saddles are not left. Seconds are wall clock; keeping the record, about a
    microsecond a pass, is taken off. BLAS has one thread.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
    n_components : int
    family : str or Family, default "gaussian"
        As in `Mixture`.
    covariance_type : {"full", "tied", "diag", "spherical"}, one of mclust's or FactorAnalytic, \
            default "full"
        Of Gaussian components.
    solvers : sequence of names or solvers
        Default: all that look for a maximum of the likelihood by a rule without chance.
    sample_weight : array-like of shape (n_samples,), optional
        Non-negative; a weight of 2 is the row twice, 0 the row absent.
    n_starts : int, default 3
    init_params : {"kmeans", "k-means++", "random", "random_from_data", "hierarchical", "ward", \
            "moments", "exchange", "spheres", "tied"}, default "k-means++"
        How each start is made, as in `GaussianMixture`.
    tol : float, default 1e-10
        A climb ends when it estimates that less log-likelihood per row is left to gain. 0: never.
    max_iter : int, default 10,000
        Steps of one climb.
    random_state : int, RandomState instance or None
    engine : {"auto", "local", "threads", "compiled", "dense", "mixed", "torch"}, default "auto"
    listener : told of progress (see `mixtura.fitting.listeners.ComparisonListener`), optional

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        For input that cannot be fitted, an unknown solver, or a name that is there twice.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import compare_solvers
    >>> X = np.loadtxt("examples/faithful.csv", delimiter=",", skiprows=1)
    >>> found = compare_solvers(X, 2, solvers=["em", "lbfgs"], n_starts=1, random_state=0)
    >>> [(run.solver, run.converged, round(run.loglik, 3)) for run in found.runs]
    [('em', True, -1130.264), ('lbfgs', True, -1130.264)]
    """
    kind, covariance_type = asked(family, covariance_type), type_name(covariance_type)
    _check_settings(
        family=family,
        n_components=n_components,
        covariance_type=covariance_type,
        n_starts=n_starts,
        init_params=init_params,
        tol=tol,
        max_iter=max_iter,
        random_state=random_state,
        engine=engine,
    )
    named = _named(solvers)
    rows, components = compared(X, n_components, sample_weight, family_of(kind))
    seed = check_random_state(random_state).randint(2**31 - 1)
    rng = np.random.RandomState(seed)
    ground = prepare(rows, components, n_components, rng, engine=engine)
    course = Course(ground.model, rows, ground.open_sweep, tol, max_iter, listener)
    runs: list[Run] = []
    for start in range(1, n_starts + 1):
        runs += _from_one_start(course, ground, start, init_params, rng, named)
    return Comparison(
        runs=tuple(runs),
        n_components=n_components,
        family=spec_name(family),
        covariance_type=covariance_type,
        tol=tol,
        max_iter=max_iter,
        init_params=init_params,
        rows=rows.positive,
        weight=rows.weight,
        n_features=rows.X.shape[1],
        engine=ground.engine,
    )


def _from_one_start(
    course: Course,
    ground: Ground,
    start: int,
    init_params: str,
    rng: np.random.RandomState,
    solvers: list[tuple[str, str | Solver]],
) -> list[Run]:
    try:
        with single_openmp():
            params = ground.maker.make(init_params, 0, rng)
    except FAILURES as error:
        return [Run(start, name, reason=f"the start itself: {error}") for name, _ in solvers]
    return course.race(start, params, solvers)


def _check_settings(**settings: Any) -> None:
    constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "family": [str, Family],
        "covariance_type": [CovarianceNames(set(STRUCTURES))],
        "n_starts": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(STARTS))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "engine": [StrOptions({"auto", *NAMES})],
    }
    validate_parameter_constraints(constraints, settings, "compare_solvers")


def _named(solvers: Sequence[str | Solver]) -> list[tuple[str, str | Solver]]:
    """(name, solver) of each, solvers of one name numbered; ValueError for unknown names."""
    if isinstance(solvers, str) or not len(solvers):
        raise ValueError(f"solvers must be a sequence of names or solvers, got {solvers!r}")
    names: list[str] = []
    named: list[tuple[str, str | Solver]] = []
    for solver in solvers:
        refuse_no_solver("solvers", solver)
        name = solver if isinstance(solver, str) else solver_name(solver)
        if name in names and isinstance(solver, str):
            raise ValueError(f"solvers: {name!r} is there twice: name each one once")
        names.append(name)
        count = names.count(name)
        named.append((name if count == 1 else f"{name} {count}", solver))
    return named
