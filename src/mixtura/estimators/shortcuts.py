"""Mixtures that are asked for by name: the class says of which family."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mixtura.estimators.family_document import restored_family
from mixtura.estimators.mixture import Mixture
from mixtura.estimators.signatures import init_like, parameter
from mixtura.families.automatic import Automatic
from mixtura.families.base import Family
from mixtura.families.contaminated.family import LEAST, Contaminated
from mixtura.families.contaminated.tails import MOST
from mixtura.families.heavy.family import TYPES
from mixtura.families.product import Product
from mixtura.families.student.family import COMMON, EACH, Student


class _Named(Mixture):
    """A `Mixture` of one family."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: allowed
        for name, allowed in Mixture._parameter_constraints.items()
        if name != "family"
    }
    _components = "n_components"

    @staticmethod
    def _restored_components(stored: Any) -> Any:
        return stored


class PoissonMixture(_Named):
    """A mixture of Poisson components: counts, whose columns are independent within a component.

    `Mixture("poisson")`, whose other parameters, attributes (`weights_`, `rates_`, ...) and methods
    it has.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import PoissonMixture
    >>> X = np.array([[0, 9], [1, 8], [0, 10], [2, 7], [7, 1], [9, 2], [8, 0], [6, 1]])
    >>> round(PoissonMixture(2, random_state=0).fit(X).score(X), 3)
    -3.891
    """

    family: Any = "poisson"
    __init__ = init_like(Mixture.__init__, without=["family"])


class BernoulliMixture(_Named):
    """A mixture of Bernoulli components: cells are 0 or 1, independent within a component.

    `Mixture("bernoulli")`, whose other parameters, attributes (`weights_`, `probabilities_`, ...)
    and methods it has.
    """

    family: Any = "bernoulli"
    __init__ = init_like(Mixture.__init__, without=["family"])


class StudentMixture(_Named):
    """A mixture of multivariate t components: heavy tails, or Gaussian groups among outliers.

    Parameters
    ----------
    n_components : int, default 1
    covariance_type : str, default "full"
        The structure of the scale matrices: a covariance type of `GaussianMixture` but factors.
    degrees_of_freedom : "each", "common" or float, default "each"
        Estimated for each component, for all together, or given. Estimates lie between 1 and 200,
        beyond which a t density is not told from a Gaussian.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, \
            weights, solver, engine, concomitants : as in `Mixture`

    Attributes
    ----------
    means_ : array of shape (n_components, n_features)
        The centres.
    scales_ : array
        The scale matrices, in the shape of `GaussianMixture.covariances_`; where nu > 2 a
        covariance is nu / (nu - 2) times it.
    degrees_of_freedom_ : array of shape (n_components,)
    weights_, parameters_, family_, ... : as in `Mixture`

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import StudentMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2)), [[90, -70]]])
    >>> found = StudentMixture(2, random_state=0).fit(X)
    >>> np.sort(np.abs(found.means_[:, 0])).round()
    array([0., 8.])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Named._parameter_constraints,
        "covariance_type": [StrOptions(set(TYPES))],
        "degrees_of_freedom": [
            StrOptions({EACH, COMMON}),
            Interval(Real, 0.0, None, closed="neither"),
        ],
    }
    covariance_type: str
    degrees_of_freedom: float | str
    __init__ = init_like(
        Mixture.__init__,
        parameter("covariance_type", "full"),
        parameter("degrees_of_freedom", EACH),
        without=["family"],
    )

    def _asked_family(self) -> Family:
        return Student(self.covariance_type, self.degrees_of_freedom)


class ContaminatedMixture(_Named):
    """A mixture of contaminated normal components: each has good rows, and bad ones far about them.

    Parameters
    ----------
    n_components : int, default 1
    covariance_type : str, default "full"
        The structure of the good rows' covariances: a covariance type of `GaussianMixture` but
        factors.
    least_inflation : float, default 4
        Bad rows have at least so many times the covariance of good ones; above 1. With little more
        than 1, as Punzo & McNicholas (2016) have it, normal groups have bad rows too.
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, \
            weights, solver, engine, concomitants : as in `Mixture`

    Attributes
    ----------
    means_ : array of shape (n_components, n_features)
    covariances_ : array
        Of good rows, in the shape of `GaussianMixture.covariances_`.
    good_shares_ : array of shape (n_components,)
        The share of good rows in each component, from 1/2 to 1.
    inflations_ : array of shape (n_components,)
        How many times the covariance of bad rows is that of good ones, at most 10,000.
    weights_, parameters_, family_, ... : as in `Mixture`

    `predict` gives -1 to rows that are rather bad than good, `outlier_probabilities` how sure that
    is, and `predict_proba` the components of all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import ContaminatedMixture
    >>> rng = np.random.default_rng(2)
    >>> X = np.vstack([rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2)), [[30, -20]]])
    >>> found = ContaminatedMixture(2, random_state=0).fit(X)
    >>> np.flatnonzero(found.predict(X) == -1)
    array([200])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Named._parameter_constraints,
        "covariance_type": [StrOptions(set(TYPES))],
        "least_inflation": [Interval(Real, 1.0, MOST, closed="neither")],
    }
    covariance_type: str
    least_inflation: float
    __init__ = init_like(
        Mixture.__init__,
        parameter("covariance_type", "full"),
        parameter("least_inflation", LEAST),
        without=["family"],
    )

    def _asked_family(self) -> Family:
        return Contaminated(self.covariance_type, float(self.least_inflation))


class LatentClass(_Named):
    """Latent classes of a table of mixed columns, independent within a class.

    The family of each column is chosen by what it holds, and shown in the report and `families_`:

    - text, a frame's categorical or boolean columns: "categorical"
    - nothing but 0 and 1: "bernoulli"
    - at most 10 different whole numbers from 0 to 99: "categorical"
    - whole numbers of which the smallest is 0: "poisson"
    - other numbers: "normal"

    Missing cells (NaN, None) are left out of their row, which is exact.

    Parameters
    ----------
    n_components : int, default 1
    families : dict of column name to family, optional
        Families for some columns in place of these choices, such as ``{"income": "lognormal"}``;
        columns of an array are called x1, x2, ...
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, \
            weights, solver, engine, concomitants : as in `Mixture`

    Attributes
    ----------
    families_ : dict
        The family of each column, by its name.
    weights_, parameters_, family_, ... : as in `Mixture`; `family_` is the `Product`, and
        `family_.categories` what the codes of its categories stand for.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixtura import LatentClass
    >>> frame = pd.DataFrame({"pet": ["cat", "dog"] * 20, "age": [2.5, 9.0, 3.5, 10.0] * 10})
    >>> LatentClass(2, random_state=0).fit(frame).families_
    {'pet': 'categorical', 'age': 'normal'}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Named._parameter_constraints,
        "families": [dict, None],
    }
    _components = "families"
    families: Mapping[str, Any] | None
    __init__ = init_like(Mixture.__init__, parameter("families", None), without=["family"])

    @staticmethod
    def _restored_components(stored: Any) -> Any:
        if stored is None:
            return None
        if not isinstance(stored, dict):
            raise ValueError("settings.families is no dictionary")
        return {
            name: kind if isinstance(kind, str) else restored_family(kind, f"families.{name}")
            for name, kind in stored.items()
        }

    def _asked_family(self) -> Family:
        return Automatic((self.families or {}).items())

    @property
    def families_(self) -> dict[str, str]:
        """The family of each column, by its name."""
        check_is_fitted(self)
        assert isinstance(self.family_, Product)
        found = {j: b.family.name for b in self.family_.blocks for j in b.columns}
        return {name: found[j] for j, name in enumerate(self._names())}
