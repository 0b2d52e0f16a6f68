"""A hidden Markov model that knows how it is kept, and written to files."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import column_names
from mixtura.data.sequences import Ordered
from mixtura.estimators import driving
from mixtura.estimators.chain import ChainEstimator
from mixtura.estimators.complaints import DegenerateWarning, collapse_told
from mixtura.estimators.document import Stored
from mixtura.estimators.driving import DRIVING
from mixtura.estimators.family_document import family_document, restored_family
from mixtura.estimators.lasting import kept, lasting
from mixtura.estimators.lasting import stored as stored_lengths
from mixtura.estimators.mixture import attribute
from mixtura.families.base import Family
from mixtura.families.priors import Flat
from mixtura.fitting.hidden_markov_fit import ChainFound
from mixtura.models.hidden_markov import HiddenMarkov as Chain
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray
from mixtura.report.collapse import collapses
from mixtura.schema import Floats, read_arrays
from mixtura.supports import Simplex

# Fitted attributes of laws of how long states last, and of covariates.
_LASTING = ("stays_", "durations_", *DRIVING)


class FittedChain(ChainEstimator):
    """Attributes of a fit, from what was found to files and back."""

    # What holds the states' shares of the steps.
    _shares: ClassVar[str] = "weights_"
    family_: Family
    initial_: AnyArray
    transitions_: AnyArray

    def _keep(self, found: ChainFound, rows: Ordered) -> None:
        """Set what was found; warn where it did not converge."""
        self.family_ = found.model.family.whole()
        params, fit = found.params, found.fit
        setattr(self, self._shares, params.weights)
        self.initial_, self.transitions_ = params.initial, params.transitions
        for name in _LASTING:
            self.__dict__.pop(name, None)
        self.__dict__.update(kept(found.model, params) | driving.kept(params))
        for name, array in params.components.arrays().items():
            setattr(self, attribute(name), array)
        self._keep_fit(fit)
        # That states hold nothing is no fault of a posterior.
        if fit.empty and not fit.bound:
            states = ", ".join(map(str, fit.empty))
            warnings.warn(
                f"states {states} are empty: they hold less than half a step. Use fewer states",
                ConvergenceWarning,
                stacklevel=4,
            )
        names = column_names(getattr(self, "feature_names_in_", None), rows.d)
        K = len(params.weights)
        for why in collapses(fit.floored, found.model.family, names, K, "state"):
            warnings.warn(collapse_told(why, "states"), DegenerateWarning, stacklevel=4)

    def _kind(self) -> Family:
        check_is_fitted(self, "initial_")
        return self.family_

    def _fitted(self) -> tuple[Chain, HiddenMarkovParams]:
        check_is_fitted(self, "initial_")
        parts = self.family_.params(self.parameters_)
        shares = getattr(self, self._shares)
        laws = (np.ascontiguousarray(law) for law in (self.initial_, self.transitions_))
        params = HiddenMarkovParams(shares, parts, *laws)
        model = Chain(self.family_, Flat())
        law = getattr(self, "durations", None)
        arrays = {name: self.__dict__[name] for name in _LASTING if name in self.__dict__}
        if DRIVING[0] in arrays:
            columns, d = self._covariates(), self.n_features_in_
            model, params = driving.driven(model, params, columns, d, arrays)
        return (
            lasting(model, params, law, arrays) if law and "stays_" in arrays else (model, params)
        )

    def _covariates(self) -> driving.Columns:
        """The columns that transitions and first states hang on."""
        return driving.columns_of(self, self._names())

    @property
    def parameters_(self) -> dict[str, AnyArray]:
        """The states' parameters, by the family's names."""
        check_is_fitted(self, "initial_")
        return {name: getattr(self, attribute(name)) for name in self.family_.supports()}

    def _stored_arrays(self) -> dict[str, AnyArray]:
        chain = (self._shares, "initial_", "transitions_")
        lengths = (name for name in _LASTING if name in self.__dict__)
        names = (*chain, *lengths, *(attribute(name) for name in self.family_.supports()))
        return {name: getattr(self, name) for name in names}

    def _stored_beside(self) -> dict[str, Any]:
        return {"family": family_document(self.family_)}

    def _check_stored(self, stored: Stored) -> None:
        equations = () if stored.fit is None else stored.fit.equations
        self.family_ = restored_family(stored.family, "family", equations)
        K = getattr(self, self._groups)
        shapes = self.family_.shapes(K, stored.scalars.n_features_in_)
        kinds = dict.fromkeys((self._shares, "initial_"), Floats((K,), Simplex()))
        kinds["transitions_"] = Floats((K, K), Simplex())
        for name, support in self.family_.supports().items():
            kinds[attribute(name)] = Floats(shapes[name], support)
        law = getattr(self, "durations", None)
        if law and K > 1:
            kinds |= stored_lengths(law, K, stored.arrays)
        told = stored.feature_names
        names = list(told) if told else column_names(None, stored.scalars.n_features_in_)
        columns = driving.columns_of(self, names)
        if columns.all:
            kinds |= driving.stored(columns, K)
        read_arrays(kinds, stored.arrays, "arrays")

    def _check_restored(self) -> None:
        self._fitted()
