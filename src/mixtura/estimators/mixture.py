"""`Mixture`: the estimator for components of any family."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data.column_positions import positions
from mixtura.data.door import column_names
from mixtura.estimators.answering import ANSWERED_ROWS
from mixtura.estimators.document import Stored
from mixtura.estimators.family_document import family_document, restored_family, restored_spec
from mixtura.estimators.fixed import FIXED_SETTINGS, fixed_model
from mixtura.estimators.intervals import IntervalRows
from mixtura.estimators.noisy import NOISE_SETTINGS, beside_noise, n_weights
from mixtura.estimators.prior_setting import PRIOR_SETTINGS, asked_family
from mixtura.estimators.weighing import COUNTS
from mixtura.families.base import Family
from mixtura.families.design import Design, untold
from mixtura.families.given import Beside
from mixtura.families.priors import Flat
from mixtura.families.registry import Spec, family
from mixtura.fitting.mixture_fit import Found
from mixtura.models.concomitant import Concomitant, ConcomitantParams
from mixtura.models.mixture import Mixture as MixtureModel
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Seed
from mixtura.report.regression_text import weights_text
from mixtura.schema import Floats, read_arrays
from mixtura.solvers.problem import Solver
from mixtura.store import StoreError
from mixtura.supports import Real as RealNumbers
from mixtura.supports import Simplex

CONCOMITANTS = ["concomitant_coef_", "concomitant_intercept_"]


@dataclass(eq=False, repr=False)
class Mixture(IntervalRows):
    """A mixture of components of any family, fitted from many short starts.

    Parameters
    ----------
    family : str or Family, default "gaussian"
        "auto" (for each column what suits it, as in `LatentClass`), "bernoulli", "categorical",
        "contaminated", "exponential", "gamma", "gaussian", "lognormal", "multinomial",
        "negativebinomial", "normal", "poisson", "regression" (of the last column on the others),
        "student", "vonmises", "vonmisesfisher"; a covariance type of `GaussianMixture`; or an
        object, such as `mixtura.Product(...)` or one of your own.
    n_components : int, default 1
    tol : float, default 1e-6
        A climb stops when the estimated log-likelihood still to be gained, per row, is below `tol`.
    max_iter : int, default 1000
    n_init : int or "auto", default 1
        As in `GaussianMixture`.
    init_params : {"auto", "kmeans", "k-means++", "random", "random_from_data", ...}, \
            default "auto"
        Where climbs begin, in the family's own units (`Family.frame`).
    random_state : int, RandomState instance or None
    warm_start : bool, default False
        Start from the last fit's parameters.
    verbose : int, default 0
    verbose_interval : int, default 10
    weights : {"counts", "importance"}, default "counts"
    solver, engine : as in `GaussianMixture`
    concomitants : sequence of column names or positions, optional
        Columns that the weights hang on, by a multinomial logit, and that the components do not
        describe: P(k | x) instead of P(k).
    noise : as in `GaussianMixture`
        For families of numbers: Gaussian structures, "student", ...
    fixed : as in `GaussianMixture`
        Weights of any family, means and covariances of Gaussian structures.
    prior : GammaPrior, BetaPrior, DirichletPrior, Dirichlet, or a list, default None
        Conjugate, of components and weights: docs/priors.md. Of a product a dict of them by block.
        For Gaussian structures as in `GaussianMixture`.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        P(k); with concomitants the mean of P(k | x) over the table.
    concomitant_coef_, concomitant_intercept_ : arrays
        Of shapes (n_components, n_concomitants) and (n_components,):
        log P(k | x) / P(0 | x) per unit of the column, 0 for component 0.
    <parameter>_ : arrays
        Each parameter of the family by its name: `rates_` (n_components, n_features) of Poisson
        components, `probabilities_` of categorical ones, ...; in a `Product` with the block's name
        before: `poisson_rates_`.
    parameters_ : dict
        All of them, by the family's own names.
    family_ : Family
        The family with what it took from the table, the levels of categories, say.
    converged_, n_iter_, lower_bound_, lower_bounds_, n_features_in_, feature_names_in_, fit_result_
        As in `GaussianMixture`.

    Missing cells (NaN) of families whose columns are independent within a component are left out
    of their row, which is exact.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import Mixture
    >>> X = np.array([[0, 9], [1, 8], [0, 10], [2, 7], [7, 1], [9, 2], [8, 0], [6, 1]])
    >>> mixture = Mixture("poisson", n_components=2, random_state=0).fit(X)
    >>> mixture.rates_[mixture.predict([[0, 9], [8, 1]])].round(2)
    array([[0.75, 8.5 ],
           [7.5 , 1.  ]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IntervalRows._parameter_constraints,
        "family": [str, Family],
        "concomitants": [None, str, Integral, "array-like"],
        "noise": NOISE_SETTINGS,
        "fixed": FIXED_SETTINGS,
        "prior": PRIOR_SETTINGS,
    }

    family: Spec = "gaussian"
    n_components: int = 1
    _: KW_ONLY
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int | str = 1
    init_params: str = "auto"
    random_state: Seed = None
    warm_start: bool = False
    verbose: int = 0
    verbose_interval: int = 10
    weights: str = COUNTS
    solver: str | Solver = "auto"
    engine: str = "auto"
    concomitants: Any = None
    noise: Any = None
    fixed: dict[str, Any] | None = None
    prior: Any = None

    _components = "family"
    _restored_components = staticmethod(restored_spec)
    # That of the columns that the fitted weights hang on, whatever is asked for since.
    _design: Design | None = field(default=None, init=False)

    def _stored_arrays(self) -> dict[str, AnyArray]:
        names = [attribute(name) for name in self.family_.supports()]
        if self._concomitants() != (() if self._design is None else self._design.columns):
            raise StoreError(
                f"save: concomitants={self.concomitants!r} is not what was fitted: set it back, or "
                "fit again"
            )
        if self._design is not None:
            names += CONCOMITANTS
        return {name: getattr(self, name) for name in ("weights_", *names)}

    def _stored_beside(self) -> dict[str, Any]:
        return {"family": family_document(self.family_)}

    def _check_stored(self, stored: Stored) -> None:
        equations = () if stored.fit is None else stored.fit.equations
        self.family_ = restored_family(stored.family, "family", equations)
        K = self.n_components
        shapes = self.family_.shapes(K, stored.scalars.n_features_in_)
        kinds = {"weights_": Floats((n_weights(K, stored.noise),), Simplex())}
        for name, support in self.family_.supports().items():
            kinds[attribute(name)] = Floats(shapes[name], support)
        if self.concomitants is not None:
            told = stored.feature_names
            names = list(told) if told else column_names(None, stored.scalars.n_features_in_)
            given = positions(self.concomitants, names, "settings.concomitants")
            kinds["concomitant_coef_"] = Floats((K, len(given)), RealNumbers())
            kinds["concomitant_intercept_"] = Floats((K,), RealNumbers())
            self._design = untold(given, stored.scalars.n_features_in_)
        read_arrays(kinds, stored.arrays, "arrays")

    def _check_restored(self) -> None:
        self._fitted()

    def _asked_family(self) -> Family:
        """What components are made of, beside what their weights hang on."""
        return family(self.family)

    def _family(self) -> Family:
        asked = asked_family(self, self._asked_family())
        if self.concomitants is None or asked.names_columns:
            return asked
        return Beside(asked, self.concomitants)

    def _concomitants(self) -> tuple[int, ...]:
        if self.concomitants is None:
            return ()
        return tuple(positions(self.concomitants, self._names(), "concomitants"))

    def _begun_family(self) -> Family:
        return self.family_ if self._goes_on() else self._family()

    def _continued(self, d: int) -> MixtureParams:
        """The last fit's mixture, if this one can begin there."""
        asked, last = self._family(), self.family_
        before = () if self._design is None else self._design.columns
        if self._concomitants() != before:
            raise ValueError(
                f"warm_start: the weights of the last fit hang on columns {list(before)} (counted "
                f"from 0), not on concomitants={self.concomitants!r}: set warm_start=False"
            )
        shapes = last.shapes(self.n_components, d)
        found = {name: array.shape for name, array in self.parameters_.items()}
        if not asked.continues(last, self._names()) or found != shapes:
            raise ValueError(
                f"warm_start: the last fit has {len(self.weights_)} components of family "
                f"{last.name!r} with parameters of shapes {list(found.values())}, which "
                f"{self.n_components} of family {asked.name!r} over {d} columns cannot continue: "
                "set warm_start=False"
            )
        return self._fitted()[1]

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        self.family_, params = found.family.whole(), found.params
        super()._hold(found, dtype)
        self._design = None
        for name in CONCOMITANTS:
            self.__dict__.pop(name, None)
        if isinstance(found.model, Concomitant) and isinstance(params, ConcomitantParams):
            self._design = found.model.design
            self.concomitant_intercept_ = params.logits[:, 0]
            self.concomitant_coef_ = params.logits[:, 1:]
            counts = found.family.counts(found.model.own(found.fit.summary))
            self.weights_ = counts / counts.sum()

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        self.weights_ = params.weights
        for name, array in params.components.arrays().items():
            setattr(self, attribute(name), array)

    def summary(self) -> str:
        """What was found, what the weights hang on, and how sure the fit is, as text."""
        text = super().summary()
        if self._design is None:
            return text
        names = [self._names()[j] for j in self._design.columns]
        logits = np.column_stack([self.concomitant_intercept_, self.concomitant_coef_])
        return f"{text}\n\n{weights_text(names, logits)}"

    def predict_weights(self, X: Any) -> Array:
        """P(k) of each row, before it is looked at: with concomitants P(k | its concomitants).

        Array of shape (n_samples, n_components).
        """
        check_is_fitted(self)
        model, params = self._fitted()
        found = []
        for x, *_ in self._asked(X).chunks(ANSWERED_ROWS):
            shares = np.exp(model.log_weights(x, params))
            found.append(np.broadcast_to(shares, (len(x), shares.shape[-1])))
        return np.concatenate(found)

    @property
    def parameters_(self) -> dict[str, AnyArray]:
        """The components' parameters, by the family's names."""
        check_is_fitted(self)
        return {name: getattr(self, attribute(name)) for name in self.family_.supports()}

    def _fitted(self) -> tuple[MixtureModel, MixtureParams]:
        parts = self.family_.params(self.parameters_)
        if self._design is None:
            model = beside_noise(self, fixed_model(self, self.family_, Flat()))
            return model, MixtureParams(self.weights_, parts)
        logits = np.column_stack([self.concomitant_intercept_, self.concomitant_coef_])
        return Concomitant(self.family_, Flat(), self._design), ConcomitantParams(
            self.weights_, parts, logits
        )


def attribute(name: str) -> str:
    """What the fitted attribute of a parameter is called."""
    return name.replace(".", "_") + "_"
