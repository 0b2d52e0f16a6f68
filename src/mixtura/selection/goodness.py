"""`goodness_of_fit`: does a table look like draws from the mixture that was fitted to it?

The statistic is `inference.goodness`'s. Its law hangs on the mixture and on how it was found, so it
is drawn: tables of as many rows from the mixture, each refitted by the search that found it, and
compared with its own fit (parametric bootstrap: Stute, Gonzalez Manteiga & Presedo Quindimil 1993,
Bootstrap based goodness-of-fit tests, Metrika 40). Without the refits p-values would be far too
large: a mixture is close to the table that it was fitted to. To other rows it is not, and there a
draw is two tables: one that is fitted, and one that this fit, as new to it, is compared with.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.refusal import truth, whole
from mixtura.data.tables import NamedRows
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.known import refuse_told
from mixtura.estimators.posterior_mixture import PosteriorMixture
from mixtura.fitting.listeners import BootstrapListener
from mixtura.inference.goodness import ComponentQQ, component_quantiles
from mixtura.records import Array, Seed, Weights
from mixtura.report.digits import counted
from mixtura.selection.howmany import copies
from mixtura.selection.yardstick import Yardstick, plain_normal
from mixtura.solvers.clock import at_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Rows that are taken from a table at a time.
PIECE = 100_000
LEVEL = 0.05
# Log-likelihoods of one table differ by so much, by the precision of the parameters.
ROUNDED = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-4}
MEASURES = {
    "anderson-darling": "Anderson-Darling distance of the distribution functions",
    "characteristic": "distance of the characteristic functions",
}


@dataclass(frozen=True)
class GoodnessOfFit:
    """A table beside a mixture; frozen.

    statistic   how far they are apart, by `measure`: "anderson-darling" (one column of Gaussian
                components) or "characteristic"; free of units
    p_value     (1 + exceeded) / (1 + draws)
    draws, exceeded   tables drawn from the mixture, and those at least as far from theirs
    failed      draws that could not be fitted again, counted among the exceeded
    refitted    whether each draw was
    own_rows    whether the mixture was fitted to this table, as its log-likelihood says
    rows, columns   of the table
    components  one `ComponentQQ` for each that holds a row, of Gaussian components; else empty
    uniform     with one column of them P(X <= x) of its rows, in order, (rows,): uniform where the
                mixture fits; else None
    statistics  of the draws
    """

    statistic: float
    measure: str
    p_value: float
    draws: int
    exceeded: int
    failed: int
    refitted: bool
    own_rows: bool
    rows: int
    columns: tuple[str, ...]
    components: tuple[ComponentQQ, ...] = ()
    uniform: Array | None = field(default=None, repr=False, compare=False)
    statistics: tuple[float, ...] = field(default=(), repr=False)

    @property
    def headline(self) -> str:
        """One sentence: whether the mixture fits."""
        told = f"p = {self.p_value:.3g}, {counted(self.draws, 'draw')}"
        if not self.exceeded and self.p_value > LEVEL:
            need = math.ceil(1 / LEVEL) - 1
            return f"none of the draws came as far, and {need} are needed to tell: {told}"
        if self.p_value > LEVEL:
            return f"nothing speaks against the mixture: {told}"
        worst = max(self.components, key=lambda each: each.gap * each.rows**0.5, default=None)
        where = "" if worst is None else f"; furthest from its law is component {worst.component}"
        return f"the table does not look like draws from the mixture: {told}{where}"

    def summary(self) -> str:
        """The test, and each component beside its law, as text."""
        how = "refitted" if self.refitted else "compared with the mixture as it is"
        if self.refitted and not self.own_rows:
            how = (
                "each beside the fit of another draw, as this table is not the one that was fitted"
            )
        lines = [
            f"{self.headline}",
            f"  {MEASURES[self.measure]}: {self.statistic:.4g}, of {self.rows:,} rows",
            f"  {self.exceeded} of {counted(self.draws, 'draw')}, {how}, came as far"
            + (f", {self.failed} of them without a fit" if self.failed else ""),
        ]
        if self.components:
            lines += ["", "  component      rows   largest gap to its law"]
            lines += [
                f"  {each.component:9}  {each.rows:8,.1f}   {each.gap:.3f}"
                for each in self.components
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def figure(self) -> Figure:
        """Quantiles of each component beside its law; with one column also the whole mixture's.

        Raises ValueError for families other than Gaussian, and with noise.
        """
        from mixtura.report.goodness import draw

        return draw(self.components, self.uniform, self.headline)


@at_once()
def goodness_of_fit(
    mixture: Any,
    X: Any,
    *,
    sample_weight: Weights = None,
    draws: int = 99,
    refit: bool = True,
    random_state: Seed = None,
    n_jobs: int | None = None,
    listener: BootstrapListener | None = None,
) -> GoodnessOfFit:
    """Test a table against the mixture fitted to it, and show how each component's rows lie.

    Parameters
    ----------
    mixture : fitted `GaussianMixture`, `Mixture` or one of its shortcuts
        Of columns of numbers; its parameters are those of the search that is repeated.
    X : array-like or data frame of shape (n_samples, n_features), without gaps
    sample_weight : array-like of shape (n_samples,), optional
        Whole numbers: a weight of 2 is the row twice.
    draws : int, default 99
        Tables drawn from the mixture. 99 can reject at 1 %, 999 at 0.1 %.
    refit : bool, default True
        Whether the mixture is fitted anew for each of them: to it, if X are the rows that the
        mixture was fitted to, which their log-likelihood tells; else to another draw, of as many
        rows as the fit had. False takes the mixture as it is, without errors of estimation: other
        rows of the same law are then rejected too often. Mixtures set by hand are never refitted;
        one of `partial_fit` is as one of other rows.
    random_state : int, RandomState or None for the mixture's own
    n_jobs : int, optional
        Processes, as in joblib. The answer does not depend on it.
    listener : told of progress (see `mixtura.fitting.listeners.BootstrapListener`), optional

    Returns
    -------
    GoodnessOfFit

    Raises
    ------
    ValueError
        For mixtures and tables that cannot be compared, in one sentence.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, goodness_of_fit
    >>> X = np.random.default_rng(0).exponential(size=(100, 1))
    >>> found = goodness_of_fit(GaussianMixture(1).fit(X), X, draws=19, random_state=0)
    >>> found.p_value
    0.05
    """
    rows = _comparable(mixture, X, sample_weight)
    draws = whole("draws", draws)
    state = mixture.random_state if random_state is None else random_state
    yardstick = Yardstick(int(check_random_state(state).randint(2**31 - 1)))
    fit = getattr(mixture, "fit_result_", None)
    refit, own = truth("refit", refit) and fit is not None, _fitted_to(mixture, rows)
    apart = 0 if own or fit is None else round(fit.weight)
    statistic = yardstick.of(mixture, rows)
    if listener is not None:
        listener.began(mixture.n_components, statistic)
    exceeded, drawn = 0, []
    tables = (
        delayed(yardstick.drawn)(mixture, len(rows), i + 1, refit, apart) for i in range(draws)
    )
    for value in Parallel(n_jobs=n_jobs, return_as="generator")(tables):
        drawn.append(value)
        exceeded += value >= statistic
        if listener is not None:
            listener.resampled(len(drawn), exceeded)
    normal = plain_normal(mixture)
    one = normal and rows.shape[1] == 1
    return GoodnessOfFit(
        statistic=statistic,
        measure="anderson-darling" if one else "characteristic",
        p_value=(1 + exceeded) / (1 + len(drawn)),
        draws=len(drawn),
        exceeded=exceeded,
        failed=drawn.count(float("inf")),
        refitted=refit,
        own_rows=own,
        rows=len(rows),
        columns=tuple(mixture._names()),
        components=component_quantiles(mixture._gaussians(), rows) if normal else (),
        uniform=np.sort(mixture.cdf(rows[:, 0])) if one else None,
        statistics=tuple(drawn),
    )


def _fitted_to(mixture: Any, rows: Array) -> bool:
    """Whether these are the rows of the fit: so many, of that log-likelihood."""
    fit = getattr(mixture, "fit_result_", None)
    if fit is None or round(fit.weight) != len(rows):
        return False
    slack = ROUNDED[np.dtype(getattr(mixture, "means_", rows).dtype)]
    named = NamedRows(rows, tuple(mixture._names()), None)
    return math.isclose(mixture.score(named), fit.mean_loglik, rel_tol=slack, abs_tol=slack)


def _comparable(mixture: Any, X: Any, sample_weight: Weights) -> Array:
    """The rows (n, d) in float64; ValueError where a mixture cannot be compared with them."""
    if isinstance(mixture, PosteriorMixture):
        raise ValueError(
            f"goodness_of_fit: {type(mixture).__name__} is a posterior, no one density to draw "
            "tables from: ask it of a GaussianMixture or Mixture with n_components_ components"
        )
    if not isinstance(mixture, ClimbedMixture):
        raise ValueError(
            "mixture: a fitted mixture of a number of components is compared with a table, got "
            f"{type(mixture).__name__}"
        )
    check_is_fitted(mixture)
    refuse_told("goodness_of_fit", mixture)
    if getattr(mixture, "trim", 0):
        raise ValueError(
            "goodness_of_fit: a trimmed fit describes only a part of the rows: ask it of a fit "
            "with noise=True, or of one without trim"
        )
    family, names = mixture.fitted_family(), mixture._names()
    if family.conditional or mixture._concomitants():
        raise ValueError(
            "goodness_of_fit: this mixture describes some columns given others, and the whole "
            "rows that are compared have no law: use the residuals"
        )
    portrait = mixture.view().portrait
    for j, name in enumerate(names):
        if portrait.column(j).kind == "levels":
            raise ValueError(
                f"goodness_of_fit: column {name!r} holds categories, between which there is no "
                "distance: compare counts of them instead"
            )
    found = [np.asarray(piece, dtype=np.float64) for piece, *_ in mixture._asked(X).chunks(PIECE)]
    rows = np.concatenate(found)
    if np.isnan(rows).any():
        raise ValueError("X has missing cells, and draws from the mixture have none: impute first")
    if sample_weight is None:
        return rows
    w = mixture._weights_for(sample_weight, rows)
    copies(w, len(rows))
    return np.asarray(np.repeat(rows, w.astype(int), axis=0))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value
