"""hmmlearn's hidden Markov models by their names: programs run with the import changed."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.estimators.hmm_face import HmmFace
from mixtura.estimators.signatures import init_like, parameter
from mixtura.families.base import Family
from mixtura.families.categorical import Categorical
from mixtura.families.mixed import MixtureOf
from mixtura.families.registry import family
from mixtura.records import AnyArray

# hmmlearn's parameters that are not here.
_LIKELIHOOD = "emissions are fitted by maximum likelihood"
_PENALISED = f"{_LIKELIHOOD}, with a penalty relative to the table where a state would collapse"
_OF_MIXTURES = (
    "min_covar",
    "weights_prior",
    "means_prior",
    "means_weight",
    "covars_prior",
    "covars_weight",
)


class GaussianHMM(HmmFace):
    """A hidden Markov model with Gaussian emissions, under hmmlearn's names.

    Parameters
    ----------
    covariance_type : {"diag", "full", "tied", "spherical"}, default "diag"
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
    }
    _letters: ClassVar[dict[str, str]] = {"m": "means", "c": "covariances"}
    _theirs: ClassVar[dict[str, str]] = {"means": "means_", "covariances": "covars_"}

    covariance_type: str
    __init__ = init_like(
        HmmFace.__init__,
        parameter("covariance_type", "diag", positional=True),
        defaults={"params": "stmc", "init_params": "stmc"},
        gone=dict.fromkeys(
            ("min_covar", "means_prior", "means_weight", "covars_prior", "covars_weight"),
            _PENALISED,
        ),
    )

    def _plain_family(self) -> Family:
        return family(self.covariance_type)

    @property
    def covars_(self) -> AnyArray:
        """Covariances as full matrices, (n_components, n_features, n_features)."""
        stored = np.asarray(self.covariances_)
        K, d = np.shape(self.means_)
        whole = {
            "full": lambda: stored,
            "tied": lambda: np.tile(stored, (K, 1, 1)),
            "diag": lambda: stored[:, :, None] * np.eye(d),
            "spherical": lambda: stored[:, None, None] * np.eye(d),
        }
        return np.asarray(whole[self.covariance_type]())

    @covars_.setter
    def covars_(self, given: Any) -> None:
        self.covariances_ = np.asarray(given, dtype=np.float64)


class GMMHMM(HmmFace):
    """A hidden Markov model whose states are Gaussian mixtures, under hmmlearn's names.

    Parameters
    ----------
    n_components : int, default 1
    n_mix : int, default 1
        Parts of each state's mixture.
    covariance_type : {"diag", "full", "tied", "spherical"}, default "diag"
        "tied": the parts of a state share one covariance.
    params, init_params : str, default "stmcw"
        What is moved, and what is looked for: s startprob_, t transmat_, m means_, c covars_,
        w weights_.
    startprob_prior, transmat_prior, algorithm, random_state, n_iter, tol, verbose, \
            implementation, n_init, solver : as in `HmmFace`

    Attributes
    ----------
    startprob_, transmat_, monitor_, fit_result_, ...
    weights_ : array of shape (n_components, n_mix), of each state's parts
    means_ : array of shape (n_components, n_mix, n_features)
    covars_ : array of shape (n_components, n_mix, n_features), (n_components, n_mix, n_features, \
            n_features), (n_components, n_features, n_features) or (n_components, n_mix)
        By `covariance_type`, in its order above.
    state_weights_ : array of shape (n_components,), the states' expected shares of the steps

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GMMHMM
    >>> rng = np.random.default_rng(0)
    >>> quiet, loud = rng.normal(0, 1, 80), np.where(rng.uniform(size=80) < 0.5, -6.0, 6.0)
    >>> X = np.concatenate([quiet, loud + rng.normal(0, 1, 80)])[:, None]
    >>> hmm = GMMHMM(n_components=2, n_mix=2, random_state=0).fit(X)
    >>> bool(np.ptp(hmm.means_[:, :, 0], axis=1).max() > 11)
    True
    """

    _shares: ClassVar[str] = "state_weights_"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HmmFace._parameter_constraints,
        "n_mix": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"diag", "full", "tied", "spherical"})],
    }
    _letters: ClassVar[dict[str, str]] = {"m": "means", "c": "covariances", "w": "shares"}
    _theirs: ClassVar[dict[str, str]] = {
        "means": "means_",
        "covariances": "covars_",
        "shares": "weights_",
    }

    n_mix: int
    covariance_type: str
    __init__ = init_like(
        HmmFace.__init__,
        parameter("n_mix", 1, positional=True),
        parameter("covariance_type", "diag"),
        defaults={"params": "stmcw", "init_params": "stmcw"},
        gone=dict.fromkeys(_OF_MIXTURES, _PENALISED),
    )

    def _plain_family(self) -> Family:
        return MixtureOf(self.covariance_type, self.n_mix)

    @property
    def weights_(self) -> AnyArray:
        """The weights of each state's parts, (n_components, n_mix)."""
        return np.asarray(self.shares_)

    @weights_.setter
    def weights_(self, given: Any) -> None:
        self.shares_ = np.asarray(given, dtype=np.float64)

    @property
    def covars_(self) -> AnyArray:
        """The covariances of each state's parts, in the shape of `covariance_type`."""
        return np.asarray(self.covariances_)

    @covars_.setter
    def covars_(self, given: Any) -> None:
        self.covariances_ = np.asarray(given, dtype=np.float64)


class PoissonHMM(HmmFace):
    """A hidden Markov model of counts, under hmmlearn's names: `lambdas_` are the rates.

    params and init_params are of the letters s, t and l. Other parameters: `HmmFace`.
    """

    _letters: ClassVar[dict[str, str]] = {"l": "rates"}
    _theirs: ClassVar[dict[str, str]] = {"rates": "lambdas_"}

    __init__ = init_like(
        HmmFace.__init__,
        defaults={"params": "stl", "init_params": "stl"},
        gone=dict.fromkeys(("lambdas_prior", "lambdas_weight"), _LIKELIHOOD),
    )

    def _plain_family(self) -> Family:
        return family("poisson")

    @property
    def lambdas_(self) -> AnyArray:
        """The rates, (n_components, n_features)."""
        return np.asarray(self.rates_)

    @lambdas_.setter
    def lambdas_(self, given: Any) -> None:
        self.rates_ = np.asarray(given, dtype=np.float64)


class _Symbols(HmmFace):
    """What those with `emissionprob_` share."""

    _letters: ClassVar[dict[str, str]] = {"e": "probabilities"}
    _theirs: ClassVar[dict[str, str]] = {"probabilities": "emissionprob_"}

    __init__ = init_like(
        HmmFace.__init__,
        defaults={"params": "ste", "init_params": "ste"},
        gone={
            "emissionprob_prior": _LIKELIHOOD,
            "n_features": "symbols are counted in the table, or in emissionprob_",
            "n_trials": "each row has its own total",
        },
    )

    @property
    def emissionprob_(self) -> AnyArray:
        """The probabilities of symbols, (n_components, n_symbols)."""
        return np.asarray(self.probabilities_)

    @emissionprob_.setter
    def emissionprob_(self, given: Any) -> None:
        self.probabilities_ = np.asarray(given, dtype=np.float64)


class CategoricalHMM(_Symbols):
    """A hidden Markov model of symbols 0, 1, ... in one column, under hmmlearn's names.

    `emissionprob_` (n_components, n_symbols). params and init_params are of the letters s, t and e.
    Other parameters: `HmmFace`.
    """

    def _plain_family(self) -> Family:
        set_by_hand = "e" not in self.init_params or not hasattr(self, "family_")
        if set_by_hand and hasattr(self, "probabilities_"):
            return Categorical(levels=(int(np.shape(self.probabilities_)[1]),))
        return family("categorical")


class MultinomialHMM(_Symbols):
    """A hidden Markov model of rows of counts over symbols, under hmmlearn's names.

    A row's total may be any count (hmmlearn's n_trials). `emissionprob_` (n_components,
    n_features). params and init_params are of the letters s, t and e. Other parameters: `HmmFace`.
    """

    def _plain_family(self) -> Family:
        return family("multinomial")
