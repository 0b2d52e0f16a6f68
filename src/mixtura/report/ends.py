"""The ends that the climbs of a search met, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mixtura.report.digits import counted
from mixtura.result import FEWEST, Fit, Optimum, chance_of_higher, climbs

# Of the optima met, so many are listed.
OPTIMA = 5
# Chances below are not told apart.
MINUTE = 1e-3


def optima(fit: Fit) -> str:
    """ "-2754.55 (145, this fit), -2755.62 (74) and 3 lower: ..."; empty where there are no two."""
    met, listed = fit.landscape, foremost(fit, OPTIMA)
    if len(met) < 2:
        return ""
    heights = [one.mean_objective * fit.weight for one in listed]
    digits = 2 if len({f"{end:.2f}" for end in heights}) == len(heights) else 5
    said = [
        f"{end:.{digits}f} ({', '.join((str(climbs([one])), *marks(fit, one)))})"
        for end, one in zip(heights, listed, strict=True)
    ]
    rest = f" and {others(fit, listed)}" if len(met) > len(listed) else ""
    return ", ".join(said) + f"{rest}: {ranked_by(fit)}, and how often climbs ended there"


def foremost(fit: Fit, most: int) -> tuple[Optimum, ...]:
    """The highest ends, so many; with the fit's own wherever it is, as those above may collapse."""
    met, own = fit.landscape, fit.met
    listed = met[:most]
    return listed if own is None or own in listed else (*met[: most - 1], own)


def others(fit: Fit, listed: Sequence[Optimum]) -> str:
    """ "3 lower", or "3 others" where some of the ends that are not listed are not."""
    left, met = len(fit.landscape) - len(listed), fit.landscape
    return f"{left} {'lower' if listed[-1] == met[len(listed) - 1] else 'others'}"


def ranked_by(fit: Fit) -> str:
    """What ends are compared by, and the fit is chosen by."""
    if fit.bound:
        return "bound"
    return "log-likelihood" + " + log prior" * any(one.belief for one in fit.landscape)


def marks(fit: Fit, one: Optimum) -> tuple[str, ...]:
    """What there is to say of an end in the landscape; whether it is the fit's own, if not all."""
    return (*one.marks, *["this fit"] * (one == fit.met and len(fit.landscape) > 1))


def further(fit: Fit) -> str:
    """The chance that one more climb ends higher; empty where no two ended in a regular optimum."""
    met = [one for one in fit.landscape if not one.unfinished]
    finished = climbs(met)
    chance = chance_of_higher(met)
    if chance is None and sum(start.outcome == "kept" for start in fit.starts) < 2:
        return ""
    if chance is None:
        return f"ends higher with a chance not estimated: {FEWEST} are needed, {finished} converged"
    said = f"{100 * chance:.2g} %" if chance >= MINUTE else f"less than {100 * MINUTE:.2g} %"
    return (
        f"ends higher with a chance of about {said}, judged by {counted(finished, 'climb')} that "
        f"met {len(met)} optim{'um' if len(met) == 1 else 'a'}"
    )
