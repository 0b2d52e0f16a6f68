"""A fitted admixture in words: what `Admixture.summary` returns."""

from __future__ import annotations

import numpy as np

from mixtura.families.digits import percent
from mixtura.records import Array
from mixtura.report.digits import counted
from mixtura.result import Fit

# An individual with at least so much of one population is called unmixed.
_UNMIXED = 0.99


def ancestry_text(Q: Array, markers: int, monomorphic: int, fit: Fit) -> str:
    """Populations, likelihood, the climb and its starts, a line each."""
    n, K = Q.shape
    lines = [f"{counted(K, 'population')} in {counted(n, 'individual')} at {markers:,} markers", ""]
    lines.append(" population   share   unmixed individuals")
    for k, share in enumerate(Q.mean(axis=0)):
        lines.append(
            f" {k:>10}  {percent(float(share)):>6}   {int(np.sum(Q[:, k] >= _UNMIXED)):>19}"
        )
    lines += ["", f" log-likelihood  {fit.loglik:.4f} in total"]
    if monomorphic:
        lines.append(
            f" monomorphic     {counted(monomorphic, 'marker')}, which tell nothing and are kept"
        )
    lines.append(f" ended           {fit.reason}")
    lines.append(f" passes          {fit.passes:,} over all genotypes; solver {fit.solver}")
    kept = [start for start in fit.starts if start.outcome == "kept"]
    cut = sum(start.unfinished for start in kept)
    ended = f"{len(kept) - cut} climbed to the end" + (f", {cut} stopped before it" if cut else "")
    ends = [(one.mean_loglik * n, sum(one.hits.values())) for one in fit.landscape]
    met = ", ".join(f"{loglik:.2f} ({hits}x)" for loglik, hits in ends)
    lines.append(f" starts          {len(fit.starts)} tried, {ended}; ends met: {met}")
    return "\n".join(lines)
