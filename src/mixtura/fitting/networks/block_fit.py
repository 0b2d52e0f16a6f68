"""A block model from start to end: the search, and what it found as a `Fit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from mixtura.data.networks.network import Network
from mixtura.engines.belief import BeliefEnd
from mixtura.engines.blocks import BlockEnd
from mixtura.engines.holes import HolesEnd
from mixtura.engines.native import variant
from mixtura.engines.partition import Aim, PartitionEnd
from mixtura.fitting.networks.belief_fit import BeliefClimber
from mixtura.fitting.networks.climbers import HolesClimber, PartitionClimber, VariationalClimber
from mixtura.fitting.networks.journal import ClimbJournal, Watched
from mixtura.fitting.networks.search import Climber, Clock, Search
from mixtura.fitting.networks.sides import Sizes, first_of, side_of, spans
from mixtura.models.block_model import BlockParams, Edges, cells, entropy, icl, n_parameters, shares
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.models.partition import description_length, met_between, poisson_loglik
from mixtura.records import AnyArray, Array
from mixtura.result import Certificate, Fit

# A block that holds less has no node of its own.
HALF = 0.5
# Of pairs with an edge, above which these are not rare.
SPARSE = 0.1


@dataclass(frozen=True)
class BlockTask:
    """What is to be fitted, and how long it is tried.

    n_init starts (None: by the budget), max_iter steps of a climb at most, tol nats per node still
    to come, seed of all random numbers.
    """

    network: Network
    law: Edges
    n_init: int | None
    max_iter: int
    tol: float
    seed: int
    clock: Clock = field(default_factory=Clock)
    journal: ClimbJournal | None = None

    def watched(self, climber: Climber) -> Climber:
        """The climber, which the journal follows."""
        return climber if self.journal is None else Watched(climber, self.law, self.journal)

    def search(self, climber: Climber, blocks: Sizes, bounds: bool = True) -> Search:
        """A search with so many blocks on each side."""
        return Search(self.watched(climber), blocks, self.n_init, self.seed, bounds, self.clock)


@dataclass(frozen=True)
class BlockFound:
    """A fitted block model.

    memberships (n, K), the largest block first; icl of models without degrees, None of others;
    description (nats) of the likeliest blocks, where edges are counts and no pair is missing, else
    None
    """

    params: BlockParams | CorrectedParams
    memberships: Array
    fit: Fit
    icl: float | None
    description: float | None

    @property
    def labels(self) -> AnyArray:
        """(n,) the likeliest block of each node."""
        return np.asarray(self.memberships.argmax(axis=1))


def fit_variational(
    task: BlockTask,
    blocks: Sizes,
    beside: Iterable[tuple[str, AnyArray]] = (),
    alone: bool = False,
) -> BlockFound:
    """The best bound that was found with so many blocks on each side; `alone`, from no other start
    than those `beside`, and without moves."""
    climber = VariationalClimber(task.network, task.law, task.max_iter, task.tol)
    search = task.search(climber, blocks)
    end = search.best_from(beside) if alone else search.find(beside)
    assert isinstance(end, BlockEnd)
    return _variational(task, search, end)


def variational_from(task: BlockTask, labels: AnyArray, blocks: Sizes) -> BlockFound:
    """Where the climb from these labels ends."""
    climber = VariationalClimber(task.network, task.law, task.max_iter, task.tol)
    search = task.search(climber, blocks)
    end = search.begun_at("shortest description", labels)
    assert isinstance(end, BlockEnd)
    return _variational(task, search, end)


def _variational(task: BlockTask, search: Search, end: BlockEnd) -> BlockFound:
    net, blocks = task.network, search.blocks
    order = largest_first(end.labels, blocks)
    memberships = np.ascontiguousarray(end.memberships[:, order])
    converged = end.gap <= task.tol * net.n
    fit = replace(
        _account(task, search, end.trace, converged),
        gap=end.gap / net.n,
        n_parameters=n_parameters(task.law, blocks, net.directed),
        solver="variational EM, node by node",
        bound=True,
        empty=_empty(memberships),
        remark=remark(net, corrected=False),
    )
    found = icl(
        end.bound - entropy(memberships), task.law, blocks, net.directed, net.sides, net.n_pairs
    )
    told = None
    if task.law is not Edges.GAUSSIAN and net.fully_observed:
        told = described(net, memberships.argmax(axis=1), blocks, corrected=False)
    return BlockFound(end.params.reordered(order), memberships, fit, found, told)


def fit_belief(task: BlockTask, K: int) -> BlockFound:
    """The highest estimate of the log-likelihood at which belief propagation ended."""
    climber = BeliefClimber(task.network, task.law, task.max_iter, task.tol)
    search = task.search(climber, (K,), bounds=False)
    end = search.find()
    assert isinstance(end, BeliefEnd)
    net, order = task.network, largest_first(end.labels, (K,))
    memberships = np.ascontiguousarray(end.memberships[:, order])
    fit = replace(
        _account(task, search, end.trace, end.change <= climber.rest),
        # Its trace has no start.
        iterations=len(end.trace),
        gap=float("nan"),
        certificate=Certificate("not examined", detail="Bethe's estimate is no bound"),
        n_parameters=n_parameters(task.law, (K,), net.directed),
        solver="belief propagation",
        empty=_empty(memberships),
        remark="; ".join(filter(None, (remark(net, corrected=False), _dense(end.params)))),
    )
    told = described(net, memberships.argmax(axis=1), (K,), corrected=False)
    return BlockFound(end.params.reordered(order), memberships, fit, None, told)


def _dense(params: BlockParams) -> str:
    """That belief propagation takes edges for rarer than they are; empty where it may."""
    most = float(params.matrix.max())
    if params.law is not Edges.BERNOULLI or most < SPARSE:
        return ""
    return (
        f"belief propagation counts edges as Poisson, and here {most:.2g} of the pairs of some "
        "blocks have one: its log-likelihood is below that of such edges, by much"
    )


def fit_corrected(
    task: BlockTask, blocks: Sizes, beside: Iterable[tuple[str, AnyArray]] = ()
) -> BlockFound:
    """The highest profile likelihood that was found with so many blocks on each side."""
    net = task.network
    climber: PartitionClimber | HolesClimber = HolesClimber(net, task.max_iter, task.tol)
    if net.fully_observed:
        climber = PartitionClimber(net, Aim.PROFILE, task.max_iter)
    search = task.search(climber, blocks)
    end = search.find(beside)
    assert isinstance(end, PartitionEnd)
    return corrected_from(task, search, end)


def corrected_from(task: BlockTask, search: Search, end: PartitionEnd) -> BlockFound:
    """The degree-corrected model of a partition."""
    net, blocks, K = task.network, search.blocks, search.K
    order = largest_first(end.labels, blocks)
    labels = np.argsort(order)[end.labels]
    (out, back), met = net.degrees, met_between(net, labels, K)
    # A node without an edge tells nothing of its block, and lies in none.
    joined = out + back > 0
    weights = np.bincount(labels[joined], minlength=K) / np.count_nonzero(joined)
    holes = isinstance(end, HolesEnd)
    if isinstance(end, HolesEnd):
        met, out, back = end.met[np.ix_(order, order)], end.out, end.back
    kept = out, back, net.directed, first_of(blocks), not holes
    params = CorrectedParams(weights, met, *kept)
    memberships = np.eye(K)[labels]
    for side, at in enumerate(spans(net.sides)):
        own = np.where(side_of(blocks) == side, shares(weights, params.first), 0.0)
        memberships[at][~joined[at]] = own
    trace = tuple(search.climber.height(value) for value in end.trace)
    free = K - len(blocks) + cells(blocks, net.directed)
    fit = replace(
        _account(task, search, trace, end.settled),
        loglik=trace[-1] if holes else poisson_loglik(net, met),
        n_parameters=free + (net.n - K) * (1 + net.directed),
        solver="likelihood, nodes and rates" if holes else "profile likelihood, node by node",
        remark=remark(net, corrected=True),
    )
    told = None if holes else described(net, labels, blocks, corrected=True)
    return BlockFound(params, memberships, fit, None, told)


def described(network: Network, labels: AnyArray, blocks: Sizes, corrected: bool) -> float:
    """The description length with so many blocks on each side."""
    return description_length(network, labels, sum(blocks), corrected, first_of(blocks))


def largest_first(labels: AnyArray, blocks: Sizes) -> AnyArray:
    """The order of blocks of each side by nodes, equal ones by their first node: equal fits are
    equal arrays."""
    K = sum(blocks)
    first = np.full(K, len(labels))
    found, at = np.unique(labels, return_index=True)
    first[found] = at
    return np.lexsort((first, -np.bincount(labels, minlength=K), side_of(blocks)))


def remark(network: Network, corrected: bool) -> str:
    """What is to be known of the network's form; empty where it hangs together."""
    joined = network.edges + network.edges.T
    alone = int((np.diff(joined.tocsr().indptr) == 0).sum())
    parts = int(connected_components(joined, directed=False)[0]) - alone
    told = []
    if alone:
        nodes = "1 node has" if alone == 1 else f"{alone} nodes have"
        whose = "its" if alone == 1 else "their"
        what = f"and {whose} block is unknown" if corrected else "which counts as evidence"
        told.append(f"{nodes} no edge to another, {what}")
    if parts > 1:
        told.append(f"the network falls into {parts} parts without an edge between them")
    return "; ".join(told)


def _account(task: BlockTask, search: Search, trace: tuple[float, ...], converged: bool) -> Fit:
    n = task.network.n
    return Fit(
        loglik=trace[-1],
        weight=float(n),
        trace=trace,
        penalised=False,
        passes=search.steps,
        sample_passes=0,
        iterations=len(trace) - 1,
        converged=converged,
        reason="converged" if converged else f"stopped: max_iter={task.max_iter}",
        gradient_norm=float("nan"),
        gap=0.0,
        n_parameters=0,
        solver="",
        engine=f"compiled ({variant()})",
        starts=tuple(search.starts),
        moves=search.moves,
        rows=n,
        certificate=_certificate(converged),
    )


def _certificate(converged: bool) -> Certificate:
    """Climbs of bounds and of partitions rest where no node's move gains, nor other parameters."""
    if not converged:
        return Certificate("not converged", detail="nodes were still moving")
    return Certificate("local maximum", method="single moves")


def _empty(memberships: Array) -> tuple[int, ...]:
    return tuple(int(k) for k in np.flatnonzero(memberships.sum(axis=0) < HALF))
