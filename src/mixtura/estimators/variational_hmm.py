"""`VariationalGaussianHMM`: hmmlearn's hidden Markov model whose parameters are a distribution."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.door import as_numbers
from mixtura.data.sequences import Ordered
from mixtura.estimators.document import Stored
from mixtura.estimators.family_document import restored_family
from mixtura.estimators.hmm_face import HmmFace
from mixtura.estimators.hmm_priors import GONE, PRIOR, Setting, full_matrices
from mixtura.estimators.hyperparameters import state_prior
from mixtura.estimators.posterior_chain import PosteriorChain, concentrations, refuse_apart
from mixtura.estimators.signatures import init_like, parameter
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.posterior import (
    GaussianPosterior,
    PosteriorGaussian,
    gaussian_posterior_from_scale,
)
from mixtura.families.registry import family
from mixtura.fitting.hidden_markov_fit import ChainFound
from mixtura.fitting.hidden_markov_task import AskedPosterior, ChainTask
from mixtura.models.variational_chain import VariationalChain, VariationalChainParams
from mixtura.records import AnyArray, Array
from mixtura.schema import Floats, read_arrays
from mixtura.supports import Positive, Simplex
from mixtura.supports import Real as RealNumbers

# The parts of the law, whose attributes are `<part>_posterior_` and `<part>_prior_`.
PARTS = ("startprob", "transmat", "means", "beta", "dof", "scale")


class VariationalGaussianHMM(PosteriorChain, HmmFace):
    """A hidden Markov model with Gaussian emissions by variational Bayes, under hmmlearn's names.

    The posterior of the laws of the chain, of means and of covariances in the place of one value of
    each; with it how many states hold steps. What the bound is: `docs/bayes.md`.

    Parameters
    ----------
    n_components : int, default 1
        At most so many states hold steps.
    covariance_type : {"full", "diag", "tied", "spherical"}, default "full"
        Of the posterior's scale; each state has a precision of its own.
    startprob_prior : float or array of shape (n_components,), default 1 / n_components
    transmat_prior : float or array of shape (n_components, n_components), default 1 / n_components
        Concentrations of Dirichlet laws, above 0; of each row of transitions one.
    means_prior : float or array of shape (n_features,), default the table's mean
    beta_prior : float, default 1
        Steps that `means_prior` is worth.
    dof_prior : float, default n_features
        Degrees of freedom of the Wishart law of a state's precision, above n_features - 1.
    scale_prior : float or array, in squared units, default the table's covariance
        The inverse of that law's scale, in the shape of one state's covariance: (n_features,
        n_features) ("full", "tied"), (n_features,) ("diag") or one number. One number of "full" and
        "tied" is that times the identity.
    init_params : {"stmc", ""}, default "stmc"
        "": steps from the posterior that was set, all six `..._posterior_` attributes, `n_iter` at
        most, with hmmlearn's rule to stop and states in the order given.
    algorithm, random_state, n_iter, tol, verbose, implementation, n_init : as in `GaussianHMM`
        Of a log-likelihood read the bound. A search makes one of two states where that raises it.

    Attributes
    ----------
    startprob_posterior_ (n_components,), transmat_posterior_ (n_components, n_components)
        Concentrations of the Dirichlet posteriors.
    means_posterior_ (n_components, n_features), beta_posterior_ (n_components,)
        Means, and the steps that each is worth.
    dof_posterior_ (n_components,), scale_posterior_
        Of the Wishart posteriors: degrees of freedom ("tied": one number) and inverse scales, in
        the shape of `covariance_type`.
    startprob_prior_, transmat_prior_, means_prior_, beta_prior_, dof_prior_, scale_prior_
        The same of the prior.
    startprob_, transmat_, means_, covars_
        The posterior's means (of precisions; `covars_` is their inverse), at which `score`,
        `predict`, `decode` and `sample` answer, as in hmmlearn.
    n_components_ : int
        States that hold half a step or more; `held_` are their indices, the first ones. The others
        are as the prior has them.
    elbo_ : float
        The bound of the log evidence in nats, with every constant.
    monitor_, fit_result_, converged_, n_iter_, weights_, ... : as in `GaussianHMM`
        `monitor_.history` and `fit_result_` have the bound for a log-likelihood.

    References
    ----------
    MacKay (1997), Ensemble learning for hidden Markov models; Beal (2003), Variational algorithms
    for approximate Bayesian inference, chapter 3; McGrory & Titterington (2009), Variational
    Bayesian analysis for hidden Markov models, Australian & New Zealand Journal of Statistics 51.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import VariationalGaussianHMM
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(np.repeat([0.0, 8.0, 0.0, 8.0], 50))[:, None]
    >>> VariationalGaussianHMM(n_components=6, random_state=0).fit(X).n_components_
    2
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: of
            for name, of in HmmFace._parameter_constraints.items()
            if name not in ("params", "solver")
        },
        "covariance_type": [StrOptions({"full", "diag", "tied", "spherical"})],
        "startprob_prior": [None, Real, "array-like"],
        "transmat_prior": [None, Real, "array-like"],
        "means_prior": [None, *PRIOR],
        "beta_prior": [None, Interval(Real, 0.0, None, closed="neither")],
        "dof_prior": [None, Interval(Real, 0.0, None, closed="neither")],
        "scale_prior": [None, *PRIOR],
        "init_params": [StrOptions({"stmc", ""})],
    }
    _letters: ClassVar[dict[str, str]] = {"m": "means", "c": "covariances"}
    _theirs: ClassVar[dict[str, str]] = {"means": "means_", "covariances": "covars_"}

    covariance_type: str
    means_prior: Any
    beta_prior: float | None
    dof_prior: float | None
    scale_prior: Any
    means_: AnyArray
    covariances_: AnyArray
    __init__ = init_like(
        HmmFace.__init__,
        parameter("covariance_type", "full", positional=True),
        parameter("means_prior", None),
        parameter("beta_prior", None),
        parameter("dof_prior", None),
        parameter("scale_prior", None),
        without=("params", "solver"),
        defaults={"startprob_prior": None, "transmat_prior": None, "init_params": "stmc"},
        gone={
            **GONE,
            "params": "every part of the posterior hangs on the others, and all move",
            "solver": "a posterior is climbed by its own steps",
        },
    )

    def _plain_family(self) -> Family:
        return family(self.covariance_type)

    def _prior(self, kind: Family, d: int) -> Setting | None:
        return None

    @property
    def covars_(self) -> AnyArray:
        """Covariances as full matrices, (n_components, n_features, n_features)."""
        return full_matrices(self.covariance_type, self.covariances_, *self.means_.shape)

    def _find(self, rows: Any, kind: Family, max_seconds: float | None) -> ChainFound:
        refuse_apart(rows)
        K, d = self.n_components, rows.d
        prior = state_prior(self, rows)
        plain = not self.init_params
        given = self._set_parts(d) if plain else {}
        posterior = PosteriorGaussian(structure(self.covariance_type))

        def begin(model: VariationalChain) -> VariationalChainParams:
            return model.assembled(
                given["startprob"],
                given["transmat"],
                self._of_states(given),
                given["beta"] / given["beta"].sum(),
            )

        task = ChainTask(
            kind,
            K,
            self.tol if plain else max(self.tol, 0.0) / rows.weight,
            self.n_iter,
            self.n_init,
            "threads" if self.implementation == "log" else "auto",
            "em",
            initial_rows=concentrations("startprob_prior", self.startprob_prior, (K,)) - 1.0,
            transition_rows=concentrations("transmat_prior", self.transmat_prior, (K, K)) - 1.0,
            posterior=AskedPosterior(posterior, prior, begin if plain else None),
        )
        return self._found(rows, task, plain, max_seconds)

    def _set_parts(self, d: int) -> dict[str, Array]:
        """The posterior that was set by hand, by its parts; ValueError where it is none."""
        found = {}
        for part, floats in self._parts(d).items():
            value = getattr(self, f"{part}_posterior_", None)
            if value is None:
                raise ValueError(
                    f"init_params='' begins from the posterior that was set, and "
                    f"{part}_posterior_ is not: set it, or use init_params='stmc'"
                )
            value = as_numbers(value, f"{part}_posterior_")
            if part == "dof":
                value = np.broadcast_to(value, floats.shape) if value.ndim == 0 else value
            if value.shape != floats.shape:
                raise ValueError(
                    f"{part}_posterior_ must be of shape {floats.shape}, got {value.shape}"
                )
            if floats.support is not None:
                floats.support.check(value, f"{part}_posterior_")
            found[part] = np.ascontiguousarray(value)
        _refuse_freedom("dof_posterior_", found["dof"], d)
        return found

    def _parts(self, d: int) -> dict[str, Floats]:
        """The shapes and supports of the parts."""
        K, form = self.n_components, structure(self.covariance_type).form
        return {
            "startprob": Floats((K,), Positive()),
            "transmat": Floats((K, K), Positive()),
            "means": Floats((K, d), RealNumbers()),
            "beta": Floats((K,), Positive()),
            "dof": Floats((K,), Positive()),
            "scale": Floats(form.shape(K, d), form.support),
        }

    def _of_states(self, parts: dict[str, Array]) -> GaussianPosterior:
        form = structure(self.covariance_type).form
        chosen = (parts[part] for part in ("beta", "dof"))
        return gaussian_posterior_from_scale(parts["means"], parts["scale"], form, *chosen)

    def _keep(self, found: ChainFound, rows: Ordered) -> None:
        self.family_ = self._plain_family()
        model, params = self._keep_account(found)
        K, own = len(params.weights), params.components
        self._tell("posterior", (params.starts, params.moves), own)
        self._tell("prior", model.concentrations(K), model.prior.prior(K))
        self._tell_point()

    def _tell(self, law: str, chain: tuple[Array, Array], own: GaussianPosterior) -> None:
        """Set the attributes of a law: posterior or prior."""
        values = (*chain, own.means, own.mean_precision, own.freedom, own.scale)
        for part, value in zip(PARTS, values, strict=True):
            setattr(self, f"{part}_{law}_", np.array(value))
        self._shape_as_theirs(law)

    def _shape_as_theirs(self, law: str) -> None:
        """Of a covariance that states share hmmlearn has one number of degrees of freedom."""
        if structure(self.covariance_type).form.shared:
            setattr(self, f"dof_{law}_", float(np.ravel(getattr(self, f"dof_{law}_"))[0]))

    def _law(self, law: str) -> dict[str, Array]:
        """The parts of posterior or prior, degrees of freedom one for each state."""
        found = {part: np.asarray(getattr(self, f"{part}_{law}_")) for part in PARTS}
        return found | {"dof": np.broadcast_to(found["dof"], self.n_components).copy()}

    def _tell_point(self) -> None:
        """Set what the posterior's mean is."""
        parts = self._law("posterior")
        self.initial_ = parts["startprob"] / parts["startprob"].sum()
        self.transitions_ = parts["transmat"] / parts["transmat"].sum(axis=1, keepdims=True)
        self.means_ = parts["means"]
        self.covariances_ = self._of_states(parts).covariances

    def _stored_arrays(self) -> dict[str, AnyArray]:
        laws = {law: self._law(law) for law in ("posterior", "prior")}
        arrays = {f"{part}_{law}_": own[part] for law, own in laws.items() for part in PARTS}
        return {"weights_": self.weights_, **arrays}

    def _stored_beside(self) -> dict[str, Any]:
        return {**super()._stored_beside(), "posterior": {"elbo_": self.elbo_}}

    def _check_stored(self, stored: Stored) -> None:
        self.family_ = restored_family(stored.family, "family", ())
        self._restore_numbers(stored)
        d = stored.scalars.n_features_in_
        kinds = {"weights_": Floats((self.n_components,), Simplex())}
        for law in ("posterior", "prior"):
            kinds |= {f"{part}_{law}_": floats for part, floats in self._parts(d).items()}
        read_arrays(kinds, stored.arrays, "arrays")
        for law in ("posterior", "prior"):
            _refuse_freedom(f"dof_{law}_", stored.arrays[f"dof_{law}_"], d)

    def _check_restored(self) -> None:
        for law in ("posterior", "prior"):
            self._shape_as_theirs(law)
        self._tell_point()
        self._fitted()


def _refuse_freedom(name: str, freedom: Array, d: int) -> None:
    if not freedom.min() > d - 1:
        raise ValueError(f"{name} must be above {d - 1} for {d} columns, got {freedom}")
