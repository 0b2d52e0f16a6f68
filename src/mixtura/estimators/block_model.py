"""`BlockModel`: communities and other blocks of a network's nodes."""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.networks.network import Network
from mixtura.data.networks.reading import as_network
from mixtura.estimators.fitted_blocks import FittedBlocks
from mixtura.estimators.network_intake import (
    blocks_of,
    law_of,
    plain,
    refuse_dense,
    refuse_unlike,
    warn_of_diagonal,
)
from mixtura.fitting.journal_file import removed, resumed_seed
from mixtura.fitting.networks.auto import Choice, chosen
from mixtura.fitting.networks.block_fit import BlockFound, BlockTask, fit_belief
from mixtura.fitting.networks.journal import opened
from mixtura.fitting.networks.search import Clock
from mixtura.models.block_model import Edges
from mixtura.records import AnyArray, Seed, StrPath
from mixtura.result import Certificate, Fit
from mixtura.solvers.clock import INTERRUPTED, TIMED_OUT
from mixtura.solvers.settings import refuse_timed


@dataclass(eq=False, repr=False)
class BlockModel(FittedBlocks, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Stochastic block models: how two nodes are joined hangs on the hidden blocks of both.

    Parameters
    ----------
    n_blocks : int, pair of these or "auto", default 2
        Blocks K, of bipartite networks those of each side (an int: so many on both); "auto"
        compares 1, 2, ... up to `max_blocks` by one criterion: ICL without degrees, the description
        length with them, and that for both where `degree_corrected="auto"`
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
    bipartite : bool, default False
        Whether nodes are of two sides, each with blocks of its own, and pairs lie only between
        these (the latent block model of Govaert & Nadif 2003; with degrees that of Larremore,
        Clauset & Jacobs 2014). A matrix (n1, n2) has the first side in its rows
    directed : bool, optional
        By default graphs as they say, matrices where they are not symmetric, edge lists never
    max_blocks : int or (int, int), optional
        What "auto" tries at most, on each side, or on each of two; by default ICL goes on until
        three numbers in a row are worse, and descriptions begin at the root of twice the edges
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
    sides_ : nodes of each side of a bipartite network, else None. The first side's nodes and blocks
        come first in all arrays
    block_weights_ : (K,) shares of nodes, of bipartite networks of those of a side
    block_matrix_ : (K, K) theta: chances of an edge, expected counts or means; of degree-corrected
        models the ends m_rs of edges between blocks, those within a block twice where undirected;
        where pairs are missing those expected if all had been looked at; of bipartite networks (K1,
        K2), from the first side's blocks to the other's
    nodes_ : (n,) names of the nodes, in the order of all arrays
    icl_ : nats, the higher the better; None where degrees are corrected, or after belief
    propagation
    description_length_ : nats, the lower the better; None for Gaussian edges and missing pairs
    profile_likelihood_ : Karrer & Newman's L (nats); None unless degrees are corrected and all
        pairs were looked at
    loops_ : whether the network has pairs (i, i), joined or not
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
        # What is wrong with it `blocks_of` says in a sentence.
        "n_blocks": [object],
        "edges": [StrOptions({"auto", *(each.value for each in Edges)})],
        "degree_corrected": ["boolean", StrOptions({"auto"})],
        "inference": [StrOptions({"variational", "belief"})],
        "bipartite": ["boolean"],
        "directed": ["boolean", None],
        "max_blocks": [Interval(Integral, 1, None, closed="left"), None, tuple, list],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    n_blocks: int | str | tuple[int, int] = 2
    _: KW_ONLY
    edges: str = "auto"
    degree_corrected: bool | str = False
    inference: str = "variational"
    bipartite: bool = False
    directed: bool | None = None
    max_blocks: int | tuple[int, int] | None = None
    n_init: int | str = "auto"
    max_iter: int = 1000
    tol: float = 1e-8
    random_state: Seed = None

    def fit(
        self,
        network: Any,
        y: Any = None,
        *,
        observed: Any = None,
        weight: str | None = None,
        ends: tuple[str, str] | None = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit to a network.

        Parameters
        ----------
        network : square array, of bipartite networks any (n1, n2), or SciPy sparse
            matrix, NetworkX or igraph graph, pandas, Polars or PyArrow frame with a row for each
            edge, or the name of a file of edges
        y : not used
        observed : (n, n) or (n1, n2) mask of the pairs that were looked at, default all but NaN
        weight : the column or attribute of edges that holds x; default each listed edge counts 1
        ends : the two columns of an edge list that hold the nodes; default source and target, else
            the first two
        checkpoint : path, optional
            The ends of climbs are written there. Killed and called again with the same network,
            settings and integer `random_state`, the fit goes on from there to the same answer; then
            the file is removed. With random_state=None the seed is taken from the file
        max_seconds : float, optional
            When these have passed the search ends with the best it has met, and a
            ConvergenceWarning; climbs that are going on are not cut short. Not together with
            `checkpoint`

        Raises
        ------
        NetworkError, ValueError
            What is wrong with the network or a parameter, and what to do
        """
        del y
        self._validate_params()
        if max_seconds is not None:
            refuse_timed(max_seconds, checkpoint)
        # Of an array of settings a bool is NumPy's.
        corrected = (
            self.degree_corrected
            if self.degree_corrected == "auto"
            else bool(self.degree_corrected)
        )
        if corrected == "auto" and not isinstance(self.n_blocks, str):
            raise ValueError(
                'degree_corrected="auto" chooses with the number of blocks: give n_blocks="auto"'
            )
        net = as_network(
            network,
            directed=self.directed,
            observed=observed,
            weight=weight,
            ends=ends,
            bipartite=bool(self.bipartite),
        )
        clock = Clock(math.inf if max_seconds is None else float(max_seconds))
        with clock.hearing(checkpoint is None):
            self._fit(net, corrected, checkpoint, clock)
        removed(checkpoint)
        return self

    def _fit(
        self, net: Network, corrected: bool | str, checkpoint: StrPath | None, clock: Clock
    ) -> None:
        free = isinstance(self.n_blocks, str) and self.n_blocks == "auto"
        law = law_of(self.edges, corrected, net)
        refuse_unlike(net, law, corrected, free)
        warn_of_diagonal(net, law)
        blocks = blocks_of(self.max_blocks if free else self.n_blocks, net, free)
        most = self.max_blocks
        if not free and most is not None and max(blocks) > np.max(most):
            raise ValueError(
                f"n_blocks={self.n_blocks} is more than max_blocks={self.max_blocks}, which bounds "
                'n_blocks="auto": leave max_blocks out'
            )
        starts = None if self.n_init == "auto" else int(self.n_init)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if checkpoint is not None:
            seed = resumed_seed(checkpoint, self.random_state, seed)
        settings = {name: plain(value) for name, value in self.get_params(deep=False).items()}
        with opened(checkpoint, net, seed, settings) as journal:
            limits = int(self.max_iter), float(self.tol), seed, clock, journal
            task = BlockTask(net, law, starts, *limits)
            path: tuple[Choice, ...] = ()
            if self.inference == "belief":
                refuse_dense(net, law, self.n_blocks, corrected)
                found = fit_belief(task, blocks[0])
            else:
                found, path = chosen(task, blocks, corrected, free)
        if clock.cut:
            found = replace(found, fit=_cut(found.fit, clock, free))
        self._keep(found, path, net)

    def fit_predict(self, network: Any, y: Any = None, **beside: Any) -> AnyArray:
        """`fit`, and the block of each node (n,)."""
        return self.fit(network, y, **beside).labels_

    def _keep(self, found: BlockFound, path: tuple[Choice, ...], net: Network) -> None:
        self.sides_ = (net.first, net.n - net.first) if net.first else None
        self._set(found.params, found.memberships, net.names, found.fit)
        self.icl_, self.description_length_ = found.icl, found.description
        self.path_, self.n_edges_, self.directed_ = path, net.n_edges, net.directed
        self.loops_ = net.has_loops
        if not found.fit.converged:
            told = f"not converged after max_iter={self.max_iter} steps: allow more"
            if found.fit.reason.startswith((TIMED_OUT, INTERRUPTED)):
                told = f"{found.fit.reason}: {found.fit.remark.rpartition('; ')[2]}; give more time"
            warnings.warn(told, ConvergenceWarning, stacklevel=4)


def _cut(fit: Fit, clock: Clock, free: bool) -> Fit:
    """What the clock or Ctrl-C left: an end of a climb, and where the number of blocks is `free`
    perhaps not of one with the best number."""
    what = "Ctrl-C" if clock.interrupted else "max_seconds"
    said = f"{what} ended the search early"
    certificate = fit.certificate
    if free:
        said += ", and the number of blocks may be where it began"
        certificate = Certificate("not converged", detail="numbers of blocks were left out")
    return replace(
        fit,
        remark="; ".join(filter(None, (fit.remark, said))),
        converged=False,
        reason=clock.reason(clock.why, ""),
        certificate=certificate,
    )
