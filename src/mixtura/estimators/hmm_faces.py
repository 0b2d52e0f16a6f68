"""hmmlearn's hidden Markov models by their names: programs run with the import changed."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.refusal import row_at
from mixtura.data.sequences import Sequences
from mixtura.estimators.hmm_face import HmmFace
from mixtura.estimators.hmm_priors import (
    GONE,
    PRIOR,
    WEIGHT,
    Setting,
    before,
    counted,
    filled,
    full_matrices,
    stored,
)
from mixtura.estimators.signatures import init_like, parameter
from mixtura.families.base import Family
from mixtura.families.categorical import Categorical
from mixtura.families.multinomial import Multinomial
from mixtura.families.registry import family, pinned
from mixtura.fitting.hidden_markov_fit import ChainFound
from mixtura.records import AnyArray, Array


class GaussianHMM(HmmFace):
    """A hidden Markov model with Gaussian emissions, under hmmlearn's names.

    Parameters
    ----------
    covariance_type : {"diag", "full", "tied", "spherical"}, default "diag"
    means_prior : float or array of shape (n_features,), default 0
    means_weight : float, default 0
        Rows at `means_prior` beside those of each state; 0: no prior of means.
    covars_prior : float or array, in squared units, default 0
    covars_weight : float, default 0
        Beside the rows of each state (of all, "tied") covars_weight - 1 more ("diag", "spherical")
        or covars_weight - n_features ("full", "tied"), none where that is less; and `covars_prior`
        beside their sum of squares, for each column (n_features,), or of squares and products
        (n_features, n_features), in which one number fills every cell as it does in hmmlearn.
        Both 0: no prior. The M-step: `mixtura.families.conjugate.RowsBefore`.
    params, init_params : str, default "stmc"
        What is moved, and what is looked for: s startprob_, t transmat_, m means_, c covars_.
    n_components, startprob_prior, transmat_prior, algorithm, random_state, n_iter, tol, verbose, \
            implementation, n_init, solver : as in `HmmFace`

    Attributes
    ----------
    startprob_, transmat_, means_, covars_
        `covars_` reads as full matrices (n_components, n_features, n_features), and is set in the
        shape of `covariance_type`: (n_components, n_features), (n_components, n_features,
        n_features), (n_features, n_features) or (n_components,).

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianHMM
    >>> X = np.array([0.1, 0.3, -0.2, 0.0, 3.1, 2.8, 3.3, 2.9, 0.2, -0.1, 3.0, 3.2])[:, None]
    >>> hmm = GaussianHMM(n_components=2, random_state=0).fit(X)
    >>> hmm.predict(X)
    array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HmmFace._parameter_constraints,
        "covariance_type": [StrOptions({"diag", "full", "tied", "spherical"})],
        "means_prior": PRIOR,
        "means_weight": WEIGHT,
        "covars_prior": PRIOR,
        "covars_weight": WEIGHT,
    }
    _letters: ClassVar[dict[str, str]] = {"m": "means", "c": "covariances"}
    _theirs: ClassVar[dict[str, str]] = {"means": "means_", "covariances": "covars_"}

    covariance_type: str
    means_prior: Any
    means_weight: float
    covars_prior: Any
    covars_weight: float
    __init__ = init_like(
        HmmFace.__init__,
        parameter("covariance_type", "diag", positional=True),
        parameter("means_prior", 0.0),
        parameter("means_weight", 0.0),
        parameter("covars_prior", 0.0),
        parameter("covars_weight", 0.0),
        defaults={"params": "stmc", "init_params": "stmc"},
        gone=GONE,
    )

    def _plain_family(self) -> Family:
        return family(self.covariance_type)

    def _prior(self, kind: Family, d: int) -> Setting | None:
        shape = stored(self.covariance_type, d)
        of_one = d if len(shape) == 2 else 1
        return before(
            filled("means_prior", self.means_prior, (d,)),
            float(self.means_weight),
            max(float(self.covars_weight) - of_one, 0.0),
            filled("covars_prior", self.covars_prior, shape, 0.0),
        )

    def _holding(self, kind: Family, names: list[str], given: dict[str, Array]) -> Family:
        name = names[0]
        theirs = self._theirs[name]
        if name not in given:
            raise ValueError(
                f"params={self.params!r} holds {theirs}: set them before the fit, and leave "
                f"{name[0]!r} out of init_params"
            )
        if self.means_weight or self.covars_weight or np.any(self.covars_prior):
            raise ValueError(
                f"params={self.params!r} holds {theirs}, and priors of emissions are of both "
                "means_ and covars_: leave the priors out"
            )
        means, covariances = (given[each] if each == name else None for each in self._theirs)
        return pinned(kind, means, False, covariances)

    @property
    def covars_(self) -> AnyArray:
        """Covariances as full matrices, (n_components, n_features, n_features)."""
        own = np.asarray(self.covariances_)
        return full_matrices(self.covariance_type, own, *np.shape(self.means_))

    @covars_.setter
    def covars_(self, given: Any) -> None:
        self.covariances_ = np.asarray(given, dtype=np.float64)


class PoissonHMM(HmmFace):
    """A hidden Markov model of counts, under hmmlearn's names: `lambdas_` are the rates.

    `lambdas_prior` (0 or more, one number or one for each column) counts in `lambdas_weight` (0 or
    more) steps stand beside those of each state: a gamma law of shape lambdas_prior + 1 and rate
    lambdas_weight. params and init_params are of the letters s, t and l. Other parameters:
    `HmmFace`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HmmFace._parameter_constraints,
        "lambdas_prior": PRIOR,
        "lambdas_weight": WEIGHT,
    }

    _letters: ClassVar[dict[str, str]] = {"l": "rates"}
    _theirs: ClassVar[dict[str, str]] = {"rates": "lambdas_"}

    lambdas_prior: Any
    lambdas_weight: float
    __init__ = init_like(
        HmmFace.__init__,
        parameter("lambdas_prior", 0.0),
        parameter("lambdas_weight", 0.0),
        defaults={"params": "stl", "init_params": "stl"},
    )

    def _plain_family(self) -> Family:
        return family("poisson")

    def _prior(self, kind: Family, d: int) -> Setting | None:
        more = filled("lambdas_prior", self.lambdas_prior, (d,), 0.0)
        return counted("rates", "sums", more, "cells", float(self.lambdas_weight))

    @property
    def lambdas_(self) -> AnyArray:
        """The rates, (n_components, n_features)."""
        return np.asarray(self.rates_)

    @lambdas_.setter
    def lambdas_(self, given: Any) -> None:
        self.rates_ = np.asarray(given, dtype=np.float64)


class _Symbols(HmmFace):
    """What those with `emissionprob_` share."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HmmFace._parameter_constraints,
        "emissionprob_prior": PRIOR,
    }
    _letters: ClassVar[dict[str, str]] = {"e": "probabilities"}
    _theirs: ClassVar[dict[str, str]] = {"probabilities": "emissionprob_"}

    emissionprob_prior: Any
    __init__ = init_like(
        HmmFace.__init__,
        parameter("emissionprob_prior", 1.0),
        defaults={"params": "ste", "init_params": "ste"},
    )

    # What the family's statistics call the counts of symbols.
    _counts: ClassVar[str]

    def _prior(self, kind: Family, d: int) -> Setting | None:
        symbols = kind.shapes(1, d)["probabilities"][1:]
        more = filled("emissionprob_prior", self.emissionprob_prior, symbols, 1.0) - 1.0
        return counted("probabilities", self._counts, more)

    @property
    def emissionprob_(self) -> AnyArray:
        """The probabilities of symbols, (n_components, n_symbols)."""
        return np.asarray(self.probabilities_)

    @emissionprob_.setter
    def emissionprob_(self, given: Any) -> None:
        self.probabilities_ = np.asarray(given, dtype=np.float64)


class CategoricalHMM(_Symbols):
    """A hidden Markov model of symbols 0, 1, ... in one column, under hmmlearn's names.

    `emissionprob_` (n_components, n_features). `n_features` is how many symbols there are; by
    default as many as `emissionprob_` set by hand, or one more than the largest of the table.
    `emissionprob_prior` (1 or more, one number or one for each symbol) is a Dirichlet prior of each
    state's, the fit then maximises the posterior. params and init_params are of the letters s, t
    and e. Other parameters: `HmmFace`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Symbols._parameter_constraints,
        "n_features": [None, Interval(Integral, 1, None, closed="left")],
    }
    _counts = "hits"

    __init__ = init_like(_Symbols.__init__, parameter("n_features", None))

    @property
    def n_features(self) -> int | None:
        """How many symbols there are, as hmmlearn calls their number; None before that is known."""
        found = getattr(self, "probabilities_", None)
        return self._symbols if self._symbols or found is None else int(np.shape(found)[1])

    @n_features.setter
    def n_features(self, given: int | None) -> None:
        self._symbols = given

    def _find(self, rows: Sequences, kind: Family, max_seconds: float | None) -> ChainFound:
        if self._symbols:
            X = rows.X if isinstance(rows, Sequences) else np.zeros((0, 1))
            for i, j in np.argwhere(self._symbols <= X)[:1]:
                raise ValueError(
                    f"n_features={self._symbols}: {row_at(i)} of X holds {X[i, j]:g}, and symbols "
                    f"are 0 to {self._symbols - 1}: give n_features={np.nanmax(X) + 1:g}, or leave "
                    "it out"
                )
            assert isinstance(kind, Categorical)
            kind = replace(kind, levels=(int(self._symbols),))
        return super()._find(rows, kind, max_seconds)

    def _plain_family(self) -> Family:
        set_by_hand = "e" not in self.init_params or not hasattr(self, "family_")
        if set_by_hand and hasattr(self, "probabilities_"):
            return Categorical(levels=(int(np.shape(self.probabilities_)[1]),))
        return family("categorical")


class MultinomialHMM(_Symbols):
    """A hidden Markov model of rows of counts over symbols, under hmmlearn's names.

    `n_trials` is the total of every row, or of each; by default they may be any counts.
    `emissionprob_` (n_components, n_features); `emissionprob_prior` as in `CategoricalHMM`. params
    and init_params are of the letters s, t and e. Other parameters: `HmmFace`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Symbols._parameter_constraints,
        "n_trials": [None, Integral, "array-like"],
    }
    _counts = "sums"

    n_trials: Any
    __init__ = init_like(_Symbols.__init__, parameter("n_trials", None, positional=True))

    def _plain_family(self) -> Family:
        one = self.n_trials is not None and np.ndim(self.n_trials) == 0
        return Multinomial((float(self.n_trials),) if one else ())

    def _find(self, rows: Sequences, kind: Family, max_seconds: float | None) -> ChainFound:
        if self.n_trials is not None:
            if not isinstance(rows, Sequences):
                raise ValueError(
                    "n_trials cannot be given for sequences in Dask partitions: load the table, or "
                    "leave it out"
                )
            totals = np.where(rows.seen, np.nansum(rows.X, axis=1), np.nan)
            if np.shape(self.n_trials) not in ((), totals.shape):
                raise ValueError(
                    f"n_trials must be one number or one for each of {len(totals)} rows, got shape "
                    f"{np.shape(self.n_trials)}"
                )
            for i in np.flatnonzero(rows.seen & (totals != self.n_trials))[:1]:
                raise ValueError(
                    f"n_trials: {row_at(i)} of X adds up to {totals[i]:g}: give each row's total, "
                    "or leave n_trials out"
                )
        return super()._find(rows, kind, max_seconds)
