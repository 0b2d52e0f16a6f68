"""hmmlearn's model whose states are mixtures, by its name."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.estimators.hmm_face import HmmFace
from mixtura.estimators.hmm_priors import GONE, PRIOR, WEIGHT, Setting, before, filled, stored
from mixtura.estimators.signatures import init_like, parameter
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.mixed import MixtureOf
from mixtura.records import AnyArray, Array


class GMMHMM(HmmFace):
    """A hidden Markov model whose states are Gaussian mixtures, under hmmlearn's names.

    Parameters
    ----------
    n_components : int, default 1
    n_mix : int, default 1
        Parts of each state's mixture.
    covariance_type : {"diag", "full", "tied", "spherical"}, default "diag"
        "tied": the parts of a state share one covariance.
    weights_prior : float or array of shape (n_mix,), default 1.0
        A Dirichlet prior of each state's weights, of 1 or more.
    means_prior, means_weight : as in `GaussianHMM`, of each part
    covars_prior, covars_weight : float or array, optional
        Of each part: "full", "tied" scale and degrees of freedom of an inverse Wishart law; "diag",
        "spherical" shape and scale of an inverse gamma law of variances, in this order, as there.
        Default: no prior.
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
        "weights_prior": PRIOR,
        "means_prior": PRIOR,
        "means_weight": WEIGHT,
        "covars_prior": [None, *PRIOR],
        "covars_weight": [None, *PRIOR],
    }
    _letters: ClassVar[dict[str, str]] = {"m": "means", "c": "covariances", "w": "shares"}
    _theirs: ClassVar[dict[str, str]] = {
        "means": "means_",
        "covariances": "covars_",
        "shares": "weights_",
    }

    n_mix: int
    covariance_type: str
    weights_prior: Any
    means_prior: Any
    means_weight: float
    covars_prior: Any
    covars_weight: Any
    __init__ = init_like(
        HmmFace.__init__,
        parameter("n_mix", 1, positional=True),
        parameter("covariance_type", "diag"),
        parameter("weights_prior", 1.0),
        parameter("means_prior", 0.0),
        parameter("means_weight", 0.0),
        parameter("covars_prior", None),
        parameter("covars_weight", None),
        defaults={"params": "stmcw", "init_params": "stmcw"},
        gone=GONE,
    )

    def _plain_family(self) -> Family:
        return MixtureOf(self.covariance_type, self.n_mix)

    def _prior(self, kind: Family, d: int) -> Setting | None:
        of_parts = before(
            filled("means_prior", self.means_prior, (d,)),
            float(self.means_weight),
            *self._rows_and_scatter(d),
        )
        rows = filled("weights_prior", self.weights_prior, (self.n_mix,), 1.0) - 1.0
        if of_parts is None:
            return (lambda prior: replace(prior, share_rows=rows)) if rows.any() else None
        return lambda prior: replace(prior, own=of_parts(prior.own), share_rows=rows)

    def _rows_and_scatter(self, d: int) -> tuple[float, Array]:
        """Those of hmmlearn's laws, of which the normal one of a mean is one row."""
        shape = stored(self.covariance_type, d)
        if len(shape) == 2:
            told, scale, one, law = "covars_weight", "covars_prior", 1, self.covars_weight
            means = self.n_mix if structure(self.covariance_type).form.shared else 1
            rows = 0.0 if law is None else float(filled(told, law, ())) + means + d + 1
        else:
            told, scale, one, law = "covars_prior", "covars_weight", 1, self.covars_prior
            one = 1 if shape else d
            rows = 0.0 if law is None else 1 + 2 * (float(filled(told, law, ())) + 1) / one
        if rows < 0:
            raise ValueError(f"{told}={law!r} is worth {rows:g} rows: it must be larger")
        given = getattr(self, scale)
        scatter = filled(scale, 0.0 if given is None else given, shape, 0.0)
        return rows, scatter if len(shape) == 2 else 2 * scatter / one

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
