"""`bootstrap_lrt`: how many components, by McLachlan's bootstrap likelihood-ratio test.

McLachlan (1987), On bootstrapping the likelihood ratio test statistic for the number of components
in a normal mixture, Applied Statistics 36. K components are tested against K + 1: tables drawn from
the mixture fitted with K tell how much one more component gains where it is not there. The table
and every resample are searched with the same effort (`selection.likelihood_ratio`): with less on
the resamples their gains would be too small, and the test would find too many components. How many
resamples are drawn is decided as they come (`inference.sequential`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from mixtura.data.refusal import row_at
from mixtura.estimators.factored import CovarianceNames
from mixtura.estimators.intake import compared
from mixtura.families.base import Family
from mixtura.families.factor.structure import FactorAnalytic, type_name
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.registry import Spec, asked, spec_name
from mixtura.families.registry import family as family_of
from mixtura.fitting.listeners import BootstrapListener
from mixtura.fitting.starts import STARTS
from mixtura.inference.montecarlo import Resampling, Trial
from mixtura.records import Array, Seed, Weights
from mixtura.report import howmany_text
from mixtura.report.digits import counted
from mixtura.selection.likelihood_ratio import Effort, Pair
from mixtura.selection.resamples import Draw, seed_of


@dataclass(frozen=True)
class BootstrapLRT:
    """The tests made, one number of components after the other; frozen.

    n_components     the smallest number that was not rejected; where `ended` is "exhausted" the
                     largest one tried, which is then only known to be better than one less
    trials           one `Trial` for each number tested
    ended            "accepted", "exhausted" (all were rejected) or "interrupted"
    family, covariance_type, level, risk, max_resamples, init_params, n_init, tol, max_iter
                     what was asked
    seed             what the random numbers hang on
    rows, n_features   of the table; a whole weight counts as so many rows
    """

    n_components: int
    trials: tuple[Trial, ...]
    ended: str
    family: str
    covariance_type: str
    level: float
    risk: float
    max_resamples: int
    init_params: str
    n_init: int
    tol: float
    max_iter: int
    seed: int
    rows: int
    n_features: int

    @property
    def headline(self) -> str:
        """One sentence: the answer."""
        table = f"{counted(self.rows, 'row')} of {counted(self.n_features, 'column')}"
        found = counted(self.n_components, "group")
        if self.ended == "interrupted":
            return f"interrupted: no answer yet for {table}"
        if self.ended == "exhausted":
            return f"at least {found} in {table}: fewer are rejected at level {self.level:g}"
        return f"{found} in {table}: not rejected at level {self.level:g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return asdict(self)

    def table(self, width: int = howmany_text.WIDTH) -> str:
        """The tests as plain text of at most `width` characters a line."""
        return howmany_text.to_text(self.trials, self.headline, self.level, self.risk, width)


def bootstrap_lrt(
    X: Any,
    n_components: int = 1,
    *,
    max_components: int = 9,
    family: Spec = "gaussian",
    covariance_type: str | FactorAnalytic = "full",
    level: float = 0.05,
    max_resamples: int = 999,
    risk: float = 1e-3,
    sample_weight: Weights = None,
    init_params: str = "auto",
    n_init: int = 1,
    tol: float = 1e-7,
    max_iter: int = 1000,
    random_state: Seed = None,
    n_jobs: int | None = None,
    listener: BootstrapListener | None = None,
    resume: BootstrapLRT | None = None,
) -> BootstrapLRT:
    """Test n_components against one more, and so on upwards until a number is not rejected.

    Ctrl-C does not lose what was drawn: the record of the tests so far is returned, its `ended`
    "interrupted", and `resume` goes on from there.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
    n_components : int, default 1
        The first number tested.
    max_components : int, default 9
        The largest mixture fitted. n_components + 1 makes a single test.
    family : str or Family, default "gaussian"
        As in `Mixture`.
    covariance_type : {"full", "tied", "diag", "spherical"}, one of mclust's or FactorAnalytic, \
            default "full"
        Of Gaussian components.
    level : float, default 0.05, between 0 and 1
        Of each test. The walk keeps it: too many are found with at most this probability.
    max_resamples : int, default 999
        At most so many for each test. A p-value near the level would need endlessly many.
    risk : float, default 0.001, from 0 to 0.25
        The largest probability of a decision other than that of endless resampling, for tests that
        end as "decided" (Gandy 2009). 0: always draw `max_resamples`.
    sample_weight : array-like of shape (n_samples,), optional
        Whole numbers: a weight of 2 is the row twice, and a resample has as many rows as that
        makes. Others say nothing of how many rows a resample should have, and are refused.
    init_params, n_init, tol, max_iter : as in `GaussianMixture`, tol by default 1e-7
        The search for the maxima, on the table and on every resample. What a weaker search misses
        it misses everywhere: the test stays valid, but sees less.
    random_state : int, RandomState instance or None
    n_jobs : int, optional
        Processes, as in joblib. The answer does not depend on it.
    listener : told of progress (see `mixtura.fitting.listeners.BootstrapListener`), optional
    resume : BootstrapLRT, optional
        An interrupted one of the same table and settings; its seed is used.

    Returns
    -------
    BootstrapLRT

    Raises
    ------
    ValueError
        For input that cannot be fitted, and where `resume` is of another table or other settings.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import bootstrap_lrt
    >>> X = np.random.default_rng(0).normal([[0.0], [8.0]], size=(2, 30)).reshape(-1, 1)
    >>> found = bootstrap_lrt(X, max_components=2, random_state=0)
    >>> found.trials[0].rejected, found.trials[0].ended
    (True, 'decided')
    """
    kind, covariance_type = asked(family, covariance_type), type_name(covariance_type)
    settings: dict[str, Any] = {
        "family": family,
        "covariance_type": covariance_type,
        "level": level,
        "risk": risk,
        "max_resamples": max_resamples,
        "init_params": init_params,
        "n_init": n_init,
        "tol": tol,
        "max_iter": max_iter,
    }
    _check(settings, n_components, max_components, random_state)
    settings["family"] = spec_name(family)
    rows, components = compared(X, max_components, sample_weight, family_of(kind))
    n = copies(rows.sample_weight, len(rows.X))
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    if resume is not None:
        _refuse_others(resume, settings | {"rows": n, "n_features": rows.d})
        seed = resume.seed
    table = np.asarray(rows.X, dtype=np.float64), rows.sample_weight
    given = table[0] if table[1] is None else np.repeat(table[0], table[1].astype(int), axis=0)
    effort = Effort(components, init_params, n_init, tol, max_iter)
    draw = Draw(effort, n, seed, max_resamples, n_jobs, given)
    earlier = {trial.n_components: trial for trial in resume.trials} if resume else {}
    rule = Resampling(level, risk, max_resamples)
    trials: list[Trial] = []
    ended, K = "exhausted", n_components
    while max_components > K:
        try:
            pair = draw.effort.pair(*table, K, seed_of(seed, K, 0))
        except KeyboardInterrupt:
            ended = "interrupted"
            break
        known = _known(earlier.get(K), pair)
        trials.append(rule.test(K, pair.logliks, draw.statistics(pair, K, known), listener))
        if trials[-1].ended == "interrupted" or not trials[-1].rejected:
            ended = "interrupted" if trials[-1].ended == "interrupted" else "accepted"
            break
        K += 1
    return BootstrapLRT(K, tuple(trials), ended, **settings, seed=seed, rows=n, n_features=rows.d)


def _known(earlier: Trial | None, pair: Pair) -> tuple[float, ...]:
    """The statistics drawn before an interruption."""
    if earlier is None:
        return ()
    if not np.allclose([earlier.loglik, earlier.loglik_larger], pair.logliks, rtol=1e-9, atol=1e-6):
        raise ValueError("resume: these tests are of another table: leave resume out")
    return earlier.statistics


def copies(w: Array | None, n: int) -> int:
    """How many rows the weights stand for; ValueError where they are not whole numbers."""
    if w is None:
        return n
    if not np.array_equal(w, np.round(w)):
        first = int(np.flatnonzero(w != np.round(w))[0])
        raise ValueError(
            f"sample_weight: {row_at(first)} has weight {w[first]:g}: resamples are whole tables, "
            "so only whole numbers (so many copies of a row) can be honoured; leave it out or "
            "round it"
        )
    return int(w.sum())


def _refuse_others(resume: BootstrapLRT, asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if getattr(resume, name) != value:
            raise ValueError(
                f"resume: it has {name}={getattr(resume, name)!r}, and asked is {value!r}: use the "
                "same table and settings"
            )


def _check(
    settings: dict[str, Any], n_components: int, max_components: int, random_state: Seed
) -> None:
    at_least_one = [Interval(Integral, 1, None, closed="left")]
    constraints: dict[str, list[Any]] = {
        "n_components": at_least_one,
        "max_components": at_least_one,
        "random_state": ["random_state"],
        "family": [str, Family],
        "covariance_type": [CovarianceNames(set(STRUCTURES))],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "risk": [Interval(Real, 0, 0.25, closed="both")],
        "max_resamples": at_least_one,
        "init_params": [StrOptions({"auto", *STARTS})],
        "n_init": at_least_one,
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": at_least_one,
    }
    given = settings | {
        "n_components": n_components,
        "max_components": max_components,
        "random_state": random_state,
    }
    validate_parameter_constraints(constraints, given, "bootstrap_lrt")
    if max_components <= n_components:
        raise ValueError(
            f"max_components={max_components} leaves nothing to test n_components={n_components} "
            f"against: use at least {n_components + 1}"
        )
