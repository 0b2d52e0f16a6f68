"""`BlockModel`: communities and other blocks of a network's nodes."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mixtura.data.networks.network import Network
from mixtura.data.networks.reading import as_network
from mixtura.estimators.block_document import block_document
from mixtura.estimators.network_intake import (
    law_of,
    new_pairs,
    places,
    refuse_dense,
    refuse_unlike,
    refuse_values,
)
from mixtura.fitting.networks.auto import Choice, chosen
from mixtura.fitting.networks.block_fit import BlockFound, BlockTask, fit_belief
from mixtura.models.block_model import BlockParams, Edges
from mixtura.models.block_sampling import sampled
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.records import AnyArray, Array
from mixtura.report.block_text import BlockView, to_text
from mixtura.result import Fit
from mixtura.store import write_document

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class BlockModel(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Stochastic block models: how two nodes are joined hangs on the hidden blocks of both.

    Parameters
    ----------
    n_blocks : int or "auto", default 2
        Blocks K; "auto" compares 1, 2, ... up to `max_blocks` by one criterion: ICL without
        degrees, the description length with them, and that for both where `degree_corrected="auto"`
    edges : "auto", "bernoulli", "poisson" or "gaussian", default "auto"
        The law of x_ij (`models/block_model.py`): an edge or none, a count, any number (with a
        variance that all blocks share; a pair that is not listed is 0). "auto" is "bernoulli", and
        "poisson" where degrees are corrected
    degree_corrected : bool or "auto", default False
        Whether nodes keep their degrees (Karrer & Newman 2011); blocks then say with whom a node is
        joined, not how often. "auto" (with `n_blocks="auto"`) takes the shorter description
    inference : "variational" or "belief", default "variational"
        Variational EM, or belief propagation (Decelle et al. 2011), which finds what there is to
        find in networks of few edges for each node, where a bound misleads; given a number of
        blocks, of undirected networks without missing pairs, loops or degree correction
    directed : bool, optional
        By default graphs as they say, matrices where they are not symmetric, edge lists never
    max_blocks : int, optional
        What "auto" tries at most; by default ICL goes on until three numbers in a row are worse,
        and descriptions begin at the root of twice the edges
    n_init : int or "auto", default "auto"
        Starts for each K, spectral and random; "auto" is 4 to 60, by the size of the network
    max_iter : int, default 1000
        Steps of a climb at most
    tol : float, default 1e-8
        A climb ends where less than so much is left to gain, in nats per node; belief propagation
        where messages and parameters move less than its root
    random_state : int, RandomState instance or None, default None

    Attributes
    ----------
    labels_ : (n,) integers, the likeliest block of each node; block 0 is the largest
    memberships_ : (n, K), rows sum to one; of degree-corrected models 0 and 1
    block_weights_ : (K,) shares of nodes
    block_matrix_ : (K, K) theta: chances of an edge, expected counts or means; of degree-corrected
        models the ends m_rs of edges between blocks, those within a block twice where undirected
    nodes_ : (n,) names of the nodes, in the order of all arrays
    icl_ : nats, the higher the better; None where degrees are corrected, or after belief
    propagation
    description_length_ : nats, the lower the better; None for Gaussian edges and missing pairs
    profile_likelihood_ : Karrer & Newman's L (nats); None unless degrees are corrected
    path_ : what "auto" compared: records of K, whether degrees are corrected, and the criterion
    fit_result_ : the `Fit`: the bound of the log-likelihood, or of degree-corrected models their
        Poisson log-likelihood, after belief propagation Bethe's estimate of it (nats); starts,
        landscape; a row is a node

    Missing pairs are a stored NaN or outside `observed`; absent ones are no edges. A node joined
    with itself is refused by Bernoulli edges; counted or measured edges have pairs (i, i) where the
    network has any loop, x_ii ~ f(theta_kk), and the degree-corrected model counts a loop of an
    undirected network with two ends.

    Examples
    --------
    >>> import numpy as np, mixtura
    >>> A = np.kron(np.eye(2), np.ones((4, 4))) - np.eye(8)
    >>> mixtura.BlockModel(2, random_state=0).fit(A).labels_
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_blocks": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "edges": [StrOptions({"auto", *(each.value for each in Edges)})],
        "degree_corrected": ["boolean", StrOptions({"auto"})],
        "inference": [StrOptions({"variational", "belief"})],
        "directed": ["boolean", None],
        "max_blocks": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    params_: BlockParams | CorrectedParams
    labels_: AnyArray
    memberships_: Array
    block_weights_: Array
    block_matrix_: Array
    nodes_: AnyArray
    icl_: float | None
    description_length_: float | None
    profile_likelihood_: float | None
    path_: tuple[Choice, ...]
    fit_result_: Fit
    n_edges_: int
    directed_: bool

    def __init__(
        self,
        n_blocks: int | str = 2,
        *,
        edges: str = "auto",
        degree_corrected: bool | str = False,
        inference: str = "variational",
        directed: bool | None = None,
        max_blocks: int | None = None,
        n_init: int | str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-8,
        random_state: Any = None,
    ) -> None:
        self.n_blocks = n_blocks
        self.edges = edges
        self.degree_corrected = degree_corrected
        self.inference = inference
        self.directed = directed
        self.max_blocks = max_blocks
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(
        self,
        network: Any,
        y: Any = None,
        *,
        observed: Any = None,
        weight: str | None = None,
        ends: tuple[str, str] | None = None,
    ) -> Self:
        """Fit to a network.

        Parameters
        ----------
        network : square array or SciPy sparse matrix, NetworkX or igraph graph, pandas, Polars or
            PyArrow frame with a row for each edge, or the name of a file of edges
        y : not used
        observed : (n, n) mask of the pairs that were looked at, default all but stored NaN
        weight : the column or attribute of edges that holds x; default each listed edge counts 1
        ends : the two columns of an edge list that hold the nodes; default source and target, else
            the first two

        Raises
        ------
        NetworkError, ValueError
            What is wrong with the network or a parameter, and what to do
        """
        del y
        self._validate_params()
        if self.degree_corrected == "auto" and self.n_blocks != "auto":
            raise ValueError(
                'degree_corrected="auto" chooses with the number of blocks: give n_blocks="auto"'
            )
        net = as_network(
            network, directed=self.directed, observed=observed, weight=weight, ends=ends
        )
        law = law_of(self.edges, self.degree_corrected, net)
        refuse_unlike(net, law, self.degree_corrected)
        K = 0 if self.n_blocks == "auto" else int(self.n_blocks)
        if net.n < K:
            raise ValueError(f"n_blocks={K}, and the network has {net.n} nodes: use fewer blocks")
        starts = None if self.n_init == "auto" else int(self.n_init)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        task = BlockTask(net, law, starts, int(self.max_iter), float(self.tol), seed)
        limit = net.n if self.max_blocks is None else min(int(self.max_blocks), net.n)
        most = limit if self.n_blocks == "auto" else None
        if self.inference == "belief":
            refuse_dense(net, law, self.n_blocks, self.degree_corrected)
            self._keep(fit_belief(task, K), (), net)
        else:
            self._keep(*chosen(task, K, most, self.degree_corrected), net)
        return self

    def fit_predict(self, network: Any, y: Any = None, **beside: Any) -> AnyArray:
        """`fit`, and the block of each node (n,)."""
        return self.fit(network, y, **beside).labels_

    def predict(self, pairs: Any, back: Any = None) -> AnyArray:
        """The block of new nodes; see `predict_proba`.

        Returns
        -------
        integer array of shape (m,)
        """
        return np.asarray(self.predict_proba(pairs, back).argmax(axis=1))

    def predict_proba(self, pairs: Any, back: Any = None) -> Array:
        """The memberships of new nodes, by their pairs with those that were fitted.

        Parameters
        ----------
        pairs : (m, n) array or sparse matrix: x from each new node to each of `nodes_`, NaN where
            missing
        back : (m, n), of directed models: x from each of `nodes_` to each new node; default missing

        Returns
        -------
        array of shape (m, K), rows summing to one
        """
        check_is_fitted(self, "params_")
        if back is not None and not self.directed_:
            raise ValueError("back: the model is undirected, and a pair has one x: leave it out")
        n, law = len(self.nodes_), self._law
        into = None if back is None else new_pairs(back, n, law, "back")
        return self.params_.place(new_pairs(pairs, n, law, "pairs"), into, self.memberships_)

    def score_samples(self, source: Any, target: Any, x: Any) -> Array:
        """ln P(x) of pairs of fitted nodes, held out or not.

        Parameters
        ----------
        source, target : (m,) names of nodes, as in `nodes_`
        x : (m,) what was seen, 0 where there was no edge

        Returns
        -------
        array of shape (m,), nats
        """
        rows, columns = self._pairs(source, target)
        values = np.asarray(x, dtype=np.float64)
        if values.shape != rows.shape:
            raise ValueError(f"x has shape {values.shape}, not that of source, {rows.shape}")
        refuse_values(values, self._law, "x")
        return self.params_.pair_log_density(rows, columns, values, self.memberships_)

    def score(self, source: Any, target: Any, x: Any) -> float:
        """The mean of `score_samples`, in nats per pair."""
        return float(self.score_samples(source, target, x).mean())

    def expected(self, source: Any, target: Any) -> Array:
        """(m,) the expected x of pairs of fitted nodes, given by their names:
        chances of an edge."""
        return self.params_.means(*self._pairs(source, target), self.memberships_)

    def sample(self, random_state: Any = None) -> tuple[csr_array, AnyArray]:
        """A network drawn from the model, between the nodes that were fitted in their blocks.

        Loops are drawn where counts may have them: by degree-corrected models.

        Returns
        -------
        (n, n) sparse matrix, symmetric where undirected, and the blocks (n,)
        """
        check_is_fitted(self, "params_")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        seed = np.random.default_rng(rng.randint(2**31 - 1))
        return sampled(self.params_, self.labels_, self.directed_, seed), self.labels_.copy()

    def summary(self, width: int = 100) -> str:
        """The blocks, how they are joined, and how sure that is, in lines of at most `width`."""
        return to_text(self._view(), width)

    def figure(self, network: Any, **beside: Any) -> Figure:
        """The network sorted by block, the block matrix, and, of up to 150 nodes, a drawing.

        network is the one that was fitted, with what `fit` was told of it. ValueError for another.
        """
        check_is_fitted(self, "params_")
        from mixtura.report.block_figure import draw_blocks

        net = as_network(network, directed=self.directed, **beside)
        if net.n != len(self.nodes_) or not (net.names == self.nodes_).all():
            raise ValueError("network: its nodes are not those that the model was fitted to")
        return draw_blocks(self._view(), net)

    def save(self, path: str | Path) -> Path:
        """Write the model to a .json file, which `mixtura.load` reads."""
        check_is_fitted(self, "params_")
        write_document(block_document(self), path)
        return Path(path)

    @property
    def _law(self) -> Edges:
        return self.params_.law if isinstance(self.params_, BlockParams) else Edges.POISSON

    def _pairs(self, source: Any, target: Any) -> tuple[AnyArray, AnyArray]:
        check_is_fitted(self, "params_")
        rows = places(source, self.nodes_, "source")
        columns = places(target, self.nodes_, "target")
        if rows.shape != columns.shape:
            raise ValueError(f"source holds {len(rows)} nodes and target {len(columns)}: pair them")
        return rows, columns

    def _keep(self, found: BlockFound, path: tuple[Choice, ...], net: Network) -> None:
        self._set(found.params, found.memberships, net.names, found.fit)
        self.icl_, self.description_length_ = found.icl, found.description
        self.path_, self.n_edges_, self.directed_ = path, net.n_edges, net.directed
        if not found.fit.converged:
            warnings.warn(
                f"not converged after max_iter={self.max_iter} steps: allow more",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _set(
        self, params: BlockParams | CorrectedParams, memberships: Array, names: AnyArray, fit: Fit
    ) -> None:
        """What follows from parameters and memberships."""
        self.params_, self.memberships_, self.nodes_ = params, memberships, names
        self.labels_ = np.asarray(memberships.argmax(axis=1))
        self.block_weights_ = params.weights
        self.block_matrix_ = params.matrix
        self.profile_likelihood_ = params.profile if isinstance(params, CorrectedParams) else None
        self.fit_result_ = fit
        self.converged_, self.n_iter_ = fit.converged, fit.iterations

    def _view(self) -> BlockView:
        check_is_fitted(self, "params_")
        params = self.params_
        return BlockView(
            law=self._law.value,
            corrected=isinstance(params, CorrectedParams),
            directed=self.directed_,
            labels=self.labels_,
            nodes=self.nodes_,
            weights=self.block_weights_,
            matrix=params.ratios() if isinstance(params, CorrectedParams) else params.matrix,
            n_edges=self.n_edges_,
            icl=self.icl_,
            description=self.description_length_,
            profile=self.profile_likelihood_,
            path=self.path_,
            fit=self.fit_result_,
        )
