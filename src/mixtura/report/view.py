"""What a report needs to know of a mixture, whoever fitted it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtura.families.portrait import Column, Portrait
from mixtura.models.stay_laws import mean_lengths
from mixtura.printable import printable_record
from mixtura.records import Array
from mixtura.result import Fit

# Below these an unfinished climb is at the top for all that can be told.
TOP_GAP, TOP_GRADIENT = 1e-9, 1e-6
# A state that is left with a smaller probability is never left.
UNLEFT = 1e-9
# Names in sentences are no longer; lists longer than so many end in "and 5 more".
LONGEST_NAME, MOST_LISTED = 24, 6


@dataclass(frozen=True)
class MixtureView:
    """A mixture of K components over d named columns, in the table's units.

    weights   (K,), sum to one with the share of noise
    names     the d column names
    portrait  what its family says of the components, `Family.portrait`
    fit       how the parameters were found; None when they were given
    noun      what a component is called: a group, or the state of a chain
    noise     (share of the rows, log of its volume) of rows of no group; None where there are none
    called    what components are called beside their numbers; empty where they have no names
    left_out  whether rows of a figure are marked: trimming left them out, or they are outliers
    notes     what else the report says of what was asked, (label, sentence)
    """

    weights: Array
    names: tuple[str, ...]
    portrait: Portrait
    fit: Fit | None = None
    noun: str = "group"
    noise: tuple[float, float] | None = None
    called: tuple[str, ...] = ()
    left_out: bool = False
    notes: tuple[tuple[str, str], ...] = ()

    def label(self, k: int) -> str:
        """The number of component k, and its name where it has one."""
        name = self.name(k)
        return f"{k}: {name}" if name else str(k)

    def name(self, k: int) -> str:
        """What component k is called beside its number; empty where it has no name."""
        name = shorten(self.called[k], LONGEST_NAME) if self.called else ""
        return "" if name in (str(k), f"group {k}") else name

    @property
    def grey(self) -> str:
        """What rows of no group are; empty where there are none."""
        return self.portrait.marked if self.left_out else "noise" * (self.noise is not None)

    def column(self, j: int) -> Column:
        """Column j, its texts fit for a terminal."""
        column: Column = printable_record(self.portrait.column(j))
        return column

    @property
    def means(self) -> Array:
        """(K, d); ValueError where columns have none."""
        if self.portrait.means is None:
            raise ValueError(f"{self.portrait.name} has columns without a mean")
        return self.portrait.means

    @property
    def covariances(self) -> Array:
        """Those of all columns, (K, d, d); ValueError where components are no ellipses."""
        if self.portrait.among is None:
            raise ValueError(f"{self.portrait.name} has no covariances")
        return self.portrait.among(np.arange(len(self.names)))


@dataclass(frozen=True)
class ChainView(MixtureView):
    """A hidden Markov model: weights are its states' expected shares of the steps.

    initial (K,) is the law of a sequence's first state, transitions (K, K) have rows that sum to 1.
    """

    initial: Array = field(kw_only=True)
    transitions: Array = field(kw_only=True)
    # P(a stay ends | it has lasted so long), (K, D); None where that is one for all lengths.
    durations: Array | None = field(default=None, kw_only=True)
    # Covariates that transitions hang on, and log-odds beside staying (K, K, 1 + covariates).
    covariates: tuple[str, ...] = field(default=(), kw_only=True)
    logits: Array | None = field(default=None, kw_only=True)
    # Covariates of first states, and log-odds beside the first of those `begun` in, the states that
    # sequences begin in (K, 1 + covariates).
    first_covariates: tuple[str, ...] = field(default=(), kw_only=True)
    first_logits: Array | None = field(default=None, kw_only=True)
    begun: tuple[int, ...] = field(default=(), kw_only=True)
    noun: str = "state"

    @property
    def own(self) -> list[int]:
        """The columns that states describe."""
        given = (*self.covariates, *self.first_covariates)
        return [j for j, name in enumerate(self.names) if name not in given]

    @property
    def stays(self) -> Array:
        """Expected steps of a stay, (K,): 1 / (1 - P(stay)), where lengths have no other law."""
        if self.durations is not None:
            return mean_lengths(self.durations)
        with np.errstate(divide="ignore"):
            leave = 1.0 - np.diag(self.transitions)
            return np.asarray(1.0 / np.where(leave < UNLEFT, 0.0, leave))


def telling_columns(view: MixtureView, limit: int, among: Sequence[int] | None = None) -> list[int]:
    """The `limit` columns in which components differ most, all or `among` these, in order."""
    held = set(view.fit.held) if view.fit else set()
    own = range(len(view.names)) if among is None else among
    rank = [(j in held, -round(float(view.portrait.tells[j]), 9), j) for j in own]
    return sorted(j for _, _, j in sorted(rank)[:limit])


def shorten(name: str, limit: int) -> str:
    """`name` on one line and at most `limit` characters: the middle gives way to an ellipsis."""
    name = " ".join(name.split()) or "(unnamed)"
    if len(name) <= limit:
        return name
    head = limit // 2
    return name[:head] + "…" + name[len(name) - (limit - head - 1) :]


def wrapped(name: str, width: int, lines: int = 3) -> str:
    """`name` over at most `lines` lines of `width` characters; the middle of the rest is left out.

    >>> wrapped("mean radius of the nucleus", 12)
    'mean radius\\nof the\\nnucleus'
    """
    for limit in range(width * lines, 0, -1):
        parts = textwrap.wrap(shorten(name, limit), width)
        if len(parts) <= lines:
            break
    return "\n".join(parts)


def listed(items: list[str], separator: str = ", ") -> str:
    """The first items, and how many more there are."""
    text = separator.join(items[:MOST_LISTED])
    left = len(items) - MOST_LISTED
    return text if left <= 0 else f"{text} and {left} more"


def looks_like_the_top(fit: Fit) -> bool:
    """Whether a climb was ended by its limit of steps where nothing is left to be gained."""
    near = fit.gap <= TOP_GAP or fit.gradient_norm < TOP_GRADIENT
    return not fit.converged and fit.reason.startswith("stopped: max_iter") and near


def groups(view: MixtureView) -> str:
    """The number of components in words: "1 group", "3 states"."""
    K = len(view.weights)
    return f"{K} {view.noun}" if K == 1 else f"{K} {view.noun}s"
