"""What to know before believing the numbers of a fit, in words."""

from __future__ import annotations

from collections.abc import Iterator

from mixtura.families.portrait import Portrait
from mixtura.records import Spike
from mixtura.report.collapse import Collapse, at_the_floor, collapses
from mixtura.report.view import (
    LONGEST_NAME,
    MOST_LISTED,
    MixtureView,
    listed,
    looks_like_the_top,
    shorten,
)
from mixtura.result import Fit
from mixtura.solvers.clock import INTERRUPTED

# Why no stream of chunks has converged.
LEARNING = "stopped: partial_fit learns as long as rows come"


def warnings(view: MixtureView) -> list[str]:
    """What to know before believing the numbers, worst first; empty for a sound fit."""
    if view.fit is None:
        return []
    return [*_of_the_end(view.fit, view), *_of_components(view.fit, view)]


def _of_the_end(fit: Fit, view: MixtureView) -> Iterator[str]:
    """Where the climb ended."""
    simpler, noun = view.portrait.simpler, view.noun
    if looks_like_the_top(fit):
        yield (
            "Stopped by max_iter at what looks like the top, before the estimate of what is left "
            "to gain had come down to tol."
        )
    elif not fit.converged:
        reason = fit.reason.removeprefix("stopped: ")
        remedy = f"{noun.capitalize()}s may still move; allow more iterations."
        if fit.reason.startswith(LEARNING):
            remedy = f"{noun.capitalize()}s may still move; give more rows."
        if fit.reason.startswith(INTERRUPTED):
            remedy = "Fit again for the whole search."
        yield f"Not converged: {reason}. {remedy}"
    if fit.verdict == "saddle":
        yield (
            "Ended at a saddle of the log-likelihood that could not be left: try another seed or "
            "more starts."
        )
    if fit.verdict == "ridge":
        yield (
            f"The log-likelihood is flat in some direction: other {noun}s describe the table just "
            f"as well. Fewer {noun}s{f', or {simpler},' if simpler else ''} would be better "
            "determined."
        )
    if view.portrait.excess:
        yield f"{view.portrait.excess}."


def _of_components(fit: Fit, view: MixtureView) -> Iterator[str]:
    """Which components say less than they seem to, and columns that none describes."""
    K, noun = len(view.weights), view.noun
    for why in collapses(fit.floored, view.portrait, view.names, K, noun):
        yield _collapsed(why, view.portrait, noun)
    heywood = [part for part in fit.floored if part.columns]
    if heywood:
        yield view.portrait.lone.format(columns=_in_groups(heywood, view.names, noun))
    fallen = at_the_floor(fit)
    for one in fit.standings:
        if one in fallen:
            yield (
                f"{noun.capitalize()} {one.component} holds {one.rows:.3g} rows within "
                f"{one.spread:.1g} of the table's variance, next to nothing but reg_covar: do not "
                f"read it as real; fewer {noun}s may do without."
            )
        if one.verdict == "spurious":
            yield (
                f"{noun.capitalize()} {one.component} holds {one.rows:.3g} rows within "
                f"{one.spread:.1g} of the table's variance: some few rows always lie close "
                f"together. Do not read it as real; fewer {noun}s, or more starts, may do without."
            )
    if fit.empty and not fit.bound:
        which = ", ".join(str(k) for k in fit.empty)
        yield f"No rows are left in {noun} {which}: fewer {noun}s describe the table as well."
    if fit.held:
        yield _held([view.names[j] for j in fit.held], noun)


def _collapsed(why: Collapse, portrait: Portrait, noun: str) -> str:
    count = len(why.each)
    which = f"a {noun}" if count == 1 else f"{count} {noun}s"
    if why.shared:
        which = f"the covariance that all {noun}s share"
    return (
        f"Only the penalty keeps {which} from collapsing onto {portrait.collapse[0]}: "
        f"{why.listed(MOST_LISTED)}. {why.remedy}"
    )


def _in_groups(floored: list[Spike], columns: tuple[str, ...], noun: str) -> str:
    """ "a, b in group 1; c in group 2"."""
    each = [
        f"{listed([shorten(columns[j], LONGEST_NAME) for j in part.columns])} in {noun} "
        f"{part.component}"
        for part in floored
    ]
    return listed(each, "; ")


def _held(names: list[str], noun: str) -> str:
    text = listed([shorten(name, LONGEST_NAME) for name in names])
    if len(names) == 1:
        return (
            f"Column {text} has no variance of its own (constant, or a sum of other columns): it "
            f"cannot tell {noun}s apart; consider leaving out what adds nothing."
        )
    # Which of them is the superfluous one is not for us to say: the others may tell groups apart.
    return (
        f"Columns {text} are linearly dependent (or constant): one of them is determined by the "
        "others and adds nothing; the direction without variance is held."
    )
