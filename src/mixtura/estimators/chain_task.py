"""What a `HiddenMarkov` asks of a fit, checked."""

from __future__ import annotations

from typing import Any

from mixtura.data.sequences import Ordered
from mixtura.estimators.chain_laws import allowed_moves, as_law, refuse_law, tied_groups
from mixtura.estimators.driving import refuse_driven
from mixtura.estimators.lasting import among_others, longest_stay, refuse_durations
from mixtura.families.base import Family
from mixtura.fitting.hidden_markov_task import ChainTask


def chain_task(asked: Any, kind: Family, rows: Ordered) -> ChainTask:
    """What is asked of a fit; ValueError where laws are none."""
    K, longest, columns = asked.n_states, 0, asked._covariates()
    allowed, first = allowed_moves(
        K, asked.transitions, asked.topology, asked.first_states, asked.initial
    )
    refuse_law(asked.initial, asked.first_states, allowed)
    if asked.durations is None and asked.max_duration is not None:
        raise ValueError(
            f"max_duration={asked.max_duration!r} is for a law of how long states last, and there "
            "is none: give durations='poisson' say, or leave max_duration out"
        )
    # One state is never left, and has no lengths.
    if asked.durations is not None and K > 1:
        refuse_durations(asked.durations, asked.max_duration, asked.initial)
        allowed, longest = among_others(allowed, K), longest_stay(asked.max_duration, rows)
    if columns.moves and longest and allowed is not None and (allowed.sum(axis=1) == 1).all():
        raise ValueError(
            "covariates with durations: each state goes on to one other alone, of which covariates "
            "tell nothing: leave one of them out, or allow more transitions or states"
        )
    tied = tied_groups(asked.tied_rows, K, allowed, asked.initial)
    refuse_driven(columns, asked.initial, tied, len(rows.stops))
    fixed = asked.initial == "fixed"
    return ChainTask(
        kind,
        K,
        asked.tol,
        asked.max_iter,
        asked.n_init,
        asked.engine,
        asked.solver,
        {"initial": as_law(asked.first_states)} if fixed else {},
        allowed,
        first,
        held=("initial",) if fixed else (),
        stationary=asked.initial == "stationary",
        tied=tied,
        durations=asked.durations if longest else None,
        longest=longest,
        covariates=columns.moves,
        initial_covariates=columns.first,
        names=tuple(asked._names()),
    )
