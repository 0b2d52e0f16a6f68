"""The optima that a search met: how high each lies, and what kind of starts lead there."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mixtura.report.digits import counted
from mixtura.report.ends import foremost, further, marks, others, ranked_by
from mixtura.report.frame import LABEL, blank, headed
from mixtura.report.palette import colours
from mixtura.report.panels import INK, QUIET, quiet
from mixtura.result import Fit, climbs

# So many optima are drawn: the highest, and the fit's own.
MOST = 12
# How strong the colour is of an end that is no optimum.
PALE = 0.4


def draw_landscape(fit: Fit) -> Figure:
    """A bar for each end, by how many climbs of which start ended there.

    The highest is the first, and the fit's own is among them wherever it is.
    Ends are as high as their objective: with a prior that was asked for it is in it.

    ValueError where no climb from a start has finished.
    """
    met = fit.landscape
    if not met:
        raise ValueError("the fit has no finished climbs of its own starts: there is no landscape")
    shown = foremost(fit, MOST)
    figure = blank(7.6, 1.9 + 0.36 * len(shown))
    ax = figure.add_subplot()
    quiet(ax, 9, 6)
    kinds = list(dict.fromkeys(kind for one in met for kind in one.hits))
    places, left = np.arange(len(shown)), np.zeros(len(shown))
    for kind, colour in zip(kinds, colours(len(kinds)), strict=True):
        hits = np.array([one.hits.get(kind, 0) for one in shown])
        bars = ax.barh(places, hits, left=left, color=colour, height=0.7, label=kind)
        for bar, one in zip(bars, shown, strict=True):
            bar.set_alpha(PALE if one.unfinished else 1.0)
        left += hits
    for place, one in enumerate(shown):
        said = ", ".join(marks(fit, one))
        ax.text(left[place], place, f"  {said}", va="center", color=QUIET, fontsize=9)
    ends = [one.mean_objective * fit.weight for one in shown]
    digits = 2 if len({f"{end:.2f}" for end in ends}) == len(ends) else 5
    ax.set_yticks(places, [f"{end:.{digits}f}" for end in ends])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(0, 1.15 * left.max())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("climbs that ended there", **LABEL)
    # On two lines with a prior: axes of one optimum are no taller.
    ax.set_ylabel(ranked_by(fit).replace(" + ", "\n+ "), **LABEL)
    figure.legend(
        frameon=False, fontsize=9, labelcolor=INK, title="start", loc="outside right upper"
    )
    notes = ["Collapsed: only the penalty holds a component up."] * any(o.collapsed for o in met)
    notes += ["Spurious: a component of few rows, narrow for the table."] * any(
        o.verdict == "spurious" for o in met
    )
    notes += [f"{others(fit, shown)} are not shown."] * (len(met) > MOST)
    notes += ["Not converged: the climb was on its way."] * any(o.unfinished for o in met)
    chance = further(fit)
    if chance:
        notes.append(f"One more climb {chance}.")
    found = [one for one in met if not one.unfinished]
    optima = f"{len(found)} optim{'um' if len(found) == 1 else 'a'}"
    heading = f"{optima} met by {counted(climbs(found), 'climb')}"
    unfinished = climbs(met) - climbs(found)
    headed(figure, heading + f", {unfinished} not converged" * (unfinished > 0), notes)
    return figure
