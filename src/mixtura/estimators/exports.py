"""What other programs take of a fitted Gaussian mixture."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data.atomic import atomic
from mixtura.estimators import initial
from mixtura.estimators.beside import refuse_beside
from mixtura.estimators.draws import asked_draws
from mixtura.estimators.scikit_learn import to_sklearn
from mixtura.exchange.quadratics import Quadratics
from mixtura.families.gaussian.covariance import structure
from mixtura.records import Array, Seed, Weights


class Exports:
    """The mixture in other forms; mixed into the Gaussian estimators."""

    def to_sklearn(self) -> Any:
        """scikit-learn's estimator of the same name with these parameters, as it would fit them.

        Its `predict`, `predict_proba`, `score_samples` and `sample` are of the same mixture, and it
        can be pickled for where this package is not installed. Arrays are copied bit for bit.

        Returns
        -------
        sklearn.mixture.GaussianMixture or sklearn.mixture.BayesianGaussianMixture, fitted, with the
            covariance type of the four there in which covariances are stored here (factors:
            "full"). Settings of the search are as by default there. Components that moves have
            deleted are left out.

        Raises
        ------
        ValueError
            For a mixture with noise or trimmed rows, or a posterior that cannot be told there.
        """
        check_is_fitted(self)
        refuse_beside("to_sklearn", self, fitted=True)
        return to_sklearn(self)

    def to_onnx(
        self, path: str | Path | None = None, *, dtype: Literal["float64", "float32"] = "float64"
    ) -> Any:
        """The mixture as an ONNX model: `predict`, `predict_proba` and `score_samples` at once.

        The input is ``X`` (rows, n_features), the outputs are ``label`` (rows,), int64,
        ``probabilities`` (rows, n_components) and ``log_density`` (rows,), in nats. Needs
        `mixtura[onnx]`; what runs the model needs nothing of this package. The graph takes whole
        rows: where a cell is NaN, of which `predict` goes by the others, and where a row has no
        density even in logarithms, which `predict` refuses, the label is -1 and the shares are NaN.

        Parameters
        ----------
        path : path, optional
            A file to write the model to, whole or not at all.
        dtype : {"float64", "float32"}, default "float64"
            Of X and the outputs.

        Returns
        -------
        onnx.ModelProto

        Raises
        ------
        ValueError
            For another dtype, means or scales that float32 does not hold, a mixture with noise or
            trimmed rows, or where `onnx` is not installed.
        """
        if dtype not in ("float64", "float32"):
            raise ValueError(f"to_onnx: dtype must be 'float64' or 'float32', got {dtype!r}")
        model = _maker("graph", "onnx", "to_onnx")(self._quadratics("to_onnx"), dtype)
        if path is not None:
            with atomic(path) as part:
                part.write_bytes(model.SerializeToString())
        return model

    def to_torch(self) -> Any:
        """The log-density as a module of PyTorch, whose weights, means and factors can be trained.

        `forward` takes a tensor (n, n_features) and gives log p(x), (n,): what `score_samples`
        answers, with gradients in the parameters and in the rows. Covariances are positive definite
        by construction. Its parameters, and `weights`, `means` and `covariances` to read, are
        described in `mixtura.exchange.network.MixtureDensity`. Needs `mixtura[torch]`.

        Returns
        -------
        torch.nn.Module, in float64 on the CPU; what components share beyond the four types of
            scikit-learn, factors too, is not kept in training

        Raises
        ------
        ValueError
            For a mixture with noise or trimmed rows, a posterior, or where PyTorch is not
            installed.
        """
        if hasattr(self, "weight_concentration_"):
            raise ValueError(
                "to_torch: a posterior has no one density whose parameters could be trained: use "
                "GaussianMixture"
            )
        return _maker("network", "torch", "to_torch")(self._quadratics("to_torch"))

    def to_arviz(
        self,
        X: Any = None,
        *,
        sample_weight: Weights = None,
        draws: int = 1000,
        random_state: Seed = None,
    ) -> Any:
        """How sure the parameters are: draws of them for ArviZ. Needs `mixtura[arviz]`.

        Of a `BayesianGaussianMixture` they are independent draws from its posterior, of the
        components that hold rows, whose weights are parts of all; each covariance has a Wishart
        law of its own there, dense for every covariance type. Of a `GaussianMixture` they are from
        the normal law that estimates of many rows have, in free coordinates, so that every draw is
        admissible: its covariance is the inverse of the observed information (Louis 1982, JRSS B
        44). That is no posterior, and says too little where components hardly differ.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows that were fitted, for `GaussianMixture` only.
        sample_weight : array-like of shape (n_samples,), optional
            Those of the fit, which are to be given again.
        draws : int, default 1000
        random_state : int, RandomState or None
            None uses the estimator's own `random_state`.

        Returns
        -------
        xarray.DataTree with the group "posterior": `weights` (1, draws, component), `means` (...,
            component, column) and `covariances` (..., component, column, other_column), in the
            order and the units of the attributes

        Raises
        ------
        ValueError
            For a likelihood that is flat in some direction at these parameters, a mixture of more
            than components at maximum likelihood, weights of the fit that are not given again, or
            where arviz-base is not installed.
        """
        check_is_fitted(self)
        refuse_beside("to_arviz", self, fitted=True)
        own: Any = self
        tree = _maker("tree", "arviz_base", "to_arviz")
        found, components, law = asked_draws(own, X, sample_weight, draws, random_state, parts)
        return tree(found, components, own._names(), law)

    def _quadratics(self, what: str) -> Quadratics:
        """The fitted mixture as plain arrays, for `what`."""
        check_is_fitted(self)
        refuse_beside(what, self, fitted=True)
        own: Any = self
        _, params = own._fitted()
        means, form = params.components.means, structure(own.covariance_type).form
        # Of factors these are worked out, in the shape of full covariances.
        factor = np.asarray(own.precisions_cholesky_, dtype=np.float64)
        whiten = initial.precision_cholesky(factor, form)
        if form.shared:
            whiten = whiten[None]
        elif not form.correlates:
            whiten = form.pivots(whiten)
        return Quadratics(
            params.log_weights + params.components.log_norm, means, whiten, tuple(own._names())
        )


def parts(family: Any, components: Any) -> dict[str, Array]:
    """What draws tell of Gaussian components: means (K, d) and dense covariances (K, d, d)."""
    columns = np.arange(components.means.shape[1])
    return {"means": components.means, "covariances": family.covariances(components, columns)}


def _maker(name: str, package: str, what: str) -> Callable[..., Any]:
    """The function of `mixtura.exchange` that needs an optional package."""
    try:
        import_module(package)
    except ImportError:
        raise ValueError(
            f"{what} needs the package {package.replace('_', '-')}: pip install "
            f"'mixtura[{package.partition('_')[0]}]'"
        ) from None
    found: Callable[..., Any] = getattr(import_module(f"mixtura.exchange.{name}"), name)
    return found
