"""What to know before believing the numbers of a fit, in words."""

from __future__ import annotations

from mixtura.families.portrait import Portrait
from mixtura.records import Spike
from mixtura.report.collapse import Collapse, collapses
from mixtura.report.view import (
    LONGEST_NAME,
    MOST_LISTED,
    MixtureView,
    listed,
    looks_like_the_top,
    shorten,
)


def warnings(view: MixtureView) -> list[str]:
    """What to know before believing the numbers, worst first; empty for a sound fit."""
    fit = view.fit
    if fit is None:
        return []
    found, simpler = [], view.portrait.simpler
    if looks_like_the_top(fit):
        found.append(
            "Stopped by max_iter at what looks like the top, before the estimate of what is left "
            "to gain had come down to tol."
        )
    elif not fit.converged:
        reason = fit.reason.removeprefix("stopped: ")
        found.append(f"Not converged: {reason}. Groups may still move; allow more iterations.")
    if fit.verdict == "saddle":
        found.append(
            "Ended at a saddle of the log-likelihood that could not be left: try another seed or "
            "more starts."
        )
    if fit.verdict == "ridge":
        found.append(
            "The log-likelihood is flat in some direction: other groups describe the table just "
            f"as well. Fewer groups{f', or {simpler},' if simpler else ''} would be better "
            "determined."
        )
    K = len(view.weights)
    found += [
        _collapsed(why, view.portrait)
        for why in collapses(fit.floored, view.portrait, view.names, K, "group")
    ]
    heywood = [part for part in fit.floored if part.columns]
    if heywood:
        found.append(view.portrait.lone.format(columns=_in_groups(heywood, view.names)))
    if fit.empty:
        which = ", ".join(str(k) for k in fit.empty)
        found.append(f"No rows are left in group {which}: fewer groups describe the table as well.")
    if fit.held:
        found.append(_held([view.names[j] for j in fit.held]))
    return found


def _collapsed(why: Collapse, portrait: Portrait) -> str:
    count = len(why.each)
    which = "a group" if count == 1 else f"{count} groups"
    if why.shared:
        which = "the covariance that all groups share"
    return (
        f"Only the penalty keeps {which} from collapsing onto {portrait.collapse[0]}: "
        f"{why.listed(MOST_LISTED)}. {why.remedy}"
    )


def _in_groups(floored: list[Spike], columns: tuple[str, ...]) -> str:
    """ "a, b in group 1; c in group 2"."""
    each = [
        f"{listed([shorten(columns[j], LONGEST_NAME) for j in part.columns])} in group "
        f"{part.component}"
        for part in floored
    ]
    return listed(each, "; ")


def _held(names: list[str]) -> str:
    text = listed([shorten(name, LONGEST_NAME) for name in names])
    if len(names) == 1:
        return (
            f"Column {text} has no variance of its own (constant, or a sum of other columns): it "
            "cannot tell groups apart; consider leaving out what adds nothing."
        )
    # Which of them is the superfluous one is not for us to say: the others may tell groups apart.
    return (
        f"Columns {text} are linearly dependent (or constant): one of them is determined by the "
        "others and adds nothing; the direction without variance is held."
    )
