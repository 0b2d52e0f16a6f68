"""What is asked of a fitted block model: new nodes, pairs, draws, reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import as_numbers
from mixtura.data.networks.reading import as_network
from mixtura.estimators.block_document import block_document, restored_blocks
from mixtura.estimators.network_intake import new_pairs, places, refuse_values
from mixtura.fitting.networks.auto import Choice
from mixtura.models.block_model import BlockParams, Edges, facing, shares
from mixtura.models.block_sampling import sampled
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.records import AnyArray, Array, Seed
from mixtura.report.block_text import BlockView, to_text
from mixtura.result import Fit
from mixtura.store import write_document

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FittedBlocks:
    """Methods of a fitted block model; attributes are those of `BlockModel`."""

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
    loops_: bool
    sides_: tuple[int, int] | None
    converged_: bool
    n_iter_: int
    directed: bool | None
    random_state: Seed

    def predict(self, pairs: Any, back: Any = None, *, side: int = 0) -> AnyArray:
        """The block of new nodes; see `predict_proba`.

        Returns
        -------
        integer array of shape (m,)
        """
        return np.asarray(self.predict_proba(pairs, back, side=side).argmax(axis=1))

    def predict_proba(self, pairs: Any, back: Any = None, *, side: int = 0) -> Array:
        """The memberships of new nodes, by their pairs with those that were fitted.

        Parameters
        ----------
        pairs : (m, n) array or sparse matrix: x from each new node to each of `nodes_`, NaN where
            missing; or a frame whose columns are called as nodes, missing where there is none; of
            bipartite models to those of the other side
        back : (m, n), of directed models: x from each of `nodes_` to each new node; default missing
        side : of bipartite models the side of the new nodes, 0 or 1

        Returns
        -------
        array of shape (m, K), rows summing to one
        """
        check_is_fitted(self, "params_")
        if back is not None and not self.directed_:
            raise ValueError("back: the model is undirected, and a pair has one x: leave it out")
        nodes, law = self.nodes_, self._law
        if side not in (0, 1) or (side and self.sides_ is None):
            raise ValueError(f"side={side!r} is 0 or 1, and 1 of bipartite models only")
        if self.sides_ is not None:
            return self._placed_on(int(side), pairs)
        into = None if back is None else new_pairs(back, nodes, law, "back")
        told = new_pairs(pairs, nodes, law, "pairs")
        if into is not None and into.edges.shape != told.edges.shape:
            raise ValueError(
                f"back is of {into.edges.shape[0]} new nodes, and pairs of {told.edges.shape[0]}: "
                "give both of the same nodes"
            )
        return self.params_.place(told, into, self.memberships_)

    def _placed_on(self, side: int, pairs: Any) -> Array:
        """(m, K) memberships of new nodes of one side of a bipartite network."""
        assert self.sides_ is not None
        n, K, first = len(self.nodes_), self.params_.K, self.params_.first
        own, other = facing(K, first, side)
        nodes = facing(n, self.sides_[0], 1 - side)[0]
        told = new_pairs(pairs, self.nodes_[nodes], self._law, "pairs").among(n, nodes.start)
        found = np.zeros((told.edges.shape[0], K))
        narrow = self.params_.facing(side)
        found[:, own] = narrow.place(told, None, self.memberships_[:, other])
        return found

    def score_samples(self, source: Any, target: Any, x: Any) -> Array:
        """ln P(x) of pairs of fitted nodes, held out or not.

        Parameters
        ----------
        source, target : (m,) names of nodes, as in `nodes_`; of bipartite models those of the first
            side and of the other
        x : (m,) what was seen, 0 where there was no edge

        Returns
        -------
        array of shape (m,), nats
        """
        rows, columns = self._pairs(source, target)
        values = as_numbers(x, "x")
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

    def sample(self, random_state: Seed = None) -> tuple[csr_array, AnyArray]:
        """A network drawn from the model, between the nodes that were fitted in `labels_`: how
        sure these are, `memberships_`, is left out.

        Loops are drawn where the network that was fitted has any, and by degree-corrected models.

        Returns
        -------
        (n, n) sparse matrix, symmetric where undirected, of bipartite models (n1, n2), and the
        blocks (n,)
        """
        check_is_fitted(self, "params_")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        seed = np.random.default_rng(rng.randint(2**31 - 1))
        drawn = sampled(self.params_, self.labels_, self.directed_, self.loops_, seed)
        return drawn, self.labels_.copy()

    def summary(self, width: int = 100) -> str:
        """The blocks, how they are joined, and how sure that is, in lines of at most `width`."""
        return to_text(self._view(), width)

    def figure(self, network: Any, **beside: Any) -> Figure:
        """The network sorted by block, the block matrix, and, of up to 150 nodes, a drawing.

        network is the one that was fitted, with what `fit` was told of it. ValueError for another.
        """
        check_is_fitted(self, "params_")
        from mixtura.report.block_figure import draw_blocks

        net = as_network(
            network, directed=self.directed, bipartite=self.sides_ is not None, **beside
        )
        if net.n != len(self.nodes_) or not (net.names == self.nodes_).all():
            raise ValueError("network: its nodes are not those that the model was fitted to")
        return draw_blocks(self._view(), net)

    def save(self, path: str | Path) -> Path:
        """Write the model to a .json file, which `mixtura.load` reads."""
        check_is_fitted(self, "params_")
        write_document(block_document(self), path)
        return Path(path)

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """The model that `save` wrote; StoreError for a document that is damaged."""
        found: Self = restored_blocks(document, cls)
        return found

    @property
    def _law(self) -> Edges:
        return self.params_.law if isinstance(self.params_, BlockParams) else Edges.POISSON

    def _pairs(self, source: Any, target: Any) -> tuple[AnyArray, AnyArray]:
        check_is_fitted(self, "params_")
        first = 0 if self.sides_ is None else self.sides_[0]
        ahead = self.nodes_[:first] if first else self.nodes_
        rows = places(source, ahead, "source")
        columns = places(target, self.nodes_[first:], "target") + first
        if rows.shape != columns.shape:
            raise ValueError(f"source holds {len(rows)} nodes and target {len(columns)}: pair them")
        same = np.flatnonzero(rows == columns)
        if len(same) and isinstance(self.params_, BlockParams) and not self.loops_:
            node = self.nodes_.tolist()[rows[same[0]]]
            raise ValueError(
                f"source and target pair node {node!r} with itself, and the network that was "
                "fitted has no loops: leave such pairs out"
            )
        return rows, columns

    def _set(
        self, params: BlockParams | CorrectedParams, memberships: Array, names: AnyArray, fit: Fit
    ) -> None:
        """What follows from parameters and memberships."""
        self.params_, self.memberships_, self.nodes_ = params, memberships, names
        self.labels_ = np.asarray(memberships.argmax(axis=1))
        self.block_weights_ = shares(params.weights, params.first)
        self.block_matrix_ = params.shown
        self.profile_likelihood_ = None
        if isinstance(params, CorrectedParams) and params.complete:
            self.profile_likelihood_ = params.profile
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
            matrix=params.ratios() if isinstance(params, CorrectedParams) else params.shown,
            sides=self.sides_,
            n_edges=self.n_edges_,
            icl=self.icl_,
            description=self.description_length_,
            profile=self.profile_likelihood_,
            path=self.path_,
            fit=self.fit_result_,
        )
